"""Worker threads without threads: what `trio.to_thread.run_sync` is given runs in the loop, after a while.

How long the "thread" takes comes from the seed. At the end of that time its function
runs, at one go: nothing else happens meanwhile. Where the function waits, with
``time.sleep`` or for a slow database, the clock goes ahead for itself alone, and its result is
delivered when the clock of all has got there.
"""

import contextvars
import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

import attrs
import outcome
import trio
from sniffio import current_async_library_cvar
from sniffio import thread_local as sniffio_library
from trio._threads import PARENT_TASK_DATA, _track_active_thread

from duenna.testing._clock import Timer
from duenna.testing._leaks import refuse
from duenna.testing._patches import Patches
from duenna.testing._presence import Presence, present

SHORTEST = 0.0002
LONGEST = 0.0202
"""Bounds of the time that a worker thread takes, in seconds; most take little more than the shortest."""

_RUN: Any = trio._core._run.GLOBAL_RUN_CONTEXT  # noqa: SLF001  # what trio knows of the loop in this thread


def patch_threads(patches: Patches) -> None:
    """Run worker threads inline, and let them call back."""
    patches.function(trio.to_thread, "run_sync", _RUN_SYNC)
    patches.function(trio.from_thread, "run_sync", _BACK_SYNC)
    patches.function(trio.from_thread, "run", _BACK)


@attrs.define(eq=False)
class InlineCall:
    """One call of a worker thread; holds the limiter's token, as a thread would.

    Attributes:
        here: The world.
        function: What it calls.
        is_abandoned_on_cancel: Whether whoever wants the result stops waiting when cancelled.
        limiter: Gets its token back when the call is over.
        task: Who waits for the result; None: nobody any more.
    """

    here: Presence
    function: Callable[[], Any]
    is_abandoned_on_cancel: bool
    limiter: Any
    task: trio.lowlevel.Task | None
    _host: trio.lowlevel.Task = attrs.field(factory=trio.lowlevel.current_task, init=False)
    _token: trio.lowlevel.TrioToken = attrs.field(factory=trio.lowlevel.current_trio_token, init=False)
    _runner: Any = attrs.field(factory=lambda: _RUN.runner, init=False)
    _cancel: list[Any] = attrs.field(factory=lambda: [None], init=False)
    _late: Timer | None = attrs.field(default=None, init=False)
    _result: Any = attrs.field(default=None, init=False)
    _owed: dict[Any, float] = attrs.field(factory=dict[Any, float], init=False)

    async def wait(self) -> Any:
        """Let the time of the thread pass, and return what the function does.

        Cancelled, it waits for the end all the same, unless the call is abandoned then; an
        abandoned function runs nevertheless, at its time.
        """
        draw = self.here.delays.random()
        with _track_active_thread():
            self.here.clock.call_at(self.here.clock.current_time() + _delay(draw), self.run)
            result = await trio.lowlevel.wait_task_rescheduled(self._abort)
            return result.unwrap()

    @trio.lowlevel.enable_ki_protection
    def run(self) -> None:
        """Call the function now, as if in a thread, and deliver its result when it has come to its end."""
        here = self.here
        with _Outside(self._token, self.is_abandoned_on_cancel, self._cancel):
            here.call = self
            self._result = outcome.capture(self.function)
            ahead, here.ahead, here.call = here.ahead + sum(self._owed.values()), 0.0, None
        if ahead > 0.0:
            self._late = here.clock.call_at(here.clock.current_time() + ahead, self._deliver, self._result)
        else:
            self._deliver(self._result)

    def owe(self, debtor: Any, seconds: float) -> None:
        """Take *seconds* longer, once for each *debtor*."""
        self._owed[debtor] = max(seconds, self._owed.get(debtor, 0.0))

    def hurry(self) -> None:
        """Deliver the result now, if it is there: what took so long has been called off."""
        if self._late is not None and self._late.is_live:
            self._late.cancel()
            self._late = self.here.clock.call_at(self.here.clock.current_time(), self._deliver, self._result)

    def call_back(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Call *function* as trio would between two steps, or as the task that waits for this call."""
        here, ahead = self.here, self.here.ahead
        here.call, here.ahead = None, 0.0
        _RUN.runner = self._runner
        if not self.is_abandoned_on_cancel:
            _RUN.task = self._host
        try:
            return _checked(contextvars.copy_context().run(function, *args), function)
        finally:
            here.call, here.ahead = self, ahead
            del _RUN.runner
            if not self.is_abandoned_on_cancel:
                del _RUN.task

    def _abort(self, raise_cancel: Any) -> trio.lowlevel.Abort:
        self._cancel[0] = raise_cancel
        if not self.is_abandoned_on_cancel:
            return trio.lowlevel.Abort.FAILED
        self.task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _deliver(self, result: outcome.Outcome[Any]) -> None:
        def settle() -> Any:
            try:
                return result.unwrap()
            finally:
                self.limiter.release_on_behalf_of(self)

        settled = outcome.capture(settle)
        if self.task is not None:
            trio.lowlevel.reschedule(self.task, outcome.Value(settled))


class _Outside:
    """Hides the loop from what runs inside, as it is hidden in a thread, and leaves what trio leaves there."""

    __slots__ = ("_data", "_library", "_runner")

    def __init__(self, token: trio.lowlevel.TrioToken, is_abandoned: bool, cancel: list[Any]) -> None:
        self._runner: Any = _RUN.runner
        self._library = sniffio_library.name
        self._data = {"token": token, "abandon_on_cancel": is_abandoned, "cancel_register": cancel}

    def __enter__(self) -> None:
        del _RUN.runner
        sniffio_library.name = None
        vars(PARENT_TASK_DATA).update(self._data)

    def __exit__(self, *_: object) -> None:
        _RUN.runner = self._runner
        sniffio_library.name = self._library
        for name in self._data:
            delattr(PARENT_TASK_DATA, name)


def _delay(draw: float) -> float:
    """Return how long a thread takes; in plain arithmetic, which is the same on every machine."""
    return SHORTEST + (LONGEST - SHORTEST) * draw * draw * draw * draw


def _checked(value: Any, function: Any) -> Any:
    if inspect.iscoroutine(value):
        value.close()
        name = getattr(function, "__qualname__", function)
        raise TypeError(f"trio expected a sync function, but {name!r} appears to be asynchronous")
    return value


def _run_sync(real: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(real)
    @trio.lowlevel.enable_ki_protection
    async def run_sync(
        sync_fn: Callable[..., Any],
        *args: Any,
        thread_name: str | None = None,
        abandon_on_cancel: bool = False,
        limiter: Any = None,
    ) -> Any:
        here = present()
        if here is None:
            return await real(
                sync_fn, *args, thread_name=thread_name, abandon_on_cancel=abandon_on_cancel, limiter=limiter
            )
        await trio.lowlevel.checkpoint_if_cancelled()
        context = contextvars.copy_context()
        context.run(current_async_library_cvar.set, None)
        limiter = trio.to_thread.current_default_thread_limiter() if limiter is None else limiter

        def function() -> Any:
            return _checked(context.run(sync_fn, *args), sync_fn)

        call = InlineCall(here, function, bool(abandon_on_cancel), limiter, trio.lowlevel.current_task())
        await limiter.acquire_on_behalf_of(call)
        return await call.wait()

    return run_sync


def _back_sync(real: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(real)
    def run_sync(fn: Callable[..., Any], *args: Any, trio_token: trio.lowlevel.TrioToken | None = None) -> Any:
        here = present()
        if here is None or here.call is None:
            return real(fn, *args, trio_token=trio_token)
        return here.call.call_back(fn, args)

    return run_sync


def _back(real: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(real)
    def run(afn: Callable[..., Any], *args: Any, trio_token: trio.lowlevel.TrioToken | None = None) -> Any:
        here = present()
        if here is None or here.call is None:
            return real(afn, *args, trio_token=trio_token)
        instead = "a world's thread cannot wait for a task: use trio.from_thread.run_sync, or return to the task first"
        return refuse(here, "async function called from a thread", "trio.from_thread.run", instead)

    return run


_RUN_SYNC = _run_sync(trio.to_thread.run_sync)
_BACK_SYNC = _back_sync(trio.from_thread.run_sync)
_BACK = _back(trio.from_thread.run)
