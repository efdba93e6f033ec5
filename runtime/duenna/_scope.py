"""What surrounds the code that runs now: the operations that it is part of, and what they have reported."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import attrs

from duenna.machines.hints import members

_MOST_SEEN = 8
_MOST_MEMBERS = 32
_DEEPEST = 4


@attrs.define(eq=False)
class Scope:
    """One operation under way, within another or none. Tasks that it starts are within it, too.

    Attributes:
        operation: What is done.
        component: What does it.
        context: What a report says besides.
        retries: Whether failed attempts are this one's business, and only the last is reported.
        parent: The operation that this is part of.
        attempts: Attempts that were made before it gave up.
        seen: The last errors that were reported inside, at most 8.
        is_open: Whether it is under way.
    """

    operation: str
    component: str
    context: Mapping[str, Any]
    retries: bool = False
    parent: Scope | None = None
    attempts: int = 1
    seen: deque[BaseException] = attrs.field(factory=lambda: deque[BaseException](maxlen=_MOST_SEEN), init=False)
    is_open: bool = attrs.field(default=True, init=False)

    def enter(self) -> None:
        """Begin, within whatever is under way here."""
        self.parent = _CURRENT.get()
        _CURRENT.set(self)

    def leave(self) -> None:
        """End, and let go of the errors that passed through."""
        self.is_open = False
        self.seen.clear()
        if _CURRENT.get() is self:
            _CURRENT.set(self.parent)
            self.parent = None
        # else it ends in another context than it began in, as that of a generator's finalizer: `current` passes it over

    def note(self, error: BaseException) -> None:
        """Remember that *error* was reported inside, here and further out; the last 8 are remembered."""
        scope: Scope | None = self
        while scope is not None:
            if scope.is_open:  # a task may outlive the block that started it
                scope.seen.append(error)
            scope = scope.parent

    def has_seen(self, error: BaseException, depth: int = 0) -> bool:
        """Return whether *error* was reported inside; of a group, whether all of its members were."""
        if any(seen is error for seen in tuple(self.seen)):
            return True
        inside = members(error)
        if not inside or len(inside) > _MOST_MEMBERS or depth >= _DEEPEST:
            return False
        return all(self.has_seen(member, depth + 1) for member in inside)


_CURRENT: ContextVar[Scope | None] = ContextVar("duenna_scope", default=None)


def current() -> Scope | None:
    """Return the innermost operation that is under way here."""
    scope = _CURRENT.get()
    while scope is not None and not scope.is_open:
        scope = scope.parent
    return scope


Surroundings = tuple[str, str, dict[str, Any]]


def surroundings(scope: Scope | None) -> Surroundings:
    """Return the operation and the component of *scope*, and the whole context, where the inner wins over the outer."""
    if scope is None:
        return "", "", {}
    operation, component, context = scope.operation, scope.component, dict(scope.context)
    outer = scope.parent
    while outer is not None:
        component = component or outer.component
        context = {**outer.context, **context}
        outer = outer.parent
    return operation, component, context


def is_retried(scope: Scope | None) -> bool:
    """Return whether an attempt that fails within *scope* is the business of an operation further out."""
    while scope is not None:
        if scope.retries:
            return True
        scope = scope.parent
    return False
