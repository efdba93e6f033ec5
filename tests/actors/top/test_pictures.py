"""The pictures of docs/top.md: ``DUENNA_PICTURES=1`` writes them anew, and each that the page names is there."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from duenna_actors.alerts import LogReceiver, alerts
from tests.actors.console.page.bot import Break, Hit, tree
from tests.actors.top.bots import running_bot

if TYPE_CHECKING:
    from tests.actors.top.pilots import Driver

pytest.importorskip("textual", reason="the screen needs the extra `tui`")
from tests.actors.top.pilots import drive

DOCS = Path(__file__).parents[3] / "docs"
FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # it would be fetched from elsewhere
KRAKEN = "/polybot/feeds/kraken-ws"


async def picture(screen: Driver, name: str, *texts: str) -> None:
    """Write what the screen looks like with all of *texts*, if somebody asked for it."""
    drawn = ""

    def is_there() -> bool:
        nonlocal drawn
        drawn = FONT.sub("", screen.app.export_screenshot(title="duenna top"))
        screen.app.screen.refresh()  # or what lies under a dialog is drawn only by chance
        return all(text in drawn for text in texts)

    await screen.until(is_there, name)
    if os.environ.get("DUENNA_PICTURES"):
        (DOCS / "images").mkdir(exist_ok=True)
        (DOCS / "images" / f"{name}.svg").write_text(f"{drawn}\n", encoding="utf-8")


def test_the_pictures_of_the_page(tmp_path: Path) -> None:
    with running_bot(tmp_path, tree=tree(slow=True), version="0.4", system=[alerts([LogReceiver()])]) as bot:

        def hurt() -> None:
            bot.tell("/polybot/persistence", Break("password authentication failed for user 'bot'"))
            bot.tell(KRAKEN, Break("[Errno 104] Connection reset by peer"))
            for _ in range(4):
                bot.tell("/polybot/exchange/rest-binance", Hit())

        async def look(screen: Driver) -> None:
            await screen.shows("● HEALTHY", "nothing needs you")
            hurt()
            await screen.shows("◐ backoff", "✖ parked", "persistence", "binance.rest")
            await screen.select(KRAKEN)
            await screen.shows(f" {KRAKEN}  ◐ backoff")
            await picture(screen, "top", "book-builder")
            await screen.press("r")
            await screen.shows(f"restart {KRAKEN}?", "book-builder")
            await picture(screen, "top-restart", "book-builder", "strategy")
            await screen.press("n", "enter")
            await screen.shows("RECIPE", "NETWORK/MEDIUM")
            await picture(screen, "top-details", "RECIPE")

        drive(bot.client, look, size=(120, 32))
        bot.do(lambda runtime: runtime.guards["binance.rest"].reset())


def test_the_pictures_that_the_docs_name_exist() -> None:
    named = re.findall(r"!\[[^\]]+\]\((images/[^)]+)\)", (DOCS / "top.md").read_text())

    assert named
    assert [name for name in named if not (DOCS / name).exists()] == []
