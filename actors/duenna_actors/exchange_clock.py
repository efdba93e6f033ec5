"""What time it is at an exchange, whatever happens to the clock of this machine."""

from __future__ import annotations

import attrs
import trio

from duenna.wallclock import WallTime
from duenna.wallclock import wall_time as real_wall_time


@attrs.define(eq=False)
class ExchangeClock:
    """An exchange's time of day, once somebody has asked for it; this machine's until then.

    It goes by the monotonic clock, so that a time of day that is wrong, or is set while the bot
    runs, changes nothing. After a suspend it is late until it is set again. One may be shared:
    `BinanceApi` sets it by every check, feeds take it as their ``wall_time``.

    Attributes:
        wall_time: This machine's time of day.
    """

    wall_time: WallTime = real_wall_time
    _lead: float | None = attrs.field(default=None, init=False)

    def __call__(self) -> float:
        """Return the time in seconds since 1970-01-01T00:00:00Z."""
        return self.wall_time() if self._lead is None else trio.current_time() + self._lead

    def set(self, time: float) -> None:
        """Note that it is *time* at the exchange now, in seconds since 1970."""
        self._lead = time - trio.current_time()
