"""What one says to a feed, and what it says of itself."""

from typing import ClassVar

import msgspec

from duenna.connection import ConnectionState
from duenna.events import Event
from duenna_actors._subscriptions import Subscription, SubscriptionState


class Subscribe(msgspec.Struct, frozen=True, tag=True):
    """Want these too, from now on and after every reconnect. An ask is answered when the exchange has agreed."""

    subscriptions: tuple[Subscription, ...]


class Unsubscribe(msgspec.Struct, frozen=True, tag=True):
    """Want these no more. An ask is answered when the exchange has agreed."""

    keys: tuple[str, ...]


class GetFeedStatus(msgspec.Struct, frozen=True, tag=True):
    """Ask a feed how it does; answered with `FeedStatus`."""


class SubscriptionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How one subscription does, on the present websocket.

    Attributes:
        state: How far it has got.
        age: Seconds since its last fresh data; None if none has come.
        messages: Messages that came.
        old: Those of them that were not fresh.
    """

    state: SubscriptionState
    age: float | None
    messages: int
    old: int


class FeedStatus(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How a feed does.

    Attributes:
        state: Where the connection is in its life cycle.
        connected_for: Seconds that the present websocket has been open; None without one.
        subscriptions: By key.
        frames: Frames that came, in this incarnation.
        bad_frames: Those that were not what the exchange sends.
        unknown: Events of a kind that the protocol does not know.
        unwanted: Messages of streams that nobody asked for.
        undelivered: Messages that the consumer's mailbox refused, or its code raised on.
        rotations: Planned changes of the websocket.
    """

    state: ConnectionState
    connected_for: float | None
    subscriptions: dict[str, SubscriptionStatus]
    frames: int
    bad_frames: int
    unknown: int
    unwanted: int
    undelivered: int
    rotations: int


class SubscriptionChanged(Event, frozen=True):
    """Subscriptions went stale, or are live again.

    Attributes:
        keys: Which.
        state: `stale` or `live`.
    """

    level: ClassVar[str] = "WARNING"
    keys: tuple[str, ...]
    state: SubscriptionState

    def text(self) -> str:
        """Return the log line."""
        return f"{self.state}: {', '.join(self.keys)}"


class FeedRotated(Event, frozen=True):
    """A feed changed to a new websocket on purpose, before the old one was closed.

    Attributes:
        why: `planned`, or `server shutdown`.
        age: Seconds that the old one had been open.
    """

    why: str
    age: float

    def text(self) -> str:
        """Return the log line."""
        return f"new websocket after {self.age:.0f} s ({self.why})"
