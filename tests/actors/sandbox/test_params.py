"""Reading parameters."""

import pytest

from duenna_actors.sandbox import _errors as errors
from duenna_actors.sandbox._errors import ApiError
from duenna_actors.sandbox._orders import OrderRequest
from duenna_actors.sandbox._params import Params, parse_pairs
from duenna_actors.sandbox._symbols import find_symbols

SYMBOLS = find_symbols(["BTCUSDT"], 0)
NOW = 1_700_000_030.0
MINUTE = 1_700_000_000 // 60 * 60


def params(query: str) -> Params:
    return Params(parse_pairs(query), SYMBOLS)


def refusal_of(query: str) -> errors.Refusal:
    with pytest.raises(ApiError) as caught:
        params(query).order()
    return caught.value.refusal


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(ApiError, match=r"^-1101: Duplicate values for a parameter detected\.$"):
        parse_pairs("a=1&b=2", "a=3")


def test_too_many_parameters_are_refused() -> None:
    with pytest.raises(ApiError, match=r"^-1101: Too many parameters"):
        parse_pairs("&".join(f"p{number}=1" for number in range(101)))


@pytest.mark.parametrize(
    ("query", "code"),
    [("limit=0", -1130), ("limit=11", -1130), ("limit=x", -1100), ("limit=-1", -1100), ("limit=\u0663", -1100)],
)
def test_a_number_outside_its_range_is_refused(query: str, code: int) -> None:
    with pytest.raises(ApiError) as caught:
        params(query).whole("limit", 5, 1, 10)
    assert caught.value.refusal.code == code


def test_a_number_that_has_to_be_there_is_missed() -> None:
    assert params("").whole("limit", 5) == 5
    with pytest.raises(ApiError, match=r"^-1102: Mandatory parameter 'limit' was not sent"):
        params("").whole("limit", None)


@pytest.mark.parametrize(
    ("query", "opened"),
    [
        ("", [MINUTE - 60, MINUTE]),
        (f"endTime={(MINUTE - 60) * 1_000}", [MINUTE - 120, MINUTE - 60]),
        (f"endTime={(MINUTE + 999) * 1_000}", [MINUTE - 60, MINUTE]),
        (f"startTime={(MINUTE - 300) * 1_000}", [MINUTE - 300, MINUTE - 240]),
        (f"startTime={(MINUTE - 300) * 1_000 + 1}", [MINUTE - 240, MINUTE - 180]),
        (f"startTime={(MINUTE + 60) * 1_000}", []),
        (f"startTime={(MINUTE - 60) * 1_000}&endTime={(MINUTE - 60) * 1_000}", [MINUTE - 60]),
    ],
)
def test_periods_are_counted_from_the_start_or_back_from_the_end(query: str, opened: list[int]) -> None:
    assert list(params(query).span(60, 2, float(MINUTE) + 30.0)) == opened


def test_a_week_opens_on_monday() -> None:
    """1970-01-05 was one; 2023-11-13 was the one before 2023-11-14T22:13:20Z."""
    assert list(params("").span(604_800, 1, NOW)) == [1_699_833_600]


def test_a_start_behind_the_end_is_refused() -> None:
    with pytest.raises(ApiError, match=r"^-1023: Start time is greater than end time\.$"):
        params("startTime=2&endTime=1").span(60, 2, NOW)


def test_orders_are_read_exactly() -> None:
    asked = (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.002&price=65000.10&newClientOrderId=a.b:c/d-e_1"
    )

    assert params(asked).order() == OrderRequest("BTCUSDT", "BUY", "LIMIT", 2, 6_500_010, "GTC", "a.b:c/d-e_1")
    assert params("symbol=BTCUSDT&side=SELL&type=MARKET&quantity=1&reduceOnly=TRUE").order() == OrderRequest(
        "BTCUSDT", "SELL", "MARKET", 1_000, reduce_only=True
    )


LIMIT = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=65000"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("side=BUY", -1102),
        ("symbol=ETHUSDT", -1121),
        ("symbol=BTCUSDT", -1102),
        ("symbol=BTCUSDT&side=HOLD", -1117),
        ("symbol=BTCUSDT&side=BUY&type=STOP", -1116),
        ("symbol=BTCUSDT&side=BUY&type=MARKET", -1102),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0", -4003),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=-1", -1100),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1e5", -1100),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=nan", -1100),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.0001", -1111),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=99999999999999999999", -1130),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&price=1", -1106),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&reduceOnly=maybe", -1100),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&newClientOrderId=a b", -4015),
        (f"symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&newClientOrderId={'x' * 37}", -4015),
        (LIMIT.replace("&timeInForce=GTC", ""), -1102),
        (LIMIT.replace("GTC", "DAY"), -1115),
        (LIMIT.replace("&price=65000", ""), -1102),
        (LIMIT.replace("65000", "0"), -4001),
        (LIMIT.replace("65000", "65000.01"), -4014),
        (LIMIT.replace("65000", "65000.001"), -1111),
    ],
)
def test_a_wrong_order_is_refused_with_the_exchanges_code(query: str, code: int) -> None:
    assert refusal_of(query).code == code


def test_an_order_is_named_by_one_of_two_ids() -> None:
    assert params("orderId=5").order_ids() == (5, None)
    assert params("origClientOrderId=mine").order_ids() == (None, "mine")
    with pytest.raises(ApiError, match=r"^-1102: Param 'origClientOrderId' or 'orderId' must be sent"):
        params("orderId=").order_ids()
