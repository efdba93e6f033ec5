"""Typed uses of the public surface: checked by mypy and pyright, never run.

What stands here must go on type-checking in a user's bot; ``assert_type`` pins the answers that are promised.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_type

import attrs
import msgspec
import trio

import duenna
from duenna import (
    Actor,
    Backoff,
    Breaker,
    Bulkhead,
    Child,
    ChildRestarting,
    Connection,
    Context,
    Dependency,
    Down,
    Fallback,
    Freshness,
    Guard,
    GuardStatistics,
    Hedge,
    IncidentSummary,
    Mailbox,
    RateLimit,
    Ref,
    Reply,
    Retry,
    Runtime,
    StopReport,
    Supervisor,
    Timer,
    TreeNode,
    persistent,
)
from duenna.faults import FaultPlan, HalfOpen, Partition, Planned, Service, load_plan, random_plan
from duenna.testing import (
    Checker,
    Leak,
    Link,
    Outcome,
    Scenario,
    Violation,
    World,
    WorldLeakError,
    data_probe,
    world_test,
)
from duenna_actors import BinanceApi, WebSocketFeed
from duenna_actors.client import Client, find
from duenna_actors.console import ConsoleAddress, GetConsole, console
from duenna_actors.exchange_clock import ExchangeClock
from duenna_actors.sandbox.service import SandboxService

if TYPE_CHECKING:
    from random import Random

    from duenna.testing.trace import Record


class Fill(msgspec.Struct, frozen=True):
    size: float


class HowMany(msgspec.Struct, frozen=True):
    pass


@attrs.define
class Ledger(Actor):
    """A handler may narrow its message and its answer."""

    fills: int = 0

    def started(self) -> None:
        assert_type(self.context, Context)
        assert_type(self.context.ref, Ref)
        self.context.watch("/bot/feed")

    def receive(self, message: Fill | HowMany | Down) -> int | None:
        match message:
            case Fill():
                self.fills += 1
            case HowMany():
                return self.fills
            case Down():
                assert_type(message.path, str)
        return None


@attrs.define
class Book(Actor):
    """Its fields are of the types that it says; what a default is of is checked."""

    symbol: str
    fills: int = persistent(default=0)
    limit: float | None = persistent(default=None)
    price: Decimal = persistent(default="0", converter=Decimal)
    fees: int = persistent(default=1, validator=[attrs.validators.ge(0), attrs.validators.instance_of(int)])
    notes: list[str] = persistent(factory=list, cache=True)
    seen: set[str] = persistent(factory=set, validator=attrs.validators.max_len(10))
    orders: dict[str, int] = persistent(factory=dict, money=True)
    levels: dict[str, float] = persistent(factory=dict[str, float])
    latest: Fill = persistent(factory=lambda: Fill(0.0))
    wrong: int = persistent(default="0")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    mixed: dict[str, int] = persistent(factory=list)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


def persistent_fields() -> None:
    book = Book("BTC", 1, 0.5)
    assert_type(book.fills, int)
    assert_type(book.orders, dict[str, int])
    assert_type(book.notes, list[str])


class Poller(Actor):
    """Every hook may be async, and an actor need not be an attrs class."""

    async def started(self) -> None:
        assert_type(self.context.tell_every(1.0, Fill(1.0)), Timer)

    async def receive(self, message: object) -> Reply:
        return self.context.defer_reply()

    async def run(self) -> None:
        await self.context.stop_requested.wait()

    async def stopping(self, reason: object) -> None:
        self.context.log.info("stopping: {}", reason)


class Feed(Connection):
    async def connect(self) -> None:
        self.check_every = 10.0
        self.recheck_every = 2.0

    async def session(self) -> None:
        self.context.publish(Fill(1.0))


async def poll(context: Context) -> None:
    context.subscribe(Fill)
    async for message in context.messages():
        assert_type(message, Any)
        context.reply(None)


async def poll_symbol(symbol: str, context: Context) -> None:
    context.log.info(symbol)


tree = Supervisor(
    "bot",
    strategy="rest_for_one",
    intensity=10,
    period=60.0,
    children=[
        Child("ledger", Ledger, mailbox=Mailbox(capacity=10, overflow="drop_oldest")),
        Child("restored", lambda: Ledger(fills=3), restart="transient", backoff=Backoff.steps(10, 30, 60)),
        Child("partial", partial(Ledger, fills=3), max_failures=3, on_give_up="park", unpark_after=None),
        Child("feed", Feed, mailbox=Mailbox.latest(key=type), backoff=Backoff.exponential(1.0, jitter="full")),
        Child("poll", poll, ready="manual", shutdown=float("inf")),
        Child("poll-btc", partial(poll_symbol, "BTCUSDT")),
        Supervisor("empty", auto_shutdown="any"),
    ],
)


async def use(runtime: Runtime) -> None:
    ref = await runtime.start_child("/bot", Child("late", Poller))
    assert_type(ref, Ref)
    assert_type(await runtime.start_children("/bot", [Child("later", Poller)]), list[Ref])
    ref.tell(Fill(1.0))
    await ref.send(Fill(1.0))
    assert_type(await ref.ask(HowMany(), timeout=1.0, wait=False), Any)
    assert_type(await runtime.restart_child("/bot/late"), Any)
    assert_type(runtime.tree(), TreeNode)
    assert_type(runtime.tree("/bot").children, tuple[TreeNode, ...])
    assert_type(runtime.tree().mailbox.dropped, int)
    with runtime.events(ChildRestarting, capacity=10) as events:
        async for event in events:
            assert_type(event.path, str)


async def embed() -> None:
    async with duenna.open_runtime(tree, seed=1, log_level=None, watchdog=None) as runtime:
        assert_type(runtime, Runtime)
        await use(runtime)


def run_it() -> None:
    assert_type(duenna.run(tree, log_level="DEBUG"), StopReport)


storm = FaultPlan(
    faults=(
        Planned(at=60.0, target="exchange", fault=Partition(), duration=30.0, every=600.0),
        Planned(at=90.0, target="exchange", fault=Service(name="mute", params={"symbol": "BTCUSDT"})),
    )
)


def strike(fault: Service, duration: float | None) -> None:
    assert_type(fault.params, dict[str, Any])


async def serve(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    task_status.started()


def scenario(world: World) -> Scenario:
    """What a user writes: the bot, and what it needs in a world."""
    world.serve("exchange", serve)
    world.on_service_fault("exchange", strike, offers=[Service(name="mute")])
    probe = data_probe(world.record, lambda fill: "/bot/feed", Fill, max_age=20.0)
    return Scenario(tree=tree, system=(probe,), files=("bot.db",), bound=90.0)


def joined(world: World) -> Supervisor:
    """The sandbox as the exchange, and its clock."""
    SandboxService(["BTCUSDT"], seed=world.seed, wall_time=world.true_time).join(world, "exchange", ["rest.exchange"])
    clock = ExchangeClock(world.wall_time)
    assert_type(clock(), float)
    api = Child("api", lambda: BinanceApi("http://rest.exchange", api_key="", api_secret="", clock=clock))
    feed = Child("feed", lambda: WebSocketFeed("ws://exchange/market/stream", ["btcusdt@aggTrade"], wall_time=clock))
    return Supervisor("bot", [api, feed])


@world_test(seeds=200, seconds=3600.0)
def test_a_scenario(world: World) -> Scenario:
    return scenario(world)


@world_test(faults=Path("storm.json"))
def test_a_tree(world: World) -> Supervisor:
    return tree


@world_test(faults=storm, link=Link(latency=0.1, loss=0.01), detail="messages")
async def test_acting(world: World, number: int) -> None:
    async with world.open_runtime(scenario(world)) as runtime:
        assert_type(runtime, Runtime)
        await trio.sleep(number)
        world.strike(HalfOpen(), "exchange")
        world.strike(Partition(), target="exchange", duration=30.0)


@world_test()
async def test_acting_without_a_scenario(world: World) -> None:
    await world.begin_faults()
    async with world.open_runtime(joined(world), hear=lambda event: world.record("heard", event.path)) as runtime:
        assert_type(runtime, Runtime)
    try:
        await trio.sleep(1.0)
    except WorldLeakError as error:
        assert_type(error.leak, Leak)


async def added(first: int, second: float) -> float:
    return first + second


def use_worlds(rng: Random) -> None:
    outcome = World(7, faults="default", trace_file=Path("trace.jsonl")).simulate(scenario, 86_400.0)
    assert_type(outcome, Outcome)
    assert_type(outcome.violations, tuple[Violation, ...])
    assert_type(outcome.ok, bool)
    assert_type(World(7).leaks, list[Leak])
    assert_type(World(7).simulate(tree, 60).plan, FaultPlan)
    assert_type(World(7, faults=storm).run(added, 1, 2.0), float)
    assert_type(load_plan("storm.yaml"), FaultPlan)
    assert_type(random_plan(rng, 3600.0, hosts=["exchange"]), FaultPlan)
    assert_type([strike.end for strike in storm.strikes(3600.0)], list[float | None])
    Planned(at=1.0, fault=HalfOpen())


class NoOrders:
    """A rule of a user's own."""

    name = "no_orders"
    kinds = frozenset({"order"})

    def apply(self, record: Record) -> list[Violation]:
        return [Violation(self.name, record.t, record.seq, record.path, "an order was sent")]

    def finish(self, end: float) -> list[Violation]:
        return []


rules: tuple[Checker, ...] = (NoOrders(),)


def weigh(symbol: str, limit: int = 1) -> float:
    return limit / 100


api = Guard(
    "api",
    retry=Retry.api(),
    breaker=Breaker.consecutive(10, open_for=120.0, ignore=KeyError),
    attempt_timeout=5.0,
    deadline=60.0,
    fallback=Fallback.last_good(60.0, otherwise=Fallback.value(None)),
    bulkhead=Bulkhead(10, queue=5),
    rate_limit=RateLimit(2400, 60.0),
    weight=weigh,
    hedge=Hedge(after=0.5),
)
plain = Guard("plain", retry=Retry(2, on=(OSError, TimeoutError), on_result=lambda value: value is None))


@api
async def price(symbol: str, limit: int = 1) -> float:
    return float(len(symbol) * limit)


@plain
def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


async def guarded() -> None:
    assert_type(await price("BTCUSDT", limit=2), float)
    assert_type(lines(Path("x")), list[str])
    assert_type(await api.call(price, "BTCUSDT"), float)
    assert_type(plain.call_sync(lines, Path("x")), list[str])
    assert_type(api.with_(retry=None), Guard)
    assert_type(api.statistics(), GuardStatistics)
    assert_type((await api.outcome(price, "BTCUSDT")).is_degraded, bool)


def steer(runtime: Runtime) -> None:
    assert_type(runtime.guards["api"], Dependency)
    for dependency in runtime.guards.values():
        dependency.force_open()


class Prices(Actor):
    """Says how fresh its data is."""

    at: float | None = None

    def freshness(self) -> Freshness:
        return Freshness(self.at, expect_every=5.0)


watched = Child("prices", Prices, critical=True)
seen: Child = console(port=3000, hosts=["bot.example"], heartbeat_url="https://ping.example/1")


async def look(runtime: Runtime) -> None:
    assert_type(runtime.freshness("/bot/prices"), Freshness | None)
    assert_type(runtime.loop.lag, float | None)
    assert_type(runtime.timings.handled.total, float)
    taken = runtime.incident_files.take("somebody asked")
    assert_type(taken, IncidentSummary)
    assert_type(await runtime.incident_files.read(taken.id), bytes)
    address: ConsoleAddress = await runtime.ref("/system/console").ask(GetConsole())
    assert_type(Client(find(url=address.url)).get("/api/v1/tree", depth=1), dict[str, Any])
