"""One bot in several processes: each has a clock and guards of its own, and finds what the last left in the store."""

from __future__ import annotations

from collections import ChainMap
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

import trio
import trio.testing

from duenna import Child, Context, Supervisor
from duenna._open import opened
from duenna._runtime import Runtime
from duenna.events import Event
from duenna.guards._registry import registry
from duenna.testing import fresh_guards

from .kit import DurableStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from duenna import EventStream

E = TypeVar("E", bound=Event)
T = TypeVar("T")

WALL = 1_772_366_400.0  # 2026-03-01T12:00:00Z


class Lives:
    """A bot's processes, one after the other.

    Attributes:
        store: What outlives them.
        wall: The time of day.
    """

    def __init__(self, wall: float = WALL) -> None:
        self.store = DurableStore()
        self.wall = wall

    def live(
        self,
        body: Callable[[Runtime], Awaitable[T]],
        tree: Supervisor | None = None,
        *,
        system: Iterable[Child | Supervisor] = (),
        is_killed: bool = False,
        hear: Iterable[type[Event]] = (),
        heard: list[Event] | None = None,
        before: Callable[[], object] = lambda: None,
        is_fresh: bool = False,
        **options: Any,
    ) -> T:
        """Run the bot while *body* runs, and return what that does; then stop it in order, or kill it.

        What *before* does it does as a module that is imported, without a loop. If it *is_fresh*, names of
        guards mean others than they did then, as in a test.
        """
        clock = trio.testing.MockClock(autojump_threshold=0)
        begin = self.wall

        def wall() -> float:
            return begin + clock.current_time()

        async def main() -> T:
            given = tree if tree is not None else Supervisor("bot", intensity=1000)
            runtime = Runtime(given, system=system, seed=1, log_level=None, state=self.store, **options)
            runtime.state.wall = wall
            stream = runtime.events(*hear) if heard is not None else None
            async with opened(runtime, None):
                result = await body(runtime)
                if is_killed:
                    self.store = self.store.copy()
                if stream is not None and heard is not None:
                    heard.extend(stream.drain())
            return result

        outside, registry._known = registry._known, ChainMap()  # no guard of this process, as in a new one
        try:
            before()
            with fresh_guards() if is_fresh else nullcontext():
                result = trio.run(main, clock=clock)
        finally:
            registry._known = outside
        self.wall = begin + clock.current_time()
        return result

    def later(self, seconds: float) -> None:
        """Let time pass in which there is no process."""
        self.wall += seconds


async def settle(runtime: Runtime) -> None:
    """Let everything be told, and saved."""
    await trio.testing.wait_all_tasks_blocked()
    await runtime.state.save(force=True)


def found(stream: EventStream, kind: type[E]) -> list[E]:
    """Return the events of *kind* that are in *stream*."""
    return [event for event in stream.drain() if isinstance(event, kind)]


async def idle(context: Context) -> None:
    """Do nothing until the end."""
    await context.stop_requested.wait()
