"""The live screen on a real bot: what it shows, and what its keys do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from duenna import Child
from duenna_actors.alerts import LogReceiver, alerts
from duenna_actors.client import Client
from tests.actors.top.bots import HOSTILE, Bot, Crasher, running_bot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.actors.top.pilots import Driver

pytest.importorskip("textual", reason="the screen needs the extra `tui`")
from tests.actors.top.pilots import drive

KRAKEN = "/polybot/feeds/kraken"
BOOK = "/polybot/feeds/book"


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Bot]:
    with running_bot(tmp_path) as bot:
        yield bot


def test_it_shows_who_is_not_well_and_what_to_do(bot: Bot) -> None:
    """State is told by shape and word, staleness beside it, and what is left of the budget."""
    bot.tell("/polybot/crasher", "reset by peer")
    bot.tell("/polybot/exchange/caller", "go")

    async def look(screen: Driver) -> None:
        await screen.shows("▲ DEGRADED", "● live", "◐ backoff", "STALE", "breakers 1 open", "crasher is down")
        await screen.shows("▮▮▮ 3/3", "├─ feeds  rest_", "│  └─ book", "NETWORK/MEDIUM")

    drive(bot.client, look)


def test_r_restarts_after_y_and_says_first_who_goes_down_with_it(bot: Bot) -> None:
    async def restart(screen: Driver) -> None:
        await screen.select(KRAKEN)
        await screen.press("r")
        await screen.shows(f"restart {KRAKEN}?", "rest_for_one", f"goes down with it: {BOOK}")
        await screen.press("y")
        await screen.shows(f"restart of {KRAKEN}: done")

    drive(bot.client, restart)

    assert (bot.restarts(KRAKEN), bot.restarts(BOOK)) == (1, 1)


@pytest.mark.parametrize("key", ["r", "s", "x", "i"])
def test_a_token_that_may_only_view_changes_nothing_and_is_told_so(bot: Bot, key: str) -> None:
    address = bot.address._replace(token=bot.running.tokens["view"])

    async def try_it(screen: Driver) -> None:
        await screen.select(KRAKEN)
        await screen.press(key)
        await screen.shows("role too low: this needs a token of role operate, 'view' is of role view")
        assert len(screen.app.screen_stack) == 1

    drive(lambda: Client(address), try_it)


@pytest.mark.parametrize("key", ["n", "escape", "enter", "q"])
def test_nothing_but_y_is_yes(bot: Bot, key: str) -> None:
    async def decline(screen: Driver) -> None:
        await screen.select(KRAKEN)
        await screen.press("r")
        await screen.shows(f"restart {KRAKEN}?")
        await screen.press(key)
        await screen.hides(f"restart {KRAKEN}?")

    drive(bot.client, decline)

    assert bot.restarts(KRAKEN) == 0


def test_s_suspends_and_resumes(bot: Bot) -> None:
    async def hold(screen: Driver) -> None:
        await screen.select(BOOK)
        await screen.press("s")
        await screen.shows(f"suspend {BOOK}?")
        await screen.press("y")
        await screen.shows(f"suspend of {BOOK}: done", "‖ suspended")
        await screen.press("s")
        await screen.shows(f"resume {BOOK}?")
        await screen.press("y")
        await screen.shows(f"resume of {BOOK}: done")
        await screen.hides("‖ suspended")

    drive(bot.client, hold)


def test_x_stops_and_starts(bot: Bot) -> None:
    async def stop(screen: Driver) -> None:
        await screen.select(BOOK)
        await screen.press("x")
        await screen.shows(f"stop {BOOK}?")
        await screen.press("y")
        await screen.shows(f"stop of {BOOK}: done", "■ stopped")
        await screen.press("x")
        await screen.shows(f"start {BOOK}?")
        await screen.press("y")
        await screen.shows(f"start of {BOOK}: done")
        await screen.hides("■ stopped")

    drive(bot.client, stop)


def test_b_resets_a_breaker(bot: Bot) -> None:
    bot.tell("/polybot/exchange/caller", "go")

    async def reset(screen: Driver) -> None:
        await screen.shows("breakers 1 open")
        await screen.press("b")
        await screen.shows("Which breaker?", bot.breaker, "✖ OPEN")
        await screen.press("enter")
        await screen.shows(f"Breaker {bot.breaker}", "force open")
        await screen.press("enter")
        await screen.shows(f"reset breaker {bot.breaker}?")
        await screen.press("y")
        await screen.shows(f"breaker {bot.breaker}: closed", "breakers 0 open")

    drive(bot.client, reset)


def test_k_shows_the_stack_and_escape_leaves_it(bot: Bot) -> None:
    async def look(screen: Driver) -> None:
        await screen.select("/system/console")
        await screen.press("k")
        await screen.shows("/system/console  stack", ".py:")
        await screen.press("escape")
        await screen.shows("ACTOR")

    drive(bot.client, look)


def test_l_shows_the_log_live(bot: Bot) -> None:
    """Events that come while it is open are added."""

    async def look(screen: Driver) -> None:
        await screen.select("/polybot/crasher")
        await screen.press("l")
        await screen.shows("/polybot/crasher  log", "esc")
        bot.tell("/polybot/crasher", "came later")
        await screen.shows("came later")

    drive(bot.client, look, size=(160, 40))


def test_enter_shows_details(bot: Bot) -> None:
    bot.tell("/polybot/crasher", "reset by peer")

    async def look(screen: Driver) -> None:
        await screen.shows("◐ backoff")
        await screen.select("/polybot/crasher")
        await screen.press("enter")
        await screen.shows("RECIPE", "restart", "MAILBOX", "ERRORS, LAST 60 MINUTES", "NETWORK/MEDIUM", "HISTORY")

    drive(bot.client, look, size=(100, 60))


def test_i_takes_an_incident_file(bot: Bot) -> None:
    async def take(screen: Driver) -> None:
        await screen.select(KRAKEN)
        await screen.press("i")
        await screen.shows("incident ", "taken")

    drive(bot.client, take)

    (incident,) = bot.client().get("/api/v1/incidents")["incidents"]
    assert KRAKEN in incident["reason"]


def test_m_mutes_an_actor_and_all_below_it(tmp_path: Path) -> None:
    with running_bot(tmp_path, system=[alerts([LogReceiver()])]) as bot:

        async def mute(screen: Driver) -> None:
            await screen.select("/polybot/feeds")
            await screen.press("m")
            await screen.shows("alerts of /polybot/feeds and below are muted for 30 minutes")

        drive(bot.client, mute)

        (silence,) = bot.client().get("/api/v1/silences")["silences"]
    assert silence["matchers"] == ['path=~"/polybot/feeds(/.*)?"']
    assert silence["author"] == "operate"


def test_m_says_that_a_bot_without_alerts_cannot_be_muted(bot: Bot) -> None:
    async def mute(screen: Driver) -> None:
        await screen.select(KRAKEN)
        await screen.press("m")
        await screen.shows("no alert")

    drive(bot.client, mute)


def test_slash_shows_only_what_has_the_text(bot: Bot) -> None:
    async def narrow(screen: Driver) -> None:
        await screen.shows("kraken", "crasher")
        await screen.press("slash", "k", "r", "a", "k", "enter")
        await screen.shows("kraken  in /polybot", "showing 'krak'")
        await screen.hides("├─ feeds")
        await screen.press("slash", *"feeds/")
        await screen.shows("showing 'feeds/'")
        await screen.press("escape")
        await screen.shows("├─ feeds", "kraken")

    drive(bot.client, narrow)


def test_t_hides_the_timeline_and_question_mark_helps(bot: Bot) -> None:
    async def press(screen: Driver) -> None:
        await screen.shows(" WHY")
        await screen.press("t")
        await screen.hides(" WHY")
        await screen.press("question_mark")
        await screen.shows("duenna top: keys", "incident file", "◔ starting")

    drive(bot.client, press)


def test_hostile_text_is_shown_and_does_nothing(tmp_path: Path) -> None:
    """Neither markup nor an escape of a terminal in an error or a name is obeyed, wherever it is shown."""
    with running_bot(tmp_path, Child("漢字", Crasher)) as bot:
        bot.tell("/polybot/crasher", HOSTILE)
        bot.tell("/polybot/exchange/caller", "go")

        async def look(screen: Driver) -> None:
            await screen.shows("[/bad]<script>", "漢字", "\\x1b[2J")
            await screen.select("/polybot/crasher")
            for key in ("enter", "l", "k", "r", "b"):
                await screen.press(key)
                await screen.until(lambda: len(screen.app.screen_stack) == 2, key)
                assert not set(screen.text()) & set("\x1b\x07\x00\u202e"), key
                await screen.press("escape")
                await screen.until(lambda: len(screen.app.screen_stack) == 1, key)
            await screen.press("slash", *"[bad]")
            await screen.shows("showing '[bad]'")

        drive(bot.client, look, size=(200, 50))


def test_a_wide_screen_has_breakers_and_figures_too(bot: Bot) -> None:
    bot.tell("/polybot/exchange/caller", "go")

    async def look(screen: Driver) -> None:
        await screen.shows("BREAKERS", "✖ OPEN 2 calls 2 failed", "INDICATORS", "error_rate", "ERRORS IN 5 MINUTES")
        await screen.pilot.resize_terminal(120, 40)
        await screen.hides("INDICATORS")

    drive(bot.client, look, size=(200, 50))


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (200, 50), (40, 12), (20, 6)])
def test_every_size_has_room_for_what_matters(bot: Bot, size: tuple[int, int]) -> None:
    """No line is wider than the screen, and the overall state is never cut away."""
    bot.tell("/polybot/crasher", HOSTILE)

    async def look(screen: Driver) -> None:
        await screen.shows("▲ DEGRADED")
        assert len(screen.text().splitlines()) <= size[1]

    drive(bot.client, look, size=size)


def test_it_follows_the_size_of_the_terminal(bot: Bot) -> None:
    async def resize(screen: Driver) -> None:
        await screen.shows("ACTOR")
        assert "MAILBOX" not in screen.text()
        await screen.pilot.resize_terminal(120, 40)
        await screen.shows("MAILBOX", "MSG/S")
        await screen.pilot.resize_terminal(80, 24)
        await screen.hides("MAILBOX")

    drive(bot.client, resize, size=(80, 24))


def test_the_report_is_written_again_and_again(bot: Bot, tmp_path: Path) -> None:
    target = tmp_path / "report.json"

    async def wait(screen: Driver) -> None:
        await screen.until(target.exists, "the report")
        first = json.loads(target.read_text())["taken_at"]
        await screen.until(lambda: json.loads(target.read_text())["taken_at"] > first, "a newer one")

    drive(bot.client, wait, export=target, interval=0.1)


def test_an_incident_that_the_bot_took_by_itself_is_announced(tmp_path: Path) -> None:
    """Whom it is about, and the command that fetches it, fit on the narrowest screen."""
    fragile = Child("fragile", Crasher, max_failures=0, on_give_up="park", unpark_after=None)

    with running_bot(tmp_path, fragile) as bot:

        async def look(screen: Driver) -> None:
            await screen.shows("● live")
            bot.tell("/polybot/fragile", "gone")
            await screen.shows("✖ parked", "fragile was parked: duenna incident get 2")
            await screen.press("i")
            await screen.shows("taken: duenna incident get 2")
            screen.app.refresh_incidents()  # neither the one that was told nor the one that was asked for is news
            await screen.app.workers.wait_for_complete()
            await screen.shows("taken: duenna incident get 2")
            await screen.hides("fragile was parked: ")

        drive(bot.client, look, size=(80, 24))
