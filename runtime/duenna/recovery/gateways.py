"""The guards of order gateways: while the breaker of one is open, orders go to paper trading."""

from collections.abc import Callable
from typing import Final

import attrs

from duenna.error_events import ErrorClassified, ErrorReport, Source
from duenna.guard_events import BreakerChanged
from duenna.machines.breaker import BreakerState
from duenna.machines.classification import Category, Facts, Link, Severity, Verdict
from duenna.recovery._ports import Now
from duenna.recovery.runner import Runner, Spawn
from duenna.recovery.trading import TradingMode
from duenna.wallclock import WallTime

MOST_GATEWAYS: Final = 1000

BREAKER_OPEN: Final = "gateway_breaker_open"
"""The rule of the verdict that an open breaker is."""

_OPEN: Final = frozenset({BreakerState.OPEN, BreakerState.FORCED_OPEN})


@attrs.define(eq=False, repr=False)
class Gateways:
    """Has open breakers of the gateways answered, and notes when they have closed."""

    _now: Now
    _wall: WallTime
    _runner: Runner
    _trading: TradingMode
    breaker_of: Callable[[str], BreakerState | None] = lambda guard: None  # noqa: ARG005  # a port
    _names: dict[str, None] = attrs.field(factory=dict[str, None], init=False)
    _spawn: Spawn | None = attrs.field(default=None, init=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The guards that were named."""
        return tuple(self._names)

    def add(self, guard: str) -> None:
        """Name a guard; its breaker may be open already.

        Raises:
            TypeError: *guard* is no str.
            ValueError: There are 1,000.
        """
        given: object = guard
        if not isinstance(given, str):
            message = f"add_gateway: the name of a guard is needed, got {given!r}"
            raise TypeError(message)
        if len(self._names) >= MOST_GATEWAYS and guard not in self._names:
            message = f"recovery watches at most {MOST_GATEWAYS} gateways, {guard!r} is one more"
            raise ValueError(message)
        self._names[guard] = None
        self._look(guard)

    def is_closed(self, guard: str) -> bool:
        """Return whether the breaker of *guard* is closed by now."""
        return self.breaker_of(guard) is BreakerState.CLOSED

    def attend(self, spawn: Spawn | None) -> None:
        """Have *spawn* run what answers, from now on, and look at every breaker: its events may have been missed."""
        self._spawn = spawn
        for guard in self._names:
            self._look(guard)

    def changed(self, event: BreakerChanged, spawn: Spawn) -> None:
        """Take in that a breaker has moved."""
        if event.guard not in self._names:
            return
        if event.state is BreakerState.CLOSED:
            self._trading.healthy(event.guard)
        elif event.state in _OPEN:
            self._runner.take(_is_down(event.guard, event.path, event.error, event.time, self._wall()), spawn)

    def _look(self, guard: str) -> None:
        state, spawn = self.breaker_of(guard), self._spawn
        if state is BreakerState.CLOSED:
            self._trading.healthy(guard)
        elif state in _OPEN and spawn is not None and guard not in self._trading.causes:
            self._runner.take(_is_down(guard, "/", "", self._now(), self._wall()), spawn)


def _is_down(guard: str, path: str, error: str, time: float, at: float) -> ErrorClassified:
    """Return an open breaker as the error that it stands for; it has no number, for nobody reported it."""
    text = f"the breaker of gateway {guard} is open" + (f": {error}" if error else "")
    verdict = Verdict(category=Category.EXCHANGE, severity=Severity.HIGH, transient=True, rule=BREAKER_OPEN)
    report = ErrorReport(
        id=0,
        time=time,
        at=at,
        path=path,
        source=Source.GUARD,
        error_type="BreakerOpenError",
        message=text,
        facts=Facts(links=(Link(type="BreakerOpenError", message=text),)),
        service=guard,
        verdict=verdict,
    )
    return ErrorClassified(time=time, path=path, report=report, verdict=verdict)
