"""The public names of `duenna.incident_files`, imported when the first of them is used."""

from duenna.incident_files.document import Document, IncidentSummary, Trigger
from duenna.incident_files.events import IncidentFileFailed, IncidentFileTaken
from duenna.incident_files.files import IncidentFiles, UnknownIncidentError

__all__ = [
    "Document",
    "IncidentFileFailed",
    "IncidentFileTaken",
    "IncidentFiles",
    "IncidentSummary",
    "Trigger",
    "UnknownIncidentError",
]
