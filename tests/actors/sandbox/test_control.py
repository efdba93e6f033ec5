"""The control surface over HTTP, and the life of a sandbox."""

from __future__ import annotations

import msgspec
import pytest
import trio
import trio.testing

from duenna_actors.sandbox import (
    DEFAULT_SYMBOLS,
    Burst,
    ConnectionsRefused,
    Mute,
    Sandbox,
    SandboxSettings,
    Scheduled,
    SlowAnswers,
    open_sandbox,
    serve_sandbox,
)
from tests.actors.sandbox.support import QUICK, Watch, rest_client, websocket


async def test_faults_are_injected_listed_and_cleared() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        posted = await rest.http.post(
            "/sandbox/faults", json={"fault": {"kind": "mute", "symbol": "BTCUSDT"}, "duration": 30}
        )
        second = await rest.http.post("/sandbox/faults", json={"fault": {"kind": "slow_answers", "latency": 0.0}})
        listed = (await rest.http.get("/sandbox/faults")).json()

        assert (posted.status_code, posted.json(), second.json()) == (201, {"number": 1}, {"number": 2})
        assert [active.fault for active in sandbox.faults.active] == [Mute(symbol="BTCUSDT"), SlowAnswers(latency=0.0)]
        assert [entry["fault"]["kind"] for entry in listed] == ["mute", "slow_answers"]
        assert listed[0]["until"] == pytest.approx(listed[0]["since"] + 30.0)
        assert (await rest.http.delete("/sandbox/faults?number=1")).json() == {"cleared": 1}
        assert (await rest.http.delete("/sandbox/faults")).json() == {"cleared": 1}
        assert (await rest.http.get("/sandbox/faults")).json() == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("POST", "/sandbox/faults", "nope", 400, "expected {"),
        ("POST", "/sandbox/faults", '{"fault": {"kind": "mut"}}', 400, "expected {"),
        ("POST", "/sandbox/faults", '{"fault": {"kind": "burst", "messages": 0}}', 400, "expected {"),
        ("POST", "/sandbox/faults", '{"fault": {"kind": "mute"}, "duration": -1}', 400, "duration must be > 0 seconds"),
        ("POST", "/sandbox/faults", '{"fault": {"kind": "burst"}, "duration": 1}', 400, "burst happens in an instant"),
        (
            "POST",
            "/sandbox/faults",
            '{"fault": {"kind": "connections_refused"}}',
            400,
            "connections_refused needs a duration here",
        ),
        ("DELETE", "/sandbox/faults?number=x", "", 400, "expected no parameter or number=N"),
        ("DELETE", "/sandbox/faults?all=1", "", 400, "expected no parameter or number=N"),
        ("PUT", "/sandbox/faults", "", 405, "/sandbox/faults has no PUT"),
        ("GET", "/sandbox/nothing", "", 404, "the sandbox has /sandbox/state and /sandbox/faults"),
    ],
)
async def test_a_wrong_use_of_the_control_is_told(method: str, path: str, body: str, status: int, text: str) -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        answer = await rest.http.request(method, path, content=body)

        assert answer.status_code == status
        assert answer.json()["error"].startswith(text)
        assert sandbox.faults.active == ()


async def test_no_fault_and_no_limit_touches_the_control() -> None:
    settings = SandboxSettings(weight_limit=1)
    async with open_sandbox(settings=settings) as sandbox, rest_client(sandbox) as rest:
        await rest.http.post("/sandbox/faults", json={"fault": {"kind": "http_failure"}})
        await rest.http.post("/sandbox/faults", json={"fault": {"kind": "garbled_answers"}})
        for _ in range(20):
            assert (await rest.http.get("/sandbox/state")).status_code == 200


@pytest.mark.parametrize("kind", ["connections_refused", "connections_reset", "half_open"])
async def test_who_shuts_the_exchange_still_gets_his_answer(kind: str) -> None:
    watch = Watch()
    async with open_sandbox(settings=QUICK, on_fault=watch) as sandbox, rest_client(sandbox) as rest:
        answer = await rest.http.post("/sandbox/faults", json={"fault": {"kind": kind}, "duration": 0.05})
        during = await rest.http.get("/sandbox/faults")
        await watch.until("injected", "expired")
        await trio.testing.wait_all_tasks_blocked()

        assert answer.status_code == 201
        assert [entry["fault"]["kind"] for entry in during.json()] == [kind]
        assert (await rest.get("/fapi/v1/time")).status_code == 200


async def test_the_state_shows_what_goes_on() -> None:
    async with (
        open_sandbox(settings=QUICK) as sandbox,
        rest_client(sandbox) as rest,
        websocket(sandbox, "/market/ws/btcusdt@aggTrade") as feed,
    ):
        await feed.next()
        await rest.get("/fapi/v1/time")
        sandbox.faults.inject(Mute(symbol="ETHUSDT"))
        state = (await rest.get("/sandbox/state")).json()

    assert state["connections"] == 2
    assert state["websockets"] == [{"path": "/market/ws/btcusdt@aggTrade", "streams": ["btcusdt@aggTrade"]}]
    assert state["streams"] == {"btcusdt@aggTrade": 1}
    assert state["requests"] == 1
    assert state["messages"] >= 1
    assert state["balance"] == "10000.00000000"
    assert list(state["prices"]) == list(DEFAULT_SYMBOLS)
    assert state["faults"][0]["fault"]["symbol"] == "ETHUSDT"


async def test_a_schedule_comes_by_itself() -> None:
    watch = Watch()
    schedule = [Scheduled(0.02, Burst()), Scheduled(0.01, Mute(), 0.02)]
    async with open_sandbox(settings=QUICK, schedule=schedule, on_fault=watch):
        await watch.until("injected", "injected", "expired")

    assert [type(change.fault) for change in watch.changes] == [Mute, Burst, Mute]
    assert [change.at for change in watch.changes] == pytest.approx([0.01, 0.02, 0.03])


async def test_a_fault_that_is_spent_is_told() -> None:
    watch = Watch()
    async with open_sandbox(settings=QUICK, on_fault=watch) as sandbox, rest_client(sandbox) as rest:
        sandbox.faults.inject(SlowAnswers(latency=0.0, count=1))
        await rest.get("/fapi/v1/time")
        await watch.until("injected", "spent")


async def test_faults_are_cleared_by_kind() -> None:
    async with open_sandbox(settings=QUICK) as sandbox:
        sandbox.faults.inject(Mute())
        sandbox.faults.inject(SlowAnswers())

        assert sandbox.faults.clear(kind=Mute) == 1
        assert [type(active.fault) for active in sandbox.faults.active] == [SlowAnswers]


async def test_the_addresses_are_those_to_use() -> None:
    async with open_sandbox() as sandbox:
        assert sandbox.url == f"http://127.0.0.1:{sandbox.port}"
        assert sandbox.ws_url == f"ws://127.0.0.1:{sandbox.port}"
        assert sandbox.symbols == DEFAULT_SYMBOLS


async def test_it_runs_in_a_nursery_of_ones_own() -> None:
    async with trio.open_nursery() as nursery:
        sandbox: Sandbox = await nursery.start(serve_sandbox)
        async with rest_client(sandbox) as rest:
            assert (await rest.get("/fapi/v1/time")).status_code == 200
        nursery.cancel_scope.cancel()


async def test_everything_ends_with_the_body() -> None:
    async with open_sandbox(settings=QUICK) as sandbox:
        port = sandbox.port
    with pytest.raises(OSError, match="all attempts to connect"):
        await trio.open_tcp_stream("127.0.0.1", port)
    async with open_sandbox(port=port) as again:
        assert again.port == port


async def test_what_the_body_raises_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        async with open_sandbox(settings=QUICK):
            raise ZeroDivisionError
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("symbols", "message"),
    [(["nope"], "^symbol must be 5 to 20 capitals"), ([], "^a sandbox needs one symbol at least, got none$")],
)
async def test_wrong_symbols_are_refused_at_the_start(symbols: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        async with open_sandbox(symbols=symbols):
            pass


async def test_a_port_that_is_taken_is_an_error_at_the_start() -> None:
    async with open_sandbox() as sandbox:
        with pytest.raises(OSError, match=r"Address already in use"):
            async with open_sandbox(port=sandbox.port):
                pass


async def test_a_port_that_was_taken_away_is_waited_for() -> None:
    """Somebody else took it while connections were refused: the sandbox comes back as soon as it can."""
    watch = Watch()
    async with open_sandbox(settings=QUICK, on_fault=watch) as sandbox:
        sandbox.faults.inject(ConnectionsRefused())
        await trio.testing.wait_all_tasks_blocked()
        async with open_sandbox(port=sandbox.port):
            sandbox.faults.clear()
            await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(10):
            while True:
                try:
                    async with await trio.open_tcp_stream("127.0.0.1", sandbox.port):
                        break
                except OSError:
                    await trio.sleep(0.01)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tick": 0.0}, "tick must be >= 0.001 seconds, got 0.0"),
        ({"leverage": 0}, "leverage must be > 0, got 0"),
        ({"ban": float("nan")}, "ban must be > 0, got nan"),
        ({"balance": -1}, "balance must be >= 0, got -1"),
        ({"api_key": ""}, "api_key and api_secret must not be empty"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=r"^") as caught:
        msgspec.convert(changes, SandboxSettings)
    assert str(caught.value) == message


async def test_the_same_seed_gives_the_same_prices() -> None:
    """Two exchanges on clocks that stand still: same seed, same distance from the start, same book."""

    async def book(seed: int) -> object:
        async with open_sandbox(seed=seed, wall_clock=lambda: 1.7e9) as sandbox, rest_client(sandbox) as rest:
            return (await rest.get("/fapi/v1/depth", symbol="BTCUSDT")).json()

    assert await book(1) == await book(1)
    assert await book(1) != await book(2)
