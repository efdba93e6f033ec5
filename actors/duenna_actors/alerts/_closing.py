"""When the deliveries of a runtime that ends must be done: all of them by one time, not one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import attrs
import trio

if TYPE_CHECKING:
    from duenna import Runtime


@attrs.define(eq=False)
class Closing:
    """The last phase of one runtime's deliveries.

    Attributes:
        begun: Set when no more notifications will be made.
        since: When that was, in seconds of trio's clock; inf before.
    """

    begun: trio.Event = attrs.field(factory=trio.Event)
    since: float = float("inf")

    def begin(self, now: float) -> None:
        """Begin it at *now*; the first time stands."""
        if not self.begun.is_set():
            self.since = now
            self.begun.set()


_CLOSINGS: WeakKeyDictionary[Runtime, Closing] = WeakKeyDictionary()


def closing_of(runtime: Runtime) -> Closing:
    """Return the one `Closing` of *runtime*."""
    found = _CLOSINGS.get(runtime)
    if found is None:
        found = _CLOSINGS[runtime] = Closing()
    return found
