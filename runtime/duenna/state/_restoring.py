"""What an incarnation begins with, and what becomes of a state that it cannot begin with, or crashes on."""

from typing import TYPE_CHECKING, Final

import attrs

from duenna.fields import NewerSchemaError
from duenna.machines.classification import Category, Verdict
from duenna.state._chosen import path_of
from duenna.state.events import ActorRestored, StateSetAside
from duenna.state.report import Restored
from duenna.state.work import OPERATION
from duenna.storage import Change, StateError, StateRefusedError
from duenna.storage.entries import ACTOR, WORK, key_of, split_key

if TYPE_CHECKING:
    from duenna._cell import Cell
    from duenna.actor import Actor
    from duenna.fields import Codec
    from duenna.state.state import State
    from duenna.storage import Entry

CRASHES: Final = 3
"""Crashes in a row, each right after a restore, that set a state aside, or have a hand look at it if it is money."""

RIGHT_AFTER: Final = 10.0
"""Seconds after a restore within which a crash may be the state's doing."""

MOST_ASIDE: Final = 10
"""Entries of one actor that were set aside without a hand and are kept; of more, the oldest go."""

_NOT_BY_STATE: Final = frozenset(
    {
        Category.NETWORK,
        Category.API,
        Category.RATE_LIMIT,
        Category.AUTH,
        Category.EXCHANGE,
        Category.DATABASE,
        Category.CONFIGURATION,
    }
)
"""What a crash is about that no state of an actor's own can bring about."""


@attrs.define(eq=False)
class Restoring:
    """Restores the fields of one runtime's actors."""

    _state: "State"
    _crashes: dict[str, int] = attrs.field(factory=dict[str, int], init=False)
    _restored: dict[str, Restored] = attrs.field(factory=dict[str, Restored], init=False)

    def restored(self, path: str) -> Restored | None:
        """Return what the present incarnation at *path* began with, None if it began clean."""
        return self._restored.get(path)

    def forget(self, path: str) -> None:
        """Note that nobody is at *path* any more."""
        if self._restored:
            self._restored.pop(path, None)
        if self._crashes:
            self._crashes.pop(path, None)

    def restore(self, cell: "Cell", actor: "Actor", codec: "Codec") -> None:
        """Give *actor*, the new incarnation of *cell*, the fields that were saved last.

        Raises:
            StateRefusedError: There are some, but not for this program, or they are money and wrong.
        """
        state, path = self._state, cell.path
        self._restored.pop(path, None)
        tracked = state.captures.track(cell, actor, codec)
        entry = state.entries.get(tracked.key)
        if entry is None:
            return
        try:
            codec.restore(actor, entry.schema, entry.data)
        except NewerSchemaError as error:
            tracked.is_discarded = True
            raise StateRefusedError(path, str(error)) from error
        except StateError as error:
            if entry.money or codec.money:
                tracked.is_discarded = True
                raise StateRefusedError(path, str(error)) from error
            self.set_aside(path, str(error), is_by_hand=False)
            state.report(cell, error)
            return
        tracked.data = entry.data
        self._note_restored(cell, entry, tracked.key)

    def _note_restored(self, cell: "Cell", entry: "Entry", key: str) -> None:
        state = self._state
        age = state.age(entry.at)
        is_new = state.is_inherited(key)
        self._restored[cell.path] = Restored(version=entry.version, at=entry.at, age=age, is_new_process=is_new)
        if state.wants(ActorRestored):
            state.post(
                ActorRestored(
                    time=state.now(),
                    path=cell.path,
                    incarnation=cell.incarnation,
                    version=entry.version,
                    age=age,
                    is_new_process=is_new,
                )
            )

    # -- crashes ---------------------------------------------------------------

    def crashed(self, cell: "Cell", uptime: float | None, verdict: Verdict | None) -> None:
        """Note that the present incarnation of *cell* crashed, *uptime* seconds after it was ready; None: it never was.

        After the third crash in a row right after a restore its state is set aside, unless it is money.
        """
        path, restored = cell.path, self._restored.get(cell.path)
        if restored is None or (uptime is not None and uptime > RIGHT_AFTER) or not _may_be_the_state(verdict):
            self._crashes.pop(path, None)
            return
        count = self._crashes[path] = self._crashes.get(path, 0) + 1
        entry = self._state.entries.get(key_of(ACTOR, path))
        if count >= CRASHES and entry is not None and not entry.money:
            why = f"{count} crashes in a row, each within {RIGHT_AFTER:g} s of a restore"
            self.set_aside(path, why, is_by_hand=False)

    def needs_a_hand(self, path: str) -> StateRefusedError | None:
        """Return why the actor at *path* is not restarted by itself: it crashes on a state that is money."""
        count = self._crashes.get(path, 0)
        if count < CRASHES:
            return None
        self._crashes.pop(path, None)  # who restarts it by hand gives it as many attempts again
        return StateRefusedError(path, f"{count} crashes in a row, each within {RIGHT_AFTER:g} s of a restore")

    # -- setting aside ---------------------------------------------------------

    def set_aside(self, path: str, why: str, *, is_by_hand: bool) -> None:
        """Set the state of the actor at *path* aside, and its operations; intents stay: their effects may be out."""
        state = self._state
        self._crashes.pop(path, None)
        keys = [key_of(ACTOR, path)]
        keys += [key_of(WORK, f"{path}#{work.id}") for work in state.works.unfinished(path) if work.kind == OPERATION]
        changes: list[Change] = []
        for key in keys:
            if (entry := state.entries.get(key)) is not None:
                changes += [Change(state.aside_key(split_key(key)[1]), entry), Change(key, None)]
        if not changes:
            return
        if not is_by_hand:
            changes += self._surplus(path)
        state.stage(changes)
        if state.wants(StateSetAside):
            kept = changes[0].key
            state.post(StateSetAside(time=state.now(), path=path, why=why, kept_as=kept, is_by_hand=is_by_hand))

    def _surplus(self, path: str) -> list[Change]:
        """Return what removes the oldest that were set aside of *path*, but for the latest of them, and for money."""
        entries = self._state.entries
        old = [key for key in self._state.asides if path_of(key, entries[key].kind) == path and not entries[key].money]
        old.sort(key=lambda key: entries[key].at)
        return [Change(key, None) for key in old[: max(0, len(old) - MOST_ASIDE + 1)]]

    def begin_fresh(self, path: str) -> None:
        """Set the state of every actor at and below *path* aside, by hand: what runs there now is saved no more."""
        state, below = self._state, f"{path}/"
        state.captures.discard(path)
        owners: dict[str, None] = {}
        for key in state.entries:
            space, name = split_key(key)
            if space in {ACTOR, WORK}:
                owners[name.rpartition("#")[0] if space == WORK else name] = None
        for owner in owners:
            if owner == path or owner.startswith(below):
                self.set_aside(owner, "an operator asked for a fresh start", is_by_hand=True)


def _may_be_the_state(verdict: Verdict | None) -> bool:
    return verdict is None or (not verdict.transient and verdict.category not in _NOT_BY_STATE)
