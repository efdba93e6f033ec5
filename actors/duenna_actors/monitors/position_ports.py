"""What a `PositionMonitor` needs of the world around it: the account, and a place for what it has sent."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import attrs
import trio

from duenna_actors.monitors.position_messages import PendingClose  # attrs reads it

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duenna_actors.monitors.position_messages import Position, PositionsReading


class PositionMode(StrEnum):
    """What is done about a position beyond its threshold."""

    REPORT = "report"
    CLOSE = "close"


class PositionSource(Protocol):
    """The account: what a `PositionMonitor` reads, and closes positions through."""

    async def positions(self) -> PositionsReading | Sequence[Position]:
        """Return all open positions, as the exchange knows them; raise if they cannot be had."""
        ...

    async def close(self, position: Position, order_id: str, *, may_exist: bool) -> object:
        """Close all of *position* with one order; return when the exchange has carried it out.

        Args:
            position: As it was when the order was made.
            order_id: The client order id to send. A second call with it must not lead to a second order.
            may_exist: Whether an earlier call may have sent it: find out first.

        Raises:
            Exception: It was not carried out. An ``outcome_unknown`` of False says that it is not
                at the exchange and will not get there; without that, it may be.
        """
        ...


class CloseStore(Protocol):
    """Keeps the orders that may have been sent, for the monitor's next life."""

    async def load(self) -> Sequence[PendingClose]:
        """Return what was saved last."""
        ...

    async def save(self, closes: Sequence[PendingClose]) -> None:
        """Keep *closes*, and nothing else; return when they are kept."""
        ...


@attrs.define
class MemoryCloseStore:
    """Keeps them as long as the process lives.

    Attributes:
        closes: What was saved last.
    """

    closes: tuple[PendingClose, ...] = ()

    async def load(self) -> Sequence[PendingClose]:
        """Return what was saved last."""
        await trio.lowlevel.checkpoint()
        return self.closes

    async def save(self, closes: Sequence[PendingClose]) -> None:
        """Keep *closes*."""
        self.closes = tuple(closes)
        await trio.lowlevel.checkpoint_if_cancelled()
