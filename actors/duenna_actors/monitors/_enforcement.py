"""Which positions are beyond their thresholds, and which order may be sent to close one. Pure.

The rule that everything here serves: of a position there is one closing order at a time. While
nobody knows what became of it, it is the only one, under its own id and for its own quantity.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from math import inf
from typing import Any

import attrs

from duenna_actors.monitors.position_messages import Position


def _amount(what: str, given: Any) -> Decimal | None:
    if given is None:
        return None
    try:
        amount = Decimal(repr(given) if isinstance(given, float) else given)
    except (InvalidOperation, TypeError, ValueError):
        amount = Decimal(-1)
    if isinstance(given, bool) or not amount.is_finite() or amount < 0:
        message = f"Threshold: {what} must be a number of at least 0, got {given!r}"
        raise ValueError(message)
    return amount


def _quantity(given: Any) -> Decimal | None:
    return _amount("quantity", given)


def _notional(given: Any) -> Decimal | None:
    return _amount("notional", given)


def _loss(given: Any) -> Decimal | None:
    return _amount("loss", given)


@attrs.frozen(kw_only=True)
class Threshold:
    """How much of a position is borne; what is *more* is beyond it. None: any.

    Each is a number of at least 0, as `Decimal`, `int`, `str` or `float`.

    Attributes:
        quantity: In the base asset, whichever side it is on.
        notional: What it is worth, in the quote asset.
        loss: What has been lost on it, in the quote asset.
    """

    quantity: Decimal | None = attrs.field(default=None, converter=_quantity)
    notional: Decimal | None = attrs.field(default=None, converter=_notional)
    loss: Decimal | None = attrs.field(default=None, converter=_loss)

    def __attrs_post_init__(self) -> None:
        """Refuse a threshold that bears everything.

        Raises:
            ValueError: It does.
        """
        if self.quantity is None and self.notional is None and self.loss is None:
            raise ValueError("Threshold: quantity, notional or loss must be given")

    def breach(self, position: Position) -> str:
        """Say why *position* is beyond this threshold; empty if it is not."""
        found = [
            f"{what} {value} is more than {limit}"
            for what, value, limit in (
                ("quantity", abs(position.quantity), self.quantity),
                ("notional", position.notional, self.notional),
                ("loss", position.loss, self.loss),
            )
            if value is not None and limit is not None and value > limit
        ]
        return ", ".join(found)


@attrs.define
class Close:
    """An order that closes a position.

    Attributes:
        position: As it was when the order was made: it is for all of its quantity.
        order_id: Its client order id.
        was_sent: Whether it may have left for the exchange.
        is_busy: Whether somebody is at work on it.
        tried_at: When it was worked on last, in monotonic seconds.
        done_at: When the exchange had carried it out, in monotonic seconds; None: it has not, or nobody knows.
    """

    position: Position
    order_id: str
    was_sent: bool = False
    is_busy: bool = False
    tried_at: float = -inf
    done_at: float | None = None


@attrs.frozen
class Finding:
    """What a reading has shown.

    Attributes:
        breached: Positions that are beyond their thresholds since this reading, and why.
        ended: Those that were, by their ids, with their symbols.
        due: Positions that are to be closed now, and the order that is to be tried again; None: a new one.
        is_changed: Whether other orders than before are pending.
    """

    breached: list[tuple[Position, str]]
    ended: list[tuple[str, str]]
    due: list[tuple[Position, Close | None]]
    is_changed: bool


@attrs.define
class Enforcement:
    """The thresholds, the positions beyond them, and the orders that close these.

    Attributes:
        default: Holds for symbols without a threshold of their own; None: these are not looked at.
        by_symbol: The others.
        settle: Seconds after an order was carried out in which readings may not show it yet.
        forget_after: Seconds for which an order is kept whose outcome is not known, while its
            position is not beyond its threshold.
        breaches: Why a position is beyond its threshold, by its id.
        closes: The orders that are pending, by the position's id.
    """

    default: Threshold | None
    by_symbol: Mapping[str, Threshold]
    settle: float
    forget_after: float
    breaches: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    closes: dict[str, Close] = attrs.field(factory=dict[str, Close], init=False)
    _symbols: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    _failures: dict[str, int] = attrs.field(factory=dict[str, int], init=False)

    def restore(self, closes: Iterable[tuple[Position, str]], now: float) -> None:
        """Take over orders that an earlier incarnation may have sent, with their ids, at *now* (monotonic seconds)."""
        for position, order_id in closes:
            self.closes[position.id] = Close(position, order_id, was_sent=True, tried_at=now)

    def take(self, positions: Iterable[Position], as_of: float) -> Finding:
        """Take a reading of all positions as they were at *as_of* (monotonic seconds)."""
        finding = Finding([], [], [], is_changed=False)
        before = set(self.closes)
        beyond: set[str] = set()
        for position in positions:
            why = self._breach(position)
            if not why:
                continue
            beyond.add(position.id)
            if position.id not in self.breaches:
                finding.breached.append((position, why))
            self.breaches[position.id], self._symbols[position.id] = why, position.symbol
            if self._is_due(position.id, as_of):
                finding.due.append((position, self.closes.get(position.id)))
        for name in [name for name in self.breaches if name not in beyond]:
            del self.breaches[name]
            self._failures.pop(name, None)
            finding.ended.append((name, self._symbols.pop(name)))
        self._forget(beyond, as_of)
        return attrs.evolve(finding, is_changed=before != set(self.closes))

    def begin(self, position: Position, order_id: str) -> Close:
        """Make a new order for *position*, which has none that is pending."""
        close = self.closes[position.id] = Close(position, order_id, is_busy=True)
        return close

    def done(self, close: Close, now: float) -> None:
        """Note that the exchange has carried out *close*."""
        close.is_busy, close.tried_at, close.done_at = False, now, now
        self._failures.pop(close.position.id, None)

    def failed(self, close: Close, now: float) -> int:
        """Note that *close* has failed; return how often in a row this position could not be closed.

        If it was not sent after all, it is not at the exchange, and will not get there: the next
        one is another, with another id.
        """
        close.is_busy, close.tried_at = False, now
        name = close.position.id
        if not close.was_sent:
            self.closes.pop(name, None)
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        return failures

    def _breach(self, position: Position) -> str:
        threshold = self.by_symbol.get(position.symbol, self.default)
        return "" if threshold is None or not position.quantity else threshold.breach(position)

    def _is_due(self, name: str, as_of: float) -> bool:
        """Return whether the position may be closed; an order that was carried out and left something is forgotten."""
        close = self.closes.get(name)
        if close is None:
            return True
        if close.is_busy:
            return False
        if close.done_at is None:
            return True
        if as_of <= close.done_at + self.settle:
            return False
        del self.closes[name]
        return True

    def _forget(self, beyond: set[str], as_of: float) -> None:
        """Forget the orders whose positions are gone, or small enough."""
        for name, close in list(self.closes.items()):
            if name in beyond or close.is_busy:
                continue
            since, wait = (close.tried_at, self.forget_after) if close.done_at is None else (close.done_at, 0.0)
            if as_of > since + wait:
                del self.closes[name]
