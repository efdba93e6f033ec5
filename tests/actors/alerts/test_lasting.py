"""Alerting outlives the process: nobody is told twice, every end is told, a silence lasts, and nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from duenna import Actor, Backoff, Breaker, Child, Guard, Supervisor
from duenna.machines.classification import Severity
from duenna.settings import AlertSettings
from duenna.storage import Damage, Loaded, Loss
from duenna_actors.alerts import (
    AddSilence,
    AlertsStatus,
    ClearAlert,
    DeleteSilence,
    DeliveryError,
    GetAlerts,
    GetSilences,
    Notification,
    SendTestAlert,
    alerts,
)
from tests.runtime.state.kit import DurableStore
from tests.runtime.state.lives import Lives

from .kit import ALERTER, Recorder, condition

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from duenna import Runtime

SETTINGS = AlertSettings(error_rate=1000)  # the crashes of these tests are no alert of their own


class Bot:
    """A bot in several processes, and those who are told."""

    def __init__(self, *receivers: Recorder, store: DurableStore | None = None) -> None:
        self.receivers = receivers or (Recorder(),)
        self.lives = Lives()
        if store is not None:
            self.lives.store = store

    def live(self, body: Callable[[Runtime], Awaitable[Any]], tree: Supervisor | None = None, **options: Any) -> Any:
        lives, begin = self.lives, self.lives.wall

        def wall() -> float:
            return begin + trio.current_time()

        system = [alerts(self.receivers, settings=SETTINGS, wall_time=wall)]
        return lives.live(body, tree, system=system, **options)

    @property
    def told(self) -> list[tuple[str, str, str]]:
        return self.receivers[0].told()


async def quiet(runtime: Runtime) -> None:
    """Let everything be told, and stored."""
    await trio.sleep(1.0)
    await trio.testing.wait_all_tasks_blocked()


def raises(**fields: Any) -> Callable[[Runtime], Awaitable[None]]:
    async def body(runtime: Runtime) -> None:
        runtime.ref(ALERTER).tell(condition(**fields))
        await quiet(runtime)

    return body


async def clears(runtime: Runtime) -> None:
    runtime.ref(ALERTER).tell(ClearAlert(kind="drawdown", target="BTC"))
    await quiet(runtime)


MINE: dict[str, Any] = {"kind": "drawdown", "target": "BTC", "path": ""}


# -- what fires -------------------------------------------------------------------------


@pytest.mark.parametrize("is_killed", [True, False])
def test_what_was_told_is_not_told_again_and_its_end_is(is_killed: bool) -> None:
    bot = Bot()
    bot.live(raises(**MINE), is_killed=is_killed)
    bot.lives.later(60.0)
    bot.live(raises(**MINE), is_killed=is_killed)
    assert bot.told == [("firing", "drawdown BTC", "")]

    bot.live(clears)

    assert bot.told == [("firing", "drawdown BTC", ""), ("resolved", "", "drawdown BTC")]
    first, last = bot.receivers[0].got
    assert first.firing[0].id == last.resolved[0].id
    assert (first.number, last.number) == (1, 2)


def test_an_alert_of_the_bots_own_fires_until_the_bot_says_otherwise() -> None:
    bot = Bot()
    bot.live(raises(**MINE))

    async def waits(runtime: Runtime) -> AlertsStatus:
        await trio.sleep(3600.0)
        status: AlertsStatus = await runtime.ref(ALERTER).ask(GetAlerts())
        return status

    status = bot.live(waits)
    assert [state.alert.target for state in status.alerts] == ["BTC"]
    assert (status.raised, bot.told) == (1, [("firing", "drawdown BTC", "")])


def test_what_the_rules_would_notice_and_do_not_has_ended() -> None:
    """The child that was parked is not there any more."""
    bot = Bot()
    bot.live(raises(kind="child_parked", target="/bot/gone", path="/bot/gone"))

    async def waits(runtime: Runtime) -> None:
        await trio.sleep(299.0)
        assert len(bot.told) == 1
        await trio.sleep(2.0)

    bot.live(waits)

    assert bot.told[1:] == [("resolved", "", "child_parked /bot/gone")]


class Fragile(Actor):
    def started(self) -> None:
        raise ValueError("it cannot start")


def test_a_child_that_is_parked_again_is_not_told_again() -> None:
    """Each process parks it anew."""
    child = Child("a", Fragile, backoff=Backoff.none(), max_failures=0, on_give_up="park")
    tree = Supervisor("bot", [Child("early", Sleeper)], intensity=1000)
    bot = Bot()

    async def parks(runtime: Runtime) -> None:
        with pytest.raises(Exception, match="it cannot start"):
            await runtime.start_child("/bot", child)
        runtime.ref(ALERTER).tell(condition(kind="child_parked", target="/bot/early", path="/bot/early"))
        await quiet(runtime)

    bot.live(parks, tree)
    bot.live(raises(kind="child_parked", target="/bot/late", path="/bot/late"), tree)
    kinds = [(reason, firing) for reason, firing, _ in bot.told]
    assert kinds.count(("firing", "child_parked /bot/early")) == 1


class Sleeper(Actor):
    pass


# -- breakers ---------------------------------------------------------------------------


def shut(runtime: Runtime) -> None:
    guard = Guard("api", retry=None, breaker=Breaker.consecutive(1, open_for=900.0, success_threshold=1))
    with pytest.raises(OSError, match="down"):
        guard.call_sync(_fail)


def _fail() -> None:
    raise OSError("down")


def test_a_breaker_that_is_open_still_is_the_same_alert_until_it_closes() -> None:
    bot = Bot()
    made: list[Guard] = []

    def module() -> None:
        made.append(Guard("api", retry=None, breaker=Breaker.consecutive(1, open_for=900.0, success_threshold=1)))

    async def opens(runtime: Runtime) -> None:
        with pytest.raises(OSError, match="down"):
            made[-1].call_sync(_fail)
        await trio.sleep(30.0)

    async def waits(runtime: Runtime) -> None:
        await trio.sleep(600.0)

    async def closes(runtime: Runtime) -> None:
        await trio.sleep(600.0)
        made[-1].call_sync(lambda: None)
        await trio.sleep(30.0)

    bot.live(opens, before=module)
    told = [each for each in bot.told if "breaker_open api" in each[1]]
    bot.live(waits, before=module)
    assert [each for each in bot.told if "breaker_open api" in (*each[1].split(", "), *each[2].split(", "))] == told

    bot.live(closes, before=module)
    assert sum("breaker_open api" in each[2] for each in bot.told) == 1


# -- silences ---------------------------------------------------------------------------


@pytest.mark.parametrize("is_killed", [True, False])
def test_a_silence_lasts_on(is_killed: bool) -> None:
    """It is stored at once."""
    bot = Bot()

    async def silences(runtime: Runtime) -> None:
        await runtime.ref(ALERTER).ask(AddSilence(("kind=drawdown",), 600.0, "ann", "deploy"))
        await trio.testing.wait_all_tasks_blocked()

    bot.live(silences, is_killed=is_killed)
    bot.lives.later(100.0)
    began = bot.lives.wall

    async def body(runtime: Runtime) -> Any:
        (view,) = await runtime.ref(ALERTER).ask(GetSilences())
        runtime.ref(ALERTER).tell(condition(**MINE))
        await trio.sleep(490.0)
        before = list(bot.told)
        await trio.sleep(20.0)
        return view, before

    view, before = bot.live(body)
    assert (view.id, view.author, view.comment, view.matchers) == ("silence-1", "ann", "deploy", ('kind="drawdown"',))
    assert view.remaining == pytest.approx(500.0, abs=1.0)
    assert view.until == pytest.approx(began + 500.0, abs=1.0)
    assert before == []
    assert bot.told == [("firing", "drawdown BTC", "")]


def test_a_silence_that_was_ended_is_ended_in_the_next_process() -> None:
    bot = Bot()

    async def silences(runtime: Runtime) -> None:
        view = await runtime.ref(ALERTER).ask(AddSilence(("kind=drawdown",), 600.0, "ann"))
        await quiet(runtime)
        assert await runtime.ref(ALERTER).ask(DeleteSilence(view.id))
        await trio.testing.wait_all_tasks_blocked()

    bot.live(silences, is_killed=True)
    bot.live(raises(**MINE))

    assert bot.told == [("firing", "drawdown BTC", "")]


# -- what did not arrive ----------------------------------------------------------------


def mine(receiver: Recorder) -> list[tuple[str, str, str]]:
    """Return what *receiver* was told of the bot's own alert."""
    return [told for told in receiver.told() if "drawdown" in f"{told[1]}{told[2]}"]


def down(recorders: list[bool]) -> Callable[[Notification], Awaitable[None]]:
    """Refuse everything for as long as there is something in *recorders*."""

    async def behaviour(_note: Notification) -> None:
        await trio.lowlevel.checkpoint()
        if recorders:
            raise DeliveryError("one", "down", is_final=False)

    return behaviour


@pytest.mark.parametrize("is_killed", [True, False])
def test_what_did_not_arrive_is_told_by_the_next_process(is_killed: bool) -> None:
    is_down = [True]
    one, two = Recorder(name="one", behaviour=down(is_down)), Recorder(name="two")
    bot = Bot(one, two)
    bot.live(raises(**MINE), is_killed=is_killed)
    assert (mine(one), mine(two)) == ([], [("firing", "drawdown BTC", "")])

    is_down.clear()
    bot.live(quiet)

    assert mine(one) == [("firing", "drawdown BTC", "")]
    assert mine(two) == [("firing", "drawdown BTC", "")]


def test_an_end_that_did_not_arrive_is_told_by_the_next_process() -> None:
    is_down: list[bool] = []
    one, two = Recorder(name="one", behaviour=down(is_down)), Recorder(name="two")
    bot = Bot(one, two)

    async def comes_and_goes(runtime: Runtime) -> None:
        await raises(**MINE)(runtime)
        is_down.append(True)
        await clears(runtime)

    bot.live(comes_and_goes, is_killed=True)
    is_down.clear()
    bot.live(quiet)

    both = [("firing", "drawdown BTC", ""), ("resolved", "", "drawdown BTC")]
    assert (mine(one), mine(two)) == (both, both)


def test_what_is_delivered_while_the_bot_stops_is_not_told_again() -> None:
    """The alerter has ended by then; what it told last arrives within the deliveries' last seconds."""

    async def slow(_note: Notification) -> None:
        await trio.sleep(1.0)

    bot = Bot(Recorder(behaviour=slow))

    async def last(runtime: Runtime) -> None:
        runtime.ref(ALERTER).tell(condition(**MINE, severity=Severity.HIGH))
        await trio.testing.wait_all_tasks_blocked()
        assert bot.told == []

    bot.live(last)
    assert bot.told == [("firing", "drawdown BTC", "")]

    bot.live(quiet)
    assert len(bot.told) == 1


def test_what_arrived_before_the_process_was_killed_is_not_told_again() -> None:
    """That it arrived is stored soon, too."""

    async def slow(_note: Notification) -> None:
        await trio.sleep(3.0)

    bot = Bot(Recorder(behaviour=slow))

    async def arrives(runtime: Runtime) -> None:
        runtime.ref(ALERTER).tell(condition(**MINE))
        await trio.sleep(6.0)

    bot.live(arrives, is_killed=True)
    bot.live(arrives)

    assert bot.told == [("firing", "drawdown BTC", "")]


def test_an_operator_who_stops_a_child_ends_the_alerts_that_the_last_process_raised_about_it() -> None:
    bot = Bot()
    tree = Supervisor("bot", [Child("feed", Sleeper)])
    fields: dict[str, Any] = {"kind": "feed_slow", "target": "/bot/feed", "path": "/bot/feed"}
    bot.live(raises(**fields), tree)

    async def stops(runtime: Runtime) -> None:
        await runtime.stop_child("/bot/feed")
        await quiet(runtime)

    bot.live(stops, tree)

    assert ("resolved", "", "feed_slow /bot/feed") in bot.told


def test_a_test_is_not_repeated() -> None:
    bot = Bot(Recorder(behaviour=down([True])))

    async def tests(runtime: Runtime) -> None:
        await runtime.ref(ALERTER).ask(SendTestAlert())

    bot.live(tests)
    bot.receivers = (Recorder(),)
    bot.live(quiet)

    assert bot.told == []


# -- when it goes wrong -----------------------------------------------------------------


def test_what_an_alerter_soon_crashes_on_is_not_taken_up_again() -> None:
    """Begun anew, it tells again; the next process goes on from that."""
    bot = Bot()
    bot.live(raises(**MINE))

    async def crashes(runtime: Runtime) -> AlertsStatus:
        await trio.sleep(1.0)
        await runtime.restart_child(ALERTER)
        status: AlertsStatus = await runtime.ref(ALERTER).ask(GetAlerts())
        return status

    assert bot.live(crashes).alerts == ()


def test_what_cannot_be_read_is_set_aside_and_said() -> None:
    bot = Bot()
    bot.live(raises(**MINE))
    entries = bot.lives.store._entries
    key = f"part:alerts:{ALERTER}"
    entry = entries[key]
    entries[key] = type(entry)(kind=entry.kind, schema=1, version=9, at=entry.at, data=b"\x81\xa4made\xa1x")

    async def body(runtime: Runtime) -> AlertsStatus:
        await quiet(runtime)
        status: AlertsStatus = await runtime.ref(ALERTER).ask(GetAlerts())
        return status

    assert [state.alert.kind for state in bot.live(body).alerts] == ["state_set_aside"]
    assert any(key.startswith("aside:") for key in bot.lives.store._entries)


# -- the state itself -------------------------------------------------------------------


class LossyStore(DurableStore):
    """A store of which something cannot be read."""

    damages: tuple[Damage, ...] = ()

    def open(self) -> Loaded:
        loaded = super().open()
        found, self.damages = self.damages, ()
        return Loaded(entries=loaded.entries, seq=loaded.seq, existed=bool(found) or loaded.existed, damages=found)


def damaged(loss: Loss) -> LossyStore:
    store = LossyStore()
    store.damages = (Damage("jour-3.bin", "a record is missing", loss, "jour-3.bin.corrupt"),)
    return store


def firing(bot: Bot) -> dict[str, str]:
    return {alert.kind: str(alert.severity) for note in bot.receivers[0].got for alert in note.firing}


def test_lost_state_is_told_although_it_was_found_before_anybody_listened() -> None:
    bot = Bot(store=damaged(Loss.ACKNOWLEDGED))

    async def reconciles(runtime: Runtime) -> None:
        await trio.sleep(30.0)
        runtime.state.reconciled("ann")
        await trio.sleep(1.0)

    bot.live(reconciles)

    assert firing(bot) == {"state_lost": "CRITICAL", "state_damaged": "CRITICAL", "exchange_down": "CRITICAL"}
    over = " ".join(resolved for _, _, resolved in bot.told)
    assert "state_lost state" in over
    assert "exchange_down exchange" in over


@pytest.mark.parametrize(("loss", "told"), [(Loss.NOTHING, {"state_damaged": "MEDIUM"}), (Loss.UNKNOWN, {})])
def test_of_other_damage_no_more_is_told_than_is_known(loss: Loss, told: dict[str, str]) -> None:
    """What a crash in the middle of a write leaves is no alarm."""
    bot = Bot(store=damaged(loss))

    async def waits(runtime: Runtime) -> None:
        await trio.sleep(30.0)

    bot.live(waits)

    assert firing(bot) == told


def test_an_operators_word_that_trading_is_right_ends_it_too() -> None:
    bot = Bot(store=damaged(Loss.ACKNOWLEDGED))

    async def says(runtime: Runtime) -> None:
        await trio.sleep(30.0)
        runtime.recovery.trading.use_live()
        await trio.sleep(1.0)

    bot.live(says)

    assert "state_lost state" in " ".join(resolved for _, _, resolved in bot.told)


def test_what_is_not_durable_is_told_until_it_is() -> None:
    bot = Bot()

    async def fills_up(runtime: Runtime) -> None:
        bot.lives.store.refuses = "no space left on device"
        runtime.recovery.data.put("a", 1)
        await trio.sleep(90.0)
        bot.lives.store.refuses = ""
        await trio.sleep(30.0)

    bot.live(fills_up)

    assert firing(bot) == {"state_not_durable": "CRITICAL"}
    assert bot.told[-1] == ("resolved", "", "state_not_durable durable")


def test_what_cannot_be_saved_is_told_until_it_can() -> None:
    from duenna.state import Part  # noqa: PLC0415

    bot = Bot()
    values: list[Any] = [object()]

    async def body(runtime: Runtime) -> None:
        runtime.state.add(Part(name="mine", type=object, dump=lambda: values[0], load=lambda _: None))
        await runtime.state.save(force=True)
        await trio.sleep(30.0)
        values[0] = 1
        await runtime.state.save(force=True)
        await trio.sleep(30.0)

    bot.live(body)

    assert firing(bot) == {"state_unsaved": "HIGH"}
    assert bot.told[-1] == ("resolved", "", "state_unsaved /system/persistence")
