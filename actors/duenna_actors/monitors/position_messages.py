"""What a `PositionMonitor` is given, what it says, and what it is asked."""

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

import msgspec

from duenna.errors import DuennaError
from duenna.events import Event


class Position(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A position, as the exchange knows it.

    Attributes:
        symbol: The contract.
        quantity: In the base asset; negative when short.
        price: What one unit is worth now, in the quote asset, such as the mark price.
        entry_price: What it cost on average; None if that is not known: then the loss is not either.
        id: Its name, one per position of the account, the same as long as it is there; the symbol
            unless given. In hedge mode there are two of a symbol.
    """

    symbol: str
    quantity: Decimal
    price: Decimal
    entry_price: Decimal | None = None
    id: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no position.

        Raises:
            ValueError: It has no symbol, or a number that is none or out of range.
        """
        if not self.symbol:
            raise ValueError("a position must have a symbol")
        if not self.quantity.is_finite():
            message = f"quantity of {self.symbol} must be a number, got {self.quantity}"
            raise ValueError(message)
        for what, price in (("price", self.price), ("entry_price", self.entry_price)):
            if price is not None and not (price.is_finite() and price >= 0):
                message = f"{what} of {self.symbol} must be a number of at least 0, got {price}"
                raise ValueError(message)
        if not self.id:
            msgspec.structs.force_setattr(self, "id", self.symbol)

    @property
    def notional(self) -> Decimal:
        """What it is worth in the quote asset, whichever side it is on."""
        return abs(self.quantity) * self.price

    @property
    def loss(self) -> Decimal | None:
        """What has been lost on it, in the quote asset, 0 if nothing; None if that is not known."""
        if self.entry_price is None:
            return None
        return max(Decimal(0), (self.entry_price - self.price) * self.quantity)


class PositionsReading(msgspec.Struct, frozen=True, tag=True):
    """The positions of the account.

    Attributes:
        positions: All that are open.
        as_of: When the exchange said so, in seconds of trio's clock; None: when it was asked.
    """

    positions: Sequence[Position]
    as_of: float | None = None


class PendingClose(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An order that closes a position, and that may have been sent: what a `CloseStore` keeps.

    Attributes:
        position: As it was when the order was made: it is for all of its quantity.
        order_id: Its client order id.
    """

    position: Position
    order_id: str


class GetPositions(msgspec.Struct, frozen=True, tag=True):
    """Ask a `PositionMonitor` what it knows; answered at once with a `PositionsStatus`."""


class CheckPositions(msgspec.Struct, frozen=True, tag=True):
    """Have a `PositionMonitor` look now, because something has happened."""


class PositionsStatus(msgspec.Struct, frozen=True, tag=True):
    """What is known of the positions.

    Attributes:
        positions: Those of the last good reading.
        age: Seconds since the exchange said so, None if it has not yet.
        is_stale: Whether that is too long ago to act on.
        breaches: Why a position is beyond its threshold, by its id.
        closing: Client order ids of the orders that close one, by its id.
    """

    positions: tuple[Position, ...]
    age: float | None
    is_stale: bool
    breaches: dict[str, str]
    closing: dict[str, str]


class PositionEvent(Event, frozen=True):
    """Base of what happens to one position.

    Attributes:
        position: Its id.
        symbol: The contract.
    """

    position: str
    symbol: str


class PositionBreached(PositionEvent, frozen=True):
    """A position is beyond its threshold.

    Attributes:
        quantity: In the base asset; negative when short.
        why: Which threshold, and by what.
    """

    level: ClassVar[str] = "WARNING"
    quantity: Decimal
    why: str

    def text(self) -> str:
        """Return the log line."""
        return f"position {self.position} of {self.quantity}: {self.why}"


class PositionBreachEnded(PositionEvent, frozen=True):
    """A position is within its threshold again, or gone."""

    def text(self) -> str:
        """Return the log line."""
        return f"position {self.position} is within its threshold again"


class PositionClosing(PositionEvent, frozen=True):
    """An order that closes a position is sent, or looked for and sent if it is not there.

    Attributes:
        order_id: Its client order id.
        quantity: Of the position; negative when short.
        may_exist: Whether it may have been sent before.
    """

    level: ClassVar[str] = "WARNING"
    order_id: str
    quantity: Decimal
    may_exist: bool

    def text(self) -> str:
        """Return the log line."""
        again = ", which may have been sent before" if self.may_exist else ""
        return f"closing position {self.position} of {self.quantity} with order {self.order_id}{again}"


class PositionClosed(PositionEvent, frozen=True):
    """The exchange has carried out an order that closes a position; the next reading shows what is left.

    Attributes:
        order_id: Its client order id.
    """

    order_id: str

    def text(self) -> str:
        """Return the log line."""
        return f"position {self.position} was closed with order {self.order_id}"


class PositionCloseFailed(PositionEvent, frozen=True):
    """An order that closes a position has failed; it is tried again while the position is beyond its threshold.

    Attributes:
        order_id: Its client order id.
        outcome_unknown: Whether it may be at the exchange all the same: then it keeps its id.
        failures: How often in a row this position could not be closed.
        error: What it failed with, as text.
    """

    level: ClassVar[str] = "ERROR"
    order_id: str
    outcome_unknown: bool
    failures: int
    error: str

    def text(self) -> str:
        """Return the log line."""
        unknown = ", outcome unknown" if self.outcome_unknown else ""
        return f"position {self.position} was not closed (failure {self.failures}{unknown}): {self.error}"


class PositionsStale(Event, frozen=True):
    """The positions are not known well enough to act: nothing is closed until they are.

    Attributes:
        age: Seconds since the exchange told them last, or since the monitor began.
        max_age: Seconds that are borne.
    """

    level: ClassVar[str] = "ERROR"
    age: float
    max_age: float

    def text(self) -> str:
        """Return the log line."""
        return f"positions are {self.age:.1f} s old, more than {self.max_age:.1f} s: nothing is enforced"


class PositionsFresh(Event, frozen=True):
    """The positions are known again."""

    def text(self) -> str:
        """Return the log line."""
        return "positions are known again"


class StrategyLimitError(DuennaError):
    """A position is beyond its threshold, and nobody closes it.

    Attributes:
        position: It.
    """

    def __init__(self, position: Position, why: str) -> None:
        """Say by what it is beyond."""
        super().__init__(f"position {position.id} of {position.quantity} is beyond its threshold: {why}")
        self.position = position


class StrategyPositionError(DuennaError):
    """A position is beyond its threshold, and attempts to close it fail; each was reported as the guard's.

    Attributes:
        position: It.
        order_id: The client order id of the last attempt.
    """

    def __init__(self, position: Position, order_id: str, failures: int) -> None:
        """Say how often it failed."""
        super().__init__(f"position {position.id} of {position.quantity} is not closed after {failures} attempts")
        self.position = position
        self.order_id = order_id


class StalePositionsError(DuennaError):
    """The positions are too old to act on.

    Attributes:
        age: Seconds.
    """

    def __init__(self, age: float, max_age: float) -> None:
        """Say how old they are."""
        super().__init__(f"stale data: positions are {age:.1f} s old, at most {max_age:.1f} s are acted on")
        self.age = age


class BadPositionsError(DuennaError):
    """What was told about the positions cannot be."""

    def __init__(self, why: str) -> None:
        """Say *why*."""
        super().__init__(f"malformed data: {why}")
