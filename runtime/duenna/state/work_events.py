"""What happens to work in progress."""

from typing import ClassVar

from duenna.events import Event


class OperationBegan(Event, frozen=True):
    """An operation is stored, and its body begins.

    Attributes:
        id: Its id.
        work: What it is called, and its arguments.
    """

    id: str
    work: str

    def text(self) -> str:
        """Return the log line."""
        return f"operation {self.work} began ({self.id})"


class OperationResumed(Event, frozen=True):
    """An operation that an earlier attempt left unfinished goes on.

    Attributes:
        id: Its id.
        work: What it is called, its arguments, and how far it has got.
        attempts: How often it was begun or resumed, this time included.
        age: Seconds since it was first begun; at least 0.
        error: How the last attempt ended, empty if nobody knows.
    """

    id: str
    work: str
    attempts: int
    age: float
    error: str = ""

    def text(self) -> str:
        """Return the log line."""
        why = f", the last attempt failed: {self.error}" if self.error else ""
        return (
            f"operation {self.work} resumed, attempt {self.attempts}, first begun {self.age:.1f} s ago{why} ({self.id})"
        )


class OperationFinished(Event, frozen=True):
    """An operation is over, and will not be resumed: that is durable.

    Attributes:
        id: Its id.
        work: What it is called, and its arguments.
        attempts: How often it was begun or resumed.
        duration: Seconds since it was first begun; at least 0.
        was_abandoned: Whether it was given up rather than done.
    """

    id: str
    work: str
    attempts: int
    duration: float
    was_abandoned: bool = False

    def text(self) -> str:
        """Return the log line."""
        end = "abandoned" if self.was_abandoned else "finished"
        tries = f", attempt {self.attempts}" if self.attempts > 1 else ""
        return f"operation {self.work} {end} after {self.duration:.1f} s{tries} ({self.id})"


class OperationFailed(Event, frozen=True):
    """The body of an operation raised: it stays unfinished, and can be resumed.

    Attributes:
        id: Its id.
        work: What it is called, its arguments, and how far it has got.
        attempts: How often it was begun or resumed, this time included.
        error: What was raised.
    """

    level: ClassVar[str] = "WARNING"
    id: str
    work: str
    attempts: int
    error: str

    def text(self) -> str:
        """Return the log line."""
        return f"operation {self.work} failed, attempt {self.attempts}, and can be resumed: {self.error} ({self.id})"


class OperationLeft(Event, frozen=True):
    """The body of an operation was cancelled, or left it for later: it stays unfinished, and can be resumed.

    Attributes:
        id: Its id.
        work: What it is called, its arguments, and how far it has got.
        was_cancelled: Whether it was cancelled.
    """

    id: str
    work: str
    was_cancelled: bool

    def text(self) -> str:
        """Return the log line."""
        how = "was cancelled" if self.was_cancelled else "was left for later"
        return f"operation {self.work} {how}, and can be resumed ({self.id})"


class IntentBegan(Event, frozen=True):
    """An intent is stored: its effect may follow.

    Attributes:
        id: Its id.
        work: What it is called, and its arguments.
    """

    level: ClassVar[str] = "DEBUG"
    id: str
    work: str

    def text(self) -> str:
        """Return the log line."""
        return f"intent {self.work} stored ({self.id})"


class IntentResumed(Event, frozen=True):
    """An intent that is open already was asked for again: its effect may have happened.

    Attributes:
        id: Its id, the same as before.
        work: What it is called, and its arguments.
        attempts: How often it was asked for, this time included.
        age: Seconds since it was first stored; at least 0.
    """

    id: str
    work: str
    attempts: int
    age: float

    def text(self) -> str:
        """Return the log line."""
        return f"intent {self.work} is open since {self.age:.1f} s and goes on, attempt {self.attempts} ({self.id})"


class IntentDone(Event, frozen=True):
    """The effect of an intent is certain, and what follows from it is durable.

    Attributes:
        id: Its id.
        work: What it is called, and its arguments.
        result: What came of it, empty if nobody said.
    """

    level: ClassVar[str] = "DEBUG"
    id: str
    work: str
    result: str = ""

    def text(self) -> str:
        """Return the log line."""
        result = f": {self.result}" if self.result else ""
        return f"intent {self.work} done{result} ({self.id})"


class IntentWithdrawn(Event, frozen=True):
    """An intent was taken back: its effect has not happened, and will not.

    Attributes:
        id: Its id.
        work: What it is called, and its arguments.
    """

    id: str
    work: str

    def text(self) -> str:
        """Return the log line."""
        return f"intent {self.work} withdrawn ({self.id})"


class IntentFailed(Event, frozen=True):
    """The block of an intent raised before it was done: it stays open, and its effect may have happened.

    Attributes:
        id: Its id.
        work: What it is called, and its arguments.
        error: What was raised.
    """

    level: ClassVar[str] = "WARNING"
    id: str
    work: str
    error: str

    def text(self) -> str:
        """Return the log line."""
        return f"intent {self.work} stays open, its effect may have happened: {self.error} ({self.id})"
