"""The guards of one exchange: one breaker for each endpoint, one gate for each limit."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import attrs

from duenna.guards import Breaker, Guard, RejectedError, Retry
from duenna.machines.backoff import Backoff
from duenna.machines.hints import links
from duenna_actors.api_errors import ApiError, ApiStatusError
from duenna_actors.binance.calls import NoRowsError
from duenna_actors.binance.weights import Gate, Gates

if TYPE_CHECKING:
    from duenna_actors._http import ApiRequest
    from duenna_actors.binance.calls import Call

CLOCK_IS_OFF = -1021
_COME_BACK = frozenset({408, 418, 425, 429})
_PATIENCE = 120.0
_REFUSED, _FAILED = 400, 500


class NobodyWaitsError(RejectedError):
    """A request was not sent (again), for whoever asked has given up."""

    def __init__(self, guard: str) -> None:
        """Say that nobody waits."""
        super().__init__(guard, "nobody waits for the answer")


def is_worth_a_retry(error: BaseException) -> bool:
    """Return whether a request that failed with *error* may succeed when it is made again."""
    if not isinstance(error, ApiError):
        return False
    if any(isinstance(link, ssl.SSLCertVerificationError) for link in links(error)):
        return False
    status = error.status
    return status is None or not _REFUSED <= status < _FAILED or status in _COME_BACK or error.code == CLOCK_IS_OFF


def is_outage(error: BaseException) -> bool:
    """Return whether *error* says that the exchange does badly: what a breaker counts.

    An answer of 4xx says that it does well, and one with Retry-After that it looks after itself.
    One without rows may be the truth about one contract.
    """
    if not isinstance(error, ApiError) or error.retry_after or isinstance(error.__cause__, NoRowsError):
        return False
    return not (isinstance(error, ApiStatusError) and error.status is not None and error.status < _FAILED) or (
        error.status == 408  # noqa: PLR2004  # its backend did not answer
    )


READS = Retry(6, backoff=Backoff.exponential(2.0, maximum=120.0), patience=_PATIENCE, on=is_worth_a_retry)
"""5 retries after 2 s to 120 s, fully jittered; a Retry-After of up to 2 minutes is waited for."""

ORDERS = Retry(3, backoff=Backoff.exponential(0.5, maximum=5.0), patience=_PATIENCE, on=is_worth_a_retry)
"""2 retries, of what certainly had no effect."""

BREAKER = Breaker.consecutive(10, open_for=120.0, record=is_outage)
"""Open for 2 minutes after 10 failures in a row."""


@attrs.define(eq=False)
class ExchangeGuards:
    """The guards of one exchange, made as they are needed.

    Attributes:
        name: The first part of their names.
        gates: What they share.
        retry: Of all requests that may be made again.
        breaker: Of each.
    """

    name: str
    gates: Gates
    retry: Retry = READS
    breaker: Breaker = BREAKER
    _made: dict[tuple[str, Gate], Guard] = attrs.field(factory=dict[tuple[str, Gate], Guard], init=False)

    def retry_with(self, retry: Retry) -> None:
        """Have requests tried again as *retry* says from now on; breakers and counters stay."""
        if retry != self.retry:
            self.retry = retry
            kept = {key: guard for key, guard in self._made.items() if key[1] is not Gate.ORDERS}
            self._made.update({key: guard.with_(retry=retry) for key, guard in kept.items()})

    def of(self, call: Call[Any]) -> Guard:
        """Return the guard of a request."""
        key = call.guard, call.gate
        guard = self._made.get(key)
        if guard is None:
            guard = self._made[key] = Guard(
                f"{self.name}_{call.guard}",
                retry=self.retry,
                breaker=self.breaker,
                rate_limit=self.gates.by_limit[call.gate],
                weight=_weight,
            )
        return guard

    def of_orders(self, patience: float) -> Guard:
        """Return the guard of new orders: what may have had an effect is never tried again.

        Args:
            patience: Seconds for which an order may wait for the exchange, at most.
        """
        key = "orders", Gate.ORDERS
        guard = self._made.get(key)
        if guard is None:
            guard = self._made[key] = Guard(
                f"{self.name}_orders",
                retry=ORDERS,
                breaker=self.breaker,
                rate_limit=self.gates.by_limit[Gate.ORDERS],
                idempotent=False,
            )
        return guard.with_(retry=attrs.evolve(ORDERS, patience=min(patience, _PATIENCE)))


def _weight(call: Call[Any], request: ApiRequest, *_rest: object) -> float:
    return call.weigh(request)
