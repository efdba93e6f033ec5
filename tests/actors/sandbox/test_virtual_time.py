"""The sandbox on trio's virtual clock: no socket of the machine, no second of real waiting, the same run every time."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import attrs
import msgspec
import pytest
import trio
import trio.testing
from trio.abc import HalfCloseableStream
from trio_websocket import ConnectionClosed, wrap_client_stream

from duenna_actors.sandbox import HalfOpen, Mute, Sandbox, SandboxSettings, Scheduled, open_sandbox
from tests.actors.sandbox.support import Feed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


EPOCH = 1_700_000_000.0
SLOW = SandboxSettings(tick=1.0)


@attrs.define(eq=False, repr=False)
class MemorySocket:
    """As much of a socket stream as the sandbox asks for, on a pipe in memory."""

    pipe: HalfCloseableStream
    socket: Any = None

    async def send_all(self, data: bytes) -> None:
        await self.pipe.send_all(data)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return bytes(await self.pipe.receive_some(max_bytes))

    async def send_eof(self) -> None:
        await self.pipe.send_eof()

    async def aclose(self) -> None:
        await self.pipe.aclose()

    def setsockopt(self, *_: object) -> None:
        raise NotImplementedError

    def getpeername(self) -> tuple[str, int]:
        return ("10.0.0.1", 1)


def virtual_time() -> float:
    return EPOCH + trio.current_time()


@asynccontextmanager
async def connect(sandbox: Sandbox, path: str) -> AsyncGenerator[Feed]:
    ours, theirs = trio.testing.memory_stream_pair()
    end = MemorySocket(theirs)
    end.socket = end
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sandbox._server._serve, cast("trio.SocketStream", end))
            connection = await wrap_client_stream(
                nursery, cast("trio.SocketStream", ours), "sandbox", path, message_queue_size=10_000
            )
            yield Feed(connection)
            nursery.cancel_scope.cancel()
    finally:
        await trio.aclose_forcefully(ours)


async def listen(sandbox: Sandbox, path: str, seconds: float) -> list[tuple[float, str]]:
    """Return what a feed says in some time, each message with the virtual second at which it came."""
    heard: list[tuple[float, str]] = []
    async with connect(sandbox, path) as feed:
        with trio.move_on_after(seconds):
            while True:
                heard.append((round(trio.current_time(), 3), str(await feed.connection.get_message())))
    return heard


async def test_an_hour_of_trades_takes_no_time(autojump_clock: trio.testing.MockClock) -> None:
    async with open_sandbox(wall_clock=virtual_time, settings=SLOW) as sandbox:
        heard = await listen(sandbox, "/market/ws/btcusdt@aggTrade", 3_600.0)

    trades = [msgspec.json.decode(text) for _, text in heard]
    assert len(trades) in (3_599, 3_600)
    assert [trade["a"] for trade in trades] == list(range(trades[0]["a"], trades[0]["a"] + len(trades)))
    assert [late["E"] - early["E"] for early, late in itertools.pairwise(trades)] == [1_000] * (len(trades) - 1)


async def test_a_run_is_the_same_every_time(autojump_clock: trio.testing.MockClock) -> None:
    async def run() -> list[tuple[float, str]]:
        started = trio.current_time()
        schedule = [Scheduled(20.0, Mute(probability=0.5), 30.0)]
        async with open_sandbox(
            wall_clock=lambda: EPOCH + trio.current_time() - started, settings=SLOW, schedule=schedule, seed=7
        ) as sandbox:
            heard = await listen(sandbox, "/market/stream?streams=btcusdt@aggTrade/ethusdt@kline_1m", 120.0)
        return [(round(second - started, 3), text) for second, text in heard]

    assert await run() == await run()


async def test_the_exchange_pings_every_three_minutes(autojump_clock: trio.testing.MockClock) -> None:
    async with open_sandbox(wall_clock=virtual_time, settings=SLOW) as sandbox, connect(sandbox, "/market/ws") as feed:
        before = trio.current_time()
        answered: list[float] = []
        session = sandbox._app.links.sessions()[0]
        for _ in range(3):
            await trio.sleep(180.0)
            await trio.testing.wait_all_tasks_blocked()
            answered.append(trio.current_time() - before)
            assert session._pinged_at is None  # pinged, and answered within no time at all
        assert feed.connection.closed is None


async def test_a_connection_ends_after_a_day(autojump_clock: trio.testing.MockClock) -> None:
    async with open_sandbox(wall_clock=virtual_time, settings=SLOW) as sandbox, connect(sandbox, "/market/ws") as feed:
        with pytest.raises(ConnectionClosed):
            await feed.connection.get_message()

        assert trio.current_time() == pytest.approx(86_400.0, abs=10.0)
        assert feed.connection.closed is not None
        assert feed.connection.closed.code == 1001


async def test_a_frozen_connection_is_not_closed_for_its_age_again_and_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """It can be closed neither for its age nor for a pong, so nobody waits for those times any more."""
    async with open_sandbox(wall_clock=virtual_time, settings=SLOW) as sandbox, connect(sandbox, "/market/ws"):
        (session,) = sandbox._app.links.sessions()
        sandbox.faults.inject(HalfOpen(), duration=1.0)

        with trio.fail_after(100.0):
            await session._keep()


async def test_nobody_listening_costs_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """The market does not tick in an hour that nobody looks at: the only wake-ups are those of the test itself."""
    async with open_sandbox(wall_clock=virtual_time) as sandbox:
        await trio.testing.wait_all_tasks_blocked()  # the pump looks once when it begins
        looks = 0

        def looked() -> float:
            nonlocal looks
            looks += 1
            return virtual_time()

        sandbox._pump.wall_time = looked
        await trio.sleep(3_600.0)

        assert looks == 0


async def test_a_fault_lasts_its_time_exactly(autojump_clock: trio.testing.MockClock) -> None:
    async with open_sandbox(wall_clock=virtual_time, settings=SLOW) as sandbox, connect(sandbox, "/market/ws") as feed:
        sandbox.faults.inject(HalfOpen(), duration=100.0)
        with trio.move_on_after(99.0) as silence:
            await feed.connection.ping(b"?")
        assert silence.cancelled_caught
        held = len(sandbox.faults.active)
        await trio.sleep(1.0)

        assert (held, len(sandbox.faults.active)) == (1, 0)
