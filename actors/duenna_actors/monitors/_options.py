"""Checks that the monitors' options share."""

from collections.abc import Iterable
from typing import Any

from duenna.machines import checks


def durations(owner: str, /, **given: object) -> None:
    """Refuse what is no finite number of seconds greater than 0.

    Raises:
        TypeError: One is no number.
        ValueError: One is out of range.
    """
    for what, value in given.items():
        checks.duration(owner, what, value, zero=False, inf=False)


def functions(owner: str, /, **given: object) -> None:
    """Refuse what cannot be called; None stands for an option that is not used.

    Raises:
        TypeError: One cannot.
    """
    for what, value in given.items():
        if value is not None and not callable(value):
            message = f"{owner}: {what} must be a function, got {value!r}"
            raise TypeError(message)


def share(owner: str, what: str, given: object) -> float:
    """Return a share: a number greater than 0, at most 1.

    Raises:
        TypeError: It is no number.
        ValueError: It is out of range.
    """
    found = checks.number(owner, what, given)
    if not 0 < found <= 1:
        message = f"{owner}: {what} must be > 0 and <= 1, got {given!r}"
        raise ValueError(message)
    return found


def methods(owner: str, what: str, given: object, *names: str) -> None:
    """Refuse what lacks one of these methods.

    Raises:
        TypeError: One is not there.
    """
    for name in names:
        if not callable(getattr(given, name, None)):
            message = f"{owner}: {what} must have a method {name}(), got {given!r}"
            raise TypeError(message)


def paths(owner: str, what: str, given: Iterable[Any]) -> tuple[str, ...]:
    """Return absolute paths, each once, in their order.

    Raises:
        TypeError: It is one text, or holds what is none.
        ValueError: A path is not absolute.
    """
    if isinstance(given, str):
        message = f"{owner}: {what} must be a collection of paths, got {given!r}"
        raise TypeError(message)
    found = tuple(dict.fromkeys(given))
    for path in found:
        if not isinstance(path, str):
            message = f"{owner}: {what} must hold paths, got {path!r}"
            raise TypeError(message)
        if not path.startswith("/") or path.endswith("/"):
            message = f"{owner}: {what} must hold absolute paths such as '/bot/strategy', got {path!r}"
            raise ValueError(message)
    return found
