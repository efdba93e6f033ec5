"""Bugs planted in the guards on purpose, each for the time of a ``with`` block: the checkers must find them."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from math import inf
from typing import Any

from duenna.guards import _call
from duenna.guards._call import Call
from duenna.guards._dependency import Dependency
from duenna.guards.errors import RejectedError
from duenna.machines import circuit
from duenna.machines.breaker import TRANSITIONS, BreakerState, Cause
from duenna.machines.budget import RetryBudget
from duenna.machines.circuit import Circuit
from duenna.machines.retry import Retry


@contextmanager
def _patched(owner: Any, name: str, value: Any) -> Generator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def probe_too_early() -> AbstractContextManager[None]:
    """Let a probe through after half the time."""
    retry_after: Any = Circuit.retry_after

    def shorter(breaker: Circuit, now: float) -> float:
        wait: float = retry_after(breaker, now)
        if breaker.state is not BreakerState.OPEN or wait > (breaker.until - breaker.since) / 2.0:
            return wait
        return 0.0

    return _patched(Circuit, "retry_after", shorter)


def uncounted_probes() -> AbstractContextManager[None]:
    """Let every call through a half-open breaker."""
    retry_after: Any = Circuit.retry_after

    def none(breaker: Circuit, now: float) -> float:
        return 0.0 if breaker.state is BreakerState.HALF_OPEN else retry_after(breaker, now)

    return _patched(Circuit, "retry_after", none)


def stale_permit() -> AbstractContextManager[None]:
    """Let those through who waited for the bulkhead while the breaker opened."""

    def keep(_dependency: Dependency, permit: Any, admitted: float) -> Any:
        return permit, admitted

    return _patched(Dependency, "renew", keep)


def closed_by_time() -> AbstractContextManager[None]:
    """Close a breaker when its time is over, without a probe."""
    closed, opened = BreakerState.CLOSED, BreakerState.OPEN
    moves = {
        (opened, Cause.WAITED): closed,
        (closed, Cause.PROBES_PASSED): closed,
        (closed, Cause.PROBE_FAILED): opened,
    }
    return _patched(circuit, "TRANSITIONS", TRANSITIONS | moves)


def retried_rejection() -> AbstractContextManager[None]:
    """Try again what the guard itself has refused."""
    is_final: Any = Call._is_final

    def never(call: Call, error: Exception) -> bool:
        return not isinstance(error, RejectedError) and is_final(call, error)

    return _patched(Call, "_is_final", never)


def counted_rejection() -> AbstractContextManager[None]:
    """Count a full bulkhead as a failure of the far end."""
    refused: Any = Call.refused

    def count(call: Call, error: Any) -> None:
        call.dependency.failed(call.dependency.circuit.permit, OSError())
        refused(call, error)

    return _patched(Call, "refused", count)


def _other_next(**changed: Callable[[Any], Any]) -> AbstractContextManager[None]:
    """Ask `Retry.next` with other arguments."""
    decide: Any = Retry.next

    def next_(retry: Retry, attempt: int, elapsed: float, left: float, retry_after: float, **more: float) -> Any:
        given = {"attempt": attempt, "deadline_left": left, "retry_after": retry_after}
        given |= {name: change(given[name]) for name, change in changed.items()}
        return decide(retry, elapsed=elapsed, **given, **more)

    return _patched(Retry, "next", next_)


def one_attempt_more() -> AbstractContextManager[None]:
    """Count the retries, where attempts are meant."""
    return _other_next(attempt=lambda attempt: max(1, attempt - 1))


def deaf_to_retry_after() -> AbstractContextManager[None]:
    """Come back when one likes."""
    return _other_next(retry_after=lambda _wait: 0.0)


def waits_past_the_deadline() -> AbstractContextManager[None]:
    """Wait for an attempt that comes too late."""
    return _other_next(deadline_left=lambda _left: inf)


def bottomless_budget() -> AbstractContextManager[None]:
    """Grant every retry."""

    def grant(_budget: RetryBudget, _cost: float = 1.0) -> bool:
        return True

    return _patched(RetryBudget, "withdraw", grant)


def retries_that_pay() -> AbstractContextManager[None]:
    """Take every attempt for a first one, so that retries pay for retries."""

    def pay_in(dependency: Dependency, budget: RetryBudget) -> None:
        made = dependency.circuit.outcomes
        budget.deposit(max(0, made - dependency._paid.get(budget, made)))
        dependency._paid[budget] = made

    return _patched(Dependency, "pay_in", pay_in)


def bare_bucket() -> AbstractContextManager[None]:
    """Deny a lone caller his retry when the bucket is empty."""

    def enter(_budget: RetryBudget) -> None:
        """Forget that a call retries: then none is spared."""

    def leave(_budget: RetryBudget) -> None:
        """Nobody has entered."""

    return _both(_patched(RetryBudget, "enter", enter), _patched(RetryBudget, "leave", leave))


def order_sent_twice() -> AbstractContextManager[None]:
    """Take every error for one that says what became of the call."""

    def known(_error: BaseException) -> bool:
        return True

    return _patched(_call, "is_outcome_known", known)


def leaked_permit() -> AbstractContextManager[None]:
    """Keep the permit of a call that is cancelled."""

    def released(_call: Call, _permit: Any, slots: Any, _began: float, *, is_sent: bool = False) -> None:
        if slots is not None:
            slots.release()

    return _patched(Call, "released", released)


def leaked_slot() -> AbstractContextManager[None]:
    """Keep the place in the bulkhead of a call that is cancelled."""
    released: Any = Call.released

    def keep(call: Call, permit: Any, _slots: Any, began: float, *, is_sent: bool = False) -> None:
        released(call, permit, None, began, is_sent=is_sent)

    return _patched(Call, "released", keep)


@contextmanager
def _both(one: AbstractContextManager[None], other: AbstractContextManager[None]) -> Generator[None]:
    with one, other:
        yield


PLANTS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    plant.__name__: plant
    for plant in (
        probe_too_early,
        uncounted_probes,
        stale_permit,
        closed_by_time,
        retried_rejection,
        counted_rejection,
        one_attempt_more,
        deaf_to_retry_after,
        waits_past_the_deadline,
        bottomless_budget,
        retries_that_pay,
        bare_bucket,
        order_sent_twice,
        leaked_permit,
        leaked_slot,
    )
}
"""Every planted bug, by name."""
