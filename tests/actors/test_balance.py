"""The balance, through the API, against the sandbox: signed, kept with its age, told when it changes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from duenna import ErrorReported
from duenna_actors.api import ApiRequest, ApiStatusError
from duenna_actors.balance import (
    Balance,
    BalanceChanged,
    BalanceMonitor,
    BalanceReading,
    GetBalances,
    RefreshBalances,
)
from duenna_actors.binance_api import BinanceApi
from duenna_actors.sandbox import ClockDrift, ConnectionsRefused, GarbledAnswers, HttpFailure, Sandbox, open_sandbox

from .support import Bot, Inbox, bot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SIGNED = "/fapi/v3/balance"


class Bank:
    def __init__(self, sandbox: Sandbox, running: Bot, inbox: Inbox) -> None:
        self.sandbox = sandbox
        self.bot = running
        self.seen = running.seen
        self.inbox = inbox

    async def reading(self) -> BalanceReading:
        reading = await self.bot.ref("balance").ask(GetBalances())
        assert isinstance(reading, BalanceReading)
        return reading

    async def buy(self) -> None:
        params: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
        order = ApiRequest(method="POST", path="/fapi/v1/order", params=params, is_signed=True)
        await self.bot.ref("api").ask(order)


@asynccontextmanager
async def bank(**options: Any) -> AsyncIterator[Bank]:
    async with open_sandbox(symbols=["BTCUSDT"], seed=1) as sandbox, bot() as running:
        key, secret = sandbox.settings.api_key, sandbox.settings.api_secret
        inbox = Inbox()
        await running.runtime.start_child("/bot", inbox.spec("inbox", BalanceChanged))
        await running.start("api", lambda: BinanceApi(sandbox.url, api_key=key, api_secret=secret))
        await running.seen.becomes("operational", "api")
        await running.start("balance", lambda: BalanceMonitor("api", **options))
        yield Bank(sandbox, running, inbox)


async def test_the_first_reading_is_a_change_from_nothing() -> None:
    async with bank() as here:
        changed = await here.inbox.next()

        assert changed.balances["USDT"] == Balance(Decimal(10000), Decimal(10000))
        assert changed.changed == changed.balances
        reading = await here.reading()
        assert reading.balances == changed.balances
        assert reading.age is not None
        assert reading.age >= 0


async def test_only_changes_are_told() -> None:
    async with bank(every=0.01) as here:
        await here.inbox.next()
        await here.buy()

        changed = await here.inbox.next()

        assert changed.changed["USDT"].total < 10_000


async def test_a_poll_can_be_asked_for() -> None:
    async with bank(every=3600.0) as here:
        await here.inbox.next()
        await here.buy()
        here.bot.ref("balance").tell(RefreshBalances())

        assert (await here.inbox.next()).changed["USDT"].total < 10_000


@pytest.mark.parametrize(
    "fault",
    [HttpFailure(path=SIGNED), GarbledAnswers(path=SIGNED), GarbledAnswers(path=SIGNED, mode="truncated")],
    ids=["503", "html", "truncated"],
)
async def test_the_last_good_value_is_kept_and_grows_old(fault: Any) -> None:
    """Through failing polls, and through the crash that they end in."""
    async with bank(every=0.02) as here:
        first = await here.inbox.next()
        await here.seen.becomes("operational", "balance")
        injected = here.sandbox.faults.inject(fault)
        await here.seen.becomes("degraded", "balance")
        await here.seen.becomes("cooldown", "balance")

        reading = await here.reading()
        assert reading.balances == first.balances
        assert reading.age is not None
        assert reading.age > 0.02
        here.sandbox.faults.clear(injected)
        await here.seen.becomes("operational", "balance")

        after = await here.reading()
        assert after.age is not None
        assert after.age < reading.age


async def test_without_a_reading_there_is_none() -> None:
    async with bank() as here:
        await here.inbox.next()
        here.sandbox.faults.inject(HttpFailure(path=SIGNED))
        await here.bot.start("other", lambda: BalanceMonitor("/bot/api"))
        await here.seen.becomes("cooldown", "other")

        assert await here.bot.ref("other").ask(GetBalances()) == BalanceReading({}, None)


async def test_an_asset_that_is_gone_is_told_as_nothing() -> None:
    class Scripted(BalanceMonitor):
        readings = iter([{"A": Balance(Decimal(1), Decimal(1)), "B": Balance(Decimal(2), Decimal(2))}, {}])

        async def fetch(self) -> dict[str, Balance]:
            return next(self.readings)

    inbox = Inbox()
    async with bot() as running:
        await running.runtime.start_child("/bot", inbox.spec("inbox", BalanceChanged))
        await running.start("balance", lambda: Scripted(running.ref("inbox")))
        await inbox.next()
        running.ref("balance").tell(RefreshBalances())

        assert (await inbox.next()).changed == dict.fromkeys("AB", Balance(Decimal(0), Decimal(0)))


async def test_a_clock_that_is_off_is_measured_again() -> None:
    """-1021, and the next signed request is in time."""
    async with bank(every=3600.0) as here:
        await here.inbox.next()
        here.sandbox.faults.inject(ClockDrift(offset=60.0))
        with pytest.raises(ApiStatusError) as caught:
            await here.bot.ref("api").ask(ApiRequest(path=SIGNED, is_signed=True))
        assert caught.value.code == -1021

        while True:
            try:
                await here.bot.ref("api").ask(ApiRequest(path=SIGNED, is_signed=True))
            except ApiStatusError:
                continue
            break


async def test_the_secret_and_the_signature_are_in_no_error() -> None:
    async with bank(every=3600.0) as here:
        await here.inbox.next()
        here.sandbox.faults.inject(ConnectionsRefused())
        with pytest.raises(Exception, match=r"ConnectError|RemoteProtocolError|ReadError") as caught:
            await here.bot.ref("api").ask(ApiRequest(path=SIGNED, params={"a": 1}, is_signed=True))

        text = repr(caught.value) + str(vars(caught.value)) + str(here.seen.of(ErrorReported))
        assert "signature" not in text
        assert here.sandbox.settings.api_secret not in text


async def test_a_signed_request_needs_a_key() -> None:
    async with open_sandbox(symbols=["BTCUSDT"]) as sandbox, bot() as running:
        api = await running.start("api", lambda: BinanceApi(sandbox.url))

        with pytest.raises(ValueError, match=r"^GET /fapi/v3/balance must be signed: give BinanceApi an api_key"):
            await api.ask(ApiRequest(path=SIGNED, is_signed=True))


def test_wrong_use_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"^every must be > 0 seconds, got 0$"):
        BalanceMonitor("api", every=0)
    with pytest.raises(ValueError, match=r"^timeout must be > 0 seconds, got -1$"):
        BalanceMonitor("api", timeout=-1)
    with pytest.raises(ValueError, match=r"^api_key and api_secret go together, got one of them$"):
        BinanceApi(api_key="x")
