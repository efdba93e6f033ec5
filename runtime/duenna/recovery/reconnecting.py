"""Reconnection for code that is no actor: the same waits, counts and words as a supervised connection's."""

import inspect
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import TypeAlias

import attrs

from duenna.guards._backend import ExpiredError, current_backend
from duenna.guards._parking import AsyncWaiter, async_waiter
from duenna.machines.classification import Verdict
from duenna.machines.reconnect import ReconnectCounter, ReconnectPolicy
from duenna.machines.recovery_course import Status
from duenna.machines.restart_policy import floor
from duenna.recovery._lines import plain, title
from duenna.recovery._ports import Classify, Now
from duenna.recovery.attempts import CounterState, Journal, Subject

RECONNECT = "reconnect"
MOST_KEYS = 1000

Reconnect: TypeAlias = Callable[[], Awaitable[object] | object]
"""Tries to connect again; False, or an exception, says that it is not connected."""

_Key: TypeAlias = tuple[str, str]


@attrs.define(eq=False, repr=False)
class _Flight:
    """A recovery under way, and who waits for it beside its own caller."""

    result: bool | None = None
    waiters: set[AsyncWaiter] = attrs.field(factory=set[AsyncWaiter])

    def land(self) -> None:
        for waiter in tuple(self.waiters):
            waiter.wake()


@attrs.frozen(kw_only=True)
class _Call:
    """What one caller asked for."""

    subject: Subject
    reconnect: Reconnect
    timeout: float
    began: float


@attrs.define(eq=False, repr=False)
class Reconnector:
    """Recovers by kind and context; remembers 1,000 of these, and forgets those used least recently.

    One that is being recovered is never forgotten. For the tasks of one event loop.
    """

    _now: Now
    _rng: Random
    _journal: Journal
    _classify: Classify | None
    policy: ReconnectPolicy
    _counters: OrderedDict[_Key, ReconnectCounter] = attrs.field(
        factory=OrderedDict[_Key, ReconnectCounter], init=False
    )
    _flights: dict[_Key, _Flight] = attrs.field(factory=dict[_Key, _Flight], init=False)

    def follow(self, policy: ReconnectPolicy) -> None:
        """Follow *policy* from now on; a wait that has begun stays as it is."""
        self.policy = policy
        for counter in self._counters.values():
            counter.policy = policy

    async def recover(self, subject: Subject, error: BaseException | str, reconnect: Reconnect, timeout: float) -> bool:
        """Wait, and reconnect, until it is done or the round is over; join a recovery that is under way."""
        key = (subject.kind, subject.context)
        while (flight := self._flights.get(key)) is not None:
            waiter = async_waiter()
            flight.waiters.add(waiter)
            try:
                await waiter.wait(math.inf)
            finally:
                flight.waiters.discard(waiter)
            if flight.result is not None:
                return flight.result
        call = _Call(subject=subject, reconnect=reconnect, timeout=timeout, began=self._now())
        flight = self._flights[key] = _Flight()
        try:
            flight.result = await self._round(self._counter(key), call, error)
            return flight.result
        finally:  # cancelled, it has no result: one of those who wait goes on in its place
            del self._flights[key]
            flight.land()

    async def pass_by(self) -> None:
        """Do nothing but a checkpoint."""
        await current_backend().sleep(0)

    def reset(self, kind: str | None, context: str | None = None) -> None:
        """Set the counts of one kind, of one context, or all back to 0."""
        for key, counter in self._counters.items():
            if kind in {None, key[0]} and context in {None, key[1]}:
                counter.reset()

    def counters(self) -> Iterator[CounterState]:
        """Return the attempts at each kind and context."""
        for key, counter in self._counters.items():
            yield CounterState(
                type=key[0],
                path="/",
                context=key[1],
                attempts=counter.count(self._now()),
                max_attempts=counter.policy.max_attempts,
                is_open=key in self._flights,
                has_given_up=counter.has_given_up,
            )

    async def _round(self, counter: ReconnectCounter, call: _Call, error: BaseException | str) -> bool:
        """Make the attempts that are left."""
        subject, sleep = call.subject, current_backend().sleep
        if not counter.begin(self._now()):
            name = title(subject.kind)
            self._journal.write("DEBUG", f"{name} is not recovered - manual intervention required", subject)
            await sleep(0)
            return False
        verdict = self._verdict(error, subject)
        while True:
            by_hand = verdict is not None and verdict.needs_a_hand
            draw = self._rng.random() if self.policy.jitter else 0.0
            attempt = None if by_hand else counter.next(draw, 0.0 if verdict is None else floor(verdict))
            text = plain(error)
            if attempt is None:
                made = counter.attempts
                counter.give_up(self._now(), needs_a_hand=by_hand)
                self._tell(Status.GAVE_UP, call, made, 0.0, text, of=0 if by_hand else made)
                await sleep(0)
                return False
            failure = await self._attempt(counter, call, attempt.number, attempt.delay, text)
            if failure is None:
                counter.succeed(self._now())
                self._tell(Status.SUCCESS, call, attempt.number, attempt.delay, "")
                return True
            self._tell(Status.FAILED, call, attempt.number, attempt.delay, plain(failure))
            error, verdict = failure, self._verdict(failure, subject)

    async def _attempt(
        self, counter: ReconnectCounter, call: _Call, number: int, delay: float, text: str
    ) -> BaseException | str | None:
        """Wait and reconnect once; return what it failed with. Cancelled, the attempt is given back."""
        is_over = False
        self._tell(Status.STARTED, call, number, delay, text)
        try:
            await current_backend().sleep(delay)
            failure = await _connects(call.reconnect, call.timeout)
            is_over = True
        finally:
            if not is_over:
                counter.release()
                elapsed = self._now() - call.began
                self._journal.cancelled(call.subject, attempt=number, wait=delay, elapsed=elapsed, error=text)
        return failure

    def _tell(
        self, status: Status, call: _Call, attempt: int, wait: float, error: str, *, of: int | None = None
    ) -> None:
        self._journal.tell(
            status,
            call.subject,
            attempt=attempt,
            attempts=self.policy.max_attempts if of is None else of,
            wait=wait,
            elapsed=self._now() - call.began,
            error=error,
        )

    def _verdict(self, error: BaseException | str, subject: Subject) -> Verdict | None:
        if self._classify is None or isinstance(error, str):
            return None
        return self._classify(error, subject.kind)

    def _counter(self, key: _Key) -> ReconnectCounter:
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = ReconnectCounter(self.policy)
            if len(self._counters) > MOST_KEYS:
                idle = (known for known in self._counters if known not in self._flights)
                forgotten = next(idle, None)
                if forgotten is not None:
                    del self._counters[forgotten]
        else:
            self._counters.move_to_end(key)
        return counter


async def _connects(reconnect: Reconnect, timeout: float) -> BaseException | str | None:
    """Reconnect; return None, or what it failed with."""
    try:
        made = reconnect()
        if inspect.isawaitable(made):
            made = await (current_backend().within(timeout, _wait_for, (made,), {}) if timeout < math.inf else made)
    except ExpiredError:
        return f"the reconnection took longer than {timeout} s"
    except Exception as error:  # noqa: BLE001  # whatever it raises, it is not connected
        return error
    return "the reconnection returned False" if made is False else None


async def _wait_for(made: Awaitable[object]) -> object:
    return await made
