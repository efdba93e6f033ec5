"""What a guard counts that its breaker does not."""

from __future__ import annotations

from enum import StrEnum

import attrs


class Health(StrEnum):
    """How a dependency does, as its guards see it."""

    OK = "ok"
    DEGRADED = "degraded"
    UNAVAILABLE = "unavailable"


@attrs.define
class Counts:
    """Everything that happens on the slow path; what succeeds at once is counted by the breaker alone.

    Attributes:
        succeeded_retried: Calls that succeeded after at least one retry.
        failed_first: Calls that failed without a retry.
        failed_retried: Calls that failed after at least one retry.
        rejected: Calls that were refused by other policies than the breaker.
        repeats: Attempts beside the first of their calls: retries and hedges.
        hedges: Those that were started beside another.
        repeated: Attempts that ended after another of the same call.
        surplus: Attempts that succeeded although their call had its answer.
        unsent: Attempts that were admitted by the breaker, but never made.
        timeouts: Attempts that were cut off by ``attempt_timeout``.
        fallbacks: Calls that were answered by a fallback.
        denied: Retries that the budget denied.
        adapted: Retries that were not made because others of their kind keep failing.
    """

    succeeded_retried: int = 0
    failed_first: int = 0
    failed_retried: int = 0
    rejected: int = 0
    repeats: int = 0
    hedges: int = 0
    repeated: int = 0
    surplus: int = 0
    unsent: int = 0
    timeouts: int = 0
    fallbacks: int = 0
    denied: int = 0
    adapted: int = 0

    def clear(self) -> None:
        """Begin at 0."""
        for field in attrs.fields(type(self)):
            setattr(self, field.name, 0)
