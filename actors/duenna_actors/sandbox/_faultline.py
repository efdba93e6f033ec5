"""The faults as the rest of the sandbox sees them: the board, on trio's clock, with listeners."""

import math
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import TypeVar

import attrs
import msgspec
import trio
from loguru import logger

from duenna_actors.sandbox._board import FaultBoard
from duenna_actors.sandbox._fault_base import FaultBase
from duenna_actors.sandbox.faults import Fault
from duenna_actors.sandbox.schedule import ActiveFault, FaultChanged, Scheduled

_F = TypeVar("_F", bound=FaultBase)

OnFault = Callable[[FaultChanged], None]
"""Called with every beginning and end of a fault, in the sandbox's own task: it must not block."""


@attrs.define(eq=False, repr=False)
class Faults:
    """The control surface: `inject`, `clear`, `active`.

    The board counts in trio's own seconds, from which this subtracts the start when it shows them: a time that went
    through a subtraction and back may miss the deadline it came from by the last bit, for ever. What is due comes
    before whatever asks at the same moment, so that a tie between a fault and a tick is no matter of chance.

    Attributes:
        listeners: Who is told of every change. The sandbox itself is the first of them.
    """

    _board: FaultBoard = attrs.field(alias="board")
    _started: float = attrs.field(alias="started")
    listeners: list[OnFault] = attrs.field(factory=list[OnFault], init=False)
    _changed: trio.Event = attrs.field(factory=trio.Event, init=False)
    _due: float = attrs.field(default=-math.inf, init=False)

    @classmethod
    def build(cls, random: Random, schedule: Iterable[Scheduled], started: float) -> "Faults":
        """Make the faults of a sandbox that starts at a time of trio's clock."""
        shifted = [msgspec.structs.replace(item, at=started + item.at) for item in schedule]
        return cls(FaultBoard(random, shifted), started)

    @property
    def now(self) -> float:
        """Seconds since the sandbox's start."""
        return trio.current_time() - self._started

    @property
    def active(self) -> tuple[ActiveFault, ...]:
        """The faults that hold now, oldest first."""
        self._advance()
        return tuple(
            msgspec.structs.replace(
                active,
                since=active.since - self._started,
                until=None if active.until is None else active.until - self._started,
            )
            for active in self._board.active()
        )

    def inject(self, fault: Fault, duration: float | None = None) -> int:
        """Inject a fault and return its number.

        Args:
            fault: Which.
            duration: How long it holds, in seconds; `None` is until it is cleared, or spent. Instant faults take none.

        Raises:
            ValueError: The duration is not greater than 0, or the fault is an instant one.
        """
        change = self._board.inject(fault, trio.current_time(), duration)
        self._tell([change])
        self._touch()
        return change.number

    def clear(self, number: int | None = None, *, kind: type[FaultBase] | None = None) -> int:
        """End the fault of that number, or all of that kind, or all; return how many that were."""
        changes = self._board.clear(trio.current_time(), number, kind)
        self._tell(changes)
        self._touch()
        return len(changes)

    def strike(self, kind: type[_F], **where: str) -> _F | None:
        """Return the fault of a kind that strikes there now, if one does; counts, and asks chance."""
        now = trio.current_time()
        if now >= self._due:
            self._advance()
        if self._board.is_quiet:
            return None
        fault = self._board.strike(kind, now, **where)
        if fault is not None and self._board.has_spent:
            self._changed.set()
        return fault

    def holds(self, kind: type[_F], **where: str) -> _F | None:
        """Return the first fault of a kind that holds there now, without striking."""
        now = trio.current_time()
        if now >= self._due:
            self._advance()
        return self._board.holds(kind, now, **where)

    async def run(self) -> None:
        """Begin and end what is due, for ever. Sleeps until the next time that something is."""
        while True:
            self._changed = trio.Event()
            self._advance()
            with trio.move_on_at(self._due):
                await self._changed.wait()

    def _touch(self) -> None:
        self._due = -math.inf  # looked up again by the next who asks
        self._changed.set()

    def _advance(self) -> None:
        changes = self._board.advance(trio.current_time())
        due = self._board.next_at()
        self._due = math.inf if due is None else due
        self._tell(changes)

    def _tell(self, changes: Sequence[FaultChanged]) -> None:
        for change in changes:
            shown = msgspec.structs.replace(change, at=change.at - self._started)
            for listener in self.listeners:
                try:
                    listener(shown)
                except Exception:  # noqa: BLE001 - a viewer's error must not end the exchange
                    logger.exception("a listener of the sandbox's faults failed")
