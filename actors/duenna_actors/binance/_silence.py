"""Whether silent streams are the fault of their websocket: a pure machine.

To connect anew because of one stream costs the books of all. So who is silent again on a new
websocket, where others deliver, is left alone, for its contract may not be traded any more; and
for a few of many a websocket is given up once an hour at most.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_AGAIN_AFTER = 3600.0


@attrs.define(eq=False)
class Silence:
    """What websockets were given up for, one after the other.

    Attributes:
        again_after: Seconds from one websocket that was given up for a few streams to the next.
        given_up_at: When the last one was, in monotonic seconds.
        incurable: What was silent on it, and has not delivered since.
    """

    again_after: float = _AGAIN_AFTER
    given_up_at: float = attrs.field(default=-inf, init=False)
    incurable: set[str] = attrs.field(factory=set[str], init=False)

    def is_websockets(self, silent: Collection[str], live: Collection[str], now: float) -> bool:
        """Return whether another websocket may help.

        Args:
            silent: Keys that should deliver, and do not.
            live: Keys of all others that deliver.
            now: Monotonic seconds.
        """
        self.incurable.difference_update(live)
        if not live:
            return True
        news = sum(key not in self.incurable for key in silent)
        return news > len(live) or (news > 0 and now - self.given_up_at >= self.again_after)

    def given_up(self, silent: Iterable[str], now: float) -> None:
        """Note that the websocket is given up for what is *silent*."""
        self.incurable.update(silent)
        self.given_up_at = now

    def delivers(self, key: str) -> None:
        """Note that *key* is silent no more."""
        self.incurable.discard(key)
