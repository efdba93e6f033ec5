"""What the demo itself has to tell: faults that begin and end, and how many messages came."""

from typing import ClassVar

from duenna.events import Event


class FaultInjected(Event, frozen=True):
    """A fault began.

    Attributes:
        what: What happens, in words.
        duration: Seconds that it lasts; None if it happens in an instant, or nobody knows.
    """

    level: ClassVar[str] = "WARNING"
    what: str
    duration: float | None = None

    def text(self) -> str:
        """Return the log line."""
        return self.what + (f" (for {self.duration:g} s)" if self.duration is not None else "")


class FaultEnded(Event, frozen=True):
    """A fault is over.

    Attributes:
        what: What happened, in words.
    """

    what: str

    def text(self) -> str:
        """Return the log line."""
        return f"over: {self.what}"


class MessagesCounted(Event, frozen=True):
    """So many messages a connection has got since the start.

    Attributes:
        messages: Market data of a feed; requests, questions, writes of the others.
    """

    level: ClassVar[str] = "DEBUG"
    messages: int

    def text(self) -> str:
        """Return the log line."""
        return f"{self.messages} messages"
