"""What a `MemoryMonitor` says, and what it is asked."""

from typing import ClassVar

import msgspec

from duenna.errors import DuennaError
from duenna.events import Event
from duenna_actors.monitors._pressure import MemoryLevel, MemoryStep

_MIB = 1 << 20


class MemoryPressure(Event, frozen=True):
    """The process takes too much memory, and this is done about it now.

    Attributes:
        pressure: How it does.
        step: What is done.
        size: Resident size in bytes.
        limit: The size that is borne.
        growth: Bytes a minute, None if that is not known.
        target: What is restarted; empty in other steps.
    """

    level: ClassVar[str] = "WARNING"
    pressure: MemoryLevel
    step: MemoryStep
    size: int
    limit: int
    growth: float | None = None
    target: str = ""

    def text(self) -> str:
        """Return the log line."""
        what = f"{self.step} {self.target}" if self.target else str(self.step)
        return f"memory pressure {self.pressure}: {describe(self.size, self.limit, self.growth)}: {what}"


class MemoryRelieved(Event, frozen=True):
    """The process takes no more memory than it may again.

    Attributes:
        size: Resident size in bytes.
        limit: The size that is borne.
        lasted: Seconds that the pressure lasted.
    """

    size: int
    limit: int
    lasted: float

    def text(self) -> str:
        """Return the log line."""
        return f"memory pressure over after {self.lasted:.1f} s: {describe(self.size, self.limit, None)}"


class ShrinkCache(msgspec.Struct, frozen=True, tag=True):
    """Let go of what can be had again; published under pressure.

    Attributes:
        size: Resident size of the process in bytes.
        limit: The size that is borne.
    """

    size: int
    limit: int


class SaveState(msgspec.Struct, frozen=True, tag=True):
    """Save what must not be lost: something is restarted in a few seconds, or the system may end all; published.

    Attributes:
        target: Path of what is restarted; empty: nothing is, for nothing is left that could be.
        within: Seconds until then, at least.
    """

    target: str
    within: float


class GetMemory(msgspec.Struct, frozen=True, tag=True):
    """Ask a `MemoryMonitor` how the process does; answered at once with a `MemoryReading`."""


class MemoryReading(msgspec.Struct, frozen=True, tag=True):
    """How a process does with its memory.

    Attributes:
        size: Resident size in bytes at the last check, None before the first.
        limit: The size that is borne.
        growth: Bytes a minute, None if that is not known (yet).
        level: `normal`, `high` or `critical`.
        lasted: Seconds that the present pressure has lasted, 0 without any.
        restarted: What was restarted because of it, in order.
    """

    size: int | None
    limit: int
    growth: float | None
    level: MemoryLevel
    lasted: float
    restarted: tuple[str, ...] = ()


class MemoryLimitError(DuennaError, MemoryError):
    """The process takes too much memory, and nothing that could be done about it has helped.

    Attributes:
        size: Resident size in bytes.
        limit: The size that is borne.
    """

    def __init__(self, size: int, limit: int, growth: float | None) -> None:
        """Say how much it takes."""
        super().__init__(f"out of memory soon: {describe(size, limit, growth)}, after all caches and restarts")
        self.size = size
        self.limit = limit


def describe(size: int, limit: int, growth: float | None) -> str:
    """Return a size in words."""
    grows = "" if growth is None else f", {growth / _MIB:+.1f} MiB a minute"
    return f"{size / _MIB:.1f} MiB resident of {limit / _MIB:.1f} MiB{grows}"
