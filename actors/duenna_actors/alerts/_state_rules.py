"""What happens to the state, as conditions: money is lost by a bot that goes on as if nothing had been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from duenna.machines.alert_words import Cleared
from duenna.machines.classification import Severity
from duenna.state.events import (
    ReconcileBegan,
    ReconcileEnded,
    StateDamaged,
    StateDurable,
    StateEncodable,
    StateNotDurable,
    StateSetAside,
    StateUnencodable,
)
from duenna.storage import Loss
from duenna.storage.entries import split_key
from duenna_actors.alerts._knowledge import Knowledge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duenna.events import Event
    from duenna.machines.alert_words import Condition
    from duenna.state import State

STATE: Final = "/system/persistence"
"""The service of which the health tells how the state does."""

StateEvent = (
    ReconcileBegan
    | ReconcileEnded
    | StateDamaged
    | StateDurable
    | StateEncodable
    | StateNotDurable
    | StateSetAside
    | StateUnencodable
)
"""The events that mean something."""

STATE_EVENTS: Final[tuple[type[Event], ...]] = get_args(StateEvent)

LOST: Final = "state_lost"
NOT_DURABLE: Final = "state_not_durable"
DAMAGED: Final = "state_damaged"
SET_ASIDE: Final = "state_set_aside"
UNSAVED: Final = "state_unsaved"
STATE_KINDS: Final = frozenset({LOST, NOT_DURABLE, DAMAGED, SET_ASIDE, UNSAVED})

_ALL: Final = "state"


class StateRules(Knowledge):
    """What each event of the state means."""

    def of_state(self, event: StateEvent) -> Iterable[Condition | Cleared]:
        """Yield what *event* means."""
        match event:
            case ReconcileBegan():
                yield self._condition(LOST, _ALL, Severity.CRITICAL, event.text())
            case ReconcileEnded():
                yield Cleared(kind=LOST, target=_ALL)
            case StateNotDurable():
                yield self._condition(NOT_DURABLE, event.store, Severity.CRITICAL, event.text())
            case StateDurable():
                yield Cleared(kind=NOT_DURABLE, target=event.store)
            case StateDamaged():
                yield from self._damaged(event.where, event.loss, event.text())
            case StateSetAside(is_by_hand=False):
                text = event.text()
                yield self._condition(SET_ASIDE, event.path, Severity.HIGH, text, path=event.path, expires=True)
            case StateUnencodable():
                yield self._condition(UNSAVED, event.path, Severity.HIGH, event.text(), path=event.path)
            case StateEncodable():
                yield Cleared(kind=UNSAVED, target=event.path)
            case _:
                pass

    def found_in(self, state: State) -> Iterable[Condition]:
        """Yield what was found damaged, or was set aside, when *state* was opened, before anybody could hear of it."""
        for key in state.asides:
            if key not in state.loaded.entries:
                name = split_key(key)[1].rpartition("#")[0]
                text = f"the state of {name} is set aside as {key}, it starts clean"
                yield self._condition(SET_ASIDE, name, Severity.HIGH, text, expires=True)
        for damage in state.loaded.damages:
            text = f"{damage.where} in {state.store.name}: {damage.what}"
            yield from self._damaged(damage.where, damage.loss, text)

    def _damaged(self, where: str, loss: str, text: str) -> Iterable[Condition]:
        if loss == Loss.UNKNOWN:
            return  # what a crash in the middle of a write leaves: no more than that is known of it
        severity = Severity.CRITICAL if loss == Loss.ACKNOWLEDGED else Severity.MEDIUM
        yield self._condition(DAMAGED, where, severity, text, expires=True)


def state_by_sight(state: State) -> dict[str, dict[str, str]]:
    """Return by kind, for each target, what is wrong with *state* now; all of it is CRITICAL."""
    lost = {_ALL: "state was lost: no trading until runtime.state.reconciled()"} if state.is_reconciling else {}
    problem = f"what is saved is kept in memory only: {state.problem}"
    return {LOST: lost, NOT_DURABLE: {state.store.name: problem} if state.problem else {}}
