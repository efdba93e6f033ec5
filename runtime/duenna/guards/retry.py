"""Which failed calls a guard tries again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Final, cast

import attrs

from duenna.guards._hints import ErrorRule
from duenna.guards._registry import registry
from duenna.machines import checks
from duenna.machines import retry as machine
from duenna.machines.budget import RetryBudget


class _Shared(Enum):
    SHARED = "shared"


SHARED: Final = _Shared.SHARED
"""The retry budget of the dependency: the default of `Retry.budget`."""


@attrs.frozen(eq=False)
class ByVerdict:
    """The rule that the classifier makes: what it calls transient is tried again.

    Attributes:
        is_strict: Whether an unknown outcome, and what no rule knows, are final.
        origin: The kind of code that is called, as in `Facts`; empty if that is not known.
    """

    is_strict: bool = False
    origin: str = ""

    def __call__(self, error: BaseException) -> bool:
        """Return whether a call that failed with *error* is worth making again, if it may be made twice."""
        judge = registry.judge()
        return judge.is_transient(error, self.origin) if self.is_strict else judge.is_worth(error)

    def __repr__(self) -> str:
        """Return what it stands for."""
        return "<what the classifier calls transient>"


TRANSIENT: Final = ByVerdict()
"""The default of `Retry.on`."""


def error_rule(owner: str, what: str, given: object) -> ErrorRule:
    """Return *given* as a rule: an exception class, several of them, or a function.

    Raises:
        TypeError: It is none of these.
    """
    if callable(given) and not isinstance(given, type):
        return cast("ErrorRule", given)
    listed: Any = given
    kinds: tuple[Any, ...] = tuple(listed) if isinstance(given, Iterable) else (given,)
    if kinds and all(_is_error(kind) for kind in kinds):
        return kinds
    message = f"{owner}: {what} must be exception classes or a function of an exception, got {given!r}"
    raise TypeError(message)


def _is_error(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseException)


def _on(given: object) -> ErrorRule:
    return error_rule("Retry", "on", given)


@attrs.frozen
class Retry(machine.Retry):
    """How often, when, and after what a failing call is tried again.

    Attributes:
        attempts: Tries in all, the first included, at least 1: n retries are n + 1 attempts.
        backoff: The waits between them. Its cap holds after jitter.
        patience: The longest Retry-After that is waited for, in seconds; one that is longer
            ends the call at once. `inf`: any that the deadline allows. 0: none.
        on: What is tried again: exception classes, or a function that is asked about an
            error. Exception groups (all members must match) and causes (one must) are looked
            through. The default is what the classifier calls transient.
        on_result: A function that says of a result whether it is to be tried again, and
            counts as a failure. After the last attempt that is a `BadResultError`.
        budget: What the retries are paid from: that of the dependency, one's own (which may
            be shared by several guards), or None: no budget.
        adaptive: Whether fewer attempts are made, and later ones, while retries after errors of the
            same category keep failing.
    """

    attempts: int = 3
    patience: float = attrs.field(default=60.0, kw_only=True)
    on: ErrorRule = attrs.field(default=TRANSIENT, converter=_on, kw_only=True)
    on_result: Callable[[Any], bool] | None = attrs.field(default=None, kw_only=True)
    budget: RetryBudget | _Shared | None = attrs.field(default=SHARED, kw_only=True)
    adaptive: bool = attrs.field(default=True, kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Refuse what makes no sense."""
        super().__attrs_post_init__()
        if self.on_result is not None and not callable(self.on_result):
            message = f"Retry: on_result must be a function of a result, got {self.on_result!r}"
            raise TypeError(message)
        if self.budget is not None and not isinstance(self.budget, RetryBudget | _Shared):
            message = f"Retry: budget must be a RetryBudget or None, got {self.budget!r}"
            raise TypeError(message)
        checks.flag("Retry", "adaptive", self.adaptive)
