"""Answers that do not end: server-sent events, until the client or the console goes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

import trio
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractContextManager

    from starlette.requests import Request

    from duenna_actors.console.view.model import EventRow

EVENT_STREAM: Final = "text/event-stream"
PING: Final = b": ping\n\n"

_MOST_DIGITS = 18


class Hub(Protocol):
    """Where the chunks of streams come from, each of them whole events."""

    def join(self, last_event_id: int | None = None, /) -> AbstractContextManager[AsyncIterator[bytes]]:
        """Join the live stream."""
        ...

    def join_events(
        self, last_event_id: int | None = None, keep: Callable[[EventRow], bool] | None = None, /
    ) -> AbstractContextManager[AsyncIterator[bytes]]:
        """Join the events: those after a number that are kept still, and all that come."""
        ...


class EventStream(Response):
    """Sends what a viewer gets; who is gone leaves the hub at once."""

    def __init__(self, join: Callable[[], AbstractContextManager[AsyncIterator[bytes]]], ping: float) -> None:
        """Send what *join* gives, and a comment after *ping* seconds of silence."""
        super().__init__(media_type=EVENT_STREAM, headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._join = join
        self._ping = ping

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send until one of the two ends it; cancelled, it leaves the hub."""
        begin = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        if scope["method"] == "HEAD":
            await send(begin)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        silence, is_over = _Silence(self._ping), False
        with self._join() as viewer:
            await send(begin)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_until_gone, receive, nursery.cancel_scope)
                nursery.start_soon(silence.fill, send)
                async for chunk in viewer:
                    silence.broken()
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                is_over = True
                nursery.cancel_scope.cancel()
        if is_over:  # out of reach of the watch: the end is told to that as well, in the middle of being sent
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Silence:
    """Time in which nothing was sent, and what is sent then: a proxy or a client takes a quiet line for dead."""

    def __init__(self, period: float) -> None:
        self._period = period
        self._since = trio.current_time()

    def broken(self) -> None:
        """Note that something is sent."""
        self._since = trio.current_time()

    async def fill(self, send: Any) -> None:
        """Send a comment whenever there was nothing for a whole period."""
        while True:
            await trio.sleep_until(self._since + self._period)
            if trio.current_time() >= self._since + self._period:
                self.broken()
                await send({"type": "http.response.body", "body": PING, "more_body": True})


async def _until_gone(receive: Any, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


class SseStreams:
    """The streams of one hub."""

    def __init__(self, hub: Hub, ping: float) -> None:
        """Stream what *hub* has."""
        self._hub = hub
        self._ping = ping

    def live(self, request: Request) -> Response:
        """Return snapshots and what changes."""
        return EventStream(partial(self._hub.join, last_event_id(request)), self._ping)

    def events(self, request: Request, after: int | None, keep: Callable[[EventRow], bool] | None) -> Response:
        """Return the events after number *after* that *keep* keeps; None: from now on, and all."""
        resumed = last_event_id(request)
        return EventStream(partial(self._hub.join_events, after if resumed is None else resumed, keep), self._ping)


def last_event_id(request: Request) -> int | None:
    """Return the number of the last event that the client has; None: it has none, or says nothing of sense."""
    given = request.headers.get("last-event-id", "").strip()
    return int(given) if given.isascii() and given.isdigit() and len(given) <= _MOST_DIGITS else None
