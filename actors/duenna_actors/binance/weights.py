"""What requests to Binance USD-M futures cost, and the gates that keep a bot below the limits.

The limits hold for an address: one set of gates is shared by all clients of one exchange in
one runtime, outlives their restarts, and goes by what the exchange says that it has counted,
other programs at this address included. Weights: the exchange's documentation, as far as
binance-connector-python 29da3291 and nautilus_trader repeat it.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING

import attrs

from duenna.guards import RateLimit, RateLimitedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WEIGHT_LIMIT = 2_400
"""Request weight per minute and address."""

LEAST_WEIGHT_LIMIT = 240
"""Less would not let the heaviest request through: one of 50, where a quarter may come at once."""

SHORTEST_BAN = 120.0
"""Seconds of the first ban (418); those that follow are longer, up to three days."""

ORDER_WINDOW = 10.0
"""Seconds of the shortest time in which orders are counted."""

_USUAL = 0.9
_MINUTE = 60.0
_USED_WEIGHT = "x-mbx-used-weight-1m"
_ORDER_COUNT = "x-mbx-order-count-1m"
_ORDERS_PER_MINUTE = 1_200
_ORDERS_AT_ONCE = 100  # with 1,100 a minute beside them no 10 s have more than the 300 that are allowed


class Gate(StrEnum):
    """Which limit a request counts towards."""

    WEIGHT = "weight"
    """Request weight: 2,400 a minute, of which a tenth is kept for what is urgent."""
    URGENT = "urgent"
    """The same to the end: for cancelling orders, and finding them."""
    ORDERS = "orders"
    """New orders: 1,200 a minute, 300 in 10 s."""
    STATISTICS = "statistics"
    """What is below ``/futures/data``: 1,000 requests in 5 minutes."""
    FUNDING = "funding"
    """Past funding rates: 500 requests in 5 minutes."""


class Reserve(RateLimit):
    """What is kept back of another limit, for what is urgent: taken when that one has nothing left to give at once."""

    def __init__(self, usual: RateLimit, limit: float, *, burst: float, name: str) -> None:
        """Begin with a full burst.

        Args:
            usual: The other limit, whose period is that of both.
            limit: Units beside its own.
            burst: Of them at once, and the weight of the heaviest call.
            name: Any text.
        """
        super().__init__(limit, usual.per, burst=burst, name=name)
        self._usual = usual

    async def acquire(self, weight: float = 1.0, left: float = inf, *, guard: str = "") -> None:
        """Take *weight* and wait for the turn, in the reserve only; see `RateLimit.acquire`."""
        try:
            await self._usual.acquire(weight, 0.0, guard=guard)
        except RateLimitedError:
            await super().acquire(weight, left, guard=guard)

    def acquire_sync(self, weight: float = 1.0, left: float = inf, *, may_wait: bool = True, guard: str = "") -> None:
        """Take *weight* and keep this thread waiting for the turn, in the reserve only."""
        try:
            self._usual.acquire_sync(weight, 0.0, may_wait=False, guard=guard)
        except RateLimitedError:
            super().acquire_sync(weight, left, may_wait=may_wait, guard=guard)

    def twin(self) -> Reserve:
        """Return a gate with the same settings and no past."""
        return Reserve(self._usual.twin(), self.limit, burst=self.burst, name=self.name)


@attrs.frozen(eq=False)
class Gates:
    """The gates before one exchange.

    Attributes:
        weight: Of the minute, in request weight.
        by_limit: A gate for each limit.
    """

    weight: float
    by_limit: dict[Gate, RateLimit]

    @classmethod
    def build(cls, name: str, weight: float = WEIGHT_LIMIT) -> Gates:
        """Make the gates of the exchange *name*, all of them open.

        Args:
            name: Of the exchange, for errors.
            weight: What it allows in a minute, in request weight.
        """
        usual = _USUAL * weight
        kept = weight - usual
        gate = RateLimit(usual, _MINUTE, burst=usual / 4, name=f"{name} weight")
        return cls(
            weight,
            {
                Gate.WEIGHT: gate,
                Gate.URGENT: Reserve(gate, kept, burst=kept / 4, name=f"{name} urgent"),
                Gate.ORDERS: RateLimit(_ORDERS_PER_MINUTE, _MINUTE, burst=_ORDERS_AT_ONCE, name=f"{name} orders"),
                Gate.STATISTICS: RateLimit(1_000, 300.0, burst=250, name=f"{name} statistics"),
                Gate.FUNDING: RateLimit(500, 300.0, burst=125, name=f"{name} funding"),
            },
        )

    @property
    def blocked_for(self) -> float:
        """Seconds for which the exchange wants no request that has weight, 0 if it does not."""
        return self.by_limit[Gate.WEIGHT].blocked_for

    def block(self, seconds: float, only: Gate | None = None) -> None:
        """Let nothing through for so many *seconds*: the exchange has said so.

        Args:
            seconds: How long.
            only: The one gate that it is about; None: all.
        """
        for gate in self.by_limit if only is None else (only,):
            self.by_limit[gate].block(seconds)

    def heard(self, headers: Mapping[str, str], into_minute: float, elapsed: float) -> None:
        """Learn from the head of an answer. Headers that are missing, or are no numbers, teach nothing.

        Args:
            headers: Names in lower case.
            into_minute: How far the exchange's minute is over, in seconds.
            elapsed: What the request took, in seconds. If a minute ended meanwhile, nobody
                knows to which one the counts belong, and they are passed over.
        """
        if into_minute < elapsed:
            return
        left, usual = _MINUTE - into_minute, _USUAL * self.weight
        for header, gate, limit, others in (
            (_USED_WEIGHT, Gate.WEIGHT, usual, 0.0),
            (_USED_WEIGHT, Gate.URGENT, self.weight - usual, usual),
            (_ORDER_COUNT, Gate.ORDERS, _ORDERS_PER_MINUTE, 0.0),
        ):
            text = headers.get(header, "").strip()
            if text.isascii() and text.isdigit():
                self.by_limit[gate].feed(max(0.0, int(text) - others), limit=limit, resets_in=left)


def klines_weight(limit: int) -> int:
    """Return what so many candles cost."""
    return _step(limit, (99, 1), (499, 2), (1_000, 5), (1_500, 10))


def depth_weight(limit: int) -> int:
    """Return what so many levels of a book cost."""
    return _step(limit, (50, 2), (100, 5), (500, 10), (1_000, 20))


_FIXED: dict[tuple[str, str], Callable[[Mapping[str, object]], int]] = {
    ("GET", "/fapi/v1/klines"): lambda params: klines_weight(_limit(params, 500)),
    ("GET", "/fapi/v1/depth"): lambda params: depth_weight(_limit(params, 500)),
    ("GET", "/fapi/v1/fundingRate"): lambda _: 0,
    ("GET", "/fapi/v1/premiumIndex"): lambda params: 1 if "symbol" in params else 10,
    ("GET", "/fapi/v1/ticker/price"): lambda params: 1 if "symbol" in params else 2,
    ("GET", "/fapi/v1/openOrders"): lambda params: 1 if "symbol" in params else 40,
    ("GET", "/fapi/v1/forceOrders"): lambda params: 20 if "symbol" in params else 50,
    ("GET", "/fapi/v2/balance"): lambda _: 5,
    ("GET", "/fapi/v3/balance"): lambda _: 5,
    ("GET", "/fapi/v2/positionRisk"): lambda _: 5,
    ("GET", "/fapi/v3/positionRisk"): lambda _: 5,
    ("POST", "/fapi/v1/order"): lambda _: 0,
}


def request_weight(method: str, path: str, params: Mapping[str, object]) -> int:
    """Return what a request costs in request weight; 1 where nothing is known."""
    if path.startswith("/futures/data/"):
        return 0
    weigh = _FIXED.get((method, path))
    return 1 if weigh is None else weigh(params)


def _limit(params: Mapping[str, object], default: int) -> int:
    given = params.get("limit")
    return given if isinstance(given, int) else default


def _step(limit: int, *steps: tuple[int, int]) -> int:
    return next((cost for top, cost in steps if limit <= top), steps[-1][1])
