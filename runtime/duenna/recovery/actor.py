"""`/system/recovery`: hears what happens to the bot's children, and has the recovery actions answer."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from duenna._bus import EventStream
from duenna._facts import facts_of
from duenna._restarts import has_held_out
from duenna.actor import Actor
from duenna.error_events import ErrorClassified, RecoveryAttempted
from duenna.errors import UnknownPathError
from duenna.events import Event, EventsLost, RuntimeStopping
from duenna.guard_events import BreakerChanged, FallbackUsed
from duenna.machines.backoff import Backoff
from duenna.machines.breaker import BreakerState
from duenna.machines.classification import Verdict, origin_of
from duenna.machines.lifecycle import ChildState
from duenna.machines.link import ConnectionState
from duenna.mailbox import Mailbox
from duenna.recovery.action import Incident, RecoveryAction
from duenna.recovery.courses import FOLLOWED
from duenna.recovery.recovery import Recovery
from duenna.spec import Child

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duenna._runtime import Runtime

MOST_WAITING = 10_000
"""Errors, and events, that wait for this actor, at most; of more, the oldest are dropped, and counted."""


class RecoveryActor(Actor):
    """Serves one `Recovery`, which outlives it: a restart forgets no count, and calls off what is under way.

    So does its stream of events: what happens between two incarnations is heard by the next.
    """

    kind: ClassVar[str] = "recovery"

    def __init__(self, recovery: Recovery, stream: EventStream) -> None:
        """Serve *recovery*, to which *stream* tells what happens."""
        self._recovery = recovery
        self._stream = stream

    def started(self) -> None:
        """Answer from now on."""
        self._recovery.runner.open_again()
        self._recovery.attend(self._spawn)

    def receive(self, message: ErrorClassified) -> None:
        """Answer one error, after all that had happened by then."""
        given: object = message
        if not isinstance(given, ErrorClassified):
            self.context.report(TypeError(f"the recovery takes an ErrorClassified, got {type(given).__name__}"))
            return
        for event in self._stream.drain():
            self._heard(event)
        self._recovery.classified(message, self._spawn)

    async def run(self) -> None:
        """Hear events as they come."""
        async for event in self._stream:
            self._heard(event)

    def stopping(self, reason: object) -> None:  # noqa: ARG002  # a hook
        """Answer no more."""
        self._recovery.attend(None)

    def _heard(self, event: Event) -> None:
        if isinstance(event, EventsLost):
            runtime = self.context.runtime
            self._recovery.courses.resync(runtime.now(), lambda path: _look(runtime, path))
            self._recovery.attend(self._spawn)
        elif isinstance(event, RuntimeStopping):
            self._recovery.runner.close()
        else:
            self._recovery.heard(event, self._spawn)

    def _spawn(self, function: Callable[[Incident], Awaitable[None]], incident: Incident) -> None:
        self.context.start_soon(function, incident)


def _look(runtime: "Runtime", path: str) -> ConnectionState | bool | None:
    """Return the state of the link at *path*, or whether the child there runs; None if there is none."""
    try:
        is_running = runtime._cell(path).state is ChildState.RUNNING  # noqa: SLF001  # its kernel
    except UnknownPathError:
        return None
    link = runtime.system.monitor.links.get(path)
    return is_running if link is None else link.state


def recovery_of(
    runtime: "Runtime", actions: "Iterable[RecoveryAction]" = (), log_level: str | None = "INFO"
) -> Recovery:
    """Return the recovery of *runtime*, following its settings, judged by its classifier, told to its bus and records.

    Raises:
        ValueError: The settings name an action that is not there.
    """

    def classify(error: BaseException, kind: str) -> Verdict:
        return runtime.classifier.classify(facts_of(error, origin=origin_of(kind)))

    def keep(event: RecoveryAttempted, kind: str) -> None:
        if runtime.records is not None:
            runtime.records.recovery(event, kind)

    def restarts_allowed(path: str) -> int:
        with suppress(UnknownPathError):
            return runtime.policies.plan(runtime._cell(path).spec.options).max_failures or 0  # noqa: SLF001  # its kernel
        return 0

    def has_held(path: str) -> bool:
        with suppress(UnknownPathError):
            return has_held_out(runtime._cell(path))  # noqa: SLF001  # its kernel
        return False

    def breaker_of(guard: str) -> BreakerState | None:
        dependency = runtime.guards.get(guard)
        return None if dependency is None else dependency.state

    def forgive(path: str) -> None:
        with suppress(UnknownPathError):
            failures = runtime._cell(path).more.failures  # noqa: SLF001  # its kernel
            failures.failures = 0
            failures.previous_delay = 0.0

    return Recovery(
        now=runtime.now,
        rng=runtime.rng,
        settings=runtime.settings,
        classify=classify,
        events=runtime.bus,
        sink=keep,
        actions=actions,
        restarts_allowed=restarts_allowed,
        has_held=has_held,
        forgive=forgive,
        breaker_of=breaker_of,
        log_level=log_level,
    )


def recovery_actor(runtime: "Runtime", recovery: Recovery) -> Child:
    """Return the spec of `/system/recovery` of *runtime*, which has just been made."""
    kinds: tuple[type[Event], ...] = (*FOLLOWED, BreakerChanged, FallbackUsed, RuntimeStopping)
    stream = EventStream(MOST_WAITING, runtime.bus, kinds, runtime.clock, skips_routine=True)
    runtime.bus.attach(stream)
    return Child(
        "recovery",
        lambda: RecoveryActor(recovery, stream),
        mailbox=Mailbox(MOST_WAITING, overflow="drop_oldest"),
        backoff=Backoff.steps(0.1, 1.0),
        max_failures=2,
        on_give_up="park",
        unpark_after=30.0,
    )
