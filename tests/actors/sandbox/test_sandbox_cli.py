"""`duenna sandbox` as a process."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx2
import pytest

from duenna_actors.sandbox.cli import register, run

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import argparse, sys
from duenna_actors.sandbox.cli import register
parser = argparse.ArgumentParser()
register(parser.add_subparsers())
arguments = parser.parse_args()
sys.exit(arguments.run(arguments))
"""


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    return parser.parse_args(["sandbox", *words])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_alone_until_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text('[{"at": 0, "fault": {"kind": "mute", "symbol": "BTC*"}, "duration": 60}]')
    command = [sys.executable, "-c", PROGRAM, "sandbox", "--port", "0", "--symbols", "BTCUSDT", "--schedule", str(plan)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            lines = [process.stdout.readline() for _ in range(6)]
            url = lines[0].split()[1].removesuffix("/fapi/v1/...")
            answer = httpx2.get(f"{url}/fapi/v1/ticker/price", trust_env=False)
            process.send_signal(number)
            errors = process.stderr.read()
            status = process.wait(10)
        finally:
            process.kill()

    assert [row["symbol"] for row in answer.json()] == ["BTCUSDT"]
    assert [line.split()[0] for line in lines[:5]] == ["REST", "websockets", "symbols", "key", "control"]
    assert lines[5].split(maxsplit=2)[2] == "mute injected for 60 s: symbol=BTC*\n"
    assert (status, errors) == (0, "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--symbols", "nope"], "duenna sandbox: symbol must be 5 to 20 capitals and digits"),
        (["--symbols", ""], "duenna sandbox: a sandbox needs one symbol at least, got none"),
        (["--schedule", "/nowhere/at.all"], "duenna sandbox: [Errno 2] No such file"),
        (["--host", "256.0.0.1"], "duenna sandbox: "),
    ],
)
def test_a_wrong_argument_is_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = run(parse("--port", "0", *words))

    assert status == 1
    assert capsys.readouterr().err.startswith(message)


def test_a_wrong_schedule_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text('[{"at": 1, "fault": {"kind": "mut"}}]')
    status = run(parse("--schedule", str(plan)))

    assert status == 1
    assert capsys.readouterr().err == "duenna sandbox: schedule: Invalid value 'mut' - at `$[0].fault.kind`\n"
