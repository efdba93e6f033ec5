"""Which world runs in this thread: what everything that stands in for the real thing asks first."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from random import Random
from threading import Lock, get_ident
from typing import TYPE_CHECKING, Any

import attrs

from duenna.testing._clock import WorldClock
from duenna.testing._disk import Disk
from duenna.testing._leaks import Leak

if TYPE_CHECKING:
    from duenna.testing._threads import InlineCall


@attrs.define(eq=False)
class Presence:
    """A world that is running.

    Attributes:
        seed: What its chance comes from.
        clock: Its monotonic time.
        wall: Gives its time of day, in unix seconds.
        disk: The faults of its files.
        on_leak: Told of each leak, once.
        thread: The one that it runs in; all others are in the real world.
        call: The worker thread's call that runs now.
        ahead: Seconds by which that call is ahead of the clock, because it has slept.
        entropy: What the system's source of chance gives.
        seeds: Seeds of generators that were given none.
        delays: How long worker threads take.
        told: Leaks that `on_leak` knows.
    """

    seed: int
    clock: WorldClock
    wall: Callable[[], float]
    disk: Disk
    on_leak: Callable[[Leak], None]
    thread: int = attrs.field(factory=get_ident, init=False)
    call: "InlineCall | None" = attrs.field(default=None, init=False)
    ahead: float = attrs.field(default=0.0, init=False)
    entropy: Random = attrs.field(init=False)
    seeds: Random = attrs.field(init=False)
    delays: Random = attrs.field(init=False)
    told: set[Any] = attrs.field(factory=set[Any], init=False)

    def __attrs_post_init__(self) -> None:
        """Give every consumer a stream of its own: who draws more changes nothing for the others."""
        self.entropy = self.stream("entropy")
        self.seeds = self.stream("seeds")
        self.delays = self.stream("threads")

    def stream(self, name: str) -> Random:
        """Return a generator for *name* alone."""
        return Random(f"{self.seed}:{name}")  # noqa: S311  # simulation, no secrets

    def now(self) -> float:
        """Return the monotonic time, in seconds."""
        return self.clock.current_time() + self.ahead

    def time(self) -> float:
        """Return the time of day, in unix seconds."""
        return self.wall() + self.ahead


_taken = Lock()
_owner = (0, 0)
_present: Presence | None = None


def present() -> Presence | None:
    """Return the world that runs in this thread; None: this is the real one."""
    here = _present
    return here if here is not None and here.thread == get_ident() else None


def take(seed: int) -> None:
    """Claim the process for one world.

    Raises:
        RuntimeError: There is one already.
    """
    global _owner  # noqa: PLW0603  # the process has one clock, one scheduler and one set of modules to patch
    if not _taken.acquire(blocking=False):
        other, thread = _owner
        where = "this thread" if thread == get_ident() else "another thread of this process"
        raise RuntimeError(
            f"one world at a time: World({seed}) cannot run while World({other}) runs in {where}; "
            "run it afterwards, or in a process of its own"
        )
    _owner = seed, get_ident()


def give_back() -> None:
    """Let the process go to the next world."""
    _taken.release()


@contextmanager
def outside(here: Presence) -> Generator[None]:
    """Let real functions be real while the block runs."""
    enter(None)
    try:
        yield
    finally:
        enter(here)


def enter(here: Presence | None) -> None:
    """Make *here* the world that runs; None: there is none."""
    global _present  # noqa: PLW0603  # it is the process's
    _present = here
