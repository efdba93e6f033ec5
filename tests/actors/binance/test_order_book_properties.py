"""Whatever the stream leaves out, repeats or delays: a book in sync is the exchange's, and it comes into sync again."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from duenna_actors.binance import BookOutcome, DepthSnapshot, DepthUpdate, OrderBook

Levels = dict[float, float]

_changes = st.lists(
    st.tuples(st.booleans(), st.integers(1, 6), st.integers(0, 3)), min_size=0, max_size=4
)  # is a bid, how far from the middle, quantity
_batches = st.lists(st.tuples(st.integers(1, 4), _changes), min_size=8, max_size=40)
_fates = st.lists(
    st.sampled_from(["pass"] * 6 + ["lose", "twice", "late1", "late3", "snapshot", "old snapshot", "future snapshot"]),
    min_size=40,
    max_size=40,
)


@attrs.define
class History:
    """What really happened: the book after each change, and the updates that tell of it."""

    books: dict[int, tuple[Levels, Levels]]
    updates: list[DepthUpdate]

    @classmethod
    def of(cls, batches: list[tuple[int, list[tuple[bool, int, int]]]]) -> History:
        """Apply batches of changes; between two changes the number grows by as much as the batch says."""
        bids: Levels = {99.0: 1.0}
        asks: Levels = {101.0: 1.0}
        number = previous = 100
        books = {number: (dict(bids), dict(asks))}
        updates: list[DepthUpdate] = []
        for step, changes in batches:
            told: tuple[Levels, Levels] = ({}, {})
            first = number + step
            for is_bid, distance, quantity in changes or [(True, 1, 1)]:
                number += step
                side, price = (bids, 100.0 - distance) if is_bid else (asks, 100.0 + distance)
                told[0 if is_bid else 1][price] = float(quantity)
                side[price] = float(quantity)
                if not quantity:
                    del side[price]
                books[number] = (dict(bids), dict(asks))
            updates.append(
                DepthUpdate(
                    event_time_ms=number,
                    symbol="X",
                    first_id=first,
                    last_id=number,
                    previous_id=previous,
                    bids=list(told[0].items()),
                    asks=list(told[1].items()),
                )
            )
            previous = number
        return cls(books, updates)

    def snapshot(self, at: int) -> DepthSnapshot:
        """Return the book as it was at the change *at*, or the last one before it."""
        number = max((each for each in self.books if each <= at), default=min(self.books))
        bids, asks = self.books[number]
        return DepthSnapshot(last_update_id=number, bids=sorted(bids.items(), reverse=True), asks=sorted(asks.items()))


def check(book: OrderBook, history: History) -> None:
    """A book that calls itself in sync is that of its number, to the last level."""
    if book.is_synced:
        view = book.view()
        bids, asks = history.books[book.last_id]
        assert list(view.bids) == sorted(bids.items(), reverse=True)
        assert list(view.asks) == sorted(asks.items())


def deliver(history: History, fates: list[str], book: OrderBook) -> None:
    """Let *book* hear of the history as the *fates* have it."""
    late: list[list[Any]] = []
    for index, (update, fate) in enumerate(zip(history.updates[:-3], fates, strict=False)):
        match fate:
            case "lose":
                pass
            case "late1" | "late3":
                late.append([int(fate[-1]), update])
            case "twice":
                book.update(update)
                check(book, history)
                book.update(update)
            case "snapshot":
                book.update(update)
                book.snapshot(history.snapshot(update.last_id - index % 3))
            case "old snapshot":
                book.update(update)
                book.snapshot(history.snapshot(update.last_id - 12))
            case "future snapshot":
                book.snapshot(history.snapshot(update.last_id + 3))
                book.update(update)
            case _:
                book.update(update)
        check(book, history)
        for entry in late:
            entry[0] -= 1
            if entry[0] == -1:
                book.update(entry[1])
                check(book, history)


@settings(max_examples=400)
@given(_batches, _fates, st.sampled_from([2, 5, 1000]))
def test_a_book_in_sync_is_the_exchanges_and_comes_into_sync_again(
    batches: list[tuple[int, list[tuple[bool, int, int]]]], fates: list[str], capacity: int
) -> None:
    history = History.of(batches)
    book = OrderBook("X", capacity=capacity)

    deliver(history, fates, book)

    last = history.updates[-3:]
    for update in last[:2]:
        book.update(update)
        check(book, history)
    book.snapshot(history.snapshot(last[1].last_id))
    check(book, history)
    assert book.is_synced
    assert book.update(last[2]) is BookOutcome.APPLIED
    check(book, history)
    assert book.last_id == last[2].last_id


@given(_batches, _fates)
def test_it_is_in_sync_whenever_a_naive_book_would_be(
    batches: list[tuple[int, list[tuple[bool, int, int]]]], fates: list[str]
) -> None:
    """The naive one follows the exchange's page to the letter, with a list and no thought of speed."""
    history = History.of(batches)
    book, naive = OrderBook("X"), Naive()
    for update, fate in zip(history.updates, fates, strict=False):
        if fate in {"snapshot", "old snapshot"}:
            snapshot = history.snapshot(update.last_id - (12 if fate == "old snapshot" else 1))
            book.snapshot(snapshot)
            naive.snapshot(snapshot)
        for _ in range({"lose": 0, "twice": 2}.get(fate, 1)):
            book.update(update)
            naive.update(update)
        check(book, history)
        if naive.levels is not None:
            assert book.is_synced
            assert naive.levels == history.books[book.last_id]


class Naive:
    """The exchange's page, step by step."""

    def __init__(self) -> None:
        self.buffer: list[DepthUpdate] = []
        self.levels: tuple[Levels, Levels] | None = None
        self.last = -1

    def update(self, update: DepthUpdate) -> None:
        if self.buffer and update.last_id <= self.buffer[-1].last_id:
            return
        if self.buffer and update.previous_id != self.buffer[-1].last_id:
            self.buffer, self.levels = [], None
        self.buffer.append(update)
        if self.levels is not None:
            self.apply(update)

    def snapshot(self, snapshot: DepthSnapshot) -> None:
        if self.levels is not None:
            return
        rest = [each for each in self.buffer if each.last_id >= snapshot.last_update_id]
        if rest and rest[0].first_id <= snapshot.last_update_id <= rest[0].last_id:
            self.levels = (dict(snapshot.bids), dict(snapshot.asks))
            for update in rest:
                self.apply(update)

    def apply(self, update: DepthUpdate) -> None:
        assert self.levels is not None
        for side, changes in zip(self.levels, (update.bids, update.asks), strict=True):
            for price, quantity in changes:
                if quantity:
                    side[price] = quantity
                else:
                    side.pop(price, None)
