"""How the private stream talks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from duenna_actors.binance.user_messages import AccountUpdate, ListenKeyExpired, OrderTradeUpdate, OtherUserEvent
from duenna_actors.binance_streams import ShutdownNotice
from duenna_actors.feed_protocol import Data, Incoming, ShuttingDown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

USER = "user"
"""The key of the one subscription there is."""

_UserEvents = OrderTradeUpdate | AccountUpdate | ListenKeyExpired | ShutdownNotice
_KNOWN = frozenset({"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "listenKeyExpired", "serverShutdown"})


class _Outline(msgspec.Struct):
    kind: str | None = msgspec.field(name="e", default=None)
    event_time_ms: int = msgspec.field(name="E", default=0)
    data: msgspec.Raw = msgspec.Raw()


class UserEvents:
    """The protocol of the private stream: nothing is asked for, for the address of the websocket says it all."""

    def __init__(self, unreadable: Callable[[OtherUserEvent | None], None] = lambda _event: None) -> None:
        """Begin.

        Args:
            unreadable: Told of every frame that is not what Binance sends: the event, if it is
                one whose fields make no sense, or None.
        """
        self._unreadable = unreadable
        self._outline = msgspec.json.Decoder(_Outline, strict=False)
        self._event: msgspec.json.Decoder[_UserEvents] = msgspec.json.Decoder(_UserEvents, strict=False)

    def subscribe(self, keys: Sequence[str], request: int) -> str:  # noqa: ARG002  # the port's signature
        """Return nothing."""
        return ""

    def unsubscribe(self, keys: Sequence[str], request: int) -> str:  # noqa: ARG002  # the port's signature
        """Return nothing."""
        return ""

    def decode(self, frame: str | bytes) -> Sequence[Incoming]:
        """Return what *frame* says, wrapped in its stream's name or not.

        Raises:
            ValueError: It is not what Binance sends.
        """
        other: OtherUserEvent | None = None
        try:
            other = self._other(frame)
            if other.kind not in _KNOWN:
                return (_data(other),)
            event = self._event.decode(other.payload)
        except ValueError:
            self._unreadable(other)
            raise
        return (ShuttingDown(),) if isinstance(event, ShutdownNotice) else (_data(event),)

    def _other(self, frame: str | bytes) -> OtherUserEvent:
        """Return the event, its fields unread."""
        outline = self._outline.decode(frame)
        payload: str | bytes | msgspec.Raw = frame
        if bytes(outline.data):
            payload = outline.data
            outline = self._outline.decode(payload)
        if outline.kind is None:
            raise ValueError("an event without its kind")
        raw = payload.encode() if isinstance(payload, str) else bytes(payload)
        return OtherUserEvent(outline.kind, outline.event_time_ms, raw)


def _data(event: OrderTradeUpdate | AccountUpdate | ListenKeyExpired | OtherUserEvent) -> Data:
    return Data(USER, event, event.event_time_ms / 1000 or None)
