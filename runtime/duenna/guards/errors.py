"""How a guard fails: what it refuses, what it cuts off, and what neither it nor its fallback could get."""

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any, Self

from duenna.errors import DuennaError
from duenna.secrets import redact_to

LastError = tuple[type[BaseException], str] | str | None
"""The last error of a dependency: its type and its text, or both in words, or none."""


def in_words(error: LastError) -> str | None:
    """Return *error* as text without secrets, at most 500 characters."""
    return redact_to(f"{error[0].__qualname__}: {error[1]}").rstrip(": ") if isinstance(error, tuple) else error


class RejectedError(DuennaError):
    """A guard refused a call: it was never made.

    The same guard never tries it again, and its breaker counts it neither as a success nor
    as a failure. Where calls are refused there are many, so the text is made when somebody
    reads it.
    """

    outcome_unknown = False

    def __init__(self, guard: str, why: str, retry_after: float = 0.0) -> None:
        """Say why *guard* refused."""
        super().__init__(guard, why, retry_after)

    @property
    def guard(self) -> str:
        """Name of the guard."""
        return str(self.args[0])

    @property
    def retry_after(self) -> float:
        """Seconds after which a call may be let through; inf if only a hand can help."""
        return float(self.args[2])

    def __str__(self) -> str:
        """Return the text."""
        return f"guard {self.guard!r} refused the call: {self.why}"

    @property
    def why(self) -> str:
        """What refused it."""
        return str(self.args[1])


class CircuitOpenError(RejectedError):
    """The breaker is open, forced open, or half open with all its probes under way.

    Half open, ``retry_after`` is at most the breaker's ``open_for``: the probes may end sooner.
    """

    # In an outage there are more of these than of anything else, so making one costs no Python: all it knows is `args`.
    if TYPE_CHECKING:

        def __init__(self, guard: str, state: str, retry_after: float, last_error: LastError = None) -> None:
            """Say for how long the breaker of *guard* refuses calls."""

    else:
        __init__ = Exception.__init__

    @property
    def state(self) -> str:
        """Of the breaker: `open`, `half_open` or `forced_open`."""
        return str(self.args[1])

    @property
    def last_error(self) -> str | None:
        """What failed last before this, in words; None if nothing has."""
        return in_words(self.args[3]) if len(self.args) > 3 else None  # noqa: PLR2004

    @property
    def why(self) -> str:
        """What refused it."""
        why = f"its breaker is {self.state}"
        if self.retry_after != inf:
            why += f" for another {self.retry_after:.3g} s"
        return why + (f", the last error was {self.last_error}" if self.last_error else "")


class ThrottledError(RejectedError):
    """The adaptive throttle refused the call by chance, because too few calls are accepted.

    Attributes:
        chance: Of being refused, within [0, 1].
    """

    def __init__(self, guard: str, chance: float) -> None:
        """Say how probable a refusal is at present."""
        super().__init__(guard, f"its throttle refuses {chance:.0%} of the calls")
        self.chance = chance

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make it again, in another process or as a copy."""
        return type(self), (self.guard, self.chance)


class BulkheadFullError(RejectedError):
    """As many calls as may be are under way, and no more may wait, or none came to its end in time.

    Attributes:
        limit: Calls that may be under way.
    """

    def __init__(self, guard: str, limit: int, why: str = "") -> None:
        """Say how many calls are under way."""
        super().__init__(guard, f"{limit} calls are under way, no more may be" + (f" ({why})" if why else ""))
        self.limit = limit
        self._detail = why

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make it again, in another process or as a copy."""
        return type(self), (self.guard, self.limit, self._detail)


class RateLimitedError(RejectedError):
    """The turn of this call would come later than it can wait."""

    def __init__(self, guard: str, retry_after: float) -> None:
        """Say when the call's turn would have come."""
        super().__init__(guard, f"its turn would come in {retry_after:.3g} s only", retry_after)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make it again, in another process or as a copy."""
        return type(self), (self.guard, self.retry_after)


class AttemptTimeoutError(DuennaError, TimeoutError):
    """One attempt took too long and was cancelled. Whether it had an effect is unknown.

    Attributes:
        guard: Name of the guard.
        timeout: Seconds that an attempt may take.
    """

    outcome_unknown = True

    def __init__(self, guard: str, timeout: float) -> None:
        """Say that an attempt took longer than *timeout* seconds."""
        super().__init__(f"guard {guard!r}: the attempt took longer than {timeout:.3g} s")
        self.guard = guard
        self.timeout = timeout

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make it again, in another process or as a copy."""
        return type(self), (self.guard, self.timeout)


class DeadlineExceededError(DuennaError, TimeoutError):
    """The whole call, its waits included, took too long; an attempt under way was cancelled.

    The last error of an attempt, if there was one, is the cause.

    Attributes:
        guard: Name of the guard.
        deadline: Seconds that the call may take.
        attempts: Attempts that were begun.
    """

    outcome_unknown = True

    def __init__(self, guard: str, deadline: float, attempts: int) -> None:
        """Say that a call took longer than *deadline* seconds."""
        tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        super().__init__(f"guard {guard!r}: no result within {deadline:.3g} s, in {tries}")
        self.guard = guard
        self.deadline = deadline
        self.attempts = attempts

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make it again, in another process or as a copy."""
        return type(self), (self.guard, self.deadline, self.attempts)


class BadResultError(DuennaError):
    """Every attempt gave a result that `Retry.on_result` does not accept.

    Attributes:
        guard: Name of the guard.
        value: The last result.
    """

    def __init__(self, guard: str, value: object) -> None:
        """Say what the last result was."""
        super().__init__(redact_to(f"guard {guard!r}: a result that is not accepted: {value!r}", 300))
        self.guard = guard
        self.value = value

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make it again, in another process or as a copy."""
        return type(self), (self.guard, self.value)


class UnavailableError(ExceptionGroup[Exception], DuennaError):
    """The call failed and so did its fallback; holds both errors.

    Attributes:
        guard: Name of the guard.
        primary: The error of the call.
        fallback: The error of the fallback.
    """

    guard: str
    primary: Exception
    fallback: Exception

    def __new__(cls, guard: str, primary: Exception, fallback: Exception) -> Self:
        """Make the group of both errors."""
        return super().__new__(cls, f"guard {guard!r}: the call failed and so did its fallback", [primary, fallback])

    def __init__(self, guard: str, primary: Exception, fallback: Exception) -> None:
        """Say what both raised."""
        super().__init__(guard, primary, fallback)  # type: ignore[arg-type, call-arg]  # the text is there by now
        self.guard, self.primary, self.fallback = guard, primary, fallback

    def derive(self, excs: Sequence[Exception], /) -> ExceptionGroup[Exception]:  # type: ignore[override]
        """Return a plain group: a part of the two is no longer both."""
        return ExceptionGroup(self.message, excs)
