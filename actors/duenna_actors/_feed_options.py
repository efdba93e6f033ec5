"""What a feed was told, and what it counts."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from duenna.wallclock import WallTime
from duenna_actors.feed_protocol import FeedProtocol


@attrs.frozen(kw_only=True)
class FeedOptions:
    """How a feed behaves; `WebSocketFeed` explains each.

    Attributes:
        patience: The longest of the finite deadlines for first data, in seconds.
        keys_per_request: Subscriptions in one request, at most.
        request_interval: Seconds between two requests: exchanges cut off who sends more
            than a few frames a second.
    """

    url: str
    protocol: FeedProtocol
    redrives: int
    patience: float
    connect_timeout: float
    ack_timeout: float
    ping_every: float
    ping_timeout: float
    rotate_every: float
    disconnect_timeout: float
    queue: int
    max_message: int
    headers: Mapping[str, str]
    wall_time: WallTime
    keys_per_request: int = 200
    request_interval: float = 0.25


@attrs.define
class FeedCounts:
    """What came over the websockets of one incarnation, and what of it was of no use."""

    frames: int = 0
    bad_frames: int = 0
    unknown: int = 0
    unwanted: int = 0
    undelivered: int = 0
    rotations: int = 0
