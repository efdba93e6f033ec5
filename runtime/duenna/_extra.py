"""What most children never need: made on demand, so that an idle child stays small."""

from typing import TYPE_CHECKING, Any

import attrs
import trio

from duenna.machines.failures import FailureCount

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from duenna._ask import Ask
    from duenna._cell import Cell
    from duenna._dispatcher import Worker
    from duenna._host import Host
    from duenna._node import Node
    from duenna._promise import Promise
    from duenna._timers import Alarm, Timer
    from duenna._watch import Watch
    from duenna.freshness import Freshness


@attrs.define(eq=False)
class Sender:
    """Somebody who waits for room; an ask waits for its answer elsewhere and has no task here."""

    message: Any
    task: trio.lowlevel.Task | None


@attrs.define(eq=False)
class Extra:
    """The rare fields of one child.

    Those of the first group outlive an incarnation, those of the second are its own and
    go with it.
    """

    failures: FailureCount = attrs.field(factory=FailureCount)
    dropped: int = 0
    last_error: str | None = None
    kind: str = ""
    freshness: "Freshness | None" = None
    times: "deque[float] | None" = None
    senders: "deque[Sender] | None" = None
    stash: "list[Any]" = attrs.field(factory=list[Any])
    watchers: "dict[Watch, None]" = attrs.field(factory=dict[Any, Any])
    calls: "list[Promise]" = attrs.field(factory=list[Any])
    enders: "list[Promise]" = attrs.field(factory=list[Any])
    due: "Alarm | None" = None
    unpark_after: float | None = None
    is_held: bool = False
    is_suspended: bool = False
    fallback: "Callable[[Cell], None] | None" = None

    ready_value: Any = None
    worker: "Worker | None" = None
    host: "Host | Node | None" = None
    cleaner: "Host | None" = None
    reader: trio.lowlevel.Task | None = None
    waits: "Ask | None" = None
    inline: "Ask | None" = None
    stable_since: float | None = None
    is_unstable: bool = False
    has_tasks: bool = False
    was_interrupted: bool = False
    wants_saving: bool = False
    is_draining: bool = False
    leaves: bool = False
    refuses: str = ""
    exit: "str | BaseException | None" = None
    intent: "Callable[[Cell], None] | None" = None
    was_ready: bool = False
    was_started: bool = False
    is_stuck: bool = False
    uptime: float | None = None
    cleanup_error: str = ""
    limit: "Alarm | None" = None
    stop_requested: trio.Event | None = None
    resumed: trio.Event | None = None
    suspended: trio.Event | None = None
    timers: "dict[Timer, None]" = attrs.field(factory=dict[Any, Any])
    watching: "dict[Cell, Watch]" = attrs.field(factory=dict[Any, Any])
    topics: "dict[type, None]" = attrs.field(factory=dict[Any, Any])
    deferred: "dict[Ask, None]" = attrs.field(factory=dict[Any, Any])

    def renew(self) -> None:
        """Forget what belonged to the incarnation that ended."""
        self.ready_value = None
        self.worker = self.host = self.cleaner = self.reader = self.waits = self.inline = None
        self.stable_since = self.exit = self.intent = self.limit = self.uptime = None
        self.has_tasks = self.was_interrupted = self.wants_saving = False
        self.is_unstable = self.is_draining = self.leaves = self.was_ready = self.was_started = self.is_stuck = False
        self.refuses = self.cleanup_error = ""
        self.stop_requested = self.resumed = self.suspended = None
        self.timers = {}
        self.watching = {}
        self.topics = {}
        self.deferred = {}
