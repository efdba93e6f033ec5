"""State that survives: what an actor knew is there again after its crash, and after the process's end."""

from duenna.state.errors import TooMuchWorkError, WorkGoneError, WorkInUseError
from duenna.state.events import (
    ActorRestored,
    ActorSaved,
    GenerationWritten,
    ReconcileBegan,
    ReconcileEnded,
    SnapshotSaved,
    StateDamaged,
    StateDated,
    StateDurable,
    StateNotDurable,
    StateNotTaken,
    StateRestored,
    StateSetAside,
    StateUnencodable,
    WorkFound,
)
from duenna.state.intents import Intent
from duenna.state.operations import Operation
from duenna.state.part import Part
from duenna.state.report import Restored, SaveReport, StateStatus
from duenna.state.state import State
from duenna.state.work import UnfinishedWork
from duenna.state.work_events import (
    IntentBegan,
    IntentDone,
    IntentFailed,
    IntentResumed,
    IntentWithdrawn,
    OperationBegan,
    OperationFailed,
    OperationFinished,
    OperationLeft,
    OperationResumed,
)

__all__ = [
    "ActorRestored",
    "ActorSaved",
    "GenerationWritten",
    "Intent",
    "IntentBegan",
    "IntentDone",
    "IntentFailed",
    "IntentResumed",
    "IntentWithdrawn",
    "Operation",
    "OperationBegan",
    "OperationFailed",
    "OperationFinished",
    "OperationLeft",
    "OperationResumed",
    "Part",
    "ReconcileBegan",
    "ReconcileEnded",
    "Restored",
    "SaveReport",
    "SnapshotSaved",
    "State",
    "StateDamaged",
    "StateDated",
    "StateDurable",
    "StateNotDurable",
    "StateNotTaken",
    "StateRestored",
    "StateSetAside",
    "StateStatus",
    "StateUnencodable",
    "TooMuchWorkError",
    "UnfinishedWork",
    "WorkFound",
    "WorkGoneError",
    "WorkInUseError",
]
