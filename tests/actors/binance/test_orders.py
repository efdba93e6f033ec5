"""Orders as messages and as rows, and their ids."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pytest

from duenna_actors.binance import (
    Call,
    CancelAllOrders,
    CancelOrder,
    FetchBalances,
    FetchLiquidations,
    FetchOpenOrders,
    Order,
    PlaceOrder,
    QueryOrder,
    make_client_order_id,
)
from duenna_actors.binance.orders import CLIENT_ID

DOCUMENTED = (
    '{"orderId":6071832819,"symbol":"BTCUSDT","pair":"BTCUSDT","status":"FILLED",'
    '"clientOrderId":"autoclose-1596107620040000020","price":"10871.09","avgPrice":"10913.21000","origQty":"0.001",'
    '"executedQty":"0.001","cumQuote":"10.91321","timeInForce":"IOC","type":"LIMIT","reduceOnly":false,'
    '"closePosition":false,"side":"SELL","positionSide":"BOTH","stopPrice":"0","workingType":"CONTRACT_PRICE",'
    '"origType":"LIMIT","time":1596107620044,"updateTime":1596107620087}'
)


def order(**fields: Any) -> PlaceOrder:
    given: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "quantity": Decimal("0.01")}
    return PlaceOrder(**(given | fields))


def known(text: str = DOCUMENTED) -> Order:
    found: Order = msgspec.json.decode(text, type=Order, strict=False)
    return found


def answer(call: Call[Any], body: str) -> Any:
    return call.read(msgspec.json.decode(body, type=call.request().type, strict=False), 0)


# -- ids -------------------------------------------------------------------------------


def test_an_id_fits_and_comes_from_the_generator_and_the_time() -> None:
    first, again, other = (make_client_order_id(Random(seed), 1_700_000_000.0) for seed in (1, 1, 2))  # noqa: S311

    assert first == again != other
    assert make_client_order_id(Random(1), 1_700_000_000.001) != first  # noqa: S311
    assert first.startswith("duenna-")
    assert CLIENT_ID.fullmatch(first)


def test_the_longest_prefix_fits_until_the_year_5188() -> None:
    assert len(make_client_order_id(Random(1), 101_559_956_668.0, "x" * 13)) == 36  # noqa: S311


def test_ten_thousand_ids_of_one_moment_differ() -> None:
    rng = Random(7)  # noqa: S311

    assert len({make_client_order_id(rng, 0.0) for _ in range(10_000)}) == 10_000


# -- what is asked for -----------------------------------------------------------------


def test_a_market_order_is_sent_in_binances_words() -> None:
    request = order(symbol="btc/usdt", side="sell", client_order_id="mine", reduce_only=True).request()

    assert (request.method, request.path, request.is_signed, request.is_strict) == (
        "POST",
        "/fapi/v1/order",
        True,
        False,
    )
    assert request.params == {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "MARKET",
        "quantity": "0.01",
        "reduceOnly": "true",
        "newClientOrderId": "mine",
        "newOrderRespType": "RESULT",
    }


def test_a_limit_order_is_sent_in_binances_words() -> None:
    request = order(price=Decimal("50000.10"), time_in_force="gtx", position_side="long", client_order_id="a").request()

    assert request.params == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": "0.01",
        "price": "50000.10",
        "timeInForce": "GTX",
        "positionSide": "LONG",
        "newClientOrderId": "a",
        "newOrderRespType": "RESULT",
    }
    assert order(price=Decimal(1)).time_in_force == "GTC"


class Float64(float):
    """Shown as numpy shows its own."""

    def __repr__(self) -> str:
        return f"np.float64({float(self)})"


@pytest.mark.parametrize(
    ("given", "sent"),
    [(0.1, "0.1"), (Float64(0.1), "0.1"), ("0.10", "0.10"), (5, "5"), (1e-7, "0.0000001"), (Decimal("1E+3"), "1000")],
)
def test_numbers_are_sent_as_they_are_meant(given: Any, sent: str) -> None:
    assert order(quantity=given).request().params["quantity"] == sent


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"symbol": "BTC"}, r"^symbol must be"),
        ({"side": "LONG"}, r"^side must be one of BUY, SELL, got 'LONG'$"),
        ({"quantity": 0}, r"^quantity must be a number > 0, got 0$"),
        ({"quantity": -1.5}, r"^quantity must be a number > 0, got -1.5$"),
        ({"quantity": float("nan")}, r"^quantity must be a number > 0, got nan$"),
        ({"quantity": "Infinity"}, r"^quantity must be a number > 0, got 'Infinity'$"),
        ({"quantity": "many"}, r"^quantity must be a number > 0, got 'many'$"),
        ({"quantity": True}, r"^quantity must be a number > 0, got True$"),
        ({"quantity": None}, r"^quantity must be a number > 0, got None$"),
        ({"price": 0}, r"^price must be a number > 0, got 0$"),
        ({"type": "STOP"}, r"^type must be one of LIMIT, MARKET, got 'STOP'$"),
        ({"type": "LIMIT"}, r"^a LIMIT order has a price and a MARKET order has none, got type 'LIMIT', price None$"),
        ({"type": "MARKET", "price": 5}, r"^a LIMIT order has a price"),
        ({"time_in_force": "GTC"}, r"^a MARKET order has no time_in_force, got 'GTC'$"),
        ({"price": 5, "time_in_force": "GTD"}, r"^time_in_force must be one of GTC, IOC, FOK, GTX, got 'GTD'$"),
        ({"position_side": "UP"}, r"^position_side must be one of BOTH, LONG, SHORT, got 'UP'$"),
        ({"client_order_id": "a b"}, r"^client_order_id must match \^\[.A-Z:/a-z0-9_-\]\{1,36\}\$, got 'a b'$"),
        ({"client_order_id": "x" * 37}, r"^client_order_id must match"),
        ({"send_within": 0.0}, r"^send_within must be > 0 seconds, got 0.0$"),
        ({"send_within": float("nan")}, r"^send_within must be > 0 seconds, got nan$"),
        ({"send_until": float("nan")}, r"^send_until must be a time of the runtime's clock, got nan$"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_where_it_is_made(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        order(**fields)


# -- what the exchange says ------------------------------------------------------------


def test_a_documented_order_is_read() -> None:
    assert known() == Order(
        symbol="BTCUSDT",
        order_id=6071832819,
        client_order_id="autoclose-1596107620040000020",
        status="FILLED",
        side="SELL",
        type="LIMIT",
        quantity=Decimal("0.001"),
        filled=Decimal("0.001"),
        price=Decimal("10871.09"),
        average_price=Decimal("10913.21000"),
        quote_filled=Decimal("10.91321"),
        time_in_force="IOC",
        updated_ms=1596107620087,
    )
    assert (known().is_open, known().remaining) == (False, Decimal(0))


def test_a_partly_filled_order_is_open() -> None:
    partly = known(DOCUMENTED.replace('"FILLED"', '"PARTIALLY_FILLED"').replace('Qty":"0.001","cum', 'Qty":"0","cum'))

    assert (partly.is_open, partly.remaining) == (True, Decimal("0.001"))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"executedQty":"0.001"', '"executedQty":"0.002"'),
        ('"executedQty":"0.001"', '"executedQty":"NaN"'),
        ('"executedQty":"0.001"', '"executedQty":"-0.001"'),
        ('"origQty":"0.001"', '"origQty":"Infinity"'),
        ('"SELL"', '"HOLD"'),
        ('"orderId":6071832819,', ""),
        ('"orderId":6071832819', '"orderId":"x"'),
    ],
)
def test_an_order_that_cannot_be_is_refused(right: str, wrong: str) -> None:
    assert right in DOCUMENTED
    with pytest.raises(msgspec.ValidationError):
        known(DOCUMENTED.replace(right, wrong))


@pytest.mark.parametrize(
    ("fields", "same"),
    [
        ({}, True),
        ({"quantity": Decimal("0.00100")}, True),
        ({"side": "BUY"}, False),
        ({"symbol": "ETHUSDT"}, False),
        ({"quantity": Decimal("0.002")}, False),
        ({"price": Decimal(10872)}, False),
        ({"price": None}, False),
        ({"client_order_id": "another"}, False),
    ],
)
def test_an_answer_is_about_the_order_that_was_sent_or_it_is_none(fields: dict[str, Any], same: bool) -> None:
    asked = {
        "side": "SELL",
        "quantity": Decimal("0.001"),
        "price": Decimal("10871.09"),
        "client_order_id": "autoclose-1596107620040000020",
    }

    assert order(**(asked | fields)).is_same(known()) is same


# -- calls -----------------------------------------------------------------------------


def test_an_order_is_asked_for_by_either_of_its_ids() -> None:
    by_ours = QueryOrder(symbol="btc-usdt", client_order_id="mine").request()
    by_theirs = CancelOrder(symbol="BTCUSDT", order_id=7).request()

    assert (by_ours.method, by_ours.params) == ("GET", {"symbol": "BTCUSDT", "origClientOrderId": "mine"})
    assert (by_theirs.method, by_theirs.params) == ("DELETE", {"symbol": "BTCUSDT", "orderId": 7})
    assert by_ours.is_signed
    assert by_theirs.is_signed


@pytest.mark.parametrize("ids", [{}, {"client_order_id": "mine", "order_id": 7}])
def test_an_order_has_to_be_named_once(ids: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^either client_order_id or order_id is needed, got "):
        QueryOrder(symbol="BTCUSDT", **ids).request()


@pytest.mark.parametrize(
    "call",
    [
        QueryOrder(symbol="BTCUSDT", client_order_id="another"),
        QueryOrder(symbol="BTCUSDT", order_id=1),
        QueryOrder(symbol="ETHUSDT", order_id=6071832819),
        CancelOrder(symbol="BTCUSDT", client_order_id="another"),
    ],
)
def test_another_order_is_no_answer(call: Call[Any]) -> None:
    with pytest.raises(ValueError, match=r"^order 6071832819 \(autoclose-.*\) of BTCUSDT is not the one asked for$"):
        answer(call, DOCUMENTED)


def test_liquidations_and_open_orders_may_be_none() -> None:
    assert answer(FetchLiquidations(), "[]") == answer(FetchOpenOrders("BTCUSDT"), "[]") == []
    assert answer(FetchLiquidations("BTC/USDT"), f"[{DOCUMENTED}]") == [known()]


@pytest.mark.parametrize("call", [FetchLiquidations("ETHUSDT"), FetchOpenOrders("ETHUSDT")])
def test_orders_of_another_contract_are_no_answer(call: Call[Any]) -> None:
    with pytest.raises(ValueError, match=r"^an order of BTCUSDT, ETHUSDT was asked for$"):
        answer(call, f"[{DOCUMENTED}]")


def test_liquidations_come_oldest_first() -> None:
    late = DOCUMENTED.replace('"updateTime":1596107620087', '"updateTime":1596107620088')

    assert answer(FetchLiquidations(), f"[{late},{DOCUMENTED}]") == [known(), known(late)]


def test_all_are_cancelled_when_the_exchange_says_so() -> None:
    answer(CancelAllOrders("BTCUSDT"), '{"code":200,"msg":"The operation of cancel all open order is done."}')
    with pytest.raises(ValueError, match=r"^a code of -1, 200 is what says that it was done$"):
        answer(CancelAllOrders("BTCUSDT"), '{"code":-1,"msg":""}')


def test_balances_are_numbers() -> None:
    row = '{"asset":"USDT","balance":"122.12345678","availableBalance":"22.5"}'

    assert answer(FetchBalances(), f"[{row}]")["USDT"].available == Decimal("22.5")
    with pytest.raises(ValueError, match=r"^a balance that is no number$"):
        answer(FetchBalances(), f"[{row.replace('22.5', 'NaN')}]")
