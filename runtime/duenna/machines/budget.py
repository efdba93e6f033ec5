"""How many retries a dependency may be sent, as a share of the calls made to it.

Backoff spreads retries out, it does not make them fewer: a server that was browned out for
half a minute is kept busy with retries for ever after. What helps is to tie their number to
the number of calls, in a bucket that calls fill and retries empty.

A bare bucket, however, denies a bot that makes one call after the other its retries as soon
as a few calls have failed, though one call at a time overloads nobody. What tells the two
apart is concurrency: a call under way that retries *beside others*. So from an empty bucket
a retry is denied only while more than ``free`` calls retry at the same time. Simulated (400 rps
into a queue of 1000 at 500 rps, browned out to 50 rps for 30 s, attempts of 1 s, 3 of them,
one seed): up to 10 processes recover in 6 or 7 s with one free call each, just as with
0; 50 in 8 s instead of 6; but of 400 with a call per second each is a lone caller, and
together they had not recovered after 90 s. Such a fleet sets ``free`` to 0 or has a breaker.

The balance is kept in calls, not in retries (a retry costs ``1 / ratio`` of them), as
Finagle keeps it: with a ratio of 0.1 each sum is then exact, and the tenth call pays for a retry.
"""

import math

import attrs

from duenna.machines import checks

_OWNER = "RetryBudget"


@attrs.define(eq=False)
class RetryBudget:
    """A bucket that calls fill and retries empty; it starts full.

    Guarantees, for any order of calls:

    - With at most ``free`` calls retrying at a time, none of them is ever denied, whatever
      failed before and whatever it costs; and when a call is denied, ``free`` others at
      least are retrying.
    - Between any two moments, the cost of the retries granted, those not ``spared`` for
      that reason, is at most ``cap`` plus ``ratio`` for each call deposited in between.

    A call calls `enter` before its first `withdraw` and `leave` when it has ended, however
    it ended. A `withdraw` without any `enter` is one from a bare bucket.

    Attributes:
        ratio: Retries that one call pays for, at least 0. 0: the bucket never refills.
        cap: The most retries that can be saved up; 0, or at least what a retry costs.
        timeout_cost: What a retry after a timeout costs, in retries. Greater than 0: such a
            call may still keep the far end busy. For whoever withdraws.
        free: Calls that may retry at the same time from an empty bucket. 0: a strict budget.
        retrying: Calls that have entered and not left.
        granted: Retries that were paid for.
        spared: Retries that were let go from an empty bucket.
        denied: Retries that were not allowed.
    """

    ratio: float = 0.1
    cap: float = 10.0
    timeout_cost: float = 2.0
    free: int = attrs.field(default=1, kw_only=True)
    retrying: int = attrs.field(default=0, init=False)
    granted: int = attrs.field(default=0, init=False)
    spared: int = attrs.field(default=0, init=False)
    denied: int = attrs.field(default=0, init=False)
    _price: float = attrs.field(init=False)
    _most: float = attrs.field(init=False)
    _balance: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Refuse what makes no budget, and fill the bucket."""
        ratio = _finite("ratio", self.ratio)
        cap = _finite("cap", self.cap)
        dearest = max(1.0, _finite("timeout_cost", self.timeout_cost, zero=False))
        if 0 < cap < dearest:
            message = f"{_OWNER}: cap must be 0 or >= {dearest} (the dearest retry), got {self.cap!r}"
            raise ValueError(message)
        checks.count(_OWNER, "free", self.free, least=0)
        self._price = 1 / ratio if ratio else 1.0
        self._most = cap * self._price
        if not math.isfinite(self._most):
            message = f"{_OWNER}: ratio must be 0 or large enough to be divided by, got {self.ratio!r}"
            raise ValueError(message)
        self._balance = self._most

    @property
    def balance(self) -> float:
        """The retries that can be paid for now, within [0, cap]."""
        return min(self.cap, self._balance / self._price)

    def deposit(self, calls: int) -> None:
        """Pay in *calls*, at least 0: the first attempts made since the last deposit.

        It makes no difference whether they are paid in one by one or all before the next
        `withdraw`.
        """
        if self.ratio:
            self._balance = min(self._most, self._balance + calls)

    def enter(self) -> None:
        """Count a call that has failed for the first time and would be tried again."""
        self.retrying += 1

    def leave(self) -> None:
        """Stop counting a call that entered and has ended, cancelled or not.

        Raises:
            RuntimeError: No call has entered that has not left.
        """
        if not self.retrying:
            message = f"{_OWNER}: leave() without enter()"
            raise RuntimeError(message)
        self.retrying -= 1

    def withdraw(self, cost: float = 1.0, *, may_spare: bool = True) -> bool:
        """Take out one retry; return whether it may be made.

        Args:
            cost: In retries, at least 0: 1, or ``timeout_cost``.
            may_spare: Whether it may be let go from an empty bucket: False for a call that has
                not entered, such as a hedge.
        """
        price = cost * self._price
        if price <= self._balance:
            self._balance -= price
            self.granted += 1
            return True
        if may_spare and 0 < self.retrying <= self.free:
            self.spared += 1
            return True
        self.denied += 1
        return False

    def refill(self) -> None:
        """Fill the bucket, as on the first day; the counts stay."""
        self._balance = self._most


def _finite(what: str, value: float, *, zero: bool = True) -> float:
    given = checks.number(_OWNER, what, value)
    if not 0 <= given < math.inf or (given == 0 and not zero):
        message = f"{_OWNER}: {what} must be {'>=' if zero else '>'} 0 and finite, got {value!r}"
        raise ValueError(message)
    return given
