"""The course of one guard's calls: from the first attempt to the last, and to what stands in for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from duenna._text import describe
from duenna.guard_events import FallbackUsed
from duenna.guards import _async_engine, _sync_engine
from duenna.guards._call import Call
from duenna.guards._counts import Health
from duenna.guards._registry import registry
from duenna.guards.errors import UnavailableError
from duenna.guards.fallback import Failed, NoFallbackError, Outcome
from duenna.guards.retry import ByVerdict
from duenna.machines.budget import RetryBudget

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna.guards._dependency import Dependency
    from duenna.guards._last_good import LastGood
    from duenna.guards._policy import Policy
    from duenna.machines.permit import Permit


class Course:
    """How one guard makes its calls. Whatever it guards keeps it, and so its dependency, alive.

    Attributes:
        policy: What is done round each call.
        dependency: What is called.
        is_quick: Whether a call that succeeds at once needs nothing but the breaker.
        is_once: Whether a call that fails has failed for good.
        memory: Good answers, if the fallback needs them.
    """

    def __init__(self, policy: Policy, find: Callable[[object], Dependency], memory: LastGood | None = None) -> None:
        """Begin with what *memory* holds; *find* gives the dependency to the one of its users that this is."""
        self.policy = policy
        self.dependency = dependency = find(self)
        self.is_quick = policy.is_quick(dependency)
        self.is_once = policy.retry.attempts == 1 and policy.fallback is None
        self.memory = memory
        if memory is None and policy.fallback is not None:
            self.memory = policy.fallback.memory()

    def begin_anew(self) -> None:
        """Forget what this guard alone remembers; the dependency does so for itself."""
        self.forget()
        self.refill()
        if self.policy.rate_limit is not None:
            self.policy.rate_limit.begin_anew()

    def refill(self) -> None:
        """Fill a retry budget of its own."""
        if isinstance(self.policy.retry.budget, RetryBudget):
            self.policy.retry.budget.refill()

    def forget(self) -> None:
        """Forget the good answers of another world."""
        if self.memory is not None:
            self.memory.clear()

    def check_sync(self, what: str) -> None:
        """Refuse policies that a plain function cannot have.

        Raises:
            TypeError: There is one.
        """
        policy, name = self.policy, self.dependency.name
        for needed in "attempt_timeout", "hedge":
            if getattr(policy, needed) is not None:
                why = f"{what} is a plain function, which nothing can cut off"
                message = f"guard {name!r}: {why}: {needed} needs an async one"
                raise TypeError(message)
        if policy.fallback is not None and policy.fallback.is_async:
            message = f"guard {name!r}: {what} is a plain function, its fallback must be one, too"
            raise TypeError(message)

    # An error must not keep the frame alive that its traceback keeps: hence the assignments to None in what follows.

    async def run(self, function: Any, args: Any, kwargs: Any, failure: Exception | None = None) -> Any:
        """Make a call the long way; *failure* is the error of its first attempt, if that was made."""
        try:
            if self.policy.fallback is not None:
                return (await self.outcome(function, args, kwargs, failure)).value
            return await _async_engine.attempts(self._call(function, args, kwargs), failure)
        finally:
            failure = None

    def run_sync(self, function: Any, args: Any, kwargs: Any, failure: Exception | None = None) -> Any:
        """Make a call the long way; *failure* is the error of its first attempt, if that was made."""
        try:
            if self.policy.fallback is not None:
                return self.outcome_sync(function, args, kwargs, failure).value
            return _sync_engine.attempts(self._call(function, args, kwargs), failure)
        finally:
            failure = None

    async def rescue(self, permit: Permit, failure: Exception | None, function: Any, args: Any, kwargs: Any) -> Any:
        """Go on with a call whose first attempt has just failed."""
        try:
            if self._is_over(permit, failure):  # type: ignore[arg-type]  # None only below
                raise failure  # type: ignore[misc]
            return await self.run(function, args, kwargs, failure)
        finally:
            failure = None

    def rescue_sync(self, permit: Permit, failure: Exception | None, function: Any, args: Any, kwargs: Any) -> Any:
        """Go on with a call whose first attempt has just failed."""
        try:
            if self._is_over(permit, failure):  # type: ignore[arg-type]  # None only below
                raise failure  # type: ignore[misc]
            return self.run_sync(function, args, kwargs, failure)
        finally:
            failure = None

    async def outcome(self, function: Any, args: Any, kwargs: Any, failure: Exception | None = None) -> Outcome:
        """Make a call, and say where its result comes from."""
        fallback, failed = self.policy.fallback, None
        try:
            self._check_key(function, args, kwargs)
            try:
                value = await _async_engine.attempts(self._call(function, args, kwargs), failure)
                return self._remembered(value, function, args, kwargs)
            except Exception as error:
                if fallback is None:
                    raise
                failed = self._failed(error, function, args, kwargs)
            try:
                return self._degraded(await fallback.use(failed))
            except NoFallbackError:
                pass
            except Exception as error:  # noqa: BLE001  # raised together with the first
                raise self._unavailable(failed.error, error) from None
            raise failed.error
        finally:
            failure = failed = None

    def outcome_sync(self, function: Any, args: Any, kwargs: Any, failure: Exception | None = None) -> Outcome:
        """Make a call, and say where its result comes from."""
        fallback, failed = self.policy.fallback, None
        try:
            self._check_key(function, args, kwargs)
            try:
                value = _sync_engine.attempts(self._call(function, args, kwargs), failure)
                return self._remembered(value, function, args, kwargs)
            except Exception as error:
                if fallback is None:
                    raise
                failed = self._failed(error, function, args, kwargs)
            try:
                return self._degraded(fallback.use_sync(failed))
            except NoFallbackError:
                pass
            except Exception as error:  # noqa: BLE001  # raised together with the first
                raise self._unavailable(failed.error, error) from None
            raise failed.error
        finally:
            failure = failed = None

    def _is_over(self, permit: Permit, failure: Exception) -> bool:
        """Record the error of a first attempt, and return whether it plainly is the end of its call."""
        self.dependency.failed(permit, failure)
        policy, dependency, rule = self.policy, self.dependency, self.policy.retry.on
        if policy.fallback is not None or not isinstance(rule, ByVerdict):
            return False
        if rule(failure):
            return False
        dependency.counts.failed_first += 1
        if registry.is_heard or dependency.reporter is not None:
            dependency.report(failure, 1)
        return True

    def _call(self, function: Any, args: Any, kwargs: Any) -> Call:
        call = Call(self.dependency, self.policy, function, args, kwargs)
        tap = self.dependency.tap
        if tap is not None:
            tap.begins(call)
        return call

    def _check_key(self, function: Any, args: Any, kwargs: Any) -> None:
        """Refuse a call that could not be remembered before it has an effect."""
        if self.memory is not None:
            self.memory.key(function, args, kwargs)

    def _remembered(self, value: Any, function: Any, args: Any, kwargs: Any) -> Outcome:
        if self.memory is not None:
            self.memory.remember(function, args, kwargs, value, self.dependency.timeline.now())
        return Outcome(value)

    def _failed(self, error: Exception, function: Any, args: Any, kwargs: Any) -> Failed:
        return Failed(error, function, args, kwargs, self.memory, self.dependency.timeline.now())

    def _degraded(self, found: Outcome) -> Outcome:
        """Note that a fallback stood in."""
        dependency = self.dependency
        dependency.counts.fallbacks += 1
        registry.emit(dependency, FallbackUsed, source=found.source, age=found.age, error=found.error)
        dependency.feels(Health.DEGRADED, f"a fallback stands in: {found.source}")
        return found

    def _unavailable(self, primary: Exception, error: Exception) -> UnavailableError:
        """Note that the fallback failed as well."""
        self.dependency.feels(Health.UNAVAILABLE, f"the fallback failed, too: {describe(error)}")
        return UnavailableError(self.dependency.name, primary, error)
