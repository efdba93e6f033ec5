"""HTTP over real sockets, without the actor: answers, failures and their types, deadlines, cancellation, bans."""

from __future__ import annotations

import gzip
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna_actors._http import HttpClient
from duenna_actors._rate_gate import RateGate
from duenna_actors.api import (
    ApiDataError,
    ApiError,
    ApiRateLimitError,
    ApiRequest,
    ApiStatusError,
    ApiTimeoutError,
    ApiTransportError,
)

from .support import Answer, RawServer, hang, hang_up, http, raw_server, then_hang_up

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WALL = 1_659_761_900.0
FOREVER = 60.0  # a deadline that a test does not mean to reach


class Price(msgspec.Struct):
    symbol: str
    price: float


@asynccontextmanager
async def client_of(*answers: bytes | Answer, **options: Any) -> AsyncIterator[tuple[HttpClient, RawServer]]:
    async with raw_server(*answers) as server:
        settings: dict[str, Any] = {
            "headers": {},
            "timeout": FOREVER,
            "max_in_flight": 5,
            "max_body": 1000,
            "wall_time": lambda: WALL,
        }
        client = HttpClient(server.url, **(settings | options))
        await client.open()
        try:
            yield client, server
        finally:
            await client.aclose()


def get(path: str = "/price", **options: Any) -> ApiRequest:
    return ApiRequest(path=path, **options)


# -- answers ---------------------------------------------------------------------------


async def test_an_answer_is_decoded_into_what_was_asked_for() -> None:
    async with client_of(http('{"symbol":"BTCUSDT","price":50000.5}', X_Weight="7")) as (client, server):
        response = await client.fetch(get(params={"symbol": "BTCUSDT", "limit": 5, "nothing": None}, type=Price))

        assert response.data == Price("BTCUSDT", 50000.5)
        assert (response.status, response.headers["x-weight"]) == (200, "7")
        assert server.requests[0].startswith(b"GET /price?symbol=BTCUSDT&limit=5 HTTP/1.1")


async def test_without_a_type_it_is_plain_json() -> None:
    async with client_of(http('{"a":[1,2]}')) as (client, _):
        assert (await client.fetch(get())).data == {"a": [1, 2]}


async def test_bytes_come_as_they_are() -> None:
    async with client_of(http("")) as (client, _):
        assert (await client.fetch(get(type=bytes))).data == b""


async def test_a_packed_answer_is_unpacked() -> None:
    async with client_of(http(gzip.compress(b'{"a":1}'), Content_Encoding="gzip")) as (client, server):
        assert (await client.fetch(get())).data == {"a": 1}
        assert b"accept-encoding: gzip" in server.requests[0].lower()


async def test_connections_are_kept_and_used_again() -> None:
    async with client_of(http("1")) as (client, server):
        for _ in range(5):
            await client.fetch(get())

        assert (len(server.requests), server.connections) == (5, 1)


# -- failures --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (http("<html><body>Cloudflare</body></html>"), "a page of HTML instead of JSON"),
        (http('{"symbol":"BTCUSDT","pri'), "not what was expected: Input data was truncated"),
        (http(b'{"symbol":"BTC\xff\xfe","price":1}'), "not what was expected: "),
        (http('{"symbol":"BTCUSDT"}'), "not what was expected: Object missing required field `price`"),
        (http(""), "empty answer"),
        (http("  \n"), "empty answer"),
        (http("x" * 1001), "more than the 1000 bytes that an answer may have"),
        (http(b"not gzip", Content_Encoding="gzip"), "content cannot be unpacked: "),
        (http(gzip.compress(b"x")[:-9], Content_Encoding="gzip"), "content cannot be unpacked: it is not complete"),
        (http(gzip.compress(b"x" * 10**6), Content_Encoding="gzip"), "more than the 1000 bytes"),
        (http(b"x", Content_Encoding="br"), "content is packed with 'br', which was not asked for"),
    ],
    ids=[
        "html",
        "truncated",
        "bad utf-8",
        "wrong shape",
        "empty",
        "blank",
        "too big",
        "not gzip",
        "half a gzip",
        "a bomb",
        "another packing",
    ],
)
async def test_success_with_the_wrong_content_is_a_data_error(answer: bytes, why: str) -> None:
    async with client_of(answer) as (client, _):
        with pytest.raises(ApiDataError) as caught:
            await client.fetch(get(type=Price))

        assert str(caught.value).startswith(f"GET /price: {why}")
        assert not caught.value.outcome_unknown


@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        (http('{"code":-1121,"msg":"Invalid symbol."}', 400), -1121, "code -1121: Invalid symbol."),
        (http('{"retCode":10001,"retMsg":"params error"}', 400), 10001, "code 10001: params error"),
        (http('{"error":"order not found"}', 404), None, "order not found"),
        (http('{"code":"51008","message":"no funds"}', 422), "51008", "code 51008: no funds"),
        (http("<html>403</html>", 403), None, ""),
        (http("", 500), None, ""),
        (http('["unexpected"]', 500), None, ""),
    ],
)
async def test_a_refusal_carries_status_code_and_body(answer: bytes, code: object, text: str) -> None:
    async with client_of(answer) as (client, _):
        with pytest.raises(ApiStatusError) as caught:
            await client.fetch(get("/secret?signature=abc"))

        error = caught.value
        assert error.code == code
        assert str(error).endswith(text)
        assert error.body == answer.partition(b"\r\n\r\n")[2].decode()
        assert "abc" not in str(error)


@pytest.mark.parametrize(
    ("answer", "kind", "why"),
    [
        (hang_up, ApiTransportError, "RemoteProtocolError: Server disconnected without sending a response."),
        (then_hang_up(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), ApiTransportError, "RemoteProtocolError: "),
        (then_hang_up(b"SSH-2.0-OpenSSH\r\n"), ApiTransportError, "RemoteProtocolError: "),
    ],
    ids=["no answer", "cut off", "no http"],
)
async def test_a_broken_exchange_is_a_transport_error(answer: Answer, kind: type[ApiError], why: str) -> None:
    async with client_of(answer) as (client, _):
        with pytest.raises(kind) as caught:
            await client.fetch(get())

        assert f"GET /price: {why}" in str(caught.value)
        assert caught.value.status is None


async def test_a_server_that_is_not_there_is_a_transport_error_and_had_no_effect() -> None:
    async with client_of(http("1")) as (client, server):
        pass
    client = HttpClient(server.url, headers={}, timeout=FOREVER, max_in_flight=1, max_body=10)
    await client.open()

    with pytest.raises(ApiTransportError, match="ConnectError") as caught:
        await client.fetch(ApiRequest(method="POST", path="/order"))

    assert not caught.value.outcome_unknown
    await client.aclose()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("answer", [hang_up, hang, http("{}", 503), http('{"code":-1007}', 400), http("", 408)])
async def test_the_outcome_of_what_changes_something_may_be_unknown(method: str, answer: bytes | Answer) -> None:
    """It left for the server, and the answer does not say what became of it. Reading again harms nobody."""
    async with client_of(answer) as (client, _):
        with pytest.raises(ApiError) as caught:
            await client.fetch(ApiRequest(method=method, path="/order", timeout=0.05))

        assert caught.value.outcome_unknown is (method == "POST")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("answer", [http("<html>"), http('{"orderId":'), http(""), http("x" * 1001), http('"x"')])
async def test_the_outcome_of_what_was_answered_with_nonsense_is_unknown(method: str, answer: bytes) -> None:
    """It was carried out, most likely; the answer to that came broken."""
    async with client_of(answer) as (client, _):
        with pytest.raises(ApiDataError) as caught:
            await client.fetch(ApiRequest(method=method, path="/order", type=Price))

        assert caught.value.outcome_unknown is (method != "GET")


async def test_what_the_protection_from_overload_refuses_was_certainly_not_done() -> None:
    async with client_of(http('{"code":-1008,"msg":"overloaded"}', 503)) as (client, _):
        with pytest.raises(ApiStatusError) as caught:
            await client.fetch(ApiRequest(method="POST", path="/order"))

        assert not caught.value.outcome_unknown


async def test_numbers_may_be_written_as_strings_if_that_is_said() -> None:
    async with client_of(http('{"symbol":"BTCUSDT","price":"50000.5"}')) as (client, _):
        assert (await client.fetch(get(type=Price, is_strict=False))).data == Price("BTCUSDT", 50000.5)
        with pytest.raises(ApiDataError):
            await client.fetch(get(type=Price))


async def test_the_head_of_every_answer_is_told() -> None:
    """Good and bad ones, before anything else is made of them; a request that gets none is not told of."""
    heard: list[tuple[int, str]] = []

    def on_answer(status: int, headers: dict[str, str], elapsed: float) -> None:
        assert 0 <= elapsed < FOREVER
        heard.append((status, headers["x-used"]))

    answers = (http("1", X_Used=1), http("", 503, X_Used=2), http("<", X_Used=3), http("", 429, X_Used=4), hang_up)
    async with client_of(*answers, on_answer=on_answer) as (client, _):
        for _ in answers:
            try:
                await client.fetch(get())
            except ApiError:
                continue

    assert heard == [(200, "1"), (503, "2"), (200, "3"), (429, "4")]


async def test_a_refused_order_is_known_to_be_refused() -> None:
    async with client_of(http('{"code":-2010,"msg":"no funds"}', 400)) as (client, _):
        with pytest.raises(ApiStatusError) as caught:
            await client.fetch(ApiRequest(method="POST", path="/order"))

        assert not caught.value.outcome_unknown


# -- deadlines and cancellation --------------------------------------------------------


async def trickle(stream: trio.SocketStream, _head: bytes) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        await stream.send_all(b"x")
        await trio.sleep(0.001)


@pytest.mark.parametrize("answer", [hang, trickle], ids=["silence", "a drop at a time"])
async def test_the_deadline_is_for_the_whole_request(answer: Answer) -> None:
    """A timeout per read would wait for ever while something trickles in."""
    async with client_of(answer, max_body=10**6) as (client, _):
        with pytest.raises(ApiTimeoutError, match=r"^GET /price: no whole answer within 0.05 s$"):
            await client.fetch(get(timeout=0.05))


async def test_waiting_for_a_free_connection_is_part_of_the_request() -> None:
    async with client_of(hang, max_in_flight=1) as (client, _), trio.open_nursery() as nursery:
        nursery.start_soon(client.fetch, get())
        await wait_all_tasks_blocked()

        with pytest.raises(ApiTimeoutError) as caught:
            await client.fetch(ApiRequest(method="POST", path="/order", timeout=0.05))

        assert not caught.value.outcome_unknown
        nursery.cancel_scope.cancel()


async def test_a_cancelled_request_gives_its_connection_back() -> None:
    """Many times over, at whatever point, the pool of two stays usable."""
    async with client_of(http("1"), max_in_flight=2) as (client, _):
        for step in range(60):
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(client.fetch, get())
                    nursery.start_soon(client.fetch, get())
                    for _ in range(step % 20):
                        await trio.lowlevel.checkpoint()
                    scope.cancel()
        with trio.fail_after(FOREVER):
            assert (await client.fetch(get())).data == 1


async def test_a_closed_client_sends_nothing() -> None:
    async with client_of(http("1")) as (client, server):
        await client.aclose()
        await client.aclose()

        with pytest.raises(ApiTransportError, match="not sent, the connection is closed"):
            await client.fetch(get())
        assert server.requests == []


# -- bans ------------------------------------------------------------------------------


async def test_who_is_told_to_wait_does_not_ask_again() -> None:
    async with client_of(http('{"code":-1003,"msg":"slow down"}', 429, Retry_After=30)) as (client, server):
        with pytest.raises(ApiRateLimitError) as first:
            await client.fetch(get())
        with pytest.raises(ApiRateLimitError, match="not sent, the server asked to be left alone") as second:
            await client.fetch(get())

        assert (first.value.status, first.value.code, first.value.retry_after) == (429, -1003, 30.0)
        assert second.value.status == 429
        assert second.value.retry_after is not None
        assert 0 < second.value.retry_after <= 30
        assert len(server.requests) == 1


async def test_the_end_of_a_ban_may_stand_in_the_text() -> None:
    text = f'{{"code":-1003,"msg":"IP banned until {int((WALL + 90) * 1000)}. Please use the websocket"}}'
    async with client_of(http(text, 418)) as (client, _):
        with pytest.raises(ApiRateLimitError) as caught:
            await client.fetch(get())

        assert caught.value.retry_after == pytest.approx(90.0)


async def test_a_429_that_names_no_time_closes_no_gate() -> None:
    async with client_of(http("", 429), http("1")) as (client, _):
        with pytest.raises(ApiRateLimitError) as caught:
            await client.fetch(get())

        assert caught.value.retry_after is None
        assert (await client.fetch(get())).data == 1


async def test_a_503_with_retry_after_says_so_and_closes_no_gate() -> None:
    async with client_of(http("", 503, Retry_After=7), http("1")) as (client, _):
        with pytest.raises(ApiStatusError) as caught:
            await client.fetch(get())

        assert caught.value.retry_after == 7.0
        assert (await client.fetch(get())).data == 1


async def test_a_ban_is_shared() -> None:
    gate = RateGate()
    gate.close(trio.current_time(), 50.0, 418)
    async with client_of(http("1"), gate=gate) as (client, server):
        with pytest.raises(ApiRateLimitError):
            await client.fetch(get())

        assert server.requests == []
