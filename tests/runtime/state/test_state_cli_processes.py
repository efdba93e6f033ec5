"""`duenna state` beside a bot that runs, in processes of their own, and where its output goes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from duenna.storage import read_state

from .cli_kit import a_bot, duenna, entry, folder, store

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = ["folder"]

Captured = pytest.CaptureFixture[str]

WRITER = """
import sys
from duenna.storage import Change, Entry, FileStore

store = FileStore(sys.argv[1])
store.open()
version = 0
while True:
    version += 1
    entry = Entry(kind="Ledger", schema=1, version=version, at=1.0, data=b"\\x80", money=False)
    store.commit([Change("actor:/bot/ledger", entry)], 1.0)
    if version % 25 == 0:
        store.compact(1.0)
    if version == 100:
        print("ready", flush=True)
"""

COMMAND = """
import sys
from importlib.metadata import EntryPoint
from duenna.cli import main
sys.exit(main(sys.argv[1:], verbs=[EntryPoint("state", "duenna.state_cli:register", "duenna.commands")]))
"""


@contextmanager
def writer(folder: Path) -> Generator[subprocess.Popen[str]]:
    """Run a process that saves without a pause, and kill it."""
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", WRITER, folder], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def command(*arguments: str | Path) -> list[str | Path]:
    return [sys.executable, "-c", COMMAND, "state", *arguments]


def test_a_state_is_well_at_every_moment_of_a_running_bot(folder: Path, capsys: Captured) -> None:
    """Files come, grow and go while they are read; none of that is damage."""
    folder.mkdir()
    with writer(folder) as process:
        seen = [read_state(folder).seq]
        for _ in range(25):
            assert duenna("verify", "state") == 0, capsys.readouterr().out
            assert duenna("show", "state") == 0
            seen.append(read_state(folder).seq)
        lines = capsys.readouterr().out.splitlines()

        assert duenna("prune", "state", "/bot/ledger") == 2
        refusal = capsys.readouterr().err

    assert seen == sorted(seen)
    assert seen[-1] > seen[0]
    assert {line.partition("; ")[2].partition(" on ")[0] for line in lines if line.startswith("saved")} == {
        f"in use by process {process.pid}"
    }
    assert refusal.startswith(f"duenna state prune: the state in state is in use by process {process.pid} on ")


def test_what_a_killed_bot_leaves_can_be_changed(folder: Path, capsys: Captured) -> None:
    """Its lock goes with it, and the text that says whose it is does not."""
    folder.mkdir()
    with writer(folder) as process:
        os.kill(process.pid, signal.SIGKILL)
    assert (folder / "LOCK").exists()

    duenna("show", "state")
    assert duenna("prune", "state", "/bot/ledger") == 0
    assert duenna("migrate", "state", "--to", "new") == 0

    assert "; not closed in order" in capsys.readouterr().out
    assert read_state("new").entries == {}


def test_a_reader_that_has_seen_enough_is_no_error(folder: Path) -> None:
    store(folder, {f"actor:/bot/{number}": entry({}) for number in range(5_000)})
    with subprocess.Popen(  # noqa: S603
        command("show", folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()

    assert first.startswith(f"{folder}: commit 1, 5000 entries")
    assert (process.returncode, said) == (0, "")


def test_output_that_has_no_room_is_one_line(folder: Path) -> None:
    store(folder, a_bot())
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(command("export", folder), stdout=full, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603

    assert (done.returncode, done.stderr) == (2, "duenna state export: No space left on device\n")


def test_letters_that_the_terminal_has_not_are_escapes(folder: Path) -> None:
    """But a document of JSON is UTF-8 everywhere."""
    store(folder, {"actor:/bot/\u00e4": entry({"\u20ac": "\u00e4"})})
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    shown, exported = (
        subprocess.run(command(verb, folder), capture_output=True, env=environment, check=True).stdout  # noqa: S603
        for verb in ("show", "export")
    )

    assert b"actor:/bot/\\xe4 " in shown
    assert json.loads(exported)["entries"]["actor:/bot/\u00e4"]["values"] == {"\u20ac": "\u00e4"}
