"""What goes wrong inside, or in the middle of something: it is answered or cut off, and nothing is left behind."""

from __future__ import annotations

import gc
import http.client
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import attrs
import pytest
import trio
import trio.testing

from duenna import Actor, Child, open_runtime
from duenna.events import ErrorReported
from duenna.wallclock import wall_time
from duenna_actors.console import Limits, console
from duenna_actors.console.server.doors import open_doors
from duenna_actors.console.server.http import HttpServer
from duenna_actors.console.server.options import Options
from duenna_actors.console.server.places import Places
from tests.actors.console.support import CONSOLE, Running, running, running_console, small_tree

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@attrs.define(eq=False)
class Clock:
    """A clock of the wall that can fail."""

    fails: bool = False

    def __call__(self) -> float:
        if self.fails:
            raise OSError("secret of the inside")
        return wall_time()


async def test_an_error_inside_is_answered_500_and_told_to_the_log_alone() -> None:
    clock = Clock()
    async with running_console(wall_time=clock) as found:
        with found.runtime.events(ErrorReported) as events:
            clock.fails = True
            answer = await found.get("/api/v1/snapshot")
            clock.fails = False
            reported = [event.error for event in events.drain() if isinstance(event, ErrorReported)]

        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "secret" not in answer.text
        assert "Traceback" not in answer.text
        assert reported == ["OSError: secret of the inside"]
        assert (await found.get("/api/v1/snapshot")).status_code == 200
        assert found.runtime.tree(CONSOLE).incarnation == 1


@attrs.define(eq=False)
class Odd:
    """A connection that cannot be read, for a reason that no server expects."""

    inner: trio.SocketStream
    error: BaseException

    async def receive_some(self, _most: int | None = None) -> bytes:
        raise self.error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@attrs.define(eq=False)
class OddListener(trio.abc.Listener[Any]):
    """Accepts connections that cannot be read."""

    inner: trio.SocketListener
    errors: list[BaseException]

    async def accept(self) -> Any:
        return Odd(await self.inner.accept(), self.errors.pop(0))

    async def aclose(self) -> None:
        await self.inner.aclose()


async def served_oddly(server: HttpServer, *errors: BaseException) -> None:
    """Have *server* serve as many connections as there are *errors*, one after the other."""
    (inner,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, [OddListener(inner, [*errors])], nursery)
        for _ in errors:
            async with await trio.testing.open_stream_to_socket_listener(inner) as line:
                assert await line.receive_some() == b""
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()


async def test_an_error_of_the_server_stays_in_its_connection_and_is_told() -> None:
    """The first, second, fourth...; of those that only say that a client is gone, none."""
    told: list[BaseException] = []
    server = HttpServer(None, Limits(), lambda _count: None, told.append)

    await served_oddly(server, OSError("gone"), *[ValueError(number) for number in range(1, 6)])

    assert (server.failed, server.connections) == (5, 0)
    assert [each.args for group in told for each in leaves(group)] == [(1,), (2,), (4,)]


async def test_a_connection_that_has_ended_is_not_kept_until_it_is_idle_for_too_long(
    mock_clock: trio.testing.MockClock,
) -> None:
    """No time passes: what would wait for its end waits for ever."""
    del mock_clock
    server = HttpServer(None, Limits(), lambda _count: None, lambda _error: None)
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, listeners, nursery)
        async with await trio.testing.open_stream_to_socket_listener(listeners[0]):
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert server.connections == 1
        await trio.testing.wait_all_tasks_blocked(0.05)

        assert server.connections == 0
        nursery.cancel_scope.cancel()


async def test_who_stops_the_process_in_the_middle_of_a_connection_stops_it() -> None:
    server = HttpServer(None, Limits(), lambda _count: None, lambda _error: None)

    with pytest.raises(BaseExceptionGroup) as caught:
        await served_oddly(server, KeyboardInterrupt())

    assert [type(each) for each in leaves(caught.value)] == [KeyboardInterrupt]
    assert server.failed == 0


def leaves(error: BaseException) -> list[BaseException]:
    """Return the errors in a group of groups."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    members = cast("BaseExceptionGroup[BaseException]", error).exceptions
    return [leaf for each in members for leaf in leaves(each)]


async def ask_for_ever(found: Running, line: trio.SocketStream) -> None:
    token = f"Authorization: Bearer {found.tokens['view']}"
    wanted = f"GET /api/v1/snapshot HTTP/1.1\r\nHost: localhost\r\n{token}\r\n\r\n"
    while True:
        await line.send_all(wanted.encode() * 10)


async def test_a_client_that_takes_nothing_is_cut_off() -> None:
    """Not even a stop may wait for it: Hypercorn shields what it sends."""
    async with running_console(limits=Limits(stall=0.2)) as found, await found.connect() as line:
        with pytest.raises((trio.BrokenResourceError, trio.ClosedResourceError)):
            await ask_for_ever(found, line)


async def test_a_stop_does_not_wait_for_a_client_that_takes_nothing() -> None:
    async with running_console(limits=Limits(farewell=0.05)) as found:
        async with await found.connect() as line:
            with trio.move_on_after(1.0):  # until neither of the two takes any more
                await ask_for_ever(found, line)
            await found.runtime.stop()
        assert found.runtime.report.overran == ()
        assert found.runtime.report.cleanup_errors == ()


@attrs.define(eq=False)
class Blocker(Actor):
    """Blocks the event loop until it is let go."""

    has_begun: threading.Event
    may_end: threading.Event

    def receive(self, message: Any) -> None:
        self.has_begun.set()
        self.may_end.wait(60.0)


async def test_while_the_loop_is_blocked_nobody_is_told_that_the_bot_lives() -> None:
    has_begun, may_end = threading.Event(), threading.Event()
    tree = small_tree(Child("blocker", lambda: Blocker(has_begun, may_end)))

    answers: list[str] = []

    def probe(port: int) -> None:
        has_begun.wait(60.0)
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=0.2)
        try:
            line.request("GET", "/livez")
            answers.append(str(line.getresponse().status))
        except TimeoutError:
            answers.append("no answer")
        finally:
            line.close()
            may_end.set()

    async with running_console(tree, runtime_options={"log_level": None, "watchdog": None}) as found:
        assert (await found.get("/livez", None)).status_code == 200
        prober = threading.Thread(target=probe, args=(found.port,))
        prober.start()
        found.runtime.ref("/bot/blocker").tell("block")
        await trio.to_thread.run_sync(prober.join)

        assert answers == ["no answer"]
        assert (await found.get("/livez", None)).status_code in {200, 503}


# -- cancellation in the middle ---------------------------------------------


@attrs.define(eq=False)
class CancelAt(trio.abc.Instrument):
    """Cancels a scope before the step of that number that any task makes."""

    step: int
    scope: trio.CancelScope
    count: int = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += 1
        if self.count == self.step:
            self.scope.cancel()


async def cancelled_at(step: int, work: Callable[[], Awaitable[object]]) -> bool:
    """Run *work* and cancel it at *step*; return whether it came to its end before."""
    with trio.CancelScope() as scope:
        instrument = CancelAt(step, scope)
        trio.lowlevel.add_instrument(instrument)
        try:
            await work()
        finally:
            trio.lowlevel.remove_instrument(instrument)
    return not scope.cancelled_caught


def names_in(folder: str) -> set[str]:
    return {each.name for each in Path(folder).iterdir()}


def open_files() -> int:
    gc.collect()
    return len(names_in("/proc/self/fd"))


async def test_sockets_are_closed_wherever_the_opening_is_cancelled() -> None:
    with tempfile.TemporaryDirectory(prefix="duenna-") as folder:
        place = Path(folder)
        options = Options(port=0)
        places = Places(place / "bot.sock", place / "bot.json", place / "bot.tokens")

        async def work() -> None:
            async with open_doors(options, places):
                await trio.lowlevel.checkpoint()

        await work()
        files = open_files()
        step = 1
        while not await cancelled_at(step, work):
            assert names_in(folder) == set()
            assert open_files() == files
            step += 1
        assert step > 3


async def test_nothing_is_left_wherever_a_bot_with_viewers_is_cancelled() -> None:
    """From its start over a request and a stream to its stop, at every seventh step of all tasks."""
    with tempfile.TemporaryDirectory(prefix="duenna-") as folder:
        place = Path(folder)

        async def work() -> None:
            child = console(socket=place / "bot.sock", port=0, limits=Limits(farewell=0.05))
            async with open_runtime(small_tree(), system=[child], log_level=None) as runtime:
                found = await running(runtime)
                assert (await found.get("/api/v1/whoami")).status_code == 200
                async with found.stream() as stream:
                    await stream.until("snapshot")

        await work()
        files = open_files()
        step = 1
        while not await cancelled_at(step, work):
            assert names_in(folder) <= {"bot.tokens"}, step
            assert open_files() <= files, step
            step += 7
        assert step > 100
