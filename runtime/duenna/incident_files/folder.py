"""The folder of incident files: written whole, listed, and kept to a number. All of it blocks."""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from duenna.incident_files.document import IncidentSummary
from duenna.records.files import replace

KEPT: Final = 50
"""Files that are kept; of more, the oldest are removed."""

_NAME: Final = re.compile(r"incident-([0-9]{8}T[0-9]{6}Z-[0-9]{4,})\.json")
_TORN: Final = re.compile(r"\.incident-[0-9]{8}T[0-9]{6}Z-[0-9]{4,}\.json\..+")
_SUMMARY: Final = '"summary": '
_HEAD: Final = 16 * 1024  # bytes: the summary is on one of the first lines


def file_of(folder: Path, number: str) -> Path:
    """Return where the incident with the id *number* belongs."""
    return folder / f"incident-{number}.json"


def store(folder: Path, number: str, data: bytes) -> Path:
    """Write the incident with the id *number*; return its file. One that is there already is never touched.

    Raises:
        OSError: It cannot be written; what was there stays.
    """
    file = file_of(folder, number)
    day, _, last = number.rpartition("-")
    place = int(last)
    while file.exists():  # of another process, in the same second
        place += 1
        file = file_of(folder, f"{day}-{place:04d}")
    replace(file, data)
    return file


def prune(folder: Path) -> list[str]:
    """Remove all files but the newest `KEPT`; return the ids of those that are gone. What cannot be removed stays."""
    names = sorted((match[1] for file in folder.iterdir() if (match := _NAME.fullmatch(file.name))), reverse=True)
    gone: list[str] = []
    for number in names[KEPT:]:
        with suppress(OSError):
            file_of(folder, number).unlink(missing_ok=True)
            gone.append(number)
    return gone


def listed(folder: Path) -> tuple[list[IncidentSummary], int]:
    """Return what earlier processes left, newest first, and the number at which to go on.

    What a kill left in the middle of a write is removed. A file that cannot be read, or is none of
    ours, is passed over.
    """
    try:
        files = sorted(folder.iterdir(), reverse=True)
    except OSError:
        return [], 1
    for file in files:
        if _TORN.fullmatch(file.name):
            with suppress(OSError):
                file.unlink()
    named = [(match[1], file) for file in files if (match := _NAME.fullmatch(file.name))]
    found = [_summary(number, file) for number, file in named[:KEPT]]
    last = int(named[0][0].rpartition("-")[2]) if named else 0
    return [summary for summary in found if summary is not None], last + 1


def _summary(number: str, file: Path) -> IncidentSummary | None:
    try:
        if not file.is_file():  # to open a pipe would wait for whoever writes to it
            return None
        with file.open("rb") as source:
            lines = source.read(_HEAD).splitlines()
        line = next(line for line in lines if line.startswith(_SUMMARY.encode()))
        values: Any = json.loads(line[len(_SUMMARY) :].rstrip(b","))
        return IncidentSummary(
            id=number,
            at=float(values["at"]),
            path=str(values["path"]),
            reason=str(values["reason"]),
            trigger=str(values["trigger"]),
            by=str(values.get("by", "")),
            size=file.stat().st_size,
            file=str(file),
        )
    except (OSError, ValueError, TypeError, KeyError, StopIteration):
        return None
