"""The trade engine coordinator: in a bot whose connections do as told, on virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from duenna import (
    Backoff,
    Breaker,
    Child,
    Connection,
    ConnectionLostError,
    ErrorReported,
    Guard,
    StartFailedError,
    Supervisor,
)
from duenna.error_events import ErrorClassified
from duenna.guards import CircuitOpenError
from duenna.settings import Settings
from duenna_actors.monitors import (
    EngineFailed,
    EngineState,
    MayTrade,
    StartTrading,
    StopTrading,
    TradeEngineCoordinator,
    TradingChanged,
    TradingPermit,
    TradingSettingsChanged,
    UseSettings,
    may_trade,
)

from .kit import Worker, bot

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.actors.support import Bot

COORDINATOR = "/bot/coordinator"


class World:
    """What the connections of a bot meet.

    Attributes:
        is_up: Whether connecting, and checking, succeeds.
        check_takes: Seconds that a check takes.
    """

    def __init__(self) -> None:
        self.is_up = True
        self.check_takes = 0.0


class Link(Connection):
    """A connection in a `World`, checked every second."""

    check_every = 1.0
    recheck_every = 1.0
    slow_check = 0.5

    def __init__(self, world: World) -> None:
        self.world = world

    async def connect(self) -> None:
        await self.check()

    async def check(self) -> None:
        await trio.sleep(self.world.check_takes)
        if not self.world.is_up:
            raise ConnectionLostError("down")


@attrs.define(eq=False)
class Engine:
    """An engine that says what it was told, and when.

    Attributes:
        calls: Time, and the settings, or None for a pause.
        fails: What its next calls raise.
        takes: Seconds that a call takes.
    """

    calls: list[tuple[float, Any]] = attrs.field(factory=list[tuple[float, Any]])
    fails: list[Exception | None] = attrs.field(factory=list[Exception | None])
    takes: float = 0.0

    async def resume(self, settings: Any) -> None:
        await self._called(settings)

    async def pause(self, why: str) -> None:
        assert why
        await self._called(None)

    async def _called(self, settings: Any) -> None:
        self.calls.append((trio.current_time(), settings))
        await trio.sleep(self.takes)
        error = self.fails.pop(0) if self.fails else None
        if error is not None:
            raise error

    def since(self, began: float) -> list[tuple[float, Any]]:
        return [(time - began, settings) for time, settings in self.calls]


async def coordinate(running: Bot, needs: Any = (), **options: Any) -> float:
    """Start a coordinator; return when."""
    await running.start("coordinator", lambda: TradeEngineCoordinator(needs, **options))
    return running.runtime.now()


async def link(running: Bot, world: World, name: str = "api") -> None:
    await running.start(name, lambda: Link(world), backoff=Backoff.steps(1.0), max_failures=None)


async def ask(running: Bot) -> TradingPermit:
    return await may_trade(running.ref("coordinator"))


def states(running: Bot, since: float) -> list[tuple[float, str]]:
    return [(event.time - since, event.state) for event in running.seen.of(TradingChanged)]


async def test_without_needs_it_trades_once_it_has_settled(autojump_clock: MockClock) -> None:
    async with bot() as running:
        began = await coordinate(running, settings="full")
        assert (await ask(running)).reasons == ("was not well a moment ago",)
        await trio.sleep(10)

        assert states(running, began) == [(5, "running")]
        assert await ask(running) == TradingPermit(is_allowed=True, state=EngineState.RUNNING, settings="full")


async def test_the_gate_shuts_at_once_and_opens_when_all_is_well_again(autojump_clock: MockClock) -> None:
    world, engine = World(), Engine()
    async with bot() as running:
        await link(running, world)
        began = await coordinate(running, ["/bot/api"], settings="full", engine=engine)
        await trio.sleep(20.5)
        world.is_up = False
        await trio.sleep(4)
        permit = await ask(running)
        assert (permit.is_allowed, permit.state) == (False, EngineState.PAUSED)
        assert permit.reasons[0].startswith("/bot/api ")
        world.is_up = True
        await trio.sleep(30)

        paused = states(running, began)[1][0]
        assert [state for _, state in states(running, began)] == ["running", "paused", "running"]
        assert paused == 21
        (_, first), (pause, nothing), (again, second) = engine.since(began)
        assert (first, pause, nothing, second) == ("full", 21, None, "full")
        assert again == states(running, began)[2][0]
        assert (await ask(running)).is_allowed


async def test_a_long_pause_is_an_error_that_is_reported_once_and_cleared(autojump_clock: MockClock) -> None:
    world = World()
    world.is_up = False
    async with bot() as running:
        await link(running, world)
        began = await coordinate(running, ["/bot/api"], grace=30)
        await trio.sleep(200)
        assert states(running, began) == [(30, "error")]
        (reported,) = [event for event in running.seen.of(ErrorReported) if event.path == COORDINATOR]
        assert reported.error == "StrategyPausedError: the trade engine does not run, for 1 reason(s)"
        assert reported.details["reasons"].startswith("/bot/api ")
        (judged,) = [event for event in running.seen.of(ErrorClassified) if event.path == COORDINATOR]
        assert (judged.verdict.category, judged.verdict.severity) == ("STRATEGY", "HIGH")
        assert not running.runtime.recovery.trading.is_paper
        world.is_up = True
        await trio.sleep(20)

        permit = await ask(running)
        assert (permit.is_allowed, permit.state, permit.reasons) == (True, EngineState.RUNNING, ())


@pytest.mark.parametrize(
    "settings",
    [Settings(trade_engine_auto_restart=False), Settings(auto_recovery_enabled=False)],
    ids=["engine", "all"],
)
async def test_an_error_waits_for_a_hand_where_the_settings_say_so(
    autojump_clock: MockClock, settings: Settings
) -> None:
    async with bot(settings=settings) as running:
        await coordinate(running, ["/bot/api"], grace=30)
        await trio.sleep(40)
        await running.start("api", Worker)
        await trio.sleep(40)
        permit = await ask(running)
        assert permit.reasons == ("has failed, manual intervention required",)
        running.ref("coordinator").tell(StartTrading())
        await trio.sleep(10)
        assert (await ask(running)).is_allowed


async def test_settings_that_change_while_it_waits_for_a_hand_are_followed(autojump_clock: MockClock) -> None:
    async with bot(settings=Settings(trade_engine_auto_restart=False)) as running:
        await coordinate(running, ["/bot/api"], grace=30)
        await trio.sleep(40)
        await running.start("api", Worker)
        await trio.sleep(40)
        running.runtime.apply_settings(Settings())
        await trio.sleep(6)
        assert (await ask(running)).is_allowed


async def test_what_a_person_stopped_stays_so_through_a_restart(autojump_clock: MockClock) -> None:
    engine = Engine()
    async with bot() as running:
        began = await coordinate(running, engine=engine, settings="full")
        await trio.sleep(10)
        running.ref("coordinator").tell(StopTrading("lunch"))
        await trio.sleep(10)
        await running.runtime.restart_child(COORDINATOR)
        await trio.sleep(100)
        assert (await ask(running)).reasons == ("lunch",)
        assert engine.since(began) == [(5, "full"), (10, None)]
        running.ref("coordinator").tell(StartTrading())
        await trio.sleep(10)
        assert (await ask(running)).is_allowed


async def test_without_autostart_it_waits_for_a_word(autojump_clock: MockClock) -> None:
    async with bot() as running:
        await coordinate(running, autostart=False)
        await trio.sleep(100)
        assert (await ask(running)).reasons == ("was not started yet",)
        running.ref("coordinator").tell(StartTrading())
        await trio.sleep(10)
        assert (await ask(running)).is_allowed


async def test_it_goes_back_to_the_settings_it_was_given_not_to_those_it_was_degraded_to(
    autojump_clock: MockClock,
) -> None:
    engine = Engine()
    async with bot() as running:
        began = await coordinate(running, settings="full", engine=engine)
        await trio.sleep(10)
        running.ref("coordinator").tell(UseSettings("tiny", "volatile"))
        await trio.sleep(10)
        assert (await ask(running)).settings == "tiny"
        running.ref("coordinator").tell(EngineFailed("a bad fill"))
        await trio.sleep(1)
        permit = await ask(running)
        assert (permit.state, permit.reasons) == (EngineState.ERROR, ("the engine has failed: a bad fill",))
        await trio.sleep(100)

        assert (await ask(running)).settings == "full"
        assert engine.since(began) == [(5, "full"), (10, "tiny"), (20, None), (55, "full")]
        changed = [(event.time - began, event.is_given) for event in running.seen.of(TradingSettingsChanged)]
        assert changed == [(10, False), (55, True)]


async def test_other_settings_can_be_taken_back(autojump_clock: MockClock) -> None:
    async with bot() as running:
        await coordinate(running, settings="full")
        await trio.sleep(10)
        running.ref("coordinator").tell(UseSettings("tiny"))
        running.ref("coordinator").tell(UseSettings(None))
        await trio.sleep(1)
        assert (await ask(running)).settings == "full"


async def test_a_degraded_link_trades_with_the_settings_for_it(autojump_clock: MockClock) -> None:
    world, engine = World(), Engine()
    async with bot() as running:
        await link(running, world)
        await coordinate(running, ["/bot/api"], settings="full", degraded_settings="half", engine=engine)
        await trio.sleep(10)
        world.check_takes = 0.7
        await trio.sleep(10)
        permit = await ask(running)
        assert (permit.is_allowed, permit.settings) == (True, "half")
        world.check_takes = 0.0
        await trio.sleep(10)

        assert [settings for _, settings in engine.calls] == ["full", "half", "full"]


async def test_a_degraded_link_is_a_trouble_where_that_is_wanted(autojump_clock: MockClock) -> None:
    world = World()
    world.check_takes = 0.7
    async with bot() as running:
        await link(running, world)
        await coordinate(running, ["/bot/api"], accept_degraded=False)
        await trio.sleep(20)
        assert (await ask(running)).reasons[0].startswith("/bot/api is degraded")


async def test_a_need_that_is_not_there_or_stopped_is_a_trouble(autojump_clock: MockClock) -> None:
    async with bot() as running:
        await running.runtime.start_child("/bot", Supervisor("feeds", []))
        await running.start("stopped", Worker)
        await running.runtime.stop_child("/bot/stopped")
        await coordinate(running, ["/bot/nowhere", "/bot/stopped", "/bot/feeds"])
        await trio.sleep(10)
        assert (await ask(running)).reasons == ("/bot/nowhere is not there", "/bot/stopped was stopped by hand")


async def test_an_actor_that_has_done_its_work_is_a_trouble(autojump_clock: MockClock) -> None:
    class Once(Worker):
        async def run(self) -> None:
            await trio.lowlevel.checkpoint()

    async with bot() as running:
        await running.start("once", Once, restart="transient")
        await coordinate(running, ["/bot/once"])
        await trio.sleep(10)
        assert (await ask(running)).reasons == ("/bot/once has ended",)


async def test_all_below_a_supervisor_must_be_well(autojump_clock: MockClock) -> None:
    world = World()
    async with bot() as running:
        feeds = [Child(name, lambda: Link(world), backoff=Backoff.steps(1.0)) for name in ("btc", "eth")]
        await running.runtime.start_child("/bot", Supervisor("feeds", feeds, intensity=1_000))
        await coordinate(running, ["/bot/feeds"])
        await trio.sleep(10)
        assert (await ask(running)).is_allowed
        world.is_up = False
        await trio.sleep(2)
        reasons = (await ask(running)).reasons
        assert [reason.split()[0] for reason in reasons] == ["/bot/feeds/btc", "/bot/feeds/eth"]


async def test_a_guard_is_well_while_it_lets_calls_through(autojump_clock: MockClock) -> None:
    """An open breaker pauses trading; when its time is over, it is trading that finds out."""

    async def fail() -> None:
        raise ConnectionError("down")

    async with bot() as running:
        began = await coordinate(running, ["orders"])
        guard = Guard("orders", retry=None, breaker=Breaker.consecutive(1, open_for=20.0))
        await trio.sleep(10)
        with pytest.raises(ConnectionError):
            await guard.call(fail)
        assert not (await ask(running)).is_allowed
        with pytest.raises(CircuitOpenError):
            await guard.call(fail)
        await trio.sleep(50)

        assert states(running, began) == [(5, "running"), (10, "paused"), (35, "running")]


async def test_on_paper_it_pauses_unless_the_engine_knows_what_to_do(autojump_clock: MockClock) -> None:
    async with bot() as running:
        trading = running.runtime.recovery.trading
        await coordinate(running)
        await running.start("knowing", lambda: TradeEngineCoordinator((), trades_on_paper=True))
        await trio.sleep(10)
        trading.use_paper("the exchange is ill")
        assert (await ask(running)).reasons == ("trading is on paper: the exchange is ill",)
        knowing = await may_trade(running.ref("knowing"))
        assert (knowing.is_allowed, knowing.mode) == (True, "paper")
        trading.use_live()
        await trio.sleep(10)
        assert (await ask(running)).is_allowed


async def test_an_engine_that_does_not_start_is_tried_again(autojump_clock: MockClock) -> None:
    engine = Engine(fails=[RuntimeError("no licence")])
    async with bot() as running:
        began = await coordinate(running, engine=engine, settings="full")
        await trio.sleep(6)
        permit = await ask(running)
        assert permit.reasons == ("the engine did not start: RuntimeError: no licence",)
        await trio.sleep(100)

        assert engine.since(began) == [(5, "full"), (5, None), (40, "full")]
        assert (await ask(running)).is_allowed


async def test_an_engine_that_hangs_is_not_waited_for(autojump_clock: MockClock) -> None:
    engine = Engine(takes=1_000.0)
    async with bot() as running:
        began = await coordinate(running, engine=engine, settings="full", engine_timeout=2)
        await trio.sleep(6)
        assert (await ask(running)).reasons == ("the engine is starting",)
        await trio.sleep(2)
        assert "TooSlowError" in (await ask(running)).reasons[0]
        engine.takes = 0.0
        await trio.sleep(100)
        assert engine.since(began)[:2] == [(5, "full"), (7, None)]
        assert (await ask(running)).is_allowed


async def test_a_pause_that_fails_shuts_the_gate_all_the_same_and_is_tried_again(autojump_clock: MockClock) -> None:
    engine = Engine(fails=[None, RuntimeError("busy")])
    async with bot() as running:
        began = await coordinate(running, engine=engine, settings="full")
        await trio.sleep(10)
        running.ref("coordinator").tell(StopTrading())
        await trio.sleep(1)
        assert not (await ask(running)).is_allowed
        await trio.sleep(100)

        assert engine.since(began) == [(5, "full"), (10, None), (40, None)]


@pytest.mark.parametrize("after", [4.9, 5.5, 7.5, 50.0])
async def test_however_it_ends_the_engine_is_paused(autojump_clock: MockClock, after: float) -> None:
    """Ended before, during and after it resumed the engine."""
    engine = Engine(takes=1.0)
    async with bot() as running:
        began = await coordinate(running, engine=engine, settings="full")
        await trio.sleep(after)
        await running.runtime.stop_child(COORDINATOR)

        expected = [] if after < 5 else [(5, "full"), (after, None)]
        assert engine.since(began) == expected
        assert not (await ask(running)).is_allowed


async def test_after_its_own_crash_it_looks_before_it_trades(autojump_clock: MockClock) -> None:
    class Fragile(TradeEngineCoordinator):
        def receive(self, message: object) -> Any:
            if message == "crash":
                raise RuntimeError("a defect")
            return super().receive(message)

    engine = Engine()
    async with bot() as running:
        await running.start("coordinator", lambda: Fragile((), engine=engine, settings="full"))
        began = running.runtime.now()
        await trio.sleep(10)
        running.ref("coordinator").tell("crash")
        await trio.sleep(1)
        assert not (await ask(running)).is_allowed
        await trio.sleep(10)

        assert engine.since(began) == [(5, "full"), (10, None), (15, "full")]
        assert states(running, began) == [(5, "running"), (10, "paused"), (15, "running")]


async def test_its_own_crash_waits_for_a_hand_where_the_settings_say_so(autojump_clock: MockClock) -> None:
    class Fragile(TradeEngineCoordinator):
        def receive(self, message: object) -> Any:
            raise RuntimeError("a defect")

    engine = Engine()
    async with bot(settings=Settings(trade_engine_auto_restart=False)) as running:
        await running.start("coordinator", lambda: Fragile((), engine=engine, settings="full"))
        began = running.runtime.now()
        await trio.sleep(10)
        running.ref("coordinator").tell("crash")
        await trio.sleep(1_000)

        assert running.runtime.tree(COORDINATOR).state == "failed"
        assert engine.since(began) == [(5, "full"), (10, None)]
        assert not (await ask(running)).is_allowed


async def test_many_troubles_are_counted(autojump_clock: MockClock) -> None:
    async with bot() as running:
        await coordinate(running, [f"/bot/{number}" for number in range(25)])
        reasons = (await ask(running)).reasons
        assert (len(reasons), reasons[-1]) == (21, "and 5 more")


async def test_a_stopping_runtime_does_not_trade(autojump_clock: MockClock) -> None:
    async with bot() as running:
        await coordinate(running)
        await trio.sleep(10)
        coordinator = running.ref("coordinator")
        await running.runtime.stop()
        assert not (await may_trade(coordinator)).is_allowed


async def test_more_events_than_it_reads_lose_nothing(autojump_clock: MockClock) -> None:
    """A burst that drops events from its stream leads to a look, as any event does."""
    async with bot() as running:
        await coordinate(running, ["/bot/worker"])
        await running.start("worker", Worker)
        await trio.sleep(10)
        for _ in range(300):
            await running.runtime.restart_child("/bot/worker")
        await running.runtime.stop_child("/bot/worker")
        await trio.sleep(1)
        assert (await ask(running)).reasons == ("/bot/worker was stopped by hand",)


@pytest.mark.parametrize("need", [COORDINATOR, "/bot"])
async def test_it_cannot_need_itself(autojump_clock: MockClock, need: str) -> None:
    async with bot() as running:
        with pytest.raises(StartFailedError) as caught:
            await coordinate(running, [need])
    why = f"TradeEngineCoordinator {COORDINATOR}: needs must not hold itself or what is above it, got '{need}'"
    assert str(caught.value.__cause__) == why


async def test_other_messages_are_refused(autojump_clock: MockClock) -> None:
    async with bot() as running:
        await coordinate(running)
        with pytest.raises(TypeError, match=r"^/bot/coordinator takes no str$"):
            await running.ref("coordinator").ask("trade!")
        assert isinstance(await running.ref("coordinator").ask(MayTrade()), TradingPermit)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"needs": "/bot/api"}, TypeError, "needs must be a collection of paths and names of guards, got '/bot/api'"),
        ({"needs": [1]}, TypeError, "needs must hold paths and names of guards, got 1"),
        ({"needs": [""]}, ValueError, "needs must hold paths such as '/bot/api' and names of guards, got ''"),
        ({"grace": -1}, ValueError, "grace must be >= 0 seconds, got -1"),
        ({"rest": 0}, ValueError, "rest must be > 0 seconds, got 0"),
        ({"engine": 1}, TypeError, "engine must have a method resume(), got 1"),
        ({"autostart": 1}, TypeError, "autostart must be True or False, got 1"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        TradeEngineCoordinator(**({"needs": ()} | options))
    assert str(caught.value) == f"TradeEngineCoordinator: {message}"
