"""`duenna top --once`: one plain screen, with nothing installed."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

import pytest

from duenna.cli import main
from duenna_actors.top import cli
from duenna_actors.top.plain import columns, plain
from duenna_actors.top.report import read_report, write_report
from tests.actors.top.bots import HOSTILE, Bot, running_bot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from duenna_actors.client import Client

VERB = EntryPoint("top", "duenna_actors.top.cli:register", "duenna.commands")


def top(*arguments: str) -> int:
    return main(["top", *arguments], verbs=[VERB])


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the command look for bots in a folder of the test's own."""
    monkeypatch.setenv("DUENNA_RUN_DIR", str(tmp_path))
    for name in ("DUENNA_SOCKET", "DUENNA_URL", "DUENNA_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def bot(place: Path) -> Iterator[Bot]:
    with running_bot(place) as bot:
        yield bot


def ill(bot: Bot) -> None:
    """Let the bot have an error, an actor that is down and an open breaker, and wait until its console says so."""
    bot.tell("/polybot/crasher", HOSTILE)
    bot.tell("/polybot/exchange/caller", "go")
    client = bot.client()
    while True:
        report = read_report(client)
        if report["errors"]["total"] > 1 and report["totals"]["breakers_not_closed"]:
            return


def test_it_prints_statistics_errors_breakers_and_indicators(bot: Bot, capsys: pytest.CaptureFixture[str]) -> None:
    ill(bot)

    status = top("--once")

    shown = capsys.readouterr().out
    assert status == 0
    for part in (
        "polybot  ▲ DEGRADED  up 00:0",
        "WHAT NEEDS YOU",
        "crasher is down",
        "OVERALL STATISTICS",
        "ERROR TYPES                              count   per minute",
        "LAST 5 ERRORS",
        "/polybot/crasher  NETWORK/MEDIUM",
        "BREAKERS                     state            calls  success   failed  rejected",
        "✖ OPEN",
        "HEALTH INDICATORS",
        "error_rate",
    ):
        assert part in shown
    assert max(map(columns, shown.splitlines())) <= 120
    assert not set(shown) & set("\x1b\x07\x00\u202e")


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_wider_than_asked(bot: Bot, width: int) -> None:
    ill(bot)

    assert max(map(columns, plain(read_report(bot.client()), width=width).splitlines())) <= width


def test_check_tells_by_its_status_whether_the_bot_is_well(bot: Bot, capsys: pytest.CaptureFixture[str]) -> None:
    well = top("--once", "--check")
    ill(bot)
    unwell = top("--once", "--check")

    assert (well, unwell) == (0, 1)


def test_count_prints_as_many_screens(bot: Bot, capsys: pytest.CaptureFixture[str]) -> None:
    assert top("--count", "3", "--interval", "0.1") == 0
    assert capsys.readouterr().out.count("OVERALL STATISTICS") == 3


def test_export_writes_the_whole_report_with_the_time(bot: Bot, place: Path) -> None:
    """Nobody else may read it, and what is no Unicode survives."""
    ill(bot)
    target = place / "report.json"
    target.write_text("old")

    assert top("--once", "--export", str(target)) == 0

    report = json.loads(target.read_text())
    assert report["taken_at"].endswith("+00:00")
    assert {"totals", "errors", "breakers", "kpis", "rows", "needs", "why", "loop"} <= set(report)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in place.iterdir() if path.name.startswith(".report")] == []


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")

    with pytest.raises(TypeError):
        write_report({"not": object()}, target)
    with pytest.raises(OSError, match="No such file"):
        write_report({}, tmp_path / "nowhere" / "report.json")

    assert (target.read_text(), [path.name for path in tmp_path.iterdir()]) == ("old", ["report.json"])


def test_an_export_that_fails_is_one_line(bot: Bot, capsys: pytest.CaptureFixture[str]) -> None:
    status = top("--once", "--export", "/nowhere/report.json")

    told = capsys.readouterr()
    assert status == 2
    line = "report must go to a file that can be written, got /nowhere/report.json: No such file or directory"
    assert told.err == f"duenna top: {line}\n"


@pytest.mark.parametrize("how", [["--once"], []])
def test_no_bot_is_one_line(place: Path, capsys: pytest.CaptureFixture[str], how: list[str]) -> None:
    status = top(*how)

    told = capsys.readouterr()
    assert (status, told.out, told.err.count("\n")) == (3, "", 1)
    assert told.err.startswith("duenna top: ")


def test_a_token_that_is_wrong_is_refused(bot: Bot, capsys: pytest.CaptureFixture[str]) -> None:
    status = top("--once", "--token", "wrong")

    assert (status, capsys.readouterr().err.count("\n")) == (4, 1)


def test_a_bot_of_another_version_is_one_line(
    bot: Bot, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def older(client: Client) -> dict[str, Any]:
        report = read_report(client)
        del report["kpis"]
        return report

    monkeypatch.setattr(cli, "read_report", older)

    assert top("--once") == 5
    assert capsys.readouterr().err == "duenna top: this bot speaks another version: KeyError('kpis')\n"


@pytest.mark.parametrize(
    "arguments",
    [["--interval", "0"], ["--interval", "nan"], ["--interval", "x"], ["--count", "-1"], ["--once", "--nonsense"]],
)
def test_wrong_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        top(*arguments)


def test_check_without_once_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert top("--check") == 2


def test_without_textual_one_line_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "textual", None)

    status = top()

    line = 'the live screen needs Textual: pip install "duenna[tui]" (`duenna top --once` prints the same without it)'
    assert (status, capsys.readouterr().err) == (1, f"duenna top: {line}\n")


def test_it_needs_neither_the_runtime_nor_textual() -> None:
    """So it starts at once, and works where only the command is."""
    program = (
        "import sys, duenna_actors.top.cli\n"
        "heavy = {'asyncio', 'attrs', 'loguru', 'msgspec', 'rich', 'textual', 'trio'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
