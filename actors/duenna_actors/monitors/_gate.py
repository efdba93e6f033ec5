"""Whether to trade, as one machine. Pure: the caller brings the time and what it has seen."""

from enum import StrEnum
from math import inf

import attrs


class EngineState(StrEnum):
    """What the trade engine does.

    STOPPED: nothing, for a person wants it so. RUNNING: it trades. PAUSED: it does not, for
    something that it needs is not well; that is borne for a while. ERROR: the same for too
    long, or the engine itself has failed.
    """

    STOPPED = "stopped"
    RUNNING = "running"
    PAUSED = "paused"
    ERROR = "error"


_S = EngineState


@attrs.define(kw_only=True)
class Gate:
    """The state of one trade engine.

    It shuts at once: the first look that finds a reason not to trade pauses it. It opens only
    when every look for ``settle`` seconds has found none. A pause that lasts for more than ``grace``
    seconds is an error; that ends by itself too, unless a hand is wanted for it. What a person
    stopped, a person starts.

    Attributes:
        grace: Seconds that a pause is borne, at least 0.
        settle: Seconds without a reason before it trades (again), at least 0.
        rest: Seconds after a failure of the engine itself before it is tried again, at least 0.
        state: What the engine does.
        reasons: Why it does not trade, a sentence each; empty if it does.
        failure: What the engine itself has failed with, in words; empty if it has not, or that is over.
    """

    grace: float
    settle: float
    rest: float
    state: EngineState = attrs.field(default=_S.PAUSED)
    reasons: tuple[str, ...] = attrs.field(default=("is starting",), init=False)
    failure: str = attrs.field(default="", init=False)
    _stop: str = attrs.field(default="", init=False)
    _paused_at: float = attrs.field(default=-inf, init=False)
    _well_since: float | None = attrs.field(default=None, init=False)
    _failed_at: float = attrs.field(default=-inf, init=False)

    def begin(self, now: float) -> None:
        """Begin with what was left, at *now* (monotonic seconds): nothing trades yet, and the grace begins."""
        self._paused_at, self._well_since = now, None
        if self.state is _S.RUNNING:
            self.state, self.reasons = _S.PAUSED, ("is starting",)

    def look(self, now: float, troubles: tuple[str, ...], *, is_automatic: bool) -> None:
        """Take what was seen at *now* (monotonic seconds), and go where that leads.

        Args:
            now: The time.
            troubles: What is not well, a sentence each.
            is_automatic: Whether an error state ends without a hand.
        """
        if self.state is _S.STOPPED:
            self.reasons = (self._stop,)
            return
        if self.failure and now >= self._failed_at + self.rest and is_automatic:
            self.failure = ""
        found = (self.failure, *troubles) if self.failure else troubles
        if found:
            self._shut(now, found)
        else:
            self._open(now, is_automatic=is_automatic)

    def stop(self, why: str) -> None:
        """Do not trade until `start`."""
        self.state, self._stop, self.reasons, self._well_since = _S.STOPPED, why, (why,), None

    def start(self, now: float) -> None:
        """Trade when nothing is found that speaks against it; a stop, a failure and an error are forgotten."""
        if self.state in {_S.STOPPED, _S.ERROR}:
            self.state, self.reasons = _S.PAUSED, ("is starting",)
            self._paused_at, self._well_since = now, None
        self._stop = self.failure = ""

    def fail(self, now: float, why: str) -> None:
        """Note that the engine itself has failed."""
        self.failure, self._failed_at, self._well_since = why, now, None
        if self.state is not _S.STOPPED:
            self.state, self.reasons = _S.ERROR, (why,)

    def due_at(self, now: float) -> float:
        """Return when to look again though nothing is heard, in monotonic seconds; inf: never, or when told to."""
        times = [
            self._paused_at + self.grace if self.state is _S.PAUSED else inf,
            inf if self._well_since is None else self._well_since + self.settle,
            self._failed_at + self.rest if self.failure else inf,
        ]
        return min((time for time in times if time > now), default=inf)

    def _shut(self, now: float, found: tuple[str, ...]) -> None:
        self.reasons, self._well_since = found, None
        if self.state is _S.RUNNING:
            self.state, self._paused_at = _S.PAUSED, now
        if self.state is _S.PAUSED and now >= self._paused_at + self.grace:
            self.state = _S.ERROR

    def _open(self, now: float, *, is_automatic: bool) -> None:
        if self.state is _S.RUNNING:
            return
        if self.state is _S.ERROR and not is_automatic:
            self.reasons = ("has failed, manual intervention required",)
            return
        if self._well_since is None:
            self._well_since = now
        if now >= self._well_since + self.settle:
            self.state, self.reasons, self._well_since = _S.RUNNING, (), None
        else:
            self.reasons = ("was not well a moment ago",)
