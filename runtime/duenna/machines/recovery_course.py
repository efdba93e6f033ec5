"""The course of one child's recovery, as its supervisor and its own checks bring it about.

Nobody is restarted from here: this turns what was seen (a restart was decided, the child is
up, it was parked) into attempts with a beginning and an end, so that each can be counted,
logged and timed. A *restart* is the supervisor's; a *repair* is the connection's own, after
too many failing checks. An attempt has succeeded when the child can be used again, for a
connection that is when the far end is reached.
"""

from enum import StrEnum

import attrs

from duenna.machines.link import UP, ConnectionState


class Status(StrEnum):
    """What is told of an attempt."""

    STARTED = "started"
    SUCCESS = "success"
    FAILED = "failed"
    GAVE_UP = "gave_up"


@attrs.frozen
class Step:
    """One thing to tell.

    Attributes:
        status: What happened.
        time: When, in monotonic seconds.
        attempt: Which attempt, counted from 1; of `gave_up` the attempts that were made.
        wait: Seconds that it waits before it acts, or did.
        elapsed: Seconds since the first error of this recovery.
        error: What it failed with, or the error that it answers.
        is_repair: Whether it is a repair rather than a restart.
    """

    status: Status
    time: float
    attempt: int
    wait: float
    elapsed: float
    error: str
    is_repair: bool = False


_ENDED = frozenset({ConnectionState.FAILED, ConnectionState.CLOSED})


@attrs.define(eq=False)
class Course:
    """Where the recovery of one child is.

    Attributes:
        state: Of a connection, where it is in its life cycle; None of any other child.
        is_open: Whether an attempt is under way.
        attempt: Its number; after it, that of the last one.
        repairs: Repairs since the connection was last up.
    """

    state: ConnectionState | None = None
    is_open: bool = attrs.field(default=False, init=False)
    attempt: int = attrs.field(default=0, init=False)
    repairs: int = attrs.field(default=0, init=False)
    _is_repair: bool = attrs.field(default=False, init=False)
    _is_down: bool = attrs.field(default=False, init=False)
    _wait: float = attrs.field(default=0.0, init=False)
    _since: float | None = attrs.field(default=None, init=False)

    @property
    def outcome(self) -> bool | None:
        """Whether the child can be used again; None while that is not decided."""
        if self.is_open:
            return None
        if self.state is None:
            return not self._is_down
        if self.state is ConnectionState.OPERATIONAL:
            return True
        return False if self._is_down or self.state in _ENDED else None

    def restarting(self, now: float, failures: int, delay: float, error: str) -> list[Step]:
        """The supervisor starts the child again in *delay* seconds, after its *failures*-th failure in a row."""
        steps = self._fail(now, error)
        self.repairs = 0
        self._is_repair = False
        self.attempt = failures
        return [*steps, self._start(now, delay, error)]

    def moved(self, now: float, state: ConnectionState, why: str, repair: int = 0) -> list[Step]:
        """The child, a connection, is in *state* now.

        Args:
            now: Monotonic seconds.
            state: The state.
            why: What led there, in words.
            repair: Which of its own repairs it is at, counted from 1; 0: it does not say.
        """
        self.state = state
        if state in UP:
            return self.up(now)
        if state is ConnectionState.RECOVERING:
            steps = self._fail(now, why)
            self.repairs = repair or self.repairs + 1
            self._is_repair = True
            self.attempt = self.repairs
            return [*steps, self._start(now, 0.0, why)]
        if state is ConnectionState.COOLDOWN and self._is_repair:
            return self._fail(now, why)
        if state is ConnectionState.CLOSED and self._is_repair:
            self.dropped()
        return []

    def up(self, now: float) -> list[Step]:
        """The child is ready; of a connection: reached."""
        self._is_down = False
        steps = [self._step(Status.SUCCESS, now, "")] if self.is_open else []
        self.is_open = self._is_repair = False
        self.repairs = 0
        self._since = None
        return steps

    def parked(self, now: float, failures: int, error: str) -> list[Step]:
        """The child is set aside after *failures* failures in a row: the last of them found no attempt left."""
        steps = self._fail(now, error)
        made = self.repairs or max(0, failures - 1)
        self.attempt = made
        self._since = now if self._since is None else self._since
        gave_up = self._step(Status.GAVE_UP, now, error)
        self.dropped()
        self._is_down = True
        return [*steps, gave_up]

    def dropped(self) -> None:
        """Nothing more is done for the child, stopped by hand or gone: what was under way counts for nothing."""
        self.is_open = self._is_repair = False
        self.repairs = 0
        self._since = None
        self._is_down = True

    def _start(self, now: float, wait: float, error: str) -> Step:
        self.is_open = True
        self._is_down = False
        self._wait = wait
        self._since = now if self._since is None else self._since
        return self._step(Status.STARTED, now, error)

    def _fail(self, now: float, error: str) -> list[Step]:
        if not self.is_open:
            return []
        self.is_open = False
        return [self._step(Status.FAILED, now, error)]

    def _step(self, status: Status, now: float, error: str) -> Step:
        since = now if self._since is None else self._since
        return Step(status, now, self.attempt, self._wait, now - since, error, self._is_repair)
