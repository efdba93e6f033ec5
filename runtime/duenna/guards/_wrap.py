"""What can be guarded."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from duenna.guards._lazy import name_of
from duenna.guards._shape import shaped

if TYPE_CHECKING:
    from duenna.guards._course import Course


def wrap(course: Course, target: Any) -> Any:
    """Return *target* under a guard: a function, method, static or class method, partial or callable object.

    Raises:
        TypeError: It cannot be guarded, or not with these policies.
    """
    if isinstance(target, staticmethod | classmethod):
        holder: Any = target  # pyright: ignore[reportUnknownVariableType]
        return type(holder)(wrap(course, holder.__func__))
    kind = kind_of(course.dependency.name, target)
    if kind == "sync":
        course.check_sync(name_of(target))
    guarded = shaped(course, target, is_async=kind == "async")
    functools.update_wrapper(guarded, target)
    return guarded


def kind_of(name: str, target: Any) -> str:
    """Return `async` or `sync`.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(target, type):
        message = f"guard {name!r}: {name_of(target)} is a class: guard the function that makes its instances"
        raise TypeError(message)
    if not callable(target):
        message = f"guard {name!r}: a function is needed, got {target!r}"
        raise TypeError(message)
    inner = target
    while isinstance(inner, functools.partial):
        inner = inner.func
    called = inner if inspect.isroutine(inner) else type(inner).__call__
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        message = (
            f"guard {name!r}: {name_of(target)} is a generator: a guard would protect its making and not its items; "
            "guard the call that gets each of them"
        )
        raise TypeError(message)
    return "async" if inspect.iscoroutinefunction(called) or inspect.iscoroutinefunction(inner) else "sync"
