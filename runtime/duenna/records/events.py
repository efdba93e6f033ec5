"""What happens to the logs themselves."""

from typing import ClassVar

from duenna.events import Event


class RecordsFailed(Event, frozen=True):
    """A log cannot be written: its lines wait in memory, and it is tried again.

    Posted when that begins, when the error is another one, and when the actor ends with lines
    still waiting; not for each attempt.

    Attributes:
        log: `errors` or `recovery`.
        file: The file.
        error: Why, in words.
        waiting: Lines that wait.
        lost: Lines lost so far, since too many waited.
    """

    level: ClassVar[str] = "ERROR"
    log: str
    file: str
    error: str
    waiting: int
    lost: int = 0

    def text(self) -> str:
        """Return the log line."""
        lost = f", {self.lost} were lost" if self.lost else ""
        return f"{self.log} log is not written: {self.error} ({self.file}); {self.waiting} lines wait{lost}"


class RecordsLost(Event, frozen=True):
    """Lines of a log were dropped, the oldest, since too many wait.

    Posted at the 1st, 2nd, 4th, 8th, ... lost line.

    Attributes:
        log: `errors` or `recovery`.
        lost: How many so far.
    """

    level: ClassVar[str] = "ERROR"
    log: str
    lost: int

    def text(self) -> str:
        """Return the log line."""
        return f"{self.log} log: {self.lost} lines lost, too many wait to be written"


class RecordsResumed(Event, frozen=True):
    """A log that failed, or lost lines, is written again and has caught up.

    Attributes:
        log: `errors` or `recovery`.
        duration: Seconds that it took.
        lost: Lines that were lost meanwhile.
    """

    log: str
    duration: float
    lost: int

    def text(self) -> str:
        """Return the log line."""
        return f"{self.log} log is written again after {self.duration:.1f} s, {self.lost} lines were lost"
