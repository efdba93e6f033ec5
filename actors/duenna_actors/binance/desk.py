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
"""

from __future__ import annotations

from collections.abc import Callable
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

    async def send_order(self, order: PlaceOrder, may_send: Callable[[], None]) -> Order:
        """Send it, and again after failures that certainly had no effect; *may_send* is asked before each time."""
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
        """Note that an order leaves now, signed with the exchange's time *stamp*, in seconds since 1970."""
        entry = self.journal.get(client_order_id)
        if entry is not None:
            entry.leaves(trio.current_time(), stamp + self._takes)

    async def place(self, order: PlaceOrder, is_wanted: Callable[[], bool]) -> Order:
        """Place *order*, once, and return it as the exchange knows it.

        An order that was placed before, or may have been, is looked for and not sent again.
        Cancelled, it leaves the order to `orphans` and `settle`.

        Args:
            order: With its client order id.
            is_wanted: Asked before it is sent: whether somebody still waits for it.

        Raises:
            OrderOutcomeUnknownError: It may be at the exchange. After any other error it is not.
            OrderNotPlacedError: It was not sent in time, or did not arrive.
            ApiError: The exchange refused it, or cannot be reached.
            RejectedError: The guard did.
            ValueError: Its id is in use.
        """
        entry = self.journal.begin(order)
        try:
            return await self._place(entry, order, is_wanted)
        except OrderOutcomeUnknownError:
            raise
        except Exception as error:
            if entry.fate is Fate.UNKNOWN:
                raise _unknown(order, "looking for it failed") from error
            raise
        finally:
            entry.done.set()

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
        entry.is_withdrawn = True
        if entry.fate is Fate.PLACED and not entry.is_busy:
            return True
        return await self.settle(entry) is not None

    async def settle(self, entry: SentOrder) -> Order | None:
        """Find out what became of an order; None: it is not there, and will not be.

        Raises:
            OrderOutcomeUnknownError: That could not be found out.
        """
        if entry.is_busy:
            await entry.done.wait()
        if entry.fate is Fate.NOT_SENT:
            return None
        entry.done = trio.Event()
        try:
            return await self._look(entry, None)
        finally:
            entry.done.set()

    async def _place(self, entry: SentOrder, order: PlaceOrder, is_wanted: Callable[[], bool]) -> Order:
        leave = _Leave(entry, order, is_wanted, trio.current_time() + order.send_within)
        if order.may_exist and entry.fate is Fate.NOT_SENT:
            await self._suppose_sent(entry)
        cause: Exception | None = None
        while True:
            if entry.fate is not Fate.NOT_SENT:
                found = await self._look(entry, cause)
                if found is not None:
                    return found
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

    async def _suppose_sent(self, entry: SentOrder) -> None:
        now = trio.current_time()
        try:
            entry.leaves(now, await self._port.time_since(now) + self._takes)
        except _FAILED as error:
            raise _unknown(entry.order, "the exchange does not answer") from error

    async def _look(self, entry: SentOrder, cause: Exception | None) -> Order | None:
        """Look for an order until it is known what became of it; *cause* is why that is not known."""
        order = entry.order
        give_up_at = trio.current_time() + self._settle_within
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
                raise _unknown(order, f"not found out within {self._settle_within} s") from why
            await trio.sleep(pause)

    async def _left(self, entry: SentOrder) -> float:
        """Return for how many more seconds the order may get there; 0 or less only by a clock that is right."""
        left = entry.dead_at - self._port.time()
        if left > 0:
            return left
        try:
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


@attrs.frozen
class _Leave:
    """Says of an order, each time before it is sent, that it may be; raises if not.

    Attributes:
        entry: Whether it was withdrawn.
        order: The order.
        is_wanted: Whether somebody still waits for it.
        ends: When nobody wants it any more, in monotonic seconds.
    """

    entry: SentOrder
    order: PlaceOrder
    is_wanted: Callable[[], bool]
    ends: float

    def __call__(self) -> None:
        if self.entry.is_withdrawn:
            raise _not_placed(self.order, "it was cancelled before it was sent")
        if not self.is_wanted():
            raise _not_placed(self.order, "not sent, nobody waits for the answer")
        if trio.current_time() >= self.ends:
            raise _not_placed(self.order, f"not sent within {self.order.send_within} s")


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
