"""The field's spellings of contracts, intervals and times, and what is none of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from duenna_actors.binance.spelling import (
    KLINE_INTERVALS,
    PERIODS,
    interval_ms,
    opening_ms,
    parse_interval,
    parse_symbol,
    parse_time,
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("SOL/USDT", "SOLUSDT"),
        ("SOL/USDT:USDT", "SOLUSDT"),
        ("SOL/USDT:USDT-260925", "SOLUSDT_260925"),
        ("SOLUSDT", "SOLUSDT"),
        ("sol-usdt", "SOLUSDT"),
        ("sol_usdt", "SOLUSDT"),
        (" solusdt ", "SOLUSDT"),
        ("SOLUSDT_260925", "SOLUSDT_260925"),
        ("SOLUSDT-PERP", "SOLUSDT"),
        ("SOL-USDT-SWAP", "SOLUSDT"),
        ("SOLUSDT.P", "SOLUSDT"),
        ("1000SHIB/USDC", "1000SHIBUSDC"),
        ("ETH/BTC", "ETHBTC"),
        ("币安人生/USDT", "币安人生USDT"),
    ],
)
def test_a_contract_has_many_spellings_and_one_name(text: str, name: str) -> None:
    assert parse_symbol(text) == name
    assert parse_symbol(name) == name


@pytest.mark.parametrize(
    "text", ["", "SOL", "SOL/", "/USDT", "SOL/USD:SOL", "SOL USDT!", "SOL/USDT/X", "a" * 31, "SOLUSDT&x=1", None, 5]
)
def test_what_is_no_contract_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match=r"^symbol must be a contract of USD-M futures, such as .*, got ") as caught:
        parse_symbol(text)

    assert str(caught.value).endswith(f"got {text!r}")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("5m", "5m"),
        ("5min", "5m"),
        ("5 minutes", "5m"),
        ("5T", "5m"),
        ("300s", "5m"),
        ("60m", "1h"),
        ("60min", "1h"),
        ("1h", "1h"),
        ("1H", "1h"),
        ("1hour", "1h"),
        ("240m", "4h"),
        ("1d", "1d"),
        ("1D", "1d"),
        ("24h", "1d"),
        ("1440m", "1d"),
        ("7d", "1w"),
        ("1W", "1w"),
        ("1M", "1M"),
        ("1mo", "1M"),
        ("1 month", "1M"),
        (" 15m ", "15m"),
    ],
)
def test_an_interval_has_many_spellings_and_one_name(text: str, name: str) -> None:
    assert parse_interval(text) == name


@pytest.mark.parametrize("text", ["", "m", "7m", "5", "0m", "-5m", "2M", "5mm", "1.5h", "5m5m", "1y", "9999999m", None])
def test_what_is_no_interval_is_refused_with_those_that_there_are(text: Any) -> None:
    with pytest.raises(ValueError, match=r"^interval must be one of 1m, 3m, .*, 1M, or another spelling") as caught:
        parse_interval(text)

    assert str(caught.value).endswith(f"got {text!r}")


def test_minutes_are_no_months() -> None:
    assert (parse_interval("1m"), parse_interval("1M")) == ("1m", "1M")


@pytest.mark.parametrize("text", ["1m", "8h", "3d", "1w", "1M"])
def test_statistics_have_fewer_periods(text: str) -> None:
    with pytest.raises(ValueError, match=r"^period must be one of 5m, 15m, 30m, 1h, 2h, 4h, 6h, 12h, 1d, or another"):
        parse_interval(text, PERIODS, "period")


def test_candles_open_where_their_length_says() -> None:
    monday = 1_700_438_400_000  # 2023-11-20T00:00Z

    assert opening_ms("1w", monday + 6 * 86_400_000) == monday
    assert opening_ms("1d", monday + 1) == monday
    assert opening_ms("5m", monday - 1) == monday - 300_000
    assert [interval_ms(name) for name in ("1m", "1w", "1M")] == [60_000, 604_800_000, None]
    assert opening_ms("1M", monday) is None
    assert len(KLINE_INTERVALS) == 15


def test_times_are_milliseconds_or_have_a_timezone() -> None:
    moment = datetime(2023, 11, 20, tzinfo=UTC)

    assert parse_time("since", None) is None
    assert parse_time("since", 1_700_438_400_000) == 1_700_438_400_000
    assert parse_time("since", moment) == 1_700_438_400_000
    assert parse_time("since", moment.astimezone(timezone(timedelta(hours=5)))) == 1_700_438_400_000


@pytest.mark.parametrize("given", [1_700_438_400, 0, -1, 1.7e12, True, "2023-11-20", datetime(2023, 11, 20)])  # noqa: DTZ001
def test_a_time_that_means_something_else_is_refused(given: Any) -> None:
    """Seconds, most of all: the exchange would take them for a day in 1970."""
    with pytest.raises(ValueError, match=r"^since must be milliseconds since 1970 or a datetime with a timezone, got "):
        parse_time("since", given)
