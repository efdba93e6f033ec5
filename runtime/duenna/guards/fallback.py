"""What stands in for a call that failed: a value, another function, or the last good answer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import attrs

from duenna.guards._hints import ErrorRule, matches
from duenna.guards._last_good import LastGood
from duenna.guards.retry import error_rule
from duenna.machines import checks

_OWNER = "Fallback"


def _rule(given: Any) -> ErrorRule:
    return error_rule(_OWNER, "on", given)


class NoFallbackError(Exception):
    """Nothing stands in for this error: the call raises it as it is. Never gets out of a guard."""


@attrs.frozen
class Outcome:
    """What a guarded call gave, and where that came from.

    Attributes:
        value: The answer.
        is_degraded: Whether it is a substitute.
        source: `call`; or `value`, `function` or `last_good`, the fallback that gave it.
        age: How old it is, in seconds; 0 unless it is a last good value.
        error: What the call itself raised; None if it succeeded.
    """

    value: Any
    is_degraded: bool = False
    source: str = "call"
    age: float = 0.0
    error: Exception | None = None


@attrs.frozen
class Failed:
    """A call that failed, for which a substitute is looked for.

    Attributes:
        error: What it raised.
        function: What was called.
        args: With which arguments.
        kwargs: With which arguments.
        memory: Its good answers, in what `Fallback.memory` made; None: none.
        now: Seconds, of the clock by which they were remembered.
    """

    error: Exception
    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = MappingProxyType({})
    memory: LastGood | None = None
    now: float = 0.0

    def substitute(self, value: Any, source: str, age: float = 0.0) -> Outcome:
        """Return *value* as what stands in for the answer."""
        return Outcome(value, is_degraded=True, source=source, age=age, error=self.error)


@attrs.frozen(kw_only=True)
class Fallback:
    """What stands in for a failed call; made by `value`, `call` and `last_good`.

    Attributes:
        on: For which errors: exception classes, or a function that is asked about an error.
            Groups (all members must match) and causes (one must) are looked through. All other
            errors reach the caller as they are.
        otherwise: What stands in where this one has nothing to give, or fails itself; if its
            own `on` means the error, too.
    """

    on: ErrorRule = attrs.field(converter=_rule)
    otherwise: Fallback | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse what is no chain."""
        if self.otherwise is not None and not isinstance(self.otherwise, Fallback):
            message = f"{_OWNER}: otherwise must be a Fallback, got {self.otherwise!r}"
            raise TypeError(message)
        if sum(isinstance(step, _ByMemory) for step in self.chain()) > 1:
            message = f"{_OWNER}: one last_good is enough, but otherwise has another"
            raise ValueError(message)

    @staticmethod
    def value(value: Any, *, on: Any = Exception) -> Fallback:
        """Give *value*, None included; the very same object each time.

        Args:
            value: What the caller gets.
            on: For which errors.

        Raises:
            TypeError: *on* is no rule.
        """
        return _ByValue(value, on=on)

    @staticmethod
    def call(function: Callable[..., Any], *, on: Any = Exception, otherwise: Fallback | None = None) -> Fallback:
        """Call *function* with the arguments of the failed call, ``self`` of a method included.

        Args:
            function: Gives what the caller gets; may be async, for an async guard.
            on: For which errors.
            otherwise: What stands in if the function fails, too.

        Raises:
            TypeError: *function* cannot be called or is a generator, or *on* is no rule.
        """
        return _ByFunction(function, on=on, otherwise=otherwise)

    @staticmethod
    def last_good(
        max_age: float,
        *,
        max_keys: int = 1000,
        key: Callable[..., Any] | None = None,
        on: Any = Exception,
        otherwise: Fallback | None = None,
    ) -> Fallback:
        """Give the last answer to the same arguments, if it is young enough.

        Arguments are the same if they are equal and of the same type; ``self`` is, if it is
        the same object. One passed by name is not the same as one passed by place.

        Args:
            max_age: The answer must be younger, in seconds. Greater than 0.
            max_keys: How many answers are remembered, at least 1; those used least recently
                are forgotten first.
            key: A function of the call's arguments that returns what stands for them, for
                those that have no hash, or make no difference.
            on: For which errors.
            otherwise: What stands in if there is no such answer.

        Raises:
            TypeError: A number is none, *key* is no plain function, or *on* is no rule.
            ValueError: A number is out of range.
        """
        return _ByMemory(max_age, max_keys, key, on=on, otherwise=otherwise)

    @property
    def is_async(self) -> bool:
        """Whether an async function is part of it, so that it cannot serve a plain function."""
        return any(isinstance(step, _ByFunction) and _is_async(step.function) for step in self.chain())

    @property
    def remembers(self) -> bool:
        """Whether good answers have to be remembered for it."""
        return any(isinstance(step, _ByMemory) for step in self.chain())

    def memory(self) -> LastGood | None:
        """Return an empty memory for the good answers of one guard; None if it needs none."""
        for step in self.chain():
            if isinstance(step, _ByMemory):
                return LastGood(step.max_age, step.max_keys, step.key)
        return None

    def chain(self) -> Iterator[Fallback]:
        """Yield this one, and whatever stands in otherwise."""
        step: Fallback | None = self
        while step is not None:
            yield step
            step = step.otherwise

    async def use(self, failed: Failed) -> Outcome:
        """Return what stands in for the answer of an async call.

        Raises:
            NoFallbackError: Nothing does.
            Exception: The fallback failed: what it raised, the last of them if there are several.
        """
        failure: Exception = NoFallbackError()
        try:
            for step in self._meant(failed.error):
                try:
                    outcome = step.give(failed)
                    if isinstance(step, _ByFunction) and inspect.isawaitable(outcome.value):
                        outcome = attrs.evolve(outcome, value=await outcome.value)
                except NoFallbackError:
                    continue
                except Exception as exc:  # noqa: BLE001  # raised below, unless something else stands in
                    failure = exc
                else:
                    return outcome
            raise failure
        finally:
            del failure, failed  # errors must not keep the frame alive that their traceback keeps

    def use_sync(self, failed: Failed) -> Outcome:
        """Return what stands in for the answer of a plain call; the same as `use`.

        Raises:
            NoFallbackError: Nothing does.
            Exception: The fallback failed: what it raised, the last of them if there are several.
        """
        failure: Exception = NoFallbackError()
        try:
            for step in self._meant(failed.error):
                try:
                    outcome = step.give(failed)
                    if isinstance(step, _ByFunction):
                        _refuse_awaitable(step.function, outcome.value)
                except NoFallbackError:
                    continue
                except Exception as exc:  # noqa: BLE001  # raised below, unless something else stands in
                    failure = exc
                else:
                    return outcome
            raise failure
        finally:
            del failure, failed  # errors must not keep the frame alive that their traceback keeps

    def give(self, failed: Failed) -> Outcome:
        """Return what this one, alone, gives; a function that is async gives an awaitable."""
        raise NotImplementedError

    def _meant(self, error: Exception) -> Iterator[Fallback]:
        """Yield one after the other, as long as they stand in for *error*."""
        for step in self.chain():
            if not matches(error, step.on):
                return
            yield step


@attrs.frozen
class _ByValue(Fallback):
    given: Any

    def give(self, failed: Failed) -> Outcome:
        return failed.substitute(self.given, "value")


@attrs.frozen
class _ByFunction(Fallback):
    function: Callable[..., Any]

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        _check_function("call", "function", self.function)

    def give(self, failed: Failed) -> Outcome:
        return failed.substitute(self.function(*failed.args, **failed.kwargs), "function")


@attrs.frozen
class _ByMemory(Fallback):
    max_age: float
    max_keys: int
    key: Callable[..., Any] | None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        owner = f"{_OWNER}.last_good"
        checks.duration(owner, "max_age", self.max_age, zero=False)
        checks.count(owner, "max_keys", self.max_keys, least=1)
        if self.key is not None:
            _check_function("last_good", "key", self.key)
            if _is_async(self.key):
                message = f"{owner}: key must be a plain function, got {self.key!r}, which is async"
                raise TypeError(message)

    def give(self, failed: Failed) -> Outcome:
        if failed.memory is None:
            raise NoFallbackError
        found = failed.memory.recall(failed.function, failed.args, failed.kwargs, failed.now)
        if found is None:
            raise NoFallbackError
        value, age = found
        return failed.substitute(value, "last_good", age)


def _check_function(maker: str, what: str, given: Any) -> None:
    if not callable(given):
        message = f"{_OWNER}.{maker}: {what} must be callable, got {given!r}"
        raise TypeError(message)
    if _is(given, inspect.isgeneratorfunction) or _is(given, inspect.isasyncgenfunction):
        message = f"{_OWNER}.{maker}: {what} must return its value, got {given!r}, which is a generator"
        raise TypeError(message)


def _is_async(function: Any) -> bool:
    return _is(function, inspect.iscoroutinefunction)


def _is(function: Any, kind: Callable[[Any], bool]) -> bool:
    """Return whether a function, or what a partial or a callable object calls, is of a *kind*."""
    while isinstance(function, partial):
        function = function.func
    return kind(function) or (not inspect.isclass(function) and kind(getattr(function, "__call__", None)))  # noqa: B004


def _refuse_awaitable(function: Any, value: Any) -> None:
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        message = f"{_OWNER}.call: a plain function needs a plain one to stand in, but {function!r} is async"
        raise TypeError(message)
