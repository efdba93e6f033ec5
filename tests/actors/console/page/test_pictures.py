"""The pictures of docs/console.md: ``DUENNA_PICTURES=1`` writes them anew, and each that the page names is there."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import trio
import trio.testing

from duenna import Severity
from duenna_actors.alerts import RaiseAlert
from tests.actors.console.page.bot import Break, Hit, bot
from tests.actors.console.page.test_page import KRAKEN

if TYPE_CHECKING:
    from tests.actors.console.page.browser import Page
    from tests.actors.console.support import Running

DOCS = Path(__file__).parents[4] / "docs"
WIDE, NARROW = (1440, 900), (380, 820)


async def picture(page: Page, name: str) -> None:
    """Write what the page looks like, if somebody asked for it; nothing may be wider than the window."""
    inner, outer = await page.js("return [document.documentElement.scrollWidth, innerWidth]")
    assert inner <= outer
    assert await page.run(page.driver.get_screenshot_as_png)
    if os.environ.get("DUENNA_PICTURES"):
        (DOCS / "images").mkdir(exist_ok=True)
        await page.run(lambda: page.driver.save_screenshot(str(DOCS / "images" / f"{name}.png")))


async def hurt(running: Running) -> None:
    """Break some of the bot."""
    runtime = running.runtime
    for text in ("[Errno 104] Connection reset by peer", "1006 abnormal closure"):
        runtime.ref("/polybot/strategy").tell(Break(text))
        await trio.testing.wait_all_tasks_blocked()
    runtime.ref("/polybot/persistence").tell(Break("password authentication failed for user 'bot'"))
    for _ in range(4):
        runtime.ref("/polybot/exchange/rest-binance").tell(Hit())
    runtime.ref("/polybot/feeds/kraken-ws").tell(Break("[Errno 104] Connection reset by peer"))
    alert = RaiseAlert(
        kind="drawdown", target="BTCUSDT", severity=Severity.HIGH, summary="8 % in an hour", expires=True
    )
    runtime.ref("/system/alerts/alerter").tell(alert)
    await runtime.suspend("/polybot/report")


async def test_the_pictures_of_the_page(page: Page) -> None:
    """Dark and light, wide and narrow, well and ill: nothing overflows, and nothing is complained about."""
    async with bot(slow=True) as running:
        await page.size(*WIDE, "light")
        await page.open(running.url, running.tokens["operate"])
        await page.live()
        await page.shows("#rates-chart", "No errors")
        await picture(page, "console-well")

        await hurt(running)
        await page.shows(f"{KRAKEN} .c-state", "backoff")
        await page.shows("#needs-list li", "persistence")
        await page.shows("#open", "1 open")
        await page.size(*WIDE, "dark")
        await page.click(KRAKEN)
        await page.shows("#node-panel", "permanent")
        await page.shows("#rates-chart rect")
        await page.shows("#rates-chart rect")
        await picture(page, "console-dark")

        await page.size(*WIDE, "light")
        await page.js("document.querySelectorAll('.toast').forEach((one) => one.lastChild.click())")
        await page.click("#dock-tabs button", "Alerts")
        await page.click("#node-tabs button", "Errors")
        await page.shows("#node-panel .errors li", "reset by peer")
        await page.shows("#dock-panel li", "drawdown")
        await picture(page, "console-light")

        await page.size(*WIDE, "dark")
        await page.keys("r")
        await page.shows(".foreseen")
        await picture(page, "console-dialog")
        await page.click("dialog button", "Cancel")

        await page.size(*NARROW, "dark")
        await page.click("#node button", "Actors")
        await picture(page, "console-narrow")
        assert await page.complaints() == []


def test_the_pictures_that_the_docs_name_exist() -> None:
    named = re.findall(r"!\[[^\]]+\]\((images/[^)]+)\)", (DOCS / "console.md").read_text())

    assert named
    assert [name for name in named if not (DOCS / name).exists()] == []
