"""The live screen in a real terminal, on a bot in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import IN_CI

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]
TOP = (
    "from importlib.metadata import EntryPoint; from duenna.cli import main; "
    "raise SystemExit(main(['top'], verbs=[EntryPoint('top', 'duenna_actors.top.cli:register', 'duenna.commands')]))"
)
COLOUR = re.compile(r"\x1b\[[\d;]*?\b(3[0-7]|4[0-7]|9[0-7]|10[0-7]|38;[25];|48;[25];)")
KRAKEN = "/polybot/feeds/kraken"

pytest.importorskip("textual", reason="the screen needs the extra `tui`")


class Terminal:
    """A terminal that runs a command, and shows what it shows."""

    def __init__(self, server: Path) -> None:
        self._server = server

    def ask(self, *arguments: str, check: bool = True) -> str:
        """Have tmux do something, and return what it says."""
        command = ["tmux", "-u", "-S", str(self._server), "-f", "/dev/null", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=check, encoding="utf-8")  # noqa: S603
        return done.stdout

    def screen(self, *how: str) -> str:
        """Return the screen; with `-e`, and its escapes."""
        return self.ask("capture-pane", "-p", "-t", "top", *how, check=False)

    def keys(self, *keys: str) -> None:
        """Press keys."""
        self.ask("send-keys", "-t", "top", *keys)

    def shows(self, *texts: str) -> None:
        """Wait until the screen has all of *texts*."""
        self._until(lambda: all(text in self.screen() for text in texts), f"shows {texts}")

    def matches(self, pattern: str) -> None:
        """Wait until *pattern* is found on the screen."""
        self._until(lambda: re.search(pattern, self.screen()), f"matches {pattern}")

    def ends(self) -> None:
        """Wait until the command has ended."""
        self._until(lambda: not self.ask("list-sessions", check=False), "ends")

    def _until(self, holds: Callable[[], object], what: str) -> None:
        pause = threading.Event()
        for _ in range(400):
            if holds():
                return
            pause.wait(0.05)
        raise AssertionError(f"never: {what}\n{self.screen()}")


@contextmanager
def terminal(folder: Path, **environment: str) -> Iterator[Terminal]:
    """Run `duenna top` in a terminal of 100 by 30."""
    if shutil.which("tmux") is None:
        (pytest.fail if IN_CI else pytest.skip)("no tmux: apt-get install tmux")
    given = {**{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}, **environment}
    settings = [f"{name}={value}" for name, value in given.items()]
    shown = Terminal(folder / "tmux")
    shown.ask("new-session", "-d", "-s", "top", "-x", "100", "-y", "30", "env", "-i", "TERM=tmux-256color", *settings,
              sys.executable, "-c", TOP)  # fmt: skip
    try:
        yield shown
    finally:
        shown.ask("kill-server", check=False)


@contextmanager
def bot_process(folder: Path) -> Iterator[None]:
    """Run the bot in a process of its own."""
    command = [sys.executable, "-m", "tests.actors.top.bots", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            yield
        finally:
            process.terminate()


def test_r_and_y_restart_an_actor_of_a_running_bot(tmp_path: Path) -> None:
    with bot_process(tmp_path), terminal(tmp_path, DUENNA_RUN_DIR=str(tmp_path), LANG="C.UTF-8") as top:
        top.shows("polybot", "● live", "├─ feeds", "breakers 1 open")
        top.keys("/")
        top.keys("-l", "krak")
        top.keys("Enter")
        top.shows("kraken  in /polybot")
        top.keys("r")
        top.shows(f"restart {KRAKEN}?", "goes down with it: /polybot/feeds/book")
        top.keys("y")
        top.shows(f"restart of {KRAKEN}: done")
        top.matches(r"kraken .*● running +1 ")
        assert COLOUR.search(top.screen("-e"))
        top.keys("q")
        top.ends()


def test_no_color_means_none(tmp_path: Path) -> None:
    """The selected line is shown in reverse, and every state by its shape and word."""
    with (
        bot_process(tmp_path),
        terminal(tmp_path, DUENNA_RUN_DIR=str(tmp_path), LANG="C.UTF-8", NO_COLOR="1") as top,
    ):
        top.shows("● live", "● running")
        screen = top.screen("-e")
        top.keys("C-c")
        top.ends()

    assert COLOUR.search(screen) is None
    assert "\x1b[7m" in screen
