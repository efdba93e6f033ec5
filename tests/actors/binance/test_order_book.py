"""One order book: in sync by the exchange's rule, or not handed out."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna_actors.binance import BinanceStreams, BookNotReadyError, BookOutcome, DepthSnapshot, DepthUpdate, OrderBook

Side = list[tuple[float, float]]


def update(previous: int, last: int, bids: Side | None = None, asks: Side | None = None, ms: int = 0) -> DepthUpdate:
    return DepthUpdate(
        event_time_ms=ms or last,
        symbol="BTCUSDT",
        first_id=previous + 1,
        last_id=last,
        previous_id=previous,
        bids=bids or [],
        asks=asks or [],
        transaction_time_ms=ms or last,
    )


def snapshot(last: int, bids: Side | None = None, asks: Side | None = None) -> DepthSnapshot:
    return DepthSnapshot(last_update_id=last, bids=bids or [(99.0, 1.0)], asks=asks or [(101.0, 1.0)])


def synced(**bounds: int) -> OrderBook:
    """Return a book in sync at 20, with one level on each side."""
    book = OrderBook("BTCUSDT", **bounds)
    book.update(update(10, 20))
    assert book.snapshot(snapshot(15)) is BookOutcome.SYNCED
    return book


def levels(book: OrderBook) -> tuple[Side, Side]:
    view = book.view()
    return list(view.bids), list(view.asks)


# -- coming into sync ------------------------------------------------------------------


def test_updates_wait_for_the_snapshot() -> None:
    book = OrderBook("BTCUSDT")

    assert book.update(update(10, 20, bids=[(98.0, 2.0)])) is BookOutcome.WAITING
    assert book.update(update(20, 30, bids=[(97.0, 3.0)])) is BookOutcome.WAITING
    assert (book.is_synced, book.buffered, book.why) == (False, 2, "no snapshot has come yet")
    assert book.snapshot(snapshot(15)) is BookOutcome.SYNCED

    assert levels(book) == ([(99.0, 1.0), (98.0, 2.0), (97.0, 3.0)], [(101.0, 1.0)])
    assert (book.last_id, book.buffered, book.why) == (30, 0, "")


def test_updates_from_before_the_snapshot_are_dropped() -> None:
    book = OrderBook("BTCUSDT")
    book.update(update(10, 20, bids=[(98.0, 2.0)]))
    book.update(update(20, 30, bids=[(97.0, 3.0)]))

    book.snapshot(snapshot(25))

    assert levels(book)[0] == [(99.0, 1.0), (97.0, 3.0)]


@pytest.mark.parametrize("last", [10, 11, 19, 20])
def test_the_first_update_has_the_snapshots_number_in_it(last: int) -> None:
    """U <= lastUpdateId <= u; a snapshot of exactly `pu` is that of U as well, for nothing lies between them."""
    book = OrderBook("BTCUSDT")
    book.update(update(10, 20, bids=[(98.0, 2.0)]))

    assert book.snapshot(snapshot(last)) is BookOutcome.SYNCED
    assert levels(book)[0] == [(99.0, 1.0), (98.0, 2.0)]


def test_a_snapshot_from_before_the_buffer_is_of_no_use_and_the_buffer_is_kept() -> None:
    book = OrderBook("BTCUSDT")
    book.update(update(10, 20))

    assert book.snapshot(snapshot(9)) is BookOutcome.OLD
    assert (book.too_old, book.buffered, book.why) == (1, 1, "the snapshot 9 is older than update 10")
    assert book.update(update(20, 30)) is BookOutcome.WAITING
    assert book.snapshot(snapshot(12)) is BookOutcome.SYNCED


def test_a_snapshot_ahead_of_the_stream_waits_for_it() -> None:
    book = OrderBook("BTCUSDT")
    book.update(update(10, 20, bids=[(98.0, 2.0)]))

    assert book.snapshot(snapshot(25)) is BookOutcome.WAITING
    assert not book.is_synced
    assert book.update(update(20, 30, bids=[(97.0, 3.0)])) is BookOutcome.SYNCED
    assert levels(book)[0] == [(99.0, 1.0), (97.0, 3.0)]


def test_a_snapshot_that_comes_first_waits_too() -> None:
    book = OrderBook("BTCUSDT")

    assert book.snapshot(snapshot(15)) is BookOutcome.WAITING
    assert book.update(update(10, 20)) is BookOutcome.SYNCED


def test_a_snapshot_that_waits_and_turns_out_too_old_is_dropped() -> None:
    book = OrderBook("BTCUSDT")
    book.snapshot(snapshot(15))

    assert book.update(update(20, 30)) is BookOutcome.OLD
    assert (book.is_synced, book.too_old, book.buffered) == (False, 1, 1)


def test_lagging_snapshots_fit_in_the_end() -> None:
    """Each lags 30 updates behind the stream, which had a gap; the first that is behind it fits."""
    book = OrderBook("BTCUSDT")
    outcomes: list[BookOutcome] = []
    for number in range(100, 140):
        book.update(update(number, number + 1))
        outcomes.append(book.snapshot(snapshot(number - 30)))

    assert outcomes[:30] == [BookOutcome.OLD] * 30
    assert outcomes[30] is BookOutcome.SYNCED
    assert book.last_id == 140


def test_a_level_of_a_snapshot_without_quantity_is_none() -> None:
    book = OrderBook("BTCUSDT")
    book.update(update(10, 20))
    book.snapshot(snapshot(15, bids=[(99.0, 0.0), (98.0, 1.0)], asks=[(101.0, 0.0), (102.0, 1.0)]))

    assert levels(book) == ([(98.0, 1.0)], [(102.0, 1.0)])


def test_a_snapshot_that_nobody_needs_is_old() -> None:
    book = synced()

    assert book.snapshot(snapshot(20, bids=[(1.0, 1.0)])) is BookOutcome.OLD
    assert levels(book)[0] == [(99.0, 1.0)]


# -- in sync ---------------------------------------------------------------------------


def test_quantities_are_absolute_and_nothing_removes() -> None:
    book = synced()

    assert book.update(update(20, 30, bids=[(99.0, 5.0), (98.5, 2.0)], asks=[(102.0, 7.0)])) is BookOutcome.APPLIED
    assert book.update(update(30, 40, bids=[(99.0, 0.0)], asks=[(101.0, 0.0), (103.0, 0.0)])) is BookOutcome.APPLIED

    assert levels(book) == ([(98.5, 2.0)], [(102.0, 7.0)])


def test_removing_what_is_not_there_is_normal() -> None:
    book = synced()

    assert book.update(update(20, 30, bids=[(1.0, 0.0)], asks=[(900.0, 0.0)])) is BookOutcome.APPLIED
    assert levels(book) == ([(99.0, 1.0)], [(101.0, 1.0)])


def test_duplicates_and_late_updates_are_dropped() -> None:
    book = synced()
    book.update(update(20, 30, bids=[(98.0, 1.0)]))
    book.update(update(30, 40, bids=[(98.0, 2.0)]))

    assert book.update(update(30, 40, bids=[(98.0, 2.0)])) is BookOutcome.OLD
    assert book.update(update(20, 30, bids=[(98.0, 1.0)])) is BookOutcome.OLD

    assert (book.old, book.last_id, book.gaps) == (2, 40, 0)
    assert levels(book)[0] == [(99.0, 1.0), (98.0, 2.0)]


def test_the_top_and_the_times_are_those_of_the_last_update() -> None:
    book = synced()
    book.update(update(20, 30, bids=[(100.0, 2.5)], ms=1234))

    top, view = book.top(), book.view(1, age=0.5)

    assert (top.bid, top.bid_quantity, top.ask, top.ask_quantity) == (100.0, 2.5, 101.0, 1.0)
    assert (top.update_id, top.event_time_ms) == (30, 1234)
    assert (view.bids, view.asks, view.age) == (((100.0, 2.5),), ((101.0, 1.0),), 0.5)
    assert (view.update_id, view.event_time_ms, view.transaction_time_ms) == (30, 1234, 1234)


def test_an_empty_side_has_no_best_level() -> None:
    book = synced()

    assert book.update(update(20, 30, bids=[(99.0, 0.0)])) is BookOutcome.APPLIED
    assert (book.top().bid, book.top().bid_quantity, book.view().bids) == (0.0, 0.0, ())


# -- out of sync -----------------------------------------------------------------------


@pytest.mark.parametrize("previous", [21, 25, 15])
def test_a_gap_needs_a_snapshot(previous: int) -> None:
    """`pu` must be exactly the last `u`: what overlaps is as suspicious as what is missing."""
    book = synced()

    assert book.update(update(previous, 30)) is BookOutcome.GAP
    assert (book.is_synced, book.gaps, book.buffered) == (False, 1, 1)
    assert book.why == f"updates from 20 to {previous} are missing"
    assert book.update(update(30, 40)) is BookOutcome.WAITING
    assert book.snapshot(snapshot(35, bids=[(98.0, 4.0)])) is BookOutcome.SYNCED
    assert levels(book)[0] == [(98.0, 4.0)]


def test_a_book_that_is_not_in_sync_is_not_handed_out() -> None:
    book = synced()
    book.update(update(25, 30))

    with pytest.raises(BookNotReadyError, match=r"^the book of BTCUSDT is not in sync: updates from 20 to 25 are"):
        book.top()
    with pytest.raises(BookNotReadyError):
        book.view()


def test_what_comes_late_fills_the_gap() -> None:
    book = synced()
    book.update(update(30, 40, bids=[(98.0, 2.0)]))

    assert book.update(update(20, 30, bids=[(98.0, 1.0), (97.0, 1.0)])) is BookOutcome.SYNCED
    assert levels(book)[0] == [(99.0, 1.0), (98.0, 2.0), (97.0, 1.0)]
    assert book.update(update(40, 50)) is BookOutcome.APPLIED


def test_a_gap_before_a_snapshot_came_begins_the_buffer_anew() -> None:
    """A snapshot from before the gap would lead to a book with a gap in it."""
    book = OrderBook("BTCUSDT")
    book.update(update(10, 20))

    assert book.update(update(25, 30)) is BookOutcome.GAP
    assert book.buffered == 1
    assert book.snapshot(snapshot(15)) is BookOutcome.OLD
    assert book.snapshot(snapshot(27)) is BookOutcome.SYNCED


def test_a_snapshot_that_waited_bridges_a_gap() -> None:
    book = OrderBook("BTCUSDT")
    book.update(update(10, 20))
    book.snapshot(snapshot(28, bids=[(98.0, 4.0)]))

    assert book.update(update(25, 30)) is BookOutcome.SYNCED
    assert (book.gaps, levels(book)[0]) == (1, [(98.0, 4.0)])


def test_a_crossed_book_needs_a_snapshot_and_trusts_nothing_from_before() -> None:
    book = synced()

    assert book.update(update(20, 30, bids=[(101.0, 1.0)])) is BookOutcome.CROSSED
    assert (book.is_synced, book.crossings) == (False, 1)
    assert book.why == "the best bid 101.0 is not below the best ask 101.0"
    assert book.update(update(30, 40)) is BookOutcome.WAITING
    assert book.snapshot(snapshot(32)) is BookOutcome.SYNCED


def test_a_crossed_snapshot_is_not_taken() -> None:
    book = OrderBook("BTCUSDT")
    book.update(update(10, 20))

    assert book.snapshot(snapshot(15, bids=[(101.0, 1.0)])) is BookOutcome.CROSSED
    assert (book.is_synced, book.crossings) == (False, 1)
    assert book.snapshot(snapshot(15)) is BookOutcome.SYNCED


def test_a_snapshot_that_crosses_with_what_was_buffered_is_no_book() -> None:
    book = OrderBook("BTCUSDT")
    book.update(update(10, 20, bids=[(102.0, 1.0)]))

    assert book.snapshot(snapshot(15)) is BookOutcome.CROSSED
    assert not book.is_synced


def test_an_exchange_that_counts_anew_is_believed() -> None:
    """Otherwise every update after a maintenance would be an old one, and the book frozen for ever."""
    book = synced()

    assert book.update(update(1, 2, ms=50)) is BookOutcome.GAP
    assert (book.is_synced, book.why) == (False, "the numbers of updates went back to 2")
    assert book.update(update(2, 3, ms=51)) is BookOutcome.WAITING
    assert book.snapshot(snapshot(2, bids=[(98.0, 4.0)])) is BookOutcome.SYNCED
    assert levels(book)[0] == [(98.0, 4.0)]


def test_numbers_of_before_mean_nothing_once_the_exchange_counts_anew() -> None:
    """Neither does an update follow the old book that happens to have its number, nor does an old snapshot fit."""
    book = synced()
    book.update(update(25, 30))
    book.snapshot(snapshot(35))
    book.update(update(1, 2, ms=50))

    assert book.update(update(20, 40, ms=51)) is BookOutcome.GAP
    assert not book.is_synced


def test_an_update_that_ends_before_it_begins_is_dropped() -> None:
    book = synced()

    assert book.update(update(20, 15)) is BookOutcome.OLD
    assert (book.is_synced, book.last_id) == (True, 20)


# -- bounds ----------------------------------------------------------------------------


def test_the_buffer_is_bounded() -> None:
    book = OrderBook("BTCUSDT", capacity=3)
    for number in range(10):
        book.update(update(number, number + 1))

    assert (book.buffered, book.dropped) == (3, 7)
    assert book.snapshot(snapshot(6)) is BookOutcome.OLD
    assert book.snapshot(snapshot(7)) is BookOutcome.SYNCED


def test_what_fills_a_gap_finds_no_room_in_a_full_buffer() -> None:
    book = synced(capacity=2)
    book.update(update(30, 40))
    book.update(update(40, 50))

    assert book.update(update(20, 30)) is BookOutcome.OLD
    assert book.buffered == 2


def test_levels_are_bounded_and_the_worst_go() -> None:
    book = synced(limit=10, max_levels=10)
    bids = [(float(price), 1.0) for price in range(50, 60)]
    asks = [(float(price), 1.0) for price in range(110, 120)]

    book.update(update(20, 30, bids=bids, asks=asks))

    assert [price for price, _ in levels(book)[0]] == [99.0, *range(59, 51, -1)]
    assert [price for price, _ in levels(book)[1]] == [101.0, *range(110, 118)]
    assert (book.bid_floor, book.ask_ceiling) == (52.0, 117.0)


def test_only_levels_among_which_none_is_missing_are_handed_out() -> None:
    """What lay behind the end of the snapshot comes to be known only when it changes."""
    book = OrderBook("BTCUSDT", limit=2)
    book.update(update(10, 20))
    book.snapshot(snapshot(15, bids=[(99.0, 1.0), (98.0, 1.0)], asks=[(101.0, 1.0), (102.0, 1.0)]))

    book.update(update(20, 30, bids=[(90.0, 1.0)], asks=[(110.0, 1.0), (101.5, 3.0)]))

    assert levels(book) == ([(99.0, 1.0), (98.0, 1.0)], [(101.0, 1.0), (101.5, 3.0), (102.0, 1.0)])


def test_a_book_that_has_run_out_of_levels_is_deepened_without_losing_its_sync() -> None:
    book = OrderBook("BTCUSDT", limit=8)
    bids = [(float(price), 1.0) for price in range(99, 91, -1)]
    book.update(update(10, 20))
    book.snapshot(snapshot(15, bids=bids))
    assert not book.is_thin

    book.update(update(20, 30, bids=[(price, 0.0) for price, _ in bids[:7]]))
    assert book.is_thin
    book.record()
    assert book.update(update(30, 40, bids=[(91.5, 4.0)])) is BookOutcome.APPLIED
    assert book.snapshot(snapshot(29)) is BookOutcome.OLD
    assert book.is_synced
    assert book.snapshot(snapshot(35, bids=[(92.0, 1.0), (91.0, 7.0)])) is BookOutcome.SYNCED

    assert levels(book)[0] == [(92.0, 1.0), (91.5, 4.0), (91.0, 7.0)]
    assert not book.is_thin
    assert book.update(update(40, 50)) is BookOutcome.APPLIED


def test_a_snapshot_ahead_of_the_stream_deepens_a_book_as_well() -> None:
    book = synced()
    book.record()

    assert book.snapshot(snapshot(35, bids=[(98.0, 4.0)])) is BookOutcome.WAITING
    assert book.update(update(20, 30)) is BookOutcome.APPLIED
    assert book.update(update(30, 40)) is BookOutcome.SYNCED
    assert levels(book)[0] == [(98.0, 4.0)]


def test_a_thin_side_of_asks_is_noticed_too() -> None:
    book = OrderBook("BTCUSDT", limit=8)
    asks = [(float(price), 1.0) for price in range(101, 109)]
    book.update(update(10, 20))
    book.snapshot(snapshot(15, asks=asks))

    book.update(update(20, 30, asks=[(price, 0.0) for price, _ in asks[:7]]))

    assert book.is_thin


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"limit": 0}, "limit must be >= 1, got 0"),
        ({"capacity": 0}, "capacity must be >= 1, got 0"),
        ({"limit": 10, "max_levels": 9}, "max_levels must be >= 10, got 9"),
    ],
)
def test_bounds_into_which_nothing_fits_are_refused(bounds: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^OrderBook 'BTCUSDT': {message}$"):
        OrderBook("BTCUSDT", **bounds)


# -- prices ----------------------------------------------------------------------------


@given(st.integers(1, 10**15 - 1), st.integers(0, 15), st.integers(0, 3))
def test_prices_are_kept_exactly(digits: int, decimals: int, zeros: int) -> None:
    """A decimal number of up to 15 digits is one float, however it is written, and comes back from it."""
    number = Decimal(digits).scaleb(-decimals)
    texts = [f"{number:f}", f"{number:f}" + ("." if decimals == 0 else "") + "0" * zeros]
    decoder = msgspec.json.Decoder(DepthSnapshot, strict=False)
    floats = {decoder.decode(_depth(text)).bids[0][0] for text in texts if not text.endswith(".")}

    assert len(floats) == 1
    assert Decimal(repr(floats.pop())) == number


@pytest.mark.parametrize("level", ['["nan","1"]', '["0","1"]', '["-1","1"]', '["1","-1"]', '["inf","1"]', '["1","x"]'])
def test_levels_that_cannot_be_are_bad_frames(level: str) -> None:
    frame = f'{{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[{level}],"a":[]}}'

    with pytest.raises(ValueError, match=r"Expected `float`|must be"):
        BinanceStreams().decode(frame)


def _depth(price: str) -> str:
    return f'{{"lastUpdateId":1,"E":1,"T":1,"bids":[["{price}","1"]],"asks":[]}}'
