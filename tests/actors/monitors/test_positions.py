"""The position monitor on a fake account and virtual time."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna import ErrorReported
from duenna.error_events import ErrorClassified
from duenna_actors.monitors import (
    BadPositionsError,
    CheckPositions,
    GetPositions,
    Position,
    PositionBreached,
    PositionBreachEnded,
    PositionClosed,
    PositionCloseFailed,
    PositionClosing,
    PositionMonitor,
    PositionsFresh,
    PositionsReading,
    PositionsStale,
    StalePositionsError,
    StrategyLimitError,
    StrategyPositionError,
    Threshold,
    make_close_id,
)

from .kit import Account, FileLikeStore, NotPlacedError, bot, position

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.actors.support import Bot

TWO = Threshold(quantity=2)
BIG = position(3)


async def watch(running: Bot, account: Account, **options: Any) -> float:
    """Start a monitor; return when."""
    given: dict[str, Any] = {"threshold": TWO} | options
    await running.start("positions", lambda: PositionMonitor(account, **given))
    return running.runtime.now()


def errors(running: Bot) -> list[str]:
    return [event.report.error_type.rpartition(".")[2] for event in running.seen.of(ErrorClassified)]


async def test_a_position_beyond_its_threshold_is_closed_once(autojump_clock: MockClock) -> None:
    account = Account()
    account.hold(BIG, position(2, "ETHUSDT"))
    async with bot() as running:
        began = await watch(running, account)
        await trio.sleep(60)

        (breached,) = running.seen.of(PositionBreached)
        assert (breached.time - began, breached.position, breached.why) == (0, "BTCUSDT", "quantity 3 is more than 2")
        assert [(held, may_exist) for held, _, may_exist in account.sent] == [("BTCUSDT", False)]
        assert list(account.orders.values()) == [3]
        assert len(running.seen.of(PositionClosing)) == len(running.seen.of(PositionClosed)) == 1
        assert [event.position for event in running.seen.of(PositionBreachEnded)] == ["BTCUSDT"]
        status = await running.ref("positions").ask(GetPositions())
        assert (status.positions, status.breaches, status.closing) == ((position(2, "ETHUSDT"),), {}, {})
        assert errors(running) == []


async def test_reporting_closes_nothing_and_reports_each_breach_once(autojump_clock: MockClock) -> None:
    account = Account()
    account.hold(BIG)
    async with bot() as running:
        await watch(running, account, mode="report")
        await trio.sleep(61)
        assert errors(running) == ["StrategyLimitError"]
        account.hold(position(1))
        await trio.sleep(10)
        account.hold(BIG)
        await trio.sleep(60)

        assert errors(running) == ["StrategyLimitError"] * 2
        assert account.sent == []


async def test_the_id_is_stored_before_the_order_is_sent(autojump_clock: MockClock) -> None:
    account, store = Account(), FileLikeStore()
    account.hold(BIG)

    class Watching(Account):
        async def close(self, position: Position, order_id: str, *, may_exist: bool) -> None:
            assert [each.order_id for each in store.closes] == [order_id]
            await super().close(position, order_id, may_exist=may_exist)

    account = Watching(held=account.held)
    async with bot() as running:
        await watch(running, account, store=store)
        await trio.sleep(60)

    assert len(account.orders) == 1
    assert store.closes == ()


async def test_an_order_whose_answer_is_lost_is_not_sent_under_another_id(autojump_clock: MockClock) -> None:
    """The first attempt was carried out, and nobody knows: all attempts have one id, and there is one order."""
    account = Account(answers=[(TimeoutError("no answer"), True)])
    account.hold(BIG)
    async with bot() as running:
        await watch(running, account)
        await trio.sleep(60)

    (_, first, _), *others = account.sent
    assert others == [("BTCUSDT", first, True)]
    assert account.orders == {first: Decimal(3)}


async def test_while_the_outcome_is_unknown_every_attempt_has_the_same_id(autojump_clock: MockClock) -> None:
    account = Account(answers=[RuntimeError("who knows")] * 5)
    account.hold(BIG)
    async with bot() as running:
        await watch(running, account)
        await trio.sleep(45)

        assert len({order_id for _, order_id, _ in account.sent}) == 1
        assert [may_exist for _, _, may_exist in account.sent] == [False, True, True, True, True]
        failed = running.seen.of(PositionCloseFailed)
        assert [(event.failures, event.outcome_unknown) for event in failed] == [(n, True) for n in (1, 2, 3, 4, 5)]
        assert errors(running).count("StrategyPositionError") == 1


async def test_an_order_that_is_certainly_not_there_is_followed_by_another(autojump_clock: MockClock) -> None:
    account = Account(answers=[NotPlacedError("refused"), NotPlacedError("refused")])
    account.hold(BIG)
    async with bot() as running:
        began = await watch(running, account)
        await trio.sleep(60)

        assert [event.time - began for event in running.seen.of(PositionClosing)] == [0, 10, 20]
        assert len({order_id for _, order_id, _ in account.sent}) == 3
        assert [may_exist for _, _, may_exist in account.sent] == [False] * 3
        assert len(account.orders) == 1


async def test_what_an_order_left_is_closed_with_another(autojump_clock: MockClock) -> None:
    account = Account()

    class Thin(Account):
        async def close(self, position: Position, order_id: str, *, may_exist: bool) -> None:
            await super().close(position, order_id, may_exist=may_exist)
            if len(self.orders) == 1:
                self.hold(Position(symbol="BTCUSDT", quantity=Decimal("2.5"), price=Decimal(100)))

    account = Thin()
    account.hold(BIG)
    async with bot() as running:
        began = await watch(running, account)
        await trio.sleep(60)

        assert list(account.orders.values()) == [3, Decimal("2.5")]
        assert [event.time - began for event in running.seen.of(PositionClosing)] == [0, 10]


async def test_one_slow_order_keeps_nothing_else_waiting(autojump_clock: MockClock) -> None:
    account = Account(answers=[15.0])
    account.hold(BIG, position(4, "ETHUSDT"))
    async with bot() as running:
        began = await watch(running, account)
        await trio.sleep(60)

        assert [event.time - began for event in running.seen.of(PositionClosed)] == [0, 15]
        assert len(account.orders) == 2


@pytest.mark.parametrize("after", [0.0, 1.0, 4.9])
async def test_its_restart_in_the_middle_of_a_close_finishes_that_close(
    autojump_clock: MockClock, after: float
) -> None:
    """The next incarnation asks for the same order, and knows that it may exist."""
    account = Account(answers=[5.0])
    account.hold(BIG)
    async with bot() as running:
        await watch(running, account)
        await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(after)
        await running.runtime.restart_child("/bot/positions")
        await trio.sleep(60)

        (_, first, _), (_, second, may_exist) = account.sent
        assert (second, may_exist) == (first, True)
        assert list(account.orders) == [first]


async def test_it_keeps_enforcing_after_its_own_crash(autojump_clock: MockClock) -> None:
    """The position is still there when the next incarnation begins, and no order was sent."""
    account, crashes = Account(), [RuntimeError("a defect")]
    account.hold(BIG)

    def wall_time() -> float:
        if crashes:
            raise crashes.pop()
        return 1_800_000_000.0

    async with bot() as running:
        await watch(running, account, wall_time=wall_time)
        await trio.sleep(20)

        assert running.runtime.tree("/bot/positions").restarts == 1
        assert len(account.orders) == 1


async def test_another_process_goes_on_with_the_orders_in_the_store(autojump_clock: MockClock) -> None:
    account, store = Account(answers=[(ConnectionError("cut off"), True)]), FileLikeStore()
    account.hold(BIG)
    async with bot() as running:
        await watch(running, account, store=store, check_every=1_000)
        await trio.testing.wait_all_tasks_blocked()
    (pending,) = store.closes
    account.hold(BIG)  # as an exchange that is slow to show it

    async with bot() as running:
        await watch(running, account, store=store)
        await trio.sleep(1)

        assert account.sent[-1] == ("BTCUSDT", pending.order_id, True)
        assert list(account.orders) == [pending.order_id]


async def test_a_store_that_fails_keeps_no_position_open(autojump_clock: MockClock) -> None:
    account, store = Account(), FileLikeStore()
    account.hold(BIG)
    store.fails = OSError(28, "no space left on device")
    async with bot() as running:
        await watch(running, account, store=store)
        await trio.sleep(60)

        assert len(account.orders) == 1
        assert [event.details["hook"] for event in running.seen.of(ErrorReported)] == ["store"]


async def test_old_positions_are_not_acted_on(autojump_clock: MockClock) -> None:
    """Data of more than 30 s ago is reported, once; with younger data it enforces again."""
    account = Account()
    account.hold(BIG)
    async with bot() as running:
        account.as_of = running.runtime.now() - 31
        began = await watch(running, account)
        await trio.sleep(35)
        assert account.sent == []
        assert (await running.ref("positions").ask(GetPositions())).is_stale
        account.as_of = None
        await trio.sleep(10)

        assert [(event.time - began, event.age) for event in running.seen.of(PositionsStale)] == [(0, 31)]
        assert [event.time - began for event in running.seen.of(PositionsFresh)] == [40]
        assert errors(running) == ["StalePositionsError"]
        assert len(account.orders) == 1


async def test_an_answer_that_was_overtaken_is_not_acted_on(autojump_clock: MockClock) -> None:
    account = Account()
    async with bot() as running:
        began = await watch(running, account)
        await trio.testing.wait_all_tasks_blocked()
        account.as_of = began - 5
        account.hold(BIG)
        await trio.sleep(15)
        assert account.sent == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (PositionsReading((), "noon"), "malformed data: as_of must be a time, got 'noon'"),  # type: ignore[arg-type]
        (PositionsReading((), float("nan")), "malformed data: as_of must be a time, got nan"),
        ([BIG, BIG], "malformed data: two positions have the id 'BTCUSDT'"),
        ([1], "malformed data: a Position is needed, got int"),
        (None, "malformed data: positions must be a sequence, got NoneType"),
        ([position(1, str(n)) for n in range(10_001)], "malformed data: there are 10001 positions, at most 10000 are"),
    ],
)
async def test_what_cannot_be_is_not_acted_on(autojump_clock: MockClock, given: Any, why: str) -> None:
    class Mad(Account):
        async def positions(self) -> PositionsReading:
            await trio.lowlevel.checkpoint()
            return given  # type: ignore[no-any-return]

    async with bot() as running:
        await watch(running, Mad())
        await trio.sleep(25)
        (reported,) = running.seen.of(ErrorReported)
        assert why in reported.error


async def test_positions_that_cannot_be_had_are_reported_once_and_then_as_too_old(autojump_clock: MockClock) -> None:
    account = Account(reading_fails=ConnectionError("down"))
    account.hold(BIG)
    async with bot() as running:
        began = await watch(running, account)
        await trio.sleep(105)
        assert errors(running) == ["ConnectionError", "StalePositionsError"]
        assert [event.time - began for event in running.seen.of(PositionsStale)] == [40]
        account.reading_fails = None
        await trio.sleep(10)
        assert len(account.orders) == 1


async def test_a_reading_has_its_time(autojump_clock: MockClock) -> None:
    class Slow(Account):
        async def positions(self) -> PositionsReading:
            await trio.sleep_forever()
            raise AssertionError

    async with bot() as running:
        began = await watch(running, Slow())
        await trio.sleep(25)
        (found,) = running.seen.of(ErrorClassified)
        assert (found.time - began, found.report.error_type) == (10, "trio.TooSlowError")


async def test_on_paper_nothing_is_sent_unless_that_is_wanted(autojump_clock: MockClock) -> None:
    account = Account()
    account.hold(BIG)
    async with bot() as running:
        running.runtime.recovery.trading.use_paper("a drill")
        await watch(running, account)
        await trio.sleep(25)
        assert account.sent == []
        assert errors(running) == ["StrategyLimitError"]
        running.runtime.recovery.trading.use_live()
        await trio.sleep(10)
        assert len(account.orders) == 1
        running.runtime.recovery.trading.use_paper("a drill")
        account.hold(BIG)
        await running.runtime.stop_child("/bot/positions")
        await running.start("braver", lambda: PositionMonitor(account, TWO, closes_on_paper=True))
        await trio.sleep(10)
        assert len(account.orders) == 2


async def test_it_looks_when_asked_to(autojump_clock: MockClock) -> None:
    account = Account()
    async with bot() as running:
        await watch(running, account, check_every=1_000)
        await trio.sleep(5)
        account.hold(BIG)
        running.ref("positions").tell(CheckPositions())
        await trio.sleep(1)
        assert len(account.orders) == 1


async def test_an_open_breaker_sends_nothing_and_the_order_goes_out_after_it(autojump_clock: MockClock) -> None:
    account = Account(answers=[NotPlacedError("down")] * 5)
    account.hold(BIG)
    async with bot() as running:
        began = await watch(running, account)
        await trio.sleep(100)

        times = [event.time - began for event in running.seen.of(PositionClosing)]
        assert times == [0, 10, 20, 30, 40, 70]
        assert len(account.orders) == 1
        rejected = running.seen.of(PositionCloseFailed)[5]
        assert (rejected.outcome_unknown, "circuit" in rejected.error.lower()) == (False, True)


@pytest.mark.parametrize(
    ("error", "category", "severity"),
    [
        (StrategyLimitError(BIG, "loss 30 is more than 2"), "STRATEGY", "HIGH"),
        (StrategyPositionError(BIG, "a", 3), "STRATEGY", "HIGH"),
        (StalePositionsError(40.0, 30.0), "DATA", "MEDIUM"),
        (BadPositionsError("two positions have the id 'BTCUSDT'"), "DATA", "MEDIUM"),
    ],
)
async def test_what_it_reports_is_judged_for_what_it_is(
    autojump_clock: MockClock, error: Exception, category: str, severity: str
) -> None:
    """Never as an error of the exchange, which would put trading on paper."""

    class Source(Account):
        async def positions(self) -> PositionsReading:
            raise error

    async with bot() as running:
        await watch(running, Source())
        await trio.sleep(1)
        (found,) = running.seen.of(ErrorClassified)
        assert (found.verdict.category, found.verdict.severity) == (category, severity)


async def test_other_messages_are_refused(autojump_clock: MockClock) -> None:
    async with bot() as running:
        await watch(running, Account())
        with pytest.raises(TypeError, match=r"^/bot/positions takes no str$"):
            await running.ref("positions").ask("close all")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"threshold": None}, ValueError, "threshold or by_symbol must be given"),
        ({"threshold": 3}, TypeError, "a Threshold is needed, got 3"),
        ({"by_symbol": [1]}, TypeError, "by_symbol must be a mapping of symbols to thresholds, got [1]"),
        ({"by_symbol": {"X": 1}}, TypeError, "a Threshold is needed, got 1"),
        ({"mode": "panic"}, ValueError, "mode must be one of 'report', 'close', got 'panic'"),
        ({"max_age": 0}, ValueError, "max_age must be > 0 seconds, got 0"),
        ({"settle": -1}, ValueError, "settle must be >= 0 seconds, got -1"),
        ({"closes_on_paper": 1}, TypeError, "closes_on_paper must be True or False, got 1"),
        ({"id_prefix": "x" * 14}, ValueError, f"id_prefix must match ^[.A-Z:/a-z0-9_-]{{1,13}}$, got '{'x' * 14}'"),
        ({"wall_time": 1}, TypeError, "wall_time must be a function, got 1"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        PositionMonitor(Account(), **({"threshold": TWO} | options))
    assert str(caught.value) == f"PositionMonitor: {message}"


def test_a_source_and_a_store_have_their_methods() -> None:
    with pytest.raises(TypeError, match=r"^PositionMonitor: source must have a method positions\(\), got 1$"):
        PositionMonitor(1, TWO)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^PositionMonitor: store must have a method load\(\), got 1$"):
        PositionMonitor(Account(), TWO, store=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"symbol": ""}, "a position must have a symbol"),
        ({"quantity": Decimal("nan")}, "quantity of X must be a number, got NaN"),
        ({"price": Decimal(-1)}, "price of X must be a number of at least 0, got -1"),
        ({"entry_price": Decimal("inf")}, "entry_price of X must be a number of at least 0, got Infinity"),
    ],
)
def test_a_position_is_one(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Position(**({"symbol": "X", "quantity": Decimal(1), "price": Decimal(1)} | fields))  # type: ignore[arg-type]


def test_ids_are_short_enough_and_never_the_same() -> None:
    rng = Random(1)  # noqa: S311  # nothing is secret
    made = {make_close_id(rng, 1_800_000_000.0 + number, "p" * 13) for number in range(1_000)}
    assert len(made) == 1_000
    assert max(map(len, made)) <= 36
    assert make_close_id(rng, 0.0).startswith("close-0-")
