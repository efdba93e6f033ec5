"""REST connections: requests by message and by method, checks, bans that outlive a restart."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import trio

from duenna import ActorDiedError, AskTimeoutError, ErrorReported
from duenna.connection import ConnectionLostError, ConnectionState
from duenna_actors.api import (
    ApiConnection,
    ApiError,
    ApiRateLimitError,
    ApiRequest,
    ApiStatus,
    ApiStatusError,
    ApiTransportError,
    GetApiStatus,
)

from .support import Answer, Bot, RawServer, bot, hang, hang_up, http, raw_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FOREVER = 60.0  # a deadline that a test does not mean to reach


class Price(msgspec.Struct):
    symbol: str
    price: float


def get(path: str = "/price", **options: Any) -> ApiRequest:
    return ApiRequest(path=path, **options)


@asynccontextmanager
async def api_bot(*answers: bytes | Answer, **options: Any) -> AsyncIterator[tuple[Bot, RawServer]]:
    async with raw_server(*answers) as server, bot() as running:
        await running.start("api", lambda: ApiConnection(server.url, **options))
        yield running, server


async def test_a_request_is_asked() -> None:
    async with api_bot(http("{}"), http('{"symbol":"A","price":1.5}')) as (running, server):
        response = await running.ref("api").ask(get(type=Price), timeout=FOREVER)

        assert response.data == Price("A", 1.5)
        assert [head.split()[1] for head in server.requests] == [b"/", b"/price"]


async def test_a_failed_request_is_its_askers_business() -> None:
    """It is raised there as it is, and the actor goes on."""
    async with api_bot(http("{}"), http('{"code":-1121}', 400), http("2")) as (running, _):
        api = running.ref("api")
        with pytest.raises(ApiStatusError) as caught:
            await api.ask(get(), timeout=FOREVER)
        assert caught.value.code == -1121

        assert (await api.ask(get(), timeout=FOREVER)).data == 2
        status = await api.ask(GetApiStatus())

        assert status == ApiStatus(requests=2, failures={"ApiStatusError": 1}, in_flight=0, banned_for=0.0)


async def test_requests_run_side_by_side_up_to_a_limit() -> None:
    began = trio.Event()
    here = 0

    async def slow(stream: trio.SocketStream, head: bytes) -> None:
        nonlocal here
        if head.startswith(b"GET / "):
            await stream.send_all(http("{}"))
            return
        here += 1
        if here == 2:
            began.set()
        await trio.sleep_forever()

    async with api_bot(slow, max_in_flight=2) as (running, _), trio.open_nursery() as nursery:
        api = running.ref("api")
        await running.seen.becomes("operational")
        for _ in range(5):
            nursery.start_soon(ask_and_ignore, api)
        await began.wait()

        assert here == 2
        nursery.cancel_scope.cancel()


async def ask_and_ignore(api: Any) -> None:
    with trio.CancelScope():
        await api.ask(get(), timeout=math.inf)


async def test_a_request_whose_asker_has_gone_is_not_sent() -> None:
    """An order must not go out a minute late because the connection was busy or away."""
    release = trio.Event()

    async def busy(stream: trio.SocketStream, _head: bytes) -> None:
        await release.wait()
        await stream.send_all(http("1"))

    async with (
        api_bot(http("{}"), busy, http("2"), max_in_flight=1) as (running, server),
        trio.open_nursery() as nursery,
    ):
        api = running.ref("api")
        await running.seen.becomes("operational")
        nursery.start_soon(api.ask, get("/first"), FOREVER)
        await server.has_requests(2)

        with pytest.raises(AskTimeoutError):
            await api.ask(get("/late"), timeout=0.05)
        release.set()
        await api.ask(get("/second"), timeout=FOREVER)

        assert [head.split()[1] for head in server.requests] == [b"/", b"/first", b"/second"]
        (reported,) = running.seen.of(ErrorReported)
        assert reported.error == "ApiError: GET /late: not sent, nobody waits for the answer"


async def test_a_request_in_flight_at_the_stop_fails_and_says_why() -> None:
    async with api_bot(http("{}"), hang) as (running, server), trio.open_nursery() as nursery:

        async def ask() -> None:
            with pytest.raises((ActorDiedError, ConnectionLostError, ApiError)):
                await running.ref("api").ask(get(), timeout=FOREVER)

        nursery.start_soon(ask)
        await server.has_requests(2)
        await running.runtime.stop_child("/bot/api")


@pytest.mark.parametrize("status", [500, 503, 418, 429])
async def test_a_server_that_will_not_answer_is_not_operational(status: int) -> None:
    async with api_bot(http("", status), http("{}")) as (running, _):
        await running.seen.becomes("cooldown")
        await running.seen.becomes("operational")


@pytest.mark.parametrize("status", [401, 403])
async def test_a_server_that_does_not_know_us_waits_for_a_hand(status: int) -> None:
    """To ask again with the same key, from the same place, is of no use."""
    async with api_bot(http("", status), http("{}")) as (running, server):
        await running.seen.becomes("failed")
        assert len(server.requests) == 1

        await running.runtime.restart_child("/bot/api")

        await running.seen.becomes("operational")


@pytest.mark.parametrize("status", [200, 204, 302, 400, 404, 405])
async def test_a_server_that_answers_is_operational(status: int) -> None:
    async with api_bot(http("", status)) as (running, _):
        change = await running.seen.becomes("operational")

        assert change.previous is ConnectionState.CONNECTING


async def test_a_request_that_finds_no_server_asks_for_a_check() -> None:
    async with api_bot(http("{}"), hang_up, http("", 503), http("{}")) as (running, _):
        await running.seen.becomes("operational")
        with pytest.raises(ApiTransportError):
            await running.ref("api").ask(get(), timeout=FOREVER)

        await running.seen.becomes("degraded")


async def test_a_ban_outlives_a_restart() -> None:
    """Who was told to wait and crashes must not call out again at its restart."""
    async with api_bot(http("{}"), http("", 418, Retry_After=600), http("{}")) as (running, server):
        await running.seen.becomes("operational")
        with pytest.raises(ApiRateLimitError):
            await running.ref("api").ask(get(), timeout=FOREVER)

        await running.runtime.restart_child("/bot/api")
        change = await running.seen.becomes("cooldown")

        assert "not sent, the server asked to be left alone" in change.why
        assert len(server.requests) == 2


async def test_a_subclass_signs_and_calls_by_method() -> None:
    class Signing(ApiConnection):
        price = 0.0

        def prepare(self, request: ApiRequest) -> ApiRequest:
            return msgspec.structs.replace(request, headers={"X-KEY": "k"})

        async def session(self) -> None:
            self.price = (await self.get("/price", type=Price, symbol="A", limit=3)).price
            priced.set()
            await trio.sleep_forever()

    async with raw_server(http('{"symbol":"A","price":2.5}')) as server, bot() as running:
        priced = trio.Event()
        made: list[Signing] = []

        def make() -> Signing:
            made.append(Signing(server.url))
            return made[-1]

        await running.start("api", make)
        await priced.wait()

        assert made[0].price == 2.5
        assert all(b"X-KEY: k" in head for head in server.requests)
        assert any(head.startswith(b"GET /price?symbol=A&limit=3 ") for head in server.requests)


async def test_a_stray_message_is_refused_and_no_crash() -> None:
    async with api_bot(http("{}")) as (running, _):
        await running.seen.becomes("operational")
        with pytest.raises(TypeError, match=r"^/bot/api takes no str$"):
            await running.ref("api").ask("hello")
        running.ref("api").tell(5)

        reported = await running.seen.next(ErrorReported)

        assert reported.error == "TypeError: /bot/api takes no int"


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("ftp://x", {}, r"^base_url must begin with http:// or https:// and name a host, got 'ftp://x'$"),
        ("http://", {}, "^base_url must"),
        ("http://x", {"max_in_flight": 0}, r"^max_in_flight must be >= 1, got 0$"),
        ("http://x", {"timeout": 0}, r"^timeout must be > 0 seconds, got 0$"),
        ("http://x", {"timeout": math.nan}, r"^timeout must be > 0 seconds, got nan$"),
    ],
)
def test_wrong_use_is_refused_at_once(url: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ApiConnection(url, **options)
