"""Guarded calls with a tap: every attempt, and what a guard decides between two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from duenna._text import describe
from duenna.guards._call import Call
from duenna.guards._hints import is_outcome_known, is_timeout
from duenna.guards.errors import BulkheadFullError, CircuitOpenError, RejectedError, ThrottledError
from duenna.testing._tap._specs import finite

if TYPE_CHECKING:
    from duenna.guards.bulkhead import Slots
    from duenna.machines.backoff import Backoff
    from duenna.machines.permit import Permit
    from duenna.testing._tap._ledger import Ledger, Try

_MOST_TEXT = 200


class TracedCall(Call):
    """A call of a tapped guard; made of a plain one by changing its class."""

    __slots__ = ()

    @property
    def _ledger(self) -> Ledger:
        return self.dependency.tap  # type: ignore[return-value]  # it is what made the call one of these

    # -- one attempt -----------------------------------------------------------

    def admit(self) -> Permit:
        """Return a permit, or record the refusal."""
        ledger = self._ledger
        story = ledger.stories[self]
        tried = story.next(self.number, ledger.now())
        try:
            permit = super().admit()
        except RejectedError as error:
            self._refused(tried, error)
            raise
        story.tries[ledger.strand()] = tried
        ledger.account(self.dependency).held += 1
        return permit

    def renew(self, permit: Permit, admitted: float) -> tuple[Permit, float]:
        """Note that another permit was given, if it was."""
        ledger = self._ledger
        renewed, since = super().renew(permit, admitted)
        if renewed is not permit:
            ledger.account(self.dependency).held += 1
            ledger.stories[self].tries[ledger.strand()].admitted = ledger.now()
        return renewed, since

    def sends(self, *, is_hedge: bool = False) -> tuple[float, float]:
        """Record that the function is called."""
        moment = super().sends(is_hedge=is_hedge)
        ledger = self._ledger
        tried = ledger.stories[self].tries[ledger.strand()]
        tried.is_sent = True
        waited = {"admitted": tried.admitted} if tried.admitted != ledger.now() else {}
        self._write("attempt_begun", attempt=tried.attempt, hedge=tried.hedge, **waited)
        return moment

    def failed(self, permit: Permit, slots: Slots | None, error: Exception, began: float) -> None:
        """Record an error."""
        self._ended("error", error=describe(error)[:_MOST_TEXT])
        super().failed(permit, slots, error, began)

    def succeeded(self, permit: Permit, slots: Slots | None, began: float) -> None:
        """Record a success."""
        self._ended("ok")
        super().succeeded(permit, slots, began)

    def released(self, permit: Permit, slots: Slots | None, began: float, *, is_sent: bool = False) -> None:
        """Record that an attempt was cancelled, if it was made at all."""
        self._ended("cancelled")
        super().released(permit, slots, began, is_sent=is_sent)

    def refused(self, error: RejectedError) -> None:
        """Record that bulkhead or rate limit refused an attempt."""
        tried = self._ledger.stories[self].unsent
        if tried is not None:
            self._refused(tried, error)
        super().refused(error)

    # -- between two attempts --------------------------------------------------

    def wait_after(self, error: Exception, *, may_wait: bool = True) -> float | None:
        """Record what is planned, and the settings that it must keep to."""
        delay = super().wait_after(error, may_wait=may_wait)
        if delay is not None:
            policy = self.policy
            self._write(
                "retry_planned",
                attempt=self.number,
                delay=delay,
                retry_after=self.asked_wait(error),
                attempts=policy.retry.attempts,
                backoff=_backoff(policy.retry.backoff),
                deadline=policy.deadline,
                idempotent=policy.idempotent,
                outcome_known=is_outcome_known(error),
                budget=self._paid_from(),
                cost=self._cost(error),
                **({"stretch": self.stretch} if self.stretch > 1 else {}),
            )
        return delay

    def may_hedge(self) -> bool:
        """Record whether another try is made beside the one under way."""
        is_granted = super().may_hedge()
        kind = "hedge_planned" if is_granted else "hedge_denied"
        facts = {"idempotent": self.policy.idempotent, "budget": self._paid_from(), "cost": 1.0}
        self._write(kind, attempt=self.number, **facts)
        return is_granted

    def answered(self) -> None:
        """Note that it succeeded."""
        self._ledger.stories[self].outcome = "ok"
        super().answered()

    def final(self, error: Exception) -> Exception:
        """Note that it failed."""
        self._ledger.stories[self].outcome = "error"
        return super().final(error)

    def close(self) -> None:
        """Record the end and, if no other call is under way, what is held all the same."""
        super().close()
        ledger, dependency = self._ledger, self.dependency
        account = ledger.account(dependency)
        account.under_way -= 1
        fields: dict[str, Any] = {"outcome": ledger.stories[self].outcome, "attempts": self.number}
        if self._why:
            fields["why"] = str(self._why)
        if self._why == "budget":
            fields["budget"] = self._paid_from()
        if not account.under_way:
            slots = dependency.slots
            left = {
                "permits": account.held,
                "slots": slots.in_use if slots else 0,
                "retries": dependency.budget.retrying,
            }
            fields |= {name: count for name, count in left.items() if count}
        self._write("call_ended", **fields)
        del ledger.stories[self]

    # -- parts -----------------------------------------------------------------

    def _write(self, kind: str, **fields: Any) -> None:
        ledger = self._ledger
        ledger.write(kind, self.dependency.name, call=ledger.stories[self].number, **fields)

    def _ended(self, outcome: str, **fields: Any) -> None:
        ledger = self._ledger
        story = ledger.stories[self]
        tried = story.tries.pop(ledger.strand(), None)
        if tried is not None and tried.is_sent:
            self._write("attempt_ended", attempt=tried.attempt, hedge=tried.hedge, outcome=outcome, **fields)
        else:
            story.unsent = tried

    def _refused(self, tried: Try, error: RejectedError) -> None:
        wait = finite(error.retry_after)
        self._write("attempt_refused", attempt=tried.attempt, hedge=tried.hedge, by=_by(error), retry_after=wait)

    def _paid_from(self) -> dict[str, Any] | None:
        """Return what a checker must know of the budget."""
        budget = self.policy.budget(self.dependency)
        if budget is None:
            return None
        name = self._ledger.budget_name(self.dependency, budget)
        return {"name": name, "ratio": budget.ratio, "cap": budget.cap, "free": budget.free}

    def _cost(self, error: Exception) -> float:
        budget = self.policy.budget(self.dependency)
        return budget.timeout_cost if budget is not None and is_timeout(error) else 1.0


def _by(error: RejectedError) -> str:
    """Return which policy refuses with *error*."""
    names = {CircuitOpenError: "breaker", ThrottledError: "throttle", BulkheadFullError: "bulkhead"}
    return next((name for kind, name in names.items() if isinstance(error, kind)), "rate_limit")


def _backoff(backoff: Backoff) -> dict[str, Any]:
    if backoff.waits:
        return {"waits": list(backoff.waits)}
    return {
        "initial": backoff.initial,
        "factor": backoff.factor,
        "maximum": finite(backoff.maximum),
        "jitter": str(backoff.jitter),
    }
