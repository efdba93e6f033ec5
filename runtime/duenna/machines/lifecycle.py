"""The life cycle of a child, as one table."""

from enum import StrEnum


class ChildState(StrEnum):
    """Where a child is in its life."""

    PENDING = "pending"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    BACKOFF = "backoff"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"
    REMOVED = "removed"


class Step(StrEnum):
    """What can happen to a child."""

    START = "start"
    READY = "ready"
    UNWIND = "unwind"
    RETRY = "retry"
    HOLD = "hold"
    FINISH = "finish"
    PARK = "park"
    RESET = "reset"
    REMOVE = "remove"


_S = ChildState

TRANSITIONS: dict[tuple[ChildState, Step], ChildState] = {
    (_S.PENDING, Step.START): _S.STARTING,
    (_S.PENDING, Step.HOLD): _S.STOPPED,
    (_S.PENDING, Step.REMOVE): _S.REMOVED,
    (_S.STARTING, Step.READY): _S.RUNNING,
    (_S.STARTING, Step.UNWIND): _S.STOPPING,
    (_S.RUNNING, Step.UNWIND): _S.STOPPING,
    (_S.STOPPING, Step.RETRY): _S.BACKOFF,
    (_S.STOPPING, Step.HOLD): _S.STOPPED,
    (_S.STOPPING, Step.FINISH): _S.FINISHED,
    (_S.STOPPING, Step.PARK): _S.FAILED,
    (_S.STOPPING, Step.RESET): _S.PENDING,
    (_S.STOPPING, Step.REMOVE): _S.REMOVED,
    (_S.BACKOFF, Step.START): _S.STARTING,
    (_S.BACKOFF, Step.RESET): _S.PENDING,
    (_S.STOPPED, Step.START): _S.STARTING,
    (_S.STOPPED, Step.RESET): _S.PENDING,
    (_S.STOPPED, Step.REMOVE): _S.REMOVED,
    (_S.FINISHED, Step.START): _S.STARTING,
    (_S.FINISHED, Step.HOLD): _S.STOPPED,
    (_S.FINISHED, Step.RESET): _S.PENDING,
    (_S.FINISHED, Step.REMOVE): _S.REMOVED,
    (_S.FAILED, Step.START): _S.STARTING,
    (_S.FAILED, Step.HOLD): _S.STOPPED,
    (_S.FAILED, Step.RESET): _S.PENDING,
    (_S.FAILED, Step.REMOVE): _S.REMOVED,
}
"""Every legal move; what is not here is a defect of the kernel.

`failed` is a parked child: a hand or the end of ``unpark_after`` starts it again.
`pending` is a child that waits for its turn: at boot, or between the stop and the start
of its group.
"""

ALIVE = frozenset({_S.STARTING, _S.RUNNING, _S.STOPPING})
"""States in which an incarnation exists."""

GONE = frozenset({_S.STOPPED, _S.FINISHED, _S.REMOVED})
"""States in which nobody will read the mailbox."""


def after(state: ChildState, step: Step) -> ChildState:
    """Return the state that *step* leads to.

    Raises:
        ValueError: The table does not allow it.
    """
    try:
        return TRANSITIONS[state, step]
    except KeyError:
        message = f"a child that is {state} cannot {step}"
        raise ValueError(message) from None
