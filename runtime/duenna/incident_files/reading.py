"""Read an incident file and check it. Needs nothing but the standard library: no bot, and no part of the runtime."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    import os

FORMAT: Final = "duenna-incident"
VERSION: Final = 1
"""The latest version that is understood."""

_MOST_BYTES: Final = 64 * 1024 * 1024
_LONGEST: Final = 2_000
_SECTIONS: Final[dict[str, type]] = {
    "summary": dict,
    "bot": dict,
    "health": dict,
    "why": list,
    "tree": list,
    "stacks": list,
    "mailboxes": list,
    "errors": list,
    "counts": dict,
    "breakers": list,
    "events": list,
    "settings": dict,
}
_KINDS: Final[dict[type, str]] = {dict: "an object", list: "a list"}


class IncidentFileError(ValueError):
    """A file is no incident file, or none that can be read; the text names it and says what was expected."""


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the document in the file at *path*.

    Raises:
        IncidentFileError: It cannot be read, is damaged, of a later format, or something else.
    """
    file = Path(path)
    named = safe(str(file), _LONGEST)
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise IncidentFileError(f"{named}: expected an incident file, got something that is no regular file")
        with file.open("rb") as source:
            data = source.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as exc:
        if isinstance(exc, IncidentFileError):
            raise
        why = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise IncidentFileError(f"{named}: the incident file cannot be read: {safe(why)}") from exc
    if len(data) > _MOST_BYTES:
        raise IncidentFileError(f"{named}: expected an incident file of at most {_MOST_BYTES} bytes, got a larger one")
    return _checked(named, _parsed(named, data))


def _parsed(named: str, data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as exc:
        if f'"format": "{FORMAT}"'.encode() in data[:1000]:
            where = f" at line {exc.lineno}" if isinstance(exc, json.JSONDecodeError) else ""
            raise IncidentFileError(f"{named}: the incident file is damaged{where}: expected whole JSON") from exc
        raise IncidentFileError(f"{named}: no incident file: expected JSON with the format {FORMAT!r}") from exc


def _checked(named: str, given: Any) -> dict[str, Any]:
    values = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    if values.get("format") != FORMAT:
        got = safe(repr(values.get("format")), 80) if isinstance(given, dict) else type(given).__name__
        raise IncidentFileError(f"{named}: no incident file: expected the format {FORMAT!r}, got {got}")
    version = values.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        got = safe(repr(version), 80)
        raise IncidentFileError(f"{named}: the incident file is damaged: expected a version from 1, got {got}")
    if version > VERSION:
        raise IncidentFileError(
            f"{named}: the incident file is of version {safe(str(version), 80)}, expected {VERSION} or earlier: "
            "a later duenna reads it"
        )
    for key, kind in _SECTIONS.items():
        if not isinstance(values.get(key), kind):
            got = type(values[key]).__name__ if key in values else "nothing"
            raise IncidentFileError(
                f"{named}: the incident file is damaged: expected {_KINDS[kind]} under {key!r}, got {got}"
            )
    return values


def safe(value: object, most: int = 500) -> str:
    """Return *value* as text that is safe to print: what would act on a terminal, or hide, shows as an escape."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    if len(text) > most:
        text = text[: most - 3] + "..."
    if text.isprintable():
        return text
    return "".join([each if each.isprintable() else _escape(each) for each in text])


def _escape(character: str) -> str:
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character) or character.encode(
        "unicode_escape", "backslashreplace"
    ).decode("ascii")
