"""Decorators for functions that are no actor: retried, reported, answered by a fallback, or behind a breaker."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, Unpack

from duenna._scope import Scope, current, is_retried
from duenna.error_events import Source
from duenna.guards import Breaker, Guard, Retry
from duenna.guards._lazy import UnfinishedWorkError, name_of
from duenna.guards.retry import ByVerdict
from duenna.handlers.contexts import check_words
from duenna.handlers.handler import ErrorHandler, default
from duenna.machines import checks
from duenna.machines.backoff import Backoff
from duenna.machines.classification import origin_of

if TYPE_CHECKING:
    from duenna.guards._policy import Policies
    from duenna.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])


class _NoFallback(Enum):
    NO_FALLBACK = "no fallback"


NO_FALLBACK: Final = _NoFallback.NO_FALLBACK
"""The default of ``fallback_value``: the error is raised. None would be a fallback like any other."""


def handle_errors(
    operation: str,
    component: str = "",
    *,
    max_retries: int | None = None,
    fallback_value: Any = NO_FALLBACK,
    handler: ErrorHandler | None = None,
) -> Callable[[F], F]:
    """Retry, classify and report the errors of a function, and answer with a fallback if there is one.

    For ``def``, in any thread or none, and for ``async def`` under trio or asyncio; functions,
    methods, static and class methods. What the classifier calls transient is tried again after
    waits by the settings in force (10, 30, 60 s), or Retry-After if that is longer; what may
    have had an effect never is. The error of the last attempt is reported once. A plain function
    inside an event loop is not tried again: a wait would block the loop.

    What is no `Exception` (a cancellation, Ctrl-C, an exit) passes, unreported and never swallowed.

    Args:
        operation: What is done, such as `fetch`.
        component: What does it, such as `market`. One called `api`, `order`, `database` or the like is
            judged as such an actor is: a timeout of an `order` may have had an effect.
        max_retries: Attempts after the first, at least 0; None: as many as the settings say.
        fallback_value: What stands in for the result of a call that failed, None included.
            Without it the error is raised.
        handler: Who reports, and whose settings hold; None: that of the process.

    Raises:
        TypeError: An argument has the wrong type; or, when it decorates, the target is a
            generator, a class, or no function.
        ValueError: *max_retries* is less than 0.
    """
    if callable(operation):
        raise TypeError("handle_errors: an operation is needed: @handle_errors(operation, component)")
    check_words("handle_errors", operation, component)
    if max_retries is not None:
        checks.count("handle_errors", "max_retries", max_retries, least=0)

    def decorate(target: Any) -> Any:
        site = _Handled(operation, component, max_retries, fallback_value, handler or default)
        return _wrapped("handle_errors", target, lambda _: site)

    return decorate


def with_circuit_breaker(
    name: str,
    *,
    failure_threshold: int | None = None,
    recovery_timeout: float | None = None,
    success_threshold: int = 2,
    handler: ErrorHandler | None = None,
    **policies: Unpack[Policies],
) -> Callable[[F], F]:
    """Refuse calls of a function while too many in a row have failed; report those that fail.

    It is a `Guard` called *name* with `Breaker.consecutive`, without retries unless ``retry=`` is given, and
    shares its breaker with all guards of this name. A number that is not given is that of the
    settings in force, and follows them.

    Args:
        name: Of the dependency, such as `binance`; `runtime.guards` knows it by this.
        failure_threshold: Failures in a row that open it, at least 1; None: as the settings say (5).
        recovery_timeout: Seconds that it stays open, greater than 0; None: as the settings say (60).
        success_threshold: Probes that must pass to close it again, at least 1.
        handler: Who reports, and whose settings hold; None: that of the process.
        policies: Any that `Guard.with_` takes.

    Raises:
        TypeError: An argument has the wrong type; or, when it decorates, the target is a
            generator, a class, or no function.
        ValueError: A number is out of range; or there is a guard of this name with another breaker.
    """
    if callable(name):
        raise TypeError("with_circuit_breaker: a name is needed: @with_circuit_breaker(name)")
    numbers = _Numbers(failure_threshold, recovery_timeout, success_threshold)
    site = _Broken(name, numbers, handler or default, policies)

    def decorate(target: Any) -> Any:
        return _wrapped("with_circuit_breaker", target, site.of)

    return decorate


class _Handled:
    """One function under `handle_errors`: its guard, made anew when other settings come into force."""

    def __init__(
        self, operation: str, component: str, max_retries: int | None, fallback_value: Any, handler: ErrorHandler
    ) -> None:
        self._words = operation, component
        self._name = f"{component}.{operation}" if component else operation
        self._retries = max_retries
        self._fallback = fallback_value
        self._handler = handler
        self._made: tuple[Settings, Guard] | None = None

    def run(self, function: Any, args: Any, kwargs: Any) -> Any:
        scope = self._enter()
        try:
            return self._guard().call_sync(function, *args, **kwargs)
        except UnfinishedWorkError:
            raise
        except Exception as error:
            self._report(scope, error)
            if self._fallback is NO_FALLBACK:
                raise
            return self._fallback
        finally:
            scope.leave()

    async def run_async(self, function: Any, args: Any, kwargs: Any) -> Any:
        scope = self._enter()
        try:
            return await self._guard().call(function, *args, **kwargs)
        except Exception as error:
            self._report(scope, error)
            if self._fallback is NO_FALLBACK:
                raise
            return self._fallback
        finally:
            scope.leave()

    def _enter(self) -> Scope:
        scope = Scope(*self._words, {}, retries=True)
        scope.enter()
        return scope

    def _report(self, scope: Scope, error: Exception) -> None:
        if not scope.has_seen(error):
            self._handler.record(error, retry_count=scope.attempts - 1)

    def _guard(self) -> Guard:
        settings = self._handler.settings
        made = self._made
        if made is None or made[0] is not settings:
            made = self._made = settings, Guard.apart(self._name, _note_attempts, retry=self._retry(settings))
        return made[1]

    def _retry(self, settings: Settings) -> Retry:
        """Return the policy of *settings*. So many retries are so many: no budget denies one, and they do not adapt."""
        handling = settings.error_handling
        return Retry(
            1 + (handling.max_retries if self._retries is None else self._retries),
            backoff=Backoff.exponential(
                handling.base_delay,
                factor=handling.backoff_factor,
                maximum=handling.max_delay,
                jitter="equal" if handling.jitter else "none",
            ),
            on=ByVerdict(is_strict=True, origin=origin_of(self._words[1])),
            budget=None,
            adaptive=False,
        )


def _note_attempts(_error: Exception, attempts: int) -> None:
    """Have the operation under way know how many attempts were made: it reports the error itself."""
    scope = current()
    if scope is not None:
        scope.attempts = attempts


class _Numbers(NamedTuple):
    """What a breaker was told; None: what the settings say."""

    failure_threshold: int | None
    recovery_timeout: float | None
    success_threshold: int

    def breaker(self, settings: Settings) -> Breaker:
        """Return the breaker, by *settings* where it was told nothing."""
        said = settings.error_handling.circuit_breaker
        return Breaker.consecutive(
            said.failure_threshold if self.failure_threshold is None else self.failure_threshold,
            open_for=said.recovery_timeout if self.recovery_timeout is None else self.recovery_timeout,
            success_threshold=self.success_threshold,
        )


class _Broken:
    """The breaker of one name, as one `with_circuit_breaker` asks for it.

    Attributes:
        name: Of the guard.
    """

    def __init__(self, name: str, numbers: _Numbers, handler: ErrorHandler, policies: Any) -> None:
        self.name = name
        self._numbers = numbers
        self._handler = handler
        self._settings = handler.settings
        for other in handler.followers():
            if other.name == name:
                other.follow()  # or it would disagree about the settings, until its next call
        self._guard = Guard(name, breaker=numbers.breaker(self._settings), **({"retry": None} | policies))
        dependency = self._guard.dependency
        if dependency.reporter is None:  # not a method: the dependency must not keep those alive that use it
            dependency.reporter = functools.partial(_report_broken, handler, name)
        handler.follow(self)

    def of(self, target: Any) -> Any:
        """Return what runs *target*."""
        return _BrokenCall(self, self._guard(target))

    def follow(self) -> None:
        """Follow the settings in force, if they are others than before."""
        settings = self._handler.settings
        if settings is self._settings:
            return
        self._settings = settings
        breaker, dependency = self._numbers.breaker(settings), self._guard.dependency
        if breaker != dependency.settings.breaker:
            dependency.follow(breaker)

    def reset(self) -> None:
        """Begin anew, closed."""
        self._guard.reset()


def _report_broken(handler: ErrorHandler, name: str, error: Exception, attempts: int) -> None:
    """Report a failure, unless it is one attempt of an operation further out, which reports the last of them."""
    if not is_retried(current()):
        handler.record(error, component=name, retry_count=attempts - 1, source=Source.GUARD)


class _BrokenCall:
    """One function behind a breaker that follows the settings."""

    def __init__(self, broken: _Broken, guarded: Any) -> None:
        self._broken = broken
        self._guarded = guarded

    def run(self, _function: Any, args: Any, kwargs: Any) -> Any:
        self._broken.follow()
        return self._guarded(*args, **kwargs)

    async def run_async(self, _function: Any, args: Any, kwargs: Any) -> Any:
        self._broken.follow()
        return await self._guarded(*args, **kwargs)


def _wrapped(owner: str, target: Any, site_of: Callable[[Any], _Handled | _BrokenCall]) -> Any:
    """Return the function that stands in the place of *target*."""
    if isinstance(target, staticmethod | classmethod):
        holder: Any = target  # pyright: ignore[reportUnknownVariableType]
        return type(holder)(_wrapped(owner, holder.__func__, site_of))
    is_async = _is_async(owner, target)
    site = site_of(target)

    async def guarded_async(*args: Any, **kwargs: Any) -> Any:
        return await site.run_async(target, args, kwargs)

    def guarded(*args: Any, **kwargs: Any) -> Any:
        return site.run(target, args, kwargs)

    wrapper: Any = guarded_async if is_async else guarded
    return functools.update_wrapper(wrapper, target)


def _is_async(owner: str, target: Any) -> bool:
    """Return whether *target* is an async function.

    Raises:
        TypeError: It is a generator, a class, or no function at all.
    """
    if isinstance(target, type) or not callable(target):
        raise TypeError(f"{owner}: a function is needed, got {target!r}")
    inner: Any = target
    while isinstance(inner, functools.partial):
        inner = inner.func  # pyright: ignore[reportUnknownMemberType]
    called = inner if inspect.isroutine(inner) else type(inner).__call__
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        why = "its errors come when it is iterated; use error_context inside"
        raise TypeError(f"{owner}: {name_of(target)} is a generator: {why}")
    return inspect.iscoroutinefunction(called) or inspect.iscoroutinefunction(inner)
