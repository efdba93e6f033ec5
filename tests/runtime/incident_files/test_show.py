"""An incident file for a person, read without the bot and without its runtime."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from duenna import Actor, Child, Event, GaveUpError, Supervisor, open_runtime
from duenna.incident_files.document import FORMAT, VERSION
from duenna.incident_files.show import FORMAT as SHOWN_FORMAT
from duenna.incident_files.show import VERSION as SHOWN_VERSION
from duenna.incident_files.show import IncidentFileError, load, render

from .kit import Database, Idle, Query, files_in, giving_up

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from duenna import Context

HOSTILE = "\x1b[2J\x1b]0;owned\x07<script>alert(1)</script>[/red]\x00\ud800\u202e{}%s" + "x" * 100_000


@pytest.fixture
async def file(tmp_path: Path, autojump_clock: MockClock) -> Path:
    """Give the file of a bot that gave up while a handler waited."""
    bot = giving_up(Child("db", Database), Supervisor("group", [Child("idle", Idle)]))
    with pytest.raises(GaveUpError):  # noqa: PT012  # what is told before
        async with open_runtime(bot, directory=tmp_path, log_level=None) as runtime:
            runtime.ref("/bot/db").tell(Query("select"))
            runtime.ref("/bot/db").tell(Query("select"))
            await trio.sleep_forever()
    return files_in(tmp_path)[0]


def test_the_reader_knows_the_format_that_is_written() -> None:
    assert (SHOWN_FORMAT, SHOWN_VERSION) == (FORMAT, VERSION)


def test_reading_one_imports_no_part_of_the_runtime() -> None:
    program = (
        "import sys; import duenna.incident_files.show; "
        "print(sorted({'attrs', 'loguru', 'msgspec', 'trio'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)  # noqa: S603

    assert done.stdout == "[]\n"


async def test_it_says_what_happened_who_did_how_and_what_was_stuck(file: Path) -> None:
    lines = list(render(load(file), width=1000))

    text = "\n".join(lines)
    assert lines[2].startswith(
        "The supervisor /bot gave up: more than 1 restarts within 60.0 s; last of /bot/feed: ConnectionError: hung up. "
        "The bot 'bot' had been up for 2.0 s and was running. Health: degraded; 1 of "
    )
    titles = [line for line in lines if line and not line.startswith((" ", "The ", "Incident "))]
    assert [title for title in titles if title != "Breakers"] == [  # those are of the process: other tests have some
        "Tree",
        "Why (error -> verdict -> action -> outcome)",
        "Errors",
        "Last events",
        "Where the tasks were",
        "Mailboxes",
        "Settings",
    ]
    words = [line.split() for line in lines]
    assert ["feed", "○", "pending", "function", "degraded,", "1", "restart,", "2", "failures", "in", "a", "row"] in [
        each[:12] for each in words
    ]
    assert ["idle", "●", "running", "actor"] in words
    assert "  /bot/db (handles Query)" in lines
    assert "/bot/db  1 of 1000 (fail), the oldest for 2.0 s, busy with Query" in text
    assert "gave up: more than 1 restarts" in text
    assert ", in crasher" in text


async def test_a_narrow_terminal_gets_narrow_lines(file: Path) -> None:
    assert max(map(len, render(load(file), width=60))) <= 60


@pytest.mark.parametrize("width", [1, 40, 41, 59, 61])
def test_a_long_name_does_not_take_the_room_of_what_follows(width: int) -> None:
    """The lines that go on are indented to the column of the state, which may be beyond a narrow terminal."""
    row = {"path": "/bot/" + "n" * 60, "depth": 9, "state": "failed", "kind": "actor", "last_error": "word " * 60}

    lines = list(render({"tree": [row]}, width=width))

    assert max(map(len, lines)) <= max(width, 40)
    assert sum(line.count("word") for line in lines) >= 39  # of 200 characters, one may be cut in two


@pytest.mark.parametrize("number", [10**4000, -(10**4000), float("inf"), float("-inf"), float("nan"), 1e308])
def test_a_number_beyond_all_bounds_is_shown(number: float) -> None:
    rows = [dict.fromkeys(("depth", "uptime", "incarnation", "mail", "oldest", "count", "budget_left"), number)]

    lines = list(render({"bot": {"uptime": number}, "tree": rows, "mailboxes": rows, "stacks": rows}))

    assert "Tree" in lines


class Shouted(Event, frozen=True):
    def text(self) -> str:
        return HOSTILE


class Silent(Event, frozen=True):
    def text(self) -> str:
        raise ValueError(HOSTILE)


class Feed(Actor):
    kind = HOSTILE

    def receive(self, message: Any) -> None:
        raise ValueError(HOSTILE)


async def test_hostile_text_is_bounded_and_shown_as_text(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def shouts(context: Context) -> None:
        context.post(Shouted(time=context.now(), path=HOSTILE))
        context.post(Silent(time=context.now(), path="/bot"))
        await trio.sleep(1)
        raise RuntimeError(HOSTILE)

    bot = Supervisor("bot", [Child("feed", Feed), Child("shouts", shouts, restart="temporary")])
    async with open_runtime(bot, directory=tmp_path, log_level=None) as runtime:
        runtime.ref("/bot/feed").tell(type(HOSTILE[:60].replace("\x00", "").replace("\ud800", ""), (), {})())
        await trio.sleep(0.5)
        runtime.incident_files.take(HOSTILE, by=HOSTILE)
        await trio.sleep(5)

    file = files_in(tmp_path)[0]
    assert file.stat().st_size < 100_000
    assert file.read_bytes().isascii()
    shown = "\n".join(render(load(file)))
    assert all(character.isprintable() or character == "\n" for character in shown)
    assert "<script>alert(1)</script>" in shown
    assert "\\x1b[2J" in shown
    assert "<its text() raised ValueError>" in shown


NOT_ONE = [
    (b"", r"no incident file: expected JSON with the format 'duenna-incident'"),
    (b"\xff\xfe\x00", r"no incident file: expected JSON with the format 'duenna-incident'"),
    (b"[1]", r"no incident file: expected the format 'duenna-incident', got list"),
    (b'{"format": "\\u001b[2J"}', r"no incident file: expected the format 'duenna-incident', got '\\x1b\[2J'"),
    (b"[" * 100_000, r"no incident file: expected JSON with the format 'duenna-incident'"),
    (
        b'{"format": "duenna-incident", "version": 2}',
        r"the incident file is of version 2, expected 1 or earlier: a later duenna reads it",
    ),
    (
        b'{"format": "duenna-incident", "version": "1"}',
        r"the incident file is damaged: expected a version from 1, got '1'",
    ),
    (
        b'{"format": "duenna-incident", "version": 1}',
        r"the incident file is damaged: expected an object under 'summary', got nothing",
    ),
]


@pytest.mark.parametrize(("data", "why"), NOT_ONE)
def test_what_is_no_incident_file_is_refused_in_one_line(tmp_path: Path, data: bytes, why: str) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(data)

    with pytest.raises(IncidentFileError, match=f"^{file}: {why}$"):
        load(file)


async def test_a_torn_file_is_refused_wherever_it_ends(file: Path, tmp_path: Path) -> None:
    data = file.read_bytes()  # noqa: ASYNC240  # nobody else is there to wait
    torn = tmp_path / "torn.json"
    for end in range(60, len(data) - 4, len(data) // 50):
        torn.write_bytes(data[:end])
        with pytest.raises(
            IncidentFileError, match=rf"^{torn}: the incident file is damaged at line \d+: expected whole JSON$"
        ):
            load(torn)


def test_what_cannot_be_read_is_said_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(IncidentFileError, match=f"^{tmp_path}/none: the incident file cannot be read: No such file or"):
        load(tmp_path / "none")
    with pytest.raises(IncidentFileError, match=f"^{tmp_path}: expected an incident file, got something that is no"):
        load(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(IncidentFileError, match=r"no regular file$"):
        load(tmp_path / "fifo")
    with pytest.raises(IncidentFileError, match=r"cannot be read: .*embedded null"):
        load("a\0b")


async def test_sections_of_a_wrong_type_are_refused(file: Path, tmp_path: Path) -> None:
    document = json.loads(file.read_bytes())  # noqa: ASYNC240  # nobody else is there to wait
    changed = tmp_path / "changed.json"
    for key in document.keys() - {"format", "version", "tree_left_out", "stacks_left_out"}:
        changed.write_text(json.dumps(document | {key: 5}))
        with pytest.raises(IncidentFileError, match=rf"under '{key}', got int$"):
            load(changed)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
KEYS = ("summary", "bot", "health", "why", "tree", "stacks", "mailboxes", "errors", "counts", "breakers", "events")
FIELDS = (
    *("path", "depth", "state", "kind", "uptime", "frames", "tasks", "count", "oldest", "waiting", "timestamp", "text"),
    *("issues", "versions", "skipped", "incarnation", "budget_left", "failures", "mail", "last_error"),
)
PARTS = st.dictionaries(st.sampled_from(FIELDS), JUNK, max_size=6)


@given(st.dictionaries(st.sampled_from((*KEYS, "settings")), JUNK | PARTS | st.lists(PARTS, max_size=3)))
def test_whatever_is_in_a_document_it_is_shown_on_printable_lines(document: dict[str, Any]) -> None:
    for line in render(document, width=80):
        assert line.isprintable()
        assert len(line) <= 80
