"""Says what was found at the start: what it is, how old it is, and what can be resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from duenna.state.events import StateDamaged, StateDated, StateRestored, WorkFound
from duenna.state.work import describe_work
from duenna.storage.entries import ACTOR, PART, WORK, split_key

if TYPE_CHECKING:
    from duenna.events import Event
    from duenna.state._owner import Owner

_MOST_NAMED: Final = 20
_PATH: Final = "/system/persistence"


def what_was_found(state: Owner) -> tuple[Event, ...]:
    """Return what was found in *state*'s store, if there was anything: three events, and one for each damage."""
    loaded, now = state.loaded, state.now()
    found: list[Event] = [
        StateDamaged(
            time=now,
            path=_PATH,
            store=state.store.name,
            where=damage.where,
            what=damage.what,
            loss=str(damage.loss),
            kept_as=damage.kept_as,
        )
        for damage in loaded.damages
    ]
    if not loaded.existed:
        return tuple(found)
    spaces = [split_key(key)[0] for key in loaded.entries]
    work = [describe_work(key, entry) for key, entry in loaded.entries.items() if split_key(key)[0] == WORK]
    age = None if loaded.saved_at is None else max(0.0, state.wall() - loaded.saved_at)
    found += [
        StateRestored(
            time=now,
            path=_PATH,
            store=state.store.name,
            source=loaded.source,
            actors=spaces.count(ACTOR),
            work=spaces.count(WORK),
            parts=spaces.count(PART),
            size=loaded.size,
        ),
        StateDated(time=now, path=_PATH, age=age, was_clean=loaded.was_clean, damages=len(loaded.damages)),
        WorkFound(time=now, path=_PATH, work=tuple(work[:_MOST_NAMED]), total=len(work)),
    ]
    return tuple(found)
