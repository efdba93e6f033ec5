"""`duenna demo --virtual`: the demo in a simulated world."""

from __future__ import annotations

import argparse
import hashlib
import re
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

from duenna.testing.trace import read_trace
from duenna_actors.demo.cli import register
from duenna_actors.demo.options import Options, add_options, read_options
from duenna_actors.demo.virtual import virtual_demo

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def options(*arguments: str) -> Options:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return read_options(parser.parse_args(["--virtual", *arguments]))


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    status = virtual_demo(options(*arguments))
    return status, capsys.readouterr().out.splitlines()


def test_it_ends_with_the_table_the_verdict_and_the_hash_of_the_trace(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    trace = tmp_path / "trace.jsonl"
    status, lines = told(capsys, "--hours", "0.25", "--quiet", "--trace", str(trace))

    assert status == 0
    assert lines[0].split() == ["connection", "up", "restarts", "longest", "outage", "messages", "errors"]
    assert re.fullmatch(r"0:15:\d\d simulated in [\d.]+ s, \d+ faults?, \d+ restarts? of connections", lines[-3])
    assert lines[-2] == "every connection operational"
    assert lines[-1] == f"trace sha256:{hashlib.sha256(trace.read_bytes()).hexdigest()}"


def test_messages_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """One trade every 5 s, and a candle of each contract every minute."""
    _, lines = told(capsys, "--seconds", "600", "--no-faults", "--quiet", "--symbols", "SOLUSDT")

    counted = {line.split()[0]: int(line.split()[6]) for line in lines[2:6]}
    assert 115 <= counted["/bot/feeds/solusdt"] <= 120
    assert 10 <= counted["/bot/api"] <= 60


def test_the_same_seed_is_the_same_run_however_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    hashes = [
        told(capsys, "--seconds", "400", *more)[1][-1]
        for more in (["--seed", "3"], ["--seed", "3", "--quiet"], ["--seed", "4"])
    ]

    assert hashes[0] == hashes[1] != hashes[2]


def test_each_fault_has_a_line_and_so_has_each_hour(capsys: pytest.CaptureFixture[str]) -> None:
    _, lines = told(capsys, "--hours", "1")

    faults = int(re.search(r"(\d+) fault", lines[-3])[1])  # type: ignore[index]
    summary = [line for line in lines if "-- hour 1: " in line]
    assert len(summary) == 1
    assert len([line for line in lines if re.match(r" +\d:\d\d:\d\d  (?!--)", line)]) == faults


def test_without_faults_nothing_restarts(capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = told(capsys, "--seconds", "900", "--no-faults", "--quiet")

    assert status == 0
    assert " 0 faults, 0 restarts of connections" in lines[-3]


def test_no_thread_is_started(capsys: pytest.CaptureFixture[str]) -> None:
    started: list[Any] = []
    threading.setprofile(lambda *_: started.append(threading.current_thread()))
    try:
        told(capsys, "--seconds", "120", "--quiet")
    finally:
        threading.setprofile(None)

    assert started == []


PROGRAM = """
import argparse, sys
from duenna_actors.demo.cli import register
parser = argparse.ArgumentParser(prog="duenna")
register(parser.add_subparsers())
given = parser.parse_args(["demo", "--virtual", *sys.argv[1:]])
sys.exit(given.run(given))
"""


def test_an_interrupt_ends_it_with_the_table() -> None:
    process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own text
        [sys.executable, "-c", PROGRAM, "--hours", "700"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (0, "")
    assert "longest outage" in out
    assert "\ninterrupted, " in out
    assert out.splitlines()[-1].startswith("trace sha256:")


def test_a_wrong_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    given = parser.parse_args(["demo", "--hours", "3"])

    assert given.run(given) == 2
    assert capsys.readouterr().err == "duenna demo: --hours must come with --virtual, got it alone\n"


def test_the_trace_tells_of_both_feeds(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    told(capsys, "--seconds", "60", "--quiet", "--trace", str(trace))

    assert {record.path for record in read_trace(trace) if record.kind == "data"} == {
        "/bot/feeds/btcusdt",
        "/bot/feeds/ethusdt",
    }
