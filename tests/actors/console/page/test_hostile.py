"""What an exchange writes is shown as text, whatever it writes; the page keeps up with a large tree."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

import duenna_actors.console
from duenna import Backoff, Child, Supervisor
from tests.actors.console.page.bot import HOSTILE, Break, Breakable, Hit, bot
from tests.actors.console.page.test_page import KRAKEN, opened

if TYPE_CHECKING:
    from tests.actors.console.page.browser import Page

FILES = Path(duenna_actors.console.__file__).parent / "page"
MARKED = "document.querySelectorAll('#desk script, #desk img, #desk b b, dialog script, dialog img').length"
CONTROL = "[...document.body.innerText].some((one) => one < ' ' && one !== '\\n' && one !== '\\t')"
LONG = "x" * 100_000


async def test_hostile_text_is_shown_as_text_everywhere(page: Page) -> None:
    """In the row, the sentence, the cause, the event, the details, the dialog: no element, no script, no escape."""
    name = "<img src=x onerror=alert(1)>"
    hostile = Child(name, Breakable, backoff=Backoff.steps(300.0))
    async with bot(hostile, slow=True) as running:
        await opened(page, running)
        running.runtime.ref(f"/polybot/{name}").tell(Break(HOSTILE))
        running.runtime.ref("/polybot/feeds/kraken-ws").tell(Break(f"{HOSTILE} \ud800 \u202etxt\x00 {LONG}"))

        for place in (f"{KRAKEN} .c-error", ".whys .why", "#needs-list li", "#events-list .event"):
            await page.shows(place, "<script>document.title=")
        await page.click(".row", name)
        for tab in ("Errors", "Stack", "Mailbox", "History", "Log", "Now"):
            await page.click("#node-tabs button", tab)
        await page.shows("#node-panel", "<script>document.title=")
        await page.shows("#node-title", name)
        for tab in ("Health", "Breakers", "Alerts", "States", "Why"):
            await page.click("#dock-tabs button", tab)
        await page.click("#node button", "Restart")
        await page.shows("dialog h2", name)

        assert await page.js("return document.title") == "▲ polybot degraded"
        assert await page.js(f"return {MARKED}") == 0
        assert await page.js(f"return {CONTROL}") is False
        assert "\u241b[31mred" in await page.text(f"{KRAKEN} .c-error")
        inner, outer = await page.js("return [document.documentElement.scrollWidth, innerWidth]")
        assert inner <= outer
        assert await page.complaints() == []


def test_no_file_of_the_page_can_run_a_text() -> None:
    """The policy of the server forbids inline code and foreign hosts, and nothing here tries: text is text."""
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc|setHTML"
        r"|javascript:|https?://(?!www\.w3\.org/2000/svg)"
    )
    found = [(path.name, match[0]) for path in FILES.iterdir() for match in forbidden.finditer(path.read_text())]

    assert found == []
    page = (FILES / "index.html").read_text()
    assert re.findall(r"<script(?![^>]* src=)|\sstyle=|\son\w+=", page) == []
    assert re.findall(r'(?:src|href)="(?!page/|#)[^"]*"', page) == []


async def test_a_thousand_rows_are_kept_up_to_date(page: Page) -> None:
    """Only the row that changed is touched, and a frame of the page never takes long."""
    many = Supervisor("many", [Child(f"w{number:04}", Breakable) for number in range(1000)])
    async with bot(many) as running:
        await opened(page, running)
        await page.until("document.querySelectorAll('.row').length > 1000")
        watch = (
            "window.slow = 0; window.touched = new Set(); new PerformanceObserver((list) => { for (const one of"
            " list.getEntries()) slow = Math.max(slow, one.duration); }).observe({ type: 'longtask' });"
            "new MutationObserver((list) => { for (const one of list) touched.add(one.target.parentElement?.closest("
            "'.row')?.dataset.path); }).observe(document.querySelector('#tree'), { subtree: true, childList: true });"
        )
        await page.js(watch)

        for number in range(20):
            running.runtime.ref(f"/polybot/many/w{number:04}").tell("work")
        running.runtime.ref("/polybot/many/w0500").tell(Break("one of a thousand"))

        await page.shows('[data-path="/polybot/many/w0500"] .c-error', "one of a thousand")
        slow, touched = await page.js("return [slow, [...touched].filter(Boolean).length]")
        assert touched < 100  # of a thousand
        assert slow < 500  # milliseconds; a machine that does nothing else needs 20
        await page.click("#filter")
        await page.keys("w0500")
        await page.until("document.querySelectorAll('.row').length === 3")
        assert await page.complaints() == []


async def test_a_flood_of_events_leaves_the_page_small(page: Page) -> None:
    """The newest 300 are shown; what was before them is gone from the page, not hidden in it."""
    async with bot() as running:
        await opened(page, running)

        for wanted in (80, 160, 240, 300, 300):  # of what comes between two ticks, the bot itself sends the last 200
            for _ in range(60):
                running.runtime.ref("/polybot/exchange/rest-binance").tell(Hit())
            await page.until("document.querySelectorAll('.event').length >= values[0]", wanted)
        await page.shows("#open", "1 open")
        assert await page.js("return document.querySelectorAll('.event').length") == 300
        assert await page.complaints() == []


async def test_nothing_moves_while_it_streams(page: Page) -> None:
    """Cumulative layout shift is 0 from the first picture on, through a fault and its events."""
    async with bot(slow=True) as running:
        await opened(page, running)
        await page.shows("#rates-chart .axis")
        await page.click(KRAKEN)
        await page.shows("#node-panel", "permanent")
        shift = (
            "window.shift = 0; new PerformanceObserver((list) => { for (const one of list.getEntries())"
            " if (!one.hadRecentInput) shift += one.value; }).observe({ type: 'layout-shift' });"
        )
        await page.js(shift)

        running.runtime.ref("/polybot/strategy").tell(Break("reset by peer"))
        await page.shows("#needs-list li", "strategy")
        await page.shows("#events-list .event", "strategy")
        await page.run(partial(page.driver.execute_async_script, "requestAnimationFrame(arguments[0])"))

        assert await page.js("return shift") < 0.02
        await trio.lowlevel.checkpoint()
