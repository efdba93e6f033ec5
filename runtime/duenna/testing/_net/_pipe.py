"""One direction of a connection: what was sent and has not arrived yet, in order.

A segment is delivered by a timer of the clock, outside of any task, and wakes who waits for it.
There is one timer for each direction, for the segment that is next. What arrives while the
direction is held (a partition, a stall) stays at the head of the queue; when that ends, all of it
sets out again, as if TCP had sent it again then.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna.testing._clock import Timer
    from duenna.testing._net._end import End
    from duenna.testing._net._link import Line
    from duenna.testing._net._network import Network

WINDOW = 65_536
"""Bytes that may be on the way or unread; who sends more waits."""

TLS_HANDSHAKE = 0x16
"""The type of the first record that a client of TLS sends: its first byte."""

_ROOM = 16_384  # a sender who waited is told of room when there is so much: no flood of tiny segments
_PATIENCE = 924.6  # Linux: tcp_retries2 = 15


class Pipe:
    """One direction of a connection.

    Attributes:
        line: The way that it takes.
        source: The end that sends.
        target: The end that receives.
        path: `bot:50001>exchange:80`.
        used: Bytes that fill the window: on the way, or there and unread.
        passed: Bytes that have arrived so far.
        holds: How many stalls hold it.
        is_dead: Whether nothing will arrive any more, for ever.
        is_secret: Whether it is of a connection of TLS.
    """

    __slots__ = (
        "_arrive",
        "_clock",
        "_is_opening",
        "_network",
        "_patience",
        "_queue",
        "_timer",
        "holds",
        "is_dead",
        "is_secret",
        "line",
        "passed",
        "path",
        "source",
        "target",
        "used",
    )

    def __init__(self, network: Network, line: Line, source: End, target: End) -> None:
        self._clock = network.clock
        self._network = network
        self._queue: deque[tuple[float, bytes, Callable[[], None] | None]] = deque()
        self._timer: Timer | None = None
        self._is_opening = False
        self._patience: Timer | None = None
        self._arrive = self._deliver
        self.line = line
        self.source = source
        self.target = target
        self.path = f"{source.place}>{target.place}"
        self.used = 0
        self.passed = 0
        self.holds = 0
        self.is_dead = False
        self.is_secret = False

    def push(self, payload: bytes, act: Callable[[], None] | None = None) -> None:
        """Send a segment: bytes, or a signal that is acted on at the far end."""
        if not self.is_dead:
            clock, line = self._clock, self.line
            now = clock.current_time()
            if line.is_plain:  # `Line.arrival` does the same, but this is run for every segment
                when = now + line.latency + line.jitter * line.random()
            else:
                when = line.arrival(now, len(payload))
            self._queue.append((when, payload, act))
            if self._timer is None:
                self._timer = clock.call_at(when, self._arrive)
            if not line.blocked:
                return
        self._lose_patience()

    def hold(self) -> None:
        """Let nothing arrive, until `release` is called as often."""
        self.holds += 1

    def release(self) -> None:
        """Undo one `hold`."""
        self.holds -= 1
        self.resend()

    def resend(self) -> None:
        """Have everything that has not arrived set out now."""
        if self.holds or self.line.blocked or self.is_dead:
            return
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting = list(self._queue)
        self._queue.clear()
        for _, payload, act in waiting:
            self.push(payload, act)

    def die(self) -> None:
        """Lose everything that is on the way, and all that will ever be sent."""
        self.is_dead = True
        self.notice_block()
        self._queue.clear()

    def notice_block(self) -> None:
        """Begin to lose patience for what is on the way, now that nothing passes any more."""
        if self._queue:
            self._lose_patience()

    def drop(self) -> None:
        """Forget what is on the way: there is no one any more who would send it again."""
        self._queue.clear()
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def open_window(self) -> None:
        """Tell a sender who waits that there is room, once it is worth it; the news takes its time, too."""
        if self._is_opening or self.is_dead or self.used > WINDOW - _ROOM:
            return
        self._is_opening = True
        back = self.source.into
        now = self._clock.current_time()
        self._clock.call_at(now if back is None else back.line.arrival(now, 0), self._be_open)

    def _be_open(self) -> None:
        self._is_opening = False
        self.source.wake_writer()

    def _deliver(self) -> None:
        queue, clock, network = self._queue, self._clock, self._network
        now = clock.current_time()
        self._timer = None
        while queue and queue[0][0] <= now and not (self.holds or self.line.blocked):
            _, payload, act = queue.popleft()
            if act is not None:
                act()
                continue
            if network.tampering and (changed := network.tamper(self, payload)) is not payload:
                self.used -= len(payload) - len(changed)
                payload = changed
                if not payload:
                    continue
            self.arrive(payload)
        if queue and self._timer is None and not (self.holds or self.line.blocked):
            self._timer = clock.call_at(queue[0][0], self._arrive)

    def arrive(self, payload: bytes) -> None:
        """Give bytes to the target."""
        if not self.passed and payload[0] == TLS_HANDSHAKE and self.source.is_client and self.target.out is not None:
            self.is_secret = self.target.out.is_secret = True
        self.passed += len(payload)
        if self.is_secret:  # OpenSSL draws its own randomness: the bytes are others in each run
            self._network.record("net_data", self.path, bytes=len(payload))
        else:
            self._network.record("net_data", self.path, bytes=len(payload), crc=crc32(payload))
        self.target.take(payload)

    def _lose_patience(self) -> None:
        if self._patience is None:
            clock = self._clock
            self._patience = clock.call_at(clock.current_time() + _PATIENCE, self._give_up)

    def _give_up(self) -> None:
        self._patience = None
        self._queue.clear()
        self.source.time_out()
