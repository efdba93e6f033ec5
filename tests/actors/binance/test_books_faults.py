"""What becomes of order books when the stream, the REST interface, or both of them fail."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import trio

from duenna import Backoff, Child, ChildExited, ErrorReported, Mailbox
from duenna.connection import ConnectionChanged, ConnectionState
from duenna.testing import World
from duenna_actors.api_errors import ApiRateLimitError
from duenna_actors.binance import (
    BinanceBooks,
    BookChanged,
    BookDesynced,
    BookLost,
    BookNotReadyError,
    BookSynced,
    DepthSnapshot,
    DepthUpdate,
)
from duenna_actors.feed import FeedRotated, Subscribe, Subscription, Unsubscribe
from duenna_actors.sandbox import (
    CloseSockets,
    HttpFailure,
    LateEvents,
    Mute,
    SandboxSettings,
    SequenceGap,
    ServerShutdown,
    StaleEvents,
    StaleSnapshot,
)
from duenna_actors.sandbox.service import SandboxService
from tests.actors.support import Bot, Inbox, Seen

from .books_kit import FAST, SYMBOLS, Books, api_in, books, tree, truth

if TYPE_CHECKING:
    from duenna_actors.binance import BookView

NO_SNAPSHOTS = HttpFailure(path="/fapi/v1/depth", status=503)


async def in_sync(here: Books, *symbols: str) -> None:
    await here.start(*symbols)
    await here.ready(*symbols)


# -- the stream ------------------------------------------------------------------------


async def test_a_gap_takes_the_book_back_until_a_snapshot_fits() -> None:
    async with books() as here:
        await in_sync(here)
        failing = here.inject(NO_SNAPSHOTS)
        here.inject(SequenceGap(symbol="BTCUSDT"))

        lost = await here.inbox.next(BookLost)
        assert (lost.symbol, lost.why[:13]) == ("BTCUSDT", "updates from ")
        with pytest.raises(
            BookNotReadyError, match=r"^the book of BTCUSDT is not in sync: updates from \d+ to \d+ are"
        ):
            await here.book("BTCUSDT")
        assert await here.is_right("ETHUSDT")
        status = (await here.status()).books["BTCUSDT"]
        assert (status.is_ready, status.gaps) == (False, 1)
        desynced = await here.seen.next(BookDesynced)
        assert (desynced.symbol, desynced.why) == ("BTCUSDT", lost.why)

        here.sandbox.faults.clear(failing)
        synced = await here.seen.next(BookSynced)
        assert synced.symbol == "BTCUSDT"
        assert synced.attempts > 0
        assert await here.is_right("BTCUSDT")


async def test_a_lost_book_publishes_nothing_until_it_is_back() -> None:
    async with books() as here:
        await in_sync(here)
        here.inject(NO_SNAPSHOTS)
        here.inject(SequenceGap(symbol="BTCUSDT"))
        await here.inbox.next(BookLost)

        changed = {(await here.inbox.next(BookChanged)).symbol for _ in range(30)}

        assert changed == {"ETHUSDT"}


async def test_an_update_that_comes_late_brings_the_book_back_without_a_snapshot() -> None:
    async with books() as here:
        await in_sync(here, "BTCUSDT")
        here.inject(NO_SNAPSHOTS)

        here.inject(LateEvents(symbol="BTCUSDT", after=3, count=1))
        await here.inbox.next(BookLost)
        await here.ready("BTCUSDT")

        assert await here.is_right()
        assert (await here.status()).books["BTCUSDT"].snapshots == 1


async def test_a_silent_stream_takes_its_book_back() -> None:
    """Quotes on a frozen book are what this is for."""
    async with books() as here:
        await here.start(stale_after=0.3, redrives=50)
        await here.ready()
        muted = here.inject(Mute(symbol="ETHUSDT"))

        lost = await here.inbox.next(BookLost)
        assert (lost.symbol, lost.why) == ("ETHUSDT", "its stream is stale")
        with pytest.raises(BookNotReadyError, match=r"^the book of ETHUSDT is not in sync: its stream is stale$"):
            await here.book("ETHUSDT")
        assert await here.is_right("BTCUSDT")

        here.sandbox.faults.clear(muted)
        await here.ready("ETHUSDT")
        assert await here.is_right("ETHUSDT")


async def test_a_stream_of_old_events_takes_its_book_back_as_well() -> None:
    async with books() as here:
        await here.start("BTCUSDT", stale_after=0.3, redrives=50, max_event_age=30.0)
        await here.ready("BTCUSDT")
        old = here.inject(StaleEvents(age=3600.0))

        assert (await here.inbox.next(BookLost)).why == "its stream is stale"
        with trio.move_on_after(0.3):
            await here.inbox.next(BookChanged)
            raise AssertionError("an old book was published")

        here.sandbox.faults.clear(old)
        await here.ready("BTCUSDT")


@pytest.mark.parametrize("code", [1000, 1006])
async def test_a_websocket_that_is_closed_costs_one_snapshot_each(code: int) -> None:
    async with books() as here:
        await in_sync(here)

        here.inject(CloseSockets(path="/public*", code=code))
        lost = {(await here.inbox.next(BookLost)).symbol for _ in SYMBOLS}
        await here.ready()

        assert lost == set(SYMBOLS)
        assert len(here.seen.of(ChildExited)) == 1
        assert [each.snapshots for each in (await here.status()).books.values()] == [1, 1]
        assert await here.is_right()


@pytest.mark.parametrize("notice", [5.0, 0.0], ids=["with notice", "closed at once"])
async def test_a_server_that_shuts_down_is_left_in_time(notice: float) -> None:
    async with books() as here:
        await in_sync(here)
        here.inject(ServerShutdown(notice=notice))

        rotated = await here.seen.next(FeedRotated)
        await here.ready()

        assert rotated.why == "server shutdown"
        assert here.seen.of(ChildExited) == []
        if notice:
            assert await here.is_right()
            assert here.seen.of(BookDesynced) == []
        else:  # what happened between the end of one and the beginning of the other is missing, and that is noticed
            while not await here.is_right():
                await here.ready()


async def test_a_planned_change_of_the_websocket_costs_nothing() -> None:
    async with books() as here:
        await here.start("BTCUSDT", rotate_every=0.3)
        await here.ready("BTCUSDT")
        ids: list[int] = []
        while len(here.seen.of(FeedRotated)) < 4:
            ids.append((await here.inbox.next(BookChanged)).update_id)

        status = (await here.status()).books["BTCUSDT"]
        assert (status.gaps, status.old, status.snapshots) == (0, 0, 1)
        assert all(early < late for early, late in pairwise(ids))
        assert here.seen.of(BookDesynced) == []
        assert here.seen.of(ChildExited) == []
        assert await here.is_right()


# -- snapshots -------------------------------------------------------------------------


async def test_snapshots_that_lag_behind_the_stream_fit_in_the_end() -> None:
    """unicorn-binance-local-depth-cache, pull 98: the loop that never converges."""
    async with books() as here:
        here.inject(StaleSnapshot(age=1.0))
        await here.start("BTCUSDT", backoff=Backoff.steps(0.1))

        await here.ready("BTCUSDT")

        assert await here.is_right()
        status = (await here.status()).books["BTCUSDT"]
        assert status.too_old > 3
        assert status.gaps == 0


async def test_a_rest_interface_that_is_down_degrades_and_does_not_crash() -> None:
    async with books() as here:
        failing = here.inject(NO_SNAPSHOTS)
        await here.start(sync_within=0.2)
        await here.seen.becomes("degraded", "/books")
        reported = await here.seen.next(ErrorReported, lambda event: "BookNotReadyError" in event.error)
        assert "is not in sync: for more than 0.2 s" in reported.error

        here.sandbox.faults.clear(failing)
        with trio.fail_after(4.0):  # the next check would be due after 5 s
            await here.seen.becomes("operational", "/books")

        assert await here.is_right()
        assert here.seen.of(ChildExited) == []


async def test_too_many_snapshots_that_do_not_help_are_a_crash() -> None:
    async with books() as here:
        here.inject(StaleSnapshot(age=3600.0))

        await here.start("BTCUSDT", max_attempts=3, child_backoff=Backoff.steps(60.0))
        exited = await here.seen.next(ChildExited)

        assert exited.reason.startswith(
            "BookSyncError: the book of BTCUSDT is not in sync after 3 attempts: the snapshot"
        )


async def test_who_is_told_to_wait_waits_for_all_books_and_does_not_give_up() -> None:
    calls: list[float] = []

    async def banned(symbol: str, limit: int) -> DepthSnapshot:
        calls.append(trio.current_time())
        raise ApiRateLimitError("GET", "/fapi/v1/depth", "told to wait", status=429, retry_after=0.2)

    async with books() as here:
        await here.start(api=banned, max_attempts=1, max_in_flight=1)

        while len(calls) < 4:
            await here.seen.next(ErrorReported)

        assert all(late - early >= 0.2 for early, late in pairwise(calls))
        assert here.seen.of(ChildExited) == []


async def test_snapshots_are_asked_for_one_after_the_other() -> None:
    symbols = [f"{letter}XUSDT" for letter in "ABCDEF"]
    under_way: list[str] = []
    most: list[int] = []
    starts: list[float] = []

    async def slow(symbol: str, limit: int) -> DepthSnapshot:
        under_way.append(symbol)
        most.append(len(under_way))
        starts.append(trio.current_time())
        await trio.sleep(0.1)
        under_way.remove(symbol)
        raise OSError("no snapshot today")

    async with books(symbols=symbols) as here:
        await here.start(*symbols, api=slow, max_in_flight=2, snapshot_interval=0.03)
        while len(starts) < 12:
            await here.seen.next(ErrorReported)

    assert max(most) == 2
    assert starts[11] - starts[0] >= 10 * 0.03


async def test_an_empty_snapshot_is_none() -> None:
    """An empty book would be in sync with nothing."""
    async with books(book_levels=1) as here:
        here.sandbox._app.exchange.books["BTCUSDT"].levels = 0
        await here.start("BTCUSDT")

        reported = await here.seen.next(ErrorReported)

        assert "ApiDataError: GET /fapi/v1/depth: a book of BTCUSDT without levels" in reported.error


# -- depth -----------------------------------------------------------------------------


async def test_a_book_with_few_levels_is_deepened_and_has_none_missing() -> None:
    """Snapshots have ten levels of twenty: what is handed out is a beginning of the exchange's book."""
    async with books(tick=0.005, stream_speed=100.0) as here:
        await here.start("BTCUSDT", limit=10)
        await here.ready("BTCUSDT")
        snapshots = beginnings = 0
        while snapshots < 3:
            await here.ready("BTCUSDT")
            view: BookView = await here.book()
            whole = truth(here.sandbox, view)
            assert view.bids == whole.bids[: len(view.bids)]
            assert view.asks == whole.asks[: len(view.asks)]
            beginnings += len(view.bids) < len(whole.bids)
            snapshots = (await here.status()).books["BTCUSDT"].snapshots

        assert beginnings > 0
        assert here.seen.of(BookDesynced) == []


# -- life ------------------------------------------------------------------------------


async def test_books_come_and_go_at_run_time() -> None:
    async with books() as here:
        await in_sync(here, "BTCUSDT")

        await here.ref.ask(Subscribe((Subscription("ethusdt@depth@100ms"),)))
        await here.ready("ETHUSDT")
        assert await here.is_right("ETHUSDT")

        await here.ref.ask(Unsubscribe(("ethusdt@depth@100ms",)))
        assert (await here.inbox.next(BookLost)).why == "it is not subscribed any more"
        with pytest.raises(ValueError, match=r"^there is no book of ETHUSDT here"):
            await here.book("ETHUSDT")
        assert here.keeper is not None
        late = DepthUpdate(symbol="ETHUSDT", first_id=1, last_id=2, previous_id=0, bids=[], asks=[])
        here.keeper.deliver("ethusdt@depth@100ms", late)  # it was under way
        assert set((await here.status()).books) == {"BTCUSDT"}


async def test_other_streams_of_the_same_websocket_are_passed_on() -> None:
    async with books() as here:
        await in_sync(here, "BTCUSDT")
        other = Inbox()
        await here.bot.runtime.start_child("/bot", other.spec("other", object))

        await here.ref.ask(Subscribe((Subscription("btcusdt@bookTicker"), Subscription("btcusdt@depth@500ms"))))

        kinds: set[str] = set()
        while kinds < {"BookTicker", "BookChanged", "DepthUpdate"}:
            kinds.add(type(await other.next()).__name__)
        assert await here.is_right()


async def test_a_suspended_keeper_hands_nothing_out() -> None:
    async with books() as here:
        await in_sync(here, "BTCUSDT")

        await here.bot.runtime.suspend("/bot/books")
        assert (await here.inbox.next(BookLost)).why == "its websocket is closed"
        await here.bot.runtime.resume("/bot/books")
        await here.ready("BTCUSDT")

        assert await here.is_right()


async def test_a_consumer_whose_mailbox_is_full_costs_no_book_its_sync() -> None:
    async with books() as here:
        await here.bot.runtime.start_child("/bot", Child("deaf", _deaf, mailbox=Mailbox(1)))
        await here.start("BTCUSDT", to="deaf")
        await here.seen.next(BookSynced)
        await here.seen.next(ErrorReported, lambda event: "MailboxFullError" in event.error)
        here.inject(SequenceGap(symbol="BTCUSDT"))

        await here.seen.next(BookDesynced)
        await here.seen.next(BookSynced)

        assert await here.is_right()
        assert here.seen.of(ChildExited) == []


async def _deaf(_context: object) -> None:
    await trio.sleep_forever()


# -- a day -----------------------------------------------------------------------------


def test_a_day_and_a_half_without_a_gap_or_a_duplicate() -> None:
    """The exchange cuts a websocket off after 24 hours; it is changed before that."""
    world = World(1)
    settings = SandboxSettings(tick=120.0)
    service = SandboxService(SYMBOLS, seed=1, wall_time=world.true_time, settings=settings)
    service.join(world, "exchange", ["rest.exchange", "streams.exchange"])
    ids: dict[str, list[int]] = {symbol: [] for symbol in SYMBOLS}

    async def main() -> list[float]:
        inbox = Inbox()
        given = FAST | {"api": "api", "base_url": "ws://streams.exchange", "wall_time": world.wall_time}
        slow = {"stale_after": 600.0, "first_data_within": 200.0, "max_event_age": 400.0, "ping_every": 1000.0}
        make = partial(BinanceBooks, SYMBOLS, **(given | slow))
        async with world.open_runtime(tree(api_in(world), inbox)) as runtime:
            with runtime.events(FeedRotated, ChildExited, BookDesynced, ConnectionChanged, capacity=10_000) as stream:
                assert service.sandbox is not None
                here = Books(service.sandbox, Bot(runtime, Seen(stream)), inbox)
                await here.bot.start("books", make)
                await trio.sleep(1.5 * 86_400.0)
                for change in inbox.drain():
                    assert isinstance(change, BookChanged)
                    ids[change.symbol].append(change.update_id)
                assert all([await here.is_right(symbol) for symbol in SYMBOLS])
                assert here.seen.of(ChildExited) == []
                assert here.seen.of(BookDesynced) == []
                assert {each.state for each in here.seen.of(ConnectionChanged)} <= {
                    ConnectionState.CONNECTING,
                    ConnectionState.OPERATIONAL,
                }
                return [each.age for each in here.seen.of(FeedRotated)]

    (age,) = world.run(main)

    assert 0.9 * 23 * 3600.0 <= age <= 23 * 3600.0 + 300.0
    for seen in ids.values():
        assert len(seen) == pytest.approx(1.5 * 720, abs=4)
        assert seen == list(range(seen[0], seen[0] + len(seen) * 8, 8))
    assert world.violations() == ()
