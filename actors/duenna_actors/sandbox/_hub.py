"""Who listens to what, and how an event gets to them: through the faults, encoded once, framed once."""

from typing import Protocol, TypeVar

import attrs
import msgspec

from duenna_actors.sandbox._fault_base import FaultBase
from duenna_actors.sandbox._feeds import Feed
from duenna_actors.sandbox._frames import broken_frame, text_frame
from duenna_actors.sandbox._wire import Json
from duenna_actors.sandbox.faults import GarbledFrames, LateEvents, Mute, RepeatedEvents, SequenceGap, StaleEvents

_F = TypeVar("_F", bound=FaultBase)

_ENCODE = msgspec.json.Encoder().encode
_WITH_TIME_OF_TRADE = ("aggTrade", "bookTicker", "depthUpdate", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE")


class Strikes(Protocol):
    """The faults, asked at the moment that something is about to happen."""

    def strike(self, kind: type[_F], **where: str) -> _F | None:
        """Return the fault of a kind that strikes there now."""
        ...


class Subscriber(Protocol):
    """A websocket, as the hub sees it."""

    number: int
    combined: bool

    def push(self, frames: bytes) -> None:
        """Send whole frames, without waiting."""
        ...

    def cut(self, piece: bytes) -> None:
        """Send a piece of a frame and end the connection."""
        ...


@attrs.define
class _Held:
    """An event that is to arrive behind so many others of its stream."""

    payload: bytes
    after: int


@attrs.define
class Hub:
    """The subscriptions of all websockets, in the order in which they were made.

    Attributes:
        faults: What may come between an event and its subscribers.
        feeds: The market data streams that somebody listens to, by name.
        delivered: Messages pushed so far.
    """

    faults: Strikes
    feeds: dict[str, Feed] = attrs.field(factory=dict[str, Feed], init=False)
    delivered: int = attrs.field(default=0, init=False)
    _listeners: dict[str, dict[int, Subscriber]] = attrs.field(factory=dict[str, dict[int, Subscriber]], init=False)
    _held: dict[str, list[_Held]] = attrs.field(factory=dict[str, "list[_Held]"], init=False)

    def join(self, name: str, subscriber: Subscriber, feed: Feed | None = None) -> None:
        """Let a websocket hear a stream; *feed* makes its events if it is market data."""
        self._listeners.setdefault(name, {})[subscriber.number] = subscriber
        if feed is not None:
            self.feeds.setdefault(name, feed)

    def leave(self, name: str, subscriber: Subscriber) -> None:
        """Stop a websocket from hearing a stream; a stream without listeners ends."""
        listeners = self._listeners.get(name, {})
        listeners.pop(subscriber.number, None)
        if not listeners:
            self._listeners.pop(name, None)
            self.feeds.pop(name, None)
            self._held.pop(name, None)

    def has_listeners(self, name: str) -> bool:
        """Return whether anybody hears a stream."""
        return name in self._listeners

    def counts(self) -> dict[str, int]:
        """Return the number of listeners of each stream."""
        return {name: len(listeners) for name, listeners in self._listeners.items()}

    def publish(self, name: str, label: str, symbol: str, event: Json) -> None:
        """Send an event to everybody who hears a stream, unless a fault prevents it.

        Args:
            name: The stream.
            label: What faults know the stream as: its name, or the event's type on the private stream.
            symbol: The contract, or empty.
            event: What happened.
        """
        if self.faults.strike(Mute, symbol=symbol, stream=label):
            return
        kind = event["e"]
        if kind == "depthUpdate" and self.faults.strike(SequenceGap, symbol=symbol, stream=label):
            return
        stale = self.faults.strike(StaleEvents, symbol=symbol, stream=label)
        if stale is not None:
            event = _aged(event, round(stale.age * 1_000))
        broken = self.faults.strike(GarbledFrames, symbol=symbol, stream=label)
        payload = _ENCODE(event)
        if broken is None:
            self._send_in_order(name, payload, symbol=symbol, stream=label)
            return
        for subscriber in list(self._listeners.get(name, {}).values()):
            piece = broken_frame(_wrapped(name, payload) if subscriber.combined else payload, broken.mode)
            if broken.mode == "cut":
                subscriber.cut(piece)
            else:
                subscriber.push(piece)

    def _send_in_order(self, name: str, payload: bytes, **where: str) -> None:
        """Send a payload, in the order that faults make of the stream."""
        late = self.faults.strike(LateEvents, **where)
        if late is not None:
            self._held.setdefault(name, []).append(_Held(payload, late.after))
            return
        self.send(name, payload)
        repeated = self.faults.strike(RepeatedEvents, **where)
        held = self._held.pop(name, [])
        for each in held:
            each.after -= 1
            if each.after == 0:
                self.send(name, each.payload)
        waiting = [each for each in held if each.after > 0]
        if repeated is not None and repeated.after == 0:
            self.send(name, payload)
        elif repeated is not None:
            waiting.append(_Held(payload, repeated.after))
        if waiting:
            self._held[name] = waiting

    def send(self, name: str, payload: bytes, times: int = 1) -> None:
        """Send a payload to everybody who hears a stream, past all faults, *times* over."""
        plain = combined = b""
        for subscriber in list(self._listeners.get(name, {}).values()):
            if subscriber.combined:
                combined = combined or text_frame(_wrapped(name, payload)) * times
                subscriber.push(combined)
            else:
                plain = plain or text_frame(payload) * times
                subscriber.push(plain)
            self.delivered += times


def _wrapped(name: str, payload: bytes) -> bytes:
    return b'{"stream":' + _ENCODE(name) + b',"data":' + payload + b"}"


def _aged(event: Json, by_ms: int) -> Json:
    aged = {**event, "E": event["E"] - by_ms}
    if event["e"] in _WITH_TIME_OF_TRADE:
        aged["T"] = event["T"] - by_ms
    elif event["e"] == "forceOrder":
        aged["o"] = {**event["o"], "T": event["o"]["T"] - by_ms}
    return aged
