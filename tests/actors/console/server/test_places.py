"""Files and sockets: where they are, for whom, and what is in the way."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from duenna_actors.console import ConsoleError
from duenna_actors.console.server.discovery import Discovery, remove_discovery, write_discovery
from duenna_actors.console.server.listen import listen_tcp, listen_unix, url_of
from duenna_actors.console.server.options import Options
from duenna_actors.console.server.places import own_folder, places_of, run_folder, stem_of, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def short() -> Iterator[Path]:
    """Give a folder whose name is short: a socket's path must be."""
    with tempfile.TemporaryDirectory(prefix="duenna-") as folder:
        yield Path(folder)


def test_the_folder_is_what_the_environment_says() -> None:
    assert run_folder({"DUENNA_RUN_DIR": "/a", "XDG_RUNTIME_DIR": "/b"}) == Path("/a")
    assert run_folder({"XDG_RUNTIME_DIR": "/b"}) == Path("/b/duenna")
    assert run_folder({"DUENNA_RUN_DIR": "run"}) == Path.cwd() / "run"
    assert run_folder({}) == Path(f"/tmp/duenna-{os.geteuid()}")  # noqa: S108


def test_files_are_called_like_the_bot() -> None:
    environ = {"DUENNA_RUN_DIR": "/run/x"}

    places = places_of("my bot/../2", Options(), environ)
    assert places.socket == Path("/run/x/my_bot_.._2.sock")
    assert places.discovery == Path("/run/x/my_bot_.._2.json")
    assert places.tokens == Path("/run/x/my_bot_.._2.tokens")
    other = places_of("bot", Options(socket=Path("/s/c.sock"), token_file=Path("/t/t")), environ)
    assert (other.socket, other.discovery, other.tokens) == (Path("/s/c.sock"), Path("/s/bot.json"), Path("/t/t"))
    assert places_of("bot", Options(has_socket=False), environ).socket is None


@pytest.mark.parametrize(
    ("name", "stem"), [("bot", "bot"), ("..", "bot"), (".x", "x"), ("ü\n/", "___"), ("b" * 200, "b" * 60)]
)
def test_any_name_makes_a_file_name(name: str, stem: str) -> None:
    assert stem_of(name) == stem


def test_a_folder_is_made_for_ones_own_eyes(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"

    own_folder(folder)
    own_folder(folder)

    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)

    for mode in (0o755, 0o750, 0o701, 0o720):
        (tmp_path / "open").chmod(mode)
        with pytest.raises(ConsoleError, match=rf"must have the mode 0700, it has {mode:04o}: chmod 700 .*/open$"):
            own_folder(tmp_path / "open")
    with pytest.raises(ConsoleError, match=r"file cannot be made: File exists$"):
        own_folder(tmp_path / "file")
    with pytest.raises(ConsoleError, match=r"must be a folder, and is none \(a link is none\)$"):
        own_folder(tmp_path / "link")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder away")
def test_a_folder_that_belongs_to_another_is_refused(tmp_path: Path) -> None:
    (tmp_path / "his").mkdir(mode=0o700)
    os.chown(tmp_path / "his", 4242, 4242)

    with pytest.raises(ConsoleError, match=r"must belong to user 0, it is of 4242; set DUENNA_RUN_DIR to "):
        own_folder(tmp_path / "his")


def test_a_file_is_replaced_whole_or_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_private(path, b"first")

    with pytest.raises(TypeError):
        write_private(path, "no bytes")  # type: ignore[arg-type]  # anything that fails in the middle

    assert path.read_bytes() == b"first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_discovery_file_of_another_process_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "bot.json"
    given: dict[str, Any] = {"bot": "bot", "socket": None, "url": None, "token_file": "t", "started_at": 1.5}
    ours, theirs = Discovery(pid=os.getpid(), **given), Discovery(pid=os.getpid() + 1, **given)
    for found in (theirs, None):
        path.write_bytes(b"{") if found is None else write_discovery(path, found)
        remove_discovery(path, ours)
        assert path.exists()

    write_discovery(path, ours)
    remove_discovery(path, ours)

    assert not path.exists()
    remove_discovery(path, ours)


async def test_a_socket_is_its_owners_alone_and_goes_with_its_listener(short: Path) -> None:
    path = short / "bot.sock"

    listener = await listen_unix(path)

    assert path.stat().st_mode & 0o777 == 0o600
    async with await trio.open_unix_socket(str(path)), await listener.accept():
        pass
    await listener.aclose()
    assert not path.exists()


async def test_the_socket_of_a_dead_process_is_replaced(short: Path) -> None:
    path = short / "bot.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    listener = await listen_unix(path)

    async with await trio.open_unix_socket(str(path)):
        pass
    await listener.aclose()


async def test_a_socket_that_answers_is_in_use_and_stays(short: Path) -> None:
    path = short / "bot.sock"
    first = await listen_unix(path)

    with pytest.raises(ConsoleError, match=rf"^console: {path} is in use: another bot of this name runs, .* name= or"):
        await listen_unix(path)

    async with await trio.open_unix_socket(str(path)):
        pass
    await first.aclose()


async def test_a_socket_whose_process_is_too_busy_to_answer_is_in_use(short: Path) -> None:
    path = short / "bot.sock"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
        busy.bind(str(path))
        busy.listen(0)
        waiting.connect(str(path))

        with pytest.raises(ConsoleError, match="is in use"):
            await listen_unix(path)


async def test_consoles_that_begin_at_once_take_turns(short: Path) -> None:
    """One that has bound its socket, and does not listen yet, is not taken for dead."""
    path = short / "bot.sock"
    other = os.open(short, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with socket.socket(socket.AF_UNIX) as begins:
        begins.bind(str(path))
        refused: list[ConsoleError] = []

        async def begin() -> None:
            with pytest.raises(ConsoleError, match="is in use") as caught:
                await listen_unix(path)
            refused.append(caught.value)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(begin)
            await trio.testing.wait_all_tasks_blocked()
            assert path.exists()
            begins.listen()
            os.close(other)

        assert len(refused) == 1


async def test_who_begins_for_ever_is_not_waited_for(short: Path, autojump_clock: trio.testing.MockClock) -> None:
    del autojump_clock
    other = os.open(short, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)

    listener = await listen_unix(short / "bot.sock")

    assert trio.current_time() == 5.0
    await listener.aclose()
    os.close(other)


async def test_what_is_no_socket_is_left_alone(short: Path) -> None:
    path = short / "bot.sock"
    path.write_text("precious")

    with pytest.raises(ConsoleError, match=r"must be a socket or not be there, and is something else$"):
        await listen_unix(path)

    assert path.read_text() == "precious"


async def test_a_socket_that_another_took_over_is_not_removed(short: Path) -> None:
    path = short / "bot.sock"
    first = await listen_unix(path)
    path.unlink()
    second = await listen_unix(path)

    await first.aclose()

    assert path.exists()
    await second.aclose()


async def test_a_path_is_at_most_107_bytes_long(tmp_path: Path) -> None:
    folder = tmp_path / ("ü" * 50)
    folder.mkdir()

    with pytest.raises(
        ConsoleError, match=r"^console: the path of a Unix socket has at most 107 bytes, got \d+: "
    ) as caught:
        await listen_unix(folder / "bot.sock")
    assert "set DUENNA_RUN_DIR to a shorter folder, or give socket=" in str(caught.value)


async def test_a_folder_that_is_not_there_is_named(short: Path) -> None:
    with pytest.raises(ConsoleError, match=r"cannot listen at .*/none/bot\.sock: No such file or directory$"):
        await listen_unix(short / "none" / "bot.sock")


async def test_a_port_in_use_is_named() -> None:
    first = await listen_tcp("127.0.0.1", 0)
    port = first[0].socket.getsockname()[1]

    with pytest.raises(ConsoleError, match=rf"^console: port {port} of 127\.0\.0\.1 is in use: give port= another one"):
        await listen_tcp("127.0.0.1", port)

    assert url_of("127.0.0.1", first) == f"http://127.0.0.1:{port}"
    assert url_of("::1", first) == f"http://[::1]:{port}"
    for each in first:
        await each.aclose()


async def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(ConsoleError, match=r"^console: cannot listen at port 80 of 192\.0\.2\.1: "):
        await listen_tcp("192.0.2.1", 80)
