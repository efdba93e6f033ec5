"""The positions of a Binance USD-M futures account, as a `PositionMonitor` wants them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from duenna.machines import checks
from duenna_actors._http import ApiRequest
from duenna_actors.binance.requests import Binance
from duenna_actors.monitors.position_messages import Position

if TYPE_CHECKING:
    from duenna import Ref

_PATH = "/fapi/v3/positionRisk"


class _Risk(msgspec.Struct):
    symbol: str
    quantity: Decimal = msgspec.field(name="positionAmt")
    entry_price: Decimal = msgspec.field(name="entryPrice")
    mark_price: Decimal = msgspec.field(name="markPrice")
    side: str = msgspec.field(name="positionSide", default="BOTH")


class BinancePositions:
    """Reads the positions through a `BinanceClient`, and closes them with market orders that only ever reduce.

    In hedge mode a position's id is `BTCUSDT:LONG` or `BTCUSDT:SHORT`, else the symbol.
    """

    def __init__(self, client: Ref, *, timeout: float = 15.0) -> None:
        """Ask *client*.

        Args:
            client: A `BinanceClient`.
            timeout: Seconds to wait for an answer, greater than 0.

        Raises:
            ValueError: *timeout* is out of range.
        """
        self._client = client
        self._timeout = checks.duration("BinancePositions", "timeout", timeout, zero=False)

    async def positions(self) -> list[Position]:
        """Return the open positions."""
        request = ApiRequest(path=_PATH, type=list[_Risk], is_signed=True)
        response = await self._client.ask(request, timeout=self._timeout)
        rows: list[_Risk] = response.data
        return [
            Position(
                symbol=row.symbol,
                quantity=row.quantity,
                price=row.mark_price,
                entry_price=row.entry_price,
                id=row.symbol if row.side == "BOTH" else f"{row.symbol}:{row.side}",
            )
            for row in rows
            if row.quantity
        ]

    async def close(self, position: Position, order_id: str, *, may_exist: bool) -> None:
        """Close all of *position* with the order *order_id*, which is looked for first if it may exist.

        Raises:
            OrderOutcomeUnknownError: It may be at the exchange. After any other error it is not.
        """
        _, _, side = position.id.partition(":")
        await Binance(self._client, timeout=self._timeout).place_order(
            position.symbol,
            "SELL" if position.quantity > 0 else "BUY",
            abs(position.quantity),
            reduce_only=not side,  # in hedge mode the side says it, and the exchange takes no more than one of the two
            position_side=side or None,
            client_order_id=order_id,
            may_exist=may_exist,
        )
