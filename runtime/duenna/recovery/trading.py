"""Whether orders go to the exchange or to paper trading; order gateways ask before each order."""

from collections.abc import Callable
from typing import Final

import attrs

from duenna.recovery._ports import EventSink, NoSink, Now
from duenna.recovery.events import Mode, TradingModeChanged

OPERATOR: Final = "operator"
_MOST_CAUSES: Final = 100


@attrs.define(eq=False, repr=False)
class TradingMode:
    """Live or paper, with the causes that hold it on paper. Nothing here waits.

    Each cause (a gateway's path, a guard's name, or the operator) is ended by itself: trading
    is live again when the last is gone, or when an operator says so. At most 100 causes are
    kept apart; of more, the latest share one that only an operator ends.

    Attributes:
        since: When the mode was entered, in seconds of the clock; 0 before the first change.
        why: What led to it, in words.
        on_change: Called when a cause came or went.
    """

    _now: Now
    _events: EventSink = attrs.field(factory=NoSink)
    since: float = attrs.field(default=0.0, init=False)
    why: str = attrs.field(default="", init=False)
    on_change: Callable[[], None] = attrs.field(default=lambda: None, init=False)
    _causes: dict[str, str] = attrs.field(factory=dict[str, str], init=False)

    @property
    def mode(self) -> Mode:
        """Where orders go."""
        return Mode.PAPER if self._causes else Mode.LIVE

    @property
    def is_paper(self) -> bool:
        """Whether orders must not reach the exchange."""
        return bool(self._causes)

    @property
    def causes(self) -> dict[str, str]:
        """What holds trading on paper: why, by cause."""
        return dict(self._causes)

    def use_paper(self, why: str, *, cause: str = OPERATOR, by: str | None = None) -> None:
        """Send orders to paper trading until *cause* is over.

        Args:
            why: In words.
            cause: Who or what; a second call for the same only renews the words.
            by: Who does it, for the event; *cause* if not given.
        """
        before = self.mode
        known = cause in self._causes or len(self._causes) < _MOST_CAUSES
        self._causes[cause if known else OPERATOR] = why
        self._changed(before, why, cause if by is None else by)

    def use_live(self, by: str = OPERATOR) -> None:
        """Send orders to the exchange again, whatever the causes: for an operator."""
        before = self.mode
        self._causes.clear()
        self._changed(before, "", by)

    def healthy(self, cause: str, *, by: str = "check") -> None:
        """Note that *cause* was checked and is well; does nothing if it was no cause."""
        before = self.mode
        if self._causes.pop(cause, None) is not None:
            self._changed(before, f"{cause} is healthy", by)

    def _changed(self, before: Mode, why: str, by: str) -> None:
        self.on_change()
        mode = self.mode
        if mode is before:
            return
        self.since = self._now()
        self.why = why
        if self._events.wants(TradingModeChanged):
            changed = TradingModeChanged(time=self.since, path="/", previous=before, mode=mode, why=why, by=by)
            self._events.post(changed)
