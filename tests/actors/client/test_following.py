"""`duenna events -f`: until the bot ends, or its reader does."""

from __future__ import annotations

import json
import signal
import subprocess
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from tests.actors.client.support import COMMAND, end, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.actors.client.support import Bot


@contextmanager
def following(bot: Bot, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """Run `duenna events -f` and give it, and what it writes."""
    with subprocess.Popen(  # noqa: S603 - our own
        [*COMMAND, "events", "-f", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(DUENNA_RUN_DIR=str(bot.folder)),
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.read()


def test_what_happens_is_shown_when_it_happens(well: Bot) -> None:
    with following(well, "--json", "-n", "1") as (_, lines):
        first = json.loads(lines.readline())
        well.json("restart", "worker", "--yes", "--reason", "look here")
        rows = [json.loads(lines.readline())]
        while "look here" not in rows[-1]["text"]:
            rows.append(json.loads(lines.readline()))

    assert [row["id"] for row in rows] == list(range(first["id"] + 1, first["id"] + 1 + len(rows)))
    assert rows[-1]["type"] == "OperatorActed"


def test_who_says_after_which_event_misses_none(well: Bot) -> None:
    well.json("restart", "worker", "--yes")
    last = well.json("events")["last_id"]

    with following(well, "--json", "--after", str(last - 2)) as (_, lines):
        assert [json.loads(lines.readline())["id"] for _ in range(2)] == [last - 1, last]


def test_only_what_is_asked_for_is_shown(well: Bot) -> None:
    last = str(well.json("events")["last_id"])

    with following(well, "--type", "OperatorActed", "--after", last) as (_, lines):
        well.json("suspend", "worker", "--yes")
        well.json("resume", "worker", "--yes")
        shown = [lines.readline() for _ in range(2)]

    assert ["OperatorActed" in line for line in shown] == [True, True]
    assert ["suspend" in shown[0], "resume" in shown[1]] == [True, True]


def test_the_bot_stops(doomed: Bot) -> None:
    with following(doomed, "-n", "1") as (process, lines):
        lines.readline()
        end(doomed.process)
        rest = lines.read()

        assert process.wait(60) == 3
        assert said(process).startswith("duenna events: ")
        assert "Traceback" not in rest


def test_the_bot_dies(doomed: Bot) -> None:
    with following(doomed, "-n", "1", "--json") as (process, lines):
        last = json.loads(lines.readline())["id"]
        doomed.process.kill()

        assert process.wait(60) == 3
        for line in lines.read().splitlines():
            last = json.loads(line)["id"]
        error = said(process)
        assert error.count("\n") == 1
        assert f"the last event was {last}, go on with --after {last}" in error


def test_ctrl_c_is_130_and_says_nothing(well: Bot) -> None:
    with following(well, "-n", "1") as (process, lines):
        lines.readline()
        process.send_signal(signal.SIGINT)

        assert process.wait(60) == 130
        assert said(process) == ""


def test_a_reader_that_has_seen_enough_ends_it_in_silence(well: Bot) -> None:
    with following(well, "-n", "1") as (process, lines):
        lines.readline()
        lines.close()
        while process.poll() is None:  # it notices at the next event
            well.json("suspend", "worker", "--yes")
            well.json("resume", "worker", "--yes")

        assert process.returncode == 0
        assert said(process) == ""


def test_head_ends_a_long_answer_in_silence(ill: Bot) -> None:
    done = subprocess.run(  # noqa: S603 - our own
        ["/bin/sh", "-c", '"$@" export --json | head -n 1', "sh", *COMMAND],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=environment(DUENNA_RUN_DIR=str(ill.folder)),
    )

    assert (done.stdout, done.stderr) == ("{\n", "")
