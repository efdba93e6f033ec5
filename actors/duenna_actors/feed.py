"""Websocket feeds: subscriptions that are kept alive, and known to be."""

from __future__ import annotations

from math import inf, isfinite
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import attrs

from duenna import secrets
from duenna.connection import Connection, ConnectionLostError
from duenna.freshness import Freshness
from duenna.wallclock import wall_time as real_wall_time
from duenna_actors._feed_clock import EventClock
from duenna_actors._feed_lines import FeedLines
from duenna_actors._feed_options import FeedCounts, FeedOptions
from duenna_actors._kept import kept
from duenna_actors._messages import refuse
from duenna_actors._subscriptions import Subscription, SubscriptionState
from duenna_actors.binance_streams import BinanceStreams
from duenna_actors.feed_errors import (
    BadFrameError,
    FeedClosedError,
    FeedHandshakeError,
    PingTimeoutError,
    StaleFeedError,
    SubscribeError,
)
from duenna_actors.feed_messages import (
    FeedRotated,
    FeedStatus,
    GetFeedStatus,
    Subscribe,
    SubscriptionChanged,
    SubscriptionStatus,
    Unsubscribe,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from duenna import Ref, Reply
    from duenna.wallclock import WallTime
    from duenna_actors._feed_line import FeedLine
    from duenna_actors.feed_protocol import FeedProtocol

__all__ = [
    "BadFrameError",
    "FeedClosedError",
    "FeedHandshakeError",
    "FeedRotated",
    "FeedStatus",
    "GetFeedStatus",
    "PingTimeoutError",
    "StaleFeedError",
    "Subscribe",
    "SubscribeError",
    "Subscription",
    "SubscriptionChanged",
    "SubscriptionState",
    "SubscriptionStatus",
    "Unsubscribe",
    "WebSocketFeed",
]


class WebSocketFeed(Connection):
    """A websocket whose subscriptions are wanted, asked for on every connect, and verified by their data.

    What comes is published by its type, or told to ``to``; override `deliver` for anything
    else. Whoever consumes it has a mailbox with a bound and a rule (`Mailbox.latest` suits
    prices); the feed itself waits for nobody.

    The link is up when the first data has come, and degraded while a subscription is stale.
    A stale one is asked for again, and when that does not help the feed crashes, to be
    connected anew by its supervisor. So it does when the websocket is closed, whatever the
    code. A frame that makes no sense is counted and reported.

    Before the exchange cuts the websocket off, and when it says that it will shut down, the
    feed changes to a new one; both run until the new one has caught up.
    """

    kind: ClassVar[str] = "websocket"

    def __init__(
        self,
        url: str,
        subscriptions: Iterable[str | Subscription],
        *,
        protocol: FeedProtocol | None = None,
        to: Ref | str | None = None,
        first_data_within: float = 10.0,
        stale_after: float = 60.0,
        redrives: int = 1,
        max_event_age: float = 60.0,
        connect_timeout: float = 10.0,
        ack_timeout: float = 5.0,
        ping_every: float = 20.0,
        ping_timeout: float = 10.0,
        rotate_every: float = 23 * 3600.0,
        disconnect_timeout: float = 2.0,
        queue: int = 1000,
        max_message: int = 2**20,
        headers: Mapping[str, str] | None = None,
        wall_time: WallTime = real_wall_time,
    ) -> None:
        """Describe the feed; nothing is opened yet.

        Args:
            url: Such as `wss://fstream.binance.com/market/stream`.
            subscriptions: Names of streams, or a `Subscription` with deadlines of its own.
            protocol: How the exchange talks; Binance's market streams by default.
            to: Who gets the messages, as a ref or a path; None publishes them.
            first_data_within: Seconds from a subscription to its first data; inf: no deadline.
            stale_after: Seconds without fresh data after which a subscription is stale;
                inf: never.
            redrives: Times a stale subscription is asked for again.
            max_event_age: Seconds that an event may be old, by its own time, and still
                count as fresh; inf: any. What counts is the nearer one of two clocks: the time
                of day, and the exchange's as its events have shown it since the runtime began.
                So nothing depends on a time of day that is set while the feed runs; one that
                is further ahead than this from the start makes every event old.
            connect_timeout: Seconds for the handshake and the answers to the subscriptions.
            ack_timeout: Seconds for the answer to one request.
            ping_every: Seconds of silence after which the far end is pinged.
            ping_timeout: Seconds for its answer.
            rotate_every: Seconds after which the websocket is changed, less up to a tenth,
                by chance, so that not all feeds do it at once; inf: never.
            disconnect_timeout: Seconds for the closing handshake.
            queue: Messages that may lie between the websocket and the reader.
            max_message: Bytes that a message may have.
            headers: Sent with the upgrade. Those whose names are of secrets are hidden in all text.
            wall_time: Gives the date, for the age of events.

        Raises:
            ValueError: *url* is no websocket URL, or there is nothing to subscribe to twice.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"ws", "wss"} or not parts.hostname:
            message = f"url must begin with ws:// or wss:// and name a host, got {url!r}"
            raise ValueError(message)
        initial = tuple(
            Subscription(each, first_data_within, stale_after) if isinstance(each, str) else each
            for each in subscriptions
        )
        keys = [each.key for each in initial]
        if len(set(keys)) < len(keys):
            message = f"subscriptions must differ, got {keys}"
            raise ValueError(message)
        for name, value in (headers or {}).items():
            if secrets.is_secret_name(name):
                secrets.register(value.rpartition(" ")[2])  # of "Bearer x", x
        patience = max((each.first_data_within for each in initial if isfinite(each.first_data_within)), default=10.0)
        self._initial = initial
        self._to = to
        self._exchange = parts.netloc
        self._max_event_age = max_event_age
        self._target: Ref | None = None
        self._options = FeedOptions(
            url=url,
            protocol=BinanceStreams() if protocol is None else protocol,
            redrives=redrives,
            patience=patience,
            connect_timeout=connect_timeout,
            ack_timeout=ack_timeout,
            ping_every=ping_every,
            ping_timeout=ping_timeout,
            rotate_every=rotate_every,
            disconnect_timeout=disconnect_timeout,
            queue=queue,
            max_message=max_message,
            headers=headers or {},
            wall_time=wall_time,
        )
        self.connect_timeout = connect_timeout
        self.check_timeout = (patience + 2 * ack_timeout) * (redrives + 1) + 1.0
        self.close_timeout = disconnect_timeout + 1.0
        self._wanted: dict[str, Subscription] = {}
        self._heard: dict[str, float] = {}
        self._lines: FeedLines | None = None

    def deliver(self, key: str, message: Any) -> None:  # noqa: ARG002  # for those who override it
        """Hand *message* of the subscription *key* to its consumer; must not block.

        What it raises is counted and reported, and the feed goes on.
        """
        if self._target is None:
            self.context.publish(message)
        else:
            self._target.tell(message)

    def went_stale(self, keys: Sequence[str]) -> None:
        """Learn that the subscriptions *keys* have just gone stale; must not block. Does nothing unless overridden."""

    async def connect(self) -> None:
        """Open the websocket and have every subscription acknowledged."""
        context = self.context
        self._recall()
        self._target = context.lookup(self._to) if isinstance(self._to, str) else self._to
        age = self._max_event_age
        clock = kept(context.runtime, (EventClock, self._exchange, age), lambda: EventClock(age))
        self._lines = FeedLines(self, self._options, self._wanted, clock)
        await self._lines.open()

    async def session(self) -> None:
        """Watch the subscriptions, keep the websocket alive, change it in time."""
        if self._lines is not None:
            await self._lines.run()

    async def check(self) -> None:
        """Wait for the first data after a connect; later on, find out whether all subscriptions deliver."""
        line = self._present()
        if line is None:
            raise ConnectionLostError("there is no websocket")
        if line.book.expects_data():
            await line.has_data.wait()
        stale = line.book.stale()
        if stale:
            raise StaleFeedError(stale, line.book.why_stale(stale))

    async def close(self) -> None:
        """Close the websocket, with the closing handshake if the far end still takes part."""
        self._note_what_was_heard()
        lines, self._lines = self._lines, None
        if lines is not None:
            await lines.close()

    def freshness(self) -> Freshness | None:
        """Say when the subscription that is the nearest to being stale, or the longest so, had its last fresh data."""
        self._recall()
        self._note_what_was_heard()
        found = [Freshness(self._heard.get(key), spec.stale_after) for key, spec in self._wanted.items()]
        timed = [each for each in found if each.expect_every != inf]
        if timed:
            return min(timed, key=lambda each: -inf if each.at is None else each.at + (each.expect_every or 0.0))
        return Freshness(max(self._heard.values(), default=None)) if found else None

    def _recall(self) -> None:
        """Take what outlives an incarnation: what is wanted, and when it was heard of."""
        runtime, path, initial = self.context.runtime, self.context.path, self._initial
        self._wanted = kept(runtime, (WebSocketFeed, path, initial), lambda: {each.key: each for each in initial})
        self._heard = kept(runtime, (WebSocketFeed, path, "heard"), dict[str, float])

    def _note_what_was_heard(self) -> None:
        """Keep when fresh data came, beyond the websocket and the incarnation."""
        line = self._present()
        if line is not None:
            for key, track in line.book.tracks.items():
                if track.fresh_at > -inf and key in self._wanted:
                    self._heard[key] = track.fresh_at

    async def receive(self, message: Any) -> Any:
        """Answer `Subscribe`, `Unsubscribe` and `GetFeedStatus`."""
        line = self._present()
        match message:
            case Subscribe(subscriptions):
                self._wanted.update({each.key: each for each in subscriptions})
                if line is not None:
                    self.background(self._subscribe, line, subscriptions, self.context.defer_reply())
            case Unsubscribe(keys):
                for key in keys:
                    self._wanted.pop(key, None)
                if line is not None:
                    self.background(self._unsubscribe, line, keys, self.context.defer_reply())
            case GetFeedStatus():
                return self._status()
            case _:
                refuse(self.context, message)
        return None

    def _present(self) -> FeedLine | None:
        return None if self._lines is None else self._lines.present

    async def _subscribe(self, line: FeedLine, subscriptions: Sequence[Subscription], reply: Reply) -> None:
        try:
            await line.subscribe(subscriptions)
        except SubscribeError as error:  # one name that the exchange does not know must not cost all others
            for key in line.book.forget(error.keys):
                self._wanted.pop(key, None)
            self._refuse(reply, error)
        else:
            reply.send(None)

    async def _unsubscribe(self, line: FeedLine, keys: Sequence[str], reply: Reply) -> None:
        try:
            await line.unsubscribe(keys)
        except SubscribeError as error:
            self._refuse(reply, error)
        else:
            reply.send(None)

    def _refuse(self, reply: Reply, error: Exception) -> None:
        if reply.is_open:
            reply.fail(error)
        else:
            self.context.report(error)

    def _status(self) -> FeedStatus:
        now = self.context.now()
        lines, line = self._lines, self._present()
        return FeedStatus(
            state=self.state,
            connected_for=None if lines is None or line is None else now - lines.opened_at,
            subscriptions={} if line is None else line.status(now),
            **attrs.asdict(FeedCounts() if lines is None else lines.counts),
        )
