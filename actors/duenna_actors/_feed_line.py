"""One websocket of a feed with its subscriptions: asks, reads, watches, pings."""

from __future__ import annotations

import itertools
from math import inf
from typing import TYPE_CHECKING

import msgspec
import trio

from duenna_actors._subscriptions import GiveUp, Redrive, Subscription, SubscriptionBook, SubscriptionState
from duenna_actors.feed_errors import BadFrameError, PingTimeoutError, StaleFeedError, SubscribeError
from duenna_actors.feed_messages import SubscriptionStatus
from duenna_actors.feed_protocol import Acknowledged, Data, Refused, ShuttingDown, Unknown

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Sequence

    from duenna_actors._feed_clock import EventClock
    from duenna_actors._feed_options import FeedCounts, FeedOptions
    from duenna_actors._socket import Socket

_EXCERPT = 120


class FeedLine:
    """A websocket, the book of its subscriptions, and who gets the data.

    Nothing in here waits for a consumer: `read` hands each message to ``deliver``, a plain
    function, and takes the next.

    Attributes:
        last_frame: When the far end last gave a sign of life, in monotonic seconds.
    """

    def __init__(
        self,
        socket: Socket,
        options: FeedOptions,
        counts: FeedCounts,
        clock: EventClock,
        *,
        deliver: Callable[[FeedLine, Data], None],
        recovered: Callable[[Sequence[str]], None],
        report: Callable[[Exception, int], None],
        rng: random.Random,
    ) -> None:
        self.book = SubscriptionBook(options.redrives, clock)
        self.shutting_down = trio.Event()
        self.has_data = trio.Event()
        self.ended = trio.Event()
        self.is_retired = False
        self._socket = socket
        self._protocol = options.protocol
        self._options = options
        self._counts = counts
        self._deliver = deliver
        self._recovered = recovered
        self._report = report
        self._rng = rng
        self._wall_time = options.wall_time
        self._numbers = itertools.count(1)
        self._answers: dict[int, tuple[Sequence[str], trio.Event]] = {}
        self._refusals: dict[int, SubscribeError] = {}
        self._reconsider = trio.Event()
        self._turn = trio.StrictFIFOLock()
        self._next_request = -inf
        self.last_frame = -inf

    async def host(self) -> None:
        """Run the websocket's own tasks, until `close`."""
        await self._socket.host()

    async def open(self) -> None:
        """Return when the websocket is open."""
        await self._socket.open()
        self.last_frame = trio.current_time()

    async def close(self, within: float) -> None:
        """Close the websocket in form if that can be done in *within* seconds."""
        await self._socket.close(within)

    async def subscribe(self, subscriptions: Iterable[Subscription]) -> None:
        """Ask for *subscriptions* and return when the exchange has taken the requests.

        Raises:
            SubscribeError: It refused one, or did not answer in time.
        """
        keys = self.book.want(subscriptions, trio.current_time())
        await self._request(self._protocol.subscribe, keys)

    async def unsubscribe(self, keys: Iterable[str]) -> None:
        """Take *keys* back.

        Raises:
            SubscribeError: The exchange refused that, or did not answer in time.
        """
        await self._request(self._protocol.unsubscribe, self.book.forget(keys))

    async def read(self) -> None:
        """Take in frames for ever.

        Raises:
            FeedClosedError: The websocket was closed.
        """
        while True:
            frame = await self._socket.receive()
            self.last_frame = trio.current_time()
            self._counts.frames += 1
            try:
                found = self._protocol.decode(frame)
            except ValueError as exc:
                self._counts.bad_frames += 1
                text = frame if isinstance(frame, str) else frame.decode(errors="replace")
                self._report(BadFrameError(str(exc), text[:_EXCERPT]), self._counts.bad_frames)
                continue
            for incoming in found:
                self._take(incoming)

    async def watch(self, on_stale: Callable[[Sequence[str]], None]) -> None:
        """Ask again for what is stale, for ever.

        Sleeps until the earliest deadline there is; data only ever moves it back, so there
        is one wake-up per deadline, not per message.

        Raises:
            StaleFeedError: Asking again did not help.
            SubscribeError: The exchange refused to be asked again.
        """
        while True:
            self._reconsider = trio.Event()
            with trio.CancelScope(deadline=self.book.next_due()):
                await self._reconsider.wait()
            match self.book.decide(trio.current_time()):
                case Redrive(keys):
                    on_stale(keys)
                    await self._request(self._protocol.unsubscribe, keys)
                    await self._request(self._protocol.subscribe, keys)
                case GiveUp(keys):
                    on_stale(keys)
                    why = f"asked again {self._options.redrives} times, {self.book.why_stale(keys)}"
                    raise StaleFeedError(keys, why)
                case None:
                    pass

    async def keep_alive(self) -> None:
        """Ping when nothing has come for ``ping_every`` seconds; an answer to a ping is no data.

        Raises:
            PingTimeoutError: There was no answer.
        """
        while True:
            quiet_until = self.last_frame + self._options.ping_every
            if quiet_until > trio.current_time():
                await trio.sleep_until(quiet_until)
                continue
            with trio.move_on_after(self._options.ping_timeout) as scope:
                await self._socket.ping(self._rng.randbytes(8))
            if scope.cancelled_caught:
                raise PingTimeoutError(self._options.ping_timeout)
            self.last_frame = max(self.last_frame, trio.current_time())

    def is_overdue(self, key: str) -> bool:
        """Return whether *key* has not delivered although it should have by now."""
        track = self.book.tracks.get(key)
        return track is not None and track.state is not SubscriptionState.LIVE and track.spec.first_data_within < inf

    def status(self, now: float) -> dict[str, SubscriptionStatus]:
        """Return how each subscription does."""
        return {
            key: SubscriptionStatus(
                state=track.state,
                age=now - track.fresh_at if track.fresh_at > -inf else None,
                messages=track.messages,
                old=track.old,
            )
            for key, track in self.book.tracks.items()
        }

    async def _request(self, make: Callable[[Sequence[str], int], str], keys: Sequence[str]) -> None:
        size = self._options.keys_per_request
        for start in range(0, len(keys), size):
            await self._request_some(make, keys[start : start + size])

    async def _request_some(self, make: Callable[[Sequence[str], int], str], keys: Sequence[str]) -> None:
        number = next(self._numbers)
        frame = make(keys, number)
        if not frame:
            self.book.requested(keys, trio.current_time())
            self.book.acknowledged(keys)
            return
        answered = trio.Event()
        self._answers[number] = (keys, answered)
        try:
            with trio.move_on_after(self._options.ack_timeout) as scope:
                async with self._turn:  # exchanges cut off who sends more than a few frames a second
                    await trio.sleep_until(self._next_request)
                    await self._socket.send(frame)
                    now = trio.current_time()
                    self._next_request = now + self._options.request_interval
                    self.book.requested(keys, now)
                    self._reconsider.set()
                await answered.wait()
        finally:
            del self._answers[number]
        if scope.cancelled_caught:
            raise SubscribeError(keys, f"no answer within {self._options.ack_timeout} s")
        if number in self._refusals:
            raise self._refusals.pop(number)

    def _take(self, incoming: object) -> None:
        match incoming:
            case Data():
                self._take_data(incoming)
            case Acknowledged(number):
                keys, answered = self._answers.get(number, ((), trio.Event()))
                self.book.acknowledged(keys)
                answered.set()
            case Refused():
                self._refuse(incoming)
            case ShuttingDown():
                self.shutting_down.set()
            case Unknown(what):
                self._counts.unknown += 1
                self._report(BadFrameError("unknown kind of event", what), self._counts.unknown)
            case _:
                pass

    def _take_data(self, data: Data) -> None:
        track = self.book.data(data.key, trio.current_time(), data.event_time, self._wall_time())
        if track is None:
            self._counts.unwanted += 1
            return
        if track.state is SubscriptionState.LIVE and not self.has_data.is_set():
            self.has_data.set()
        if self.book.recovered:
            keys, self.book.recovered = self.book.recovered, []
            self._recovered(keys)
        if data.key != track.spec.key:
            data = msgspec.structs.replace(data, key=track.spec.key)
        self._deliver(self, data)

    def _refuse(self, refused: Refused) -> None:
        number = refused.request if refused.request in self._answers else next(iter(self._answers), None)
        if number is None:
            self._report(SubscribeError((), f"refused: {refused.text}", code=refused.code), 1)
            return
        keys, answered = self._answers[number]
        why = f"refused with code {refused.code}: {refused.text}"
        self._refusals[number] = SubscribeError(keys, why, code=refused.code)
        answered.set()
