"""How a feed fails. What ends the link is a crash: the supervisor's backoff decides when it is connected again."""

from collections.abc import Sequence

from duenna.connection import ConnectionLostError
from duenna.errors import DuennaError

_FEW = 3


class FeedHandshakeError(ConnectionLostError):
    """The websocket could not be opened.

    Attributes:
        status: The HTTP status of the refusal, None if there was no answer.
        body: The beginning of the refusal.
    """

    def __init__(
        self, why: str, *, status: int | None = None, body: str = "", retry_after: float | None = None
    ) -> None:
        """Say *why* there is no websocket."""
        super().__init__(why, retry_after=retry_after)
        self.status = status
        self.body = body


class FeedClosedError(ConnectionLostError):
    """The websocket was closed, and not by us: a reason to connect again, whatever the code, 1000 included.

    Attributes:
        code: The close code; 1006 if the connection just ended.
        reason: What the far end wrote.
    """

    def __init__(self, code: int, reason: str) -> None:
        """Say how it was closed."""
        super().__init__(f"websocket closed by the far end: code {code}" + (f", {reason}" if reason else ""))
        self.code = code
        self.reason = reason


class SubscribeError(ConnectionLostError):
    """A request for subscriptions was refused, or not answered in time.

    Attributes:
        keys: What was asked for.
        code: The exchange's code, None if it gave none.
    """

    def __init__(self, keys: Sequence[str], why: str, *, code: int | str | None = None) -> None:
        """Say what became of the request for *keys*."""
        super().__init__(f"subscription to {few(keys)}: {why}")
        self.keys = tuple(keys)
        self.code = code


class StaleFeedError(DuennaError):
    """Subscriptions deliver nothing, or nothing fresh.

    Attributes:
        keys: Which.
    """

    def __init__(self, keys: Sequence[str], why: str) -> None:
        """Say that *keys* are stale."""
        super().__init__(f"no fresh data of {few(keys)}: {why}")
        self.keys = tuple(keys)


class PingTimeoutError(ConnectionLostError):
    """A ping was not answered.

    Attributes:
        timeout: Seconds that were waited.
    """

    def __init__(self, timeout: float) -> None:
        """Say that there was no pong within *timeout* seconds."""
        super().__init__(f"no pong within {timeout} s")
        self.timeout = timeout


class BadFrameError(DuennaError):
    """A frame that is not what the exchange sends; counted and reported, never fatal.

    Attributes:
        frame: Its beginning.
    """

    def __init__(self, why: str, frame: str) -> None:
        """Say *why* the frame is bad."""
        super().__init__(f"bad frame: {why}: {frame}")
        self.frame = frame


def few(keys: Sequence[str]) -> str:
    """Name the first few of *keys*."""
    return ", ".join(keys[:_FEW]) + (f" and {len(keys) - _FEW} more" if len(keys) > _FEW else "")
