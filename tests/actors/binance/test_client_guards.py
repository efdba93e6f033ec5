"""Which errors of the exchange are tried again, and which are held against it."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from duenna import ConnectionLostError
from duenna.guards import RateLimitedError, Retry
from duenna_actors.api import (
    ApiDataError,
    ApiError,
    ApiRateLimitError,
    ApiStatusError,
    ApiTimeoutError,
    ApiTransportError,
)
from duenna_actors.binance import Call, FetchOhlcv, Gate, Gates
from duenna_actors.binance.calls import NoRowsError
from duenna_actors.binance.guards import BREAKER, READS, ExchangeGuards, is_outage, is_worth_a_retry


def status(number: int, code: int | None = None, kind: type[ApiStatusError] = ApiStatusError, **more: Any) -> ApiError:
    return kind("GET", "/x", "no", status=number, code=code, **more)


def untrusted() -> ApiError:
    """Four links down, as httpx on trio has it."""
    error: BaseException = ssl.SSLCertVerificationError(1, "certificate verify failed")
    for kind in (OSError, ConnectionError):
        link = kind("")
        link.__cause__ = error
        error = link
    failed = ApiTransportError("GET", "/x", "ConnectError")
    failed.__cause__ = error
    return failed


def without_rows() -> ApiError:
    """It may be the truth about one contract, and must not cost all others their guard."""
    error = ApiDataError("GET", "/x", "not what was asked for: no rows, there must be some", status=200)
    error.__cause__ = NoRowsError("no rows, there must be some")
    return error


@pytest.mark.parametrize(
    ("error", "again", "outage"),
    [
        (ApiTransportError("GET", "/x", "reset"), True, True),
        (ApiTimeoutError("GET", "/x", "silence"), True, True),
        (ApiDataError("GET", "/x", "empty", status=200), True, True),
        (without_rows(), True, False),
        (status(500), True, True),
        (status(503), True, True),
        (status(503, retry_after=5.0), True, False),
        (status(408), True, True),
        (status(425), True, False),
        (status(429, -1003, ApiRateLimitError), True, False),
        (status(418, -1003, ApiRateLimitError, retry_after=60.0), True, False),
        (status(400, -1021), True, False),
        (status(400, -1121), False, False),
        (status(401, -2015), False, False),
        (status(403), False, False),
        (status(404), False, False),
        (untrusted(), False, True),
        (ConnectionLostError("closed"), False, False),
        (RateLimitedError("x", 5.0), False, False),
        (ValueError("no key"), False, False),
        (RuntimeError("a bug"), False, False),
    ],
    ids=repr,
)
def test_what_is_tried_again_and_what_is_held_against_the_exchange(error: Exception, again: bool, outage: bool) -> None:
    assert (is_worth_a_retry(error), is_outage(error)) == (again, outage)


def test_the_settings_are_those_of_the_field() -> None:
    assert (READS.attempts, READS.backoff.initial, READS.backoff.maximum, READS.patience) == (6, 2.0, 120.0, 120.0)
    assert (BREAKER.window, BREAKER.failure_rate, BREAKER.open_for) == (10, 1.0, 120.0)


def test_new_settings_of_a_later_incarnation_leave_breakers_as_they_are() -> None:
    guards = ExchangeGuards("other", Gates.build("other"))
    call: Call[Any] = FetchOhlcv("BTCUSDT")
    before, orders = guards.of(call), guards.of_orders(5.0)

    guards.retry_with(Retry(2, on=is_worth_a_retry))

    assert guards.of(call) is not before
    assert guards.of(call).dependency is before.dependency
    assert guards.of_orders(5.0).dependency is orders.dependency


def test_guards_of_one_endpoint_are_made_once_for_each_limit() -> None:
    guards = ExchangeGuards("some", Gates.build("some"))
    call: Call[Any] = FetchOhlcv("BTCUSDT")

    assert guards.of(call) is guards.of(FetchOhlcv("SOLUSDT"))
    assert guards.of(call).name == "some_ohlcv"
    assert guards.of_orders(5.0).dependency is guards.of_orders(500.0).dependency
    assert set(guards.gates.by_limit) == set(Gate)
