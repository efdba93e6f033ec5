"""What a feed must deliver, and whether it does: a pure machine.

Subscriptions are desired state. Each one is asked for, acknowledged, and *live* only once
its own data has come: an acknowledgement is a promise, a pong says nothing, and a sibling's
data proves nothing. Live means fresh: data that repeats an old event time, or that happened
too long ago, arrives without being fresh.

A subscription that misses its deadline is *stale*. It is asked for again, ``redrives``
times, with its first-data deadline each time; then the websocket itself is at fault.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING

import attrs
import msgspec

from duenna.machines import checks
from duenna_actors._feed_clock import EventClock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class SubscriptionState(StrEnum):
    """How far one subscription has got."""

    WANTED = "wanted"
    REQUESTED = "requested"
    ACKNOWLEDGED = "acknowledged"
    LIVE = "live"
    STALE = "stale"


class Subscription(msgspec.Struct, frozen=True, tag=True):
    """One stream that is wanted.

    Attributes:
        key: Its name, as the exchange spells it.
        first_data_within: Seconds from the request to its first data; inf: no deadline.
        stale_after: Seconds without fresh data after which it is stale; inf: never. Give
            a stream that is silent by nature (liquidations, a closed market) inf.
    """

    key: str
    first_data_within: float = 10.0
    stale_after: float = 60.0

    def __post_init__(self) -> None:
        """Refuse what can never be met."""
        checks.duration(f"Subscription {self.key!r}", "first_data_within", self.first_data_within, zero=False)
        checks.duration(f"Subscription {self.key!r}", "stale_after", self.stale_after, zero=False)


@attrs.define(eq=False)
class Track:
    """The progress of one subscription on one websocket.

    Attributes:
        since: When its state, or the last attempt to redrive it, began.
        fresh_at: When its last fresh data came.
        newest: The newest event time that it has delivered, in seconds since 1970.
        messages: Messages that came.
        old: Those that were not fresh.
        event_age: How old its last message was when it came, in seconds, by its event time.
        redrives: Times it was asked for again since it was last live.
    """

    spec: Subscription
    since: float
    state: SubscriptionState = SubscriptionState.WANTED
    fresh_at: float = -inf
    newest: float = -inf
    messages: int = 0
    old: int = 0
    event_age: float = 0.0
    redrives: int = 0

    @property
    def due(self) -> float:
        """When fresh data must have come; inf if it need not."""
        if self.state is SubscriptionState.LIVE:
            return self.fresh_at + self.spec.stale_after
        if self.state is SubscriptionState.WANTED:
            return inf
        return self.since + self.spec.first_data_within


@attrs.frozen
class Redrive:
    """Ask for these again."""

    keys: tuple[str, ...]


@attrs.frozen
class GiveUp:
    """Asking again has not helped these: connect anew."""

    keys: tuple[str, ...]


@attrs.define(eq=False)
class SubscriptionBook:
    """All subscriptions of one websocket.

    Attributes:
        redrives: Times a stale subscription is asked for again before the websocket is
            given up. 0 gives it up at once.
        clock: Tells how old an event is, and how old it may be; other books may share it.
        recovered: Keys that were stale and deliver again; the reader empties it.
    """

    redrives: int = 1
    clock: EventClock = attrs.field(factory=EventClock)
    tracks: dict[str, Track] = attrs.field(factory=dict[str, Track], init=False)
    recovered: list[str] = attrs.field(factory=list[str], init=False)
    _aliases: dict[str, str] = attrs.field(factory=dict[str, str], init=False)

    def want(self, subscriptions: Iterable[Subscription], now: float) -> list[str]:
        """Add *subscriptions*; return the keys that were not there yet."""
        added: list[str] = []
        for spec in subscriptions:
            track = self.tracks.get(spec.key)
            if track is None:
                self.tracks[spec.key] = Track(spec, now)
                added.append(spec.key)
            else:
                track.spec = spec
        self._aliases.clear()
        return added

    def forget(self, keys: Iterable[str]) -> list[str]:
        """Drop *keys*; return those that were there."""
        self._aliases.clear()
        return [key for key in keys if self.tracks.pop(key, None) is not None]

    def requested(self, keys: Iterable[str], now: float) -> None:
        """Note that *keys* were asked for; their first-data deadline begins."""
        for key in keys:
            track = self.tracks.get(key)
            if track is not None:
                track.since = now
                if track.state is SubscriptionState.WANTED:
                    track.state = SubscriptionState.REQUESTED

    def acknowledged(self, keys: Iterable[str]) -> None:
        """Note that the exchange took the request for *keys*."""
        for key in keys:
            track = self.tracks.get(key)
            if track is not None and track.state is SubscriptionState.REQUESTED:
                track.state = SubscriptionState.ACKNOWLEDGED

    def data(self, key: str, now: float, event_time: float | None, wall: float) -> Track | None:
        """Note a message of *key*; return its track, None if nobody wants it.

        Args:
            key: The stream that the message names.
            now: Monotonic seconds.
            event_time: When the exchange says it happened, in seconds since 1970.
            wall: The time of day, in the same unit.
        """
        track = self.tracks.get(key) or self._by_alias(key)
        if track is None:
            return None
        track.messages += 1
        if event_time is not None:
            track.event_age = self.clock.observe(event_time, now, wall)
            is_old = track.event_age > self.clock.max_age
            if event_time <= track.newest or is_old:
                track.old += event_time < track.newest or is_old
                return track
            track.newest = event_time
        track.fresh_at = now
        if track.state is not SubscriptionState.LIVE:
            if track.state is SubscriptionState.STALE:
                self.recovered.append(track.spec.key)
            track.state = SubscriptionState.LIVE
            track.redrives = 0
        return track

    def next_due(self) -> float:
        """Return when `decide` has something to say, if no data comes until then; inf if never."""
        return min((track.due for track in self.tracks.values()), default=inf)

    def decide(self, now: float) -> Redrive | GiveUp | None:
        """Return what must be done about the subscriptions that are due at *now*, and mark them stale."""
        late = [track for track in self.tracks.values() if track.due <= now]
        if not late:
            return None
        hopeless = tuple(track.spec.key for track in late if track.redrives >= self.redrives)
        for track in late:
            track.state = SubscriptionState.STALE
            track.since = now
            track.redrives += 1
        return GiveUp(hopeless) if hopeless else Redrive(tuple(track.spec.key for track in late))

    def stale(self) -> Sequence[str]:
        """Return the keys that are stale."""
        return [key for key, track in self.tracks.items() if track.state is SubscriptionState.STALE]

    def why_stale(self, keys: Iterable[str]) -> str:
        """Say what is known of why *keys* have no fresh data."""
        age = max((self.tracks[key].event_age for key in keys if key in self.tracks), default=0.0)
        if age > self.clock.max_age:
            return f"its events are {age:.0f} s old by this machine's clock"
        return "silent, or repeating what is old"

    def expects_data(self) -> bool:
        """Return whether any subscription has a deadline for its first data."""
        return any(track.spec.first_data_within < inf for track in self.tracks.values())

    def _by_alias(self, key: str) -> Track | None:
        """Find the subscription of a message that names its stream without options, `btcusdt@depth` of `...@100ms`."""
        if key not in self._aliases:
            self._aliases[key] = next((wanted for wanted in self.tracks if wanted.startswith(f"{key}@")), "")
            if len(self._aliases) > _MOST_ALIASES:
                self._aliases.pop(next(iter(self._aliases)))
        return self.tracks.get(self._aliases.get(key, ""))


_MOST_ALIASES = 1000
