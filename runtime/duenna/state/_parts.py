"""What is stored beside the fields of actors: each part is looked at with every save."""

from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec

from duenna._text import describe
from duenna.fields import NewerSchemaError, StateMismatchError
from duenna.state.events import StateUnencodable
from duenna.storage.entries import PART, key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna.state.part import Part
    from duenna.state.state import State
    from duenna.storage import Change, Entry

_PATH: Final = "/system/persistence"


@attrs.define(eq=False)
class Parts:
    """The parts of one runtime, by name."""

    _state: "State"
    _parts: "dict[str, Part[Any]]" = attrs.field(factory=dict[str, Any], init=False)
    _refused: set[str] = attrs.field(factory=set[str], init=False)
    _unloaded: set[str] = attrs.field(factory=set[str], init=False)

    def add(self, part: "Part[Any]") -> "Callable[[], None]":
        """Keep *part* from now on, with what was stored of it; return what ends that.

        Raises:
            ValueError: There is a part of that name.
        """
        if part.name in self._parts:
            message = f"there is a part of the state called {part.name!r} already"
            raise ValueError(message)
        self._parts[part.name] = part
        self._unloaded.add(part.name)
        if self._state.is_open:
            self._load(part)

        def remove() -> None:
            if self._parts.get(part.name) is part:
                self.take_named(part.name)
                del self._parts[part.name]

        return remove

    def load_all(self) -> None:
        """Give every part that has not got it what was stored of it."""
        for part in tuple(self._parts.values()):
            if part.name in self._unloaded:
                self._load(part)

    def take(self, part: "Part[Any]") -> None:
        """Stage what *part* is now, if it is not as it was saved last."""
        change = self._changed(part)
        if change is not None:
            self._state.stage([change])

    def take_all(self) -> None:
        """Stage what every part is now, if it is not as it was saved last."""
        for part in tuple(self._parts.values()):
            self.take(part)

    def take_named(self, name: str) -> None:
        """Stage what the part called *name* is now, unless it is being loaded, or will be, or the runtime has ended."""
        part, state = self._parts.get(name), self._state
        if part is not None and state.is_open and not state.commits.is_closed and name not in self._unloaded:
            self.take(part)

    def _changed(self, part: "Part[Any]") -> "Change | None":
        state, key = self._state, key_of(PART, part.name)
        if part.name in self._refused:  # a later version's: never overwritten
            return None
        try:
            value = part.dump()
            data = None if value is None else msgspec.msgpack.encode(value)
        except Exception as error:  # noqa: BLE001  # one part that fails must not stop the save of the others
            self._complain(part, error)
            return None
        if state.captures.failed:
            state.can_encode(part.name, _PATH)
        known = state.entries.get(key)
        if data is None:
            return state.removal(key) if known is not None else None
        if known is not None and known.data == data and known.schema == part.schema:
            return None
        return state.change(key, part.name.partition(":")[0], part.schema, data)

    def _load(self, part: "Part[Any]") -> None:
        entry = self._state.entries.get(key_of(PART, part.name))
        if entry is None:
            self._unloaded.discard(part.name)
            return
        try:
            part.load(_decoded(part, entry))
        except Exception as error:  # noqa: BLE001  # the runtime goes on without it, and says so
            is_newer = entry.schema > part.schema
            if is_newer:
                self._refused.add(part.name)
            self._state.part_refused(part.name, entry, error, is_newer=is_newer)
        finally:
            self._unloaded.discard(part.name)  # not before: half of it must not be taken for all

    def _complain(self, part: "Part[Any]", error: Exception) -> None:
        state = self._state
        text = f"part {part.name}: {describe(error)}"
        if state.wants(StateUnencodable) and state.captures.failed.get(part.name) != text:
            state.post(StateUnencodable(time=state.now(), path=_PATH, error=text))
        state.captures.failed[part.name] = text


def _decoded(part: "Part[Any]", entry: "Entry") -> Any:
    """Return what was stored of *part*, made into what it knows by its migrations."""
    if entry.schema > part.schema:
        raise NewerSchemaError(part.name, entry.schema, part.schema)
    if entry.schema == part.schema:
        return msgspec.msgpack.decode(entry.data, type=part.type)
    values = msgspec.msgpack.decode(entry.data)
    for version in range(entry.schema, part.schema):
        migration = part.migrations.get(version)
        if migration is None:
            why = f"there is no migration from schema {version} to {part.schema}"
            raise StateMismatchError(part.name, "", f"schema {entry.schema}", why)
        values = migration(values)
    return msgspec.convert(values, type=part.type)
