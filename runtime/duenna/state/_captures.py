"""Which actors may have changed since they were saved, and what of them is saved.

Theory of operation. An actor that only answers messages cannot have changed if it has got none: the
count of its messages tells. One with a body of its own, or a background task, may have changed at
any time: it is encoded, and its bytes compared. An actor is taken between two messages only, never
in the middle of one: one that is busy is taken when it has handled what it is busy with.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import attrs
import trio

from duenna.actor import Actor, Hook, hooks_of
from duenna.fields import Codec
from duenna.machines.lifecycle import ChildState
from duenna.storage import Change, StateError
from duenna.storage.entries import ACTOR, key_of

if TYPE_CHECKING:
    from duenna._cell import Cell
    from duenna.state.state import State

STRETCH: Final = 0.002
"""Seconds for which the loop is held at a stretch, about; other tasks have their turn then."""

SMALL: Final = 4 * 1024
"""Bytes of one actor's fields up to which they are read back at each save."""

READ_BACK: Final = 10
"""One in so many saves of larger ones is read back, and the first, and whatever an actor asked for itself."""

BIG: Final = 128 * 1024
"""Bytes of one actor's fields from which on they are encoded in slices."""


@attrs.define(eq=False)
class Tracked:
    """One incarnation whose fields are saved.

    Attributes:
        cell: Whose.
        incarnation: Its number.
        actor: The instance.
        codec: How its fields are encoded.
        key: Where they are stored.
        data: As they were saved last; None: never by this incarnation.
        received: Messages it had got then.
        is_discarded: Whether nothing of it is saved any more: its state was set aside.
        holds: Operations under way: they say when it is saved.
        takes: How often it was encoded: what takes its time must not overwrite what began later.
    """

    cell: "Cell"
    incarnation: int
    actor: Actor
    codec: Codec
    key: str
    data: bytes | None = None
    received: int = -1
    is_discarded: bool = False
    holds: int = 0
    takes: int = 0

    @property
    def may_have_changed(self) -> bool:
        """Whether its fields may not be as they were saved last."""
        cell = self.cell
        if cell.received != self.received:
            return True
        extra = cell.extra
        return extra is not None and (extra.has_tasks)

    @property
    def is_read_back(self) -> bool:
        """Whether what is encoded next is read back, and compared."""
        return self.data is None or len(self.data) <= SMALL or self.takes % READ_BACK == 0

    @property
    def is_busy(self) -> bool:
        """Whether it is in the middle of a message, or of an operation, or was when it crashed or was stopped."""
        cell = self.cell
        if self.holds > 0 or cell.is_inline:
            return True
        extra = cell.extra
        return extra is not None and (extra.worker is not None or extra.was_interrupted)

    @property
    def is_whole(self) -> bool:
        """Whether it is ready, and neither has crashed nor was cut short: else nothing of it is saved by others."""
        cell = self.cell
        if cell.state is ChildState.STARTING:
            return False
        return cell.extra is None or not cell.extra.was_interrupted

    @property
    def has_changed(self) -> bool:
        """Whether its fields are not as they were saved last: they are encoded to find out."""
        try:
            return self.codec.encode(self.actor) != self.data
        except StateError:
            return True

    @property
    def is_alive(self) -> bool:
        """Whether this incarnation still runs, and is saved."""
        cell = self.cell
        return cell.incarnation == self.incarnation and cell.actor is self.actor and not self.is_discarded


@attrs.define(eq=False)
class Captures:
    """The actors of one runtime that have fields to save.

    Attributes:
        failed: What could not be encoded: why, by path.
    """

    _state: "State"
    _tracked: dict[str, Tracked] = attrs.field(factory=dict[str, Tracked], init=False)
    failed: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    has_any: trio.Event = attrs.field(factory=trio.Event, init=False)

    def track(self, cell: "Cell", actor: Actor, codec: Codec) -> Tracked:
        """Save the fields of *actor*, the new incarnation of *cell*, from now on."""
        tracked = Tracked(cell, cell.incarnation, actor, codec, key_of(ACTOR, cell.path))
        self._tracked[cell.path] = tracked
        self.has_any.set()
        return tracked

    def of(self, cell: "Cell") -> Tracked | None:
        """Return the present incarnation of *cell* if its fields are saved."""
        tracked = self._tracked.get(cell.path)
        return tracked if tracked is not None and tracked.is_alive else None

    def caches(self) -> dict[str, tuple[str, ...]]:
        """Return the fields that can be rebuilt, by path, of the actors that have any."""
        return {path: tracked.codec.caches for path, tracked in self._tracked.items() if tracked.codec.caches}

    def forget(self, cell: "Cell") -> Tracked | None:
        """Save the fields of *cell*'s incarnation no more; return what it was, None if they were not saved."""
        tracked = self._tracked.get(cell.path)
        if tracked is None or tracked.incarnation != cell.incarnation:
            return None
        del self._tracked[cell.path]
        return None if tracked.is_discarded else tracked

    def discard(self, path: str) -> None:
        """Save nothing more of the present incarnations at and below *path*."""
        below = f"{path}/"
        for name, tracked in self._tracked.items():
            if name == path or name.startswith(below):
                tracked.is_discarded = True

    def changed(self) -> Iterator[Tracked]:
        """Yield whatever may have changed."""
        for tracked in [each for each in self._tracked.values() if each.may_have_changed]:
            if tracked.is_alive and tracked.is_whole:
                yield tracked

    def take(self, tracked: Tracked) -> Change | None:
        """Encode the fields of *tracked* now; None: they are as they were saved last, or cannot be encoded."""
        received = tracked.cell.received
        try:
            data = tracked.codec.encode(tracked.actor, is_read_back=tracked.is_read_back)
        except StateError as error:
            self._note_failure(tracked, error)
            return None
        return self._change(tracked, data, received)

    async def take_in_slices(self, tracked: Tracked) -> Change | None:
        """Do as ``take``, and let others run meanwhile.

        An actor that only answers messages handles none until it is done. One with a task of its own
        goes on: what it has is copied before, which takes longer at a stretch.
        """
        cell, received = tracked.cell, tracked.cell.received
        is_held = _can_wait(tracked)
        if is_held:
            cell.shut_gate()
        try:
            data = await _sliced(tracked, is_held=is_held)
        except StateError as error:
            self._note_failure(tracked, error)
            return None
        finally:
            if is_held and tracked.is_alive and _may_serve(cell):
                cell.open_gate()
        return None if data is None else self._change(tracked, data, received)

    async def take_own(self, tracked: Tracked) -> Change | None:
        """Encode the fields of *tracked*, at its own request; None: they are as they were saved last.

        Raises:
            StateError: They cannot be encoded.
        """
        received = -1  # what the message at hand does next is not in it
        if len(tracked.data or b"") < BIG:
            return self._change(tracked, tracked.codec.encode(tracked.actor), received)
        extra = tracked.cell.extra
        data = await _sliced(tracked, is_held=extra is None or not extra.has_tasks)
        return None if data is None else self._change(tracked, data, received)

    def take_now(self, tracked: Tracked) -> Change | None:
        """Encode the fields of *tracked* at once, at its own request; None: they are as they were saved last.

        Raises:
            StateError: They cannot be encoded.
        """
        return self._change(tracked, tracked.codec.encode(tracked.actor), -1)

    def _change(self, tracked: Tracked, data: bytes, received: int) -> Change | None:
        if self.failed:
            self._state.can_encode(tracked.cell.path)
        tracked.received = received
        tracked.takes += 1
        if data == tracked.data:
            return None
        tracked.data = data
        codec = tracked.codec
        return self._state.change(tracked.key, codec.kind, codec.schema, data, money=codec.money)

    def _note_failure(self, tracked: Tracked, error: StateError) -> None:
        path, text = tracked.cell.path, str(error)
        tracked.received = tracked.cell.received
        if self.failed.get(path) != text:
            self.failed[path] = text
            self._state.could_not_encode(tracked.cell, error)


async def _sliced(tracked: Tracked, *, is_held: bool) -> bytes | None:
    """Encode the fields of *tracked* a little at a time.

    Returns:
        None: it has ended meanwhile, and its end takes what there is, or what came later was taken already,
        or it goes on although it was to be kept from that, and is taken with the next save.

    Args:
        tracked: Whose.
        is_held: Whether nothing changes them meanwhile.

    Raises:
        StateError: They cannot be encoded.
    """
    cell, takes, received = tracked.cell, tracked.takes, tracked.cell.received
    for data in tracked.codec.slices(tracked.actor, is_held=is_held):
        if data is not None:
            return data
        await trio.lowlevel.checkpoint()
        if not tracked.is_alive or tracked.takes != takes:
            break
        if is_held and cell.received != received:  # it was resumed by hand: what it changes now is not all in it
            break
    return None


def _can_wait(tracked: Tracked) -> bool:
    """Return whether the actor can be kept from changing while others run: it has no task of its own."""
    cell = tracked.cell
    if not _may_serve(cell) or hooks_of(tracked.actor).run is not Hook.ABSENT:
        return False
    return cell.extra is None or not (cell.extra.has_tasks or cell.extra.is_draining)


def _may_serve(cell: "Cell") -> bool:
    """Return whether nothing else keeps *cell* from handling the next message."""
    extra = cell.extra
    if extra is None or cell.state is not ChildState.RUNNING:
        return cell.state is ChildState.RUNNING
    return not (extra.is_suspended or extra.worker is not None or extra.leaves or extra.was_interrupted)
