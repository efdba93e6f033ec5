"""The policies of one guard, checked, in the form in which a call needs them."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any, TypedDict

import attrs

from duenna.guards.fallback import Fallback
from duenna.guards.hedge import Hedge
from duenna.guards.rate_limit import RateLimit
from duenna.guards.retry import SHARED, Retry
from duenna.machines import checks

if TYPE_CHECKING:
    from duenna.guards._dependency import Dependency
    from duenna.machines.budget import RetryBudget

_OWNER = "Guard"
_ONCE = Retry.none()


class Policies(TypedDict, total=False):
    """What `Guard.with_` takes; the words are those of `Guard`."""

    retry: Retry | None
    attempt_timeout: float | None
    deadline: float | None
    fallback: Fallback | None
    rate_limit: RateLimit | None
    weight: float | Callable[..., float]
    hedge: Hedge | None
    idempotent: bool
    rng: random.Random | None


@attrs.frozen(kw_only=True)
class Policy:
    """What one guard does round a call, beside what it shares with others of its name.

    Attributes:
        retry: Whether a failed call is tried again; `Retry.none()` if it never is.
        attempt_timeout: Seconds for one attempt, or None.
        deadline: Seconds for the call, or None.
        fallback: What stands in for a failed call, or None.
        rate_limit: The gate, or None.
        weight: What a call takes of it: a number, or a function of the call's arguments.
        hedge: When a second try is made beside the first, or None.
        idempotent: Whether a call that may have had an effect may be made again.
        rng: What the jitter is drawn from; None: the runtime's generator.
    """

    retry: Retry
    attempt_timeout: float | None
    deadline: float | None
    fallback: Fallback | None
    rate_limit: RateLimit | None
    weight: float | Callable[..., float]
    hedge: Hedge | None
    idempotent: bool
    rng: random.Random | None

    @classmethod
    def of(cls, name: str, **given: Any) -> Policy:
        """Check what was given.

        Raises:
            TypeError: Something is not what it should be.
            ValueError: A number is out of range, or two things contradict each other.
        """
        retry, fallback, hedge = given.pop("retry"), given.pop("fallback"), given.pop("hedge")
        owner = f"{_OWNER} {name!r}"
        for what in ("attempt_timeout", "deadline"):
            if given[what] is not None:
                checks.duration(owner, what, given[what], zero=False, inf=False)
        retry = _ONCE if retry is None else _is(owner, "retry", retry, Retry)
        if fallback is not None:
            fallback = _is(owner, "fallback", fallback, Fallback)
        if given["rate_limit"] is not None:
            _is(owner, "rate_limit", given["rate_limit"], RateLimit)
        weight, rng = given["weight"], given["rng"]
        if not callable(weight) and not 0 <= checks.number(owner, "weight", weight) < inf:
            message = f"{owner}: weight must be >= 0 and finite or a function of the call's arguments, got {weight!r}"
            raise ValueError(message)
        checks.flag(owner, "idempotent", given["idempotent"])
        if rng is not None:
            _is(owner, "rng", rng, random.Random)
        limit = given["rate_limit"]
        if limit is not None and not callable(weight) and weight > limit.burst:
            message = f"{owner}: weight must be <= {limit.burst}, the burst of its rate_limit, got {weight!r}"
            raise ValueError(message)
        if hedge is not None:
            _is(owner, "hedge", hedge, Hedge)
            if not given["idempotent"]:
                message = f"{owner}: hedge needs calls that may be made twice, but idempotent is False"
                raise ValueError(message)
        return cls(retry=retry, fallback=fallback, hedge=hedge, **given)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of the policies."""
        return tuple(field.name for field in attrs.fields(cls))

    def budget(self, dependency: Dependency) -> RetryBudget | None:
        """Return what retries are paid from."""
        return dependency.budget if self.retry.budget is SHARED else self.retry.budget

    def is_quick(self, dependency: Dependency) -> bool:
        """Return whether a call that succeeds at once needs nothing but the breaker."""
        return (
            self.attempt_timeout is None
            and self.deadline is None
            and self.rate_limit is None
            and self.hedge is None
            and self.retry.on_result is None
            and dependency.slots is None
            and dependency.throttle is None
            and not (self.fallback is not None and self.fallback.remembers)
        )


def _is(owner: str, what: str, given: Any, kind: type[Any]) -> Any:
    if not isinstance(given, kind):
        message = f"{owner}: {what} must be a {kind.__name__}, got {given!r}"
        raise TypeError(message)
    return given
