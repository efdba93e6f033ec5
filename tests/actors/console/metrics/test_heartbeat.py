"""The dead man's switch: it beats while work is done, is silent otherwise, and never gives its address away."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio

import duenna_actors.alerts
from duenna import Actor, Backoff, Child, Runtime, Supervisor, open_runtime
from duenna.error_events import ErrorClassified
from duenna.secrets import redact
from duenna_actors.console.metrics.heartbeat import Heart, checked_heartbeat, heartbeat, why_no_beat
from duenna_actors.console.server import shared
from tests.actors.alerts.kit import Recorder
from tests.actors.console.metrics.support import Crasher, Line, Switch
from tests.actors.console.support import running_console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trio.testing import MockClock

KEY = "5f2c8f0e-77aa-4c1e-9d2b-0123456789ab"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"
BROKEN = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"
MOVED = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/stolen\r\nContent-Length: 0\r\n\r\n"
TEN = Backoff.steps(10.0)


class Pinged:
    """The far end: notes each request, and answers with what is next in line, the last for ever; None: never."""

    def __init__(self, answers: Sequence[bytes | None]) -> None:
        self.answers = list(answers)
        self.requests: list[str] = []
        self.port = 0
        self._more = trio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ping/{KEY}"

    async def until(self, count: int) -> None:
        """Wait until so many requests have come."""
        while len(self.requests) < count:
            await self._more.wait()

    async def serve(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._talk, [listener])

    async def _talk(self, stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            await self._answer(stream)

    async def _answer(self, stream: trio.SocketStream) -> None:
        data = b""
        async with stream:
            async for part in stream:
                data += part
                while b"\r\n\r\n" in data:
                    head, _, data = data.partition(b"\r\n\r\n")
                    self.requests.append(head.decode().splitlines()[0])
                    self._more.set()
                    self._more = trio.Event()
                    given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                    if given is None:
                        await trio.sleep_forever()
                    await stream.send_all(given)


class Beating(Actor):
    """Has the heart beat, as the console does."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self._url = url
        self._options = options

    def started(self) -> None:
        self.context.start_soon(partial(heartbeat, self.context.runtime, self._url, **self._options))


def beating(url: str, **options: Any) -> Child:
    return Child("console", lambda: Beating(url, options))


async def test_it_beats_over_a_real_socket() -> None:
    """One request after the other, by the clock of the machine."""
    far = Pinged([OK])
    async with trio.open_nursery() as nursery:
        await nursery.start(far.serve)
        async with open_runtime(Supervisor("bot"), log_level=None, system=[beating(far.url, every=0.01)]):
            await far.until(3)
        nursery.cancel_scope.cancel()

    assert set(far.requests) == {f"GET /ping/{KEY} HTTP/1.1"}


async def test_it_posts_if_it_is_told_to() -> None:
    """Some switches want a POST."""
    far = Pinged([OK])
    async with trio.open_nursery() as nursery:
        await nursery.start(far.serve)
        system = [beating(f"{far.url}?key=abc", every=0.01, method="POST")]
        async with open_runtime(Supervisor("bot"), log_level=None, system=system):
            await far.until(1)
        nursery.cancel_scope.cancel()

    assert far.requests[0] == f"POST /ping/{KEY}?key=abc HTTP/1.1"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (BROKEN, "ApiStatusError: the heartbeat was not taken: status 503"),
        (MOVED, "HeartbeatError: the heartbeat was not taken: it answered with a redirect (status 302)"),
        (b"garbage\r\n\r\n", "ApiTransportError: the heartbeat was not taken: RemoteProtocolError"),
    ],
)
async def test_a_call_that_fails_is_the_least_of_errors(answer: bytes, why: str) -> None:
    """It is reported at the first, second, fourth failure; the bot stays healthy, and nobody is alerted."""
    far, ops = Pinged([answer]), Recorder()
    async with trio.open_nursery() as nursery:
        await nursery.start(far.serve)
        system: list[Child | Supervisor] = [duenna_actors.alerts.alerts([ops]), beating(far.url, every=0.01)]
        async with open_runtime(Supervisor("bot"), log_level=None, system=system) as runtime:
            with runtime.events(ErrorClassified) as stream:
                found = [await errors(stream) for _ in range(3)]
            assert runtime.health().overall == "healthy"
            assert far.requests
        nursery.cancel_scope.cancel()

    assert [each.report.retry_count for each in found] == [0, 1, 3]
    assert {(each.path, str(each.verdict.severity), each.report.service) for each in found} == {
        ("/system/console", "LOW", "heartbeat")
    }
    assert all(each.report.message.startswith(why) for each in found), found[0].report.message
    assert KEY not in repr(found)
    assert ops.told() == []


async def errors(stream: Any) -> ErrorClassified:
    return await anext(stream)


async def test_a_far_end_that_is_not_there_or_never_answers(autojump_clock: MockClock) -> None:
    """The call is given up in time for the next one; nothing in the bot waits for it."""
    refused = "http://127.0.0.1:1/ping"
    async with open_runtime(Supervisor("bot"), log_level=None, system=[beating(refused, every=60.0)]) as runtime:
        with runtime.events(ErrorClassified) as stream:
            found = await errors(stream)
            assert found.report.message.startswith("ApiTransportError: the heartbeat was not taken: ConnectError")


async def test_a_far_end_that_never_answers_is_given_up() -> None:
    """After as long as a beat lasts; then the next is due."""
    far = Pinged([None])
    async with trio.open_nursery() as nursery:
        await nursery.start(far.serve)
        async with open_runtime(Supervisor("bot"), log_level=None, system=[beating(far.url, every=0.05)]) as runtime:
            with runtime.events(ErrorClassified) as stream:
                found = await errors(stream)
            await far.until(2)
        nursery.cancel_scope.cancel()

    assert found.report.message == "ApiTimeoutError: the heartbeat was not taken: no whole answer within 0.05 s"


async def test_it_beats_only_while_work_is_done(autojump_clock: MockClock) -> None:
    """Each thing that ends the work ends the beats, and says which it was."""
    switch = Switch(at=0.0, expect_every=5.0)
    tree = Supervisor(
        "bot",
        [
            Child("feed", lambda: Line(switch), backoff=TEN),
            Child("idle", lambda: Line(Switch(expect_every=None)), backoff=TEN),
            Child("spare", lambda: Line(Switch()), backoff=TEN, critical=False),
            Child("a", Crasher, backoff=TEN, max_failures=0, on_give_up="park"),
        ],
    )
    async with open_runtime(tree, log_level=None) as runtime:
        await trio.sleep(1)
        assert why_no_beat(runtime) == ""
        await trio.sleep(5)
        assert why_no_beat(runtime) == "/bot/feed had its last data 6.0 s ago, expects some every 5 s"
        switch.at = None
        assert why_no_beat(runtime) == "/bot/feed has had no data yet, expects some every 5 s"
        switch.at = runtime.now()
        assert why_no_beat(runtime) == ""
        switch.cut(OSError("gone"))
        await trio.sleep(2)
        assert why_no_beat(runtime) == ""  # its data is fresh enough: a short break is none
        await trio.sleep(4)
        assert why_no_beat(runtime) == "/bot/feed had its last data 6.0 s ago, expects some every 5 s"
        switch.error = None
        await trio.sleep(10)
        switch.at = runtime.now()
        assert why_no_beat(runtime) == ""
        runtime.ref("/bot/a").tell(ValueError("bad"))
        await trio.sleep(1)
        assert why_no_beat(runtime) == "the bot is unhealthy"
        await runtime.stop()
        assert why_no_beat(runtime) == "the runtime is stopping"


async def test_a_console_that_is_parked_does_not_stop_it(autojump_clock: MockClock) -> None:
    """Its port is in use: nobody sees the bot, which works. Anything else that is parked is another matter."""
    parks: dict[str, Any] = {"backoff": TEN, "max_failures": 0, "on_give_up": "park"}
    tree = Supervisor("bot", [Child("a", Crasher, **parks)])
    async with open_runtime(tree, log_level=None, system=[Child("console", Crasher, **parks)]) as runtime:
        runtime.ref("/system/console").tell(OSError("port 3000 is in use"))
        await trio.sleep(1)
        assert runtime.health().overall == "unhealthy"
        assert why_no_beat(runtime) == ""
        runtime.ref("/bot/a").tell(ValueError("bad"))
        await trio.sleep(1)
        assert why_no_beat(runtime) == "the bot is unhealthy"


async def test_a_sign_of_life_that_breaks_does_not_end_the_bot(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs beside the tree, where an error would end the whole process."""
    broke = trio.Event()

    async def breaks(*_: Any, **__: Any) -> None:
        broke.set()
        await trio.lowlevel.checkpoint()
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(shared, "heartbeat", breaks)
    monkeypatch.setattr(shared, "notify", breaks)
    async with running_console(heartbeat_url="http://127.0.0.1:1/x") as running:
        await broke.wait()
        assert (await running.get("/livez")).status_code == 200


async def test_a_call_that_took_long_costs_only_the_beats_that_it_overlapped(autojump_clock: MockClock) -> None:
    """However many they are: they are not counted one by one, with the loop at a stand."""
    beats: list[float] = []

    class Slow(Heart):
        async def beat(self) -> None:
            beats.append(trio.current_time())
            await trio.sleep(3600.5 if len(beats) == 1 else 0.0)
            if len(beats) == 3:
                scope.cancel()

    async with open_runtime(Supervisor("bot"), log_level=None) as runtime:
        began = trio.current_time()
        heart = Slow(runtime, "http://x", method="GET", path="/", timeout=1.0, wall_time=lambda: 0.0)
        with trio.CancelScope() as scope:
            await heart.beat_for_ever(1.0)
        assert [each - began for each in beats] == [0.0, 3601.0, 3602.0]
        beats.clear()
        with trio.fail_after(10_000), trio.CancelScope() as scope:
            await heart.beat_for_ever(1e-12)
        assert len(beats) == 3


async def test_the_thread_lives_but_the_bot_is_dead() -> None:
    """The story that this is for: the process runs, the feed is silent, and nobody must be told that all is well."""
    far, switch = Pinged([OK]), Switch(at=None, expect_every=1e-9)
    tree = Supervisor("bot", [Child("feed", lambda: Line(switch))])
    async with trio.open_nursery() as nursery:
        await nursery.start(far.serve)
        async with open_runtime(tree, log_level=None, system=[beating(far.url, every=0.001)]) as runtime:
            await wait_for_beats(runtime, 20)
            assert far.requests == []
            switch.expect_every = None
            await far.until(1)
        nursery.cancel_scope.cancel()


async def wait_for_beats(runtime: Runtime, count: int) -> None:
    """Let the heart look so many times: it is due every millisecond."""
    began = runtime.now()
    while runtime.now() - began < count * 0.001:
        await trio.lowlevel.checkpoint()


async def test_its_address_is_hidden_while_it_beats(autojump_clock: MockClock) -> None:
    """Whoever knows it can keep the alarm from sounding; when it is over, no text is searched for it any more."""
    url = f"https://hc.example/ping/{KEY}?token=tok-123456789012"
    said = f"called {url} at /ping/{KEY}, with tok-123456789012"
    async with open_runtime(Supervisor("bot"), log_level=None) as runtime, trio.open_nursery() as nursery:
        runtime.booted = trio.Event()  # it never begins
        nursery.start_soon(heartbeat, runtime, url)
        await trio.sleep(1)
        hidden = redact(said)
        nursery.cancel_scope.cancel()

    assert KEY not in hidden
    assert "tok-123456789012" not in hidden
    assert "tok-123456789012" in redact("tok-123456789012")


@pytest.mark.parametrize("url", ["", "hc-ping.com/x", "ftp://x/y", "http://", "https://x y/z", 7])
def test_what_is_no_address_is_refused_without_being_shown(url: Any) -> None:
    """At construction, not after a minute."""
    with pytest.raises(
        ValueError, match=r"^heartbeat_url: url must be a whole one that begins with https:// or http://$"
    ):
        checked_heartbeat(url)
    assert checked_heartbeat(None) is None
