"""The market of one contract: every price, trade, level and rate as a pure function of the time."""

import math

import attrs

from duenna_actors.sandbox._noise import Tents, bits, flow, gauss, mix, uniform, walk, wave
from duenna_actors.sandbox._symbols import Symbol

DAY = 86_400.0
FUNDING_PERIOD = 28_800
"""Seconds between two funding payments."""

_PHASE = 12_345_678.9  # where the paths are at the start: inside a cell on every level
_ROUNDING = 1e-6  # seconds; a unix time is rounded to 2.4e-7, and a tick's own beginning must fall into it
_SAMPLES = 8
_TREND = 30.0
_REMEMBERED = 4_096
_QUIET = 0.25

# What a draw is for, so that no two uses see the same chance.
_TRADE, _LIQUIDATION, _FUNDING, _SIDE = range(4)


@attrs.frozen
class Quote:
    """The best bid and ask, in price units."""

    bid: int
    ask: int


@attrs.frozen
class Trade:
    """One aggregate trade. *number* grows by one from trade to trade: there is one in each tick."""

    number: int
    price: int
    quantity: int
    seller_was_taker: bool


@attrs.frozen
class Liquidation:
    """A forced order of somebody else."""

    side: str
    price: int
    average: int
    quantity: int


@attrs.frozen
class Candle:
    """One kline. Prices in price units, volumes in quantity units, times in seconds."""

    opened: int
    closes: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    bought: int
    trades: int
    first_trade: int
    last_trade: int
    is_closed: bool


@attrs.frozen
class Marks:
    """The prices behind funding, in price units, and the rate at which it is paid next."""

    mark: float
    index: float
    rate: float
    next_funding: int


@attrs.define
class Market:
    """A contract's prices.

    Nothing is stored: a bot that looks once an hour and one that looks at every tick see the same market, and time that
    nobody looks at costs nothing. What happens depends on the time since the start alone, so that a seed can be run
    again on another day; only funding and candles go by the calendar. Ticks are numbered through all starts, for the
    numbers of trades and updates must grow.

    Attributes:
        symbol: The contract.
        key: Picks the market out of all that could have been.
        start: The unix time at which the price is the contract's starting price.
        tick: The time between two changes, in seconds. Greater than 0.
    """

    symbol: Symbol
    key: int
    start: float
    tick: float
    _walk: Tents = attrs.field(init=False)
    _traded: Tents = attrs.field(init=False)
    _bought: Tents = attrs.field(init=False)
    _waves: tuple[Tents, ...] = attrs.field(init=False)
    _first_tick: int = attrs.field(init=False)
    _origin: float = attrs.field(init=False)
    _scale: float = attrs.field(init=False)
    # Remembered for speed alone.
    _floor: tuple[int, int] = attrs.field(default=(-1, 0), init=False)
    _counted: tuple[float, tuple[int, int]] = attrs.field(default=(-1.0, (0, 0)), init=False)
    _closed: dict[tuple[int, int], Candle] = attrs.field(factory=dict[tuple[int, int], Candle], init=False)
    _begun: dict[tuple[int, int], "_Begun"] = attrs.field(factory=dict[tuple[int, int], "_Begun"], init=False)

    def __attrs_post_init__(self) -> None:
        self._walk = walk(mix(self.key + 1))
        self._traded = flow(mix(self.key + 2))
        self._bought = flow(mix(self.key + 3))
        self._waves = tuple(wave(mix(self.key + 10 + number)) for number in range(8))
        self._first_tick = int(self.start / self.tick)
        self._origin = self._walk.at(_PHASE)
        self._scale = self.symbol.volatility / DAY**0.5

    def tick_at(self, time: float) -> int:
        """Return the number of the tick that *time* falls into."""
        return self._first_tick + math.floor((time - self.start + _ROUNDING) / self.tick)

    def time_of(self, tick: int) -> float:
        """Return the time at which a tick begins."""
        return self.start + (tick - self._first_tick) * self.tick

    def mid(self, time: float) -> float:
        """Return the price at *time*, in price units and parts of them."""
        price = self.symbol.price * math.exp(self._scale * (self._walk.at(self._path(time)) - self._origin))
        return max(price, 2.0 * self.symbol.gap)

    def floor(self, tick: int) -> int:
        """Return the index of the best bid's level on the lattice of the book, whose levels are `gap` apart."""
        if self._floor[0] != tick:
            self._floor = (tick, int(self.mid(self.time_of(tick)) / self.symbol.gap))
        return self._floor[1]

    def quote(self, tick: int) -> Quote:
        """Return the best prices after a tick. The bid is always below the ask."""
        bid = self.floor(tick) * self.symbol.gap
        return Quote(bid, bid + self.symbol.gap)

    def trade(self, tick: int) -> Trade:
        """Return the trade of a tick."""
        quote = self.quote(tick)
        word = bits(self.key, self.age_of(tick), _TRADE)
        sold = bool(word & 1)
        before = self._flows(self.time_of(tick))
        quantity, _ = self._volumes(before, self._flows(self.time_of(tick + 1)))
        return Trade(tick, quote.bid if sold else quote.ask, max(1, quantity), sold)

    def liquidation(self, tick: int, per_second: float) -> Liquidation | None:
        """Return the liquidation that falls into a tick, if one does.

        Longs are liquidated while the price falls, shorts while it rises.

        Args:
            tick: The number of the tick.
            per_second: How many there are on average.
        """
        if uniform(self.key, self.age_of(tick), _LIQUIDATION) >= per_second * self.tick:
            return None
        return self.forced(tick)

    def forced(self, tick: int) -> Liquidation:
        """Return the liquidation of a tick, as it would be if there were one."""
        now = self.time_of(tick)
        price = self.mid(now)
        fell = price < self.mid(now - _TREND)
        side, slip = ("SELL", 0.998) if fell else ("BUY", 1.002)
        size = 1.0 + 20.0 * uniform(self.key, self.age_of(tick), _SIDE) ** 3
        quantity = max(1, int(self.symbol.turnover * size * _QUIET))
        return Liquidation(side, self.symbol.to_tick(price * slip), self.symbol.to_tick(price), quantity)

    def candle(self, opened: int, length: int, now: float) -> Candle:
        """Return the candle of *length* seconds that opened at the unix time *opened*, as it stands at *now*.

        The extremes are those of eight moments inside it. Volumes add up: an hour has exactly what its minutes have.
        """
        place = (opened, length)
        candle = self._closed.get(place)
        if candle is None:
            candle = self._candle(opened, length, now)
            if candle.is_closed:
                _make_room(self._closed)
                self._closed[place] = candle
        return candle

    def marks(self, time: float) -> Marks:
        """Return mark and index price, and the funding that is due next."""
        price = self.mid(time)
        period = int(time // FUNDING_PERIOD)
        index = price * (1.0 + 0.0004 * self._waves[0].at(self._path(time)))
        mark = index * (1.0 + 0.0003 * self._waves[1].at(self._path(time)))
        return Marks(mark, index, self.funding_rate(period + 1), (period + 1) * FUNDING_PERIOD)

    def funding_rate(self, period: int) -> float:
        """Return the rate that is paid at `period * FUNDING_PERIOD`, as a share of the position."""
        return round(0.0001 + 0.0001 * gauss(self.key, period, _FUNDING), 8)

    def open_interest(self, time: float) -> int:
        """Return all open contracts, in quantity units."""
        return int(self.symbol.turnover * DAY * 0.5 * (1.0 + 0.3 * self._waves[2].at(self._path(time))))

    def long_share(self, who: int, time: float) -> float:
        """Return the share of longs, between 0.35 and 0.65, among one of four kinds of trader (0 to 3)."""
        return 0.5 + 0.15 * self._waves[3 + who].at(self._path(time))

    def taker_volumes(self, opened: float, closed: float) -> tuple[int, int]:
        """Return what takers bought and what they sold between two times, in quantity units."""
        volume, bought = self._volumes(self._flows(opened), self._flows(closed))
        return bought, volume - bought

    def age_of(self, tick: int) -> int:
        """Return the ticks since the start."""
        return tick - self._first_tick

    def _path(self, time: float) -> float:
        return time - self.start + _PHASE

    def _candle(self, opened: int, length: int, now: float) -> Candle:
        closes = opened + length
        until = min(float(closes), max(now, float(opened)))
        begun = self._begin(opened, length, until)
        last = self.symbol.to_tick(self.mid(until))
        volume, bought = self._volumes(begun.flows, self._flows(until))
        first_tick = self.tick_at(opened)
        last_tick = max(first_tick, self.tick_at(until) - (until == closes))
        return Candle(
            opened=opened,
            closes=closes,
            open=begun.prices[0],
            high=max(last, *begun.prices),
            low=min(last, *begun.prices),
            close=last,
            volume=volume,
            bought=bought,
            trades=last_tick - first_tick + 1,
            first_trade=first_tick,
            last_trade=last_tick,
            is_closed=now >= closes,
        )

    def _begin(self, opened: int, length: int, until: float) -> "_Begun":
        """Return the candle's beginning and its moments up to *until*."""
        place = (opened, length)
        begun = self._begun.get(place)
        over = min(_SAMPLES, int((until - opened) * (_SAMPLES + 1) / length))
        if begun is None or len(begun.prices) > over + 1:  # the clock was put back
            _make_room(self._begun)
            begun = self._begun[place] = _Begun([], self._flows(opened))
        for part in range(len(begun.prices), over + 1):
            begun.prices.append(self.symbol.to_tick(self.mid(opened + length * part / (_SAMPLES + 1))))
        return begun

    def _volumes(self, early: tuple[int, int], late: tuple[int, int]) -> tuple[int, int]:
        volume = late[0] - early[0]
        return volume, min(volume, late[1] - early[1])

    def _flows(self, time: float) -> tuple[int, int]:
        """Return all that was traded and all that takers bought since the start, in quantity units."""
        if self._counted[0] != time:
            path = self._path(time)
            traded = time - self.start + self._traded.at(path)
            # Half of it, give or take a flow that is never steeper than that half.
            bought = 0.5 * traded + 0.05 * self._bought.at(path)
            rate = self.symbol.turnover
            self._counted = (time, (math.floor(rate * traded), math.floor(rate * bought)))
        return self._counted[1]


@attrs.frozen
class _Begun:
    prices: list[int]
    flows: tuple[int, int]


def _make_room(table: dict[tuple[int, int], Candle] | dict[tuple[int, int], _Begun]) -> None:
    if len(table) >= _REMEMBERED:
        table.clear()
