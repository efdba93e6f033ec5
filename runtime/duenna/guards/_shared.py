"""What guards of one name must agree on, and who may follow their calls."""

from __future__ import annotations

from typing import Any, Protocol

import attrs

from duenna.guards.breaker import Breaker
from duenna.guards.bulkhead import Bulkhead
from duenna.machines.throttle import AdaptiveThrottle


def _plain(settings: Any) -> Any:
    """Return settings as a value: machines are compared by identity."""
    if isinstance(settings, AdaptiveThrottle):
        return tuple(getattr(settings, field.name) for field in attrs.fields(AdaptiveThrottle) if field.init)
    return settings


@attrs.frozen
class DependencySettings:
    """What guards of one name must agree on.

    Attributes:
        breaker: The breaker, the throttle in its place, or None.
        bulkhead: How many calls may be under way, or None for any number.
    """

    breaker: Breaker | AdaptiveThrottle | None = attrs.field(eq=_plain)
    bulkhead: Bulkhead | None


class Tap(Protocol):
    """Who follows every call: the trace of a simulated world."""

    def begins(self, call: Any) -> None:
        """Follow *call*, a `Call` that has made no attempt yet."""
        ...
