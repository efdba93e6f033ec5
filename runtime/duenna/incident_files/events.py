"""What becomes of incident files."""

from typing import ClassVar

from duenna.events import Event


class IncidentFileTaken(Event, frozen=True):
    """An incident file was written; ``path`` is whom it is about.

    Attributes:
        id: Of the incident.
        file: The file.
        trigger: `gave_up`, `parked` or `request`.
        reason: Why it was taken.
    """

    id: str
    file: str
    trigger: str
    reason: str

    def text(self) -> str:
        """Return the log line."""
        return f"incident file {self.file} ({self.trigger}): {self.reason}"


class IncidentFileFailed(Event, frozen=True):
    """An incident could not be taken, or its file not be written; what is in memory stays there, and is tried again.

    Attributes:
        id: Of the incident; empty if it could not be taken.
        file: The file; empty if it could not be taken.
        error: What went wrong.
        waiting: Incidents that wait to be written.
    """

    level: ClassVar[str] = "ERROR"
    id: str
    file: str
    error: str
    waiting: int

    def text(self) -> str:
        """Return the log line."""
        what = f"incident file {self.file} not written" if self.file else "no incident file taken"
        return f"{what} ({self.waiting} waiting): {self.error}"
