"""The shell of a connection, on a virtual clock: hooks and their deadlines, checks, loss, suspension, stability."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from duenna import Backoff, Child, ChildExited, ChildRestarting, ErrorReported, Runtime, Supervisor, open_runtime
from duenna.connection import Connection, ConnectionChanged, ConnectionLostError, ConnectionState
from duenna.events import Event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

E = TypeVar("E", bound=Event)
PATH = "/bot/link"


class Journal:
    """What happened to all incarnations of one connection, with the virtual time."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, str]] = []
        self.latest: Scripted | None = None

    def note(self, what: str) -> None:
        self.calls.append((trio.current_time(), what))

    @property
    def names(self) -> list[str]:
        return [what for _, what in self.calls]

    def times(self, what: str) -> list[float]:
        return [time for time, name in self.calls if name == what]

    def connection(self) -> Scripted:
        assert self.latest is not None
        return self.latest


@pytest.fixture
def journal() -> Journal:
    return Journal()


class Scripted(Connection):
    """A connection whose hooks note that they were called, and then do what the test says."""

    def __init__(self, journal: Journal, **hooks: Callable[..., Awaitable[Any]] | float) -> None:
        self.journal = journal
        self.hooks = {name: hook for name, hook in hooks.items() if callable(hook)}
        for name, value in hooks.items():
            if not callable(value):
                setattr(self, name, value)
        journal.latest = self

    async def connect(self) -> None:
        self.journal.note("connect")
        await self._do("connect")

    async def check(self) -> None:
        self.journal.note("check")
        await self._do("check")

    async def session(self) -> None:
        await self._do("session", trio.sleep_forever)

    async def recover(self, error: Exception) -> None:
        self.journal.note(f"recover {error}")
        if "recover" not in self.hooks:
            await super().recover(error)
        await self._do("recover")

    async def close(self) -> None:
        self.journal.note("close")
        await self._do("close")

    async def receive(self, message: Any) -> Any:
        match message:
            case "state":
                return self.state
            case "until up":
                await self.until_up()
                return trio.current_time()
            case "check soon":
                self.check_soon()
            case _:
                pass
        return None

    async def _do(self, name: str, default: Callable[[], Awaitable[Any]] | None = None) -> Any:
        hook = self.hooks.get(name, default)
        return None if hook is None else await hook()


class Seen:
    """The events so far."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._events: list[Event] = []

    def of(self, kind: type[E]) -> list[E]:
        self._events.extend(self._stream.drain())
        return [event for event in self._events if isinstance(event, kind)]

    async def becomes(self, state: ConnectionState) -> None:
        """Wait until the connection moves to *state*."""
        async for event in self._stream:
            self._events.append(event)
            if isinstance(event, ConnectionChanged) and event.state is state:
                return

    @property
    def moves(self) -> list[str]:
        return [f"{event.previous} -> {event.state}" for event in self.of(ConnectionChanged)]


@asynccontextmanager
async def running(
    journal: Journal, *, child: dict[str, Any] | None = None, **hooks: Any
) -> AsyncIterator[tuple[Runtime, Seen]]:
    spec = Child("link", lambda: Scripted(journal, **hooks), backoff=Backoff.steps(5.0), **(child or {}))
    async with open_runtime(Supervisor("bot", intensity=1000, period=1.0), log_level=None) as runtime:
        with runtime.events() as events:
            await runtime.start_child("/bot", spec)
            yield runtime, Seen(events)


def raises(error: Exception) -> Callable[[], Awaitable[None]]:
    async def hook() -> None:
        raise error

    return hook


def sleeps(*seconds: float) -> Callable[[], Awaitable[None]]:
    """Sleep so long, call after call; the last for ever."""
    left = list(seconds)

    async def hook() -> None:
        await trio.sleep(left.pop(0) if len(left) > 1 else left[0])

    return hook


def in_turn(*steps: Exception | None) -> Callable[[], Awaitable[None]]:
    """Do one step a call: raise it, or nothing; the last one for ever."""
    left = list(steps)

    async def hook() -> None:
        step = left.pop(0) if len(left) > 1 else left[0]
        if step is not None:
            raise step

    return hook


# -- connecting ------------------------------------------------------------------------


async def test_a_connection_is_ready_while_it_connects(journal: Journal, autojump_clock: MockClock) -> None:
    """A bot must start while its exchange is down: the boot does not wait for the far end."""
    async with running(journal, connect=trio.sleep_forever) as (runtime, _):
        assert trio.current_time() == 0.0
        assert await runtime.ref(PATH).ask("state") is ConnectionState.CONNECTING


async def test_it_is_operational_once_the_first_check_has_passed(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=sleeps(3)) as (runtime, seen):
        assert await runtime.ref(PATH).ask("until up") == 3.0

        assert journal.calls == [(0.0, "connect"), (0.0, "check")]
        assert seen.moves == ["closed -> connecting", "connecting -> operational"]


async def test_a_failed_connect_is_a_crash_under_backoff(journal: Journal, autojump_clock: MockClock) -> None:
    """Nothing reconnects behind the supervisor's back, and what was half open is closed."""
    async with running(journal, connect=in_turn(OSError("refused"), None)) as (_, seen):
        await seen.becomes(ConnectionState.OPERATIONAL)

        assert journal.calls == [(0.0, "connect"), (0.0, "close"), (5.0, "connect"), (5.0, "check")]
        assert [event.reason for event in seen.of(ChildExited)] == ["OSError: refused"]
        assert seen.moves == [
            "closed -> connecting",
            "connecting -> cooldown",
            "cooldown -> connecting",
            "connecting -> operational",
        ]


async def test_a_connect_that_takes_too_long_is_called_off(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, connect=trio.sleep_forever, connect_timeout=7.0) as (_, seen):
        await trio.sleep(8)

        assert journal.times("close") == [7.0]
        assert [event.reason for event in seen.of(ChildExited)] == [
            "ConnectionTimeoutError: connect took longer than 7.0 s"
        ]


async def test_a_first_check_that_fails_is_a_failed_connect(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=raises(ValueError("no data"))) as (_, seen):
        await trio.sleep(1)

        assert journal.names == ["connect", "check", "close"]
        assert seen.moves == ["closed -> connecting", "connecting -> cooldown"]


async def test_retry_after_is_a_floor_under_the_backoff(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, connect=raises(ConnectionLostError("banned", retry_after=120.0))) as (_, seen):
        await trio.sleep(1)

        assert [event.delay for event in seen.of(ChildRestarting)] == [120.0]


# -- checks ----------------------------------------------------------------------------


async def test_checks_come_at_their_period(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal) as (_, _):
        await trio.sleep(100)

        assert journal.times("check") == [0.0, 30.0, 60.0, 90.0]


async def test_a_failing_check_degrades_and_a_passing_one_restores(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=in_turn(None, ValueError("slow"), None)) as (_, seen):
        await trio.sleep(70)

        assert seen.moves[2:] == ["operational -> degraded", "degraded -> operational"]
        assert [event.error for event in seen.of(ErrorReported)] == ["ValueError: slow"]


async def test_a_check_that_takes_too_long_has_failed(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=sleeps(0.0, 11.0, 0.0), check_timeout=10.0) as (_, seen):
        await trio.sleep(45)

        assert [event.error for event in seen.of(ErrorReported)] == [
            "ConnectionTimeoutError: check took longer than 10.0 s"
        ]


async def test_the_third_failing_check_in_a_row_is_left_to_a_restart(
    journal: Journal, autojump_clock: MockClock
) -> None:
    """Unless `recover` is overridden, it raises what the check did."""
    async with running(journal, check=in_turn(None, ValueError("dead"))) as (_, seen):
        await trio.sleep(91)

        assert journal.calls[-2:] == [(90.0, "recover dead"), (90.0, "close")]
        assert [event.reason for event in seen.of(ChildExited)] == ["ValueError: dead"]
        assert seen.moves[2:] == ["operational -> degraded", "degraded -> recovering", "recovering -> cooldown"]


async def test_a_recovery_that_works_saves_the_restart(journal: Journal, autojump_clock: MockClock) -> None:
    """It is believed only after a check."""
    checks = in_turn(None, ValueError("dead"), ValueError("dead"), ValueError("dead"), None)

    async def recover() -> None:
        return None

    async with running(journal, check=checks, recover=recover) as (_, seen):
        await trio.sleep(91)

        assert journal.names[-2:] == ["recover dead", "check"]
        assert seen.moves[-1] == "recovering -> operational"
        assert seen.of(ChildExited) == []


async def test_a_recovery_that_hangs_is_called_off(journal: Journal, autojump_clock: MockClock) -> None:
    checks = in_turn(None, ValueError("dead"))
    async with running(journal, check=checks, recover=trio.sleep_forever, recover_timeout=4.0) as (_, _):
        await trio.sleep(95)

        assert journal.times("close") == [94.0]


async def test_a_check_that_knows_better_ends_the_link_at_once(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=in_turn(None, ConnectionLostError("gone"))) as (_, _):
        await trio.sleep(31)

        assert journal.calls[-2:] == [(30.0, "check"), (30.0, "close")]


async def test_a_check_can_be_asked_for(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal) as (runtime, _):
        await trio.sleep(12)
        runtime.ref(PATH).tell("check soon")
        await trio.sleep(31)

        assert journal.times("check") == [0.0, 12.0, 42.0]


async def test_a_check_asked_for_during_a_check_follows_it(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=sleeps(2)) as (runtime, _):
        await trio.sleep(33)  # the second check runs until 34
        runtime.ref(PATH).tell("check soon")
        await trio.sleep(2)

        assert journal.times("check") == [0.0, 32.0, 34.0]


# -- the session -----------------------------------------------------------------------


async def test_a_session_that_raises_is_a_lost_link(journal: Journal, autojump_clock: MockClock) -> None:
    """The crash is the session's own exception, out of all groups."""
    lost = in_turn(ConnectionLostError("reset by peer"))

    async def session() -> None:
        await trio.sleep(4)
        await lost()

    async with running(journal, session=session) as (_, seen):
        await trio.sleep(5)

        assert journal.times("close") == [4.0]
        assert [event.reason for event in seen.of(ChildExited)] == ["ConnectionLostError: reset by peer"]


async def test_two_tasks_that_fail_at_once_are_one_crash(journal: Journal, autojump_clock: MockClock) -> None:
    async def session() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(raises(ValueError("a")))
            nursery.start_soon(raises(KeyError("b")))

    async with running(journal, session=session) as (_, seen):
        await trio.sleep(1)

        (exited,) = seen.of(ChildExited)
        assert "ValueError: a" in exited.reason
        assert "KeyError: 'b'" in exited.reason


async def test_a_session_that_returns_renews_the_link_without_a_restart(
    journal: Journal, autojump_clock: MockClock
) -> None:
    async with running(journal, session=sleeps(40)) as (_, seen):
        await trio.sleep(50)

        assert journal.calls[:6] == [
            (0.0, "connect"),
            (0.0, "check"),
            (30.0, "check"),
            (40.0, "close"),
            (40.0, "connect"),
            (40.0, "check"),
        ]
        assert seen.of(ChildExited) == []
        assert [event.why for event in seen.of(ConnectionChanged) if event.state is ConnectionState.CLOSED] == [
            "renewed"
        ]


async def test_a_session_that_returns_at_once_is_a_lost_link(journal: Journal, autojump_clock: MockClock) -> None:
    """Renewing without end would keep the far end and the loop busy."""
    async with running(journal, session=sleeps(0.5)) as (_, seen):
        await trio.sleep(1)

        assert [event.reason for event in seen.of(ChildExited)] == [
            "ConnectionLostError: session ended after 0.500 s, before the 1.0 s it must last"
        ]


# -- background ------------------------------------------------------------------------


async def test_background_tasks_live_until_the_link_is_closed(journal: Journal, autojump_clock: MockClock) -> None:
    """A closing handshake needs the task that reads the answer."""

    async def reader() -> None:
        try:
            await trio.sleep_forever()
        finally:
            journal.note("reader ended")

    async def connect() -> None:
        journal.connection().background(reader)

    async with running(journal, connect=connect) as (runtime, _):
        await trio.sleep(1)
        await runtime.stop()

        assert journal.names == ["connect", "check", "close", "reader ended"]


async def test_a_background_task_that_raises_is_a_lost_link(journal: Journal, autojump_clock: MockClock) -> None:
    async def connect() -> None:
        journal.connection().background(raises(ConnectionLostError("gone")))

    async with running(journal, connect=connect) as (_, seen):
        await trio.sleep(1)

        assert [event.reason for event in seen.of(ChildExited)] == ["ConnectionLostError: gone"]


async def test_a_background_task_that_fails_is_not_held_up_by_the_others(
    journal: Journal, autojump_clock: MockClock
) -> None:
    """They are shielded, and end only when the link is closed."""

    async def session() -> None:
        journal.connection().background(trio.sleep_forever)
        await trio.sleep(3)
        journal.connection().background(raises(ConnectionLostError("gone")))
        await trio.sleep_forever()

    async with running(journal, session=session) as (_, seen):
        await trio.sleep(4)

        assert journal.times("close") == [3.0]
        assert [event.reason for event in seen.of(ChildExited)] == ["ConnectionLostError: gone"]


async def test_what_background_tasks_raise_because_of_the_closing_is_no_crash(
    journal: Journal, autojump_clock: MockClock
) -> None:
    """A reader whose connection we close reads an error."""
    closing = trio.Event()

    async def reader() -> None:
        await closing.wait()
        raise ConnectionLostError("closed under me")

    async def connect() -> None:
        journal.connection().background(reader)

    async def close() -> None:
        closing.set()
        await trio.sleep(1)

    async with running(journal, connect=connect, close=close) as (runtime, seen):
        await trio.sleep(1)
        await runtime.suspend(PATH)
        await trio.sleep(2)

        assert seen.moves[-1] == "operational -> closed"
        assert seen.of(ChildExited) == []
        assert [event.error for event in seen.of(ErrorReported)] == ["ConnectionLostError: closed under me"]


async def test_a_background_task_that_comes_late_is_cancelled_at_once(
    journal: Journal, autojump_clock: MockClock
) -> None:
    async def close() -> None:
        journal.connection().background(trio.sleep_forever)

    async with running(journal, close=close) as (runtime, _):
        await trio.sleep(1)
        await runtime.stop()

        assert trio.current_time() == 1.0


def test_a_background_task_needs_a_link() -> None:
    with pytest.raises(RuntimeError, match=r"^Scripted.background\(\) needs a link, the connection is connecting$"):
        Scripted(Journal()).background(trio.sleep_forever)


# -- stopping and suspending -----------------------------------------------------------


@pytest.mark.parametrize("where", ["connect", "check", "session", "recover"])
async def test_a_stop_closes_wherever_it_comes(where: str, journal: Journal, autojump_clock: MockClock) -> None:
    hooks: dict[str, Any] = {where: trio.sleep_forever, "check_timeout": 500.0, "connect_timeout": 500.0}
    if where == "recover":
        hooks |= {"check": in_turn(None, ValueError("dead")), "recover_timeout": 500.0}
    async with running(journal, **hooks) as (runtime, seen):
        await trio.sleep(100)
        await runtime.stop()

        assert journal.times("close") == [100.0]
        assert trio.current_time() == 100.0
        assert seen.of(ConnectionChanged)[-1].state is ConnectionState.CLOSED


async def test_close_has_a_deadline_and_is_not_cancelled_before_it(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, close=trio.sleep_forever, close_timeout=2.5) as (runtime, seen):
        await wait_all_tasks_blocked()
        await runtime.stop()

        assert trio.current_time() == 2.5
        assert [event.error for event in seen.of(ErrorReported)] == [
            "ConnectionTimeoutError: close took longer than 2.5 s"
        ]


async def test_a_close_that_raises_does_not_hide_why_the_link_ended(
    journal: Journal, autojump_clock: MockClock
) -> None:
    hooks: dict[str, Any] = {"connect": raises(OSError("refused")), "close": raises(ValueError("bad close"))}
    async with running(journal, **hooks) as (_, seen):
        await trio.sleep(1)

        assert [event.reason for event in seen.of(ChildExited)] == ["OSError: refused"]
        assert [event.error for event in seen.of(ErrorReported)] == ["ValueError: bad close"]


async def test_suspended_it_closes_and_resumed_it_connects(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal) as (runtime, seen):
        await trio.sleep(10)
        await runtime.suspend(PATH)
        await trio.sleep(50)
        assert journal.calls == [(0.0, "connect"), (0.0, "check"), (10.0, "close")]

        await runtime.resume(PATH)
        await runtime.ref(PATH).ask("until up")

        assert journal.calls[3:] == [(60.0, "connect"), (60.0, "check")]
        assert seen.moves[2:] == ["operational -> closed", "closed -> connecting", "connecting -> operational"]
        assert seen.of(ChildExited) == []


async def test_suspended_while_it_connects_it_gives_that_up(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, connect=sleeps(5)) as (runtime, _):
        await trio.sleep(1)
        await runtime.suspend(PATH)
        await trio.sleep(20)

        assert journal.calls == [(0.0, "connect"), (1.0, "close")]


# -- stability -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "failures"),
    [(69.0, [1, 2, 3]), (70.0, [1, 1, 1])],
    ids=["not long enough", "60 s to be stable and 10 s of uptime"],
)
async def test_failures_are_forgotten_only_after_the_link_has_held(
    held: float, failures: list[int], journal: Journal, autojump_clock: MockClock
) -> None:
    """A far end that accepts and then throws out must not pin the backoff to its first step."""

    async def session() -> None:
        await trio.sleep(held)
        raise ConnectionLostError("thrown out")

    async with running(journal, session=session, check_every=1000.0, child={"reset_after": 10.0}) as (_, seen):
        await trio.sleep(3 * (held + 5) - 1)

        assert [event.failures for event in seen.of(ChildRestarting)] == failures


async def test_time_spent_connecting_is_no_uptime(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, connect=trio.sleep_forever, connect_timeout=300.0, child={"reset_after": 10.0}) as (
        _,
        seen,
    ):
        await trio.sleep(650)

        assert [event.failures for event in seen.of(ChildRestarting)] == [1, 2]


# -- what its supervisor does to it while it is down -----------------------------------


async def test_a_connection_that_is_parked_has_failed(journal: Journal, autojump_clock: MockClock) -> None:
    """Nobody is there to say so any more, so it is said for it; a hand brings it back."""
    child = {"max_failures": 1, "on_give_up": "park", "unpark_after": None}
    refused = OSError("refused")
    async with running(journal, connect=in_turn(refused, refused, None), child=child) as (runtime, seen):
        await seen.becomes(ConnectionState.FAILED)
        assert seen.of(ConnectionChanged)[-1].why == "OSError: refused"

        await runtime.restart_child(PATH)
        await seen.becomes(ConnectionState.OPERATIONAL)

        assert seen.moves[-3:] == ["cooldown -> failed", "failed -> connecting", "connecting -> operational"]


async def test_a_connection_that_is_stopped_while_it_waits_is_closed(
    journal: Journal, autojump_clock: MockClock
) -> None:
    async with running(journal, connect=raises(OSError("refused"))) as (runtime, seen):
        await trio.sleep(1)
        await runtime.stop_child(PATH)

        assert seen.moves[-1] == "cooldown -> closed"


async def test_a_connection_that_is_stopped_while_it_holds_is_closed_once(
    journal: Journal, autojump_clock: MockClock
) -> None:
    async with running(journal) as (runtime, seen):
        await trio.sleep(1)
        await runtime.stop_child(PATH)
        await runtime.delete_child(PATH)

        assert seen.moves[2:] == ["operational -> closed"]
