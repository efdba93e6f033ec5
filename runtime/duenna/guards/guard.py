"""Every policy of one dependency round one call, in one fixed order.

Fallback > deadline > retry with budget > hedge > breaker > bulkhead > rate limit > attempt
timeout > call. `docs/guards.md` says what each does, and why in this order.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast, overload

import attrs

from duenna.guards._course import Course
from duenna.guards._dependency import Dependency
from duenna.guards._lazy import LAZY, refusal
from duenna.guards._policy import Policies, Policy
from duenna.guards._registry import registry
from duenna.guards._shared import DependencySettings
from duenna.guards._wrap import wrap
from duenna.guards.breaker import Breaker
from duenna.guards.bulkhead import Bulkhead
from duenna.guards.retry import Retry
from duenna.machines.aimd import Aimd
from duenna.machines.budget import RetryBudget
from duenna.machines.throttle import AdaptiveThrottle

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable
    from typing import ParamSpec

    from duenna.guards._counts import Health
    from duenna.guards.fallback import Fallback, Outcome
    from duenna.guards.hedge import Hedge
    from duenna.guards.rate_limit import RateLimit
    from duenna.guards.statistics import GuardStatistics
    from duenna.machines.breaker import BreakerState

    P = ParamSpec("P")

R = TypeVar("R")
T = TypeVar("T")

_RETRY = Retry()
_BREAKER = Breaker()
_NOTHING: dict[str, Any] = dict.fromkeys(Policy.names()) | {"weight": 1.0, "idempotent": True}


class Guard:
    """Every policy of one dependency, round each call to it.

    Use it as a decorator on ``def`` and ``async def``, or round one call: ``await
    guard.call(function, ...)``, ``guard.call_sync(function, ...)``. Guards of one name share
    a `Dependency`: one breaker, one budget, one bulkhead, one set of counters. Async
    functions run under trio or asyncio; plain ones in any thread, where a retry keeps
    the thread waiting. Inside an event loop a plain function is retried only without a wait.

    What the guard refuses by itself is a `RejectedError`; it is never tried again, and
    breaks nothing. Cancellation gives back whatever the call holds, and tells nothing.

    Attributes:
        name: Of the dependency.
        dependency: What is shared with other guards of this name.
    """

    def __init__(
        self,
        name: str,
        *,
        retry: Retry | None = _RETRY,
        breaker: Breaker | AdaptiveThrottle | None = _BREAKER,
        attempt_timeout: float | None = None,
        deadline: float | None = None,
        fallback: Fallback | None = None,
        bulkhead: int | Bulkhead | Aimd | None = None,
        rate_limit: RateLimit | None = None,
        weight: float | Callable[..., float] = 1.0,
        hedge: Hedge | None = None,
        idempotent: bool = True,
        rng: random.Random | None = None,
    ) -> None:
        """Make a guard; with nothing but a name it retries and has a breaker.

        Args:
            name: Of the dependency, such as `binance_ohlcv`.
            retry: Whether a failed call is tried again, and when; None: never.
            breaker: When calls are refused because too many fail; an `AdaptiveThrottle`
                refuses a part of them instead; None: never.
            attempt_timeout: Seconds for one attempt, which is cancelled then and has failed.
                Of async functions only.
            deadline: Seconds for the whole call, waits included. Of a plain function it is
                looked at between attempts only.
            fallback: What stands in when the call has failed for good.
            bulkhead: How many calls may be under way at once: a number, a `Bulkhead` that
                says how long others wait, or an `Aimd` limit that finds its own height.
            rate_limit: The gate that this call goes through, which may be shared by all
                guards of a host.
            weight: What a call takes of it: a number of at least 0, or a function of the
                call's arguments.
            hedge: When a second try is made beside the first. Of async functions only.
            idempotent: Whether the call may be made again when it is not known whether it had
                an effect. False for what must not be done twice.
            rng: What jitter is drawn from; None: the generator of the runtime.

        Raises:
            TypeError: A policy is not what it should be.
            ValueError: A number is out of range, policies contradict each other, or a guard
                of this name has another breaker or another bulkhead.
        """
        given: object = name
        if not isinstance(given, str) or not given.strip():
            message = f"Guard: name must be a text that is not empty, got {name!r}"
            raise TypeError(message)
        settings = DependencySettings(_breaker_of(name, breaker), _bulkhead_of(name, bulkhead))
        policy = Policy.of(
            name,
            retry=retry,
            attempt_timeout=attempt_timeout,
            deadline=deadline,
            fallback=fallback,
            rate_limit=rate_limit,
            weight=weight,
            hedge=hedge,
            idempotent=idempotent,
            rng=rng,
        )
        make = partial(Dependency, name, settings)
        self._set(Course(policy, lambda course: registry.find_or_make(name, settings, course, make)))

    @classmethod
    def apart(cls, name: str, reporter: Callable[[Exception, int], None], **policies: Unpack[Policies]) -> Guard:
        """Return a guard of one caller's own: no other guard of this *name* shares anything with it.

        It has neither breaker nor bulkhead, and no registry knows it.

        Args:
            name: For its events.
            reporter: What the failures of its calls are told, with the attempts made.
            policies: Any that `with_` takes.
        """
        policy = Policy.of(name, **(_NOTHING | cast("dict[str, Any]", policies)))
        dependency = Dependency(name, DependencySettings(None, None))
        dependency.reporter = reporter
        guard = object.__new__(cls)
        guard._set(Course(policy, lambda _: dependency))
        return guard

    def _set(self, course: Course) -> None:
        self.name = course.dependency.name
        self.dependency = course.dependency
        self._course = course

    def __repr__(self) -> str:
        """Return the name and the state."""
        return f"<Guard {self.name!r}, {self.state}>"

    # -- use -------------------------------------------------------------------

    @overload
    def __call__(self, target: Callable[P, R]) -> Callable[P, R]: ...
    @overload
    def __call__(self, target: T) -> T: ...
    def __call__(self, target: Any) -> Any:
        """Return *target* under this guard.

        Raises:
            TypeError: It is a class, a generator, or a plain function under a policy that
                needs an async one.
        """
        return wrap(self._course, target)

    async def call(self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what *function* gives, an async function or one that returns an awaitable."""
        course = self._course
        permit = self.dependency.circuit.permit
        if permit.gated or not course.is_quick:
            return await course.run(function, args, kwargs)  # type: ignore[no-any-return]
        try:
            value = await function(*args, **kwargs)
        except Exception as error:
            if course.is_once:
                self.dependency.failed_once(permit, error)
                raise
            failure = error
        except BaseException:
            self.dependency.release(permit)
            raise
        else:
            if permit.gated:
                self.dependency.succeeded(permit)
            else:
                permit.seq += 1
            return value
        try:
            return await course.rescue(permit, failure, function, args, kwargs)  # type: ignore[no-any-return]
        finally:
            del failure

    def call_sync(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what *function* gives, a plain function.

        Raises:
            TypeError: It returned a coroutine or a generator, or a policy needs an async function.
        """
        course = self._course
        permit = self.dependency.circuit.permit
        if permit.gated or not course.is_quick:
            course.check_sync(getattr(function, "__qualname__", repr(function)))
            return course.run_sync(function, args, kwargs)  # type: ignore[no-any-return]
        try:
            value = function(*args, **kwargs)
        except Exception as error:
            if course.is_once:
                self.dependency.failed_once(permit, error)
                raise
            failure = error
        except BaseException:
            self.dependency.release(permit)
            raise
        else:
            if type(value) in LAZY:
                self.dependency.release(permit)
                raise refusal(self.name, function, value)
            if permit.gated:
                self.dependency.succeeded(permit)
            else:
                permit.seq += 1
            return value
        try:
            return course.rescue_sync(permit, failure, function, args, kwargs)  # type: ignore[no-any-return]
        finally:
            del failure

    async def outcome(self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> Outcome:
        """As `call`, but return an `Outcome`, which says whether the value is a fallback's."""
        return await self._course.outcome(function, args, kwargs)

    def outcome_sync(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Outcome:
        """As `call_sync`, but return an `Outcome`, which says whether the value is a fallback's."""
        self._course.check_sync(getattr(function, "__qualname__", repr(function)))
        return self._course.outcome_sync(function, args, kwargs)

    def with_(self, **policies: Unpack[Policies]) -> Guard:
        """Return a guard of the same dependency with other policies, for one call or for many.

        Args:
            policies: Any that the constructor takes, but ``breaker`` and ``bulkhead``: these are shared.

        Raises:
            TypeError: There is no such policy, it is shared, or it is not what it should be.
            ValueError: A number is out of range, or policies contradict each other.
        """
        current = {name: getattr(self._course.policy, name) for name in Policy.names()}
        for name in policies:
            if name not in current:
                why = "is shared by all guards of a name" if name in {"breaker", "bulkhead"} else "is not one of them"
                message = f"guard {self.name!r}: with_() takes {', '.join(current)}; {name} {why}"
                raise TypeError(message)
        guard = object.__new__(Guard)
        policy = Policy.of(self.name, **(current | cast("dict[str, Any]", policies)))
        is_same = policy.fallback is not None and policy.fallback is self._course.policy.fallback
        guard._set(Course(policy, self._join, self._course.memory if is_same else None))
        return guard

    def _join(self, course: object) -> Dependency:
        registry.join(self.dependency, course)
        return self.dependency

    # -- looking, and by hand --------------------------------------------------

    @property
    def state(self) -> BreakerState:
        """Whether calls pass. An open breaker stays open until a call comes after its time."""
        return self.dependency.state

    @property
    def health(self) -> Health:
        """`ok`; `degraded` while fallbacks stand in; `unavailable` when these fail, too."""
        return self.dependency.health

    @property
    def last_error(self) -> str | None:
        """The last failure, in words."""
        return self.dependency.last_error

    def statistics(self) -> GuardStatistics:
        """Return all counters of the dependency."""
        return self.dependency.statistics()

    def reset(self) -> None:
        """Begin anew: closed, with an empty window, a full budget and counters of 0."""
        self.dependency.reset()

    def force_open(self) -> None:
        """Refuse all calls until a hand says otherwise."""
        self.dependency.force_open()

    def disable(self) -> None:
        """Have the breaker let all calls pass, and judge nothing."""
        self.dependency.disable()

    def metrics_only(self) -> None:
        """Have the breaker let all calls pass; it keeps its window, but never opens."""
        self.dependency.metrics_only()

    def close(self) -> None:
        """Have the breaker let calls pass and judge them."""
        self.dependency.close()

    def twin(self) -> Guard:
        """Return a guard with the same settings and no past, in whatever registry names mean something now."""
        settings, policy = self.dependency.settings, self._course.policy
        retry = policy.retry
        if isinstance(retry.budget, RetryBudget):
            retry = attrs.evolve(retry, budget=attrs.evolve(retry.budget))
        given = {name: getattr(policy, name) for name in Policy.names()}
        limit = policy.rate_limit
        given |= {"retry": retry, "rng": None, "rate_limit": None if limit is None else limit.twin()}
        return Guard(self.name, breaker=settings.breaker, bulkhead=settings.bulkhead, **given)


def _breaker_of(name: str, given: object) -> Breaker | AdaptiveThrottle | None:
    if given is None or isinstance(given, Breaker | AdaptiveThrottle):
        return given
    message = f"Guard {name!r}: breaker must be a Breaker, an AdaptiveThrottle or None, got {given!r}"
    raise TypeError(message)


def _bulkhead_of(name: str, given: object) -> Bulkhead | None:
    if given is None or isinstance(given, Bulkhead):
        return given
    if isinstance(given, int | Aimd):
        return Bulkhead(given)
    message = f"Guard {name!r}: bulkhead must be a number, a Bulkhead, an Aimd or None, got {given!r}"
    raise TypeError(message)
