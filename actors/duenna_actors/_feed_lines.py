"""The websocket of a feed, and the next one while it is being changed."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import trio

from duenna.connection import ConnectionLostError
from duenna_actors._feed_line import FeedLine
from duenna_actors._feed_options import FeedCounts, FeedOptions
from duenna_actors._handover import Handover
from duenna_actors._socket import Socket
from duenna_actors._subscriptions import Subscription, SubscriptionState
from duenna_actors.feed_errors import FeedClosedError, FeedHandshakeError, StaleFeedError
from duenna_actors.feed_messages import FeedRotated, SubscriptionChanged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from duenna_actors._feed_clock import EventClock
    from duenna_actors.feed import WebSocketFeed
    from duenna_actors.feed_protocol import Data

_ROTATE_AGAIN = 60.0
_SPREAD = 0.1
_GOING_AWAY = 1001


class FeedLines:
    """Opens the first line of a link, and changes it without a gap.

    Attributes:
        present: The line whose messages are handed out; None before the first is open.
        opened_at: When it took over.
        counts: What came over all of them.
    """

    def __init__(
        self, feed: WebSocketFeed, options: FeedOptions, wanted: Mapping[str, Subscription], clock: EventClock
    ) -> None:
        self.present: FeedLine | None = None
        self.opened_at = 0.0
        self.counts = FeedCounts()
        self._feed = feed
        self._context = feed.context
        self._options = options
        self._wanted = wanted
        self._clock = clock
        self._handover = Handover()
        self._open_lines: list[FeedLine] = []
        self._changing: tuple[FeedLine, ...] = ()
        self._progress: trio.Event | None = None
        self._shutdown_at = -inf

    async def open(self) -> None:
        """Open the first line and have every subscription acknowledged."""
        line = self._new_line()
        self._handover.start(line)
        await self._open(line)
        self.present = line
        self.opened_at = self._context.now()

    async def run(self) -> None:
        """Watch the present line, keep it alive, change it in time, for ever."""
        line = self.present
        while line is not None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(line.watch, self._went_stale)
                nursery.start_soon(line.keep_alive)
                nursery.start_soon(self._settle)
                line = await self._change_in_time(line)
                nursery.cancel_scope.cancel()

    async def close(self) -> None:
        """Close whatever is open."""
        self.present = None
        async with trio.open_nursery() as nursery:
            for line in tuple(self._open_lines):
                nursery.start_soon(self._retire, line)

    async def _open(self, line: FeedLine) -> None:
        self._open_lines.append(line)
        self._feed.background(line.host)
        await line.open()
        self._feed.background(self._read, line)
        while missing := [each for key, each in self._wanted.items() if key not in line.book.tracks]:
            await line.subscribe(missing)

    async def _open_in_time(self, line: FeedLine) -> None:
        with trio.move_on_after(self._options.connect_timeout) as scope:
            await self._open(line)
        if scope.cancelled_caught:
            raise FeedHandshakeError(f"not open within {self._options.connect_timeout} s")

    async def _read(self, line: FeedLine) -> None:
        try:
            await line.read()
        except FeedClosedError:
            line.ended.set()
            if self._progress is not None:
                self._progress.set()
            if not line.is_retired and line not in self._changing:
                raise

    async def _settle(self) -> None:
        await trio.sleep(self._options.patience)
        self._handover.settle()

    async def _change_in_time(self, line: FeedLine) -> FeedLine:
        """Wait until *line* must be changed; return the one that has taken over."""
        due = self.opened_at + self._options.rotate_every * (1.0 - _SPREAD * self._context.rng.random())
        while True:
            with trio.CancelScope(deadline=due):
                await line.shutting_down.wait()
            is_shutdown = line.shutting_down.is_set()
            now = self._context.now()
            if is_shutdown:
                if now - self._shutdown_at < self._feed.stable_after:
                    raise FeedClosedError(_GOING_AWAY, "server shutdown again, right after the last one")
                self._shutdown_at = now
            try:
                return await self._change(line, "server shutdown" if is_shutdown else "planned")
            except (ConnectionLostError, StaleFeedError) as error:
                if is_shutdown or line.ended.is_set():
                    raise
                self._context.report(error, hook="rotate")
                due = self._context.now() + _ROTATE_AGAIN

    async def _change(self, line: FeedLine, why: str) -> FeedLine:
        fresh = self._new_line()
        self._handover.prepare(fresh)
        self._changing = (line, fresh)
        try:
            await self._open_in_time(fresh)
            await self._until_caught_up(line, fresh)
        except BaseException:
            self._handover.abandon()
            await self._retire(fresh)
            raise
        finally:
            self._changing = ()
        for data in self._handover.switch():
            self._hand_out(data)
        self.present = fresh
        now, since = self._context.now(), self.opened_at
        self.opened_at = now
        self.counts.rotations += 1
        self._context.post(FeedRotated(time=now, path=self._context.path, why=why, age=now - since))
        await self._retire(line)
        return fresh

    async def _until_caught_up(self, line: FeedLine, fresh: FeedLine) -> None:
        """Wait until *fresh* delivers what *line* does, from where *line* has got to, or *line* has ended."""
        live = [key for key, track in line.book.tracks.items() if track.state is SubscriptionState.LIVE]
        with trio.move_on_after(self._options.patience):
            while not (fresh.ended.is_set() or self._handover.is_ready(live)):
                if line.ended.is_set() and fresh.has_data.is_set():
                    break
                self._progress = trio.Event()
                await self._progress.wait()
        self._progress = None
        if fresh.ended.is_set():
            raise FeedHandshakeError("the next websocket was closed at once")
        silent = [key for key in live if fresh.is_overdue(key)]
        if silent and not line.ended.is_set():
            raise StaleFeedError(silent, "silent on the next websocket")

    async def _retire(self, line: FeedLine) -> None:
        line.is_retired = True
        if line in self._open_lines:
            self._open_lines.remove(line)
        with trio.CancelScope(shield=True):
            await line.close(self._options.disconnect_timeout)

    def _new_line(self) -> FeedLine:
        options = self._options
        socket = Socket(
            options.url,
            headers=options.headers,
            queue=options.queue,
            max_message=options.max_message,
            wall_time=options.wall_time,
        )
        return FeedLine(
            socket,
            options,
            self.counts,
            self._clock,
            deliver=self._deliver,
            recovered=self._recovered,
            report=self._report_some,
            rng=self._context.rng,
        )

    def _deliver(self, line: FeedLine, data: Data) -> None:
        if self._handover.offer(line, data):
            self._hand_out(data)
        if self._progress is not None:
            self._progress.set()

    def _hand_out(self, data: Data) -> None:
        try:
            self._feed.deliver(data.key, data.message)
        except Exception as error:  # noqa: BLE001  # a consumer's fault must not end the connection
            self.counts.undelivered += 1
            self._report_some(error, self.counts.undelivered)

    def _report_some(self, error: Exception, count: int) -> None:
        """Report the 1st, 2nd, 4th, 8th... of a kind: a flood of bad frames must not become a flood of reports."""
        if count & (count - 1) == 0:
            self._context.report(error, count=count)

    def _went_stale(self, keys: Sequence[str]) -> None:
        self._announce(keys, SubscriptionState.STALE)
        self._feed.went_stale(keys)

    def _recovered(self, keys: Sequence[str]) -> None:
        self._announce(keys, SubscriptionState.LIVE)

    def _announce(self, keys: Sequence[str], state: SubscriptionState) -> None:
        context = self._context
        context.post(SubscriptionChanged(time=context.now(), path=context.path, keys=tuple(keys), state=state))
        self._feed.check_soon()
