"""How many calls may be under way at once, and who waits for one of them to end."""

from __future__ import annotations

import threading
from collections import deque
from math import inf
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from duenna.guards._parking import ThreadWaiter, Waiter, async_waiter
from duenna.guards.errors import BulkheadFullError
from duenna.machines import checks
from duenna.machines.aimd import Aimd

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna.guards._timeline import Timeline

_OWNER = "Bulkhead"
W = TypeVar("W", bound=Waiter)


def _plain(limit: Any) -> Any:
    """Return a limit as a value: machines are compared by identity."""
    if isinstance(limit, Aimd):
        return (limit.maximum, limit.minimum, limit.initial, limit.decrease, limit.timeout)
    return limit


@attrs.frozen
class Bulkhead:
    """How many calls of one dependency may be under way at once, and how many more may wait.

    Attributes:
        limit: Calls under way, at least 1; or an `Aimd`, which finds the number by itself
            (it serves as a pattern: its own state is neither used nor changed).
        queue: Calls that may wait, in the order of their coming, at least 0; the next is
            refused at once.
        max_wait: How long each of them waits, in seconds, at most: less if its deadline is
            nearer. 0: not at all. `inf`: as long as it takes.
    """

    limit: int | Aimd = attrs.field(eq=_plain)
    queue: int = attrs.field(default=100, kw_only=True)
    max_wait: float = attrs.field(default=1.0, kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Refuse limits that are none."""
        if not isinstance(self.limit, Aimd):
            checks.count(_OWNER, "limit", self.limit, least=1)
        checks.count(_OWNER, "queue", self.queue, least=0)
        checks.duration(_OWNER, "max_wait", self.max_wait)

    @classmethod
    def of(cls, given: int | Bulkhead | Aimd) -> Bulkhead:
        """Return *given* as a bulkhead; a limit gets the queue and the wait that are usual.

        Raises:
            TypeError: It is no limit.
            ValueError: It is less than 1.
        """
        return given if isinstance(given, Bulkhead) else cls(given)

    def machine(self) -> Aimd:
        """Return what counts the calls; a fixed limit is one that can neither fall nor rise."""
        if isinstance(self.limit, Aimd):
            return attrs.evolve(self.limit)
        return Aimd(self.limit, minimum=self.limit)


@attrs.define(eq=False)
class _Place(Generic[W]):
    """Somebody's place in the queue.

    Attributes:
        waiter: Who waits.
        since: Since when, in seconds of the timeline.
        has_slot: Whether a slot was handed over, which takes the place out of the queue.
    """

    waiter: W
    since: float
    has_slot: bool = False


class Slots:
    """A bulkhead at work: the slots of one dependency, for tasks of trio and asyncio and for threads alike.

    Whoever acquires a slot releases it, once. A slot that is released goes to the first in
    the queue before anybody else can take it. Who is cancelled, or waits in vain, while a slot
    is being handed over, leaves it to the next.
    """

    def __init__(self, settings: int | Bulkhead | Aimd, name: str, timeline: Timeline) -> None:
        """Have all slots free.

        Args:
            settings: How many, and who may wait.
            name: What the slots are of, for errors.
            timeline: Tells how long the first in the queue has waited.
        """
        self._settings = Bulkhead.of(settings)
        self._machine = self._settings.machine()
        self._name = name
        self._timeline = timeline
        self._queue: deque[_Place[Any]] = deque()
        self._refused = 0
        # Reentrant, for it may be taken within itself: when the garbage collector closes a task of a dead loop.
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        """Return how it stands."""
        return f"<Slots {self._name!r}: {self.in_use} of {self.limit} in use, {self.waiting} waiting>"

    @property
    def limit(self) -> int:
        """How many calls may be under way now."""
        return self._machine.limit

    @property
    def in_use(self) -> int:
        """How many are; more than the limit if that has fallen meanwhile."""
        return self._machine.inflight

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    @property
    def waiting_for(self) -> float:
        """How long the first of them has waited, in seconds; 0 if none waits."""
        with self._lock:
            first = self._queue[0] if self._queue else None
        return 0.0 if first is None else self._timeline.now() - first.since

    @property
    def refused(self) -> int:
        """How many calls were refused, at once or after a wait."""
        return self._refused

    def try_acquire(self) -> bool:
        """Take a slot if there is one to spare; return whether there was."""
        with self._lock:
            return not self._queue and self._machine.room > 0 and self._machine.admit()

    async def acquire(self, left: float = inf) -> None:
        """Take a slot, or wait for one; a checkpoint only if it waits. Cancelled, it holds nothing.

        Args:
            left: Seconds until it is of no use any more.

        Raises:
            BulkheadFullError: Too many wait already, or none came free in time.
        """
        patience = min(self._settings.max_wait, left)
        place = self._enter(async_waiter, patience)
        if place is None:
            return
        try:
            await place.waiter.wait(patience)
        except BaseException:
            self._leave(place)
            raise
        self._claim(place, patience)

    def acquire_sync(self, left: float = inf, *, may_wait: bool = True) -> None:
        """Take a slot, or keep this thread waiting for one.

        Args:
            left: Seconds until it is of no use any more.
            may_wait: False inside an event loop, which must not stand still.

        Raises:
            BulkheadFullError: Too many wait already, none came free in time, or waiting is not allowed.
        """
        patience = min(self._settings.max_wait, left) if may_wait else 0.0
        place = self._enter(ThreadWaiter, patience)
        if place is None:
            return
        try:
            place.waiter.wait(patience)
        except BaseException:
            self._leave(place)
            raise
        self._claim(place, patience)

    def release(self, ok: bool | None = None, duration: float = 0.0) -> None:
        """Give back a slot, from any thread.

        Args:
            ok: Whether the call was not dropped by the far end, for a limit that adapts; None:
                it tells nothing, for it was cancelled.
            duration: How long it took, in seconds.

        Raises:
            RuntimeError: None is in use.
        """
        with self._lock:
            if ok is None:
                self._machine.release()
            else:
                self._machine.settle(ok, duration)
        if self._queue:
            self._hand_over()

    def _enter(self, waiter: Callable[[], W], patience: float) -> _Place[W] | None:
        """Take a slot, and return None, or a place in the queue."""
        if self.try_acquire():
            return None
        now = self._timeline.now()  # not under the lock: it may have to begin a new world
        with self._lock:
            if self.try_acquire():
                return None
            waiting = len(self._queue)
            if patience <= 0 or waiting >= self._settings.queue:
                raise self._refusal(f"{waiting} wait already" if waiting else "")
            place = _Place(waiter(), now)
            self._queue.append(place)
            return place

    def _claim(self, place: _Place[Any], patience: float) -> None:
        """Take what was handed over, were it in the last moment."""
        with self._lock:
            if not place.has_slot:
                self._queue.remove(place)
                raise self._refusal(f"none ended within {patience:.3g} s")

    def _leave(self, place: _Place[Any]) -> None:
        """Leave the queue, or leave what was handed over to the next."""
        self._vacate(place)
        self._hand_over()

    def _hand_over(self) -> None:
        """Give what is free to the first in the queue."""
        while (place := self._next()) is not None:
            if not place.waiter.wake():
                self._vacate(place)

    def _next(self) -> _Place[Any] | None:
        with self._lock:
            if not self._queue or not self._machine.room:
                return None
            self._machine.admit()
            place = self._queue.popleft()
            place.has_slot = True
            return place

    def _vacate(self, place: _Place[Any]) -> None:
        """End a wait for good; a second time, for a task of a dead loop that is collected at last, does nothing."""
        with self._lock:
            if place.has_slot:
                place.has_slot = False
                self._machine.release()
            elif place in self._queue:
                self._queue.remove(place)

    def _refusal(self, why: str) -> BulkheadFullError:
        self._refused += 1
        return BulkheadFullError(self._name, self._machine.limit, why)
