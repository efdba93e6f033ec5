"""The console's own life: it starts, ends, fails and comes back, and the bot goes on through all of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import h11
import pytest
import trio

from duenna import Actor, Backoff, Child, open_runtime
from duenna.events import ChildExited, ChildStarted, Event
from duenna.wallclock import wall_time
from duenna_actors.console import ConsoleListening, GetConsole, console
from tests.actors.console.support import CONSOLE, Running, Sse, decoded, running, running_console, small_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duenna._bus import EventStream

AT_ONCE: dict[str, Any] = {"backoff": Backoff.steps(0.0), "max_failures": 2}


@attrs.define(eq=False)
class Counter(Actor):
    """Counts what it is told."""

    count: int = 0

    def receive(self, message: Any) -> int:
        self.count += message
        return self.count


@contextmanager
def short_folder() -> Iterator[str]:
    """Give a folder of its own with a short name: a socket's path must be."""
    with tempfile.TemporaryDirectory(prefix="duenna-") as folder:
        yield folder


def names_in(folder: str) -> list[str]:
    return [each.name for each in Path(folder).iterdir()]


def read(path: Path) -> bytes:
    return path.read_bytes()


def mode_of(path: str) -> int:
    return Path(path).stat().st_mode & 0o777


def crash(found: Running) -> None:
    """Close the TCP socket of *found* under its console."""
    for name in names_in("/proc/self/fd"):
        try:
            with socket.socket(fileno=os.dup(int(name))) as one:
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and one.getsockname()[1] == found.port:
                    one.shutdown(socket.SHUT_RD)  # accept fails from now on
        except (OSError, IndexError):
            continue


async def until_its_end(stream: Sse) -> list[str]:
    """Return the kinds of the events that still come, however the stream ends."""
    kinds: list[str] = []
    with suppress(h11.RemoteProtocolError, trio.BrokenResourceError):
        async for kind, _ in stream:
            kinds.append(kind)
    return kinds


async def first(events: EventStream, kind: type[Event], path: str = CONSOLE) -> Any:
    """Return the next event of type *kind* about *path*."""
    async for event in events:
        if isinstance(event, kind) and event.path == path:
            return event
    raise AssertionError(f"no {kind.__name__} came")


async def works(found: Running) -> bool:
    return (await found.get("/api/v1/whoami")).status_code == 200


async def test_the_discovery_file_says_where_the_bot_is_and_goes_with_it() -> None:
    async with running_console(small_tree(name="my bot")) as found:
        path = Path(found.address.discovery_file)
        content = decoded(read(path))
        assert mode_of(found.socket) == mode_of(str(path)) == 0o600
        started_at = content.pop("started_at")
        assert abs(started_at - wall_time()) < 60
        assert content == {
            "bot": "my bot",
            "pid": os.getpid(),
            "socket": found.socket,
            "url": found.url,
            "token_file": found.address.token_file,
        }
        assert path.name == "my_bot.json"
        await found.runtime.stop()
        assert names_in(str(found.folder)) == ["my_bot.tokens"]


async def test_the_default_place_is_the_run_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_console() as outer:
        folder = outer.folder / "run"
        monkeypatch.setenv("DUENNA_RUN_DIR", str(folder))
        async with open_runtime(small_tree(name="two"), system=[console()], log_level=None) as runtime:
            found = await running(runtime)
            assert found.socket == str(folder / "two.sock")
            assert found.address.url is None
            async with found.client(unix=True) as http:
                assert (await http.get("/api/v1/whoami")).json()["bot"] == "two"
        (folder / "two.tokens").unlink()
        folder.rmdir()


async def test_tcp_alone_has_tokens_and_a_discovery_file_in_the_run_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_console() as outer:
        monkeypatch.setenv("DUENNA_RUN_DIR", str(outer.folder))
        options: Any = {"socket": False, "port": 0}
        async with open_runtime(small_tree(name="two"), system=[console(**options)], log_level=None) as runtime:
            found = await running(runtime)
            assert found.address.socket is None
            assert found.folder == outer.folder
            assert await works(found)


async def test_a_port_in_use_parks_the_console_and_the_bot_runs_on() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        tree = small_tree(Child("counter", Counter))
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(short_folder()))
            child = console(socket=folder / "bot.sock", port=port, **AT_ONCE)
            runtime = await stack.enter_async_context(open_runtime(tree, system=[child], log_level=None))
            while runtime.tree(CONSOLE).state != "failed":
                await trio.lowlevel.checkpoint()
            assert f"port {port} of 127.0.0.1 is in use" in (runtime.tree(CONSOLE).last_error or "")
            assert await runtime.ref("/bot/counter").ask(1) == 1
            assert names_in(str(folder)) == ["bot.tokens"]

            taken.close()
            await runtime.restart_child(CONSOLE)
            found = await running(runtime)
            assert found.port == port
            assert await works(found)
            assert await runtime.ref("/bot/counter").ask(1) == 2


async def test_a_parked_console_comes_back_by_itself_when_the_port_is_free() -> None:
    with socket.socket() as taken, short_folder() as folder:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        child = console(socket=Path(folder) / "bot.sock", port=port, unpark_after=0.05, **AT_ONCE)
        async with open_runtime(small_tree(), system=[child], log_level=None) as runtime:
            with runtime.events(ConsoleListening) as events:
                while runtime.tree(CONSOLE).state != "failed":
                    await trio.lowlevel.checkpoint()
                taken.close()
                await anext(events)

            assert await works(await running(runtime))


async def test_a_folder_whose_name_is_no_text_costs_the_discovery_file_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with short_folder() as outer:
        folder = os.fsdecode(os.fsencode(outer) + b"/\xff")
        monkeypatch.setenv("DUENNA_RUN_DIR", folder)
        async with open_runtime(small_tree(), system=[console(port=0)], log_level="INFO") as runtime:
            found = await running(runtime)
            assert await works(found)
            assert (await found.get("/api/v1/events")).status_code == 200
            assert sorted(names_in(folder)) == ["bot.sock", "bot.tokens"]
            assert runtime.tree(CONSOLE).incarnation == 1


async def test_a_console_that_serves_a_second_bot_knows_nothing_of_the_first() -> None:
    with short_folder() as folder:
        child = console(socket=Path(folder) / "bot.sock", port=0)
        for _ in range(2):
            async with open_runtime(small_tree(), system=[child], log_level=None) as runtime:
                found = await running(runtime)
                with runtime.events(ChildStarted) as events:
                    await found.post("/api/v1/actors/bot/idle/restart", {"reason": "once"})
                    await first(events, ChildStarted, "/bot/idle")
                told = (await found.get("/api/v1/events")).json()["events"]
                assert [each["path"] for each in told if each["type"] == "ChildStarted"] == ["/bot/idle"]
                assert "RuntimeStopped" not in {each["type"] for each in told}
                assert len((await found.get("/api/v1/operations")).json()["operations"]) == 1


async def test_two_bots_of_one_name_do_not_disturb_each_other() -> None:
    async with running_console() as one:
        child = console(socket=one.socket, **AT_ONCE)
        async with open_runtime(small_tree(), system=[child], log_level=None) as other:
            while other.tree(CONSOLE).state != "failed":
                await trio.lowlevel.checkpoint()
            assert "is in use: another bot of this name runs" in (other.tree(CONSOLE).last_error or "")
        async with one.client(unix=True) as http:
            assert (await http.get("/api/v1/whoami")).status_code == 200
        assert "bot.json" in names_in(str(one.folder))


async def test_a_wrong_token_file_parks_the_console_and_is_named() -> None:
    async with running_console() as outer:
        path = outer.folder / "wrong"
        path.write_text("anna view\n")
        path.chmod(0o600)
        child = console(socket=outer.folder / "two.sock", token_file=path, **AT_ONCE)
        async with open_runtime(small_tree(name="two"), system=[child], log_level=None) as runtime:
            while runtime.tree(CONSOLE).state != "failed":
                await trio.lowlevel.checkpoint()
            error = runtime.tree(CONSOLE).last_error
            assert error is not None
            assert f"token file {path}, line 1: must be NAME ROLE TOKEN, got 2 words" in error


async def test_viewers_see_the_stop_and_it_is_quick() -> None:
    async with running_console() as found, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(found.stream(unix=bool(n % 2))) for n in range(6)]
        for stream in streams:
            await stream.until("snapshot")
        silent = await stack.enter_async_context(found.stream())  # it reads nothing more
        idle = [await stack.enter_async_context(await found.connect()) for _ in range(3)]

        await found.runtime.stop()

        for stream in streams:
            assert await stream.until("bye") is not None
            with pytest.raises(StopAsyncIteration):  # in form: not an incomplete answer
                await anext(stream)
        for line in idle:
            assert await line.receive_some() == b""
        assert silent.status == 200
    assert found.runtime.report.overran == ()
    assert found.runtime.report.cleanup_errors == ()


async def test_after_a_restart_by_hand_viewers_come_back_and_find_what_was_known() -> None:
    async with running_console() as found:
        await found.post("/api/v1/actors/bot/idle/restart", {"reason": "before"})
        async with found.stream() as stream:
            before = decoded(await stream.until("snapshot"))["header"]["id"]
            await found.runtime.restart_child(CONSOLE)
            await stream.until("bye")

        again = await running(found.runtime)

        assert again.tokens == found.tokens
        async with again.stream() as stream:
            assert decoded(await stream.until("snapshot"))["header"]["id"] > before
        operations = (await again.get("/api/v1/operations")).json()["operations"]
        assert [each["reason"] for each in operations] == ["before"]


async def test_a_crash_cuts_viewers_off_and_they_come_back() -> None:
    """What crashes it is its listening socket, which is closed under it."""
    async with running_console(**AT_ONCE) as found:
        with found.runtime.events(ChildExited) as events:
            async with found.stream() as stream:
                await stream.until("snapshot")
                crash(found)
                event = await first(events, ChildExited)
                assert event.context == "child_terminated"
                await until_its_end(stream)

        again = await running(found.runtime)

        assert found.runtime.tree(CONSOLE).incarnation == 2
        assert await works(again)
        async with again.client(unix=True) as http:
            assert (await http.get("/api/v1/whoami")).status_code == 200


async def test_a_console_that_crashes_without_end_is_parked_and_the_bot_runs_on() -> None:
    def broken_clock() -> float:
        raise OSError("no clock")

    tree = small_tree(Child("counter", Counter))
    with short_folder() as folder:
        child = console(socket=Path(folder) / "bot.sock", wall_time=broken_clock, **AT_ONCE)
        async with open_runtime(tree, system=[child], log_level=None) as runtime:
            while runtime.tree(CONSOLE).state != "failed":
                await trio.lowlevel.checkpoint()
            assert "no clock" in (runtime.tree(CONSOLE).last_error or "")
            assert await runtime.ref("/bot/counter").ask(1) == 1
        assert names_in(folder) == ["bot.tokens"]


async def test_a_question_is_answered_once_it_listens_and_nonsense_is_not() -> None:
    async with running_console() as found:
        ref = found.runtime.ref(CONSOLE)
        assert await ref.ask(GetConsole()) == found.address
        assert await ref.ask("nonsense") is None


FULL = """
import os, resource, signal, sys
from pathlib import Path
import trio
from duenna import Actor, Backoff, Child, Supervisor, open_runtime
from duenna_actors.console import ConsoleListening, GetConsole, console

class Idle(Actor):
    def receive(self, message):
        return message

async def main(folder):
    child = console(socket=folder / "bot.sock", port=0, backoff=Backoff.steps(0.0), max_failures=2)
    tree = Supervisor("bot", [Child("idle", Idle)])
    if (folder / "bot.tokens").exists():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4, 4))
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4, resource.RLIM_INFINITY))
    async with open_runtime(tree, system=[child], log_level=None) as runtime:
        console_ref = runtime.ref("/system/console")
        while runtime.tree("/system/console").state not in ("failed",) and not os.path.exists(folder / "bot.sock"):
            await trio.lowlevel.checkpoint()
        node = runtime.tree("/system/console")
        print(node.state, (node.last_error or "").replace(str(folder), "FOLDER"))
        print(await runtime.ref("/bot/idle").ask("hello"))
        if node.state == "failed":
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            await runtime.restart_child("/system/console")
        await console_ref.ask(GetConsole())
        print(runtime.tree("/system/console").last_error is None, sorted(os.listdir(folder)))

trio.run(main, Path(sys.argv[1]))
"""


def test_a_full_disk_at_the_first_start_is_named_and_does_not_stop_the_bot() -> None:
    with short_folder() as folder:
        done = subprocess.run([sys.executable, "-c", FULL, folder], capture_output=True, text=True, check=True)  # noqa: S603

    state, answer, after = done.stdout.splitlines()
    assert state.startswith("failed TokenFileError: token file FOLDER/bot.tokens: cannot be made: File too large")
    assert answer == "hello"
    assert after.endswith("['bot.json', 'bot.sock', 'bot.tokens']")


def test_a_full_disk_later_costs_the_discovery_file_alone() -> None:
    with short_folder() as folder:
        path = Path(folder) / "bot.tokens"
        path.write_text("anna view 0123456789abcdef\n")
        path.chmod(0o600)
        done = subprocess.run([sys.executable, "-c", FULL, folder], capture_output=True, text=True, check=True)  # noqa: S603

    _, answer, after = done.stdout.splitlines()
    assert answer == "hello"
    assert after == "False ['bot.sock', 'bot.tokens']"


async def test_the_console_can_be_told_to_restart_itself() -> None:
    async with running_console() as found:
        with found.runtime.events(ChildStarted) as events:
            answer = await found.post("/api/v1/actors/system/console/restart", {"reason": "new tokens"})
            assert answer.status_code == 202
            assert (await first(events, ChildStarted)).incarnation == 2

        again = await running(found.runtime)

        operation = (await again.get(f"/api/v1/operations/{answer.json()['operation_id']}")).json()
        assert (operation["state"], operation["reason"]) == ("succeeded", "new tokens")
