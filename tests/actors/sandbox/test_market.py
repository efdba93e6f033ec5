"""The market as a function of time."""

import itertools
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna_actors.sandbox._market import FUNDING_PERIOD, Market
from duenna_actors.sandbox._symbols import decimal, find_symbols, write_e8

START = 1_700_000_000.0
BTC = find_symbols(["BTCUSDT"], 0)["BTCUSDT"]
TICKS = st.integers(-100_000, 100_000)


def market(key: int = 1, start: float = START, tick: float = 0.2) -> Market:
    return Market(BTC, key, start, tick)


@pytest.mark.parametrize(
    ("units", "decimals", "written"),
    [(0, 2, "0.00"), (5, 0, "5"), (5, 2, "0.05"), (-5, 2, "-0.05"), (-123, 1, "-12.3"), (6_500_000, 2, "65000.00")],
)
def test_decimals_are_written_exactly(units: int, decimals: int, written: str) -> None:
    assert decimal(units, decimals) == written


def test_amounts_are_exact() -> None:
    """65000.10 times 0.001 is 65.0001, with no rounding."""
    assert write_e8(BTC.notional(6_500_010, 1)) == "65.00010000"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "a sandbox needs one symbol at least, got none"),
        (["BTCUSDT", "BTCUSDT"], "symbol BTCUSDT stands twice in the list"),
        (["btcusdt"], "symbol must be 5 to 20 capitals and digits that end in USDT, got 'btcusdt'"),
        (["BTCEUR"], "symbol must be 5 to 20 capitals and digits that end in USDT, got 'BTCEUR'"),
        (["USDT"], "symbol must be 5 to 20 capitals and digits that end in USDT, got 'USDT'"),
    ],
)
def test_a_wrong_list_of_symbols_is_refused(names: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        find_symbols(names, 0)


def test_an_unknown_contract_is_made_up_from_its_name_and_the_key() -> None:
    made = find_symbols(["ABCUSDT", "XYZUSDT"], 5)

    assert made["ABCUSDT"].price != made["XYZUSDT"].price
    assert made == find_symbols(["ABCUSDT", "XYZUSDT"], 5)
    assert made["ABCUSDT"] != find_symbols(["ABCUSDT"], 6)["ABCUSDT"]


def test_it_starts_at_the_price_of_the_contract() -> None:
    assert market().mid(START) == BTC.price


def test_a_seed_can_be_run_again_on_another_day() -> None:
    today, later = market(), market(start=START + 987_654.321)

    for age in (-5_000.0, 0.0, 0.3, 17.0, 86_400.0):
        assert later.mid(START + 987_654.321 + age) == pytest.approx(today.mid(START + age), rel=1e-9)


def test_another_key_is_another_market() -> None:
    assert market(1).mid(START + 60.0) != market(2).mid(START + 60.0)


def test_the_volatility_is_the_contracts() -> None:
    source = market()
    prices = [source.mid(START + 60.0 * minute) for minute in range(10_000)]
    moves = [math.log(late / early) for early, late in itertools.pairwise(prices)]

    assert statistics.pstdev(moves) * 1_440**0.5 == pytest.approx(BTC.volatility, rel=0.05)


@given(TICKS)
def test_the_bid_is_below_the_ask_and_both_are_on_the_tick(age: int) -> None:
    source = market()
    quote = source.quote(source.tick_at(START) + age)

    assert 0 < quote.bid < quote.ask
    assert quote.bid % BTC.tick == quote.ask % BTC.tick == 0


@given(st.integers(0, 10**6), st.sampled_from([0.01, 0.05, 0.1, 0.2, 1.0, 5.0]))
def test_a_tick_begins_when_it_says(age: int, tick: float) -> None:
    """Rounding of unix times, which have 7 decimals left, never puts a tick's own beginning into the one before."""
    source = market(tick=tick)
    number = source.tick_at(START) + age

    assert source.tick_at(source.time_of(number)) == number


@given(TICKS)
def test_there_is_one_trade_a_tick_at_one_of_the_best_prices(age: int) -> None:
    source = market()
    tick = source.tick_at(START) + age
    trade, quote = source.trade(tick), source.quote(tick)

    assert trade.number == tick
    assert trade.price == (quote.bid if trade.seller_was_taker else quote.ask)
    assert trade.quantity >= 1


@given(st.integers(-1_000, 1_000))
def test_a_candle_holds_its_own_prices(minute: int) -> None:
    opened = int(START) // 60 * 60 + 60 * minute
    candle = market().candle(opened, 60, now=START + 10**6)

    assert candle.is_closed
    assert candle.low <= min(candle.open, candle.close) <= max(candle.open, candle.close) <= candle.high
    assert 0 <= candle.bought <= candle.volume
    assert candle.trades == candle.last_trade - candle.first_trade + 1 == 300


def test_candles_join_and_volumes_add_up() -> None:
    source = market()
    hour = int(START) // 3_600 * 3_600 - 7_200
    minutes = [source.candle(hour + 60 * minute, 60, START) for minute in range(60)]
    whole = source.candle(hour, 3_600, START)

    assert [late.open for late in minutes[1:]] == [early.close for early in minutes[:-1]]
    assert (whole.open, whole.close) == (minutes[0].open, minutes[-1].close)
    assert whole.volume == sum(minute.volume for minute in minutes)
    assert whole.bought == sum(minute.bought for minute in minutes)
    assert whole.trades == sum(minute.trades for minute in minutes)


def test_an_open_candle_grows() -> None:
    source = market()
    opened = int(START) // 60 * 60
    halfway = source.candle(opened, 60, opened + 30.0)
    closed = source.candle(opened, 60, opened + 60.0)

    assert (halfway.is_closed, closed.is_closed) == (False, True)
    assert halfway.open == closed.open
    assert halfway.volume < closed.volume
    assert closed == source.candle(opened, 60, opened + 999.0)


def test_a_candle_that_has_just_opened_is_flat() -> None:
    opened = int(START) // 60 * 60
    candle = market().candle(opened, 60, float(opened))

    assert candle.open == candle.high == candle.low == candle.close
    assert candle.volume == 0


def test_candles_are_forgotten_before_they_are_too_many() -> None:
    source = market()
    for second in range(5_000):
        source.candle(int(START) - 10_000 + second, 1, START)

    assert len(source._closed) <= 4_096
    assert len(source._begun) <= 4_096


def test_liquidations_come_at_their_rate_and_on_the_losing_side() -> None:
    source = market()
    first = source.tick_at(START)
    found = [(tick, source.liquidation(tick, per_second=0.05)) for tick in range(first, first + 100_000)]
    orders = [(tick, order) for tick, order in found if order is not None]

    assert len(orders) == pytest.approx(0.05 * 0.2 * 100_000, rel=0.15)
    for tick, order in orders[:200]:
        now = source.time_of(tick)
        assert order.side == ("SELL" if source.mid(now) < source.mid(now - 30.0) else "BUY")
        assert order.quantity >= 1


def test_funding_is_paid_every_eight_hours() -> None:
    source = market()
    marks = source.marks(START)

    assert START < marks.next_funding <= START + FUNDING_PERIOD
    assert marks.next_funding % FUNDING_PERIOD == 0
    assert marks.rate == source.funding_rate(marks.next_funding // FUNDING_PERIOD)
    assert abs(marks.mark / source.mid(START) - 1.0) < 0.001


@given(st.floats(0.0, 1e6), st.integers(0, 3))
def test_shares_and_interest_are_plausible(age: float, who: int) -> None:
    source = market()

    assert 0.35 <= source.long_share(who, START + age) <= 0.65
    assert source.open_interest(START + age) > 0
    bought, sold = source.taker_volumes(START + age, START + age + 300.0)
    assert bought > 0
    assert sold > 0
