"""`restart`, `stop`, `start`, `suspend`, `resume`: what they say first, and how they say that it ended."""

from __future__ import annotations

import os
import pty
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.actors.client.support import COMMAND, environment, running_bot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.actors.client.support import Bot


@pytest.fixture(scope="module")
def bot() -> Iterator[Bot]:
    """A bot whose actors are stopped and started here."""
    with running_bot("ill") as made:
        yield made


def state_of(bot: Bot, path: str) -> str:
    state: str = bot.json("tree", path, "--depth", "0")["rows"][0]["state"]
    return state


def incarnation_of(bot: Bot, path: str) -> int:
    incarnation: int = bot.json("tree", path, "--depth", "0")["rows"][0]["incarnation"]
    return incarnation


def on_a_terminal(bot: Bot, answer: str, *arguments: str, **env: str) -> tuple[int, str]:
    """Run the command on a terminal, type *answer* once it asks, and return its status and what it showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(  # noqa: S603 - our own
        [*COMMAND, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(DUENNA_RUN_DIR=str(bot.folder), TERM="xterm", **env),
    ) as process:
        os.close(theirs)
        shown, is_asked = b"", False
        while True:
            try:
                shown += os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if b"[y/N]" in shown and not is_asked:
                is_asked = True
                os.write(ours, answer.encode())
        os.close(ours)
    return process.returncode, shown.decode()


def test_a_dry_run_says_who_goes_down_with_it_and_does_nothing(bot: Bot) -> None:
    before = incarnation_of(bot, "/ill/feeds/btc")

    plan = bot.json("restart", "/ill/feeds/btc", "--dry-run")
    shown = bot.run("restart", "/ill/feeds/btc", "--dry-run")

    assert plan["is_possible"]
    assert "/ill/feeds/crasher" in plan["stops"]
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"{plan['text']}\n")
    assert "  stops   /ill/feeds/crasher\n" in shown.stdout
    assert incarnation_of(bot, "/ill/feeds/btc") == before


def test_a_restart_waits_for_its_end(bot: Bot) -> None:
    before = incarnation_of(bot, "/ill/feeds/btc")

    done = bot.run("restart", "/ill/feeds/btc", "--yes", "--reason", "a test")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("restart of /ill/feeds/btc succeeded in ")
    assert "/ill/feeds/crasher" in done.stdout
    while incarnation_of(bot, "/ill/feeds/btc") != before + 1:  # what is shown is up to 0.2 s old
        pass
    assert "a test" in bot.run("events", "--type", "OperatorActed").stdout


def test_every_verb_does_what_it_says(bot: Bot) -> None:
    for verb, state in (("suspend", "suspended"), ("resume", "running"), ("stop", "stopped"), ("start", "running")):
        operation = bot.json(verb, "worker", "--yes")
        assert (operation["action"], operation["path"], operation["state"]) == (verb, "/ill/worker", "succeeded")
        while state_of(bot, "/ill/worker") != state:  # what is shown is up to 0.2 s old
            pass


def test_the_console_itself_is_restarted_and_says_so(bot: Bot) -> None:
    assert bot.json("restart", "/system/console", "--yes")["state"] == "succeeded"


def test_who_does_not_wait_is_told_the_operation(bot: Bot) -> None:
    accepted = bot.json("restart", "caller", "--yes", "--no-wait")

    assert accepted["path"] == "/ill/caller"
    assert accepted["operation_id"]


def test_what_cannot_be_is_1_when_tried_dry_and_5_when_wanted(bot: Bot) -> None:
    assert bot.run("stop", "/ill", "--dry-run").returncode == 1
    assert bot.run("stop", "/ill", "--yes").returncode == 5


def test_a_name_that_a_shell_would_take_apart_is_a_name(bot: Bot) -> None:
    assert bot.json("restart", "it's $(odd)", "--yes")["path"] == "/ill/pairs/it's $(odd)"


def test_an_operation_that_fails_is_5_and_says_why(bot: Bot) -> None:
    done = bot.run("start", "parked", "--yes")

    assert done.returncode in {0, 5}  # it is ready before it crashes again
    assert done.stderr == "" or "duenna start: /ill/parked: it failed: " in done.stderr


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 1), ("\n", 1), ("\x04", 1)])
def test_on_a_terminal_it_asks(answer: str, status: int, bot: Bot) -> None:
    before = incarnation_of(bot, "/ill/feeds/btc")
    plan = bot.json("restart", "/ill/feeds/btc", "--dry-run")

    ended, shown = on_a_terminal(bot, answer, "restart", "/ill/feeds/btc")

    assert f"restart /ill/feeds/btc? {plan['text']} [y/N]" in shown
    assert ended == status
    while incarnation_of(bot, "/ill/feeds/btc") != before + (not status):  # what is shown is up to 0.2 s old
        pass
    assert ("nothing was done" in shown) == bool(status)


def test_on_a_terminal_there_are_colours_and_a_width(bot: Bot) -> None:
    _, colored = on_a_terminal(bot, "", "tree")
    _, plain = on_a_terminal(bot, "", "tree", NO_COLOR="1", COLUMNS="50")

    assert "\x1b[31m✗ failed" in colored
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) <= 50
