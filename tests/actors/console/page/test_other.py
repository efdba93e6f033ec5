"""The page and a bot of another version, a stream that is cut or makes no sense, another bot at the same address."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from tests.actors.console.page.browser import ENTER
from tests.actors.console.page.other import frame, header, other, row

if TYPE_CHECKING:
    from tests.actors.console.page.browser import Page
    from tests.actors.console.page.other import Piece

BOT = header()["bot"]


def snapshot(*rows: dict[str, Any], **more: Any) -> str:
    """Return the first frame of a stream."""
    return frame("snapshot", {"header": header(**more), "rows": [row("/polybot", kind="supervisor"), *rows]})


def event(number: int, text: str) -> dict[str, Any]:
    """Return an event."""
    return {"id": number, "time": 999.0, "type": "Odd", "level": "NOTICE", "path": "/polybot", "text": text}


async def test_words_of_a_newer_bot_are_shown_as_they_are(page: Page) -> None:
    """An unknown state, status, link, outcome, severity, verb or frame is a word, never an error."""
    need = {"path": "/polybot/a", "severity": "fatal", "text": "a hibernates", "since": None, "actions": ["defrost"]}
    why = {"id": 1, "path": "/polybot/a", "began": 990.0, "took": None, "error": "Cold", "errors": 1, "text": "cold"}
    guard = {"name": "g", "state": "thinking", "health": "odd", "since": 1.0, "retry_at": None, "last_error": ""}
    numbers = dict.fromkeys(("calls", "successes", "failures", "rejected", "fallbacks"), 0)
    first = snapshot(
        row("/polybot/a", state="hibernating", status="numb", link="iced", why="is cold", novelty=[1]),
        row(
            "/polybot/b",
            budget={"left": 0, "of": 0, "period": None},
            data={"at": None, "expect_every": None, "is_stale": True},
        ),
        overall="splendid",
        needs=[need],
        why=[
            {
                **why,
                "verdicts": [{"category": "ICE", "severity": "POLAR", "transient": True}],
                "actions": [],
                "outcome": "deferred",
            }
        ],
        breakers=[{**guard, **numbers, "failure_rate": None}],
        novelty={"of": "tomorrow"},
    )
    later = frame("weather", {"rain": True}) + frame("events", [event(1, "a word from tomorrow")])
    async with other([first, later, None]) as server:
        await page.open(server.url, "token")
        await page.live()

        await page.shows("#overall", "splendid")
        await page.shows('[data-path="/polybot/a"] .c-state', "hibernating")
        assert await page.js("return document.querySelector('[data-path=\"/polybot/a\"]').dataset.tone") == "busy"
        await page.shows('[data-path="/polybot/b"] .c-budget', "0/0")
        await page.shows('[data-path="/polybot/b"] .c-data', "none STALE")
        await page.shows("#needs-list li", "fatal")
        await page.shows("#needs-list button", "defrost")
        await page.shows(".whys .why", "deferred")
        await page.shows("#events-list .event", "a word from tomorrow")
        await page.shows("#lag", "\u2013")
        for tab, text in (
            ("Breakers", "thinking"),
            ("Alerts", "no alerting"),
            ("Health", "None are set"),
            ("States", ""),
        ):
            await page.click("#dock-tabs button", tab)
            await page.shows("#dock-panel", text)
        assert [each for each in await page.complaints() if "404" not in each] == []


async def test_what_one_view_cannot_show_the_others_do(page: Page) -> None:
    """A header that lost a field takes down what shows that field, and nothing else; the next ones arrive, too."""
    first = snapshot(row("/polybot/a", state="failed"), why=None, overall="unhealthy")
    change = {"base": 1, "header": {"id": 2, "now": 1001.0, "at": 1_800_000_001.0, "why": None}, "order": None}
    then = frame("delta", {**change, "rows": [row("/polybot/a", last_error="second thoughts")]})
    async with other([first, then, frame("events", [event(7, "it goes on")]), None]) as server:
        await page.open(server.url, "token")

        await page.shows("#overall", "unhealthy")
        await page.shows('[data-path="/polybot/a"] .c-error', "second thoughts")
        await page.shows("#events-list .event", "it goes on")
        assert any("null" in each for each in await page.complaints())


async def test_a_large_tree_in_small_pieces_arrives(page: Page) -> None:
    """Five megabytes, cut anywhere, also in the middle of a letter's bytes and of the line that ends the frame."""
    text = snapshot(*(row(f"/polybot/w{number}", last_error="ä" * 1_000) for number in range(1_500)))
    whole = text.replace("\n", "\r\n").replace("\\u00e4", "ä").encode()
    assert len(whole) > 3_000_000
    seen = trio.Event()
    pieces: list[Piece] = [whole[at : at + 9_973] for at in range(0, len(whole) - 1, 9_973)]
    last = whole[len(whole) // 9_973 * 9_973 : -1]
    async with other([*pieces[:-1], last, seen, b"\n", None]) as server:
        await page.open(server.url, "token")
        ask = "fetch('api/v1/whoami').then((answer) => answer.text()).then(arguments[0])"
        for _ in range(3):  # so that all but the end of the frame has been read
            await page.run(partial(page.driver.execute_async_script, ask))
        seen.set()

        await page.live()
        await page.until("document.querySelectorAll('.row').length === 1501")
        await page.shows("#actors-count", "1501")
        assert await page.js(
            "return /^ä+ …$/.test(document.querySelector('[data-path=\"/polybot/w0\"] .c-error').textContent)"
        )
        assert await page.js("return document.body.textContent.includes('\\ufffd')") is False


async def test_a_stream_that_is_cut_or_makes_no_sense_is_begun_anew(page: Page) -> None:
    """Half a frame is forgotten, nonsense is named, and the third attempt is live with what it brings."""
    cut = snapshot(row("/polybot/half"))[:-9]
    nonsense = snapshot(row("/polybot/odd")) + frame("delta", "{this is no JSON")
    async with other([cut], [nonsense], [snapshot(row("/polybot/whole")), None]) as server:
        await page.open(server.url, "token")
        await page.shows("#banner", "the bot sent what makes no sense")

        await page.shows('[data-path="/polybot/whole"]')

        await page.live()
        await page.lacks(".row", "odd")
        assert server.asked == 3


async def test_a_page_that_has_drifted_asks_anew_at_once_but_not_for_ever(page: Page) -> None:
    """A delta that follows another tick means a new stream; if that drifts, too, the page waits between attempts."""
    drift = {"base": 99, "header": {"id": 100, "now": 1.0, "at": 1.0}, "rows": [], "order": None}
    async with other([snapshot() + frame("delta", drift)]) as server:
        await page.open(server.url, "token")

        await page.shows("#link", "reconnecting")
        await page.shows("#banner", "the stream and the page have drifted apart")

        assert server.asked == 2


async def test_another_bot_at_the_same_address_is_another_one(page: Page) -> None:
    """Its process, clock and events are its own: what the old one said is gone, and its first event counts from 1."""
    old = snapshot(row("/polybot/a"), now=90_000.0) + frame("events", [event(500, "the old one speaks")])
    bot = {**BOT, "pid": 2, "started_at": 1_800_000_050.0, "name": "reborn"}
    new = snapshot(row("/polybot/b"), now=3.0, at=1_800_000_060.0, bot=bot) + frame(
        "events", [event(1, "the new one speaks")]
    )
    async with other([old], [new, None]) as server:
        await page.open(server.url, "token")
        await page.shows("#events-list .event", "the old one speaks")

        await page.shows("#bot", "reborn")

        await page.shows("#events-list .event", "the new one speaks")
        await page.lacks("#events-list .event", "the old one speaks")
        await page.lacks(".row", "/polybot/a")
        await page.until("/^1\\d s$/.test(document.querySelector('#uptime').textContent)")
        assert await page.js("return document.querySelectorAll('.event').length") == 1


async def test_a_token_that_is_withdrawn_asks_for_another_even_over_a_dialog(page: Page) -> None:
    """What was being asked is closed: it would lie over the field for the new token and keep the keyboard."""
    async with other([snapshot(row("/polybot/a", state="failed")), None]) as server:
        await page.open(server.url, "token")
        await page.live()
        run = {"is_possible": True, "why_not": "", "stops": [], "starts": ["/polybot/a"], "text": "Starts a alone."}
        server.answers["/api/v1/actors/polybot/a/restart"] = run
        await page.click('[data-path="/polybot/a"]')
        await page.click("#node button", "Restart")
        await page.shows("dialog .foreseen", "Starts a alone.")
        await page.until("!document.querySelector('#confirm').disabled")

        server.is_refusing = True
        await page.keys(ENTER)

        await page.shows("#gate-why", "this token is gone")
        await page.until("!document.querySelector('#dialog').open")
        await page.until("document.activeElement.id === 'token'")
        server.is_refusing = False
        await page.keys("new", ENTER)
        await page.live()
        await page.until("document.querySelector('#gate').hidden")
