"""The order book of one contract: levels that live a few seconds each, and what changed between two of its states."""

from collections.abc import Iterator

import attrs

from duenna_actors.sandbox._market import Market
from duenna_actors.sandbox._noise import bits, mix

UPDATES_PER_TICK = 8
"""How far the update number runs on in one tick."""

_LIFE = 16
_STRIDE = 7
_KEPT = 4_096


@attrs.frozen
class Book:
    """The levels at one tick: quantity by price, both in units, best first.

    Attributes:
        update: The number of the last update that is in it.
        bids: Quantity by price, highest first.
        asks: Quantity by price, lowest first.
    """

    update: int
    bids: dict[int, int]
    asks: dict[int, int]


@attrs.frozen
class Top:
    """The best levels at one tick, in units."""

    update: int
    bid: int
    bid_quantity: int
    ask: int
    ask_quantity: int


@attrs.frozen
class BookChange:
    """What leads from one book to another: absolute quantities, 0 for a level that is gone.

    Attributes:
        first: The number of the first update in it.
        last: The number of the last update in it.
        previous: The number of the last update before it.
        bids: Quantity by price.
        asks: Quantity by price.
    """

    first: int
    last: int
    previous: int
    bids: dict[int, int]
    asks: dict[int, int]


@attrs.define
class BookSource:
    """Makes the book of any tick.

    Levels lie on a lattice that never moves, `gap` apart; the best bid is the level below the price. A level's quantity
    is drawn anew every 16 ticks, each level at its own tick, so that a book changes a little all the time.

    Attributes:
        market: Where the price comes from.
        levels: Levels on each side. 1 or more.
    """

    market: Market
    levels: int
    _bid_key: int = attrs.field(init=False)
    _ask_key: int = attrs.field(init=False)
    _last: Book | None = attrs.field(default=None, init=False)
    _quantities: dict[tuple[int, int, int], int] = attrs.field(factory=dict[tuple[int, int, int], int], init=False)

    def __attrs_post_init__(self) -> None:
        self._bid_key = mix(self.market.key + 101)
        self._ask_key = mix(self.market.key + 102)

    def book(self, tick: int) -> Book:
        """Return the book as it is after a tick."""
        if self._last is None or self._last.update != self.update(tick):
            self._last = self._make(tick)
        return self._last

    def top(self, tick: int) -> Top:
        """Return the best levels of the book after a tick, without making the rest."""
        floor = self.market.floor(tick)
        gap = self.market.symbol.gap
        return Top(
            update=self.update(tick),
            bid=floor * gap,
            bid_quantity=self._quantity(self._bid_key, floor, tick),
            ask=(floor + 1) * gap,
            ask_quantity=self._quantity(self._ask_key, floor + 1, tick),
        )

    @staticmethod
    def update(tick: int) -> int:
        """Return the number of the last update of a tick."""
        return tick * UPDATES_PER_TICK

    def _make(self, tick: int) -> Book:
        floor = self.market.floor(tick)
        gap = self.market.symbol.gap
        lowest = max(1, floor - self.levels + 1)
        bids = {level * gap: self._quantity(self._bid_key, level, tick) for level in range(floor, lowest - 1, -1)}
        highest = floor + self.levels
        asks = {level * gap: self._quantity(self._ask_key, level, tick) for level in range(floor + 1, highest + 1)}
        return Book(self.update(tick), bids, asks)

    def _quantity(self, key: int, level: int, tick: int) -> int:
        drawn_at = (self.market.age_of(tick) + level * _STRIDE) // _LIFE
        place = (key, level, drawn_at)
        quantity = self._quantities.get(place)
        if quantity is None:
            if len(self._quantities) >= _KEPT:
                self._quantities.clear()
            share = bits(key, level, drawn_at) / 2.0**64
            quantity = 1 + int(self.market.symbol.turnover * 4.0 * share * share)
            self._quantities[place] = quantity
        return quantity


def change(old: Book, new: Book) -> BookChange:
    """Return what a depth event says that leads from *old* to the later book *new*."""
    return BookChange(
        first=old.update + 1,
        last=new.update,
        previous=old.update,
        bids=dict(_side(old.bids, new.bids)),
        asks=dict(_side(old.asks, new.asks)),
    )


def _side(old: dict[int, int], new: dict[int, int]) -> Iterator[tuple[int, int]]:
    for price in old:
        if price not in new:
            yield price, 0
    for price, quantity in new.items():
        if old.get(price) != quantity:
            yield price, quantity
