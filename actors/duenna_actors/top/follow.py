"""A thread that listens to the bot and begins anew when it is lost, for as long as the screen is open."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from duenna_actors.client import ClientError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna_actors.client import Client, Stream

_LIVE: Final = "/api/v1/live"
_WAITS: Final = (0.5, 1.0, 2.0, 4.0)  # seconds before the first, second … new attempt; the last repeats
_WAITING: Final = 32  # frames that the screen has not taken in yet; then the thread reads no more, and the bot drops


class Connected(NamedTuple):
    """The bot answered; *client* asks it more."""

    client: Client


class Received(NamedTuple):
    """A frame of the stream."""

    kind: str
    data: Any


class Lost(NamedTuple):
    """The bot cannot be heard, and why; it is tried again in *retry_in* seconds."""

    why: str
    retry_in: float


News = Connected | Received | Lost
"""What the thread tells."""


class Follower:
    """Follows the live stream in a thread of its own.

    Attributes:
        client: The last one that was connected; None: there was none.
    """

    def __init__(self, connect: Callable[[], Client], tell: Callable[[News], None]) -> None:
        """Do nothing yet.

        Args:
            connect: Finds the bot, and is called for each attempt; may raise a `ClientError`.
            tell: Takes the news; called in the thread. Each `Received` is answered by `taken` or `refuse`.
        """
        self.client: Client | None = None
        self._connect = connect
        self._tell = tell
        self._stopped = threading.Event()
        self._failures = 0  # in a row
        self._refusal = ""
        self._free = threading.Semaphore(_WAITING)
        self._stream: Stream | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="duenna top: follow", daemon=True)

    def start(self) -> None:
        """Begin; call it once."""
        self._thread.start()

    def taken(self) -> None:
        """Say that a frame has been taken in."""
        self._failures = 0
        self._free.release()

    def refuse(self, why: str) -> None:
        """Say that a frame makes no sense, and begin with a new stream, whose first frame is a whole snapshot."""
        self._refusal = why
        self._free.release()
        self._cut()

    def stop(self) -> None:
        """End the thread; it tells nothing more. Waits for at most 2 s."""
        self._stopped.set()
        self._free.release()
        self._cut()
        self._thread.join(timeout=2.0)

    def _cut(self) -> None:
        with self._lock:
            if self._stream is not None:
                self._stream.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            why = "the bot ended the stream"
            try:
                self._listen(self._connect())
            except ClientError as exc:
                why = str(exc)
            finally:
                self._hold(None)
            wait = _WAITS[min(self._failures, len(_WAITS) - 1)]
            self._failures += 1
            self._say(Lost(self._refusal or why, wait))
            self._stopped.wait(wait)

    def _listen(self, client: Client) -> None:
        with client.stream(_LIVE) as stream:
            self._hold(stream)
            self.client, self._refusal = client, ""
            self._say(Connected(client))
            for event in stream:
                if event.name == "bye":
                    return
                self._hand_over(event.name, event.data)

    def _hold(self, stream: Stream | None) -> None:
        with self._lock:
            self._stream = stream
            if stream is not None and self._stopped.is_set():
                stream.close()

    def _hand_over(self, kind: str, text: str) -> None:
        try:
            data = json.loads(text)
        except ValueError as exc:
            raise UnreachableError(f"the bot sent a frame that is no JSON: {exc}") from None
        self._free.acquire()
        self._say(Received(kind, data))

    def _say(self, news: News) -> None:
        if not self._stopped.is_set():
            self._tell(news)
