"""The unfinished operations and intents of a runtime: found again, written down, removed.

Theory of operation. Each is one entry, under its actor's path and an id of its own. Whatever
happens to one goes to the store together with the fields of its actor as they are at the call,
in one commit: a counter and the progress that it belongs to never part, whenever the process
ends. What is begun is durable before ``begin`` returns; if it cannot be, or nobody waits for it
any more, it is taken back, so that nothing is found later which never was.
"""

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
import msgspec

from duenna.errors import StoppedError
from duenna.state._commits import durable
from duenna.state._plain import identity
from duenna.state.errors import TooMuchWorkError, WorkGoneError
from duenna.state.intents import Intent, begin_intent
from duenna.state.operations import Operation
from duenna.state.work import SCHEMA, UnfinishedWork, WorkRecord, owner_of, read_work
from duenna.storage import Change, StateRefusedError
from duenna.storage.entries import WORK, key_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duenna._cell import Cell
    from duenna.state._captures import Tracked
    from duenna.state.state import State
    from duenna.storage import Entry

MOST: Final = 100
"""Unfinished operations and intents that one actor may have."""

LARGEST: Final = 64 * 1024
"""Bytes of one record, its arguments and progress included."""

Mark: TypeAlias = tuple[str, str, bytes] | str
"""What an operation is known by before it has a key, or the key of an intent."""

_WORK: Final = key_of(WORK, "")


@attrs.frozen(eq=False)
class Begun:
    """What was begun, or resumed.

    Attributes:
        key: Where it is stored.
        record: What is stored.
        error: How the last attempt ended, empty if nobody knows or there was none.
        is_new: Whether there was none.
    """

    key: str
    record: WorkRecord
    error: str
    is_new: bool


@attrs.define(eq=False)
class Works:
    """The work in progress of one runtime.

    Attributes:
        under_way: The operations and intents whose blocks are entered at present.
    """

    _state: "State"
    under_way: set[Mark] = attrs.field(factory=set[Mark], init=False)
    _keys: dict[str, dict[str, None]] = attrs.field(factory=dict[str, dict[str, None]], init=False)
    _made: int = attrs.field(default=0, init=False)
    _opening: dict[str, int] = attrs.field(factory=dict[str, int], init=False)
    _unsure: set[str] = attrs.field(factory=set[str], init=False)

    # -- looking ---------------------------------------------------------------

    def load(self) -> None:
        """Find what is unfinished among the entries."""
        self._keys.clear()
        for key in self._state.entries:
            if key.startswith(_WORK):
                self._keys.setdefault(owner_of(key)[0], {})[key] = None

    def noted(self, change: Change) -> None:
        """Note that *change* was staged."""
        if not change.key.startswith(_WORK):
            return
        path, _ = owner_of(change.key)
        if change.entry is not None:
            self._keys.setdefault(path, {})[change.key] = None
        elif (keys := self._keys.get(path)) is not None:
            keys.pop(change.key, None)
            if not keys:
                del self._keys[path]

    def unfinished(self, path: str | None = None) -> tuple[UnfinishedWork, ...]:
        """Return what is unfinished, of *path* or of all, in the order in which it was begun.

        What cannot be read has no name, and says why in its `error`.
        """
        paths = self._keys if path is None else (path,)
        found: list[UnfinishedWork] = []
        for owner in paths:
            for key in self._keys.get(owner, ()):
                entry = self._state.entries[key]
                try:
                    found.append(read_work(key, entry))
                except ValueError as error:
                    found.append(_unreadable(key, entry, str(error)))
        return tuple(sorted(found, key=lambda work: work.began_at))

    def own(self, path: str) -> tuple[UnfinishedWork, ...]:
        """Return what the actor at *path* has to resume, in the order in which it was begun.

        Raises:
            StateRefusedError: Some of it cannot be read: what was under way is not known.
        """
        found = self.unfinished(path)
        for work in found:
            if not work.name:
                raise StateRefusedError(path, work.error)
        return found

    # -- beginning -------------------------------------------------------------

    def operation(self, cell: "Cell", incarnation: int, name: str, arguments: dict[str, Any]) -> Operation:
        """Return an operation of *cell*; it begins when its block is entered.

        Raises:
            TypeError: An argument is no plain value.
            ValueError: One is out of range, or has the name of a secret.
        """
        return Operation(self._state, cell, incarnation, name, arguments)

    async def intent(self, cell: "Cell", incarnation: int, name: str, arguments: dict[str, Any]) -> Intent:
        """Return an intent of *cell*, made now or open already, once its id is durable; raises as ``begin`` does."""
        return await begin_intent(self._state, cell, incarnation, name, arguments)

    async def begin(self, cell: "Cell", kind: str, name: str, arguments: dict[str, Any]) -> Begun:
        """Write down that *kind* of work called *name* begins, or is resumed; return when that is durable.

        Cancelled, or not durable, it was not begun.

        Raises:
            NotDurableError: The store does not take it now.
            StateError: A field of the actor cannot be encoded.
            StateRefusedError: What is unfinished cannot be read.
            StoppedError: The runtime has ended.
            TooMuchWorkError: As much as may be is unfinished.
            ValueError: The record is too large.
        """
        before = self._find(cell.path, kind, name, identity(arguments))
        if before is None:
            if len(self._keys.get(cell.path, ())) >= MOST:
                raise TooMuchWorkError(cell.path, MOST)
            record = WorkRecord(id=self._next_id(), name=name, arguments=arguments, began_at=self._state.wall())
            self.refuse_large(record)
        else:
            record = _record(before, attempts=before.attempts + 1, error="")
        key = key_of(WORK, f"{cell.path}#{record.id}")
        await self._open(key, [*self._fields(cell), self._change(key, kind, record)], before)
        return Begun(key, record, "" if before is None else before.error, before is None)

    async def _open(self, key: str, changes: "Sequence[Change]", before: UnfinishedWork | None) -> None:
        """Stage the first change of an attempt, the last of *changes*, and wait for it; take it back if that fails."""
        if before is None:
            self._unsure.add(key)
        self._opening[key] = self._opening.get(key, 0) + 1
        try:
            await durable(self._state.stage(changes))
        except BaseException:
            is_last = self._waits_no_more(key)
            if key in self._unsure:
                if is_last:
                    self._unsure.discard(key)
                    self._stage_if_open(Change(key, None))
            elif before is not None and self._state.entries.get(key) is changes[-1].entry:
                self._stage_if_open(self._change(key, before.kind, _record(before)))
            raise
        self._waits_no_more(key)
        self._unsure.discard(key)

    def _waits_no_more(self, key: str) -> bool:
        left = self._opening.pop(key) - 1
        if left:
            self._opening[key] = left
        return not left

    def _find(self, path: str, kind: str, name: str, wanted: bytes) -> UnfinishedWork | None:
        for work in self.own(path):
            if work.kind == kind and work.name == name and identity(work.arguments) == wanted:
                return work
        return None

    def _next_id(self) -> str:
        self._state.begin_life()
        self._made += 1
        life = self._state.life
        return f"{life.token}-{life.number}-{self._made}"

    # -- going on --------------------------------------------------------------

    async def put(self, cell: "Cell", key: str, kind: str, record: WorkRecord, over: "Sequence[str]" = ()) -> None:
        """Store *record* and the fields of *cell* as they are now, in one commit; return when it is durable.

        Args:
            cell: The actor.
            key: Where the record belongs.
            kind: Of work.
            record: What is stored.
            over: What is removed in the same commit.

        Raises:
            NotDurableError: The store does not take it now; it is tried again.
            StateError: A field of the actor cannot be encoded; nothing was stored.
            StoppedError: The runtime has ended.
            WorkGoneError: It was set aside.
        """
        if not self.has(key):
            raise WorkGoneError(cell.path, record.text())
        gone = [Change(name, None) for name in over]
        await durable(self._state.stage([*self._fields(cell), self._change(key, kind, record), *gone]))

    async def remove(self, cell: "Cell", key: str) -> None:
        """Remove what is under *key*, and store the fields of *cell* as they are now; return when it is durable.

        Raises:
            NotDurableError: The store does not take it now; it is tried again.
            StateError: A field of the actor cannot be encoded; nothing was removed.
            StoppedError: The runtime has ended.
        """
        await durable(self._state.stage([*self._fields(cell), Change(key, None)]))

    def has(self, key: str) -> bool:
        """Return whether *key* is there; it is not, once it was removed or set aside."""
        return key in self._state.entries

    def note_error(self, key: str, error: str) -> None:
        """Note how the last attempt ended, with the next commit; returns at once."""
        entry = self._state.entries.get(key)
        if entry is not None:
            record = _record(read_work(key, entry), error=error)
            self._stage_if_open(self._change(key, entry.kind, record))

    # -- fields ----------------------------------------------------------------

    def hold(self, cell: "Cell") -> "Tracked | None":
        """Have the fields of *cell* saved with its work only, until ``let_go``."""
        tracked = self._state.captures.of(cell)
        if tracked is not None:
            tracked.holds += 1
        return tracked

    def let_go(self, tracked: "Tracked | None") -> None:
        """Have the fields of *tracked* saved as those of all others, once nothing else holds them."""
        if tracked is not None:
            tracked.holds -= 1

    def _fields(self, cell: "Cell") -> list[Change]:
        """Return the fields of *cell* as they are now; all at once, for the caller stages them with its work."""
        tracked = self._state.captures.of(cell)
        change = None if tracked is None else self._state.captures.take_now(tracked)
        return [] if change is None else [change]

    def _change(self, key: str, kind: str, record: WorkRecord) -> Change:
        return self._state.change(key, kind, SCHEMA, msgspec.msgpack.encode(record))

    def refuse_large(self, record: WorkRecord) -> None:
        """Refuse a *record* that takes too much room.

        Raises:
            ValueError: It does.
        """
        size = len(msgspec.msgpack.encode(record))
        if size > LARGEST:
            raise ValueError(
                f"{record.name}: its arguments and progress must fit into {LARGEST} bytes, they take {size}: "
                "store what they stand for, such as an index or a file's name"
            )

    def _stage_if_open(self, change: Change) -> None:
        with suppress(StoppedError):  # the end: what is stored stands
            self._state.stage([change])


def _record(work: UnfinishedWork, **changes: Any) -> WorkRecord:
    values = {name: getattr(work, name) for name in WorkRecord.__struct_fields__}
    return WorkRecord(**values | changes)


def _unreadable(key: str, entry: "Entry", why: str) -> UnfinishedWork:
    path, number = owner_of(key)
    return UnfinishedWork(path=path, kind=entry.kind, id=number, name="", arguments={}, began_at=entry.at, error=why)
