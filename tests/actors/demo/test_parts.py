"""The tree's picture, the screen, the thief."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import trio

from duenna import Backoff, Child, Context, Supervisor, open_runtime
from duenna.connection import ConnectionState
from duenna_actors.demo.exchange import DatabaseThief
from duenna_actors.demo.picture import ASCII, UNICODE, outline, picture
from duenna_actors.demo.screen import Screen

if TYPE_CHECKING:
    from pathlib import Path


async def idle(context: Context) -> None:
    """Do nothing, for ever."""
    del context
    await trio.sleep_forever()


async def test_the_picture_has_a_symbol_and_a_word_for_each_state(autojump_clock: trio.testing.MockClock) -> None:
    """A connection's own state is shown, unless its actor is down."""
    tree = Supervisor("bot", [Child("api", idle), Supervisor("feeds", [Child("btc", idle)]), Child("db", idle)])
    async with open_runtime(tree, log_level=None) as runtime:
        await runtime.stop_child("/bot/db")
        states = {"/bot/api": ConnectionState.DEGRADED, "/bot/db": ConnectionState.CLOSED}
        root = runtime.tree()

        assert [line.split() for line in picture(root, states, ASCII)] == [
            ["/bot", "+", "running"],
            ["|--", "api", "~", "degraded"],
            ["|--", "feeds", "+", "running"],
            ["|", "`--", "btc", "+", "running"],
            ["`--", "db", "!", "stopped"],
        ]
        assert picture(root, states, UNICODE)[3].startswith("│   └── btc")
        assert dict(outline(root, states))["/bot/api"] == "degraded"


async def test_the_picture_shows_who_waits_for_a_restart(autojump_clock: trio.testing.MockClock) -> None:
    async def crash(context: Context) -> None:
        raise ConnectionError(context.path)

    tree = Supervisor("bot", [Child("btc", crash, backoff=Backoff.steps(10.0))])
    async with open_runtime(tree, log_level=None) as runtime:
        await trio.sleep(1)

        (line,) = picture(runtime.tree(), {}, UNICODE)[1:]
        assert line.split() == ["└──", "btc", "○", "backoff", "ConnectionError:", "/bot/btc"]


def test_the_screen_leaves_one_empty_line_and_no_more() -> None:
    stream = io.StringIO()
    screen = Screen(stream)

    screen.block(["a"])
    screen.block(["b"])
    screen.write("c\n")
    screen.gap()

    assert stream.getvalue() == "a\n\nb\n\nc\n\n"


def test_the_screen_shows_what_its_stream_can() -> None:
    raw = io.BytesIO()
    screen = Screen(io.TextIOWrapper(raw, encoding="ascii"))

    screen.write("→ ok\n")

    assert screen.symbols is ASCII
    assert raw.getvalue() == b"? ok\n"
    assert not screen.has_colors


def test_a_reader_that_has_gone_is_no_crash() -> None:
    stream = io.StringIO()
    screen = Screen(stream)
    stream.close()

    screen.write("a")
    screen.write("b")

    assert screen.is_broken


def test_the_thief_gives_back_what_it_took(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_text("rows")
    thief = DatabaseThief(path)

    thief.take()
    thief.take()
    was_folder = path.is_dir()
    thief.give_back()
    thief.give_back()

    assert was_folder
    assert path.read_text() == "rows"
    assert list(tmp_path.iterdir()) == [path]


def test_the_thief_takes_nothing_that_is_not_there(tmp_path: Path) -> None:
    thief = DatabaseThief(tmp_path / "x.db")

    thief.take()
    thief.give_back()

    assert list(tmp_path.iterdir()) == []


def test_the_thief_overwrites_nothing(tmp_path: Path) -> None:
    """A run that was killed may have left the file where it was hidden."""
    (tmp_path / "x.db.taken").write_text("old")
    (tmp_path / "x.db").write_text("new")

    DatabaseThief(tmp_path / "x.db").take()

    assert (tmp_path / "x.db").read_text() == "new"
    assert (tmp_path / "x.db.taken").read_text() == "old"
