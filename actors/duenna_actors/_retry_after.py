"""How long a server asks to be left alone: from its headers, or from what it wrote."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_BANNED_UNTIL = re.compile(rb"until (\d{10,13})\b")
_MOST = 7 * 86_400.0
_LATEST_SECOND = 1e11
"""In the year 5138: a greater number counts milliseconds."""


def retry_after(headers: Mapping[str, str], body: bytes, now: float) -> float | None:
    """Return the seconds to wait, None if the server names none; never more than a week.

    Reads ``Retry-After`` (seconds, or a date: RFC 9110, section 10.2.3) and Binance's
    "banned until 1659761931230" (milliseconds since 1970). The longer one counts.

    Args:
        headers: Of the response; their names in lower case.
        body: Of the response, as far as it was read.
        now: The time of day, in seconds since 1970.
    """
    named = [seconds for seconds in (_of_header(headers.get("retry-after", ""), now), _of_text(body, now)) if seconds]
    return min(max(named), _MOST) if named else None


def _of_header(value: str, now: float) -> float | None:
    value = value.strip()
    if value.replace(".", "", 1).isascii() and value.replace(".", "", 1).isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (TypeError, ValueError, OverflowError):
        return None


def _of_text(body: bytes, now: float) -> float | None:
    found = _BANNED_UNTIL.search(body)
    if found is None:
        return None
    until = float(found[1])
    return max(0.0, (until / 1000 if until > _LATEST_SECOND else until) - now)
