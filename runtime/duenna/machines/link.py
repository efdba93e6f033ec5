"""The life cycle of a connection, beside the one that its supervisor sees, as one table.

The supervisor knows whether the actor runs; this knows whether the far end can be used.
A link that is lost (`LOST`) cools down while the supervisor's backoff waits, and the next
incarnation connects again; one that is given up (`GAVE_UP`) has failed until somebody
connects it, or a check finds that it has come back by itself.

Failing checks degrade a link first; only when more than so many in a row have failed is a
restart due, for one bad answer is no outage. An attempt at it that does not help
(`NOT_RECOVERED`) is followed by a quiet time, each twice as long as the one before, in which
the link is held and still checked. When the quiet time after the last attempt is over too,
nothing is left that could be done without a hand.
"""

from enum import StrEnum
from typing import Final

import attrs


class ConnectionState(StrEnum):
    """What a connection is good for right now."""

    CONNECTING = "connecting"
    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    RECOVERING = "recovering"
    COOLDOWN = "cooldown"
    FAILED = "failed"
    CLOSED = "closed"


class LinkEvent(StrEnum):
    """What can happen to a connection."""

    CONNECT = "connect"
    CONNECTED = "connected"
    PASSED = "passed"
    SLOW = "slow"
    CHECK_FAILED = "check_failed"
    RECOVER = "recover"
    RECOVERED = "recovered"
    NOT_RECOVERED = "not_recovered"
    LOST = "lost"
    GAVE_UP = "gave_up"
    CLOSE = "close"


_S = ConnectionState
_E = LinkEvent

TRANSITIONS: dict[tuple[ConnectionState, LinkEvent], ConnectionState] = {
    (_S.CONNECTING, _E.CONNECTED): _S.OPERATIONAL,
    (_S.CONNECTING, _E.SLOW): _S.DEGRADED,
    (_S.CONNECTING, _E.LOST): _S.COOLDOWN,
    (_S.CONNECTING, _E.CLOSE): _S.CLOSED,
    (_S.OPERATIONAL, _E.PASSED): _S.OPERATIONAL,
    (_S.OPERATIONAL, _E.SLOW): _S.DEGRADED,
    (_S.OPERATIONAL, _E.CHECK_FAILED): _S.DEGRADED,
    (_S.OPERATIONAL, _E.LOST): _S.COOLDOWN,
    (_S.OPERATIONAL, _E.CLOSE): _S.CLOSED,
    (_S.DEGRADED, _E.PASSED): _S.OPERATIONAL,
    (_S.DEGRADED, _E.SLOW): _S.DEGRADED,
    (_S.DEGRADED, _E.CHECK_FAILED): _S.DEGRADED,
    (_S.DEGRADED, _E.RECOVER): _S.RECOVERING,
    (_S.DEGRADED, _E.GAVE_UP): _S.FAILED,
    (_S.DEGRADED, _E.LOST): _S.COOLDOWN,
    (_S.DEGRADED, _E.CLOSE): _S.CLOSED,
    (_S.RECOVERING, _E.RECOVERED): _S.OPERATIONAL,
    (_S.RECOVERING, _E.SLOW): _S.DEGRADED,
    (_S.RECOVERING, _E.NOT_RECOVERED): _S.COOLDOWN,
    (_S.RECOVERING, _E.LOST): _S.COOLDOWN,
    (_S.RECOVERING, _E.CLOSE): _S.CLOSED,
    (_S.COOLDOWN, _E.CONNECT): _S.CONNECTING,
    (_S.COOLDOWN, _E.PASSED): _S.OPERATIONAL,
    (_S.COOLDOWN, _E.SLOW): _S.DEGRADED,
    (_S.COOLDOWN, _E.CHECK_FAILED): _S.COOLDOWN,
    (_S.COOLDOWN, _E.RECOVER): _S.RECOVERING,
    (_S.COOLDOWN, _E.GAVE_UP): _S.FAILED,
    (_S.COOLDOWN, _E.LOST): _S.COOLDOWN,
    (_S.COOLDOWN, _E.CLOSE): _S.CLOSED,
    (_S.FAILED, _E.CONNECT): _S.CONNECTING,
    (_S.FAILED, _E.PASSED): _S.OPERATIONAL,
    (_S.FAILED, _E.SLOW): _S.DEGRADED,
    (_S.FAILED, _E.CHECK_FAILED): _S.FAILED,
    (_S.FAILED, _E.RECOVER): _S.RECOVERING,
    (_S.FAILED, _E.LOST): _S.COOLDOWN,
    (_S.FAILED, _E.CLOSE): _S.CLOSED,
    (_S.CLOSED, _E.CONNECT): _S.CONNECTING,
}
"""Every legal move; what is not here is a defect of the shell."""

UP = frozenset({_S.OPERATIONAL, _S.DEGRADED})
"""States in which the far end is reached."""

RESTING = frozenset({_S.COOLDOWN, _S.FAILED, _S.CLOSED})
"""States in which nobody tries to reach it, and from which connecting begins."""


MAX_COOLDOWN: Final = 3600.0
"""The longest quiet time in seconds that doubling leads to; a first one that is longer stays as it is."""


@attrs.define
class Link:
    """The state of one connection, how many checks in a row have failed, and what was done about it.

    Attributes:
        state: Where the connection is.
        check_failures: Checks that failed since the last one that passed.
        attempts: Restarts that were attempted since the last check that passed.
    """

    state: ConnectionState = ConnectionState.CLOSED
    check_failures: int = attrs.field(default=0, init=False)
    attempts: int = attrs.field(default=0, init=False)

    @property
    def is_up(self) -> bool:
        """Whether the far end is reached."""
        return self.state in UP

    def is_restart_due(self, max_check_failures: int) -> bool:
        """Return whether *more than* so many checks in a row have failed, 0 or more."""
        return self.check_failures > max_check_failures

    def is_spent(self, max_attempts: int) -> bool:
        """Return whether as many restarts as there may be, 0 or more, have been attempted."""
        return self.attempts >= max_attempts

    def cooldown(self, first: float) -> float:
        """Return the quiet time in seconds after the present attempt: *first* after the first, then twice the last."""
        doublings = min(max(self.attempts - 1, 0), _MOST_DOUBLINGS)
        return min(first * 2.0**doublings, max(first, MAX_COOLDOWN))

    def apply(self, event: LinkEvent) -> ConnectionState | None:
        """Move by *event*; return the state that was left, None if it is the same.

        Raises:
            ValueError: The table does not allow it.
        """
        previous = self.state
        try:
            self.state = TRANSITIONS[previous, event]
        except KeyError:
            message = f"a connection that is {previous} cannot be told {event}"
            raise ValueError(message) from None
        if event is LinkEvent.CHECK_FAILED:
            self.check_failures += 1
        elif event is LinkEvent.RECOVER:
            self.attempts += 1
        elif event in _FORGIVING:
            self.check_failures = self.attempts = 0
        return None if self.state is previous else previous


_MOST_DOUBLINGS: Final = 64
_FORGIVING: Final = frozenset({_E.CONNECT, _E.PASSED, _E.SLOW, _E.RECOVERED})
