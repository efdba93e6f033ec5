"""The client's reads on a sandbox over real sockets: what comes, what is tried again, what is counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from duenna import AskTimeoutError, Backoff, ErrorReported
from duenna.guards import BulkheadFullError, CircuitOpenError, RateLimitedError, Retry
from duenna.machines.breaker import BreakerState
from duenna_actors.api import (
    ApiDataError,
    ApiError,
    ApiRateLimitError,
    ApiRequest,
    ApiStatusError,
    ApiTimeoutError,
    ApiTransportError,
    GetApiStatus,
)
from duenna_actors.binance import BinanceClient, FetchFundingRates, FetchOhlcv, FetchOpenInterest, Gate
from duenna_actors.binance.guards import READS
from duenna_actors.sandbox import (
    ClockDrift,
    ConnectionsRefused,
    ConnectionsReset,
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
    from collections.abc import Awaitable, Iterator

KLINES = "/fapi/v1/klines"


async def candles(market: Trading) -> int:
    return len(await market.binance.fetch_ohlcv("SOL/USDT", "5m", limit=3))


async def failure(waiting: Awaitable[object], kind: type[Exception] = ApiError) -> Any:
    with pytest.raises(kind) as caught:
        await waiting
    return caught.value


# -- what comes ------------------------------------------------------------------------


async def test_everything_that_can_be_asked_comes_as_rows() -> None:
    async with trading() as market:
        binance = market.binance
        since = datetime.now(UTC) - timedelta(hours=3)  # noqa: TID251

        candles = await binance.fetch_ohlcv("SOL/USDT", "5m", limit=4)
        hours = await binance.fetch_ohlcv("sol-usdt", "60m", since=since)

        assert {late.open_time_ms - early.open_time_ms for early, late in pairwise(candles)} == {300_000}
        assert len(candles) == 4
        assert [candle.is_closed for candle in candles] == [True, True, True, False]
        assert len(hours) == 3
        assert (await binance.fetch_open_interest("SOLUSDT")).open_interest > 0
        assert len(await binance.fetch_open_interest_history("SOL/USDT:USDT", "1h", limit=5)) == 5
        assert len(await binance.fetch_funding_rates("SOLUSDT", limit=2)) == 2
        assert {rate.symbol for rate in await binance.fetch_funding_rates()} == {"BTCUSDT", "SOLUSDT"}
        assert (await binance.fetch_mark_price("SOLUSDT")).symbol == "SOLUSDT"
        for traders in ("all", "top_accounts", "top_positions"):
            assert len(await binance.fetch_trader_ratio("SOLUSDT", "15min", traders=traders, limit=2)) == 2
        assert len(await binance.fetch_taker_ratio("SOLUSDT", "1d", limit=2)) == 2
        assert await binance.fetch_liquidations("SOLUSDT") == []
        assert len((await binance.fetch_depth("SOLUSDT", 5)).bids) == 5
        assert (await binance.fetch_balances())["USDT"].total == 10_000


async def test_the_same_by_method_for_whoever_holds_the_client() -> None:
    async with trading() as market:
        rows = await market.client.fetch_ohlcv("SOLUSDT", "1h", limit=2)

        assert rows == await market.binance.fetch_ohlcv("SOLUSDT", "1h", limit=2) or len(rows) == 2


async def test_each_endpoint_has_a_guard_of_its_own() -> None:
    async with trading() as market:
        binance = market.binance
        await candles(market)
        await binance.fetch_open_interest("SOLUSDT")
        await binance.fetch_open_interest_history("SOLUSDT")
        await binance.fetch_funding_rates()
        await binance.fetch_liquidations()
        await binance.fetch_trader_ratio("SOLUSDT")
        await binance.fetch_balances()

        calls = {name: guard.statistics().calls for name, guard in market.bot.runtime.guards.items()}

    assert {name: count for name, count in calls.items() if count} == {
        "binance_ohlcv": 1,
        "binance_oi": 2,
        "binance_funding": 1,
        "binance_liquidations": 1,
        "binance_trader_ratio": 1,
        "binance_account": 1,
    }


async def test_wrong_use_is_the_askers_and_nothing_is_sent() -> None:
    async with trading() as market:
        before = market.sandbox.state()["requests"]

        with pytest.raises(ValueError, match=r"^interval must be one of"):
            await market.binance.fetch_ohlcv("SOLUSDT", "7m")
        with pytest.raises(ValueError, match=r"^symbol must be"):
            await market.binance.fetch_ohlcv("SOL")

        assert market.sandbox.state()["requests"] == before


async def test_without_a_key_what_must_be_signed_is_refused_at_once_and_breaks_nothing() -> None:
    async with trading(api_key="", api_secret="") as market:
        for _ in range(12):
            with pytest.raises(ValueError, match=r"must be signed: give BinanceApi an api_key and an api_secret$"):
                await market.binance.fetch_balances()

        assert market.bot.runtime.guards["binance_account"].state is BreakerState.CLOSED
        assert await candles(market) == 3


async def test_a_raw_request_is_weighed_like_the_others() -> None:
    async with trading() as market:
        taken = market.client.gates.by_limit[Gate.WEIGHT].statistics().taken
        request = ApiRequest(path=KLINES, params={"symbol": "SOLUSDT", "interval": "1m", "limit": 1500})

        response = await market.bot.ref("api").ask(request)

        assert len(response.data) == 1500
        assert market.client.gates.by_limit[Gate.WEIGHT].statistics().taken == taken + 10


# -- faults ----------------------------------------------------------------------------

ONCE: list[Fault] = [
    HttpFailure(path=KLINES, count=5, status=500),
    HttpFailure(path=KLINES, count=5, status=502, is_html=True),
    HttpFailure(path=KLINES, count=5, status=503),
    HttpFailure(path=KLINES, count=5, status=408),
    LostAnswers(path=KLINES, method="GET", count=5, mode="timeout"),
    LostAnswers(path=KLINES, method="GET", count=5, mode="cut"),
    GarbledAnswers(path=KLINES, count=5, mode="html"),
    GarbledAnswers(path=KLINES, count=5, mode="truncated"),
    GarbledAnswers(path=KLINES, count=5, mode="cut"),
]


@pytest.mark.parametrize("fault", ONCE, ids=lambda fault: f"{type(fault).__name__} {getattr(fault, 'mode', '')}")
async def test_five_failures_are_got_over(fault: Fault) -> None:
    """5 retries are 6 attempts, whatever went wrong with the others."""
    async with trading() as market:
        market.inject(fault)

        assert await candles(market) == 3

        statistics = market.guard(FetchOhlcv("SOLUSDT")).statistics()
        assert (statistics.calls, statistics.succeeded_retried, statistics.attempts) == (1, 1, 6)


async def test_connections_that_are_reset_are_got_over() -> None:
    """The one that was open, and new ones; a check may take one of them."""
    async with trading(retry=attrs.evolve(READS, backoff=Backoff.steps(0.05))) as market:
        market.inject(ConnectionsRefused(), 0.05)
        market.inject(ConnectionsReset(count=3))

        assert await candles(market) == 3
        assert market.guard(FetchOhlcv("SOLUSDT")).statistics().failures == 0


@pytest.mark.parametrize("mode", ["html", "truncated", "cut"])
async def test_the_sixth_failure_is_the_callers(mode: Any) -> None:
    async with trading() as market:
        number = market.inject(GarbledAnswers(path=KLINES, mode=mode))

        error = await failure(market.binance.fetch_ohlcv("SOLUSDT"))

        assert isinstance(error, ApiTransportError if mode == "cut" else ApiDataError)
        assert market.strikes(number) == 6


async def test_answers_that_are_garbled_in_the_middle_are_refused_or_what_was_asked_for() -> None:
    """JSON with bytes overwritten may still be JSON; it is never a wrong candle that looks like one."""
    async with trading(retry=Retry.none()) as market:
        expected = await market.binance.fetch_ohlcv("BTCUSDT", "1d", limit=100, until=datetime(2024, 1, 1, tzinfo=UTC))
        market.inject(GarbledAnswers(path=KLINES, mode="garbled"))

        for _ in range(20):
            error = await failure(
                market.binance.fetch_ohlcv("BTCUSDT", "1d", limit=100, until=datetime(2024, 1, 1, tzinfo=UTC)),
                Exception,
            )
            assert isinstance(error, ApiDataError | CircuitOpenError)
        assert len(expected) == 100


async def test_what_is_empty_or_of_another_contract_is_a_data_error_and_tried_again() -> None:
    """The sandbox has no such fault: the exchange's answer is replaced on the way."""
    async with trading() as market:
        answers: Iterator[object] = iter([[], "another", None])
        client = market.client
        fetch = client.fetch

        async def replaced(request: ApiRequest) -> Any:
            response = await fetch(request)
            wrong = next(answers)
            if wrong is None:
                return response
            data = [] if wrong == [] else response.data[::-1]
            return type(response)(status=200, headers={}, data=data, elapsed=0.0)

        client.fetch = replaced  # type: ignore[method-assign]

        assert await candles(market) == 3
        assert market.guard(FetchOhlcv("SOLUSDT")).statistics().attempts == 3


async def test_silence_is_a_timeout_and_tried_again() -> None:
    async with trading(timeout=0.3) as market:
        market.inject(LostAnswers(path=KLINES, method="GET", mode="silence", count=1))

        assert await candles(market) == 3
        assert market.guard(FetchOhlcv("SOLUSDT")).last_error == (
            "ApiTimeoutError: GET /fapi/v1/klines: no whole answer within 0.3 s"
        )


async def test_slow_answers_end_in_time() -> None:
    async with trading(timeout=0.2) as market:
        market.inject(SlowAnswers(path=KLINES, latency=5.0, count=6))

        assert isinstance(await failure(market.binance.fetch_ohlcv("SOLUSDT")), ApiTimeoutError)
        assert await candles(market) == 3


async def test_connections_that_are_half_open_are_given_up() -> None:
    """Those that it struck stay dead; the pool makes new ones."""
    async with trading(timeout=0.3) as market:
        market.inject(HalfOpen(), 0.4)

        assert await candles(market) == 3


async def test_a_closed_port_is_got_over_once_it_opens() -> None:
    async with trading() as market:
        market.inject(ConnectionsRefused())
        assert isinstance(await failure(market.binance.fetch_ohlcv("SOLUSDT")), ApiTransportError)
        market.sandbox.faults.clear()

        assert await candles(market) == 3


@pytest.mark.parametrize(("status", "is_html"), [(400, False), (401, False), (403, True), (404, False)])
async def test_what_the_exchange_refuses_is_neither_tried_again_nor_held_against_it(status: int, is_html: bool) -> None:
    async with trading() as market:
        number = market.inject(HttpFailure(path=KLINES, status=status, code=-1100, is_html=is_html))

        for _ in range(12):
            assert isinstance(await failure(market.binance.fetch_ohlcv("SOLUSDT")), ApiStatusError)

        assert market.strikes(number) == 12
        assert market.guard(FetchOhlcv("SOLUSDT")).state is BreakerState.CLOSED


async def test_an_unknown_symbol_is_the_exchanges_to_refuse() -> None:
    async with trading() as market:
        error = await failure(market.binance.fetch_ohlcv("NOSUCHUSDT"), ApiStatusError)

        assert (error.status, error.code) == (400, -1121)


async def test_ten_failures_in_a_row_open_the_breaker_of_that_endpoint_alone() -> None:
    async with trading() as market:
        number = market.inject(HttpFailure(path=KLINES))

        assert isinstance(await failure(market.binance.fetch_ohlcv("SOLUSDT")), ApiStatusError)
        error = await failure(market.binance.fetch_ohlcv("SOLUSDT"), Exception)

        assert market.strikes(number) == 10
        assert isinstance(error, CircuitOpenError | ApiStatusError)
        error = await failure(market.binance.fetch_ohlcv("SOLUSDT"), CircuitOpenError)
        assert error.guard == "binance_ohlcv"
        assert 119.0 < error.retry_after <= 120.0
        assert market.strikes(number) == 10
        assert (await market.binance.fetch_open_interest("SOLUSDT")).symbol == "SOLUSDT"


async def test_a_breaker_outlives_the_client() -> None:
    async with trading() as market:
        number = market.inject(HttpFailure(path=KLINES))
        for _ in range(2):
            await failure(market.binance.fetch_ohlcv("SOLUSDT"), Exception)
        await market.bot.runtime.restart_child("/bot/api")
        await market.bot.seen.becomes("operational")

        await failure(market.binance.fetch_ohlcv("SOLUSDT"), CircuitOpenError)

        assert len(market.made) == 2
        assert market.strikes(number) == 10


# -- limits ----------------------------------------------------------------------------


async def test_retry_after_is_waited_for_and_not_held_against_the_exchange() -> None:
    async with trading() as market:
        market.inject(RateLimited(retry_after=1.0, patience=100))
        began = trio.current_time()

        assert await candles(market) == 3

        assert trio.current_time() - began >= 1.0
        statistics = market.guard(FetchOhlcv("SOLUSDT")).statistics()
        assert (statistics.failures, statistics.retries) == (0, 1)


async def test_who_comes_while_the_exchange_wants_to_be_left_alone_is_told_at_once() -> None:
    async with trading() as market, trio.open_nursery() as nursery:
        market.inject(RateLimited(retry_after=30.0, patience=0, ban=60.0))
        nursery.start_soon(failure, market.binance.fetch_ohlcv("SOLUSDT", limit=1), Exception)
        await until(lambda: market.client.gates.by_limit[Gate.WEIGHT].blocked_for)
        asked = market.sandbox.state()["requests"]

        error = await failure(market.binance.fetch_open_interest("SOLUSDT"), RateLimitedError)
        raw = await failure(market.bot.ref("api").ask(ApiRequest(path=KLINES)), RateLimitedError)

        assert 58.0 < error.retry_after <= 60.0
        assert 58.0 < raw.retry_after <= 60.0
        assert market.sandbox.state()["requests"] == asked
        nursery.cancel_scope.cancel()


async def test_a_ban_outlives_the_client_with_the_end_that_stands_in_the_text() -> None:
    """A client that is restarted, or a second one, is up, refuses at once, and asks nothing before the ban is over."""
    async with trading() as market:
        market.inject(RateLimited(retry_after=600.0, patience=0, ban=600.0))
        error = await failure(market.binance.fetch_ohlcv("SOLUSDT"), ApiRateLimitError)
        asked = market.sandbox.state()["requests"]
        await market.bot.runtime.restart_child("/bot/api")
        await market.bot.seen.becomes("operational")
        refused = await failure(market.binance.fetch_ohlcv("SOLUSDT"), RateLimitedError)

        assert (error.status, error.code) == (418, -1003)
        assert 598.0 < error.retry_after < 600.1
        assert 590.0 < refused.retry_after < 600.1
        assert market.sandbox.state()["requests"] == asked
        assert 590.0 < market.made[-1].gates.blocked_for < 600.1


async def test_a_wait_that_is_too_long_is_not_waited_for() -> None:
    async with trading() as market:
        market.inject(RateLimited(retry_after=121.0, patience=1_000))

        with trio.fail_after(5.0):
            error = await failure(market.binance.fetch_ohlcv("SOLUSDT"), ApiRateLimitError)

        assert error.retry_after == 121.0


async def test_the_gate_keeps_the_bot_from_being_limited_at_all() -> None:
    """Without it this would be 429, then 418."""
    async with trading(SandboxSettings(weight_limit=240), weight_limit=240) as market:
        limited = 0
        for _ in range(200):
            try:
                await market.binance.fetch_ohlcv("SOLUSDT", limit=1000)
            except RateLimitedError:
                limited += 1

        assert limited > 100
        assert market.guard(FetchOhlcv("SOLUSDT")).statistics().failures == 0
        assert (await market.bot.ref("api").ask(GetApiStatus())).failures == {}


async def test_what_others_use_at_this_address_counts() -> None:
    """The exchange says what it has counted, and the client believes it."""
    async with trading() as market:
        market.client.gates.heard({"x-mbx-used-weight-1m": "2400"}, 10.0, 0.0)

        error = await failure(market.binance.fetch_ohlcv("SOLUSDT"), RateLimitedError)

        assert 0.0 < error.retry_after <= 50.0


# -- the clock -------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [10.0, -10.0, 100_000.0])
async def test_a_wrong_clock_is_measured_at_once_and_the_request_signed_anew(offset: float) -> None:
    async with trading() as market:
        await market.binance.fetch_balances()
        market.inject(ClockDrift(offset=offset))

        assert (await market.binance.fetch_balances())["USDT"].total == 10_000

        statistics = market.bot.runtime.guards["binance_account"].statistics()
        assert (statistics.calls, statistics.retries, statistics.failures) == (2, 0, 0)
        assert market.client.clock_offset == pytest.approx(offset, abs=1.0)


async def test_many_who_find_the_clock_wrong_measure_it_once() -> None:
    async with trading() as market:
        market.inject(ClockDrift(offset=10.0))
        before = market.sandbox.state()["requests"]

        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(market.binance.fetch_balances)

        assert market.sandbox.state()["requests"] <= before + 8 + 8 + 2


async def test_the_clock_is_measured_with_every_check() -> None:
    async with trading() as market:
        market.inject(ClockDrift(offset=50.0))
        market.client.check_soon()
        await until(lambda: abs(market.client.clock_offset - 50.0) < 1.0)


# -- many at once ----------------------------------------------------------------------


async def test_one_too_many_is_refused_at_once() -> None:
    async with trading(max_pending=3, timeout=0.5) as market, trio.open_nursery() as nursery:
        market.inject(SlowAnswers(path=KLINES, latency=60.0))
        for _ in range(3):
            nursery.start_soon(failure, market.binance.fetch_ohlcv("SOLUSDT"), Exception)
        await until(lambda: market.client._pending[False] == 3)

        error = await failure(market.binance.fetch_open_interest("SOLUSDT"), BulkheadFullError)

        assert error.limit == 3
        nursery.cancel_scope.cancel()


async def test_orders_do_not_wait_for_reads() -> None:
    """Neither in the mailbox nor for a connection."""
    async with trading(max_in_flight=2, max_pending=5) as market, trio.open_nursery() as nursery:
        market.inject(SlowAnswers(path=KLINES, latency=60.0))
        for _ in range(8):
            nursery.start_soon(failure, market.binance.fetch_ohlcv("SOLUSDT"), Exception)
        await until(lambda: market.client._pending[False] == 5)

        with trio.fail_after(2.0):
            order = await market.binance.place_order("BTCUSDT", "BUY", "0.01", 1000)
            await market.binance.cancel_order("BTCUSDT", order.client_order_id)

        nursery.cancel_scope.cancel()


async def test_nobody_retries_for_an_asker_who_has_gone() -> None:
    async with trading() as market:
        number = market.inject(SlowAnswers(path=KLINES, latency=0.3))
        market.inject(HttpFailure(path=KLINES, status=503, probability=1e-9))
        market.inject(GarbledAnswers(path=KLINES))

        with pytest.raises(AskTimeoutError):
            await market.bot.ref("api").ask(FetchOhlcv("SOLUSDT"), timeout=0.1)
        await until(lambda: not market.client._pending[False])

        assert market.strikes(number) == 1


async def test_a_request_in_flight_at_the_end_fails_and_says_why() -> None:
    async with trading() as market, trio.open_nursery() as nursery:
        market.inject(SlowAnswers(path=KLINES, latency=60.0))
        errors: list[Exception] = []

        async def ask() -> None:
            errors.append(await failure(market.binance.fetch_ohlcv("SOLUSDT"), Exception))

        nursery.start_soon(ask)
        await until(lambda: market.client._pending[False])
        await market.bot.runtime.stop_child("/bot/api")

    assert errors


async def test_two_limits_of_one_endpoint_share_its_breaker() -> None:
    async with trading() as market:
        one = market.guard(FetchOpenInterest("SOLUSDT"))
        await market.binance.fetch_open_interest_history("SOLUSDT")

        assert one.statistics().calls == 1
        assert market.guard(FetchFundingRates()).dependency is not one.dependency


async def test_nothing_is_reported_when_nothing_is_wrong() -> None:
    async with trading() as market:
        await candles(market)

        assert market.bot.seen.of(ErrorReported) == []


# -- making one ------------------------------------------------------------------------


def test_the_address_is_binances_unless_another_is_given() -> None:
    assert BinanceClient()._base_url == "https://fapi.binance.com"
    assert BinanceClient(testnet=True)._base_url == "https://testnet.binancefuture.com"
    assert BinanceClient("http://127.0.0.1:1", testnet=True)._base_url == "http://127.0.0.1:1"
    assert [BinanceClient(testnet=testnet).exchange_name for testnet in (False, True)] == ["binance", "binance_testnet"]
    assert BinanceClient(name="sandbox").exchange_name == "sandbox"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_pending": 0}, r"^max_pending must be >= 1, got 0$"),
        ({"max_in_flight": 0}, r"^max_in_flight must be >= 1, got 0$"),
        ({"settle_within": 0}, r"^settle_within must be > 0 seconds, got 0$"),
        ({"weight_limit": 239}, r"^weight_limit must be >= 240, got 239$"),
        ({"weight_limit": float("nan")}, r"^weight_limit must be >= 240, got nan$"),
        ({"id_prefix": "x" * 14}, r"^id_prefix must be 1 to 13 letters, digits and .:/_-, got 'x{14}'$"),
        ({"id_prefix": ""}, r"^id_prefix must be"),
        ({"id_prefix": "a b"}, r"^id_prefix must be"),
        ({"api_key": "k"}, r"^api_key and api_secret go together, got one of them$"),
        ({"base_url": "ftp://x"}, r"^base_url must begin with"),
    ],
)
def test_wrong_settings_are_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BinanceClient(**options)


async def test_before_it_is_connected_it_says_so() -> None:
    with pytest.raises(Exception, match=r"^the client is not connected yet$"):
        await BinanceClient().fetch_ohlcv("SOLUSDT")
