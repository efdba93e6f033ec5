"""The faults that can be injected, as data: frozen structs, told apart in JSON by their `kind`.

All of them were seen in the field (`docs/sandbox.md` says what a client sees of each). Those with a duration hold while
they are active; those of `INSTANT` happen once, at the moment they are injected.
"""

from typing import Literal, TypeAlias

from duenna_actors.sandbox._fault_base import FaultBase, check_close, check_constant, kind_name, require

_MAX_STATUS = 599


class _StreamFault(FaultBase, frozen=True, kw_only=True):
    """Strikes a stream.

    Attributes:
        symbol: Glob of contracts, such as `BTC*`.
        stream: Glob of stream names, such as `*@depth*`.
    """

    symbol: str = "*"
    stream: str = "*"


class _SocketFault(FaultBase, frozen=True, kw_only=True):
    """Strikes a websocket.

    Attributes:
        path: Glob of the paths it was opened with, such as `/public*`.
    """

    path: str = "*"


class _AnswerFault(FaultBase, frozen=True, kw_only=True):
    """Strikes an answer of the REST interface.

    Attributes:
        path: Glob of paths.
        method: `GET`, `POST`, `PUT`, `DELETE` or `*` for all.
        symbol: Glob of contracts; a request without a symbol is one for the empty name, which only `*` fits.
    """

    path: str = "*"
    method: str = "*"
    symbol: str = "*"


class Mute(_StreamFault, frozen=True, kw_only=True):
    """No data, while subscriptions are acknowledged and pings answered. `symbol` mutes one contract among many."""


class StaleEvents(_StreamFault, frozen=True, kw_only=True):
    """Events bear an old time.

    Attributes:
        age: How old they claim to be, in seconds.
    """

    age: float = 60.0


class SequenceGap(_StreamFault, frozen=True, kw_only=True):
    """A depth event is left out: the next one's `pu` fits no `u`. Strikes once unless told otherwise."""

    count: int | None = 1


class RepeatedEvents(_StreamFault, frozen=True, kw_only=True):
    """An event arrives a second time.

    Attributes:
        after: Behind how many later events of its stream. 0 to 1,000.
    """

    after: int = 0

    def _check(self) -> None:
        require(0 <= self.after <= 1_000, self, "after", "0 to 1000")  # noqa: PLR2004 - the rule itself


class LateEvents(_StreamFault, frozen=True, kw_only=True):
    """An event arrives behind later ones of its stream.

    Attributes:
        after: Behind how many. 1 to 1,000.
    """

    after: int = 1

    def _check(self) -> None:
        require(1 <= self.after <= 1_000, self, "after", "1 to 1000")  # noqa: PLR2004 - the rule itself


class GarbledFrames(_StreamFault, frozen=True, kw_only=True):
    """A message arrives broken.

    Attributes:
        mode: `truncated` half the JSON in a whole frame; `garbled` JSON with bytes overwritten; `html` a page instead;
            `bad_utf8` a text frame that is none; `bad_frame` an opcode that does not exist; `cut` half a frame, then
            the connection ends.
    """

    mode: Literal["truncated", "garbled", "html", "bad_utf8", "bad_frame", "cut"] = "truncated"


class Burst(_StreamFault, frozen=True, kw_only=True):
    """Many messages at once to every subscriber of a stream.

    Attributes:
        messages: How many. 1 to 100,000.
    """

    messages: int = 10_000

    def _check(self) -> None:
        require(1 <= self.messages <= 100_000, self, "messages", "1 to 100000")  # noqa: PLR2004 - the rule itself


class CloseSockets(_SocketFault, frozen=True, kw_only=True):
    """Open websockets are closed.

    Attributes:
        code: The close code; 1006 ends the connection without a close frame.
        reason: The text beside it, 120 bytes at most.
    """

    code: int = 1001
    reason: str = ""

    def _check(self) -> None:
        check_close(self, self.code, self.reason)


class ServerShutdown(_SocketFault, frozen=True, kw_only=True):
    """Open websockets are told `serverShutdown`, then closed with 1001.

    Attributes:
        notice: How long after, in seconds.
    """

    notice: float = 10.0


class ListenKeyExpired(FaultBase, frozen=True, kw_only=True):
    """The listen key dies before its time; the private stream is told, and goes silent."""


class UpgradeRefused(_SocketFault, frozen=True, kw_only=True):
    """A websocket handshake is answered with something else.

    Attributes:
        status: 200 is a page of HTML where a 101 should be. 200 to 599.
        retry_after: Seconds in a `Retry-After` header; `None` for no header.
        is_html: Answer with a page instead of JSON, as a web application firewall does.
    """

    status: int = 429
    retry_after: float | None = None
    is_html: bool = False

    def _check(self) -> None:
        require(200 <= self.status <= _MAX_STATUS, self, "status", "200 to 599")  # noqa: PLR2004 - the rule itself


class UpgradeDropped(_SocketFault, frozen=True, kw_only=True):
    """The TCP connection ends in the middle of the websocket handshake."""


class ClosedAfterOpen(_SocketFault, frozen=True, kw_only=True):
    """A websocket is accepted, then closed.

    Attributes:
        code: The close code; 1006 ends the connection without a close frame.
        reason: The text beside it, 120 bytes at most.
        after: How long it stays open, in seconds.
    """

    code: int = 1008
    reason: str = ""
    after: float = 0.0

    def _check(self) -> None:
        check_close(self, self.code, self.reason)


class StaleSnapshot(FaultBase, frozen=True, kw_only=True):
    """The depth snapshot of the REST interface lags behind the stream.

    Attributes:
        symbol: Glob of contracts.
        age: How far it lags, in seconds.
    """

    symbol: str = "*"
    age: float = 30.0


class HttpFailure(_AnswerFault, frozen=True, kw_only=True):
    """A request fails before anything is done about it.

    Attributes:
        status: 400 to 599.
        code: The exchange's error code in the body.
        text: The text beside it.
        is_html: Answer with a page instead of JSON.
    """

    status: int = 503
    code: int = -1000
    text: str = "Service unavailable. Please try again later."
    is_html: bool = False

    def _check(self) -> None:
        require(400 <= self.status <= _MAX_STATUS, self, "status", "400 to 599")  # noqa: PLR2004 - the rule itself


class RateLimited(FaultBase, frozen=True, kw_only=True):
    """The weight is used up: 429 with `Retry-After`, and for whoever goes on 418 with the end of the ban in the text.

    Attributes:
        retry_after: How long, in seconds.
        patience: Requests that are refused with 429 before the ban. 0 or more.
        ban: Length of the ban, in seconds.
    """

    retry_after: float = 10.0
    patience: int = 5
    ban: float = 120.0

    def _check(self) -> None:
        require(self.patience >= 0, self, "patience", ">= 0")


class SlowAnswers(_AnswerFault, frozen=True, kw_only=True):
    """An answer is held back; the request itself has long been carried out.

    Attributes:
        latency: How long, in seconds.
        jitter: Up to so many seconds more.
    """

    latency: float = 5.0
    jitter: float = 0.0


class LostAnswers(_AnswerFault, frozen=True, kw_only=True):
    """A request is carried out, and its answer does not arrive: an outcome unknown to the client.

    Strikes new orders, unless told otherwise.

    Attributes:
        mode: `timeout` the exchange says -1007, execution status unknown; `silence` nothing comes; `cut` the connection
            ends.
    """

    path: str = "/fapi/v1/order"
    method: str = "POST"
    mode: Literal["timeout", "silence", "cut"] = "timeout"


class GarbledAnswers(_AnswerFault, frozen=True, kw_only=True):
    """An answer arrives broken, with the status of a good one.

    Attributes:
        mode: `html` a page in a 200; `truncated` half the JSON in whole HTTP; `garbled` JSON with bytes overwritten;
            `cut` half the body, then the connection ends.
    """

    mode: Literal["html", "truncated", "garbled", "cut"] = "html"


class ClockDrift(FaultBase, frozen=True, kw_only=True):
    """The exchange's clock is off: signed requests fail with -1021 until the client measures the time again.

    Attributes:
        offset: How far it is ahead, in seconds; behind when negative. Not 0.
    """

    offset: float = 10.0

    def _check(self) -> None:
        require(self.offset != 0.0 and abs(self.offset) < float("inf"), self, "offset", "finite and not 0 seconds")
        check_constant(self)


class ConnectionsRefused(FaultBase, frozen=True, kw_only=True):
    """The port is closed: connection refused.

    Attributes:
        drop_existing: Also reset the connections that are open.
    """

    drop_existing: bool = True

    def _check(self) -> None:
        check_constant(self)


class ConnectionsReset(FaultBase, frozen=True, kw_only=True):
    """Connections are accepted and reset at once."""


class HalfOpen(FaultBase, frozen=True, kw_only=True):
    """The peer has vanished and the sockets do not know: nothing is answered any more, no byte, no pong, no end.

    Connections that it struck stay dead when it is over; new ones work again.

    Attributes:
        path: Glob of paths. `*` also strikes connections as they are opened, before they have named a path.
    """

    path: str = "*"


class DatabaseLost(FaultBase, frozen=True, kw_only=True):
    """Nothing happens on the exchange: whoever owns a database hears of it through `on_fault` and breaks it himself."""


Fault: TypeAlias = (
    Mute
    | StaleEvents
    | SequenceGap
    | RepeatedEvents
    | LateEvents
    | GarbledFrames
    | Burst
    | CloseSockets
    | ServerShutdown
    | ListenKeyExpired
    | UpgradeRefused
    | UpgradeDropped
    | ClosedAfterOpen
    | StaleSnapshot
    | HttpFailure
    | RateLimited
    | SlowAnswers
    | LostAnswers
    | GarbledAnswers
    | ClockDrift
    | ConnectionsRefused
    | ConnectionsReset
    | HalfOpen
    | DatabaseLost
)

INSTANT = (CloseSockets, ServerShutdown, Burst, ListenKeyExpired)
"""The kinds that happen once, when injected, and last no time."""


def kind_of(fault: Fault) -> str:
    """Return a fault's `kind`, as it stands in JSON."""
    return kind_name(type(fault).__name__)


__all__ = [
    "INSTANT",
    "Burst",
    "ClockDrift",
    "CloseSockets",
    "ClosedAfterOpen",
    "ConnectionsRefused",
    "ConnectionsReset",
    "DatabaseLost",
    "Fault",
    "GarbledAnswers",
    "GarbledFrames",
    "HalfOpen",
    "HttpFailure",
    "LateEvents",
    "ListenKeyExpired",
    "LostAnswers",
    "Mute",
    "RateLimited",
    "RepeatedEvents",
    "SequenceGap",
    "ServerShutdown",
    "SlowAnswers",
    "StaleEvents",
    "StaleSnapshot",
    "UpgradeDropped",
    "UpgradeRefused",
    "kind_of",
]
