"""A world for a test of what makes it repeat itself: a clock, a wall, and a list of leaks; no network."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import attrs
import trio

from duenna.testing._clock import WorldClock
from duenna.testing._determinism import deterministic
from duenna.testing._disk import Disk
from duenna.testing._leaks import Leak

T = TypeVar("T")

WALL = 1_767_225_600.0  # 2026-01-01T00:00:00Z


@attrs.define(eq=False)
class Bare:
    """A world that may be entered again and again, from time 0 each time."""

    seed: int = 7
    disk: Disk | None = None
    audit: bool = False
    step: float = 0.0
    leaks: list[Leak] = attrs.field(factory=list[Leak], init=False)
    clock: WorldClock = attrs.field(factory=WorldClock, init=False)

    def wall(self) -> float:
        return WALL + self.clock.now() + self.step

    def run(self, main: Callable[..., Awaitable[T]], *args: Any) -> T:
        self.clock = WorldClock()
        with self.entered():
            return trio.run(main, *args, clock=self.clock)

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call *function* in the world, without trio."""
        with self.entered():
            return function(*args)

    def entered(self) -> Any:
        return deterministic(
            self.seed, self.clock, self.wall, disk=self.disk, on_leak=self.leaks.append, audit=self.audit
        )


def run(main: Callable[..., Awaitable[T]], *args: Any, seed: int = 7) -> T:
    return Bare(seed).run(main, *args)
