"""How old an event is, whatever happens to this machine's clock: a pure machine.

There are two ways to know what time it is at the exchange:

- the time of day here, which is right until somebody sets it wrong;
- the monotonic clock, plus what event times have been ahead of it so far. Nothing that
  happens to the time of day moves that. It is known only once events have come, it stands
  still while the machine is suspended, and it is wrong after the exchange set its clock back.

Each fails where the other does not, so the one that is nearer to the event judges its age:
an event is old if it is old by both. A clock that was set makes no fresh event old, and a
stream that lags behind is old by both, also if it did nothing but lag since it was opened.
"""

from __future__ import annotations

import attrs

_WITNESSES = 3
"""Events in a row that must agree before a leap of the exchange's clock is believed."""

_DRIFT = 1e-3
"""What the lead may lose per second: ten times what a clock of quartz drifts, a tenth of what a lagging stream does."""


@attrs.define(eq=False)
class EventClock:
    """The exchange's clock, as far as its events and this machine show it.

    Attributes:
        max_age: Seconds that an event may be old; inf: any.
    """

    max_age: float = 60.0
    _lead: float | None = attrs.field(default=None, init=False)
    _noted_at: float = attrs.field(default=0.0, init=False)
    _leap: float = attrs.field(default=0.0, init=False)
    _witnesses: int = attrs.field(default=0, init=False)

    def age(self, event_time: float, now: float, wall: float) -> float:
        """Return how many seconds old an event is; negative if it is from the future.

        Args:
            event_time: When the exchange says it happened, in seconds since 1970.
            now: Monotonic seconds.
            wall: The time of day, in the unit of *event_time*.
        """
        by_wall = wall - event_time
        if self._lead is None:
            return by_wall
        return min(by_wall, self._lead + now - event_time, key=abs)

    def observe(self, event_time: float, now: float, wall: float) -> float:
        """Return the `age` of an event that came just now, and learn from it."""
        age = self.age(event_time, now, wall)
        if self._lead is None:  # from the future, it is our clock that is behind
            if age <= self.max_age:
                self._lead, self._noted_at = event_time - now, now
        elif abs(age) <= self.max_age:  # else one event from next year would be believed for ever
            faded = self._lead - _DRIFT * (now - self._noted_at)
            self._lead, self._noted_at = max(event_time - now, faded), now
        elif self._is_confirmed(event_time - now):
            self._lead, self._noted_at = event_time - now, now
            age = 0.0
        return age

    def _is_confirmed(self, lead: float) -> bool:
        """Return whether this one and those before it all say that the exchange's clock has leapt ahead of ours.

        So it seems after a suspend, in which the monotonic clock stood still. No lag looks like it.
        """
        agrees = abs(lead - self._leap) <= self.max_age
        self._leap = lead
        self._witnesses = self._witnesses + 1 if agrees else 1
        return self._lead is not None and lead > self._lead and self._witnesses >= _WITNESSES
