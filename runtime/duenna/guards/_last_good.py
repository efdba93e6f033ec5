"""The last good answers of one guard, by what was called with which arguments."""

from __future__ import annotations

import threading
import weakref
from functools import partial
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from types import CodeType

_OWNER = "Fallback.last_good"


class LastGood:
    """Remembers so many answers for so long, and forgets first what was used least recently. Thread-safe."""

    def __init__(self, max_age: float, max_keys: int, key: Callable[..., Any] | None) -> None:
        """Remember nothing yet; what the arguments mean, `Fallback.last_good` says."""
        self._max_age = max_age
        self._max_keys = max_keys
        self._key = key
        self._answers: dict[Hashable, tuple[Any, float]] = {}
        self._lock = threading.RLock()  # reentrant: arguments compare themselves as they like

    def __len__(self) -> int:
        """Return how many answers are remembered, those too old included."""
        return len(self._answers)

    def key(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Hashable:
        """Return what stands for a call.

        Raises:
            TypeError: It cannot be told from others, for an argument has no hash.
        """
        given = _arguments(function, args, kwargs) if self._key is None else self._key(*args, **kwargs)
        key = (_identity(function), given)
        try:
            hash(key)
        except TypeError:
            raise TypeError(self._complaint(function, args, kwargs, given)) from None
        return key

    def remember(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], value: Any, now: float
    ) -> None:
        """Remember *value*, the answer that came at *now* (seconds).

        Raises:
            TypeError: The call cannot be told from others.
        """
        key = self.key(function, args, kwargs)
        with self._lock:
            self._answers.pop(key, None)
            self._answers[key] = value, now
            if len(self._answers) > self._max_keys:
                del self._answers[next(iter(self._answers))]

    def recall(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], now: float
    ) -> tuple[Any, float] | None:
        """Return the last answer and its age at *now* in seconds; None if there is none that is young enough.

        Raises:
            TypeError: The call cannot be told from others.
        """
        key = self.key(function, args, kwargs)
        with self._lock:
            found = self._answers.pop(key, None)
            if found is None:
                return None
            value, at = found
            age = max(0.0, now - at)  # a clock read in another thread may be behind
            if age >= self._max_age:
                return None
            self._answers[key] = found
            return value, age

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._answers.clear()

    def _complaint(self, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], given: Any) -> str:
        while isinstance(function, partial):
            function, args, kwargs = function.func, function.args + args, {**function.keywords, **kwargs}
        name = getattr(function, "__qualname__", repr(function))
        if self._key is not None:
            return f"{_OWNER}: key= must return something that has a hash, for {name} it returned {given!r}"
        named = [*zip(_names(function, len(args)), args, strict=True), *kwargs.items()]
        if _takes_self(function):
            named = named[1:] + named[:1]  # the last to be blamed
        blamed = (f"{what} of {name} has no hash, got {value!r}" for what, value in named if not _has_hash(value))
        why = next(blamed, f"an argument of {name} has no hash")
        return f"{_OWNER}: {why}: give key=, a function of the call's arguments"


class _Same:
    """Stands for one object, whatever that thinks it is equal to; does not keep it alive if it need not."""

    __slots__ = ("_hash", "_it")

    def __init__(self, it: Any) -> None:
        self._hash = id(it)
        try:
            self._it: Callable[[], Any] = weakref.ref(it)
        except TypeError:
            self._it = lambda: it

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._it() is other._it()


def _identity(function: Any) -> Hashable:
    """Return what stands for a function: methods and partials are made anew each time that they are asked for."""
    if isinstance(function, MethodType):
        return _Same(function.__self__), _identity(function.__func__)
    if isinstance(function, partial):
        return _identity(function.func), _arguments(function.func, function.args, function.keywords)
    return _Same(function)


def _arguments(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Hashable:
    """Return what stands for arguments; not for 1 and True alike, although these are equal."""
    by_place = [_typed(value) for value in args]
    if args and _takes_self(function):
        by_place[0] = _Same(args[0])
    return tuple(by_place), tuple(sorted((name, _typed(value)) for name, value in kwargs.items())) if kwargs else ()


def _takes_self(function: Any) -> bool:
    return isinstance(function, FunctionType) and function.__code__.co_varnames[:1] == ("self",)


def _names(function: Any, count: int) -> list[str]:
    """Return what the first *count* parameters are called."""
    known: tuple[str, ...] = ()
    if isinstance(function, MethodType):
        known = _names_of(function.__func__)[1:]
    elif isinstance(function, FunctionType):
        known = _names_of(function)
    return [known[place] if place < len(known) else f"argument {place + 1}" for place in range(count)]


def _names_of(function: Any) -> tuple[str, ...]:
    code: CodeType = function.__code__
    return code.co_varnames[: code.co_argcount]


def _typed(value: Any) -> Hashable:
    kind = cast("type[object]", type(value))
    if kind is tuple:
        return kind, *map(_typed, value)
    if kind is frozenset:
        return kind, frozenset(map(_typed, value))
    return kind, value


def _has_hash(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
