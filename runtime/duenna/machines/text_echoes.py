"""What in an error's text is no statement: the request that a library repeats, headers, times, paths.

Their words would be taken for the answer's: a refused price is no refused parameter because the
library prints the order behind it, and `"requestTime":1695808949356` says nothing about clocks.
"""

import re
from typing import Final

_URL: Final = " for url"  # requests, httpx
_TAILS: Final = (
    "\nRequest ",  # pybit: Request → POST https://...: {...}
    "\nFor more information",  # httpx
    "\n(Background on this error",  # sqlalchemy
    "\nStack trace:",
)
"""What follows one of them is left out, unless the text begins with it."""

_HEADERS: Final = "HTTP response headers:"
_BODY: Final = "HTTP response body:"

_MOMENT: Final = r"['\"][A-Za-z_]{0,16}[tT]ime(?:[sS]tamp)?['\"] ?: ?['\"]?[0-9][0-9TZ:.+ -]{0,32}['\"]?"
_PATH: Final = r"['\"](?:method|path|url|uri|instance)['\"] ?: ?['\"][a-z:]{0,10}/[^'\"]{0,120}['\"]"
_FIELDS: Final = re.compile(f"{_MOMENT}|{_PATH}")
_KEYS: Final = ('"message":', '"msg":', '"data":', "'message':", "'msg':")


def without_echoes(text: str) -> str:
    """Return *text* without what only repeats the request or tells when and how it was answered."""
    at = text.find(_URL)
    if at > 0:
        text = text[:at]
    if "ConnectionPool(" in text:
        text = _of_pool(text)
    if "Bad Request" in text and "400" in text:  # the status, again in words: what follows is the answer
        text = text.replace("Bad Request", "")
    if "\n" in text:
        text = _of_lines(text)
    if '":' in text or "':" in text:
        for key in _KEYS:
            text = text.replace(key, "")
        if "ime" in text or "/" in text:
            text = _FIELDS.sub("", text)
    return text


def _of_lines(text: str) -> str:
    for tail in _TAILS:
        at = text.find(tail)
        if at > 0:
            text = text[:at]
    before, headers, rest = text.partition(_HEADERS)
    if headers:
        return f"{before}{rest.partition(_BODY)[2]}"
    return before.replace(_BODY, "")


def _of_pool(text: str) -> str:
    """Return what urllib3 says of a request without the host and the path."""
    before, _, rest = text.partition("ConnectionPool(")
    rest = rest.partition("): ")[2]
    said, _, rest = rest.partition(" with url: ")
    return f"{before} {said} {rest.partition(' (Caused by ')[2]}"
