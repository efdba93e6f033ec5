"""The numbers that stand in an error's text: HTTP status, close code, error number, the far end's code.

Only what a text says in a form that many libraries share is read, each by a pattern without nested
repeats, behind a cheap test for a word that it needs, in the first 1,000 characters.
"""

import re
from typing import Final

from duenna.machines.classification import Link
from duenna.machines.text_patterns import MOST_CHARACTERS

# Each pattern with the words of which one must stand in the text for it to be worth trying.
_Tries = tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]
_LEADING_STATUS: Final = re.compile(
    # 429 Client Error, 502, message=, (403, ((b'content-length', 503 Service Unavailable
    r"\(?([1-5][0-9]{2})(?:, (?:message|\()|: | (?:Client|Server) | [A-Z][a-zA-Z' -]{2,40}(?:$|[:<\n(]))"
)
_STATUS: Final[_Tries] = (
    (("tatus",), re.compile(r"(?i)\bstatus(?:[_ ]?code)?['\"]?(?: ?[=:] ?| )['\"]?([1-5][0-9]{2})\b")),
    (("HTTP",), re.compile(r"\bHTTP(?:/[0-9.]{1,3})?(?: [Ee]rror| status(?: code)?)?:? ([1-5][0-9]{2})\b")),
    (("error responses",), re.compile(r"too many ([45][0-9]{2}) error responses")),  # urllib3
    (("error '",), re.compile(r"(?:Client|Server) error '([1-5][0-9]{2}) ")),
    (("<title>", "<h1>"), re.compile(r"<(?:title|h1)>(?:Error )?([45][0-9]{2})\b")),
    (
        (
            "Bad Gat",
            "Bad Req",
            "Forbidden",
            "Unauthorized",
            "Not Found",
            "Too Many",
            "Internal",
            "Service",
            "Gateway",
            "teapot",
        ),
        re.compile(
            r"\b([45][0-9]{2}) (?:Bad|Forbidden|Unauthorized|Not Found|Too Many|Internal|Service|Gateway|I'm a teapot)"
        ),
    ),
)
_CLOSE: Final[_Tries] = (
    (("eceived ",), re.compile(r"\breceived ([14][0-9]{3}) \(")),
    (("sent ",), re.compile(r"\bsent ([14][0-9]{3}) \(")),
    (
        ("clos", "Clos"),
        re.compile(r"(?i)\bclos(?:e|ed|ing)\b[a-z ]{0,20}(?: ?[=:] ?| )(?:code )?([14][0-9]{3})\b"),
    ),
    (("code=",), re.compile(r"\bcode=([14][0-9]{3}), (?:name|reason)")),
)
_ERRNO: Final[_Tries] = (
    (("[Errno",), re.compile(r"\[Errno (-?[0-9]{1,4})\]")),
    (("Error(", "error("), re.compile(r"(?:Error|error)\((-?[2-9]|-?[1-9][0-9]{1,2}), ")),  # an SSL error says 1
)
_SQLSTATE: Final[_Tries] = ((("SQLSTATE",), re.compile(r"\bSQLSTATE[ :=(\['\"]{1,4}([0-9A-Z]{5})\b")),)
_CODE: Final[_Tries] = (
    (
        ("ode",),
        re.compile(r"(?i)(?:\b(?:ret|err|error|s)?[_-]?code)['\"]? ?[:=] ?['\"]?(-?[0-9]{1,9}\b|[A-Z][A-Z_]{2,40}\b)"),
    ),
    (
        ("label", "err"),
        re.compile(r"['\"](?:label|err-code|error_?code|error)['\"] ?: ?['\"]([A-Za-z][A-Za-z0-9_-]{2,60})['\"]"),
    ),
    (
        ("EAPI:", "EOrder:", "EGeneral:", "EService:", "EQuery:", "EFunding:", "ETrade:", "EAuth:"),
        re.compile(r"\b(E[A-Z][A-Za-z]{2,11}:[A-Za-z][A-Za-z ]{2,60})"),
    ),
    (("Exception ", "Error "), re.compile(r"(?:Exception|Error) (-?[0-9]{4,9}): ")),
    (("StatusCode.",), re.compile(r"\bStatusCode\.([A-Z_]{2,24})\b")),
)
_RETRY: Final = re.compile(
    r"(?i)\bretry[-_ ]?(?:after|in)\b[^a-z0-9]{0,6}(?:b')?([0-9]{1,6}(?:\.[0-9]{1,6})?)(?![0-9.]|ms\b| ms\b)"
    r"|\btry again (?:in|after) ([0-9]{1,6}(?:\.[0-9]{1,6})?) ?s"
)


def complete(link: Link) -> Link:
    """Return *link* with what the first 1,000 characters of its text say where its fields say nothing."""
    text = link.message
    if not text:
        return link
    if len(text) > MOST_CHARACTERS:
        text = text[:MOST_CHARACTERS]
    status, code, errno, close_code = link.status, link.code, link.errno, link.close_code
    sqlstate, retry_after = link.sqlstate, link.retry_after
    if status is None:
        status = _status(text)
    if code is None:
        code = _first(_CODE, text)
    if errno is None and ("[Errno" in text or "rror(" in text):
        errno = _number(_first(_ERRNO, text))
    if close_code is None and ("clos" in text or "Clos" in text or "eceived " in text or "sent " in text):
        close_code = _number(_first(_CLOSE, text))
    if sqlstate is None and "SQLSTATE" in text:
        sqlstate = _first(_SQLSTATE, text)
    if retry_after is None and ("etry" in text or "try again" in text):
        retry_after = _retry_after(text)
    if (
        status is link.status
        and code is link.code
        and errno is link.errno
        and close_code is link.close_code
        and retry_after is link.retry_after
        and sqlstate is link.sqlstate
    ):
        return link
    return Link(
        type=link.type,
        message=link.message,
        bases=link.bases,
        status=status,
        code=code,
        sqlstate=sqlstate,
        errno=errno,
        close_code=close_code,
        retry_after=retry_after,
        outcome_unknown=link.outcome_unknown,
    )


def _status(text: str) -> int | None:
    leading = _LEADING_STATUS.match(text) if text[0] in "(12345" else None
    return _number(leading[1] if leading else _first(_STATUS, text))


def _first(tries: _Tries, text: str) -> str | None:
    for needed, pattern in tries:
        for word in needed:
            if word in text:
                found = pattern.search(text)
                if found is not None:
                    return found[1]
                break
    return None


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _retry_after(text: str) -> float | None:
    found = _RETRY.search(text)
    return None if found is None else float(found[1] or found[2])
