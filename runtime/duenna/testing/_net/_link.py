"""How long it takes from one host to another, and what passes at all."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import attrs

from duenna.machines import checks
from duenna.testing._net._host import Host

_FIRST_RETRY = 0.2  # Linux: TCP_RTO_MIN
_LONGEST_RETRY = 120.0  # Linux: TCP_RTO_MAX
_MOST_RETRIES = 15  # Linux: net.ipv4.tcp_retries2


def _seconds(_: object, attribute: attrs.Attribute[float], value: float) -> None:
    checks.duration("link", attribute.name, value, zero=True, inf=False)


@attrs.frozen(kw_only=True)
class Link:
    """What one way between two hosts is like when nothing is wrong with it.

    Attributes:
        latency: What a segment takes, in seconds. 0 or more.
        jitter: Up to so many seconds more, drawn for each segment. 0 or more. Order is kept.
        bandwidth: Bytes per second; greater than 0, or `None` for no limit. Shared by all connections.
        loss: Share of the segments that have to be sent again, 0.2 s later, then 0.4 s and so on;
            nothing is ever missing. 0 or more, less than 1.
    """

    latency: float = attrs.field(default=0.02, validator=_seconds)
    jitter: float = attrs.field(default=0.01, validator=_seconds)
    bandwidth: float | None = None
    loss: float = 0.0

    def __attrs_post_init__(self) -> None:
        if self.bandwidth is not None and checks.number("link", "bandwidth", self.bandwidth) <= 0.0:
            raise ValueError(f"link: bandwidth must be > 0 bytes per second or None, got {self.bandwidth!r}")
        if not 0.0 <= checks.number("link", "loss", self.loss) < 1.0:
            raise ValueError(f"link: loss must be >= 0 and < 1, got {self.loss!r}")


LOOPBACK = Link(latency=0.00005, jitter=0.0)
"""What a host is to itself; no fault strikes it."""


@attrs.define(eq=False)
class Line:
    """One way from one host to another, as it is now: its link and the faults that lie on it.

    Attributes:
        source: Where it begins.
        target: Where it ends.
        link: What it is like without faults.
        random: Draws a number from 0 up to 1.
        latency: Seconds.
        jitter: Seconds at most, beyond the latency.
        bandwidth: Bytes per second, perhaps infinitely many.
        loss: Share of the segments.
        is_plain: Whether neither bandwidth nor loss matters.
        blocked: Whether nothing passes.
    """

    source: Host
    target: Host
    link: Link
    random: Callable[[], float]
    latency: float = attrs.field(init=False, default=0.0)
    jitter: float = attrs.field(init=False, default=0.0)
    bandwidth: float = attrs.field(init=False, default=inf)
    loss: float = attrs.field(init=False, default=0.0)
    is_plain: bool = attrs.field(init=False, default=True)
    blocked: bool = attrs.field(init=False, default=False)
    _free_at: float = attrs.field(init=False, default=0.0)

    @property
    def is_loopback(self) -> bool:
        """Whether it leaves the host at all."""
        return self.source is self.target

    def clear(self) -> None:
        """Be as the link is."""
        self.latency, self.jitter, self.loss = self.link.latency, self.link.jitter, self.link.loss
        self.bandwidth = inf if self.link.bandwidth is None else self.link.bandwidth
        self.blocked = False
        self.is_plain = self.bandwidth == inf and not self.loss

    def worsen(
        self,
        *,
        extra: float = 0.0,
        jitter: float = 0.0,
        bandwidth: float = inf,
        loss: float = 0.0,
        blocked: bool = False,
    ) -> None:
        """Add a fault: times add up, the least bandwidth counts, and losses are independent."""
        self.latency += extra
        self.jitter += jitter
        self.bandwidth = min(self.bandwidth, bandwidth)
        self.loss = 1.0 - (1.0 - self.loss) * (1.0 - loss)
        self.blocked = self.blocked or blocked
        self.is_plain = self.bandwidth == inf and not self.loss

    def arrival(self, now: float, size: int) -> float:
        """Return when *size* bytes that set out *now* are there."""
        if not self.is_plain:
            now = self._sent(now, size)
        return now + self.latency + self.jitter * self.random()

    def _sent(self, now: float, size: int) -> float:
        """Return when the last byte has left, for the time that is not lost."""
        if self.bandwidth < inf:
            now = self._free_at = max(now, self._free_at) + size / self.bandwidth
        wait = _FIRST_RETRY
        for _ in range(_MOST_RETRIES):
            if self.random() >= self.loss:
                break
            now += wait
            wait = min(2.0 * wait, _LONGEST_RETRY)
        return now
