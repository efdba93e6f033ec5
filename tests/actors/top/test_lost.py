"""What the screen shows while the bot cannot be heard, and that it goes on by itself."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from duenna_actors.client import Client, NoBotError, find
from duenna_actors.top import lines
from tests.actors.top.bots import running_bot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.actors.top.pilots import Driver

pytest.importorskip("textual", reason="the screen needs the extra `tui`")
from tests.actors.top.pilots import drive


def test_a_bot_that_went_is_told_with_the_age_of_the_data_and_its_return_is_seen(tmp_path: Path) -> None:
    """What was known stays on the screen, and a bot that is started anew is found by itself, with its new token."""
    first = running_bot(tmp_path)
    first.__enter__()

    async def watch(screen: Driver) -> None:
        await screen.shows("● live", "crasher")
        first.__exit__(None, None, None)
        await screen.shows("✖ LOST, data ", "old", "crasher")
        assert screen.app.actors.is_old
        (tmp_path / "polybot.tokens").unlink()
        with running_bot(tmp_path):
            await screen.shows("● live", "crasher")
            assert not screen.app.actors.is_old

    drive(lambda: Client(find(env={"DUENNA_RUN_DIR": str(tmp_path)})), watch)


def test_a_console_that_is_restarted_is_found_again(tmp_path: Path) -> None:
    with running_bot(tmp_path) as bot:

        async def watch(screen: Driver) -> None:
            await screen.shows("● live")
            before = screen.app.client
            bot.wait(lambda runtime: runtime.restart_child("/system/console"))
            await screen.until(lambda: screen.app.client is not before, "a new connection")
            await screen.shows("● live")

        drive(bot.client, watch)


def test_a_bot_whose_loop_is_blocked_is_silent_and_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is connected, and says nothing: that is a fact of its own, and its data is as old as it is."""
    monkeypatch.setattr(lines, "_SILENT_AFTER", 1.0)
    released = threading.Event()
    with running_bot(tmp_path) as bot:

        async def watch(screen: Driver) -> None:
            await screen.shows("● live", "crasher")
            bot.block(released)
            try:
                await screen.shows("◌ SILENT")
            finally:
                released.set()
            await screen.shows("● live")

        drive(bot.client, watch)


def test_a_key_tells_what_is_wrong_where_there_is_no_bot() -> None:
    def nobody() -> Client:
        raise NoBotError("no bot runs here")

    async def press(screen: Driver) -> None:
        await screen.shows("◌ no bot: no bot runs here")
        for key in ("r", "k", "enter", "b", "m", "i", "s", "x", "l", "n", "t"):
            await screen.press(key)
        await screen.shows("no bot")
        assert len(screen.app.screen_stack) == 1

    drive(nobody, press)
