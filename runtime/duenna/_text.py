"""Exceptions as bounded text without secrets. Whatever an exception's own methods do, this returns."""

from __future__ import annotations

from typing import Final

from duenna._says import cause_of, members
from duenna.secrets import redact_to

MOST: Final = 500
"""Characters that the text of an exception may have."""

_MOST_CAUSES = 4
_DEEPEST = 2


def describe(error: BaseException) -> str:
    """Return *error* as one line: type, text, and the causes that the text hides.

    At most 500 characters, and no secrets. Many libraries raise with an empty text and put
    what happened into the cause, so the first few causes are named as well, and the first few
    members of groups, two levels deep.
    """
    cause = cause_of(error)
    if cause is None:
        return _cut(_one(error))
    parts = [_one(error)]
    seen = {id(error)}
    while cause is not None and id(cause) not in seen and len(parts) < _MOST_CAUSES:
        seen.add(id(cause))
        parts.append(_one(cause))
        cause = cause_of(cause)
    return _cut(" <- ".join(parts))


def told(error: BaseException) -> str:
    """Return what *error* says in its own words, at most 500 characters without secrets."""
    try:
        text = str(error)
    except BaseException as exc:  # noqa: BLE001  # a broken __str__ must not hide the error it belongs to
        text = f"<its __str__ raised {type(exc).__name__}>"
    return redact_to(text, MOST)


def in_a_line(name: str, text: str) -> str:
    """Return the type *name* and the *text* of an exception as one line of at most 500 characters."""
    text = " ".join(text.split())
    return _cut(f"{name}: {text}" if text else name)


def _one(error: BaseException, depth: int = 0) -> str:
    name = type(error).__qualname__
    text = " ".join(told(error).split())
    inside = members(error)[:_MOST_CAUSES] if depth < _DEEPEST else ()
    if inside:
        text = f"{text}: " + "; ".join(_one(member, depth + 1) for member in inside)
    return f"{name}: {text}" if text else name


def _cut(text: str) -> str:
    return text if len(text) <= MOST else text[: MOST - 3] + "..."
