"""What systemd is told, on a real datagram socket."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from duenna import Actor, Backoff, Child, Supervisor, open_runtime
from duenna.errors import GaveUpError
from duenna_actors.console.metrics.notify import Systemd, notify, status_of
from tests.actors.console.metrics.support import Crasher

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from trio.testing import MockClock

PID = 42
SEVEN = Backoff.steps(7.0)


class Listener:
    """The end of the line that is systemd's."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def heard(self) -> list[list[str]]:
        """Return what came since the last time, the lines of each datagram."""
        found: list[list[str]] = []
        while True:
            try:
                found.append(self._socket.recv(65_536).decode().split("\n"))
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._socket.close()


@contextmanager
def listening(address: str) -> Generator[Listener]:
    listener = Listener(address)
    try:
        yield listener
    finally:
        listener.close()


def environ(path: object, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(path), **more}


class Slow(Actor):
    """Takes its time to start, and to stop."""

    async def started(self) -> None:
        await trio.sleep(25)

    async def stopping(self, reason: object) -> None:
        await trio.sleep(3)


async def test_ready_status_watchdog_and_stopping(autojump_clock: MockClock, tmp_path: Path) -> None:
    """In their order; the status only when it is another, the watchdog twice in its time."""
    tree = Supervisor("bot", [Child("slow", Slow, critical=True), Child("a", Crasher, backoff=SEVEN)])
    told = environ(tmp_path / "notify", WATCHDOG_USEC="20000000", WATCHDOG_PID=str(PID))
    with listening(told["NOTIFY_SOCKET"]) as systemd:
        child = Child("teller", lambda: Teller(told))
        async with open_runtime(tree, log_level=None, system=[child]) as runtime:
            await trio.testing.wait_all_tasks_blocked()
            starting = ["WATCHDOG=1", "STATUS=starting"]
            assert systemd.heard() == [starting, starting, ["READY=1", "STATUS=healthy"], ["WATCHDOG=1"]]
            await trio.sleep(20.5)
            assert systemd.heard() == [["WATCHDOG=1"], ["WATCHDOG=1"]]
            runtime.ref("/bot/a").tell(ValueError("bad\nnews"))
            await trio.sleep(5)
            assert systemd.heard() == [
                ["STATUS=degraded: /bot/a is in backoff: ValueError: bad news", "WATCHDOG=1"],
            ]
            await trio.sleep(5.5)
            assert systemd.heard() == [["STATUS=healthy", "WATCHDOG=1"]]
            await runtime.stop()

        heard = systemd.heard()
        assert heard[0] == ["STOPPING=1", "STATUS=degraded: the runtime is stopping: stopped", "WATCHDOG=1"]


class Teller(Actor):
    """Tells systemd, from `/system`, as the console has it told."""

    def __init__(self, told: dict[str, str]) -> None:
        self._told = told

    def started(self) -> None:
        self.context.start_soon(partial(notify, self.context.runtime, environ=self._told, pid=PID))


async def test_no_sign_of_life_when_the_root_has_given_up(autojump_clock: MockClock, tmp_path: Path) -> None:
    """Then a restart of the process is what helps: the watchdog is left to bite."""
    tree = Supervisor("bot", [Child("a", Crasher), Child("slow", SlowToStop, shutdown=60.0)], intensity=0)
    told = environ(tmp_path / "notify", WATCHDOG_USEC="2000000")
    with listening(told["NOTIFY_SOCKET"]) as systemd:

        async def give_up() -> None:
            async with open_runtime(tree, log_level=None, system=[Child("teller", lambda: Teller(told))]) as runtime:
                await trio.sleep(5.5)
                assert systemd.heard()[1:] == [["WATCHDOG=1"]] * 6
                runtime.ref("/bot/a").tell(ValueError("bad"))
                await trio.sleep_forever()

        with pytest.raises(GaveUpError):
            await give_up()

        heard = [line for lines in systemd.heard() for line in lines]
        assert "STOPPING=1" in heard
        assert "WATCHDOG=1" not in heard


class SlowToStop(Actor):
    """Takes long to stop."""

    async def stopping(self, reason: object) -> None:
        await trio.sleep(30)


async def test_nothing_is_done_where_systemd_does_not_ask(autojump_clock: MockClock) -> None:
    """No socket, or one that is no address of a Unix socket: it returns at once."""
    async with open_runtime(Supervisor("bot"), log_level=None) as runtime:
        for given in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}):
            with trio.fail_after(1):
                await notify(runtime, environ=given, pid=PID)


async def test_a_socket_that_nobody_reads_hurts_nobody(autojump_clock: MockClock, tmp_path: Path) -> None:
    """It is gone, or its queue is full: nothing waits, and nothing is raised."""
    gone = Systemd.of(environ(tmp_path / "gone"), PID)
    assert gone is not None
    assert gone.tell("READY=1") is False
    with listening(str(tmp_path / "full")) as systemd:
        line = Systemd.of(environ(tmp_path / "full"), PID)
        assert line is not None
        sent = 0
        while line.tell("WATCHDOG=1"):
            sent += 1
        assert len(systemd.heard()) == sent > 0
    async with open_runtime(Supervisor("bot"), log_level=None) as runtime:
        with trio.move_on_after(200):
            await notify(runtime, environ=environ(tmp_path / "gone", WATCHDOG_USEC="1000000"), pid=PID)
        assert runtime.health().overall == "healthy"


def test_an_abstract_socket_is_one() -> None:
    """`@` stands for the NUL that its address begins with."""
    name = f"duenna-test-{os.getpid()}"
    with listening(f"\0{name}") as systemd:
        line = Systemd.of(environ(f"@{name}"), PID)
        assert line is not None
        assert line.tell("READY=1", "STATUS=ü\ud800") is True
        assert systemd.heard() == [["READY=1", "STATUS=ü?"]]


@pytest.mark.parametrize(
    ("usec", "pid", "expected"),
    [
        ("30000000", "42", 30.0),
        ("30000000", "", 30.0),
        ("30000000", "41", None),
        ("0", "42", None),
        ("-5", "42", None),
        ("soon", "42", None),
        ("", "42", None),
    ],
)
def test_the_watchdog_of_another_process_is_not_ours(usec: str, pid: str, expected: float | None) -> None:
    """A child process inherits the variables; `WATCHDOG_PID` says whom they are for."""
    line = Systemd.of(environ("/run/notify", WATCHDOG_USEC=usec, WATCHDOG_PID=pid), PID)

    assert line == Systemd("/run/notify", expected) or (line is not None and line.watchdog == expected)


async def test_a_status_is_one_bounded_line(autojump_clock: MockClock) -> None:
    """Hostile text stays text: no second variable can be smuggled in, no escape reaches a terminal."""
    async with open_runtime(Supervisor("bot", [Child("a", Crasher, backoff=SEVEN)]), log_level=None) as runtime:
        runtime.ref("/bot/a").tell(ValueError("bad\nREADY=0\x1b[31m" + "x" * 100_000))
        await trio.sleep(1)
        status = status_of(runtime)

        assert status.isprintable()
        assert len(status) <= 503
        assert status.startswith("degraded: /bot/a is in backoff: ValueError: bad READY=0")
