"""What recovery reports, beside `RecoveryAttempted`."""

from enum import StrEnum
from typing import ClassVar

from duenna.events import Event


class Mode(StrEnum):
    """Where orders go."""

    LIVE = "live"
    PAPER = "paper"


class TradingModeChanged(Event, frozen=True):
    """Orders go to paper trading from now on, or to the exchange again.

    Attributes:
        previous: The mode that was left.
        mode: The mode now.
        why: What led there, in words.
        by: Who ended or began it: `operator`, `exchange_fallback`, `check`, or a name that the caller gave.
    """

    level: ClassVar[str] = "WARNING"
    previous: Mode
    mode: Mode
    why: str
    by: str

    def text(self) -> str:
        """Return the log line."""
        return f"trading: {self.previous} -> {self.mode} (by {self.by})" + (f": {self.why}" if self.why else "")


class DataFallbackUsed(Event, frozen=True):
    """A source of data sends nothing usable: its last good value stands in until a good one comes.

    Attributes:
        source: What the value is of.
        age: How old the value is, in seconds.
        why: What was wrong with the new one.
    """

    level: ClassVar[str] = "WARNING"
    source: str
    age: float
    why: str

    def text(self) -> str:
        """Return the log line."""
        return f"{self.source}: the last good value, {self.age:.1f} s old, stands in: {self.why}"
