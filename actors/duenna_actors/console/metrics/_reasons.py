"""Why something was started or connected again, in one of a few words: never in those of an exception."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from duenna.machines.link import ConnectionState

if TYPE_CHECKING:
    from duenna import events
    from duenna.connection_events import ConnectionChanged

_MOST: Final = 10_000
_ORDERLY: Final = frozenset({"normal", "shutdown"})

_BY_ERROR: Final = {
    "StaleFeedError": "stale",
    "FeedClosedError": "closed",
    "ConnectionClosed": "closed",
    "ConnectionLostError": "closed",
    "PingTimeoutError": "ping_timeout",
    "ConnectionTimeoutError": "timeout",
    "TooSlowError": "timeout",
    "TimeoutError": "timeout",
    "FeedHandshakeError": "handshake",
    "SubscribeError": "subscribe",
    "BadFrameError": "bad_frame",
}


@attrs.define(eq=False)
class _Known:
    """One word for each path; of more than 10,000 the oldest are forgotten."""

    _words: dict[str, str] = attrs.field(factory=dict[str, str], init=False)

    def __len__(self) -> int:
        return len(self._words)

    def get(self, path: str) -> str:
        return self._words.get(path, "")

    def put(self, path: str, word: str) -> None:
        words = self._words
        if path not in words and len(words) >= _MOST:
            del words[next(iter(words))]
        words[path] = word

    def pop(self, path: str) -> str:
        return self._words.pop(path, "")


@attrs.define(eq=False)
class RestartReasons:
    """Remembers what led to a restart until it has happened."""

    _causes: _Known = attrs.field(factory=_Known, init=False)

    def exited(self, event: events.ChildExited) -> None:
        """Note how an incarnation ended."""
        if event.context == "start_error":
            self._causes.put(event.path, "start_error")

    def restarting(self, event: events.ChildRestarting) -> None:
        """Note that a child that ended by itself will be started again."""
        if self._causes.get(event.path) != "start_error":
            self._causes.put(event.path, "exit" if event.reason in _ORDERLY else "crash")

    def parked(self, event: events.ChildParked) -> None:
        """Note that a child is parked: whenever it starts again, it is out of that."""
        self._causes.put(event.path, "parked")

    def group_restarting(self, event: events.GroupRestarting) -> None:
        """Note that siblings are restarted along with the one that began it."""
        for name in event.members:
            if name != event.trigger:
                self._causes.put(f"{event.path}/{name}", "group")

    def started(self, event: events.ChildStarted) -> str:
        """Return why this incarnation, which is not the first, was started."""
        own = self._causes.pop(event.path)
        if own:
            return own
        above = event.path.rpartition("/")[0]
        while above:
            if self._causes.get(above):
                return "supervisor"
            above = above.rpartition("/")[0]
        return "operator"

    def forget(self, event: events.Event) -> None:
        """Forget a child that was stopped or removed."""
        self._causes.pop(event.path)


@attrs.define(eq=False)
class ReconnectReasons:
    """Remembers why a link was lost until it is connected again."""

    _causes: _Known = attrs.field(factory=_Known, init=False)

    def moved(self, event: ConnectionChanged) -> str | None:
        """Return why a connection connects again, None if it does not."""
        if event.state is ConnectionState.CONNECTING:
            if event.previous is ConnectionState.CLOSED:
                return None
            return self._causes.pop(event.path) or "lost"
        if event.state in {ConnectionState.COOLDOWN, ConnectionState.FAILED, ConnectionState.RECOVERING}:
            self._causes.put(event.path, _BY_ERROR.get(event.why.partition(":")[0], "lost"))
        return None

    def forget(self, event: events.Event) -> None:
        """Forget a connection that was removed."""
        self._causes.pop(event.path)


def of_rotation(why: str) -> str:
    """Return the reason that a feed which changed to a new websocket because of *why* is counted under."""
    return "server_shutdown" if why == "server shutdown" else "planned"
