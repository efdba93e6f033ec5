"""What a client of the REST interface sees of each fault, and of faults of the connection itself."""

from __future__ import annotations

import math
from typing import Literal

import httpx2
import pytest
import trio
import trio.testing

from duenna.wallclock import wall_time
from duenna_actors.sandbox import (
    ClockDrift,
    ConnectionsRefused,
    ConnectionsReset,
    DatabaseLost,
    GarbledAnswers,
    HalfOpen,
    HttpFailure,
    LostAnswers,
    RateLimited,
    Scheduled,
    SlowAnswers,
    StaleSnapshot,
    open_sandbox,
)
from tests.actors.sandbox.support import QUICK, Watch, raw, read_all, rest_client, websocket


async def test_a_stale_snapshot_lags_behind_the_stream() -> None:
    """It is the book as it was, with the number it had: the buffered events cannot be joined to it."""
    async with (
        open_sandbox(settings=QUICK) as sandbox,
        rest_client(sandbox) as rest,
        websocket(sandbox, "/public/ws/btcusdt@depth@100ms") as feed,
    ):
        event = await feed.next()
        sandbox.faults.inject(StaleSnapshot(symbol="BTCUSDT", age=30.0))
        stale = (await rest.get("/fapi/v1/depth", symbol="BTCUSDT")).json()
        fresh = (await rest.get("/fapi/v1/depth", symbol="ETHUSDT")).json()

    assert stale["lastUpdateId"] < event["U"]
    assert wall_time() - stale["T"] / 1_000 == pytest.approx(30.0, abs=10.0)
    assert wall_time() - fresh["T"] / 1_000 == pytest.approx(0.0, abs=10.0)


@pytest.mark.parametrize("status", [403, 408, 500, 502, 503, 504])
async def test_a_request_fails(status: int) -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        sandbox.faults.inject(HttpFailure(status=status, count=1, code=-1001, text="Internal error."))
        failed = await rest.get("/fapi/v1/time")

        assert (failed.status_code, failed.json()) == (status, {"code": -1001, "msg": "Internal error."})
        assert (await rest.get("/fapi/v1/time")).status_code == 200


async def test_a_failure_may_be_a_page() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        sandbox.faults.inject(HttpFailure(status=403, is_html=True))
        failed = await rest.get("/fapi/v1/time")

        assert (failed.status_code, failed.headers["Content-Type"]) == (403, "text/html")


async def test_a_failure_strikes_its_path_method_and_symbol() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        sandbox.faults.inject(HttpFailure(path="/fapi/v1/depth", method="GET", symbol="BTC*"))

        assert (await rest.get("/fapi/v1/depth", symbol="BTCUSDT")).status_code == 503
        assert (await rest.get("/fapi/v1/depth", symbol="ETHUSDT")).status_code == 200
        assert (await rest.get("/fapi/v1/klines", symbol="BTCUSDT", interval="1m")).status_code == 200


async def test_an_order_that_failed_was_not_placed() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        sandbox.faults.inject(HttpFailure(method="POST"))
        await rest.order(newClientOrderId="mine")

        found = await rest.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="mine")
        assert found.json()["code"] == -2013


async def test_the_rate_limit_is_429_and_for_who_goes_on_418() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        sandbox.faults.inject(RateLimited(retry_after=5.0, patience=2, ban=60.0))
        answers = [await rest.get("/fapi/v1/time") for _ in range(4)]

        assert [answer.status_code for answer in answers] == [429, 429, 418, 418]
        assert [math.ceil(int(answer.headers["Retry-After"]) / 20) for answer in answers] == [1, 1, 3, 3]
        assert "IP banned until 1" in answers[2].json()["msg"]
        sandbox.faults.clear()
        assert (await rest.get("/fapi/v1/time")).status_code == 200


async def test_who_waits_as_told_is_let_in() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        sandbox.faults.inject(RateLimited(retry_after=0.05, patience=1, ban=60.0))
        refused = await rest.get("/fapi/v1/time")
        await trio.sleep(0.05)

        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        assert (await rest.get("/fapi/v1/time")).status_code == 200


async def test_a_slow_answer_is_longer_than_the_clients_patience() -> None:
    """And the order is filled all the same."""
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox, timeout=0.3) as rest:
        sandbox.faults.inject(SlowAnswers(method="POST", latency=30.0, jitter=1.0))
        with pytest.raises(httpx2.ReadTimeout):
            await rest.order(newClientOrderId="mine")
        sandbox.faults.clear()

        found = await rest.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="mine")
        assert found.json()["status"] == "FILLED"


async def test_the_answer_says_unknown_and_the_private_stream_says_filled() -> None:
    """Story 20: -1007, and a retry with the same id is refused as a duplicate."""
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        key = await rest.listen_key()
        async with websocket(sandbox, f"/private/ws/{key}") as feed:
            sandbox.faults.inject(LostAnswers(count=1))
            lost = await rest.order(newClientOrderId="mine")
            event = await feed.next()
            again = await rest.order(newClientOrderId="mine")

    assert (lost.status_code, lost.json()["code"]) == (408, -1007)
    assert (event["o"]["x"], event["o"]["c"]) == ("NEW", "mine")
    assert again.json()["code"] == -4116


@pytest.mark.parametrize(("mode", "error"), [("silence", httpx2.ReadTimeout), ("cut", httpx2.RemoteProtocolError)])
async def test_the_answer_does_not_come(mode: Literal["silence", "cut"], error: type[Exception]) -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox, timeout=0.3) as rest:
        sandbox.faults.inject(LostAnswers(mode=mode, count=1))
        with pytest.raises(error):
            await rest.order(newClientOrderId="mine")

        found = await rest.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="mine")
        assert found.json()["status"] == "FILLED"


@pytest.mark.parametrize("mode", ["html", "truncated", "garbled"])
async def test_an_answer_is_no_json(mode: Literal["html", "truncated", "garbled"]) -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        sandbox.faults.inject(GarbledAnswers(mode=mode))
        answer = await rest.get("/fapi/v1/time")

        assert answer.status_code == 200
        with pytest.raises(ValueError, match=r"^"):
            answer.json()


async def test_an_answer_ends_in_the_middle() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        sandbox.faults.inject(GarbledAnswers(mode="cut", count=1))
        with pytest.raises(httpx2.RemoteProtocolError, match="without sending complete message body"):
            await rest.get("/fapi/v1/time")
        assert (await rest.get("/fapi/v1/time")).status_code == 200


@pytest.mark.parametrize("offset", [10.0, -10.0])
async def test_a_drifting_clock_is_wrong_until_it_is_measured(offset: float) -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        sandbox.faults.inject(ClockDrift(offset=offset))
        refused = await rest.signed("GET", "/fapi/v3/balance")
        server_time = (await rest.get("/fapi/v1/time")).json()["serverTime"]
        accepted = await rest.signed("GET", "/fapi/v3/balance", timestamp=server_time)

    assert refused.json()["code"] == -1021
    assert accepted.status_code == 200


async def test_connections_are_refused_and_come_back_on_the_same_port() -> None:
    watch = Watch()
    async with open_sandbox(settings=QUICK, on_fault=watch) as sandbox, rest_client(sandbox) as rest:
        assert (await rest.get("/fapi/v1/time")).status_code == 200
        number = sandbox.faults.inject(ConnectionsRefused())
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(httpx2.TransportError):
            await rest.get("/fapi/v1/time")  # the connection that was open is reset
        with pytest.raises(httpx2.ConnectError):
            await rest.get("/fapi/v1/time")
        with pytest.raises(OSError, match="all attempts to connect"):
            await raw(sandbox)

        sandbox.faults.clear(number)
        await trio.testing.wait_all_tasks_blocked()
        assert (await rest.get("/fapi/v1/time")).status_code == 200
    assert [change.change for change in watch.changes] == ["injected", "cleared"]


async def test_refusing_connections_can_spare_those_that_are_open() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, websocket(sandbox, "/market/ws/btcusdt@aggTrade") as feed:
        sandbox.faults.inject(ConnectionsRefused(drop_existing=False))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(OSError, match="all attempts to connect"):
            await raw(sandbox)

        assert (await feed.next())["e"] == "aggTrade"


async def test_the_port_comes_back_by_itself_after_its_time() -> None:
    watch = Watch()
    async with open_sandbox(settings=QUICK, on_fault=watch) as sandbox, rest_client(sandbox) as rest:
        sandbox.faults.inject(ConnectionsRefused(), duration=0.05)
        await watch.until("injected", "expired")
        await trio.testing.wait_all_tasks_blocked()

        assert (await rest.get("/fapi/v1/time")).status_code == 200


async def test_a_sandbox_may_begin_shut() -> None:
    schedule = [Scheduled(0.0, ConnectionsRefused(), 0.05)]
    watch = Watch()
    async with open_sandbox(settings=QUICK, schedule=schedule, on_fault=watch) as sandbox:
        await watch.until("injected", "expired")
        await trio.testing.wait_all_tasks_blocked()
        async with rest_client(sandbox) as rest:
            assert (await rest.get("/fapi/v1/time")).status_code == 200


async def test_connections_are_reset_at_once() -> None:
    async with open_sandbox(settings=QUICK) as sandbox:
        sandbox.faults.inject(ConnectionsReset(count=1))
        async with await raw(sandbox) as stream:
            assert await read_all(stream) == b"<reset>"
        async with rest_client(sandbox) as rest:
            assert (await rest.get("/fapi/v1/time")).status_code == 200


async def test_a_half_open_connection_times_out() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox, timeout=0.2) as rest:
        await rest.get("/fapi/v1/time")
        sandbox.faults.inject(HalfOpen(path="/fapi/*"))
        with pytest.raises(httpx2.ReadTimeout):
            await rest.get("/fapi/v1/time")


async def test_a_lost_database_is_only_told() -> None:
    """The sandbox has no database: whoever has one hears of the fault, and breaks it."""
    watch = Watch()
    schedule = [Scheduled(0.01, DatabaseLost(), 0.02)]
    async with open_sandbox(settings=QUICK, schedule=schedule, on_fault=watch) as sandbox, rest_client(sandbox) as rest:
        await watch.until("injected", "expired")
        assert (await rest.get("/fapi/v1/time")).status_code == 200

    assert [type(change.fault) for change in watch.changes] == [DatabaseLost, DatabaseLost]
    assert [change.at for change in watch.changes] == pytest.approx([0.01, 0.03])


async def test_a_listener_that_fails_harms_nobody() -> None:
    def broken(_change: object) -> None:
        raise ZeroDivisionError

    async with open_sandbox(settings=QUICK, on_fault=broken) as sandbox, rest_client(sandbox) as rest:
        sandbox.faults.inject(HttpFailure(count=1))

        assert (await rest.get("/fapi/v1/time")).status_code == 503
