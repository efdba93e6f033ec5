"""Orders in simulated worlds: nothing leaves too late, nothing is said to be absent that may be there."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from duenna import Child, Context, Mailbox, MailboxFullError, Supervisor, open_runtime
from duenna.faults import Crash, Stall
from duenna.guards import BulkheadFullError, RateLimitedError
from duenna.testing import World
from duenna_actors.api import ApiDataError, ApiError, ApiRateLimitError, ApiRequest
from duenna_actors.binance import (
    Binance,
    BinanceClient,
    Order,
    OrderFound,
    OrderNotPlacedError,
    OrderOutcomeUnknownError,
    PlaceOrder,
)
from duenna_actors.binance.journal import Fate
from tests.actors.support import Inbox

from .test_client_world import Stage, act

if TYPE_CHECKING:
    from collections.abc import Callable

ORDER = "/fapi/v1/order"


async def up(stage: Stage) -> BinanceClient:
    """Return the client when it is up."""
    await stage.binance.fetch_mark_price("BTCUSDT")
    return stage.made[-1]


async def buy(stage: Stage, name: str = "mine", *, timeout: float | None = None, **options: Any) -> Order:
    binance = stage.binance if timeout is None else Binance(stage.runtime.ref("/bot/api"), timeout=timeout)
    return await binance.place_order("BTCUSDT", "BUY", "0.01", client_order_id=name, **options)


async def outcome(stage: Stage, name: str = "mine", **options: Any) -> str:
    """Return what an asker is told, and when."""
    began = trio.current_time()
    try:
        told = (await buy(stage, name, **options)).status
    except Exception as error:  # noqa: BLE001  # whatever it is, it is what is told
        told = type(error).__name__
    return f"{told} after {trio.current_time() - began:.0f} s"


async def side_by_side(calls: list[Callable[[], Any]]) -> list[Any]:
    """Return what *calls* give, in their order."""
    results: dict[int, Any] = {}

    async def one(number: int) -> None:
        results[number] = await calls[number]()

    async with trio.open_nursery() as nursery:
        for number in range(len(calls)):
            nursery.start_soon(one, number)
    return [results[number] for number in range(len(calls))]


def departures(client: BinanceClient) -> list[float]:
    """Return a list of when orders leave, which grows."""
    times: list[float] = []
    prepare = client.prepare

    def noted(request: ApiRequest) -> ApiRequest:
        signed = prepare(request)
        if request.method == "POST":
            times.append(trio.current_time())
        return signed

    client.prepare = noted  # type: ignore[method-assign]
    return times


# -- too late --------------------------------------------------------------------------


def test_orders_that_wait_for_a_lane_do_not_leave_after_their_time() -> None:
    """Four hang; those behind them are told when their time is over, and not when a lane is free."""

    async def main(stage: Stage) -> None:
        sent = departures(await up(stage))
        stage.strike("slow_answers", path=ORDER, method="POST", latency=8.0)
        began = trio.current_time()

        told = await side_by_side([partial(outcome, stage, f"order-{n}", send_within=2.0) for n in range(30)])
        await trio.sleep(60.0)

        assert (told.count("FILLED after 8 s"), told.count("OrderNotPlacedError after 2 s")) == (4, 26)
        assert len(stage.orders()) == len(sent) == 4
        assert max(sent) - began <= 2.0

    act(World(1), main)


def test_an_order_whose_clock_was_wrong_does_not_leave_again_after_its_time() -> None:
    """The exchange takes 6 s to say what time it is."""

    async def main(stage: Stage) -> None:
        await up(stage)
        stage.strike("clock_drift", offset=-30.0)
        stage.strike("slow_answers", path="/fapi/v1/time", latency=6.0)

        assert await outcome(stage, send_within=2.0) == "OrderNotPlacedError after 6 s"
        assert stage.orders() == []

    act(World(1), main)


def test_an_order_that_waits_for_a_lane_is_not_sent_once_it_is_cancelled() -> None:
    async def main(stage: Stage) -> None:
        await up(stage)
        stage.strike("slow_answers", path=ORDER, method="POST", latency=4.0)
        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(partial(outcome, stage, f"order-{number}"))
            await trio.sleep(1.0)
            (waiting,) = {f"order-{number}" for number in range(5)} - sent_by(stage)

            with pytest.raises(OrderNotPlacedError, match=r": it is not at the exchange$"):
                await stage.binance.cancel_order("BTCUSDT", waiting)

        assert len(stage.orders()) == 4
        assert stage.orders(waiting) == []

    act(World(1), main)


def sent_by(stage: Stage) -> set[str]:
    """Return the ids of the orders that have left."""
    journal = stage.made[-1]._journal
    return {entry.order.client_order_id for entry in journal.of_symbol("BTCUSDT") if entry.fate is not Fate.NOT_SENT}


def test_what_is_cancelled_in_the_moment_in_which_it_is_asked_for_is_not_sent() -> None:
    """Whichever of the two the client begins with."""
    cancelled: list[str] = []

    async def main(stage: Stage) -> None:
        await up(stage)
        asked: list[str] = []

        async def place(name: str) -> None:
            asked.append(name)
            await outcome(stage, name)

        async def cancel(name: str) -> None:
            was_asked_for = name in asked
            with suppress(OrderNotPlacedError, ApiError):
                await stage.binance.cancel_order("BTCUSDT", name)
            if was_asked_for and not stage.orders(name):
                cancelled.append(name)
            assert not (was_asked_for and stage.orders(name))

        for number in range(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(place, f"order-{number}")
                nursery.start_soon(cancel, f"order-{number}")

    act(World(1), main)

    assert 5 < len(cancelled) < 15


def test_an_order_that_was_asked_for_while_the_client_was_down_is_not_sent_late() -> None:
    """Its time begins when it is asked for, in the mailbox too; the first check takes 7 s."""

    async def main(stage: Stage) -> None:
        await up(stage)
        stage.strike("slow_answers", path="/fapi/v1/time", latency=7.0)
        stage.world.strike(Crash(), "/bot/api")
        await trio.sleep(0.6)
        calls = [partial(outcome, stage, name, send_within=5.0) for name in ("a", "b", "")]

        told = await side_by_side([*calls, partial(outcome, stage, "in-time", send_within=10.0)])

        assert told == ["OrderNotPlacedError after 7 s"] * 3 + ["FILLED after 7 s"]
        assert [order.client_id for order in stage.orders()] == ["in-time"]

    act(World(1), main)


# -- not absent ------------------------------------------------------------------------


def test_who_asks_again_while_an_order_is_looked_for_is_not_told_that_it_is_absent() -> None:
    async def main(stage: Stage) -> None:
        await up(stage)
        stage.strike("lost_answers", mode="silence")
        stage.strike("http_failure", 40.0, path=ORDER, method="GET")

        told = [await outcome(stage, timeout=15.0) for _ in range(2)]

        assert told == ["OrderOutcomeUnknownError after 15 s"] * 2
        assert (await buy(stage)).status == "FILLED"
        assert len(stage.orders("mine")) == 1

    act(World(1), main)


def test_who_asks_again_after_a_crash_is_told_what_is_found() -> None:
    async def main(stage: Stage) -> None:
        await up(stage)
        stage.strike("lost_answers", 10.0, mode="silence")
        stage.strike("http_failure", 20.0, path=ORDER, method="GET")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(outcome, stage))
            await trio.sleep(2.0)
            stage.world.strike(Crash(), "/bot/api")
            await trio.sleep(1.0)

            assert (await buy(stage)).status == "FILLED"

        assert len(stage.orders("mine")) == 1

    act(World(1), main)


def test_an_order_of_unknown_fate_that_is_refused_is_not_said_to_be_absent() -> None:
    """One that was never asked for before, is."""

    async def main(stage: Stage) -> None:
        await up(stage)
        stage.strike("lost_answers", 5.0, mode="silence")
        stage.strike("http_failure", path=ORDER, method="GET")
        with pytest.raises(OrderOutcomeUnknownError):
            await buy(stage)
        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(partial(outcome, stage, f"order-{number}", may_exist=True))
            await trio.sleep(0.5)

            with pytest.raises(OrderOutcomeUnknownError, match=r" 3 calls are under way, no more may be$") as caught:
                await buy(stage)
            assert isinstance(caught.value.__cause__, BulkheadFullError)
            with pytest.raises(OrderOutcomeUnknownError):
                await buy(stage, "saved", may_exist=True)
            with pytest.raises(BulkheadFullError):
                await buy(stage, "new")
            nursery.cancel_scope.cancel()

        assert len(stage.orders("mine")) == 1

    act(World(1), main, max_pending=3)


def test_an_order_that_was_given_up_is_looked_for_once_a_minute() -> None:
    async def main(stage: Stage) -> None:
        await up(stage)
        inbox = Inbox()
        await stage.runtime.start_child("/bot", inbox.spec("inbox", OrderFound))
        stage.strike("lost_answers", mode="silence", count=1)
        stage.strike("http_failure", 100.0, path=ORDER, method="GET")
        began = trio.current_time()

        assert await outcome(stage, timeout=15.0) == "OrderOutcomeUnknownError after 15 s"
        found: OrderFound = await inbox.next(OrderFound)

        assert found.order is not None
        assert (found.client_order_id, found.order.status) == ("mine", "FILLED")
        assert 100.0 <= trio.current_time() - began <= 161.0
        await trio.sleep(3_600.0)
        assert inbox.drain() == []

    act(World(1), main)


def test_an_order_of_an_earlier_process_is_sent_if_it_is_not_there() -> None:
    async def main(stage: Stage) -> None:
        await up(stage)

        assert await outcome(stage, may_exist=True) == "FILLED after 15 s"
        assert len(stage.orders("mine")) == 1

    act(World(1), main)


# -- cancelling ------------------------------------------------------------------------


def test_cancelling_all_does_not_stop_at_an_order_that_cannot_be_found_out_about() -> None:
    async def main(stage: Stage) -> None:
        client = await up(stage)
        line = client._desk._port  # type: ignore[union-attr]
        look_for = line.look_for

        async def garbled(order: PlaceOrder) -> Order:
            if order.client_order_id == "order-0":
                raise ApiDataError("GET", ORDER, "garbled")
            return await look_for(order)

        line.look_for = garbled  # type: ignore[method-assign]
        await side_by_side([partial(stage.binance.fetch_open_interest, "BTCUSDT")] * 6)
        stage.world.strike(Stall(direction="to"), "exchange", 4.0)
        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(partial(outcome, stage, f"order-{number}", price=1000))
                await trio.sleep(0.01)
            await trio.sleep(1.0)

            with pytest.raises(OrderOutcomeUnknownError) as caught:
                await stage.binance.cancel_all_orders("BTCUSDT")

        assert caught.value.client_order_id == "order-0"
        statuses = {order.client_id: order.status for order in stage.orders()}
        assert statuses == {"order-0": "NEW", "order-1": "CANCELED", "order-2": "CANCELED"}

    act(World(1), main, timeout=2.0)


def test_orders_that_hang_keep_no_cancel_out() -> None:
    """Neither by their number nor by what they hold."""

    async def main(stage: Stage) -> None:
        await up(stage)
        await stage.binance.place_order("BTCUSDT", "BUY", "0.01", 1000, client_order_id="resting")
        stage.strike("lost_answers", mode="silence")
        stage.strike("http_failure", path=ORDER, method="GET")
        async with trio.open_nursery() as nursery:
            for number in range(40):
                nursery.start_soon(partial(outcome, stage, f"order-{number}", send_within=60.0))
            await trio.sleep(5.0)
            began = trio.current_time()

            assert (await stage.binance.cancel_order("BTCUSDT", "resting")).status == "CANCELED"
            assert trio.current_time() - began < 1.0
            nursery.cancel_scope.cancel()

    act(World(1), main, max_pending=40)


# -- a ban, and a restart --------------------------------------------------------------


def test_during_a_ban_calls_are_refused_at_once_after_a_restart_as_well() -> None:
    async def main(stage: Stage) -> None:
        await up(stage)
        stage.strike("rate_limited", 3.0, patience=0, ban=1800.0)
        with pytest.raises(ApiRateLimitError):
            await stage.binance.fetch_ohlcv("BTCUSDT")
        stage.world.strike(Crash(), "/bot/api")
        await trio.sleep(5.0)
        began = trio.current_time()

        with pytest.raises(RateLimitedError):
            await buy(stage)
        with pytest.raises(RateLimitedError):
            await stage.binance.fetch_open_interest("BTCUSDT")

        assert (trio.current_time(), len(stage.made)) == (began, 2)
        await trio.sleep(1_800.0)
        assert (await buy(stage)).status == "FILLED"

    act(World(1), main)


# -- cut off ---------------------------------------------------------------------------


def test_an_order_that_is_cut_off_before_the_client_is_up_may_be_there_from_before() -> None:
    """The next incarnation, which never connected, knows what the last one knew."""

    async def main(stage: Stage) -> None:
        await up(stage)
        stage.strike("lost_answers", mode="silence")
        stage.strike("http_failure", path=ORDER, method="GET")
        assert await outcome(stage, timeout=5.0) == "OrderOutcomeUnknownError after 5 s"
        stage.strike("slow_answers", path="/fapi/v1/time", latency=7.0)
        stage.world.strike(Crash(), "/bot/api")
        await trio.sleep(1.0)
        told: list[str] = []

        async def ask(name: str) -> None:
            try:
                await buy(stage, name)
            except (OrderOutcomeUnknownError, OrderNotPlacedError) as error:
                told.append(str(error))

        for name in ("mine", "new"):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask, name)
                await trio.sleep(1.0)
                await stage.runtime.restart_child("/bot/api")

        assert told == [
            "order mine of BTCUSDT may have been placed: the connection was closed during the request",
            "order new of BTCUSDT was not placed: the connection was closed during the request",
        ]

    act(World(1), main)


def test_an_order_that_falls_out_of_the_mailbox_may_be_there_from_before() -> None:
    async def deaf(context: Context) -> None:
        await trio.sleep_forever()

    async def main() -> None:
        async with open_runtime(
            Supervisor("bot", [Child("api", deaf, mailbox=Mailbox(1, overflow="drop_oldest"))])
        ) as runtime:
            api = runtime.ref("/bot/api")
            async with trio.open_nursery() as nursery:

                async def ask() -> None:
                    with pytest.raises(OrderOutcomeUnknownError, match=r": no answer came$") as caught:
                        await Binance(api).place_order("BTCUSDT", "BUY", 1, client_order_id="mine")
                    assert isinstance(caught.value.__cause__, MailboxFullError)

                nursery.start_soon(ask)
                await trio.sleep(1.0)
                api.tell("the straw")

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.0))
