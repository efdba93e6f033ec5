"""The life cycle of a connection, beside the one that its supervisor sees, as one table.

The supervisor knows whether the actor runs; this knows whether the far end can be used.
A link that is lost (`LOST`) cools down while the supervisor's backoff waits, and the next
incarnation connects again; one that is given up (`GAVE_UP`, the child is parked) has failed
until somebody connects it. Failing checks degrade a link first; only so many in a row make
recovery due, for one slow answer is no outage.
"""

from enum import StrEnum

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
    CHECK_FAILED = "check_failed"
    RECOVER = "recover"
    RECOVERED = "recovered"
    LOST = "lost"
    GAVE_UP = "gave_up"
    CLOSE = "close"


_S = ConnectionState
_E = LinkEvent

TRANSITIONS: dict[tuple[ConnectionState, LinkEvent], ConnectionState] = {
    (_S.CONNECTING, _E.CONNECTED): _S.OPERATIONAL,
    (_S.CONNECTING, _E.LOST): _S.COOLDOWN,
    (_S.CONNECTING, _E.CLOSE): _S.CLOSED,
    (_S.OPERATIONAL, _E.PASSED): _S.OPERATIONAL,
    (_S.OPERATIONAL, _E.CHECK_FAILED): _S.DEGRADED,
    (_S.OPERATIONAL, _E.LOST): _S.COOLDOWN,
    (_S.OPERATIONAL, _E.CLOSE): _S.CLOSED,
    (_S.DEGRADED, _E.PASSED): _S.OPERATIONAL,
    (_S.DEGRADED, _E.CHECK_FAILED): _S.DEGRADED,
    (_S.DEGRADED, _E.RECOVER): _S.RECOVERING,
    (_S.DEGRADED, _E.LOST): _S.COOLDOWN,
    (_S.DEGRADED, _E.CLOSE): _S.CLOSED,
    (_S.RECOVERING, _E.RECOVERED): _S.OPERATIONAL,
    (_S.RECOVERING, _E.LOST): _S.COOLDOWN,
    (_S.RECOVERING, _E.CLOSE): _S.CLOSED,
    (_S.COOLDOWN, _E.CONNECT): _S.CONNECTING,
    (_S.COOLDOWN, _E.GAVE_UP): _S.FAILED,
    (_S.COOLDOWN, _E.CLOSE): _S.CLOSED,
    (_S.FAILED, _E.CONNECT): _S.CONNECTING,
    (_S.FAILED, _E.CLOSE): _S.CLOSED,
    (_S.CLOSED, _E.CONNECT): _S.CONNECTING,
}
"""Every legal move; what is not here is a defect of the shell."""

UP = frozenset({_S.OPERATIONAL, _S.DEGRADED})
"""States in which the far end is reached."""

RESTING = frozenset({_S.COOLDOWN, _S.FAILED, _S.CLOSED})
"""States in which nobody tries to reach it, and from which connecting begins."""


@attrs.define
class Link:
    """The state of one connection, and how many checks in a row have failed.

    Attributes:
        max_check_failures: The consecutive failing check that makes recovery due,
            counted from 1.
        state: Where the connection is.
        check_failures: Checks that failed since the last one that passed.
    """

    max_check_failures: int = attrs.field(default=3, validator=attrs.validators.ge(1))
    state: ConnectionState = ConnectionState.CLOSED
    check_failures: int = attrs.field(default=0, init=False)

    @property
    def is_up(self) -> bool:
        """Whether the far end is reached."""
        return self.state in UP

    @property
    def is_recovery_due(self) -> bool:
        """Whether so many checks in a row have failed that something must be done."""
        return self.check_failures >= self.max_check_failures

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
        elif event in _FORGIVING:
            self.check_failures = 0
        return None if self.state is previous else previous


_FORGIVING = frozenset({_E.CONNECT, _E.PASSED, _E.RECOVERED})
