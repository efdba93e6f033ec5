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
    """

    kind: str
    previous: ConnectionState
    state: ConnectionState
    why: str

    def text(self) -> str:
        """Return the log line."""
        return f"{self.kind} {self.previous} -> {self.state}" + (f": {self.why}" if self.why else "")
