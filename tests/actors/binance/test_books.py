"""Order books against the sandbox over real sockets: right, or not handed out."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import pytest

from duenna import Backoff, ChildExited, ErrorReported
from duenna_actors.binance import BinanceClient, BookChanged, BookNotReadyError, BookSynced
from duenna_actors.sandbox import SequenceGap, StaleSnapshot

from .books_kit import SYMBOLS, books, truth


async def test_books_come_into_sync_and_are_the_exchanges() -> None:
    async with books() as here:
        await here.start()

        await here.ready()

        for symbol in SYMBOLS:
            view = await here.book(symbol)
            assert view == truth(here.sandbox, view)
            assert view.age < 1.0
        assert {event.symbol for event in here.seen.of(BookSynced)} == set(SYMBOLS)


async def test_every_update_is_published_with_the_best_levels() -> None:
    async with books() as here:
        await here.start("BTCUSDT")
        await here.ready("BTCUSDT")
        before = (await here.status()).books["BTCUSDT"]
        changes: list[BookChanged] = [await here.inbox.next(BookChanged) for _ in range(50)]
        after = (await here.status()).books["BTCUSDT"]
        while changes[-1].update_id < after.update_id:
            changes.append(await here.inbox.next(BookChanged))

    told = [each for each in changes if before.update_id < each.update_id <= after.update_id]
    assert len(told) == after.applied - before.applied > 0
    assert all(early.update_id < late.update_id for early, late in pairwise(changes))
    assert all(each.bid < each.ask for each in changes)


async def test_a_book_that_has_not_come_is_not_ready() -> None:
    async with books() as here:
        await here.start(api=_nothing)

        with pytest.raises(BookNotReadyError, match=r"^the book of BTCUSDT is not in sync: no "):
            await here.book()


async def test_a_book_of_no_levels_is_the_callers_mistake() -> None:
    async with books() as here:
        await here.start("BTCUSDT")
        await here.ready("BTCUSDT")

        with pytest.raises(ValueError, match=r"^OrderBook 'BTCUSDT': depth must be >= 1 or None, got 0$"):
            await here.book("BTCUSDT", 0)


async def test_a_contract_that_nobody_wanted_is_the_callers_mistake() -> None:
    async with books() as here:
        await here.start("BTCUSDT")

        with pytest.raises(ValueError, match=r"^there is no book of XRPUSDT here, its stream xrpusdt@depth@100ms is"):
            await here.book("XRPUSDT")


async def _nothing(_symbol: str, _limit: int) -> None:
    raise OSError("no snapshot today")


async def test_snapshots_come_through_the_guarded_client_and_its_gate() -> None:
    """What uses up the weight of all others is told to wait, and all books with it."""
    async with books(weight_limit=300) as here:
        client = partial(BinanceClient, here.sandbox.url, name="books", weight_limit=300)
        await here.bot.start("client", client)
        await here.start(api="client", backoff=Backoff.steps(0.01), stable_after=60.0)
        await here.ready()
        failing = here.inject(StaleSnapshot(age=3600.0))
        here.inject(SequenceGap())

        reported = await here.seen.next(ErrorReported, lambda event: event.path.endswith("/books"))

        assert "RateLimitedError" in reported.error
        assert here.seen.of(ChildExited) == []
        here.sandbox.faults.clear(failing)
