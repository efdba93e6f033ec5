"""One heap and one task for every timer of a runtime: ask timeouts, ``tell_after``, backoff, start and stop times.

No timer has a task or a cancel scope of its own. Timers that are due together fire in
the order in which they were armed.
"""

import heapq
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import attrs
import trio
from loguru import logger

from duenna._frames import frames_of
from duenna._letters import tell_or_drop
from duenna._text import describe
from duenna.mailbox import Envelope

if TYPE_CHECKING:
    from duenna._cell import Cell

_FEW = 64


class Due(Protocol):
    """What the heap holds: an alarm, a timer, or an ask that times out."""

    @property
    def period(self) -> float:
        """Seconds between two firings; 0: it fires once."""
        ...

    @property
    def is_live(self) -> bool:
        """Whether it still wants to fire."""
        ...

    def fire(self) -> None:
        """Do what is due."""
        ...


@attrs.define(eq=False)
class Alarm:
    """A call of the kernel's that is due at some time, unless it is cancelled first.

    Attributes:
        period: 0: it fires once.
        at: When it is due; inf: never.
    """

    _heap: "TimerHeap"
    _call: Callable[[], None] | None
    period: float = 0.0
    at: float = math.inf

    @property
    def is_live(self) -> bool:
        """Whether it will still fire."""
        return self._call is not None

    def cancel(self) -> None:
        """Never fire; does nothing if it has, or the second time."""
        if self._call is not None:
            self._call = None
            self._heap.forget_one()

    def fire(self) -> None:
        """Make the call."""
        call, self._call = self._call, None
        if call is not None:
            call()


class Timer(Envelope):
    """A message that is due at some time; given by ``tell_after`` and ``tell_every``.

    Timer and message are one object, because there may be a hundred thousand of them. To the
    actor itself it is delivered as an envelope of its incarnation, so that the next one never
    sees it; to others as the bare message.

    Attributes:
        message: What is told.
        period: Seconds between ticks; 0 if it is told once.
        is_live: Whether it will still be told.
    """

    __slots__ = ("_heap", "_incarnation", "_owner", "_target", "is_live", "message", "period")

    def __init__(  # noqa: PLR0917  # one of a hundred thousand: keywords would cost
        self,
        heap: "TimerHeap",
        owner: "dict[Timer, None]",
        target: "Cell",
        incarnation: int,
        message: object,
        period: float,
    ) -> None:
        """Tell *message* to *target*; *incarnation* is 0 if that is another actor."""
        self._heap = heap
        self._owner = owner
        self._target = target
        self._incarnation = incarnation
        self.message = message
        self.period = period
        self.is_live = True
        owner[self] = None

    def cancel(self) -> None:
        """Never tell it again; does nothing if it was told, or the second time."""
        if self.is_live:
            self.is_live = False
            self._owner.pop(self, None)
            self._heap.forget_one()

    def fire(self) -> None:
        """Tell the message."""
        if not self.period:
            self.is_live = False
            self._owner.pop(self, None)
        tell_or_drop(self._target, self if self._incarnation else self.message)

    def is_wanted(self, incarnation: int) -> bool:
        """Return whether *incarnation* is the one that set the timer."""
        return incarnation == self._incarnation


class TimerHeap:
    """The timers of one runtime, and the task that waits for the first of them."""

    def __init__(self, clock: trio.abc.Clock) -> None:
        """Take the time from *clock*."""
        self._clock = clock
        self._heap: list[tuple[float, int, Due]] = []
        self._count = 0
        self._dead = 0
        self._scope: trio.CancelScope | None = None
        self._is_closed = False

    def after(self, delay: float, call: Callable[[], None]) -> Alarm:
        """Call *call* in *delay* seconds; never, if that is infinite."""
        alarm = Alarm(self, call, at=self._clock.current_time() + delay)
        self.arm(delay, alarm)
        return alarm

    def arm(self, delay: float, due: Due) -> None:
        """Fire *due* in *delay* seconds, and then in its period; never, if the delay is infinite.

        After a stall, the ticks that were missed are skipped.
        """
        if delay < math.inf:
            self._push(self._clock.current_time() + delay, due)

    def forget_one(self) -> None:
        """Count a timer as cancelled; throw the dead ones out once they are more than half."""
        self._dead += 1
        if self._dead > _FEW and self._dead * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].is_live]
            heapq.heapify(self._heap)
            self._dead = 0

    def fire_due(self) -> None:
        """Fire every timer whose time has come."""
        if not self._heap or self._heap[0][0] > (now := self._clock.current_time()):
            return
        newest = self._count  # a timer armed from here on waits for the next round: no round is endless
        while self._heap:
            due, number, timer = self._heap[0]
            if due > now or number > newest:
                break
            heapq.heappop(self._heap)
            if not timer.is_live:
                self._dead -= 1
                continue
            try:
                timer.fire()
            except Exception as exc:  # noqa: BLE001  # one that fails must not take the others with it
                logger.error("a timer failed: {}\n{}", describe(exc), "\n".join(frames_of(exc)[0]))
            if timer.period and timer.is_live:
                missed = math.floor((now - due) / timer.period)
                self._push(due + (missed + 1) * timer.period, timer)

    @trio.lowlevel.enable_ki_protection
    async def serve(self) -> None:
        """Fire timers until closed."""
        while not self._is_closed:
            due = self._heap[0][0] if self._heap else math.inf
            if due > self._clock.current_time():
                with trio.CancelScope(deadline=due, shield=True) as self._scope:
                    await trio.sleep_forever()
                self._scope = None
            else:
                await trio.lowlevel.cancel_shielded_checkpoint()
            self.fire_due()

    def close(self) -> None:
        """End ``serve``; no timer fires any more."""
        self._is_closed = True
        self._heap.clear()
        if self._scope is not None:
            self._scope.cancel()

    def _push(self, due: float, timer: Due) -> None:
        self._count += 1
        heapq.heappush(self._heap, (due, self._count, timer))
        if self._scope is not None and due < self._scope.deadline:
            self._scope.deadline = due
