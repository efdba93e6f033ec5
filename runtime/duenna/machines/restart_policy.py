"""How a child that failed is restarted: by its own options, or by the settings; and what its error adds to the wait."""

import attrs

from duenna.machines.backoff import Backoff
from duenna.machines.classification import Category, Verdict
from duenna.machines.verdict import OnGiveUp

RATE_LIMIT_FLOOR = 1.0
"""Seconds to leave alone a far end that says that there were too many calls, and not for how long."""


@attrs.frozen
class RestartPolicy:
    """What the end of one child leads to.

    Attributes:
        backoff: The wait before each restart.
        max_failures: Consecutive restarts allowed; None: no limit.
        on_give_up: What the failure after that does.
        unpark_after: Seconds until a parked child gets a new round; None: only by hand.
    """

    backoff: Backoff
    max_failures: int | None
    on_give_up: OnGiveUp
    unpark_after: float | None


def floor(verdict: Verdict) -> float:
    """Return the seconds that the next start must wait at least because of what *verdict* says."""
    if verdict.retry_after is not None:
        return verdict.retry_after
    return RATE_LIMIT_FLOOR if verdict.category is Category.RATE_LIMIT else 0.0
