"""What the state of a runtime makes of its health."""

from typing import TYPE_CHECKING, Final

from duenna.machines.health import Service, ServiceStatus

if TYPE_CHECKING:
    from duenna.state import State

STATE: Final = "/system/persistence"
"""The service that the state is: the actor that makes it durable, whose work it is."""


def of_state(state: "State", actor: Service | None = None) -> Service | None:
    """Return how *state* does, what *actor*, who saves it, does itself included; None if nothing is wrong."""
    if actor is not None and actor.status is not ServiceStatus.OPERATIONAL:
        return actor
    issues = state.issues()
    return Service(STATE, ServiceStatus.DEGRADED, "; ".join(issues)) if issues else actor
