"""Bans are respected by the next process: a server that wants to be left alone is, whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from duenna import ActorDiedError, Child, Supervisor, open_runtime
from duenna.storage import MemoryStore
from duenna_actors._bans import Ban, KeptGate, gate_of
from duenna_actors._rate_gate import RateGate
from duenna_actors.api import ApiConnection, ApiRateLimitError, ApiRequest
from duenna_actors.binance import Gate, Gates
from duenna_actors.binance._bans import gates_of
from tests.runtime.state.kit import DurableStore
from tests.runtime.state.lives import Lives

from .support import http, raw_server

if TYPE_CHECKING:
    from duenna import Runtime

SERVER = "https://fapi.example"


def test_the_next_process_waits_for_the_rest_of_it() -> None:
    """It is stored at once: the process is killed before anything else is."""
    lives = Lives()

    async def banned(runtime: Runtime) -> None:
        gate_of(runtime, SERVER).close(runtime.now(), 300.0, 418)
        await trio.testing.wait_all_tasks_blocked()

    lives.live(banned, is_killed=True)
    lives.later(100.0)

    async def body(runtime: Runtime) -> tuple[float, int, float]:
        gate = gate_of(runtime, SERVER)
        first = gate.wait(runtime.now())
        await trio.sleep(150.0)
        return first, gate.status, gate.wait(runtime.now())

    assert lives.live(body) == pytest.approx((200.0, 418, 50.0))


def test_one_that_is_over_is_forgotten() -> None:
    lives = Lives()

    async def banned(runtime: Runtime) -> None:
        gate_of(runtime, SERVER).close(runtime.now(), 300.0, 418)

    lives.live(banned)
    lives.later(300.0)

    async def body(runtime: Runtime) -> float:
        return gate_of(runtime, SERVER).wait(runtime.now())

    assert lives.live(body) == 0.0
    assert not [key for key in lives.store._entries if key.startswith("part:ban")]


def test_bans_of_two_servers_are_kept_apart() -> None:
    lives = Lives()

    async def banned(runtime: Runtime) -> None:
        gate_of(runtime, SERVER).close(runtime.now(), 300.0, 418)
        gate_of(runtime, "https://other").close(runtime.now(), 60.0, 429)

    lives.live(banned)

    async def body(runtime: Runtime) -> list[float]:
        return [gate_of(runtime, origin).wait(runtime.now()) for origin in (SERVER, "https://other", "https://third")]

    assert lives.live(body) == pytest.approx([300.0, 60.0, 0.0])


@pytest.mark.parametrize("step", [-1e7, 1e7])
def test_no_wall_clock_makes_a_ban_longer(step: float) -> None:
    lives = Lives()

    async def banned(runtime: Runtime) -> None:
        gate_of(runtime, SERVER).close(runtime.now(), 300.0, 418)

    lives.live(banned)
    lives.later(step)

    async def body(runtime: Runtime) -> float:
        return gate_of(runtime, SERVER).wait(runtime.now())

    assert lives.live(body) == (300.0 if step < 0 else 0.0)


def test_a_ban_says_how_much_is_left_of_it() -> None:
    ban = Ban(until=100.0, lasts=50.0)

    assert [ban.left(wall) for wall in (0.0, 50.0, 70.0, 100.0, 101.0)] == [50.0, 50.0, 30.0, 0.0, 0.0]


def test_a_gate_says_only_that_a_ban_has_become_longer() -> None:
    said: list[float] = []
    gate = KeptGate(changed=lambda: said.append(gate.closed_until))

    gate.close(0.0, 100.0, 418)
    gate.close(10.0, 20.0, 429)
    gate.close(10.0, 200.0, 429)

    assert said == [100.0, 210.0]
    assert (gate.closed_at, gate.status) == (10.0, 429)


async def test_a_state_that_ends_with_the_process_keeps_none(autojump_clock: trio.testing.MockClock) -> None:
    async with open_runtime(Supervisor("bot"), log_level=None, state=MemoryStore()) as runtime:
        assert type(gate_of(runtime, SERVER)) is RateGate
        assert type(gates_of(runtime, SERVER, "x", 2400.0)) is Gates


# -- the gates of an exchange -----------------------------------------------------------


def blocked(gates: Gates) -> dict[str, float]:
    return {str(name): gate.blocked_for for name, gate in gates.by_limit.items() if gate.blocked_for}


def test_blocks_of_an_exchange_last_on() -> None:
    lives = Lives()

    async def banned(runtime: Runtime) -> dict[str, float]:
        gates = gates_of(runtime, SERVER, "x", 2400.0)
        gates.block(100.0)
        gates.block(400.0, Gate.ORDERS)
        gates.block(50.0, Gate.ORDERS)  # it never makes one shorter
        await trio.testing.wait_all_tasks_blocked()
        return blocked(gates)

    first = lives.live(banned, is_killed=True)
    lives.later(40.0)

    async def body(runtime: Runtime) -> tuple[dict[str, float], dict[str, float]]:
        gates = gates_of(runtime, SERVER, "x", 2400.0)
        now = blocked(gates)
        await trio.sleep(70.0)
        return now, blocked(gates)

    second, third = lives.live(body)
    assert first == pytest.approx(dict.fromkeys(map(str, Gate), 100.0) | {"orders": 400.0})
    assert second == pytest.approx(dict.fromkeys(map(str, Gate), 60.0) | {"orders": 360.0})
    assert third == pytest.approx({"orders": 290.0})


def test_blocks_that_are_over_are_forgotten() -> None:
    lives = Lives()

    async def banned(runtime: Runtime) -> None:
        gates_of(runtime, SERVER, "x", 2400.0).block(100.0)

    lives.live(banned)
    lives.later(100.0)

    async def body(runtime: Runtime) -> dict[str, float]:
        return blocked(gates_of(runtime, SERVER, "x", 2400.0))

    assert lives.live(body) == {}
    assert not [key for key in lives.store._entries if key.startswith("part:ban")]


# -- with a server ----------------------------------------------------------------------


async def test_a_server_that_bans_gets_no_request_of_the_next_process() -> None:
    store = DurableStore()
    answers = http("{}"), http("", 418, Retry_After=600), http("{}")
    async with raw_server(*answers) as server:
        tree = Supervisor("bot", [Child("api", lambda: ApiConnection(server.url, check_path="/alive"))])
        async with open_runtime(tree, log_level=None, state=store) as runtime:
            api = runtime.ref("/bot/api")
            with pytest.raises(ApiRateLimitError):
                await api.ask(ApiRequest(path="/price"), timeout=60.0)
            await runtime.state.save(force=True)
            store = store.copy()
        before = len(server.requests)

        async with open_runtime(tree, log_level=None, state=store) as runtime:
            with pytest.raises(ActorDiedError, match=r"not sent, the server asked to be left alone for another"):
                await runtime.ref("/bot/api").ask(ApiRequest(path="/price"), timeout=60.0)

        assert len(server.requests) == before
