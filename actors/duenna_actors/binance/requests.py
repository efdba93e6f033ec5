"""Everything that can be asked of the exchange, as methods: of the client itself, and of a ref to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import msgspec
import trio

from duenna import ActorDiedError, AskTimeoutError, MailboxFullError
from duenna_actors.binance.market import (
    FetchDepth,
    FetchFundingRates,
    FetchMarkPrice,
    FetchOhlcv,
    FetchOpenInterest,
    FetchOpenInterestHistory,
    FetchTakerRatio,
    FetchTraderRatio,
)
from duenna_actors.binance.order_calls import (
    CancelAllOrders,
    CancelOrder,
    FetchBalances,
    FetchLiquidations,
    FetchOpenOrders,
    QueryOrder,
)
from duenna_actors.binance.order_errors import OrderOutcomeUnknownError
from duenna_actors.binance.orders import MakeOrderId, Order, PlaceOrder, to_decimal

if TYPE_CHECKING:
    from datetime import datetime

    from duenna import Ref
    from duenna_actors.balance import Balance
    from duenna_actors.binance.book_messages import DepthSnapshot
    from duenna_actors.binance.calls import Message
    from duenna_actors.binance.market import Traders
    from duenna_actors.binance.orders import Amount
    from duenna_actors.binance.rows import (
        FundingRate,
        MarkPriceNow,
        Ohlcv,
        OpenInterest,
        OpenInterestAt,
        TakerRatio,
        TraderRatio,
    )

    Moment = datetime | int | None

R = TypeVar("R")


class Requests:
    """Each method makes a message, performs it, and returns the answer; the messages describe the arguments."""

    async def perform(self, message: Message[R]) -> R:
        """Have the exchange do what *message* says, and return the answer."""
        raise NotImplementedError

    async def fetch_ohlcv(
        self, symbol: str, interval: str = "1m", *, limit: int | None = None, since: Moment = None, until: Moment = None
    ) -> list[Ohlcv]:
        """Return candles, oldest first: `FetchOhlcv`."""
        return await self.perform(FetchOhlcv(symbol, interval, limit=limit, since=since, until=until))

    async def fetch_open_interest(self, symbol: str) -> OpenInterest:
        """Return the open contracts: `FetchOpenInterest`."""
        return await self.perform(FetchOpenInterest(symbol))

    async def fetch_open_interest_history(
        self, symbol: str, period: str = "5m", *, limit: int | None = None, since: Moment = None, until: Moment = None
    ) -> list[OpenInterestAt]:
        """Return the open contracts of the past, oldest first: `FetchOpenInterestHistory`."""
        return await self.perform(FetchOpenInterestHistory(symbol, period, limit=limit, since=since, until=until))

    async def fetch_funding_rates(
        self, symbol: str | None = None, *, limit: int | None = None, since: Moment = None, until: Moment = None
    ) -> list[FundingRate]:
        """Return past funding payments, oldest first: `FetchFundingRates`."""
        return await self.perform(FetchFundingRates(symbol, limit=limit, since=since, until=until))

    async def fetch_mark_price(self, symbol: str) -> MarkPriceNow:
        """Return mark price, index price and the next funding: `FetchMarkPrice`."""
        return await self.perform(FetchMarkPrice(symbol))

    async def fetch_liquidations(
        self, symbol: str | None = None, *, limit: int | None = None, since: Moment = None, until: Moment = None
    ) -> list[Order]:
        """Return the account's own liquidations, oldest first: `FetchLiquidations`."""
        return await self.perform(FetchLiquidations(symbol, limit=limit, since=since, until=until))

    async def fetch_trader_ratio(
        self,
        symbol: str,
        period: str = "5m",
        *,
        traders: Traders = "all",
        limit: int | None = None,
        since: Moment = None,
        until: Moment = None,
    ) -> list[TraderRatio]:
        """Return how many traders were long and short, oldest first: `FetchTraderRatio`."""
        return await self.perform(FetchTraderRatio(symbol, period, traders, limit=limit, since=since, until=until))

    async def fetch_taker_ratio(
        self, symbol: str, period: str = "5m", *, limit: int | None = None, since: Moment = None, until: Moment = None
    ) -> list[TakerRatio]:
        """Return what takers bought and sold, oldest first: `FetchTakerRatio`."""
        return await self.perform(FetchTakerRatio(symbol, period, limit=limit, since=since, until=until))

    async def fetch_depth(self, symbol: str, limit: int = 500) -> DepthSnapshot:
        """Return a snapshot of the order book: `FetchDepth`."""
        return await self.perform(FetchDepth(symbol, limit))

    async def fetch_balances(self) -> dict[str, Balance]:
        """Return what the account holds, by asset: `FetchBalances`."""
        return await self.perform(FetchBalances())

    async def place_order(
        self,
        symbol: str,
        side: str,
        quantity: Amount,
        price: Amount | None = None,
        *,
        type: str | None = None,  # noqa: A002  # the exchange's word
        time_in_force: str | None = None,
        reduce_only: bool = False,
        position_side: str | None = None,
        client_order_id: str = "",
        send_within: float = 10.0,
        may_exist: bool = False,
    ) -> Order:
        """Place an order, once, and return it as the exchange knows it: `PlaceOrder`.

        Raises:
            OrderOutcomeUnknownError: It may be at the exchange. After any other error it is not.
        """
        return await self.perform(
            PlaceOrder(
                symbol=symbol,
                side=side,
                quantity=to_decimal("quantity", quantity),
                price=None if price is None else to_decimal("price", price),
                type=type,
                time_in_force=time_in_force,
                reduce_only=reduce_only,
                position_side=position_side,
                client_order_id=client_order_id,
                send_within=send_within,
                may_exist=may_exist,
            )
        )

    async def query_order(
        self, symbol: str, client_order_id: str | None = None, *, order_id: int | None = None
    ) -> Order:
        """Return how an order stands: `QueryOrder`."""
        return await self.perform(QueryOrder(symbol=symbol, client_order_id=client_order_id, order_id=order_id))

    async def cancel_order(
        self, symbol: str, client_order_id: str | None = None, *, order_id: int | None = None
    ) -> Order:
        """Cancel an order and return it as it ended, which may be filled: `CancelOrder`."""
        return await self.perform(CancelOrder(symbol=symbol, client_order_id=client_order_id, order_id=order_id))

    async def cancel_all_orders(self, symbol: str) -> None:
        """Cancel all open orders of a contract: `CancelAllOrders`."""
        await self.perform(CancelAllOrders(symbol))

    async def fetch_open_orders(self, symbol: str | None = None) -> list[Order]:
        """Return the open orders: `FetchOpenOrders`."""
        return await self.perform(FetchOpenOrders(symbol))


class Binance(Requests):
    """A `BinanceClient` as its users see it: ``await Binance(context.lookup("api")).fetch_ohlcv("SOL/USDT", "5m")``."""

    def __init__(self, ref: Ref, *, timeout: float = 60.0) -> None:
        """Ask *ref*.

        Args:
            ref: The client.
            timeout: Seconds to wait for an answer, retries included.
        """
        self._ref = ref
        self._timeout = timeout

    async def perform(self, message: Message[R]) -> R:
        """Ask, and return the answer.

        An order without an id gets one before it is asked for; its ``send_within`` begins now.

        Raises:
            AskTimeoutError: No answer came in time.
            ActorDiedError: None will come.
            OrderOutcomeUnknownError: The same of an order: `OrderFound` will say what became of
                it. After any other error it is not at the exchange.
        """
        given: object = message
        if isinstance(given, PlaceOrder):
            return cast("R", await self._place(given))
        answer: R = await self._ref.ask(message, timeout=self._timeout)
        return answer

    async def _place(self, order: PlaceOrder) -> Order:
        ends = min(order.send_until, trio.current_time() + order.send_within)
        order = msgspec.structs.replace(order, send_until=ends)
        if not order.client_order_id:
            name = await self._ref.ask(MakeOrderId(), timeout=self._timeout)
            order = msgspec.structs.replace(order, client_order_id=name)
        try:
            placed: Order = await self._ref.ask(order, timeout=self._timeout)
        except (ActorDiedError, AskTimeoutError, MailboxFullError) as error:
            raise OrderOutcomeUnknownError(order.client_order_id, order.symbol, "no answer came") from error
        return placed
