"""What a `TradeEngineCoordinator` is asked and told, and what it says."""

from typing import Any, ClassVar

import msgspec

from duenna.errors import DuennaError
from duenna.events import Event
from duenna.recovery import Mode
from duenna_actors.monitors._gate import EngineState


class MayTrade(msgspec.Struct, frozen=True, tag=True):
    """Ask whether an order may be placed now; answered at once with a `TradingPermit`."""


class TradingPermit(msgspec.Struct, frozen=True, tag=True):
    """Whether orders may be placed now, and how.

    Attributes:
        is_allowed: Whether they may.
        state: `stopped`, `running`, `paused` or `error`.
        reasons: Why not, a sentence each; empty if they may.
        mode: Where they go: `live`, or `paper`.
        settings: What to trade with now; None if nobody knows.
    """

    is_allowed: bool
    state: EngineState
    reasons: tuple[str, ...] = ()
    mode: Mode = Mode.LIVE
    settings: Any = None


class StartTrading(msgspec.Struct, frozen=True, tag=True):
    """Trade, as soon as what is needed is well: ends a stop by hand, and an error state."""


class StopTrading(msgspec.Struct, frozen=True, tag=True):
    """Do not trade until `StartTrading`, whatever happens.

    Attributes:
        why: In words.
    """

    why: str = "stopped by hand"


class EngineFailed(msgspec.Struct, frozen=True, tag=True):
    """The engine itself has failed: do not trade until it has had time to recover.

    Attributes:
        why: In words.
    """

    why: str


class UseSettings(msgspec.Struct, frozen=True, tag=True):
    """Trade with other settings than the given ones, until the next recovery; None: with those that were given.

    Attributes:
        settings: Such as smaller sizes.
        why: In words.
    """

    settings: Any
    why: str = ""


class TradingChanged(Event, frozen=True):
    """Whether the bot trades, or why not, has changed.

    Attributes:
        previous: The state that was left.
        state: The state now.
        reasons: Why it does not trade, a sentence each; empty if it does.
    """

    level: ClassVar[str] = "WARNING"
    previous: EngineState
    state: EngineState
    reasons: tuple[str, ...]

    def text(self) -> str:
        """Return the log line."""
        return f"trade engine {self.previous} -> {self.state}" + (
            f": {'; '.join(self.reasons)}" if self.reasons else ""
        )


class TradingSettingsChanged(Event, frozen=True):
    """The engine trades with other settings.

    Attributes:
        is_given: Whether they are those that the coordinator was given.
        why: In words.
    """

    is_given: bool
    why: str

    def text(self) -> str:
        """Return the log line."""
        whose = "those it was given" if self.is_given else "others than it was given"
        return f"trade engine uses {whose}" + (f": {self.why}" if self.why else "")


class StrategyPausedError(DuennaError):
    """Trading is halted, and it is not known for how long.

    Its text does not repeat the reasons: they are errors of others, reported and judged as theirs.
    As this one's they would be answered twice, and an exchange's would keep trading on paper.

    Attributes:
        reasons: Why, a sentence each.
    """

    def __init__(self, reasons: tuple[str, ...]) -> None:
        """Say how many reasons there are."""
        super().__init__(f"the trade engine does not run, for {len(reasons)} reason(s)")
        self.reasons = reasons
