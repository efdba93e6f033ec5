"""The one TLS context of the process."""

import ssl

import trio

_shared: list[ssl.SSLContext] = []


async def shared_tls_context() -> ssl.SSLContext:
    """Return the context that all connections share, with the system's certificates.

    Loading them takes 40 to 170 ms, so it is done once, in a thread: a connection that came
    back after every outage with a context of its own would stall every other actor.
    """
    if not _shared:
        context = await trio.to_thread.run_sync(ssl.create_default_context)
        _shared[:] = [context]
    return _shared[0]
