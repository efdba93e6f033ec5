"""The one TLS context of the process."""

import ssl
from functools import cache

import trio

_of_run: trio.lowlevel.RunVar[ssl.SSLContext] = trio.lowlevel.RunVar("duenna TLS context")


async def shared_tls_context() -> ssl.SSLContext:
    """Return the context that all connections share, with the system's certificates.

    Loading them takes 40 to 170 ms, so it is done once, in a thread: a connection that came
    back after every outage with a context of its own would stall every other actor. Each
    ``trio.run`` goes to the thread for it once, loaded or not: a run that is
    repeated in the same process, as simulated ones are, then takes the same steps.
    """
    try:
        return _of_run.get()
    except LookupError:
        context = await trio.to_thread.run_sync(_load)
        _of_run.set(context)
        return context


_load = cache(ssl.create_default_context)
