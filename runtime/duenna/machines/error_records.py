"""Errors as records: one JSON object each, as a corpus or a log of them has."""

import math
import re
from collections.abc import Mapping
from typing import Any, Final, cast

from duenna.machines.classification import Facts, Link

FIELDS: Final = ("exception_type", "message", "cause", "http_status", "code", "retry_after", "origin")
"""The fields that are read; all others are passed over. Each may be missing or null."""

_TYPE: Final = re.compile(r"([A-Za-z_<][\w.<>-]{0,199})(?:: ?|$)")
_SQLSTATE: Final = re.compile(r"[0-9A-Z]{5}")
_POSTGRES: Final = ("psycopg", "psycopg2", "asyncpg", "sqlalchemy", "aiopg", "pg8000", "django")
_STATUSES: Final = (100, 599)
_UNNAMED: Final = "Exception"


def facts_from_record(record: object) -> Facts:
    """Return what a record says of an error; the numbers in its texts are read when it is judged.

    Args:
        record: A mapping with the fields of `FIELDS`. `cause` is the first cause, as `Type: text`;
            `http_status` a status or its digits; `code` a text or a number; `retry_after` seconds.

    Raises:
        ValueError: It is none; the message names the field, what it must be and what was there.
    """
    if not isinstance(record, Mapping):
        message = f"a record must be an object, got {_shown(record)}"
        raise ValueError(message)  # noqa: TRY004 - what a file says is no wrong use by the caller
    fields = cast("Mapping[str, Any]", record)
    kind = _text(fields, "exception_type") or _UNNAMED
    code = _code(fields)
    is_state = code is not None and _SQLSTATE.fullmatch(code) and kind.partition(".")[0] in _POSTGRES
    first = Link(
        type=kind,
        message=_text(fields, "message"),
        status=_status(fields),
        code=code,
        sqlstate=code if is_state else None,
        retry_after=_seconds(fields),
    )
    cause = _text(fields, "cause")
    links = (first, _link(cause)) if cause else (first,)
    return Facts(links=links, origin=_text(fields, "origin"))


def parse_link(text: str) -> Link:
    """Return the exception that a line such as `httpx.ReadTimeout: timed out` tells of."""
    return _link(text)


def _link(text: str) -> Link:
    found = _TYPE.match(text)
    if found is None:
        return Link(type=_UNNAMED, message=text)
    return Link(type=found[1], message=text[found.end() :])


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - a line of a message


def _text(fields: Mapping[str, Any], field: str) -> str:
    value = fields.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        message = f"{field} must be a text or null, got {_shown(value)}"
        raise ValueError(message)  # noqa: TRY004 - as above
    return value


def _code(fields: Mapping[str, Any]) -> str | None:
    value = fields.get("code")
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        message = f"code must be a text, a whole number or null, got {_shown(value)}"
        raise ValueError(message)  # noqa: TRY004 - as above
    return str(value)


def _status(fields: Mapping[str, Any]) -> int | None:
    value = fields.get("http_status")
    if value is None or value == "":
        return None
    number = int(value) if isinstance(value, str) and value.isdecimal() and len(value) <= 3 else value  # noqa: PLR2004
    least, most = _STATUSES
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
        message = f"http_status must be a whole number from {least} to {most} or null, got {_shown(value)}"
        raise ValueError(message)
    return number


def _seconds(fields: Mapping[str, Any]) -> float | None:
    value = fields.get("retry_after")
    if value is None or value == "":
        return None
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        message = f"retry_after must be a number of seconds of at least 0 or null, got {_shown(value)}"
        raise ValueError(message)
    return seconds
