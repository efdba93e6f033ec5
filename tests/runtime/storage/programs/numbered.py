"""States by number: what commit n leaves is known from n alone, to who makes it and to who checks it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import attrs
import msgspec

from duenna.storage import Change, Entry

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYS = 5
"""How many keys the commits set and remove in turn."""


def number_in(entries: Mapping[str, Entry]) -> int:
    """Return the number of the commit that left *entries*; 0: none did."""
    return max((entry.version for entry in entries.values()), default=0)


def changes_of(number: int) -> tuple[Change, ...]:
    """Return the changes of commit *number*: a key is set, and each third time another one is removed."""
    changes = [Change(_key(number), _entry(number, number * 7 % 40))]
    if number % 3 == 0:
        changes.append(Change(_key(number + 2), None))
    return tuple(changes)


def _key(number: int) -> str:
    return f"actor:/bot/{number % KEYS}"


def _entry(number: int, size: int) -> Entry:
    data = msgspec.msgpack.encode({"text": "x" * size})
    return Entry(kind="N", schema=1, version=number, at=float(number), data=data)


@attrs.define
class States:
    """All states from the first on.

    Attributes:
        number: Of the commit that left *entries*.
        entries: The state.
    """

    number: int = 0
    entries: dict[str, Entry] = attrs.field(factory=dict[str, Entry])

    def advance(self, number: int) -> dict[str, Entry]:
        """Go on to *number*, not less than the last one; return the state after it."""
        while self.number < number:
            self.number += 1
            for change in changes_of(self.number):
                if change.entry is None:
                    self.entries.pop(change.key, None)
                else:
                    self.entries[change.key] = change.entry
        return self.entries


def digest(entries: Mapping[str, Entry]) -> str:
    """Return the sha256 of *entries*, in the order of their keys."""
    return hashlib.sha256(msgspec.msgpack.encode(sorted(entries.items()))).hexdigest()
