"""What a plain function must not return: work that is still to be done, outside of its guard."""

from __future__ import annotations

from contextlib import _AsyncGeneratorContextManager, _GeneratorContextManager
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

LAZY: frozenset[type] = frozenset(
    {CoroutineType, GeneratorType, AsyncGeneratorType, _GeneratorContextManager, _AsyncGeneratorContextManager}
)
"""What is looked for after every call; whatever else can be awaited, only where a call takes the long way."""


class UnfinishedWorkError(TypeError):
    """A plain function returned work that is still to be done: a mistake of the program, which no fallback hides."""


def is_lazy(value: object) -> bool:
    """Return whether the work that *value* stands for is still to be done."""
    return type(value) in LAZY or hasattr(type(value), "__await__")


def refusal(name: str, function: Any, value: Any) -> TypeError:
    """Return the error of a plain function that returned *value*: a coroutine, a generator or the like."""
    what = f"{name_of(function)} is a plain function that returned a {type(value).__name__}"
    if isinstance(value, CoroutineType):
        value.close()  # it would complain that nobody awaited it
    return UnfinishedWorkError(
        f"guard {name!r}: {what}: its work would be done outside of the guard; write it with async def"
    )


def name_of(target: Any) -> str:
    """Return what *target* is called."""
    return getattr(target, "__qualname__", None) or repr(target)
