"""Every mailbox kind against a naive model, over sequences of operations that hypothesis makes up."""

import queue
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import attrs
import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from trio.testing import MockClock, wait_all_tasks_blocked

from duenna import Actor, Mailbox, MailboxFullError, Runtime

from .support import BoomError, bot, child, node

Job = Callable[[Runtime, trio.Nursery], Awaitable[None]]
KEYS = 5
CAPACITY = 3


@attrs.define
class Loop:
    """A trio run that stands still between the steps of a state machine (guest mode, pumped by hand)."""

    start: Callable[[], Any]
    _work: queue.Queue[Callable[[], object]] = attrs.field(factory=queue.Queue, init=False)
    _jobs: deque[Job | None] = attrs.field(factory=deque, init=False)
    _wanted: trio.Event = attrs.field(factory=trio.Event, init=False)
    _token: trio.lowlevel.TrioToken | None = attrs.field(default=None, init=False)
    _outcome: Any = attrs.field(default=None, init=False)
    _is_idle: bool = attrs.field(default=False, init=False)

    def open(self) -> None:
        """Begin the run, up to the first standstill."""
        trio.lowlevel.start_guest_run(
            self._main,
            run_sync_soon_threadsafe=self._work.put,
            done_callback=self._done,
            clock=MockClock(autojump_threshold=0),
            restrict_keyboard_interrupt_to_checkpoints=True,
        )
        self._pump()

    def run(self, job: Job | None) -> None:
        """Run *job* until every task is blocked; None ends the run."""
        assert self._token is not None
        self._is_idle = False
        self._jobs.append(job)
        self._token.run_sync_soon(self._wake)
        self._pump()

    def _wake(self) -> None:
        self._wanted.set()

    def _pump(self) -> None:
        while not self._is_idle and self._outcome is None:
            self._work.get(timeout=60)()
        if self._outcome is not None:
            self._outcome.unwrap()

    def _done(self, result: Any) -> None:
        self._outcome = result

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        async with self.start() as runtime, trio.open_nursery() as nursery:
            while True:
                await wait_all_tasks_blocked()
                self._is_idle = True
                while not self._jobs:
                    self._wanted = trio.Event()
                    await self._wanted.wait()
                job = self._jobs.popleft()
                if job is None:
                    nursery.cancel_scope.cancel()
                    break
                await job(runtime, nursery)


@attrs.define
class Taker(Actor):
    """Writes every message down, and crashes on one whose value is "boom"."""

    log: list[tuple[int, Any]]

    def receive(self, message: tuple[int, Any]) -> int:
        self.log.append(message)
        if message[1] == "boom":
            raise BoomError
        return message[0]


@attrs.define
class Model:
    """The naive mailbox: lists, and the rules as the documentation has them."""

    kind: str
    waiting: list[tuple[int, Any]] = attrs.field(factory=list)
    senders: list[tuple[int, Any]] = attrs.field(factory=list)
    handled: list[tuple[int, Any]] = attrs.field(factory=list)
    dropped: int = 0
    is_suspended: bool = False

    def tell(self, message: tuple[int, Any]) -> bool:
        """Return whether the tell is accepted."""
        if self._replaces(message):
            return True
        if len(self.waiting) < CAPACITY:
            self.waiting.append(message)
            return True
        if self.kind == "fail":
            return False
        self.dropped += 1
        if self.kind != "drop_newest":
            self.waiting.pop(0)
            self.waiting.append(message)
        return True

    def send(self, message: tuple[int, Any]) -> None:
        """Wait behind those who wait already; a message that replaces another needs no room."""
        if self.senders:
            self.senders.append(message)
        elif not self._replaces(message):
            (self.waiting if len(self.waiting) < CAPACITY else self.senders).append(message)

    def settle(self) -> None:
        """Handle all that can be handled."""
        while not self.is_suspended and self.waiting:
            self.handled.append(self.waiting.pop(0))
            self.admit()

    def admit(self) -> None:
        """Give the room there is to those who wait for it."""
        while self.senders and len(self.waiting) < CAPACITY:
            message = self.senders.pop(0)
            if not self._replaces(message):
                self.waiting.append(message)

    def _replaces(self, message: tuple[int, Any]) -> bool:
        if self.kind != "latest":
            return False
        for place, (number, _) in enumerate(self.waiting):
            if number % KEYS == message[0] % KEYS:
                self.waiting[place] = message
                self.dropped += 1
                return True
        return False


def mailbox(kind: str) -> Mailbox:
    if kind == "latest":
        return Mailbox.latest(key=lambda message: message[0] % KEYS, capacity=CAPACITY)
    overflow: Any = kind
    return Mailbox(capacity=CAPACITY, overflow=overflow)


class MailboxMachine(RuleBasedStateMachine):
    """Tell, send, cancel, crash, suspend and resume in any order, and compare after every step."""

    kind: ClassVar[str] = "fail"

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(self.kind)
        self.log: list[tuple[int, Any]] = []
        self.scopes: list[tuple[tuple[int, Any], trio.CancelScope]] = []
        self.number = 0
        self.dropped = 0
        self.depth = 0
        self.loop = Loop(lambda: bot(child("a", lambda: Taker(self.log), mailbox=mailbox(self.kind))))

    @initialize()
    def begin(self) -> None:
        self.loop.open()

    def teardown(self) -> None:
        if self.loop._token is not None:
            self.loop.run(None)

    def message(self, value: Any) -> tuple[int, Any]:
        self.number += 1
        return self.number, value

    def step(self, job: Job) -> None:
        """Run *job*, let both sides settle, and read the counters."""

        async def measured(runtime: Runtime, nursery: trio.Nursery) -> None:
            await job(runtime, nursery)
            await wait_all_tasks_blocked()
            stats = node(runtime, "/bot/a").mailbox
            self.dropped, self.depth = stats.dropped, stats.depth

        self.loop.run(measured)
        self.model.settle()

    @rule(values=st.lists(st.sampled_from(["value", "value", "value", "boom"]), min_size=1, max_size=6))
    def tell(self, values: list[str]) -> None:
        """Tell several messages in one breath, so that they overflow also when the actor is free."""
        messages = [self.message(value) for value in values]
        accepted: list[bool] = []

        async def job(runtime: Runtime, _: trio.Nursery) -> None:
            for message in messages:
                try:
                    runtime.ref("/bot/a").tell(message)
                    accepted.append(True)
                except MailboxFullError:
                    accepted.append(False)

        self.step_with(job, lambda: [self.model.tell(message) for message in messages], accepted)

    def step_with(self, job: Job, predict: Callable[[], list[bool]], accepted: list[bool]) -> None:
        predicted = predict()
        self.step(job)
        assert accepted == predicted

    @rule()
    def send(self) -> None:
        """Send one message in a task of its own, which may wait for room."""
        message = self.message("value")
        scope = trio.CancelScope()

        async def send(runtime: Runtime) -> None:
            with scope:
                await runtime.ref("/bot/a").send(message)

        async def job(runtime: Runtime, nursery: trio.Nursery) -> None:
            nursery.start_soon(send, runtime)

        self.model.send(message)
        self.scopes.append((message, scope))
        self.step(job)

    @precondition(lambda self: bool(self.model.senders))
    @rule(data=st.data())
    def cancel_a_sender(self, data: st.DataObject) -> None:
        """Cancel one of those who wait for room: his message must never come."""
        message = data.draw(st.sampled_from(self.model.senders))
        [scope] = [scope for sent, scope in self.scopes if sent == message]

        async def job(_: Runtime, __: trio.Nursery) -> None:
            scope.cancel()

        self.model.senders.remove(message)
        self.step(job)
        assert scope.cancelled_caught

    @precondition(lambda self: not self.model.is_suspended)
    @rule()
    def suspend(self) -> None:
        async def job(runtime: Runtime, _: trio.Nursery) -> None:
            await runtime.suspend("/bot/a")

        self.model.is_suspended = True
        self.step(job)

    @precondition(lambda self: self.model.is_suspended)
    @rule()
    def resume(self) -> None:
        async def job(runtime: Runtime, _: trio.Nursery) -> None:
            await runtime.resume("/bot/a")

        self.model.is_suspended = False
        self.step(job)

    @precondition(lambda self: not self.model.is_suspended and not self.model.senders)
    @rule()
    def ask(self) -> None:
        """Ask, and get one's own answer."""
        message = self.message("value")
        answers: list[int] = []

        async def job(runtime: Runtime, _: trio.Nursery) -> None:
            answers.append(await runtime.ref("/bot/a").ask(message))

        self.model.handled.append(message)
        self.step(job)
        assert answers == [message[0]]

    @invariant()
    def agrees(self) -> None:
        """What was handled, in which order, what waits and what was dropped: as in the model."""
        assert self.log == self.model.handled
        assert self.dropped == self.model.dropped
        assert self.depth == len(self.model.waiting)


class FailMachine(MailboxMachine):
    kind = "fail"


class DropOldestMachine(MailboxMachine):
    kind = "drop_oldest"


class DropNewestMachine(MailboxMachine):
    kind = "drop_newest"


class LatestMachine(MailboxMachine):
    kind = "latest"


QUICK = settings(max_examples=20, stateful_step_count=25, deadline=None, derandomize=True)

TestFail = FailMachine.TestCase
TestDropOldest = DropOldestMachine.TestCase
TestDropNewest = DropNewestMachine.TestCase
TestLatest = LatestMachine.TestCase
for _machine in (TestFail, TestDropOldest, TestDropNewest, TestLatest):
    _machine.settings = QUICK
del _machine
