"""An actor runtime on trio for bots that must still be alive, and still be right, at three in the morning."""

from duenna._ask import Reply
from duenna._bus import EventStream
from duenna._open import open_runtime
from duenna._run import run
from duenna._runtime import Runtime, StopReport
from duenna._timers import Timer
from duenna._watch import Down
from duenna.actor import Actor
from duenna.connection import Connection, ConnectionChanged
from duenna.connection_errors import ConnectionLostError, ConnectionTimeoutError
from duenna.context import Context
from duenna.errors import (
    ActorDiedError,
    AskCycleError,
    AskTimeoutError,
    ChildStateError,
    DuennaError,
    GaveUpError,
    MailboxFullError,
    NoReplyError,
    StartFailedError,
    StoppedError,
    UnknownPathError,
)
from duenna.events import (
    ChildExited,
    ChildParked,
    ChildRemoved,
    ChildRestarting,
    ChildResumed,
    ChildStarted,
    ChildStarting,
    ChildStopped,
    ChildStuck,
    ChildSuspended,
    CleanupFailed,
    DeadLetter,
    ErrorReported,
    Event,
    EventsLost,
    GroupRestarting,
    LoopBlocked,
    MessageDropped,
    RuntimeStarted,
    RuntimeStopped,
    RuntimeStopping,
    SupervisorGaveUp,
)
from duenna.machines.backoff import Backoff
from duenna.machines.lifecycle import ChildState
from duenna.machines.link import ConnectionState
from duenna.machines.plan import Strategy
from duenna.machines.verdict import AutoShutdown, OnGiveUp, RestartType
from duenna.mailbox import Mailbox
from duenna.ref import Ref
from duenna.spec import Child, ReadyMode, Supervisor
from duenna.tree import MailboxStats, TreeNode

__all__ = [
    "Actor",
    "ActorDiedError",
    "AskCycleError",
    "AskTimeoutError",
    "AutoShutdown",
    "Backoff",
    "Child",
    "ChildExited",
    "ChildParked",
    "ChildRemoved",
    "ChildRestarting",
    "ChildResumed",
    "ChildStarted",
    "ChildStarting",
    "ChildState",
    "ChildStateError",
    "ChildStopped",
    "ChildStuck",
    "ChildSuspended",
    "CleanupFailed",
    "Connection",
    "ConnectionChanged",
    "ConnectionLostError",
    "ConnectionState",
    "ConnectionTimeoutError",
    "Context",
    "DeadLetter",
    "Down",
    "DuennaError",
    "ErrorReported",
    "Event",
    "EventStream",
    "EventsLost",
    "GaveUpError",
    "GroupRestarting",
    "LoopBlocked",
    "Mailbox",
    "MailboxFullError",
    "MailboxStats",
    "MessageDropped",
    "NoReplyError",
    "OnGiveUp",
    "ReadyMode",
    "Ref",
    "Reply",
    "RestartType",
    "Runtime",
    "RuntimeStarted",
    "RuntimeStopped",
    "RuntimeStopping",
    "StartFailedError",
    "StopReport",
    "StoppedError",
    "Strategy",
    "Supervisor",
    "SupervisorGaveUp",
    "Timer",
    "TreeNode",
    "UnknownPathError",
    "open_runtime",
    "run",
]
