"""Notice a blocked event loop, from a thread: the loop itself cannot.

The thread pings the loop; when no answer comes in time it looks at the stack of the
loop's thread and finds the actor there. It costs the loop one callback per ping. It is
off under a virtual clock, which has no wall time to be late by.
"""

import sys
import threading
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from time import perf_counter
from types import FrameType
from typing import TYPE_CHECKING, Any

import trio

from duenna import events
from duenna._dispatcher import Dispatcher, handle
from duenna._life import Life
from duenna._owner import owner_of
from duenna._turn import turn_async, turn_sync
from duenna.machines import checks

if TYPE_CHECKING:
    from duenna._runtime import Runtime

_DEEPEST = 30


@contextmanager
def watched(runtime: "Runtime", threshold: float | None) -> Generator[None]:
    """Watch the loop of this thread while the block runs; *threshold* in seconds, None: do not.

    Raises:
        ValueError: *threshold* is not greater than 0.
    """
    if threshold is not None:
        checks.duration("open_runtime", "watchdog", threshold, zero=False, inf=False)
    if threshold is None or type(runtime.clock).__name__ != "SystemClock":
        yield
        return
    watchdog = _Watchdog(runtime, threshold)
    thread = threading.Thread(target=watchdog.watch, name="duenna watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        watchdog.end()
        thread.join()


class _Watchdog:
    def __init__(self, runtime: "Runtime", threshold: float) -> None:
        self._runtime = runtime
        self._threshold = threshold
        self._token = trio.lowlevel.current_trio_token()
        self._loop_thread = threading.get_ident()
        self._answered = threading.Event()
        self._ended = threading.Event()
        self._asked_at = 0.0

    def end(self) -> None:
        self._ended.set()
        self._answered.set()

    def watch(self) -> None:
        while not self._ended.wait(self._threshold / 2):
            self._answered.clear()
            self._asked_at = perf_counter()
            try:
                self._token.run_sync_soon(self._answer, idempotent=True)
            except trio.RunFinishedError:
                return
            if not self._answered.wait(self._threshold) and not self._ended.is_set():
                self._report()
                self._answered.wait()

    def _answer(self) -> None:
        runtime = self._runtime
        runtime.loop.answered(runtime.now(), perf_counter() - self._asked_at)
        self._answered.set()

    def _report(self) -> None:
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001  # the documented way to another thread's stack
        actor = _actor_of(frame, self._runtime.askers)
        stack = "".join(traceback.format_stack(frame, _DEEPEST)) if frame is not None else ""
        bus = self._runtime.bus
        event = events.LoopBlocked(
            time=self._runtime.now(), path=actor or "/", seconds=self._threshold, actor=actor, stack=stack
        )
        bus.log(event)  # now: the loop may never come back
        self._token.run_sync_soon(self._told, event)

    def _told(self, event: events.LoopBlocked) -> None:
        self._runtime.loop.was_blocked(event.time, event.actor)
        self._runtime.bus.offer(event)


def _actor_of(frame: FrameType | None, askers: Mapping[Any, Any]) -> str:
    """Return the path of the actor whose code the stack is in, empty if it is none's."""
    while frame is not None:
        if frame.f_code in _CELL_FRAMES and (cell := frame.f_locals.get("cell")) is not None:
            return str(cell.path)
        if frame.f_code.co_name == "unrolled_run":
            return owner_of(frame.f_locals.get("task"), askers)
        frame = frame.f_back
    return ""


_CELL_FRAMES = frozenset(
    function.__code__
    for function in (
        turn_sync,
        turn_async,
        handle,
        Dispatcher._see_through,  # noqa: SLF001  # its frame knows whose code runs above it, as do the next two
        Life._start_actor,  # noqa: SLF001
        Life._clean_up,  # noqa: SLF001
    )
)
