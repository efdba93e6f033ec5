"""What equal bytes do not show: objects that are in two places, and containers of a class of their own.

Values are looked at in columns, all of a container or all of a field of many objects at once,
so that the interpreter's loop runs once a column and not once a value.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum
from itertools import chain
from operator import attrgetter, methodcaller
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from msgspec import UnsetType

from duenna.fields._kinds import contents

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PLAIN: Final[frozenset[type]] = frozenset(
    {type(None), bool, int, float, str, bytes, Decimal, UUID, dt.date, dt.timedelta, UnsetType}
)
_CONTAINERS: Final[tuple[Any, ...]] = (dict, list, tuple, set, frozenset)
_values: Final = methodcaller("values")
_TIMES: Final = frozenset({dt.datetime, dt.time})
_MUTABLE: Final[frozenset[Any]] = frozenset({dict, list, set, bytearray})


class FaultError(Exception):
    """A value would come back as something else, although its bytes are right.

    Attributes:
        value: Which one.
        why: What would become of it.
    """

    def __init__(self, value: Any, why: str) -> None:
        """Say so."""
        super().__init__(why)
        self.value = value
        self.why = why


class TwiceError(Exception):
    """An object that can change is in two places, and would come back as two."""


class Probe:
    """Looks at the values of one actor, in as many calls as it takes."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        """Know nothing yet."""
        self._seen: dict[int, Any] = {}  # the objects too: what is freed gives its identity to the next one

    def look(self, values: Sequence[Any], *, is_deep: bool = True) -> None:
        """Look at *values*, and at all that is in them if *is_deep*.

        Raises:
            FaultError: One of them would come back as something else.
            TwiceError: One of them is here or was seen before, and can change.
        """
        kinds: set[Any] = set(map(type, values))
        for kind in kinds - _PLAIN:
            group = values if len(kinds) == 1 else [value for value in values if type(value) is kind]
            if kind in _MUTABLE:
                self._once(group)
            if kind in _CONTAINERS and is_deep:
                inside: Iterable[Iterable[Any]] = map(_values, group) if kind is dict else group
                self.look(list(chain.from_iterable(inside)))
            elif kind in _TIMES:
                _look_at_times(group)
            elif kind not in _CONTAINERS and kind is not bytearray and not issubclass(kind, Enum):
                self._objects(kind, group, is_deep=is_deep)

    def _objects(self, kind: type, group: Sequence[Any], *, is_deep: bool) -> None:
        for base in _CONTAINERS:
            if issubclass(kind, base):
                raise FaultError(group[0], f"it would come back as a plain {base.__name__}")
        known = contents(kind)
        if not known.is_frozen:
            self._once(group)
        for name in known.names if is_deep else ():
            self.look(list(map(attrgetter(name), group)))

    def _once(self, group: Sequence[Any]) -> None:
        expected = len(self._seen) + len(group)
        self._seen.update(zip(map(id, group), group, strict=True))
        if len(self._seen) != expected:
            raise TwiceError


def _look_at_times(group: Iterable[Any]) -> None:
    for value in group:
        if isinstance(value, dt.datetime) and value.utcoffset():
            raise FaultError(value, "it would come back as the same moment in UTC: keep it in UTC")
        if value.fold:
            raise FaultError(value, "it would come back as the first of two equal times: keep it in UTC")
