"""Nobody gets in without a token, nobody from another site, and nothing of the inside gets out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna_actors.console import ClientsRefused, Limits
from duenna_actors.console.server.tokens import VIEW
from tests.actors.console.support import Running, decoded, running_console

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RESTART = "/api/v1/actors/bot/idle/restart"
CLOSED = ("/api/v1/snapshot", "/api/v1/live", "/metrics", "/api/v1/whoami", "/api/recovery/status", "/nothing")
OPEN = ("/", "/livez", "/healthz", "/readyz", "/startupz", "/openapi.json", "/favicon.ico", "/page/page.css")


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with running_console() as found:
        yield found


def request(method: str, path: str, *headers: str, body: bytes = b"", host: str | None = "localhost") -> bytes:
    """Return a request as it goes over the line."""
    first = [] if host is None else [f"Host: {host}"]
    lines = [f"{method} {path} HTTP/1.1", *first, "Connection: close", *headers]
    if body and not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def status_of(answer: bytes) -> int:
    """Return the status of an answer as it came over the line; 0: there was none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


async def send_for_ever(stream: trio.SocketStream, part: bytes) -> None:
    while True:
        await stream.send_all(part)


async def test_whoever_has_no_token_is_refused_and_told_what_to_send(running: Running) -> None:
    for unix in (False, True):
        async with running.client(None, unix=unix) as http:
            for path in CLOSED:
                answer = await http.get(path)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == 'Bearer realm="duenna"'
                assert answer.headers["content-type"] == "application/problem+json"
                assert "Authorization: Bearer TOKEN" in answer.json()["detail"]


async def test_what_is_open_is_answered_without_a_token_and_names_no_actor(running: Running) -> None:
    async with running.client(None) as http:
        for path in OPEN:
            answer = await http.get(path, params={"verbose": "1"} if path.endswith("z") else None)
            assert answer.status_code in {200, 503}, path
            assert b"idle" not in answer.content or path == "/openapi.json"


@pytest.mark.parametrize(
    "shown",
    ["Bearer wrong", "Bearer ", "Bearer", "Basic {view}", "{view}", "Bearer {view}x", "Bearer {view} x", "Bearer \xff"],
)
async def test_a_wrong_token_is_refused_even_where_none_is_needed(running: Running, shown: str) -> None:
    given = f"Authorization: {shown.format(**running.tokens)}"

    for path in ("/api/v1/snapshot", "/livez", "/"):
        answer = await running.raw(request("GET", path, given))
        assert status_of(answer) == 401
        assert b'error="invalid_token"' in answer


async def test_two_tokens_are_refused(running: Running) -> None:
    given = [f"Authorization: Bearer {running.tokens[name]}" for name in ("view", "operate")]

    assert status_of(await running.raw(request("GET", "/api/v1/whoami", *given))) == 401


async def test_the_scheme_may_be_in_any_case(running: Running) -> None:
    given = f"authorization: bEARER  {running.tokens['view']}"

    assert status_of(await running.raw(request("GET", "/api/v1/whoami", given))) == 200


async def test_a_token_in_the_query_is_none(running: Running) -> None:
    async with running.client(None) as http:
        answer = await http.get("/api/v1/whoami", params={"token": running.tokens["operate"]})

    assert answer.status_code == 401


async def test_who_may_view_may_not_operate(running: Running) -> None:
    before = running.runtime.tree().children[0].incarnation
    for path in (
        RESTART,
        "/api/recovery/restart",
        "/api/v1/breakers/x/reset",
        "/api/v1/alerts/test",
        "/api/v1/incidents",
        "/nothing",  # refused before it is known what is there
    ):
        answer = await running.post(path, {"reason": "none"}, VIEW)
        assert answer.status_code == 403
        assert answer.json()["needed"] == "operate"
    async with running.client("view") as http:
        assert (await http.delete("/api/v1/silences/1")).status_code == 403

    assert running.runtime.tree().children[0].incarnation == before


async def test_everybody_is_told_who_he_is(running: Running) -> None:
    for name in ("view", "operate"):
        assert (await running.get("/api/v1/whoami", name)).json() == {"name": name, "role": name, "bot": "bot"}


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:3000", "[::1]", "[::1]:80", "bot.lan"]
)
async def test_names_of_ones_own_are_served(host: str) -> None:
    async with running_console(hosts=["Bot.lan"]) as running:
        assert status_of(await running.raw(request("GET", "/livez", host=host))) == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("localhost.", 421),
        ("localhost@evil.example", 421),
        ("127.0.0.1.nip.io", 421),
        ("0.0.0.0:3000", 421),
        ("localhost:3000:3000", 421),
        ("localhost:\xb2", 421),
        ("localhost, evil.example", 421),
        ("[::1", 421),
        ("::1", 421),
        ("", 400),
    ],
)
async def test_another_name_is_refused(running: Running, host: str, status: int) -> None:
    given = f"Authorization: Bearer {running.tokens['operate']}"

    for path in ("/", "/livez", "/api/v1/snapshot"):
        assert status_of(await running.raw(request("GET", path, given, host=host))) == status


async def test_no_host_or_two_are_refused(running: Running) -> None:
    assert status_of(await running.raw(request("GET", "/livez", host=None))) == 400
    assert status_of(await running.raw(b"GET /livez HTTP/1.0\r\n\r\n")) == 400
    assert status_of(await running.raw(request("GET", "/livez", "Host: localhost"))) == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", None])
async def test_what_a_form_can_send_is_refused(running: Running, kind: str | None) -> None:
    given = [f"Authorization: Bearer {running.tokens['operate']}", *([] if kind is None else [f"Content-Type: {kind}"])]

    answer = await running.raw(request("POST", RESTART, *given, body=b"{}"))

    assert status_of(answer) == 415
    assert b"application/json" in answer


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site"])
async def test_another_site_is_refused(running: Running, site: str) -> None:
    headers = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}
    async with running.client("operate") as http:
        for path in ("/", "/livez", "/api/v1/snapshot"):
            assert (await http.get(path, headers=headers)).status_code == 403
        assert (await http.post(RESTART, json={}, headers=headers)).status_code == 403


async def test_a_link_to_the_page_may_stand_anywhere_and_the_page_asks_for_itself(running: Running) -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    async with running.client(None) as http:
        assert (await http.get("/", headers=link)).status_code == 200
        assert (await http.get("/openapi.json", headers=link)).status_code == 403
    own = {"sec-fetch-site": "same-origin", "origin": running.url}
    async with running.client("operate") as http:
        assert (await http.post(RESTART, json={}, headers=own)).status_code == 202


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1", "http://127.0.0.1"])
async def test_a_change_that_another_origin_wants_is_refused(running: Running, origin: str) -> None:
    async with running.client("operate") as http:
        assert (await http.post(RESTART, json={}, headers={"origin": origin})).status_code == 403


async def test_every_answer_has_the_headers_and_none_lets_other_sites_read(running: Running) -> None:
    async with running.client("operate") as http:
        answers = [await http.get(path) for path in (*OPEN, "/api/v1/snapshot", "/nothing")]
        answers.append(await http.get("/", headers={"host": "evil.example"}))
        answers.append(await http.request("OPTIONS", RESTART, headers={"origin": "https://evil.example"}))
    answers.append(await running.get("/api/v1/snapshot", None))

    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'"
        )
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["duenna-api-version"] == "1"
        assert answer.headers["cache-control"] in {"no-store", "no-cache"}
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "server" not in answer.headers
        assert "set-cookie" not in answer.headers


async def test_the_files_of_the_page_are_sent_once(running: Running) -> None:
    async with running.client(None) as http:
        first = await http.get("/page/page.css")
        again = await http.get("/page/page.css", headers={"if-none-match": f'"x", W/{first.headers["etag"]}'})
        other = await http.get("/page/page.css", headers={"if-none-match": '"x"'})

    assert first.headers["content-type"].startswith("text/css")
    assert (again.status_code, again.content) == (304, b"")
    assert (other.status_code, other.content) == (200, first.content)


@pytest.mark.parametrize(
    "name", ["../server/actor.py", "..%2fserver%2factor.py", "", "no.js", "%00", "/etc/passwd", "a/../page.css"]
)
async def test_the_page_has_no_other_files(running: Running, name: str) -> None:
    assert status_of(await running.raw(request("GET", f"/page/{name}"))) == 404


async def test_a_large_body_is_refused_however_it_is_told(running: Running) -> None:
    token = f"Authorization: Bearer {running.tokens['operate']}"
    kind = "Content-Type: application/json"
    body = b'{"reason": "' + b"x" * 70_000 + b'"}'
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:1000], body[1000:])) + b"0\r\n\r\n"

    for path in (RESTART, "/nothing", "/livez"):
        assert status_of(await running.raw(request("POST", path, token, kind, body=body))) == 413
        sent = request("POST", path, token, kind, "Transfer-Encoding: chunked", body=chunked)
        assert status_of(await running.raw(sent)) == 413
    assert status_of(await running.raw(request("GET", "/api/v1/whoami", body=body))) == 413
    assert status_of(await running.raw(request("POST", RESTART, kind, "Content-Length: 9999999999", body=b"{"))) == 413
    assert (await running.get("/api/v1/whoami")).status_code == 200


async def test_a_large_body_that_never_ends_does_not_keep_its_connection() -> None:
    """Hypercorn's queue of what is not read must not hold it up."""
    async with running_console() as running, await running.connect() as stream:
        await stream.send_all(request("POST", RESTART, "Transfer-Encoding: chunked", body=b""))
        part = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        with pytest.raises((trio.BrokenResourceError, trio.ClosedResourceError)):
            await send_for_ever(stream, part)


async def test_a_slow_head_a_slow_body_and_idleness_end() -> None:
    limits = Limits(head=0.1, body=0.1)
    async with running_console(limits=limits) as running:
        for sent, status in [
            (b"", 0),
            (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", 0),
            (request("POST", RESTART, "Content-Length: 10", body=b"{"), 408),
            (b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        ]:
            assert status_of(await running.raw(sent)) == status


async def test_a_slow_head_is_not_kept_alive_by_a_byte_now_and_then() -> None:
    async with running_console(limits=Limits(head=0.2)) as running, await running.connect() as stream:
        await stream.send_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        with pytest.raises((trio.BrokenResourceError, trio.ClosedResourceError)):
            await send_for_ever(stream, b"x")


async def test_one_connection_too_many_is_closed_at_once_and_the_other_socket_still_serves() -> None:
    async with running_console(limits=Limits(connections=3)) as running:
        async with trio.open_nursery() as nursery:
            held = [await running.connect() for _ in range(3)]
            with running.runtime.events(ClientsRefused) as events:
                for _ in range(3):
                    assert await running.raw(b"") == b""
                told = [event.text() for event in events.drain()]
            assert told == [f"{count} connection(s) refused so far: 3 at a time are served" for count in (1, 2)]
            async with running.client("view", unix=True) as http:
                assert (await http.get("/api/v1/whoami")).status_code == 200
            for each in held:
                nursery.start_soon(each.aclose)
        while (await running.raw(request("GET", "/livez"))) == b"":
            await trio.lowlevel.checkpoint()


async def test_an_error_inside_says_nothing_of_the_inside(running: Running) -> None:
    """A console that fails answers so, its bot's log says why, and the next request is served."""
    async with running.client("operate") as http:
        answer = await http.get("/api/v1/actors/bot/%F0%90%80/details")
        assert answer.status_code in {400, 404, 422}
        assert "Traceback" not in answer.text
        assert (await http.get("/api/v1/whoami")).status_code == 200


async def test_websockets_and_other_protocols_are_not_spoken(running: Running) -> None:
    """Who asks for one is answered in HTTP/1.1, as anybody."""
    upgrade = ["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    for path, status in (("/api/v1/live", 401), ("/livez", 200)):
        asked = request("GET", path, *upgrade).replace(b"Connection: close", b"Connection: Upgrade, close")
        assert status_of(await running.raw(asked)) == status
    h2c = request("GET", "/livez", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA")
    assert status_of(await running.raw(h2c)) == 200
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
    assert status_of(await running.raw(preface)) in {0, 400}


async def test_answers_to_head_have_no_body_and_streams_end(running: Running) -> None:
    token = f"Authorization: Bearer {running.tokens['view']}"
    for path in ("/api/v1/live", "/api/v1/snapshot", "/", "/livez", "/metrics"):
        head, _, body = (await running.raw(request("HEAD", path, token))).partition(b"\r\n\r\n")
        assert status_of(head) == 200
        assert body == b""


async def test_text_is_shown_as_it_is_whatever_it_holds(running: Running) -> None:
    answer = await running.get("/api/v1/actors/%3Cscript%3E%1B%5B31m%00%5B%2Fmarkup%5D")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    problem: Any = decoded(answer.content)
    assert problem["status"] == 404
