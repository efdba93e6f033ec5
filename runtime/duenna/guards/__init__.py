"""Guards: retry, breaker and every other policy round one call, in one fixed order."""

from duenna.guards._counts import Health
from duenna.guards._dependency import Dependency
from duenna.guards._registry import Guards, UnknownGuardError
from duenna.guards.breaker import Breaker
from duenna.guards.bulkhead import Bulkhead
from duenna.guards.errors import (
    AttemptTimeoutError,
    BadResultError,
    BulkheadFullError,
    CircuitOpenError,
    DeadlineExceededError,
    RateLimitedError,
    RejectedError,
    ThrottledError,
    UnavailableError,
)
from duenna.guards.fallback import Fallback, Outcome
from duenna.guards.guard import Guard
from duenna.guards.hedge import Hedge
from duenna.guards.rate_limit import RateLimit, RateLimitStatistics
from duenna.guards.retry import Retry
from duenna.guards.statistics import GuardStatistics
from duenna.machines.aimd import Aimd
from duenna.machines.breaker import BreakerState
from duenna.machines.budget import RetryBudget
from duenna.machines.throttle import AdaptiveThrottle

__all__ = [
    "AdaptiveThrottle",
    "Aimd",
    "AttemptTimeoutError",
    "BadResultError",
    "Breaker",
    "BreakerState",
    "Bulkhead",
    "BulkheadFullError",
    "CircuitOpenError",
    "DeadlineExceededError",
    "Dependency",
    "Fallback",
    "Guard",
    "GuardStatistics",
    "Guards",
    "Health",
    "Hedge",
    "Outcome",
    "RateLimit",
    "RateLimitStatistics",
    "RateLimitedError",
    "RejectedError",
    "Retry",
    "RetryBudget",
    "ThrottledError",
    "UnavailableError",
    "UnknownGuardError",
]
