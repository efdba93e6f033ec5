"""The verb `trace`."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest

from duenna import cli
from duenna.testing.trace import Trace

if TYPE_CHECKING:
    from pathlib import Path

VERB = EntryPoint("trace", "duenna.testing.trace_cli:register", "duenna.commands")


def call(*arguments: object) -> int:
    return cli.main(["trace", *map(str, arguments)], verbs=[VERB])


def write(file: Path, *, is_late: bool = False) -> Path:
    """Write a short trace, which breaks a rule if *is_late*."""
    times = iter([0.0, 1.0, 2.0, 700.0 if is_late else 3.0])
    trace = Trace(times.__next__, file=file)
    trace.record("spec", "/bot/a", restart="permanent")
    trace.record("child_starting", "/bot/a", 1)
    trace.record("child_exited", "/bot/a", 1, reason="shutdown", context="shutdown", uptime=1.0)
    trace.record("runtime_stopping", "/", reason="a word")
    trace.close()
    return file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "a.jsonl")


def test_diff_of_the_same_is_0(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("diff", file, write(tmp_path / "b.jsonl")) == 0
    assert capsys.readouterr().out == "the traces are the same\n"


def test_diff_shows_where_they_part(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write(tmp_path / "b.jsonl", is_late=True)

    assert call("diff", file, other, "--context", "1") == 1
    assert capsys.readouterr().out.splitlines() == [
        f"< {file}",
        f"> {other}",
        "the traces part at record 4",
        "        3        2.000  child_exited       /bot/a #1  context=shutdown reason=shutdown uptime=1.0",
        '<       4        3.000  runtime_stopping   /  reason="a word"',
        '>       4      700.000  runtime_stopping   /  reason="a word"',
        "t:",
        "  < 3.0",
        "  > 700.0",
    ]


def test_check_of_a_right_trace_is_0(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("check", file) == 0
    assert capsys.readouterr().out == "4 records, 3.000 s, 30 rules: no violations\n"


def test_check_of_an_empty_file_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "empty"
    file.touch()

    assert call("check", file) == 2
    expected = f"duenna trace: {file}, line 1: a trace has a record at least, this file is empty\n"
    assert capsys.readouterr().err == expected


def test_check_tells_what_is_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "t", is_late=True)

    assert call("check", file, "--bound", "600") == 1
    assert capsys.readouterr().out.splitlines() == [
        (
            "liveness: 700.000 s, record 4, /bot/a: it is down since 1.000 s (record 3, 2.000 s), with no fault for "
            "699.000 s: it should run again within 600.0 s"
        ),
        "4 records, 700.000 s, 30 rules: 1 violation",
    ]
    assert call("check", file, "--bound", "800") == 0


def test_check_tells_only_the_first_violations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = Trace(lambda: 1.0, file=tmp_path / "t")
    for _ in range(25):
        trace.record("error_reported", "/bot/a", error="OSError")
    trace.close()

    assert call("check", tmp_path / "t") == 1
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 22
    assert out[-2] == "... and 5 more"
    assert call("check", tmp_path / "t", "--unexplained") == 0


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ([], ["1", "2", "3", "4"]),
        (["--path", "/bot/*"], ["1", "2", "3"]),
        (["--kind", "child_*"], ["2", "3"]),
        (["--kind", "spec", "--kind", "runtime_*"], ["1", "4"]),
        (["--since", "1", "--until", "2"], ["2", "3"]),
        (["--path", "/bot/*", "--last", "1"], ["3"]),
        (["--last", "0"], []),
    ],
)
def test_show_prints_what_is_asked_for(
    file: Path, options: list[str], numbers: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("show", file, *options) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == numbers


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("check", tmp_path / "none") == 2
    assert capsys.readouterr().err.startswith("duenna trace: [Errno 2] No such file or directory")


def test_damage_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t").write_text("nonsense\n")

    assert call("show", tmp_path / "t") == 2
    assert capsys.readouterr().err.startswith(f"duenna trace: {tmp_path / 't'}, line 1: a record as JSON is needed")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "the following arguments are required: verb"),
        (["check"], "the following arguments are required: FILE"),
        (["check", "t", "--bound", "-1"], "seconds greater than 0 are needed, got '-1'"),
        (["check", "t", "--bound", "soon"], "seconds greater than 0 are needed, got 'soon'"),
        (["diff", "a", "b", "--context", "x"], "a whole number of at least 0 is needed, got 'x'"),
    ],
)
def test_wrong_use_is_2(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        call(*arguments)
    assert caught.value.code == 2
    assert why in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_ends_it(tmp_path: Path) -> None:
    trace = Trace(lambda: 1.0, file=tmp_path / "t")
    for number in range(20_000):
        trace.record("kind", "/bot/a", number=number)
    trace.close()
    program = "import sys; from duenna.cli import main; sys.exit(main(['trace', 'show', sys.argv[1]]))"

    show = subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "-c", program, str(tmp_path / "t")], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert show.stdout is not None
    assert show.stderr is not None
    show.stdout.readline()
    show.stdout.close()

    assert show.stderr.read() == b""
    show.stderr.close()
    assert show.wait() == 0
