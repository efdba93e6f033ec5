"""The book and its changes."""

from hypothesis import given
from hypothesis import strategies as st

from duenna_actors.sandbox._book import UPDATES_PER_TICK, Book, BookChange, BookSource, change
from duenna_actors.sandbox._market import Market
from duenna_actors.sandbox._symbols import find_symbols

START = 1_700_000_000.0
BTC = find_symbols(["BTCUSDT"], 0)["BTCUSDT"]
AGES = st.integers(-10_000, 100_000)


def source(levels: int = 10) -> BookSource:
    return BookSource(Market(BTC, 1, START, 0.2), levels)


def apply(book: Book, changed: BookChange) -> Book:
    """Do with a book what a client does with a depth event."""
    sides = []
    for levels, changes in ((book.bids, changed.bids), (book.asks, changed.asks)):
        merged = {**levels, **changes}
        sides.append({price: quantity for price, quantity in merged.items() if quantity})
    return Book(changed.last, *sides)


@given(AGES)
def test_a_book_never_crosses_and_is_in_order(age: int) -> None:
    books = source()
    book = books.book(books.market.tick_at(START) + age)

    assert max(book.bids) < min(book.asks)
    assert list(book.bids) == sorted(book.bids, reverse=True)
    assert list(book.asks) == sorted(book.asks)
    assert len(book.bids) == len(book.asks) == 10
    assert min(*book.bids.values(), *book.asks.values()) >= 1


@given(AGES)
def test_the_top_is_the_top_of_the_book(age: int) -> None:
    books = source()
    tick = books.market.tick_at(START) + age
    top, book, quote = books.top(tick), books.book(tick), books.market.quote(tick)

    assert (top.bid, top.bid_quantity) == next(iter(book.bids.items()))
    assert (top.ask, top.ask_quantity) == next(iter(book.asks.items()))
    assert (top.bid, top.ask, top.update) == (quote.bid, quote.ask, book.update)


@given(AGES, st.lists(st.integers(1, 500), min_size=1, max_size=20))
def test_changes_lead_from_one_book_to_the_next(age: int, steps: list[int]) -> None:
    """A client that applies every event has the book of the last snapshot, and each `pu` is the `u` before."""
    books = source()
    tick = books.market.tick_at(START) + age
    old = held = books.book(tick)
    for step in steps:
        tick += step
        new = books.book(tick)
        changed = change(old, new)
        assert changed.previous == held.update
        assert changed.first == held.update + 1
        assert changed.last - changed.first + 1 == step * UPDATES_PER_TICK
        held = apply(held, changed)
        old = new

    fresh = source().book(tick)
    assert held.update == fresh.update
    assert dict(sorted(held.bids.items())) == dict(sorted(fresh.bids.items()))
    assert dict(sorted(held.asks.items())) == dict(sorted(fresh.asks.items()))


def test_levels_change_a_little_all_the_time() -> None:
    books = source(20)
    first = books.market.tick_at(START)
    sizes = []
    for tick in range(first, first + 500):
        changed = change(books.book(tick), books._make(tick + 1))
        sizes.append(len(changed.bids) + len(changed.asks))

    assert all(sizes)
    assert sum(sizes) / len(sizes) < 30


def test_quantities_are_forgotten_before_they_are_too_many() -> None:
    books = source(100)
    first = books.market.tick_at(START)
    for tick in range(first, first + 2_000, 16):
        books.book(tick)

    assert len(books._quantities) <= 4_096
