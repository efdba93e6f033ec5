"""What has been sent, and what is known of it: the memory that keeps an order from being sent twice."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from itertools import islice
from math import inf

import attrs
import trio

from duenna_actors.binance.orders import PlaceOrder

_DAY = 86_400.0
_MOST = 100_000
_LOOKED_AT = 4
"""Entries that are looked at for each new one: those of a burst go faster than they came."""


class Fate(StrEnum):
    """What is known of an order."""

    NOT_SENT = "not_sent"
    """It is not at the exchange and cannot get there: never sent, refused, or proven not to be there."""
    UNKNOWN = "unknown"
    """It has left, and nobody knows what became of it."""
    PLACED = "placed"
    """It is at the exchange, or was."""


@attrs.define(eq=False)
class SentOrder:
    """One order under its client order id.

    Attributes:
        order: As it was asked for.
        fate: What is known of it.
        dead_at: When the exchange can take it no more, by the exchange's clock, in seconds since
            1970; `inf`: not known yet, an earlier process may have sent it.
        left_at: When it left last, in monotonic seconds.
        used_at: When it was asked for last, in monotonic seconds.
        withdrawals: How often it was cancelled: what was asked for before is not sent (again).
        leave: Asked when it leaves, raises if it must not; None: nobody places it.
        work: Held by whoever is at work on it: one at a time, in the order of their coming.
    """

    order: PlaceOrder
    fate: Fate = Fate.NOT_SENT
    dead_at: float = -inf
    left_at: float = -inf
    used_at: float = -inf
    withdrawals: int = 0
    leave: Callable[[], None] | None = None
    work: trio.Lock = attrs.field(factory=trio.Lock)

    @property
    def is_busy(self) -> bool:
        """Whether somebody is at work on it."""
        return self.work.locked()

    @property
    def is_placed(self) -> bool:
        """Whether it is at the exchange, or was."""
        return self.fate is Fate.PLACED

    @property
    def is_unsettled(self) -> bool:
        """Whether it may yet get to the exchange, or be there, without anybody's knowing."""
        return self.is_busy or self.fate is Fate.UNKNOWN

    def is_of(self, order: PlaceOrder) -> bool:
        """Return whether *order* would have the exchange do the same."""
        return self.order.request() == order.request()

    def leaves(self, now: float, dead_at: float) -> None:
        """Note that it leaves for the exchange now, which may take it until *dead_at*."""
        self.fate = Fate.UNKNOWN
        self.left_at = now
        self.dead_at = max(self.dead_at, dead_at)

    def suppose_sent(self) -> None:
        """Note that an earlier process may have sent it, nobody knows when."""
        self.fate = Fate.UNKNOWN
        self.dead_at = inf

    def is_dated(self, now: float, dead_at: float) -> None:
        """Note that what was supposed to have been sent was so before *now*, and is dead at *dead_at*."""
        self.left_at = now
        self.dead_at = dead_at


@attrs.define(eq=False)
class OrderJournal:
    """The orders of one account, by client order id, for a day after they were asked for last.

    Of more than 100,000 the oldest go sooner, unless somebody is at work on them or their fate
    is not known. It belongs to the runtime: restarts of the client lose nothing of it. The end
    of the process does.
    """

    _orders: dict[str, SentOrder] = attrs.field(factory=dict[str, SentOrder], init=False)

    def enter(self, order: PlaceOrder) -> SentOrder:
        """Return the entry of an order that is asked for now.

        Raises:
            ValueError: Its id is that of another order.
        """
        name, now = order.client_order_id, trio.current_time()
        entry = self._orders.get(name)
        if entry is None:
            entry = SentOrder(order)
        elif not entry.is_of(order):
            message = f"client_order_id must not be in use, {name!r} is that of another order: {entry.order}"
            raise ValueError(message)
        self._orders.pop(name, None)
        self._forget(now)
        entry.used_at = now
        self._orders[name] = entry  # the last of the line
        return entry

    def get(self, client_order_id: str | None) -> SentOrder | None:
        """Return the entry of an order, if there is one."""
        return None if client_order_id is None else self._orders.get(client_order_id)

    def of_symbol(self, symbol: str) -> list[SentOrder]:
        """Return the orders of a contract."""
        return [each for each in self._orders.values() if each.order.symbol == symbol]

    def orphans(self) -> list[SentOrder]:
        """Return the orders whose fate nobody knows, and nobody looks for."""
        return [entry for entry in self._orders.values() if entry.fate is Fate.UNKNOWN and not entry.is_busy]

    def _forget(self, now: float) -> None:
        """Forget the oldest if they are old, or too many; those that are not settled go to the end of the line."""
        for name, entry in list(islice(self._orders.items(), _LOOKED_AT)):
            if now < entry.used_at + _DAY and len(self._orders) < _MOST:
                return
            del self._orders[name]
            if entry.is_unsettled:
                self._orders[name] = entry
