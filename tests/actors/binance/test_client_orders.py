"""Orders on a sandbox over real sockets: whatever happens to request and answer, there is one, or none, and never two.

The sandbox compares client order ids with open orders only, as the exchange does: a market
order that is sent twice is filled twice.
"""

from __future__ import annotations

from decimal import Decimal
from math import inf
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import pytest
import trio

from duenna import AskTimeoutError, ErrorReported
from duenna.guards import CircuitOpenError, RateLimitedError
from duenna_actors.api import ApiRateLimitError, ApiRequest, ApiStatusError, ApiTransportError
from duenna_actors.binance import (
    CancelOrder,
    FetchOpenOrders,
    Gate,
    OrderFound,
    OrderNotPlacedError,
    OrderOutcomeUnknownError,
    PlaceOrder,
    QueryOrder,
)
from duenna_actors.sandbox import (
    ClockDrift,
    ConnectionsRefused,
    Fault,
    GarbledAnswers,
    HalfOpen,
    HttpFailure,
    LostAnswers,
    RateLimited,
    SandboxSettings,
    SlowAnswers,
)

from .client_kit import Trading, trading, until

if TYPE_CHECKING:
    from duenna_actors.binance import Order

ORDER = "/fapi/v1/order"
SHORT: dict[str, Any] = {"timeout": 0.3}


async def buy(market: Trading, client_order_id: str = "mine", **options: Any) -> Order:
    return await market.binance.place_order("BTC/USDT", "buy", 0.01, client_order_id=client_order_id, **options)


def filled(market: Trading, client_order_id: str = "mine") -> list[str]:
    return [order.status for order in market.orders(client_order_id)]


# -- while state is lost ---------------------------------------------------------------


async def test_nothing_is_sent_while_state_is_lost_but_what_reduces_a_position() -> None:
    """And what may have been sent before is not called absent."""
    async with trading() as market:
        await buy(market, "before")
        trade = market.client.context.runtime.recovery.trading
        trade.use_paper("a file is gone", cause="state")
        with pytest.raises(OrderNotPlacedError, match=r"^order mine of BTCUSDT was not placed: state was lost: until "):
            await buy(market)
        with pytest.raises(OrderOutcomeUnknownError, match=r"^order old of BTCUSDT may have been placed: state"):
            await buy(market, "old", may_exist=True)
        await market.binance.place_order("BTC/USDT", "sell", "0.01", reduce_only=True, client_order_id="out")
        market.client.context.runtime.state.reconciled()
        await buy(market)

        assert [order.client_id for order in market.orders()] == ["before", "out", "mine"]


# -- in peace --------------------------------------------------------------------------


async def test_an_order_gets_an_id_before_it_is_sent() -> None:
    async with trading() as market:
        first = await market.binance.place_order("BTC/USDT", "buy", 0.01)
        second = await market.binance.place_order("BTC/USDT", "sell", "0.01", reduce_only=True)

        assert [first.status, second.status] == ["FILLED", "FILLED"]
        assert first.client_order_id.startswith("duenna-")
        assert first.client_order_id != second.client_order_id
        assert [order.client_id for order in market.orders()] == [first.client_order_id, second.client_order_id]


async def test_an_order_can_be_asked_for_and_cancelled_by_its_id() -> None:
    async with trading() as market:
        binance = market.binance
        placed = await binance.place_order("BTCUSDT", "BUY", "0.01", 1000, client_order_id="resting")

        assert (placed.status, placed.is_open) == ("NEW", True)
        assert await binance.query_order("BTCUSDT", "resting") == placed
        assert await binance.query_order("BTCUSDT", order_id=placed.order_id) == placed
        assert await binance.fetch_open_orders() == await binance.fetch_open_orders("btc/usdt") == [placed]
        assert (await binance.cancel_order("BTCUSDT", "resting")).status == "CANCELED"
        assert await binance.fetch_open_orders() == []


async def test_cancelling_twice_or_too_late_says_how_it_ended() -> None:
    async with trading() as market:
        binance = market.binance
        await buy(market)
        await binance.place_order("BTCUSDT", "BUY", "0.01", 1000, client_order_id="resting")
        await binance.cancel_order("BTCUSDT", "resting")

        assert (await binance.cancel_order("BTCUSDT", "resting")).status == "CANCELED"
        assert (await binance.cancel_order("BTCUSDT", "mine")).status == "FILLED"
        with pytest.raises(ApiStatusError) as caught:
            await binance.cancel_order("BTCUSDT", "no-such-order")
        assert caught.value.code == -2013


async def test_all_can_be_cancelled() -> None:
    async with trading() as market:
        for number in range(3):
            await market.binance.place_order("BTCUSDT", "BUY", "0.01", 1000 + number)

        await market.binance.cancel_all_orders("BTC/USDT")

        assert await market.binance.fetch_open_orders() == []


async def test_own_liquidations_come_as_orders() -> None:
    async with trading() as market:
        await buy(market)
        await buy(market, "autoclose-1596107620040000020")
        await buy(market, "adl_autoclose")

        forced = await market.binance.fetch_liquidations("BTC/USDT")

        assert [order.client_order_id for order in forced] == ["autoclose-1596107620040000020", "adl_autoclose"]
        assert len(await market.binance.fetch_liquidations(limit=1)) == 1


async def test_what_the_exchange_refuses_is_told_as_it_is() -> None:
    async with trading() as market:
        with pytest.raises(ApiStatusError) as caught:
            await market.binance.place_order("BTCUSDT", "BUY", 1000)

        assert (caught.value.status, caught.value.code, market.orders()) == (400, -2019, [])


async def test_the_same_order_is_placed_once_however_often_it_is_asked_for() -> None:
    async with trading() as market:
        first = await buy(market)

        assert await buy(market) == first
        with pytest.raises(ValueError, match=r"^client_order_id must not be in use, 'mine' is that of another order: "):
            await market.binance.place_order("BTCUSDT", "SELL", "0.01", client_order_id="mine")
        assert filled(market) == ["FILLED"]


# -- one, and not two ------------------------------------------------------------------

LOST: list[Fault] = [
    LostAnswers(mode="timeout", count=1),
    LostAnswers(mode="silence", count=1),
    LostAnswers(mode="cut", count=1),
    GarbledAnswers(path=ORDER, method="POST", mode="html", count=1),
    GarbledAnswers(path=ORDER, method="POST", mode="truncated", count=1),
    GarbledAnswers(path=ORDER, method="POST", mode="garbled", count=1),
    GarbledAnswers(path=ORDER, method="POST", mode="cut", count=1),
    SlowAnswers(path=ORDER, method="POST", latency=1.0, count=1),
]


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: f"{type(fault).__name__} {getattr(fault, 'mode', '')}")
async def test_an_order_whose_answer_is_lost_is_found_and_not_sent_again(fault: Fault) -> None:
    async with trading(**SHORT) as market:
        market.inject(fault)

        order = await buy(market)

        assert (order.client_order_id, order.status, filled(market)) == ("mine", "FILLED", ["FILLED"])


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
async def test_an_order_that_failed_on_the_way_is_looked_for_until_it_is_certain(status: int) -> None:
    """The sandbox did nothing with it; nobody knows that before the exchange can take it no more."""
    async with trading(receive_window=0.5) as market:
        market.inject(HttpFailure(path=ORDER, method="POST", status=status, is_html=status == 502, count=1))
        market.client._desk._takes = 1.0  # type: ignore[union-attr]  # the ten seconds beside it are for the real one
        began = trio.current_time()

        with pytest.raises(OrderNotPlacedError) as caught:
            await buy(market, send_within=0.5)

        assert 1.0 <= trio.current_time() - began < 5.0
        assert caught.value.client_order_id == "mine"
        assert isinstance(caught.value.__cause__, ApiStatusError)
        assert market.orders() == []


async def test_then_it_may_be_sent_again() -> None:
    async with trading(receive_window=0.5) as market:
        market.inject(HttpFailure(path=ORDER, method="POST", count=1))
        market.client._desk._takes = 1.0  # type: ignore[union-attr]

        await buy(market, send_within=10.0)

        assert filled(market) == ["FILLED"]


async def test_a_refusal_by_the_protection_from_overload_is_certain_and_tried_again() -> None:
    async with trading() as market:
        market.inject(HttpFailure(path=ORDER, method="POST", status=503, code=-1008, count=1))

        with trio.fail_after(5.0):
            await buy(market)

        assert filled(market) == ["FILLED"]


async def test_a_wrong_clock_is_set_and_the_order_signed_anew() -> None:
    async with trading() as market:
        market.inject(ClockDrift(offset=-30.0))

        await buy(market)

        assert filled(market) == ["FILLED"]


async def test_an_order_waits_out_a_rate_limit_if_it_has_the_time() -> None:
    async with trading() as market:
        market.inject(RateLimited(retry_after=1.0, patience=100))

        await buy(market)

        assert filled(market) == ["FILLED"]


async def test_and_is_not_sent_if_it_has_not() -> None:
    async with trading() as market:
        market.inject(RateLimited(retry_after=5.0, patience=100))

        with trio.fail_after(2.0), pytest.raises(ApiRateLimitError):
            await buy(market, send_within=4.0)

        assert market.orders() == []


async def test_during_a_ban_no_order_is_sent() -> None:
    async with trading() as market:
        market.inject(RateLimited(retry_after=100.0, patience=0, ban=100.0))
        with pytest.raises(ApiRateLimitError):
            await buy(market)

        with pytest.raises(RateLimitedError):
            await buy(market, "another")

        assert market.client.gates.by_limit[Gate.ORDERS].blocked_for > 90.0
        assert market.orders() == []


async def test_too_many_orders_are_held_back_before_the_exchange_has_to() -> None:
    """100 at once, then 18 a second, for which an order waits one second: never 300 in 10 s."""
    async with trading(SandboxSettings(balance=10**9), max_pending=300) as market:
        refused: list[RateLimitedError] = []

        async def one(number: int) -> None:
            try:
                await buy(market, f"order-{number}")
            except RateLimitedError as error:
                refused.append(error)

        async with trio.open_nursery() as nursery:
            for number in range(250):
                nursery.start_soon(one, number)

        assert 100 < len(market.orders()) < 200
        assert refused
        assert len(refused) + len(market.orders()) == 250


async def test_a_closed_port_is_certain_and_tried_again() -> None:
    async with trading() as market:
        market.inject(ConnectionsRefused(), 0.3)

        try:
            await buy(market)
        except ApiTransportError as error:
            assert not error.outcome_unknown  # noqa: PT017  # chance decides how long the waits are
            assert market.orders() == []
        else:
            assert filled(market) == ["FILLED"]


async def test_a_connection_that_is_half_open_leaves_the_order_to_be_found() -> None:
    """It had left, and nobody knows whether it arrived. It did not: the sandbox's port was dead."""
    async with trading(timeout=0.3, receive_window=0.5) as market:
        market.client._desk._takes = 1.0  # type: ignore[union-attr]
        market.inject(HalfOpen(), 0.5)

        with pytest.raises(OrderNotPlacedError):
            await buy(market, send_within=0.2)

        assert market.orders() == []


async def test_an_order_is_found_while_the_breaker_of_the_account_is_open() -> None:
    async with trading() as market:
        number = market.inject(HttpFailure(path="/fapi/v1/openOrders"))
        for _ in range(3):
            with pytest.raises((ApiStatusError, CircuitOpenError)):
                await market.binance.fetch_open_orders("BTCUSDT")
        market.sandbox.faults.clear(number)
        assert market.guard(FetchOpenOrders("BTCUSDT")).state == "open"
        market.inject(LostAnswers(mode="timeout", count=1))

        await buy(market)

        assert filled(market) == ["FILLED"]


async def test_after_ten_failures_no_order_is_sent_and_cancelling_still_works() -> None:
    async with trading() as market:
        await market.binance.place_order("BTCUSDT", "BUY", "0.01", 1000, client_order_id="resting")
        market.inject(HttpFailure(path=ORDER, method="POST", status=503, code=-1008))
        for number in range(4):
            with pytest.raises((ApiStatusError, CircuitOpenError)):
                await buy(market, f"order-{number}")
        market.sandbox.faults.clear()

        with pytest.raises(CircuitOpenError) as caught:
            await buy(market)

        assert caught.value.guard == "binance_orders"
        assert (await market.binance.cancel_order("BTCUSDT", "resting")).status == "CANCELED"
        assert filled(market) == []


# -- askers who go, actors who crash ---------------------------------------------------


async def test_an_order_whose_asker_has_gone_is_found_and_published() -> None:
    async with trading(**SHORT) as market:
        market.inject(LostAnswers(mode="silence", count=1))

        with pytest.raises(AskTimeoutError):
            await market.bot.ref("api").ask(place_message("mine"), timeout=0.1)
        found: OrderFound = await market.inbox.next(OrderFound)

        assert found.client_order_id == "mine"
        assert found.order is not None
        assert found.order.status == "FILLED"
        assert filled(market) == ["FILLED"]


async def test_an_order_whose_asker_has_gone_is_not_sent_any_more() -> None:
    async with trading() as market:
        market.inject(RateLimited(retry_after=1.0, patience=100))

        with pytest.raises(AskTimeoutError):
            await market.bot.ref("api").ask(place_message("mine"), timeout=0.2)
        found: OrderFound = await market.inbox.next(OrderFound)

        assert found == OrderFound("mine", None)
        assert market.orders() == []


@pytest.mark.parametrize("mode", ["silence", "cut"])
async def test_an_order_that_was_under_way_at_a_crash_is_found_by_the_next_incarnation(
    mode: Literal["silence", "cut"],
) -> None:
    async with trading() as market, trio.open_nursery() as nursery:
        market.inject(LostAnswers(mode=mode))
        market.inject(HttpFailure(path=ORDER, method="GET"))
        errors: list[Exception] = []

        async def ask() -> None:
            try:
                await buy(market)
            except OrderOutcomeUnknownError as error:
                errors.append(error)

        nursery.start_soon(ask)
        await until(market.orders)
        await market.bot.runtime.restart_child("/bot/api")
        market.sandbox.faults.clear()

        found: OrderFound = await market.inbox.next(OrderFound)

        assert found.order is not None
        whys = ["the connection was closed during the request"]
        if mode == "cut":
            whys.append("no answer came")  # the far end has cut it before the restart did
        assert str(errors[0]) in {f"order mine of BTCUSDT may have been placed: {why}" for why in whys}
        assert filled(market) == ["FILLED"]


async def test_asking_again_after_that_finds_it_as_well() -> None:
    async with trading(settle_within=0.5) as market:
        market.inject(LostAnswers(mode="timeout"))
        number = market.inject(HttpFailure(path=ORDER, method="GET"))
        with pytest.raises(OrderOutcomeUnknownError):
            await buy(market)
        market.sandbox.faults.clear(number)

        assert (await buy(market)).status == "FILLED"
        assert filled(market) == ["FILLED"]


async def test_what_cannot_be_found_out_is_unknown_and_says_why() -> None:
    async with trading(settle_within=0.5) as market:
        market.inject(LostAnswers(mode="timeout"))
        market.inject(HttpFailure(path=ORDER, method="GET"))

        with pytest.raises(OrderOutcomeUnknownError) as caught:
            await buy(market)

        assert caught.value.client_order_id == "mine"
        assert isinstance(caught.value.__cause__, ApiStatusError)
        assert filled(market) == ["FILLED"]


async def test_an_order_of_an_earlier_process_is_not_sent_again() -> None:
    """Another client, which knows nothing of it but the id that the bot had saved."""
    async with trading() as market:
        await buy(market)
        market.client._desk.journal._orders.clear()  # type: ignore[union-attr]

        assert (await buy(market, may_exist=True)).status == "FILLED"
        assert filled(market) == ["FILLED"]


async def test_cancelling_what_is_still_being_placed_waits_until_that_is_known() -> None:
    """The exchange knows nothing of it yet: to believe that would leave an order behind."""
    async with trading(timeout=1.0) as market, trio.open_nursery() as nursery:
        market.inject(LostAnswers(mode="silence", count=1))
        resting = PlaceOrder(
            symbol="BTCUSDT", side="BUY", quantity=Decimal("0.01"), price=Decimal(1000), client_order_id="mine"
        )
        nursery.start_soon(market.bot.ref("api").ask, resting, inf)
        await until(market.orders)

        order = await market.binance.cancel_order("BTCUSDT", "mine")

        assert order.status == "CANCELED"
        assert filled(market) == ["CANCELED"]


async def test_cancelling_all_waits_for_those_that_are_on_their_way() -> None:
    async with trading(timeout=0.5) as market, trio.open_nursery() as nursery:
        market.inject(LostAnswers(mode="silence", count=1))
        market.inject(HttpFailure(path="/fapi/v1/allOpenOrders", method="DELETE", count=1))
        resting = PlaceOrder(
            symbol="BTCUSDT", side="BUY", quantity=Decimal("0.01"), price=Decimal(1000), client_order_id="mine"
        )
        nursery.start_soon(market.bot.ref("api").ask, resting, inf)
        await until(market.orders)

        await market.binance.cancel_all_orders("BTC/USDT")

        assert filled(market) == ["CANCELED"]


async def test_cancelling_takes_back_what_was_not_sent_yet() -> None:
    async with trading() as market, trio.open_nursery() as nursery:
        market.inject(RateLimited(retry_after=1.0, patience=100))
        errors: list[Exception] = []

        async def ask() -> None:
            try:
                await buy(market)
            except OrderNotPlacedError as error:
                errors.append(error)

        nursery.start_soon(ask)
        await until(lambda: market.client.gates.by_limit[Gate.ORDERS].blocked_for)

        with pytest.raises(OrderNotPlacedError, match=r": it is not at the exchange$"):
            await market.binance.cancel_order("BTCUSDT", "mine")

        assert str(errors[0]).endswith("it was cancelled before it was sent")
        assert market.orders() == []


async def test_an_order_that_is_open_although_it_is_unknown_was_not_cancelled() -> None:
    """The exchange contradicts itself: that is told, and not taken for an end."""
    async with trading() as market:
        await market.binance.place_order("BTCUSDT", "BUY", "0.01", 1000, client_order_id="resting")
        market.inject(HttpFailure(path=ORDER, method="DELETE", status=400, code=-2011))

        with pytest.raises(ApiStatusError) as caught:
            await market.binance.cancel_order("BTCUSDT", "resting")

        assert caught.value.code == -2011


async def test_what_else_the_exchange_says_to_cancelling_is_told() -> None:
    async with trading() as market:
        market.inject(HttpFailure(path=ORDER, method="DELETE", status=401, code=-2015))

        with pytest.raises(ApiStatusError) as caught:
            await market.binance.cancel_order("BTCUSDT", "resting")

        assert caught.value.code == -2015


async def test_without_a_key_no_order_is_placed() -> None:
    async with trading(api_key="", api_secret="") as market:
        with pytest.raises(
            ValueError, match=r"^an order must be signed: give BinanceClient an api_key and an api_secr"
        ):
            await buy(market)


async def test_an_answer_about_another_order_leaves_ours_to_be_found() -> None:
    """The sandbox has no such fault: the answer is replaced on the way."""
    async with trading() as market:
        client = market.client
        fetch = client.fetch

        async def replaced(request: ApiRequest) -> Any:
            response = await fetch(request)
            if request.method != "POST":
                return response
            other = msgspec.structs.replace(response.data, client_order_id="another")
            return msgspec.structs.replace(response, data=other)

        client.fetch = replaced  # type: ignore[method-assign]

        assert (await buy(market)).client_order_id == "mine"
        assert filled(market) == ["FILLED"]


async def test_a_told_order_is_not_sent() -> None:
    """Nobody would hear what became of it."""
    async with trading() as market:
        market.bot.ref("api").tell(place_message("mine"))

        reported = await market.bot.seen.next(ErrorReported)

        assert reported.error.endswith("refused the call: nobody waits for the answer")
        assert market.orders() == []


@pytest.mark.parametrize("mode", ["timeout", "silence", "cut"])
async def test_cancelling_is_tried_again(mode: Literal["timeout", "silence", "cut"]) -> None:
    async with trading(**SHORT) as market:
        await market.binance.place_order("BTCUSDT", "BUY", "0.01", 1000, client_order_id="resting")
        market.inject(LostAnswers(method="DELETE", mode=mode, count=2))

        order = await market.binance.cancel_order("BTCUSDT", "resting")

        assert order.status == "CANCELED"


async def test_a_raw_order_is_the_senders_own_business() -> None:
    async with trading() as market:
        params = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
        request = ApiRequest(method="POST", path=ORDER, params=dict(params), is_signed=True)

        assert (await market.bot.ref("api").ask(request)).data["status"] == "NEW"
        assert len(market.orders()) == 1


async def test_messages_can_be_asked_by_hand() -> None:
    async with trading() as market:
        api = market.bot.ref("api")

        order = await api.ask(place_message(""))

        assert (await api.ask(QueryOrder(symbol="BTC/USDT", order_id=order.order_id))) == order
        assert (await api.ask(CancelOrder(symbol="BTC/USDT", order_id=order.order_id))).status == "FILLED"


def place_message(client_order_id: str) -> PlaceOrder:
    return PlaceOrder(symbol="BTCUSDT", side="BUY", quantity=Decimal("0.01"), client_order_id=client_order_id)
