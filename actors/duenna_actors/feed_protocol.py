"""What an exchange says on a websocket, and how it is asked: the port between a feed and one exchange."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec


class Data(msgspec.Struct, frozen=True, gc=False):
    """One message of one subscription.

    Attributes:
        key: The subscription that it belongs to.
        message: What the consumer gets.
        event_time: When the exchange says that it happened, in seconds since 1970; None if
            it does not say.
        order: A number that grows from one message of this key to the next, such as a
            trade's id; None if there is none. It lets a feed change its websocket without
            a gap and without a message twice.
    """

    key: str
    message: Any
    event_time: float | None = None
    order: int | None = None


class Acknowledged(msgspec.Struct, frozen=True, gc=False):
    """The exchange took a request."""

    request: int


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The exchange refused a request; ``request`` is None if it does not say which."""

    request: int | None
    code: int | str | None
    text: str


class ShuttingDown(msgspec.Struct, frozen=True, gc=False):
    """The exchange is about to close this websocket."""


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """Well formed, and of a kind that this protocol does not know; ``what`` names it."""

    what: str


Incoming = Data | Acknowledged | Refused | ShuttingDown | Unknown


class FeedProtocol(Protocol):
    """One exchange's websocket. Holds no state of a connection: one object serves many."""

    def subscribe(self, keys: Sequence[str], request: int) -> str:
        """Return the frame that asks for *keys*; the answer names *request*.

        An empty one is not sent, and *keys* are agreed on: the websocket's address says it all.
        """
        ...

    def unsubscribe(self, keys: Sequence[str], request: int) -> str:
        """Return the frame that takes *keys* back; an empty one is not sent."""
        ...

    def decode(self, frame: str | bytes) -> Sequence[Incoming]:
        """Return what *frame* says; nothing for a heartbeat.

        Raises:
            ValueError: It is not what this exchange sends (msgspec's errors are such).
        """
        ...
