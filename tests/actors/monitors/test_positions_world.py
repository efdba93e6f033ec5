"""The position monitor on a sandbox over real sockets: real orders, one each, whatever happens to the answers.

The sandbox tells no positions over REST; the test reads them from its account, and closes over the wire.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import trio

from duenna import Actor, Backoff, Context, Guard, Retry
from duenna_actors.binance import Order, PlaceOrder
from duenna_actors.binance_api import BinanceApi
from duenna_actors.monitors import BinancePositions, Position, PositionMonitor, Threshold
from duenna_actors.sandbox import LostAnswers
from tests.actors.binance.client_kit import Trading, trading, until
from tests.actors.support import bot, http, raw_server


class SandboxAccount(BinancePositions):
    """The account of a sandbox; closes as on Binance."""

    def __init__(self, market: Trading) -> None:
        super().__init__(market.bot.ref("api"), timeout=30.0)
        self.market = market

    async def positions(self) -> list[Position]:
        await trio.lowlevel.checkpoint()
        held = self.quantity()
        return [Position(symbol="BTCUSDT", quantity=held, price=Decimal(60_000))] if held else []

    def quantity(self) -> Decimal:
        exchange = self.market.sandbox._app.exchange
        units = exchange.desk.account.position("BTCUSDT").quantity
        return Decimal(units) / Decimal(10) ** 3


async def watch(market: Trading) -> SandboxAccount:
    account = SandboxAccount(market)
    guard = Guard("test_closes", retry=Retry(3, backoff=Backoff.none()), breaker=None)
    await market.bot.start(
        "positions",
        lambda: PositionMonitor(account, Threshold(quantity="0.015"), check_every=0.05, settle=0.0, guard=guard),
    )
    return account


async def test_a_position_that_grows_too_large_is_closed() -> None:
    async with trading() as market:
        account = await watch(market)
        await market.binance.place_order("BTCUSDT", "buy", "0.01", client_order_id="first")
        await trio.sleep(0.2)
        assert account.quantity() == Decimal("0.01")
        await market.binance.place_order("BTCUSDT", "buy", "0.01", client_order_id="second")
        await until(lambda: account.quantity() == 0)

        closes = [order for order in market.orders() if order.client_id.startswith("close-")]
        assert [order.status for order in closes] == ["FILLED"]


async def test_lost_answers_and_a_restart_in_the_middle_close_it_once() -> None:
    """The exchange fills the order, its answers are lost, and the monitor is restarted: there is no second order."""
    async with trading() as market:
        await market.binance.place_order("BTCUSDT", "buy", "0.02", client_order_id="mine")
        fault = market.inject(LostAnswers(mode="cut"))
        account = await watch(market)
        await until(lambda: account.quantity() == 0)
        await market.bot.runtime.restart_child("/bot/positions")
        await trio.sleep(1.0)

        assert market.strikes(fault) == 1
        assert len([order for order in market.orders() if order.client_id.startswith("close-")]) == 1
        assert account.quantity() == 0


RISK: list[dict[str, Any]] = [
    {"symbol": "BTCUSDT", "positionAmt": "-0.020", "entryPrice": "60000.0", "markPrice": "61000.1"},
    {"symbol": "ETHUSDT", "positionSide": "LONG", "positionAmt": "1.5", "entryPrice": "3000", "markPrice": "2900"},
    {"symbol": "SOLUSDT", "positionSide": "SHORT", "positionAmt": "0.0", "entryPrice": "0.0", "markPrice": "150"},
]


async def test_positions_are_read_as_binance_tells_them() -> None:
    async def answer(stream: trio.SocketStream, head: bytes) -> None:
        body: Any = RISK if b"positionRisk" in head else {"serverTime": 1_800_000_000_000}
        await stream.send_all(http(json.dumps(body), Connection="close"))

    async with raw_server(answer) as server, bot() as running:
        options: dict[str, Any] = {"api_key": "key", "api_secret": "secret"}
        await running.start("api", lambda: BinanceApi(server.url, **options))
        positions = await BinancePositions(running.ref("api")).positions()

        assert positions == [
            Position(
                symbol="BTCUSDT", quantity=Decimal("-0.020"), price=Decimal("61000.1"), entry_price=Decimal("60000.0")
            ),
            Position(
                symbol="ETHUSDT",
                quantity=Decimal("1.5"),
                price=Decimal(2900),
                entry_price=Decimal(3000),
                id="ETHUSDT:LONG",
            ),
        ]
        assert [held.loss for held in positions] == [Decimal("20.002"), Decimal(150)]
        assert any(head.startswith(b"GET /fapi/v3/positionRisk?") for head in server.requests)


async def test_a_hedged_position_is_closed_on_its_side() -> None:
    """One that says its side is not reduce-only as well: the exchange takes one of the two."""
    order = {
        "symbol": "ETHUSDT",
        "orderId": 1,
        "clientOrderId": "close-1",
        "status": "FILLED",
        "side": "SELL",
        "type": "MARKET",
        "origQty": "1.5",
        "executedQty": "1.5",
        "positionSide": "LONG",
    }
    async with bot() as running:
        asked: list[Any] = []

        class Client(Actor):
            def receive(self, message: PlaceOrder) -> Order:
                asked.append(message)
                return msgspec.convert(order, Order, strict=False)

        await running.start("api", Client)
        held = Position(symbol="ETHUSDT", quantity=Decimal("1.5"), price=Decimal(2900), id="ETHUSDT:LONG")
        await BinancePositions(running.ref("api")).close(held, "close-1", may_exist=True)

    (sent,) = asked
    assert (sent.side, sent.quantity, sent.position_side, sent.reduce_only) == ("SELL", Decimal("1.5"), "LONG", False)
    assert (sent.client_order_id, sent.may_exist) == ("close-1", True)


async def test_the_source_can_be_made_of_the_monitors_context() -> None:
    async with trading() as market:
        seen: list[str] = []

        def account(context: Context) -> SandboxAccount:
            seen.append(context.lookup("api").path)
            return SandboxAccount(market)

        await market.binance.place_order("BTCUSDT", "buy", "0.02", client_order_id="mine")
        await market.bot.start("positions", lambda: PositionMonitor(account, Threshold(quantity="0.015")))
        await until(lambda: SandboxAccount(market).quantity() == 0)
        assert seen == ["/bot/api"]
