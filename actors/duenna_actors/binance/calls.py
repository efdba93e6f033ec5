"""What all requests to Binance have in common that may be made again: the base of its messages."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import msgspec

from duenna_actors.binance.spelling import parse_symbol, parse_time
from duenna_actors.binance.weights import Gate, request_weight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duenna_actors._http import ApiRequest

R = TypeVar("R")


class Message(msgspec.Struct, Generic[R], frozen=True):
    """What a `BinanceClient` is asked; answered with an R."""


class NoRowsError(ValueError):
    """An answer has no rows where there should be some: no sign of an exchange that does badly."""


class Call(Message[R], Generic[R], frozen=True):
    """A request that may be made again, as a message.

    It knows what is sent, under which guard, what it costs, and what makes an answer to it
    malformed.

    Attributes:
        guard: The last part of its guard's name.
        gate: The limit that it counts towards. What is urgent stands in no line either.
    """

    guard: ClassVar[str]
    gate: ClassVar[Gate] = Gate.WEIGHT

    def request(self) -> ApiRequest:
        """Return what is sent.

        Raises:
            ValueError: An argument is none that the exchange has.
        """
        raise NotImplementedError

    def read(self, data: Any, asked_ms: int) -> R:
        """Return what the answer says.

        Args:
            data: The answer, decoded into the request's type.
            asked_ms: The exchange's time when it was asked, in milliseconds since 1970.

        Raises:
            ValueError: It is no answer to this.
        """
        raise NotImplementedError

    def weigh(self, request: ApiRequest) -> int:
        """Return what *request* costs at the gate."""
        is_weighed = self.gate in {Gate.WEIGHT, Gate.URGENT}
        return request_weight(request.method, request.path, request.params) if is_weighed else 1


class History(Call[R], Generic[R], frozen=True, kw_only=True):
    """A request for rows of the past, oldest first.

    Attributes:
        limit: How many, at most; None: as many as the exchange gives unasked.
        since: No row is older. Milliseconds since 1970, or a `datetime` with a timezone; None:
            the last rows.
        until: No row is younger. The same.
        default: Rows that the exchange gives unasked.
        most: Rows that it gives at most.
    """

    default: ClassVar[int]
    most: ClassVar[int]

    limit: int | None = None
    since: datetime | int | None = None
    until: datetime | int | None = None

    def span(self) -> dict[str, Any]:
        """Return the parameters that say which rows.

        Raises:
            ValueError: There are no such rows.
        """
        if self.limit is not None and not 1 <= self.limit <= self.most:
            message = f"limit must be 1 to {self.most}, got {self.limit!r}"
            raise ValueError(message)
        since, until = parse_time("since", self.since), parse_time("until", self.until)
        if since is not None and until is not None and since > until:
            message = f"since must be <= until, got {self.since!r} and {self.until!r}"
            raise ValueError(message)
        return {"limit": self.limit, "startTime": since, "endTime": until}

    def check_times(self, times: Sequence[int], *, slack: int = 0, may_repeat: bool = False) -> None:
        """Refuse rows that are too many, out of order, or not of the time that was asked for.

        Args:
            times: Of the rows, in milliseconds since 1970.
            slack: By how much they may miss it, in milliseconds.
            may_repeat: Whether two rows may have one time.

        Raises:
            ValueError: They are.
        """
        limit = self.default if self.limit is None else self.limit
        if len(times) > limit:
            message = f"{len(times)} rows, {limit} were asked for"
            raise ValueError(message)
        for early, late in pairwise(times):
            if early > late or (early == late and not may_repeat):
                message = f"rows out of order: {late} comes after {early}"
                raise ValueError(message)
        since, until = parse_time("since", self.since), parse_time("until", self.until)
        if times and since is not None and times[0] < since - slack:
            message = f"a row of {times[0]}, none before {since} was asked for"
            raise ValueError(message)
        if times and until is not None and times[-1] > until + slack:
            message = f"a row of {times[-1]}, none after {until} was asked for"
            raise ValueError(message)

    def check_some(self, times: Sequence[int]) -> None:
        """Refuse an answer without rows to who has asked for the last ones: there are always last ones.

        Of a given time there may be none: nothing new yet, not listed yet, or not traded any more.

        Args:
            times: Of the rows.

        Raises:
            NoRowsError: There are none.
        """
        if not times and self.since is None and self.until is None:
            raise NoRowsError("no rows, there must be some")


def check_symbol(asked: str, *got: str) -> None:
    """Refuse rows of another contract than the one *asked* for.

    Raises:
        ValueError: There is one.
    """
    name = parse_symbol(asked)
    for symbol in got:
        if symbol != name:
            message = f"a row of {symbol}, {name} was asked for"
            raise ValueError(message)
