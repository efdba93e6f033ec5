"""What is known of an exception, as values: no reference to it stays."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

import attrs

from duenna._says import (
    MARK,
    ask,
    cause_of,
    close_code_of,
    code_of,
    errno_of,
    members,
    sqlstate_of,
    status_from,
    status_of,
    wait_of,
)
from duenna._text import told
from duenna.machines.classification import Facts, Link
from duenna.secrets import redact
from duenna.wallclock import wall_time

if TYPE_CHECKING:
    from duenna.wallclock import WallTime

_MOST_LINKS: Final = 32
_MOST_SEEN: Final = 10_000
_MOST_KINDS: Final = 1_000
_MOST_BASES: Final = 16
_LONGEST_NAME: Final = 200
_COMMON: Final = frozenset({Exception, BaseException, object})
_WORDS: Final = (
    "status",
    "status_code",
    "response",
    "headers",
    "resp_headers",
    "retry_after",
    "outcome_unknown",
    "code",
    "error_code",
    "err_code",
    "ret_code",
    "errorCode",
    "retCode",
    "sqlstate",
    "pgcode",
    "diag",
    "orig",
    "sqlite_errorname",
    "rcvd",
    "close_code",
    "reason",
    "__getattr__",
)
_OWN_NUMBERS: Final = frozenset({"mysql", "ssl"})
"""Whose errors have numbers of their own under the system's name."""
_SPEAK_OTHERWISE: Final = _OWN_NUMBERS | frozenset({"pymysql", "MySQLdb", "asyncmy", "aiomysql", "websockets", "grpc"})
"""Whose errors say more than their attributes' names do."""
_SILENT: Final = frozenset({MARK, "__notes__"})


@attrs.frozen
class Kind:
    """What the type of an exception tells of all its instances."""

    name: str
    bases: tuple[str, ...]
    module: str
    speaks: bool
    is_system: bool


_MRO: Final = type.__dict__["__mro__"]  # a metaclass may have put something else before it
_kinds: dict[type, Kind] = {}


def facts_of(error: BaseException, *, origin: str = "", wall: WallTime = wall_time) -> Facts:
    """Return what is known of *error*, its causes and its groups' members, outermost first, at most 32 of them.

    Of a group with more members than there is room for, one of each type comes first.

    Args:
        error: Whatever it and its attributes do, this returns.
        origin: The kind of code that raised it, see `Facts.origin`.
        wall: Gives the time of day, for a Retry-After that is a date.
    """
    kind = type(error)
    if not issubclass(kind, BaseExceptionGroup) and cause_of(error) is None:
        return Facts(links=(_link(error, wall),), origin=origin)
    return Facts(links=tuple([_link(link, wall) for link in _chain(error)]), origin=origin)


def _chain(error: BaseException) -> list[BaseException]:
    """Return *error*, its causes and its groups' members, each once: nearest first."""
    chain: list[BaseException] = []
    seen = {id(error)}
    waiting = deque([error])
    while waiting and len(chain) < _MOST_LINKS:
        link = waiting.popleft()
        chain.append(link)
        cause = cause_of(link)
        inside = _few(members(link), _MOST_LINKS - len(chain))
        for more in (*inside, cause):
            if more is not None and id(more) not in seen and len(seen) < 2 * _MOST_LINKS:
                seen.add(id(more))
                waiting.append(more)
    return chain


def _few(inside: tuple[BaseException, ...], most: int) -> tuple[BaseException, ...]:
    """Return at most so many of a group's members, the first of each type before the second of any."""
    if len(inside) <= most:
        return inside
    first: dict[type, BaseException] = {}
    for member in inside[:_MOST_SEEN]:
        first.setdefault(type(member), member)
    chosen = set(map(id, first.values()))
    return (*first.values(), *(member for member in inside[: 2 * _MOST_LINKS] if id(member) not in chosen))[:most]


def _link(error: BaseException, wall: WallTime) -> Link:
    kind = kind_of(type(error))
    text = told(error)
    if not kind.speaks and not _has_more(error):
        return Link(type=kind.name, message=text, bases=kind.bases)
    try:
        return _heard(error, kind, text, wall)
    except Exception:  # noqa: BLE001  # whatever it does, there is a report of it
        return Link(type=kind.name, message=text, bases=kind.bases)


def _has_more(error: BaseException) -> bool:
    """Return whether *error* has attributes that its type does not know."""
    try:
        own: dict[str, Any] = error.__dict__
        return bool(own) and not own.keys() <= _SILENT
    except Exception:  # noqa: BLE001  # it hides them
        return False


def _heard(error: BaseException, kind: Kind, text: str, wall: WallTime) -> Link:
    if kind.is_system and not _has_more(error):  # an OSError has nothing else to say
        return Link(type=kind.name, message=text, bases=kind.bases, errno=errno_of(error))
    names = (kind.name, *kind.bases)
    status = status_of(error)
    close_code = close_code_of(error, names)
    code = code_of(error, kind.module) if close_code is None else None
    if code is not None and status is None and any("HTTP" in name for name in names):
        status = status_from(code)
    unknown = ask(error, "outcome_unknown")
    has_own_numbers = kind.module in _OWN_NUMBERS
    return Link(
        type=kind.name,
        message=text,
        bases=kind.bases,
        status=status,
        code=None if code is None or code == str(status) else redact(code),
        sqlstate=sqlstate_of(error),
        errno=None if has_own_numbers else errno_of(error),
        close_code=close_code,
        retry_after=wait_of(error, wall),
        outcome_unknown=unknown if isinstance(unknown, bool) else None,
    )


def kind_of(kind: type) -> Kind:
    """Return what the type of an exception tells of all its instances; 1,000 types are remembered."""
    known = _kinds.get(kind)
    if known is None:
        if len(_kinds) >= _MOST_KINDS:
            _kinds.clear()
        line: tuple[type, ...] = _MRO.__get__(kind)
        bases = tuple(_name(base) for base in line[1:] if base not in _COMMON)[:_MOST_BASES]
        name = _name(kind)
        module = name.partition(".")[0] if "." in name else ""
        has_words = any(_has(kind, word) for word in _WORDS)
        known = _kinds[kind] = Kind(
            name=name,
            bases=bases,
            module=module,
            speaks=issubclass(kind, OSError) or has_words or module in _SPEAK_OTHERWISE,
            is_system=issubclass(kind, OSError) and not has_words and module not in _OWN_NUMBERS,
        )
    return known


def _has(kind: type, word: str) -> bool:
    """Return whether instances of *kind* have the attribute *word* by their type."""
    return any(word in vars(base) for base in _MRO.__get__(kind))


def _name(kind: type) -> str:
    """Return the name of *kind* with its module; of a built-in one just the name."""
    try:
        module, name = kind.__module__, kind.__qualname__
        text = name if module == "builtins" else f"{module}.{name}"
        return text[:_LONGEST_NAME]
    except Exception:  # noqa: BLE001  # a metaclass may do anything
        return "<a type without a name>"
