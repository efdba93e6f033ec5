"""The desk: every question of a viewer about a real bot."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec
import pytest
import trio

from duenna import Child, Supervisor, UnknownPathError
from duenna.guards import Breaker, Guard
from duenna.machines.classification import Severity
from duenna_actors.alerts import alerts
from duenna_actors.alerts.messages import AddSilence, RaiseAlert
from duenna_actors.alerts.receivers import LogReceiver
from duenna_actors.console.view.frames import Frames, encoded, message
from duenna_actors.console.view.model import Snapshot
from duenna_actors.console.view.slices import Slices
from tests.actors.console.view.support import HOSTILE, Bot, Crasher, bot, parsed

if TYPE_CHECKING:
    from trio.testing import MockClock


async def test_a_snapshot_shows_the_whole_bot(autojump_clock: MockClock) -> None:
    """Every row with what it is, and the header with how the whole does."""
    async with bot() as watched:
        shown = await watched.desk.snapshot()

        header = shown.header
        assert (header.bot.name, header.bot.phase, header.bot.trading) == ("bot", "running", "live")
        assert (header.overall, header.issues, header.needs) == ("healthy", (), ())
        assert header.at == 1_800_000_000.0 + header.now
        assert (header.alerts, header.silences) == (None, None)
        assert header.loop.blocked == 0
        rows = {row.path: row for row in shown.rows}
        assert rows["/bot/feeds"].strategy == "rest_for_one"
        assert rows["/bot/feeds"].mailbox is None
        assert rows["/bot/ticker"].data is not None
        assert rows["/bot/ticker"].is_critical
        assert rows["/bot/feeds/a"].state == "running"


async def test_a_snapshot_is_shared(autojump_clock: MockClock) -> None:
    """By all who ask at once or within 0.2 s."""
    async with bot() as watched:
        found: list[Snapshot] = []

        async def ask() -> None:
            found.append(await watched.desk.snapshot())

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask)
        assert all(each is found[0] for each in found)
        assert await watched.desk.header() is found[0].header
        await trio.sleep(0.2)

        assert (await watched.desk.snapshot()).header.id == found[0].header.id + 1
        assert (await watched.desk.snapshot(newest=True)).header.id == found[0].header.id + 2


async def test_whoever_waits_for_a_snapshot_that_is_given_up_makes_it(autojump_clock: MockClock) -> None:
    """The cancellation of one viewer is no other's."""
    async with bot() as watched:
        found: list[Snapshot] = []

        async def ask() -> None:
            found.append(await watched.desk.snapshot())

        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()

            async def give_up() -> None:
                with scope:
                    await watched.desk.snapshot()

            nursery.start_soon(give_up)
            await trio.lowlevel.checkpoint()
            nursery.start_soon(ask)
            scope.cancel()
        assert len(found) == 1


async def test_silence_is_shown_beside_running(autojump_clock: MockClock) -> None:
    """The feed runs, and its data is old."""
    async with bot() as watched:
        await trio.sleep(41)

        shown = await watched.desk.snapshot()

        row = next(row for row in shown.rows if row.path == "/bot/ticker")
        assert (row.state, row.data is not None and row.data.is_stale) == ("running", True)
        assert [need.text for need in shown.header.needs] == ["ticker silent 41 s (expects 5 s)"]


async def test_the_budget_of_a_supervisor_is_shown(autojump_clock: MockClock) -> None:
    """The next crash stops all of it."""
    async with bot() as watched:
        watched.runtime.ref("/bot/feeds/b").tell(ValueError("no"))
        await trio.sleep(1)

        shown = await watched.desk.snapshot()

        row = next(row for row in shown.rows if row.path == "/bot/feeds")
        assert row.budget is not None
        assert (row.budget.left, row.budget.of, row.budget.period) == (0, 1, 5000.0)
        assert "one more crash stops all of /bot/feeds" in shown.header.needs[0].text
        assert shown.header.why[0].path == "/bot/feeds/b"
        assert shown.header.errors.total == 1
        assert shown.header.errors.sparkline[-1] + shown.header.errors.sparkline[-2] == 1
        assert shown.header.errors.latest[0].message == "ValueError: no"
        assert shown.header.errors.types[0].type == "ValueError"


async def test_rates_are_measured_between_ticks(autojump_clock: MockClock) -> None:
    """Messages a second, two digits; nothing, after a while without any."""
    async with bot() as watched:
        await watched.desk.snapshot()
        seen: list[float] = []
        for _ in range(40):
            for _ in range(5):
                watched.runtime.ref("/bot/feeds/a").tell(1)
            await trio.sleep(0.25)
            seen.append(await _rate(watched))
        assert 18 <= seen[-1] <= 22
        for _ in range(50):
            await trio.sleep(0.25)
            seen.append(await _rate(watched))

        assert seen[-1] == 0.0


async def _rate(watched: Bot) -> float:
    shown = await watched.desk.snapshot(newest=True)
    return next(row.rate for row in shown.rows if row.path == "/bot/feeds/a")


async def test_a_breaker_is_shown_with_who_called_it(autojump_clock: MockClock) -> None:
    """Since when, in the bot's time; and when a probe may pass."""

    @Guard("rest.desk", breaker=Breaker(window=2, minimum_calls=2, open_for=30.0, open_jitter=0.0))
    async def call() -> None:
        raise ConnectionError("429")

    async with bot() as watched:
        for _ in range(3):
            with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the guard makes of it
                await call()
        await trio.sleep(5)

        (row,) = [each for each in watched.desk.breakers() if each.name == "rest.desk"]
        now = watched.runtime.now()

        assert (row.state, round(now - row.since, 1), row.failures > 0) == ("open", 5.0, True)
        assert row.retry_at == pytest.approx(now + 25.0, abs=0.01)
        shown = await watched.desk.snapshot()
        assert shown.header.breakers[0].name == "rest.desk"
        assert any(need.path == "rest.desk" for need in shown.header.needs)


async def test_a_breaker_that_was_reset_is_still_shown(autojump_clock: MockClock) -> None:
    """Closed, as whoever reset it wants to see; one that nobody has used is not shown."""
    guard = Guard("rest.reset", breaker=Breaker())
    async with bot() as watched:
        assert "rest.reset" not in [row.name for row in watched.desk.breakers()]
        watched.runtime.guards["rest.reset"].force_open()
        assert [row.state for row in watched.desk.breakers() if row.name == "rest.reset"] == ["forced_open"]
        watched.runtime.guards["rest.reset"].reset()

        assert [row.state for row in watched.desk.breakers() if row.name == guard.name] == ["closed"]


async def test_details_of_an_actor(autojump_clock: MockClock) -> None:
    """Its row, recipe, errors, incidents, states, events and mailbox."""
    async with bot() as watched:
        await watched.runtime.suspend("/bot/feeds/a")
        watched.runtime.ref("/bot/feeds/a").tell("one")
        watched.runtime.ref("/bot/feeds/b").tell(ValueError("no"))
        await trio.sleep(1)

        of_b, of_group = watched.desk.details("/bot/feeds/b"), watched.desk.details("/bot/feeds")

        assert of_b.row.state == "backoff"
        assert of_b.spec["restart"] == "permanent"
        assert [error.message for error in of_b.errors] == ["ValueError: no"]
        assert sum(of_b.sparkline) == 1
        assert [row.path for row in of_b.why] == ["/bot/feeds/b"]
        assert [each.state for each in of_b.history] == ["backoff"]
        assert "ChildRestarting" in [event.type for event in of_b.events]
        assert (of_group.mailbox, of_group.children) == (None, ("/bot/feeds/a", "/bot/feeds/b", "/bot/feeds/c"))
        assert [each.state for each in watched.desk.details("/bot/ticker").history] == ["running"]
        assert watched.desk.mailbox("/bot/feeds/a").waiting[0].type == "str"
        assert [error.path for error in watched.desk.errors(path="/bot/feeds")] == ["/bot/feeds/b"]
        assert watched.desk.errors(since=0.5) == ()
        assert watched.desk.errors(category="none") == ()
        assert watched.desk.errors(severity="none") == ()
        assert watched.desk.charts().states["/bot/feeds/b"][0].state == "backoff"
        assert sum(watched.desk.charts().errors) == 1


@pytest.mark.parametrize("path", ["/bot/nobody", "bot", "/", "/bot/feeds/a/b"])
async def test_what_is_not_there_is_told(autojump_clock: MockClock, path: str) -> None:
    """As the runtime itself tells it."""
    async with bot() as watched:
        for ask in (watched.desk.details, watched.desk.mailbox, watched.desk.stacks):
            with pytest.raises(UnknownPathError):
                ask(path)
        with pytest.raises(UnknownPathError):
            watched.desk.dry_run("restart", path)


async def test_a_supervisor_has_no_mailbox(autojump_clock: MockClock) -> None:
    """To ask for it is to ask for something that is not there."""
    async with bot() as watched:
        with pytest.raises(UnknownPathError):
            watched.desk.mailbox("/bot/feeds")


@pytest.mark.parametrize(
    ("action", "path", "text"),
    [
        ("restart", "/bot/feeds/b", "rest_for_one: also restarts c."),
        ("restart", "/bot/feeds/c", "Restarts c alone."),
        ("restart", "/bot/feeds", "Restarts feeds with 3 actors below it."),
        ("stop", "/bot/feeds", "Stops feeds with 3 actors below it; it stays down until somebody starts it."),
        ("stop", "/bot/feeds/a", "Stops a; it stays down until somebody starts it."),
        ("suspend", "/bot/feeds/a", "Holds the mailbox of a: messages wait in it until it is resumed."),
        (
            "suspend",
            "/bot/feeds",
            "Holds the mailboxes of all actors below feeds: messages wait in them until they are resumed.",
        ),
        ("resume", "/bot/feeds", "feeds is not suspended."),
        ("resume", "/bot/feeds/a", "a is not suspended."),
        ("start", "/bot/feeds/a", "a runs already."),
        ("start", "/bot/fragile", "Starts fragile alone. 2 messages wait and are kept."),
        ("restart", "/bot", "bot is a root: it cannot be restarted."),
    ],
)
async def test_a_dry_run_in_words(autojump_clock: MockClock, action: str, path: str, text: str) -> None:
    """For the person who is asked whether to do it."""
    async with bot() as watched:
        watched.runtime.ref("/bot/fragile").tell(ValueError("no"))
        await trio.sleep(1)
        for number in range(2):
            watched.runtime.ref("/bot/fragile").tell(number)

        run = watched.desk.dry_run(action, path)

        assert run.text == text
        assert run.is_possible is (not run.why_not)


async def test_there_are_five_actions(autojump_clock: MockClock) -> None:
    """And no other."""
    async with bot() as watched:
        with pytest.raises(ValueError, match="explode"):
            watched.desk.dry_run("explode", "/bot/feeds")


async def test_what_fires_is_asked_of_the_alerter(autojump_clock: MockClock) -> None:
    """And what is silent."""
    async with bot(system=[alerts([LogReceiver()])]) as watched:
        alerter = watched.runtime.ref("/system/alerts/alerter")
        alerter.tell(RaiseAlert(kind="mine", target="x", severity=Severity.HIGH, summary="look", path="/bot"))
        await alerter.ask(AddSilence(('kind="mine"',), 60.0, "me", "known"))

        header = await watched.desk.header()

        assert header.alerts is not None
        assert header.silences is not None
        assert [(each.kind, each.silenced_by is not None) for each in header.alerts] == [("mine", True)]
        assert [each.author for each in header.silences] == ["me"]


async def test_an_alerter_that_does_not_answer_is_not_waited_for(autojump_clock: MockClock) -> None:
    """At most 0.2 s; what it said before stands."""
    async with bot(system=[alerts([LogReceiver()])]) as watched:
        await watched.desk.header()
        await watched.runtime.suspend("/system/alerts/alerter")
        await trio.sleep(10)
        began = watched.runtime.now()

        header = await watched.desk.header()

        assert watched.runtime.now() - began <= 0.2
        assert header.alerts == ()


async def test_an_alerter_that_is_held_is_not_asked(autojump_clock: MockClock) -> None:
    """Its mailbox would fill with questions, and alerts would find no room."""
    async with bot(system=[alerts([LogReceiver()])]) as watched:
        await watched.desk.header()
        await watched.runtime.suspend("/system/alerts/alerter")
        for _ in range(100):
            await trio.sleep(1)
            header = await watched.desk.header()
            assert header.alerts == ()

        assert watched.desk.mailbox("/system/alerts/alerter").mailbox.depth == 0


async def test_a_thousand_actors_are_looked_at_in_slices(autojump_clock: MockClock) -> None:
    """Others have their turn whenever a slice is full."""
    spec = Supervisor("bot", _many(1000))
    async with bot(spec) as watched:
        ticks = 0

        def stopwatch() -> float:
            nonlocal ticks
            ticks += 1
            return ticks / 100_000

        slices: list[float] = []
        watched.desk.slices.stopwatch = stopwatch
        watched.desk.slices.on_slice = slices.append

        shown = await watched.desk.snapshot()

        assert len(shown.rows) > 1000
        assert len(slices) >= 10
        assert max(slices) <= 0.0011


def _many(count: int) -> list[Child]:
    return [Child(f"a{number}", Crasher) for number in range(count)]


async def test_a_row_that_did_not_change_is_encoded_once(autojump_clock: MockClock) -> None:
    """Tick after tick, its bytes are the same object."""
    async with bot() as watched:
        frames, slices = Frames(), Slices()
        await frames.feed(await watched.desk.snapshot(), slices)
        before = dict(frames._rows)
        await trio.sleep(1)
        await frames.feed(await watched.desk.snapshot(), slices)

        after = frames._rows
        assert after["/bot/feeds/a"][1] is before["/bot/feeds/a"][1]


async def test_a_whole_snapshot_is_what_the_structs_say(autojump_clock: MockClock) -> None:
    """The parts that are put together are the JSON of the whole."""
    async with bot() as watched:
        shown, frames = await watched.desk.snapshot(), Frames()
        await frames.feed(shown, Slices())

        data = frames.whole().split(b"data: ", 1)[1]
        assert msgspec.json.decode(data, type=Snapshot) == shown
        assert parsed(frames.whole())[0][0] == "snapshot"


def test_json_survives_whatever_it_is_given() -> None:
    """Lone surrogates become U+FFFD, in keys as well."""
    assert encoded({"\ud800": ["\udfff", 1, None, ("x",)]}) == '{"\ufffd":["\ufffd",1,null,["x"]]}'.encode()
    assert b"\\u0000" in encoded(HOSTILE)


def test_a_message_has_one_line_of_each() -> None:
    """The kind comes from a class's name, which may be anything."""
    assert message("Kind", b"{}", 3) == b"id: 3\nevent: Kind\ndata: {}\n\n"
    assert message("a\n\nevent: bye", b"{}") == b"event: message\ndata: {}\n\n"
    assert message("Ärger", b"{}") == b"event: message\ndata: {}\n\n"


async def test_what_is_temporary_does_not_stay_down(autojump_clock: MockClock) -> None:
    """It is gone for good when it is stopped, and the person who is asked should know."""
    spec = Supervisor("bot", [Child("a", Crasher, restart="temporary")])
    async with bot(spec) as watched:
        assert watched.desk.dry_run("stop", "/bot/a").text == "Stops a; it is temporary, and gone for good."


async def test_a_snapshot_that_is_not_finished_forgets_no_rate(autojump_clock: MockClock) -> None:
    """Somebody who asked has gone in the middle of it."""
    async with bot() as watched:
        watched.desk.slices.limit = 0.0
        await watched.desk.snapshot()
        for _ in range(30):
            watched.runtime.ref("/bot/fragile").tell("x")
            await trio.sleep(0.5)
            await watched.desk.snapshot()
        before = {row.path: row for row in (await watched.desk.snapshot()).rows}
        assert before["/bot/fragile"].rate > 0
        for pauses in range(1, 10):
            await trio.sleep(0.1)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(partial(watched.desk.snapshot, newest=True))
                for _ in range(pauses):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()

        rows = {row.path: row for row in (await watched.desk.snapshot(newest=True)).rows}
        assert rows["/bot/fragile"].message_at == before["/bot/fragile"].message_at
        assert rows["/bot/fragile"].rate == before["/bot/fragile"].rate
