"""Places orders so that whatever happens to request and answer, one is placed, or none, and never two.

Theory of operation. An order has its client order id before it is sent for the first time,
and keeps it. An attempt ends in one of three ways:

- It is known that it had no effect: refused, never connected, banned. The guard may try again.
- The exchange answers with the order.
- Nobody knows: no answer, half an answer, a page of HTML, 5xx, -1006, -1007. Then it is not
  sent again but looked for by its id. Found, that is the answer. That it is *not* there means
  nothing as long as it may still be under way: the exchange takes a signed request until its
  timestamp is ``receive_window`` old, and may need a while to show what it took. Only an
  answer of "no such order" to a question asked after that, by a clock that was set by the
  exchange's after the order had left, proves that it is not there and will not be. Then it
  may be sent again.

-4116, "duplicate", says that it is there, and where to look: an earlier attempt got through.

One at a time is at work on an order. Whoever asks for it once more stands in line, and goes by
what is known when it is his turn.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Protocol, TypeGuard

import attrs
import trio

from duenna.connection import ConnectionLostError
from duenna.guards import RejectedError
from duenna.machines.backoff import Backoff
from duenna_actors.api_errors import ApiDataError, ApiError, ApiStatusError
from duenna_actors.binance.journal import Fate, OrderJournal, SentOrder
from duenna_actors.binance.order_errors import OrderNotPlacedError, OrderOutcomeUnknownError
from duenna_actors.binance.orders import Order, PlaceOrder

if TYPE_CHECKING:
    from random import Random

_DUPLICATE = -4116
_NO_SUCH_ORDER = -2013
_SHOWN_WITHIN = 10.0
"""Seconds after which the exchange shows an order that it took: its own timeout towards its backend."""
_LOOKS = Backoff.exponential(0.5, maximum=5.0, jitter="equal")
_AFTER = 0.001
_FAILED = (ApiError, RejectedError, ConnectionLostError)


class OrderPort(Protocol):
    """What the desk needs of the exchange."""

    async def send_order(self, order: PlaceOrder, leave: Leave) -> Order:
        """Send it, and again after failures that certainly had no effect.

        *leave* may be asked at any time, and `OrderDesk.leaves` is whenever it leaves, at the
        last moment before.
        """
        ...

    async def look_for(self, order: PlaceOrder) -> Order:
        """Ask for the order of its id, once."""
        ...

    def time(self) -> float:
        """Return the exchange's time as far as it is known, in seconds since 1970."""
        ...

    async def time_since(self, moment: float) -> float:
        """Return the same by a clock that was set after a *moment* of the monotonic clock."""
        ...


class OrderDesk:
    """Places the orders of one account.

    Attributes:
        journal: What it knows of orders.
    """

    def __init__(
        self, port: OrderPort, journal: OrderJournal, *, rng: Random, receive_window: float, settle_within: float
    ) -> None:
        """Describe the desk.

        Args:
            port: The exchange.
            journal: What earlier desks have left.
            rng: What jitter is drawn from.
            receive_window: Seconds in which the exchange takes a signed request.
            settle_within: Seconds for which an order is looked for, at most.
        """
        self.journal = journal
        self._port = port
        self._rng = rng
        self._takes = receive_window + _SHOWN_WITHIN
        self._settle_within = settle_within

    def leaves(self, client_order_id: str, stamp: float) -> None:
        """Have an order leave now, signed with the exchange's time *stamp*, in seconds since 1970.

        Raises:
            OrderNotPlacedError: It must not, any more.
        """
        entry = self.journal.get(client_order_id)
        if entry is None:
            return
        if entry.leave is not None:
            entry.leave()
        entry.leaves(trio.current_time(), stamp + self._takes)

    def accept(self, order: PlaceOrder, is_wanted: Callable[[], bool]) -> Leave:
        """Return the leave of *order* to be placed, which counts from now on, and can be withdrawn.

        Args:
            order: With its client order id.
            is_wanted: Asked before it is sent: whether somebody still waits for it.

        Raises:
            ValueError: Its id is that of another order.
        """
        entry = self.journal.enter(order)
        ends = min(order.send_until, trio.current_time() + order.send_within)
        return Leave(entry, order, is_wanted, ends, entry.withdrawals)

    async def place(self, order: PlaceOrder, is_wanted: Callable[[], bool]) -> Order:
        """Place *order*, once, and return it as the exchange knows it.

        Raises:
            ValueError: Its id is that of another order.
            Exception: As `carry_out` says.
        """
        return await self.carry_out(self.accept(order, is_wanted))

    async def carry_out(self, leave: Leave) -> Order:
        """Place an order that was accepted, once, and return it as the exchange knows it.

        An order that was placed before, or may have been, is looked for and not sent again; one
        that is being placed, or looked for, is waited for first. Cancelled, it leaves the order
        to `orphans` and `settle`.

        Raises:
            OrderOutcomeUnknownError: It may be at the exchange. After any other error it is not.
            OrderNotPlacedError: It was not sent in time, or did not arrive.
            ApiError: The exchange refused it, or cannot be reached.
            RejectedError: The guard did.
        """
        entry = leave.entry
        async with entry.work:
            entry.leave = leave
            try:
                return await self._place(leave)
            except OrderOutcomeUnknownError:
                raise
            except Exception as error:
                if entry.fate is not Fate.NOT_SENT:
                    raise _unknown(leave.order, "looking for it failed") from error
                raise
            finally:
                entry.leave = None

    async def withdraw(self, client_order_id: str | None) -> bool:
        """Have an order not sent (again), and wait until it is known what became of it.

        Returns:
            Whether it may be at the exchange; that it may, if it is none of ours.

        Raises:
            OrderOutcomeUnknownError: That could not be found out.
        """
        entry = self.journal.get(client_order_id)
        if entry is None:
            return True
        entry.withdrawals += 1
        if entry.is_placed:
            return True
        async with entry.work:
            if entry.fate is Fate.UNKNOWN:
                await self._look(entry, None)
            return entry.is_placed

    def withdraw_all(self, symbol: str) -> list[SentOrder]:
        """Have no order of a contract sent (again); return those of which it is not known what became of them."""
        entries = self.journal.of_symbol(symbol)
        for entry in entries:
            entry.withdrawals += 1
        return [entry for entry in entries if entry.is_unsettled]

    async def settle(self, entry: SentOrder, *, within: float | None = None) -> Order | None:
        """Find out what became of an order; None: it is not there, and will not be.

        Args:
            entry: The order.
            within: Seconds in which to ask again; 0 asks once; None: as long as is usual.

        Raises:
            OrderOutcomeUnknownError: That could not be found out.
        """
        async with entry.work:
            if entry.fate is Fate.NOT_SENT:
                return None
            return await self._look(entry, None, within)

    async def _place(self, leave: Leave) -> Order:
        entry, order = leave.entry, leave.order
        began = trio.current_time()
        if order.may_exist and entry.fate is Fate.NOT_SENT:
            entry.suppose_sent()
        cause: Exception | None = None
        while True:
            if entry.fate is not Fate.NOT_SENT:
                found = await self._look(entry, cause)
                if found is not None:
                    return found
                if order.may_exist and cause is None:
                    leave.ends += trio.current_time() - began
                if trio.current_time() >= leave.ends:
                    raise _not_placed(order, "it did not arrive, and is too late to be sent again") from cause
            try:
                placed = await self._port.send_order(order, leave)
            except Exception as error:
                if not _is_ambiguous(error, entry):
                    entry.fate = Fate.NOT_SENT
                    raise
                entry.fate = Fate.UNKNOWN
                cause = error
            else:
                entry.fate = Fate.PLACED
                return placed

    async def _look(self, entry: SentOrder, cause: Exception | None, within: float | None = None) -> Order | None:
        """Look for an order until it is known what became of it; *cause* is why that is not known."""
        order = entry.order
        within = self._settle_within if within is None else within
        give_up_at = trio.current_time() + within
        looks = 0
        while True:
            left = await self._left(entry)
            pause = 0.0
            try:
                found = await self._port.look_for(order)
            except _FAILED as error:
                why: Exception = error
                if isinstance(error, ApiStatusError) and error.code == _NO_SUCH_ORDER and left <= 0:
                    self._note_absent(entry, cause, error)
                    return None
                pause = error.retry_after or 0.0
            else:
                if order.is_same(found):
                    entry.fate = Fate.PLACED
                    return found
                if _is_duplicate(cause):  # the id is that of somebody else's order
                    entry.fate = Fate.NOT_SENT
                    raise cause
                why = ApiDataError("GET", "order", f"another order has the id {order.client_order_id}: {found}")
            looks += 1
            drawn = _LOOKS.delay(looks, self._rng.random())
            pause = max(pause, min(drawn, left + _AFTER) if left > 0 else drawn)
            if trio.current_time() + pause > give_up_at:
                raise _unknown(order, f"not found out within {within} s") from why
            await trio.sleep(pause)

    async def _left(self, entry: SentOrder) -> float:
        """Return for how many more seconds the order may get there; 0 or less only by a clock that is right."""
        left = entry.dead_at - self._port.time()
        if 0 < left < inf:
            return left
        try:
            if left == inf:
                now = trio.current_time()
                entry.is_dated(now, await self._port.time_since(now) + self._takes)
                return self._takes
            return entry.dead_at - await self._port.time_since(entry.left_at)
        except _FAILED:
            return self._takes

    def _note_absent(self, entry: SentOrder, cause: Exception | None, error: ApiStatusError) -> None:
        """Note that an order is not there, unless something says that it must be."""
        if entry.fate is Fate.PLACED:
            raise _unknown(entry.order, "it was placed, and the exchange does not know it any more") from error
        entry.fate = Fate.NOT_SENT
        if _is_duplicate(cause):
            raise cause


@attrs.define(eq=False)
class Leave:
    """The leave of an order to be sent, as one asker has given it.

    Attributes:
        entry: What is known of it.
        order: The order.
        is_wanted: Whether somebody still waits for it.
        ends: When nobody wants it any more, in monotonic seconds.
        withdrawals: How often it had been cancelled before it was asked for.
    """

    entry: SentOrder
    order: PlaceOrder
    is_wanted: Callable[[], bool]
    ends: float
    withdrawals: int

    def __call__(self) -> None:
        """Say that it may be sent now.

        Raises:
            OrderNotPlacedError: It must not.
        """
        if self.entry.withdrawals != self.withdrawals:
            raise _not_placed(self.order, "it was cancelled before it was sent")
        if not self.is_wanted():
            raise _not_placed(self.order, "not sent, nobody waits for the answer")
        if trio.current_time() >= self.ends:
            raise self.too_late()

    def too_late(self) -> OrderNotPlacedError:
        """Return what is raised when it was not sent in time."""
        return _not_placed(self.order, f"not sent within {self.order.send_within} s")


def _is_ambiguous(error: Exception, entry: SentOrder) -> bool:
    if _is_duplicate(error):
        return True
    unknown = getattr(error, "outcome_unknown", None)
    return entry.fate is Fate.UNKNOWN if unknown is None else bool(unknown)


def _is_duplicate(error: Exception | None) -> TypeGuard[ApiStatusError]:
    return isinstance(error, ApiStatusError) and error.code == _DUPLICATE


def _unknown(order: PlaceOrder, why: str) -> OrderOutcomeUnknownError:
    return OrderOutcomeUnknownError(order.client_order_id, order.symbol, why)


def _not_placed(order: PlaceOrder, why: str) -> OrderNotPlacedError:
    return OrderNotPlacedError(order.client_order_id, order.symbol, why)
