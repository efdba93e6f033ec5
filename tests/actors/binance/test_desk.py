"""Placing orders against an exchange in memory: when what is sent, asked and concluded, to the second."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from duenna.guards import CircuitOpenError
from duenna_actors.api_errors import ApiRateLimitError, ApiStatusError, ApiTimeoutError, ApiTransportError
from duenna_actors.binance import Order, OrderNotPlacedError, OrderOutcomeUnknownError, PlaceOrder
from duenna_actors.binance.desk import Leave, OrderDesk
from duenna_actors.binance.journal import Fate, OrderJournal, SentOrder

if TYPE_CHECKING:
    from trio.testing import MockClock

EPOCH = 1_700_000_000.0
CERTAIN = pytest.approx(15.001, abs=1e-5)  # a date has no more digits
"""When it is certain that an order is not there: 5 s receive window, 10 s to be shown, and a bit."""


def order(client_order_id: str = "mine", **fields: Any) -> PlaceOrder:
    given: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "quantity": Decimal(1)}
    given["client_order_id"] = client_order_id
    return PlaceOrder(**(given | fields))


def as_placed(asked: PlaceOrder, **fields: Any) -> Order:
    given: dict[str, Any] = {
        "symbol": asked.symbol,
        "order_id": 1,
        "client_order_id": asked.client_order_id,
        "status": "FILLED",
        "side": asked.side,
        "type": asked.type,
        "quantity": asked.quantity,
        "filled": asked.quantity,
    }
    return Order(**(given | fields))


TIMEOUT = ApiTimeoutError("POST", "/fapi/v1/order", "no whole answer within 10 s", outcome_unknown=True)
DOWN = ApiTransportError("GET", "/fapi/v1/order", "refused")
DUPLICATE = ApiStatusError("POST", "/fapi/v1/order", "duplicate", status=400, code=-4116)
NO_FUNDS = ApiStatusError("POST", "/fapi/v1/order", "no funds", status=400, code=-2019)
NO_ORDER = ApiStatusError("GET", "/fapi/v1/order", "no such order", status=400, code=-2013)


@attrs.define(eq=False)
class Exchange:
    """Answers attempts as it is told, and takes an order in so many seconds, or never.

    Attributes:
        answers: What each attempt ends in: an error, or None for the order itself.
        arrives: After how long what was sent is there; None: never.
        drift: By how much its clock is ahead of the desk's, until that is measured.
        looks: What questions end in, before it answers truthfully.
        line: For how long an order stands in line before it leaves.
    """

    answers: list[Exception | None] = attrs.field(factory=list[Exception | None])
    arrives: float | None = 0.0
    drift: float = 0.0
    looks: list[Exception] = attrs.field(factory=list[Exception])
    line: float = 0.0
    desk: OrderDesk = attrs.field(init=False)
    sent: list[float] = attrs.field(factory=list[float], init=False)
    asked: list[float] = attrs.field(factory=list[float], init=False)
    shown: dict[str, tuple[float, PlaceOrder]] = attrs.field(factory=dict[str, "tuple[float, PlaceOrder]"], init=False)
    measured: float = attrs.field(default=0.0, init=False)
    clock_fails: int = attrs.field(default=0, init=False)

    async def send_order(self, order: PlaceOrder, leave: Leave) -> Order:
        leave()
        await trio.sleep(self.line)
        self.desk.leaves(order.client_order_id, self.time())
        now = trio.current_time()
        self.sent.append(now)
        if self.arrives is not None:
            self.shown.setdefault(order.client_order_id, (now + self.arrives, order))
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        return as_placed(order)

    async def look_for(self, order: PlaceOrder) -> Order:
        await trio.lowlevel.checkpoint()
        self.asked.append(trio.current_time())
        if self.looks:
            raise self.looks.pop(0)
        at, found = self.shown.get(order.client_order_id, (float("inf"), order))
        if trio.current_time() < at:
            raise NO_ORDER
        return as_placed(found)

    def time(self) -> float:
        return EPOCH + trio.current_time() + self.measured

    async def time_since(self, moment: float) -> float:
        await trio.lowlevel.checkpoint()
        if self.clock_fails:
            self.clock_fails -= 1
            raise DOWN
        self.measured = self.drift
        return self.time()


def desk_of(exchange: Exchange, **options: Any) -> OrderDesk:
    settings: dict[str, Any] = {"rng": Random(1), "receive_window": 5.0, "settle_within": 60.0}  # noqa: S311
    exchange.desk = OrderDesk(exchange, OrderJournal(), **(settings | options))
    return exchange.desk


def always() -> bool:
    return True


async def place(exchange: Exchange, asked: PlaceOrder | None = None, **options: Any) -> Order:
    return await desk_of(exchange, **options).place(asked or order(), always)


def entry(exchange: Exchange) -> SentOrder:
    found = exchange.desk.journal.get("mine")
    assert found is not None
    return found


async def test_an_order_that_is_answered_is_placed(autojump_clock: MockClock) -> None:
    exchange = Exchange()

    assert (await place(exchange)).client_order_id == "mine"

    assert (exchange.sent, exchange.asked, entry(exchange).fate) == ([0.0], [], Fate.PLACED)


async def test_a_refused_order_is_not_looked_for(autojump_clock: MockClock) -> None:
    exchange = Exchange([NO_FUNDS])

    with pytest.raises(ApiStatusError) as caught:
        await place(exchange)

    assert caught.value is NO_FUNDS
    assert (exchange.asked, entry(exchange).fate) == ([], Fate.NOT_SENT)


async def test_what_the_guard_refuses_is_not_looked_for(autojump_clock: MockClock) -> None:
    exchange = Exchange([CircuitOpenError("binance_orders", "open", 5.0)])

    with pytest.raises(CircuitOpenError):
        await place(exchange)

    assert (exchange.asked, entry(exchange).fate) == ([], Fate.NOT_SENT)


async def test_an_order_whose_answer_is_lost_is_found(autojump_clock: MockClock) -> None:
    """Once, at once, and never sent again."""
    exchange = Exchange([TIMEOUT])

    assert (await place(exchange)).status == "FILLED"

    assert (exchange.sent, exchange.asked) == ([0.0], [0.0])


async def test_an_order_that_arrives_late_is_found(autojump_clock: MockClock) -> None:
    """That it was not there at first proved nothing."""
    exchange = Exchange([TIMEOUT], arrives=9.0)

    assert (await place(exchange)).status == "FILLED"

    assert exchange.sent == [0.0]
    assert 9.0 <= exchange.asked[-1] <= 14.0


async def test_an_order_that_never_arrived_is_known_not_to_be_there_after_its_time(autojump_clock: MockClock) -> None:
    """Not a moment before the exchange can take it no more."""
    exchange = Exchange([TIMEOUT], arrives=None)

    with pytest.raises(OrderNotPlacedError, match=r"^order mine of BTCUSDT was not placed: it did not arrive, and "):
        await place(exchange)

    assert exchange.sent == [0.0]
    assert exchange.asked[-1] == CERTAIN
    assert all(asked < 15.0 for asked in exchange.asked[:-1])
    assert entry(exchange).fate is Fate.NOT_SENT


async def test_it_is_sent_again_only_after_that_and_only_while_it_is_wanted(autojump_clock: MockClock) -> None:
    exchange = Exchange([TIMEOUT], arrives=None)

    assert (await place(exchange, order(send_within=20.0))).status == "FILLED"

    assert exchange.sent == [0.0, CERTAIN]


async def test_the_second_try_may_be_lost_as_well(autojump_clock: MockClock) -> None:
    exchange = Exchange([TIMEOUT, TIMEOUT], arrives=None)

    with pytest.raises(OrderNotPlacedError):
        await place(exchange, order(send_within=20.0))

    assert exchange.sent == [0.0, CERTAIN]
    assert exchange.asked[-1] == pytest.approx(30.002, abs=1e-5)


async def test_that_it_is_too_late_is_said_by_the_exchanges_clock(autojump_clock: MockClock) -> None:
    """Ours is 8 s ahead: what we think was taken until 15 s is taken until 23 s."""
    exchange = Exchange([TIMEOUT], arrives=22.0, drift=-8.0)

    assert (await place(exchange)).status == "FILLED"

    assert exchange.sent == [0.0]


async def test_without_the_exchanges_time_nothing_is_concluded(autojump_clock: MockClock) -> None:
    exchange = Exchange([TIMEOUT], arrives=40.0)
    exchange.clock_fails = 1_000

    assert (await place(exchange)).status == "FILLED"

    assert exchange.sent == [0.0]


async def test_questions_that_fail_are_asked_again(autojump_clock: MockClock) -> None:
    exchange = Exchange([TIMEOUT], looks=[DOWN, TIMEOUT, DOWN])

    assert (await place(exchange)).status == "FILLED"

    assert len(exchange.asked) == 4


async def test_a_ban_is_waited_for(autojump_clock: MockClock) -> None:
    banned = ApiRateLimitError("GET", "/fapi/v1/order", "banned", status=418, retry_after=30.0)
    exchange = Exchange([TIMEOUT], looks=[banned])

    await place(exchange)

    assert exchange.asked == [0.0, 30.0]


async def test_what_cannot_be_found_out_in_time_is_unknown(autojump_clock: MockClock) -> None:
    exchange = Exchange([TIMEOUT], looks=[DOWN] * 1_000)

    with pytest.raises(OrderOutcomeUnknownError, match=r"^order mine of BTCUSDT may have been placed: not found"):
        await place(exchange)

    assert 55.0 <= trio.current_time() <= 60.0
    assert exchange.sent == [0.0]
    assert entry(exchange).fate is Fate.UNKNOWN


async def test_an_unknown_order_is_looked_for_before_it_is_sent_again(autojump_clock: MockClock) -> None:
    exchange = Exchange([TIMEOUT], looks=[DOWN] * 1_000)
    with pytest.raises(OrderOutcomeUnknownError):
        await place(exchange)
    exchange.looks.clear()

    assert (await exchange.desk.place(order(), always)).status == "FILLED"

    assert exchange.sent == [0.0]


async def test_a_placed_order_is_not_placed_twice(autojump_clock: MockClock) -> None:
    exchange = Exchange()
    await place(exchange)

    assert (await exchange.desk.place(order(), always)).status == "FILLED"

    assert (exchange.sent, exchange.asked) == ([0.0], [0.0])


async def test_a_placed_order_that_the_exchange_has_forgotten_is_not_sent_again(autojump_clock: MockClock) -> None:
    exchange = Exchange()
    await place(exchange)
    exchange.shown.clear()
    await trio.sleep(100 * 86_400.0)

    with pytest.raises(OrderOutcomeUnknownError, match=r"it was placed, and the exchange does not know it any more$"):
        await exchange.desk.place(order(), always)

    assert exchange.sent == [0.0]


async def test_a_refused_order_may_be_tried_again_under_its_id(autojump_clock: MockClock) -> None:
    exchange = Exchange([NO_FUNDS])
    with pytest.raises(ApiStatusError):
        await place(exchange)

    assert (await exchange.desk.place(order(), always)).status == "FILLED"

    assert len(exchange.sent) == 2


async def test_an_id_is_of_one_order(autojump_clock: MockClock) -> None:
    exchange = Exchange()
    await place(exchange)

    with pytest.raises(ValueError, match=r"^client_order_id must not be in use, 'mine' is that of another order: "):
        await exchange.desk.place(order(quantity=Decimal(2)), always)


async def test_who_asks_again_for_an_order_that_is_looked_for_gets_what_is_found(autojump_clock: MockClock) -> None:
    """When it is known, and not before; it is sent once."""
    exchange = Exchange([TIMEOUT], arrives=5.0)
    desk = desk_of(exchange)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.place, order(), always)
        await trio.sleep(1.0)
        assert (await desk.place(order(), always)).status == "FILLED"
        found_at = exchange.asked[-2:]

    assert found_at == [trio.current_time()] * 2
    assert exchange.sent == [0.0]


async def test_who_asks_again_is_told_that_nobody_knows_if_nobody_does(autojump_clock: MockClock) -> None:
    exchange = Exchange([TIMEOUT], looks=[DOWN] * 1_000)
    desk = desk_of(exchange)
    told: list[Exception] = []

    async def ask() -> None:
        with pytest.raises(OrderOutcomeUnknownError) as caught:
            await desk.place(order(), always)
        told.append(caught.value)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.sleep(1.0)
        nursery.start_soon(ask)

    assert len(told) == 2
    assert exchange.sent == [0.0]


async def test_who_asks_again_sends_what_was_refused(autojump_clock: MockClock) -> None:
    exchange = Exchange([NO_FUNDS], line=2.0)
    desk = desk_of(exchange)

    async def ask() -> None:
        with pytest.raises(ApiStatusError):
            await desk.place(order(), always)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.sleep(1.0)
        assert (await desk.place(order(), always)).status == "FILLED"

    assert exchange.sent == [2.0, 4.0]


async def test_another_order_under_an_id_in_use_is_refused_at_once(autojump_clock: MockClock) -> None:
    exchange = Exchange([TIMEOUT], arrives=5.0)
    desk = desk_of(exchange)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.place, order(), always)
        await trio.sleep(1.0)
        with pytest.raises(ValueError, match=r"^client_order_id must not be in use, 'mine' is that of another order: "):
            await desk.place(order(side="SELL"), always)
        assert trio.current_time() == 1.0


# -- the last moment before it leaves --------------------------------------------------


async def test_an_order_does_not_leave_after_its_time_however_long_it_stood_in_line(autojump_clock: MockClock) -> None:
    exchange = Exchange(line=2.0)

    with pytest.raises(OrderNotPlacedError, match=r": not sent within 2\.0 s$"):
        await place(exchange, order(send_within=2.0))

    assert (exchange.sent, entry(exchange).fate, trio.current_time()) == ([], Fate.NOT_SENT, 2.0)


async def test_nor_after_its_asker_has_gone(autojump_clock: MockClock) -> None:
    exchange = Exchange(line=2.0)

    with pytest.raises(OrderNotPlacedError, match=r": not sent, nobody waits for the answer$"):
        await desk_of(exchange).place(order(), lambda: trio.current_time() < 1.0)

    assert (exchange.sent, entry(exchange).fate) == ([], Fate.NOT_SENT)


async def test_nor_after_it_was_withdrawn(autojump_clock: MockClock) -> None:
    exchange = Exchange(line=2.0)
    desk = desk_of(exchange)

    async def ask() -> None:
        with pytest.raises(OrderNotPlacedError, match=r": it was cancelled before it was sent$"):
            await desk.place(order(), always)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.sleep(1.0)
        nursery.start_soon(ask)  # asked for before it was withdrawn as well
        await trio.sleep(0.5)
        assert await desk.withdraw("mine") is False

    assert exchange.sent == []


async def test_what_is_withdrawn_before_its_turn_is_not_sent(autojump_clock: MockClock) -> None:
    """Accepted, and nothing done about it yet."""
    exchange = Exchange()
    desk = desk_of(exchange)
    leave = desk.accept(order(), always)

    assert await desk.withdraw("mine") is False
    with pytest.raises(OrderNotPlacedError):
        await desk.carry_out(leave)

    assert exchange.sent == []
    assert (await desk.place(order(), always)).status == "FILLED"


async def test_all_of_a_contract_are_withdrawn(autojump_clock: MockClock) -> None:
    exchange = Exchange()
    desk = desk_of(exchange)
    leaves = [desk.accept(order(f"order-{symbol}", symbol=symbol), always) for symbol in ("BTCUSDT", "SOLUSDT")]

    assert desk.withdraw_all("BTCUSDT") == []
    with pytest.raises(OrderNotPlacedError):
        await desk.carry_out(leaves[0])
    await desk.carry_out(leaves[1])

    assert len(exchange.sent) == 1


async def test_the_time_of_an_order_may_have_begun_before(autojump_clock: MockClock) -> None:
    """It was asked for at 0 s, and got here at 4 s."""
    exchange = Exchange(line=2.0)
    await trio.sleep(4.0)

    with pytest.raises(OrderNotPlacedError):
        await place(exchange, order(send_within=5.0, send_until=5.0))

    assert exchange.sent == []


async def test_one_at_a_time_looks_for_an_order(autojump_clock: MockClock) -> None:
    """All that wait get their turn, those included that come in the very moment it is over."""
    exchange = Exchange([TIMEOUT], arrives=None, looks=[DOWN] * 1_000)
    desk = desk_of(exchange)
    results: list[Exception] = []

    async def withdraw() -> None:
        with pytest.raises(OrderOutcomeUnknownError) as caught:
            await desk.withdraw("mine")
        results.append(caught.value)

    async def ask() -> None:
        with pytest.raises(OrderOutcomeUnknownError):
            await desk.place(order(), always)
        await withdraw()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.sleep(1.0)
        for _ in range(3):
            nursery.start_soon(withdraw)

    assert len(results) == 4
    assert 4.5 * 60.0 <= trio.current_time() <= 5 * 60.0
    assert entry(exchange).fate is Fate.UNKNOWN


async def test_a_duplicate_is_there(autojump_clock: MockClock) -> None:
    """A first try got through whose failure seemed certain."""
    exchange = Exchange([DUPLICATE])

    assert (await place(exchange)).status == "FILLED"

    assert (exchange.sent, exchange.asked) == ([0.0], [0.0])


async def test_a_duplicate_of_somebody_elses_order_is_told(autojump_clock: MockClock) -> None:
    exchange = Exchange([DUPLICATE], arrives=None)
    exchange.shown["mine"] = (0.0, order(side="SELL"))

    with pytest.raises(ApiStatusError) as caught:
        await place(exchange)

    assert caught.value is DUPLICATE


async def test_a_duplicate_of_nothing_is_not_sent_again(autojump_clock: MockClock) -> None:
    exchange = Exchange([DUPLICATE], arrives=None)

    with pytest.raises(ApiStatusError) as caught:
        await place(exchange, order(send_within=1_000.0))

    assert caught.value is DUPLICATE
    assert exchange.sent == [0.0]


async def test_another_order_under_our_id_is_no_answer(autojump_clock: MockClock) -> None:
    exchange = Exchange([TIMEOUT], arrives=None)
    exchange.shown["mine"] = (0.0, order(side="SELL"))

    with pytest.raises(OrderOutcomeUnknownError) as caught:
        await place(exchange)

    assert str(caught.value.__cause__).startswith("GET order: another order has the id mine: Order(symbol='BTCUSDT'")
    assert exchange.sent == [0.0]


async def test_whatever_fails_while_an_order_is_looked_for_it_is_unknown(autojump_clock: MockClock) -> None:
    exchange = Exchange([TIMEOUT], looks=[RuntimeError("a bug")])

    with pytest.raises(OrderOutcomeUnknownError, match=r"looking for it failed$") as caught:
        await place(exchange)

    assert str(caught.value.__cause__) == "a bug"


async def test_whatever_fails_after_it_has_left_the_order_is_looked_for(autojump_clock: MockClock) -> None:
    """An error of no known kind says nothing about it."""
    exchange = Exchange([RuntimeError("a bug")])

    assert (await place(exchange)).status == "FILLED"

    assert exchange.sent == [0.0]


async def test_an_order_of_an_earlier_process_is_looked_for_first(autojump_clock: MockClock) -> None:
    exchange = Exchange()
    exchange.shown["mine"] = (0.0, order())

    assert (await place(exchange, order(may_exist=True))).status == "FILLED"

    assert exchange.sent == []


async def test_it_is_sent_once_it_is_certain_that_it_is_not_there(autojump_clock: MockClock) -> None:
    exchange = Exchange()

    await place(exchange, order(may_exist=True, send_within=20.0))

    assert exchange.sent == [CERTAIN]


async def test_the_time_in_which_it_is_looked_for_does_not_count(autojump_clock: MockClock) -> None:
    """Or it would never be sent: it is certain after 15 s, and is to be sent within 10 s."""
    exchange = Exchange(line=9.0)

    await place(exchange, order(may_exist=True))

    assert exchange.sent == [pytest.approx(24.001, abs=1e-5)]


async def test_an_order_of_an_earlier_process_is_unknown_while_the_exchange_is_away(autojump_clock: MockClock) -> None:
    """Whoever cancels it is told the same."""
    exchange = Exchange()
    exchange.clock_fails = 1_000

    with pytest.raises(OrderOutcomeUnknownError, match=r"not found out within 60\.0 s$"):
        await place(exchange, order(may_exist=True))
    with pytest.raises(OrderOutcomeUnknownError):
        await exchange.desk.withdraw("mine")

    assert (exchange.sent, entry(exchange).fate) == ([], Fate.UNKNOWN)


async def test_whatever_fails_about_a_placed_order_it_is_not_said_to_be_absent(autojump_clock: MockClock) -> None:
    exchange = Exchange(looks=[RuntimeError("a bug")])
    await place(exchange)

    with pytest.raises(OrderOutcomeUnknownError, match=r"looking for it failed$"):
        await exchange.desk.place(order(), always)


async def test_nobody_gets_an_order_that_he_does_not_want_any_more(autojump_clock: MockClock) -> None:
    exchange = Exchange()

    with pytest.raises(OrderNotPlacedError, match=r": not sent, nobody waits for the answer$"):
        await desk_of(exchange).place(order(), lambda: False)

    assert exchange.sent == []


async def test_a_cancelled_order_is_not_sent_again(autojump_clock: MockClock) -> None:
    """Whoever cancels waits until it is known that it is not there."""
    exchange = Exchange([TIMEOUT], arrives=None)
    desk = desk_of(exchange)
    caught: list[Exception] = []

    async def try_it() -> None:
        try:
            await desk.place(order(send_within=100.0), always)
        except OrderNotPlacedError as error:
            caught.append(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(try_it)
        await trio.sleep(1.0)
        assert await desk.withdraw("mine") is False

    assert trio.current_time() == CERTAIN
    assert exchange.sent == [0.0]
    assert str(caught[0]).endswith("it was cancelled before it was sent")


@pytest.mark.parametrize("arrives", [0.0, 3.0])
async def test_a_cancelled_order_may_have_arrived(autojump_clock: MockClock, arrives: float) -> None:
    exchange = Exchange([TIMEOUT], arrives=arrives)
    desk = desk_of(exchange)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.place, order(), always)
        await trio.sleep(0.1)
        assert await desk.withdraw("mine") is True


async def test_an_order_that_is_not_ours_may_be_there(autojump_clock: MockClock) -> None:
    assert await desk_of(Exchange()).withdraw("theirs") is True
    assert await desk_of(Exchange()).withdraw(None) is True


@pytest.mark.parametrize("at", [0.1, 0.5, 4.0, 14.0])
async def test_cancellation_leaves_an_order_to_whoever_settles_it(autojump_clock: MockClock, at: float) -> None:
    exchange = Exchange([TIMEOUT], arrives=20.0)
    desk = desk_of(exchange)

    with trio.move_on_at(at):
        await desk.place(order(), always)

    (orphan,) = desk.journal.orphans()
    exchange.shown["mine"] = (0.0, order())
    assert (orphan.fate, orphan.is_busy) == (Fate.UNKNOWN, False)
    found = await desk.settle(orphan)
    assert found is not None
    assert (found.status, desk.journal.orphans(), exchange.sent) == ("FILLED", [], [0.0])


async def test_cancelled_before_it_left_an_order_was_not_sent(autojump_clock: MockClock) -> None:
    exchange = Exchange()
    desk = desk_of(exchange)

    with trio.move_on_at(0.0):
        await desk.place(order(), always)

    assert (exchange.sent, entry(exchange).fate, desk.journal.orphans()) == ([], Fate.NOT_SENT, [])


# -- the journal -----------------------------------------------------------------------


async def test_a_placed_order_is_remembered_for_a_day_after_it_was_asked_for_last(autojump_clock: MockClock) -> None:
    journal = OrderJournal()
    journal.enter(order("first")).fate = Fate.PLACED
    journal.enter(order("second")).fate = Fate.PLACED
    await trio.sleep(86_399.0)
    journal.enter(order("first"))
    for number in range(5_000):
        journal.enter(order(f"order-{number}"))
    assert journal.get("second") is not None

    await trio.sleep(1.0)
    journal.enter(order("another"))

    assert journal.get("second") is None
    assert journal.get("first") is not None


async def test_of_too_many_orders_the_oldest_go_and_what_is_unknown_stays(autojump_clock: MockClock) -> None:
    journal = OrderJournal()
    for number in range(100_010):
        new = journal.enter(order(f"order-{number}"))
        new.fate = Fate.UNKNOWN if number == 7 else Fate.PLACED

    assert len(journal._orders) == 100_000
    assert journal.get("order-0") is None
    assert journal.get("order-11") is not None
    assert journal.orphans() == [journal.get("order-7")]
