"""The page in a real browser against a real bot: what a person sees, and does about it."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio

from duenna import Child, Severity
from duenna_actors.alerts import RaiseAlert
from duenna_actors.console.view.model import Header, Row
from tests.actors.console.page.bot import Break, Hit, Hog, bot
from tests.actors.console.page.browser import DOWN, ENTER, ESCAPE, LEFT, RIGHT, Page

if TYPE_CHECKING:
    from tests.actors.console.support import Running

KRAKEN = '[data-path="/polybot/feeds/kraken-ws"]'
ALERTER = "/system/alerts/alerter"


def free_port() -> int:
    """Return a port that the console can have again after its restart."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


async def opened(page: Page, running: Running, role: str = "operate") -> None:
    """Open the page of a running bot, and wait until it is live."""
    await page.open(running.url, running.tokens[role])
    await page.live()


def incarnation(running: Running, path: str) -> int:
    return next(node.incarnation for node in running.runtime.tree().walk() if node.path == path)


async def test_a_fault_arrives_live(page: Page) -> None:
    """Nobody reloads anything: the row, what needs you, the cause and the event are there when it has happened."""
    async with bot(slow=True) as running:
        await opened(page, running, "view")
        await page.shows("#overall", "healthy")
        await page.shows("#calm", "Nothing. All is well.")
        await page.shows(f"{KRAKEN} .c-state", "running")

        running.runtime.ref("/polybot/feeds/kraken-ws").tell(Break("reset by peer"))

        await page.shows(f"{KRAKEN} .c-state", "backoff")
        await page.shows(".whys .why", "ConnectionError: reset by peer")
        await page.shows("#needs-list li", "kraken-ws")
        await page.shows("#events-list .event", "kraken-ws")
        assert await page.complaints() == []


async def test_a_restart_tells_first_what_it_takes_down_and_then_what_came_of_it(page: Page) -> None:
    """The sentence of the dry run, the actors it means, and the operation to its end."""
    async with bot() as running:
        await opened(page, running)
        await page.click(KRAKEN)
        await page.click("#node button", "Restart")

        await page.shows("dialog .foreseen", "rest_for_one")
        await page.shows("dialog .affected", "book-builder")
        await page.keys("to be sure", ENTER)

        await page.shows(".toast[data-tone=ok]", "kraken-ws and 2 more restarted")
        assert incarnation(running, "/polybot/feeds/kraken-ws") == 2
        assert incarnation(running, "/polybot/feeds/candles") == 2
        assert incarnation(running, "/polybot/feeds/binance-ws") == 1
        await page.lacks("dialog form[method=none]")
        assert await page.js("return document.querySelector('dialog').open") is False
        assert await page.complaints() == []


async def test_what_needs_you_helps_with_one_button(page: Page) -> None:
    """A parked actor is one sentence with a button that starts it again."""
    async with bot() as running:
        await opened(page, running)
        running.runtime.ref("/polybot/persistence").tell(Break("password refused"))
        await page.shows("#needs-list li", "persistence")
        await page.shows("#overall", "unhealthy")

        await page.click('#needs-list button[aria-label="Restart persistence"]')
        await page.shows("dialog .foreseen")
        await page.click("dialog button.main")

        await page.shows(".toast[data-tone=ok]", "persistence restarted")
        await page.lacks("#needs-list li", "persistence is parked")


async def test_an_alert_is_muted_and_unmuted(page: Page) -> None:
    """Thirty minutes, two hours or eight; the silence is listed with who wanted it, and can be ended."""
    async with bot() as running:
        await opened(page, running)
        alert = RaiseAlert(
            kind="drawdown", target="BTCUSDT", severity=Severity.HIGH, summary="8 % in an hour", expires=True
        )
        running.runtime.ref(ALERTER).tell(alert)
        await page.click("#dock-tabs button", "Alerts")
        await page.shows("#dock-panel li", "8 % in an hour")

        await page.click("#dock-panel li button", "Mute")
        await page.click("dialog .spans label", "2 h")
        await page.click("dialog button.main", "Mute")

        await page.shows("#dock-panel li.silence", 'target="BTCUSDT"')
        await page.shows("#dock-panel li.silence", "operate")
        await page.shows("#dock-panel li.silence", "1 h 59 m")
        await page.shows("#dock-panel li[data-muted=true]", "8 % in an hour")
        await page.click("#dock-panel li.silence button", "Unmute")
        await page.lacks("#dock-panel li.silence")
        await page.shows("#dock-panel li[data-muted=false]", "8 % in an hour")
        assert await page.complaints() == []


async def test_a_breaker_is_reset_by_hand(page: Page) -> None:
    """The open breaker is in the bar, in the list and among what needs you."""
    async with bot() as running:
        await opened(page, running)
        for _ in range(3):
            running.runtime.ref("/polybot/exchange/rest-binance").tell(Hit())
        await page.shows("#open", "1 open")
        await page.click("#dock-tabs button", "Breakers (1)")
        await page.shows("#dock-panel li", "3 failed")

        await page.click("#dock-panel li button", "Reset")
        await page.click("dialog button.main", "Reset")

        await page.shows(".toast[data-tone=ok]", "binance.rest is now closed")
        await page.shows("#open", "all closed")


@pytest.mark.parametrize("given", [None, "wrong", "zu schön"])
async def test_nothing_is_shown_without_the_right_token(page: Page, given: str | None) -> None:
    """A form asks for it; nothing of the bot is in the page, and the right one opens it."""
    async with bot() as running:
        await page.open(running.url, given)
        await page.shows("#gate h2", "asks for a token")
        assert await page.js("return document.querySelectorAll('.row, .why, .event').length") == 0
        if given is not None:
            await page.shows("#gate-why", " ")

        await page.keys("wrong again", ENTER)
        await page.shows("#gate-why", " ")
        await page.keys(running.tokens["view"], ENTER)

        await page.live()
        assert await page.js("return location.href") == f"{running.url}/"
        assert running.tokens["view"] in await page.js("return sessionStorage.getItem('duenna-token')")


async def test_the_token_leaves_the_address_and_stays_in_the_tab(page: Page) -> None:
    """It is in no history, no bookmark and no other tab, and a reload needs it no more."""
    async with bot() as running:
        await opened(page, running)
        assert await page.js("return location.href") == f"{running.url}/"

        await page.run(page.driver.refresh)

        await page.live()
        assert await page.js("return localStorage.getItem('duenna-token')") is None


async def test_who_may_only_look_is_told_why_nothing_can_be_pressed(page: Page) -> None:
    """Every button that acts is disabled and says so, and so does its key."""
    async with bot() as running:
        await opened(page, running, "view")
        await page.click(KRAKEN)

        await page.shows("#node .note", "“view” may look, not act")
        assert await page.js(
            "return [...document.querySelectorAll('#node > .buttons button')].every((b) => b.disabled)"
        )
        await page.keys("r")
        await page.shows(".toast", "may look, not act")
        assert await page.js("return document.querySelector('dialog').open") is False
        assert incarnation(running, "/polybot/feeds/kraken-ws") == 1


async def test_all_of_it_works_from_the_keyboard(page: Page) -> None:
    """Filter, choose, look at the stack, restart, get help, and never touch the mouse."""
    async with bot() as running:
        await opened(page, running)
        await page.keys("/", "risk", ENTER)
        await page.until("document.activeElement.dataset.path === '/polybot'")
        assert await page.js("return document.querySelectorAll('.row').length") == 2
        await page.keys(DOWN)
        await page.shows("#node-title", "risk")
        await page.keys("k")
        await page.shows("#node-panel", "served only when mail arrives")
        await page.keys("r")
        await page.shows("dialog .foreseen")
        await page.until("!document.querySelector('#confirm').disabled")
        await page.keys(ENTER)
        await page.shows(".toast[data-tone=ok]", "risk restarted")
        await page.keys("?")
        await page.shows("dialog", "restart the selected actor")
        await page.keys(ESCAPE)
        await page.keys("/", ESCAPE)
        await page.until("document.querySelector('#filter').value === ''")
        await page.keys(ESCAPE, LEFT, LEFT)
        await page.until("document.activeElement.getAttribute('aria-expanded') === 'false'")
        await page.keys(RIGHT)
        await page.until("document.activeElement.getAttribute('aria-expanded') === 'true'")
        assert await page.complaints() == []


async def test_the_events_can_be_paused_and_filtered(page: Page) -> None:
    """While they are paused the page counts what came; then it shows it."""
    async with bot(slow=True) as running:
        await opened(page, running)
        await page.click("#pause")
        running.runtime.ref("/polybot/strategy").tell(Break("while you read"))
        await page.until("/Resume \\(\\d+ new\\)/.test(document.querySelector('#pause').textContent)")
        assert "while you read" not in await page.text("#events-list")

        await page.click("#pause")

        await page.shows("#events-list .event", "while you read")
        await page.click("#events-path")
        await page.keys("nobody is called so")
        await page.lacks("#events-list .event")


async def test_a_console_that_is_killed_is_missed_and_comes_back(page: Page) -> None:
    """The page says how old it is, greys out what it shows, and is live again by itself."""
    async with bot(port=free_port()) as running:
        await opened(page, running)

        await running.runtime.stop_child("/system/console")

        await page.shows("#banner", "Connection lost")
        await page.shows("#banner", "old")
        await page.shows("#link", "reconnecting in")
        await page.shows("#overall", "was healthy")
        assert await page.js("return document.title") == "○ polybot lost"
        await page.shows(".row", "kraken-ws")
        await running.runtime.restart_child("/system/console")
        await page.live()
        await page.lacks("#banner", "Connection lost")
        await page.lacks("#overall", "was")
        assert all("Failed to load resource" in line for line in await page.complaints())


async def test_it_works_through_a_tunnel_to_the_unix_socket(page: Page) -> None:
    """``ssh -L 3000:…/polybot.sock``: no address in the page says where it is, so any port will do."""
    async with bot(port=None) as running, trio.open_nursery() as nursery:

        async def forward(near: trio.SocketStream) -> None:
            async with near, await trio.open_unix_socket(running.socket) as far, trio.open_nursery() as both:
                both.start_soon(pump, near, far, both.cancel_scope)
                both.start_soon(pump, far, near, both.cancel_scope)

        (tunnel,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = tunnel.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, forward, [tunnel])

        await page.open(f"http://localhost:{port}", running.tokens["operate"])
        await page.live()
        await page.click(KRAKEN)
        await page.keys("s")
        await page.shows("dialog .foreseen")
        await page.until("!document.querySelector('#confirm').disabled")
        await page.keys(ENTER)

        await page.shows(".toast[data-tone=ok]", "stopped")
        await page.shows(f"{KRAKEN} .c-state", "stopped")
        await page.run(lambda: page.driver.get("about:blank"))
        nursery.cancel_scope.cancel()


async def pump(source: trio.SocketStream, sink: trio.SocketStream, end: trio.CancelScope) -> None:
    """Carry what comes from one end to the other, as a tunnel does."""
    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        async for chunk in source:
            await sink.send_all(chunk)
    end.cancel()


async def test_a_loop_that_is_blocked_is_seen_while_it_is(page: Page) -> None:
    """Nothing comes, so the page says that nothing comes; when it is over, that it is live again."""
    watched, released = threading.Event(), threading.Event()

    def watch() -> None:
        watched.set()
        try:
            page.wait("document.querySelector('#banner').textContent.includes('The bot has said nothing for')")
            page.wait("document.querySelector('#link').textContent.startsWith('silent')")
        finally:
            released.set()

    async with bot(Child("hog", partial(Hog, watched, released))) as running:
        await opened(page, running)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(page.run, watch)
            await trio.to_thread.run_sync(watched.wait)
            running.runtime.ref("/polybot/hog").tell("work")

        await page.live()
        await page.lacks("#banner", "said nothing")


async def test_an_incident_is_taken_and_handed_over(page: Page) -> None:
    """One button takes it, another downloads it as a file."""
    async with bot() as running:
        await opened(page, running)
        await page.js(
            "window.saved = []; URL.createObjectURL = (blob) => { blob.text().then((t) => {"
            " document.body.dataset.saved = t; }); return 'blob:x'; };"
        )
        await page.keys("i")
        await page.shows("dialog .incidents", "None so far")
        await page.keys("it looks odd", ENTER)
        await page.click(".toast button", "Download")

        await page.until("document.body.dataset.saved")
        document = json.loads(await page.js("return document.body.dataset.saved"))
        assert "it looks odd" in json.dumps(document)


async def test_an_incident_that_the_bot_took_by_itself_is_offered(page: Page) -> None:
    """It is announced when it comes, counted on the button until somebody looks, and stands at its actor."""
    async with bot() as running:
        await opened(page, running)
        await page.until("document.querySelector('#incident').title")
        running.runtime.ref("/polybot/persistence").tell(Break("password refused"))

        await page.shows(".toast[data-tone=warn]", "incident file taken: persistence was parked")
        await page.shows("#incident-count", "1")
        await page.click('[data-path="/polybot/persistence"]')
        await page.shows("#node .buttons button", "Incident file")
        await page.run(page.driver.refresh)
        await page.live()
        await page.shows("#incident-count", "1")
        assert await page.js("return document.querySelector('.toast')") is None
        await page.keys("i")
        await page.shows("dialog .incidents li", "persistence was parked")
        await page.until("document.querySelector('#incident-count').textContent === ''")
        await page.lacks("dialog .incidents li", "0 B")
        await page.keys(ESCAPE)
        await page.click(KRAKEN)
        await page.lacks("#node .buttons button", "Incident file")
        assert await page.complaints() == []


async def test_what_is_cut_can_be_read(page: Page) -> None:
    """A sentence, a cause and an event that do not fit have all of their text as a tip; a young bot fills its chart."""
    async with bot() as running:
        await opened(page, running)
        running.runtime.ref("/polybot/persistence").tell(Break(f"password refused {'again and ' * 8}at last"))
        await page.shows("#needs-list li", "persistence")

        assert "at last" in await page.js("return document.querySelector('#needs-list .sentence').title")
        assert "at last" in await page.js("return document.querySelector('.whys .error').title")
        event = "[...document.querySelectorAll('.event .text')].some((one) => one.title.includes('at last'))"
        await page.until(event)
        time = await page.text("#needs-list time")
        assert re.fullmatch(r"\d\d:\d\d:\d\dZ", time)
        assert "for " in await page.js("return document.querySelector('#needs-list time').title")
        await page.click("#dock-tabs button", "States")
        await page.click(".whys button.who, .states button", "persistence")
        await page.shows("#node-title", "persistence")
        early = "[...document.querySelectorAll('.states rect')].some((one) => Number(one.getAttribute('x')) < 598)"
        await page.until(early)  # of 600: of 24 hours, the seconds of this bot would be the last hundredth
        await page.click("#node-tabs button", "Errors")
        await page.shows("#node-panel .message", "password refused")
        await page.lacks("#node-panel .message", "ConnectionError: ")
        await page.lacks("#node-panel", "#0")


def test_the_page_knows_the_names_of_what_it_is_sent() -> None:
    """What `page.js` reads of a row and a header is in the model; a renamed field would show as nothing."""
    assert {"path", "state", "budget", "mailbox", "data", "why", "last_error", "retry_at"} <= set(Row.__struct_fields__)
    assert {"needs", "why", "breakers", "alerts", "silences", "loop", "errors"} <= set(Header.__struct_fields__)
