"""What connections report."""

from duenna.events import Event
from duenna.machines.link import ConnectionState


class ConnectionChanged(Event, frozen=True):
    """A connection moved along its life cycle.

    Attributes:
        kind: What it connects to: `api`, `balance`, `websocket`, `database` or a user's own word.
        previous: The state that was left.
        state: The state that it is in now.
        why: What led there, in words.
        attempt: Restarts because of failing checks that were attempted since the last one that passed.
        attempts: How many there may be; 0 where there was no attempt.
    """

    kind: str
    previous: ConnectionState
    state: ConnectionState
    why: str
    attempt: int = 0
    attempts: int = 0

    def text(self) -> str:
        """Return the log line."""
        of = f" (restart {self.attempt} of {self.attempts})" if self.attempts else ""
        return f"{self.kind} {self.previous} -> {self.state}{of}" + (f": {self.why}" if self.why else "")
