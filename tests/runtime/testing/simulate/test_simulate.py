"""`duenna simulate FILE`, in processes of its own: what a user types and reads."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import shlex
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.runtime.testing.simulate.bots import BOT, BUGGY, GOOD, HALF_OPEN
from tests.runtime.testing.simulate.conftest import read_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.runtime.testing.simulate.conftest import Simulate, Told

pytestmark = pytest.mark.slow


def workers(group: int) -> list[str]:
    """Return the command lines of the processes of a sweep that are still there."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command, stat = (folder / "cmdline").read_text(), (folder / "stat").read_text()
        except OSError:  # it has ended meanwhile
            continue
        state, _, its_group = stat.rpartition(")")[2].split()[:3]
        if int(its_group) == group and state != "Z" and "spawn_main" in command:
            found.append(command)
    return found


def test_a_bot_that_holds_is_told_in_full(simulate: Simulate) -> None:
    simulate.write(GOOD)
    simulate.write(HALF_OPEN, "storm.yaml")

    told = simulate.run("bot.py", "--minutes", "15", "--seed", "7", "--faults", "storm.yaml")

    assert (told.status, told.err) == (0, "")
    assert told.lines[:4] == [
        "15 minutes, seed 7, faults: storm.yaml, 1 strike",
        "1 restart: /bot/feed 1",
        "no connection was made",
        "nothing broke",
    ]
    assert re.fullmatch(r"9\d\d virtual seconds in \d+\.\d s: \d+ per second", told.lines[4])
    assert re.fullmatch(r"trace sha256:[0-9a-f]{64}", told.lines[5])
    assert len(told.lines) == 6


def test_the_same_seed_gives_the_same_trace_and_its_file_has_that_hash(simulate: Simulate) -> None:
    simulate.write(GOOD)

    once = simulate.run("bot.py", "--minutes", "10", "--seed", "3", "--trace", "t.jsonl")
    twice = simulate.run("bot.py", "--minutes", "10", "--seed", "3")
    other = simulate.run("bot.py", "--minutes", "10", "--seed", "4")

    content = (simulate.folder / "t.jsonl").read_bytes()
    assert once.lines[-1] == twice.lines[-1] == f"trace sha256:{hashlib.sha256(content).hexdigest()}"
    assert once.lines[-1] != other.lines[-1]
    assert "trace written to t.jsonl" in once.lines
    assert json.loads(content.splitlines()[-1])["kind"] == "world_end"


def test_what_broke_is_told_in_sentences(simulate: Simulate) -> None:
    simulate.write(BUGGY)
    simulate.write(HALF_OPEN, "storm.yaml")

    told = simulate.run("bot.py", "--minutes", "15", "--faults", "storm.yaml")

    assert told.status == 1
    assert re.search(r"^what broke \(\d+\):\n  at [\d.]+ s /bot/feed: .+ \(\w+\)$", told.out, re.MULTILINE), told.out
    assert told.lines[-1].startswith("trace sha256:")


def test_a_bot_that_gives_up_is_told(simulate: Simulate) -> None:
    simulate.write(
        BOT + "\n\ndef scenario(world):\n    return Supervisor('bot', [Child('crash', crash)], intensity=0)\n"
        "\n\nasync def crash(context):\n    raise KeyError('k')\n"
    )

    told = simulate.run("bot.py", "--faults", "none")

    assert told.status == 1
    assert "the run ended: GaveUpError: " in told.out
    assert "KeyError: 'k'" in told.out


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = 1", "bot.py must have a function scenario(world), which returns the bot, and has none"),
        ("scenario = 1", "scenario in bot.py must be a function of the world, got 1"),
        ("async def scenario(world): ...", "scenario in bot.py must not be async: it only describes the bot"),
        (
            "def scenario(world):\n    1 / 0",
            "scenario(world) in bot.py raised ZeroDivisionError: division by zero (line 2)",
        ),
        (
            "def scenario(world): return 5",
            "scenario(world) in bot.py must return a Scenario or a Supervisor, got 5",
        ),
        (
            "def scenario(): ...",
            "scenario(world) in bot.py raised TypeError: scenario() takes 0 positional arguments but 1 was given",
        ),
        ("\nimport nowhere", "bot.py cannot be imported: ModuleNotFoundError: No module named 'nowhere' (line 2)"),
        ("x = (", "bot.py cannot be imported: SyntaxError: '(' was never closed (bot.py, line 1)"),
        ("raise SystemExit(3)", "bot.py cannot be imported: SystemExit: 3 (line 1)"),
    ],
)
def test_a_file_that_is_no_scenario_is_one_line(
    simulate: Simulate, refused: Callable[..., Told], source: str, line: str
) -> None:
    simulate.write(source)

    told = refused("bot.py")

    assert (told.status, told.out, told.err) == (2, "", f"duenna simulate: {line}\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["gone.py"], "FILE must be a Python file, got 'gone.py', which is not there"),
        (["."], "FILE must be a Python file, got '.', which is a folder"),
        (
            ["bot.py", "--faults", "gone.yaml"],
            "--faults must be a file, 'default' or 'none', got 'gone.yaml': No such file or directory",
        ),
        (["bot.py", "--hours", "-1"], "--hours must be a number > 0 and at most ten years, got '-1'"),
    ],
)
def test_wrong_use_is_one_line(
    simulate: Simulate, refused: Callable[..., Told], arguments: list[str], line: str
) -> None:
    simulate.write(GOOD)

    told = refused(*arguments)

    assert (told.status, told.out, told.err) == (2, "", f"duenna simulate: {line}\n")


def test_a_plan_that_does_not_fit_is_one_line(simulate: Simulate) -> None:
    simulate.write(GOOD)
    simulate.write('{"faults": [{"at": 1, "fault": {"kind": "service", "name": "mute"}}]}', "plan.json")

    told = simulate.run("bot.py", "--faults", "plan.json")

    assert told.status == 2
    assert re.fullmatch(r"duenna simulate: --faults: fault \d .*\n", told.err), told.err


def test_many_seeds_run_in_processes_and_those_that_break_are_told(simulate: Simulate) -> None:
    simulate.write(BUGGY)
    simulate.write(HALF_OPEN, "storm.yaml")
    arguments = ["bot.py", "--minutes", "15", "--seed", "1", "--seeds", "4", "--faults", "storm.yaml"]

    told = simulate.run(*arguments, "--jobs", "2")
    again = simulate.run(*arguments, "--jobs", "1")

    assert told.status == 1, told.err
    assert [line.split(":")[0] for line in told.lines if line.startswith("seed")] == ["seed 2 broke", "seed 4 broke"]
    assert "4 seeds x 15 minutes: 2 passed, 2 broke" in told.lines
    assert told.lines[-1].startswith("trace sha256:")
    assert told.lines[-1] == again.lines[-1]
    command = next(line.removeprefix("  again: ") for line in told.lines if line.startswith("  again: "))
    assert command == "duenna simulate bot.py --seconds 900.0 --seed 2 --faults storm.yaml"
    assert simulate.run(*shlex.split(command)[2:]).status == 1


def test_seeds_that_all_hold_are_a_summary(simulate: Simulate) -> None:
    simulate.write(GOOD)

    told = simulate.run("bot.py", "--minutes", "5", "--seeds", "3", "--faults", "none", "--jobs", "2")

    assert told.status == 0, told.err
    assert told.lines[:2] == ["3 seeds x 5 minutes: 3 passed, 0 broke", "0 faults, 0 restarts"]
    assert len(told.lines) == 4


def test_a_process_that_dies_is_told(simulate: Simulate) -> None:
    simulate.write("import os\n\ndef scenario(world):\n    os._exit(9)\n")

    told = simulate.run("bot.py", "--seeds", "2", "--jobs", "1")

    assert told.status == 1
    assert "a process of the sweep died" in told.err


def test_ctrl_c_tells_what_there_was_until_then(simulate: Simulate) -> None:
    """The run has begun when the bot says so; it would last for hours."""
    simulate.write(GOOD.replace("return ticking", "print('begun', flush=True)\n    return ticking"))
    process = simulate.start("bot.py", "--days", "365", "--faults", "none")
    assert process.stdout is not None

    read_until(process.stdout, "begun")
    process.send_signal(signal.SIGINT)
    told = simulate.told(process)

    assert (told.status, told.err) == (130, "")
    assert re.match(r".* of 365 days, seed 0, faults: none\n", told.out), told.out
    assert told.lines[-1] == "interrupted: what is told is what there was until then"


def test_ctrl_c_ends_the_processes_of_a_sweep(simulate: Simulate) -> None:
    """Ctrl-C goes to all processes of the terminal; what has passed until then is told."""
    simulate.write(BUGGY.replace("return ticking", "world.seed and print('begun', flush=True)\n    return ticking"))
    simulate.write(HALF_OPEN, "storm.yaml")
    process = simulate.start("bot.py", "--days", "365", "--faults", "storm.yaml", "--seeds", "9", "--jobs", "2")
    assert process.stdout is not None

    read_until(process.stdout, "begun")
    os.killpg(process.pid, signal.SIGINT)
    told = simulate.told(process)

    assert (told.status, told.err) == (130, "")
    assert re.search(r"^[012] of 9 seeds x 365 days: ", told.out, re.MULTILINE), told.out
    assert "trace sha256" not in told.out
    assert workers(process.pid) == []


def test_a_process_of_a_sweep_is_deaf_to_ctrl_c_from_its_first_instruction(simulate: Simulate) -> None:
    """Blocked when it was started, so also while it imports; the process that tells stays the one that decides."""
    asks = "import signal\nblocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])\n"
    simulate.write(asks + "print('deaf' if signal.SIGINT in blocked else 'listens', flush=True)\n" + GOOD)

    swept = simulate.run("bot.py", "--minutes", "1", "--seeds", "1", "--faults", "none", "--jobs", "1")
    alone = simulate.run("bot.py", "--minutes", "1", "--faults", "none")

    assert swept.status == alone.status == 0, swept.err + alone.err
    assert "deaf" in swept.lines
    assert "listens" in alone.lines
    assert "deaf" not in alone.lines


def test_a_terminal_shows_how_far_it_is_and_keeps_none_of_it(simulate: Simulate) -> None:
    simulate.write(GOOD)
    ours, theirs = pty.openpty()
    process = simulate.start("bot.py", "--days", "365", "--faults", "none", stderr=theirs)
    os.close(theirs)

    shown = read_until(ours, "%)")
    process.send_signal(signal.SIGINT)
    told = simulate.told(process)

    assert re.search(r"\r\x1b\[K.* of 365 d 00:00:00 \(\d+ %\)", shown)
    assert told.status == 130
    assert read_until(ours, "\r\x1b[K").endswith("\r\x1b[K")
    os.close(ours)
