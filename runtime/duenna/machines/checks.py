"""The checks that specs share: each names the thing, the value and the rule."""

import math
from enum import StrEnum
from typing import TypeVar

E = TypeVar("E", bound=StrEnum)


def number(owner: str, what: str, value: object) -> float:
    """Return *value* as a float; refuse what is not a number, and nan.

    Raises:
        TypeError: *value* is not an int or a float (a bool is neither).
        ValueError: *value* is nan, or too large.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = f"{owner}: {what} must be a number, got {value!r}"
        raise TypeError(message)
    try:
        given = float(value)
    except OverflowError:
        message = f"{owner}: {what} is too large for a float"
        raise ValueError(message) from None
    if math.isnan(given):
        message = f"{owner}: {what} must be a number, got nan"
        raise ValueError(message)
    return given


def duration(owner: str, what: str, value: object, *, zero: bool = True, inf: bool = True) -> float:
    """Return *value* as a duration in seconds.

    Args:
        owner: The thing that is checked, for the message.
        what: The name of the option.
        value: What the caller gave.
        zero: Whether 0 is allowed.
        inf: Whether infinity is allowed.

    Raises:
        TypeError: It is not a number.
        ValueError: It is nan, negative, or a 0 or infinity that is not allowed.
    """
    seconds = number(owner, what, value)
    if seconds < 0 or (seconds == 0 and not zero):
        message = f"{owner}: {what} must be {'>=' if zero else '>'} 0 seconds, got {value!r}"
        raise ValueError(message)
    if math.isinf(seconds) and not inf:
        message = f"{owner}: {what} must be a finite number of seconds, got {value!r}"
        raise ValueError(message)
    return seconds


def count(owner: str, what: str, value: object, *, least: int) -> int:
    """Return *value* as a whole number that is at least *least*.

    Raises:
        TypeError: It is not an int (a bool is none).
        ValueError: It is less than *least*.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        message = f"{owner}: {what} must be a whole number, got {value!r}"
        raise TypeError(message)
    if value < least:
        message = f"{owner}: {what} must be >= {least}, got {value}"
        raise ValueError(message)
    return value


def flag(owner: str, what: str, value: object) -> bool:
    """Return *value*, which must be True or False.

    Raises:
        TypeError: It is anything else.
    """
    if not isinstance(value, bool):
        message = f"{owner}: {what} must be True or False, got {value!r}"
        raise TypeError(message)
    return value


def choice(owner: str, what: str, value: object, options: type[E]) -> E:
    """Return the member of *options* whose text is *value*.

    Raises:
        ValueError: There is none.
    """
    try:
        return options(value)  # type: ignore[arg-type]  # an enum refuses what is no text of its own
    except ValueError:
        allowed = ", ".join(repr(str(option)) for option in options)
        message = f"{owner}: {what} must be one of {allowed}, got {value!r}"
        raise ValueError(message) from None


def name(owner: str, value: object) -> str:
    """Return *value* as the name of a child: a part of a path.

    Raises:
        TypeError: It is not a str.
        ValueError: It is empty, `.` or `..`, or has a `/` or a control character.
    """
    if not isinstance(value, str):
        message = f"{owner}: name must be a str, got {value!r}"
        raise TypeError(message)
    if not value or value in {".", ".."} or "/" in value or not value.isprintable():
        message = f"{owner}: name must be printable, not empty, without '/' and not '.' or '..', got {value!r}"
        raise ValueError(message)
    return value
