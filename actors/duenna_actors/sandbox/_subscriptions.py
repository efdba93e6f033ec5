"""SUBSCRIBE and its kin: what a websocket may ask for, and the answers."""

from collections.abc import Callable
from typing import Any, Protocol, TypeGuard

import msgspec

from duenna_actors.sandbox._streams import Section, Stream

_METHODS = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"
_MAX_ID = 2**64
_ENCODE = msgspec.json.encode


class Session(Protocol):
    """A websocket, as its requests see it."""

    section: Section
    combined: bool

    @property
    def subscriptions(self) -> list[str]:
        """The names of its streams, in the order in which it subscribed."""
        ...

    def subscribe(self, name: str, stream: Stream | None) -> None:
        """Begin to hear a stream; without one of that name it will hear nothing."""
        ...

    def unsubscribe(self, name: str) -> None:
        """Stop hearing a stream."""
        ...


class _RequestError(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def answer(
    text: str, session: Session, find: Callable[[str], Stream | None], max_streams: int, *, strict: bool
) -> bytes:
    """Carry out one request of a websocket and return the JSON that answers it.

    Args:
        text: What it sent.
        session: The websocket.
        find: Returns the stream of a name.
        max_streams: How many streams one websocket may have.
        strict: Refuse streams that do not exist or belong to another section, instead of never sending anything.
    """
    number: int | None = None
    try:
        request = _parse(text)
        number = _number(request)
        result = _carry_out(request, session, find, max_streams, strict=strict)
    except _RequestError as error:
        return _ENCODE({"error": {"code": error.code, "msg": error.text}, "id": number})
    return _ENCODE({"result": result, "id": number})


def _parse(text: str) -> dict[str, Any]:
    try:
        request = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _RequestError(3, f"Invalid JSON: {error}") from error
    if not _is_object(request):
        raise _invalid("expected an object")
    return request


def _number(request: dict[str, Any]) -> int:
    number = request.get("id")
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < _MAX_ID:
        raise _invalid("request ID must be an unsigned integer")
    return number


def _carry_out(
    request: dict[str, Any], session: Session, find: Callable[[str], Stream | None], max_streams: int, *, strict: bool
) -> Any:
    match request.get("method"):
        case "SUBSCRIBE":
            known = {name: find(name) for name in _names(request)}
            if strict:
                _check(known, session.section)
            _subscribe(session, known, max_streams)
        case "UNSUBSCRIBE":
            for name in _names(request):
                session.unsubscribe(name)
        case "LIST_SUBSCRIPTIONS":
            return session.subscriptions
        case "GET_PROPERTY":
            _property(request, 1)
            return session.combined
        case "SET_PROPERTY":
            session.combined = _boolean(_property(request, 2)[1])
        case other:
            raise _invalid(f"unknown variant `{other}`, expected one of {_METHODS}")
    return None


def _subscribe(session: Session, known: dict[str, Stream | None], max_streams: int) -> None:
    if len({**dict.fromkeys(session.subscriptions), **known}) > max_streams:
        raise _invalid(f"too many streams, a connection may have {max_streams}")
    for name, stream in known.items():
        fits = stream is not None and stream.section == session.section
        session.subscribe(name, stream if fits else None)


def _names(request: dict[str, Any]) -> list[str]:
    params = request.get("params")
    if not _is_list(params) or not params:
        raise _invalid("params must be an array of stream names")
    if not all(isinstance(name, str) for name in params):
        raise _invalid("stream name must be a string")
    return params


def _check(known: dict[str, Stream | None], section: Section) -> None:
    for name, stream in known.items():
        if stream is None:
            raise _invalid(f"unknown stream `{name}`")
        if stream.section != section:
            raise _invalid(f"stream `{name}` belongs to /{stream.section}, this connection is on /{section}")


def _property(request: dict[str, Any], length: int) -> list[Any]:
    values = request.get("params")
    if not _is_list(values) or not values or not isinstance(values[0], str):
        raise _invalid("property name must be a string")
    if len(values) > length:
        raise _invalid("too many parameters")
    if values[0] != "combined":
        raise _RequestError(0, "Unknown property")
    return values if len(values) == length else [*values, None]


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _RequestError(1, "Invalid value type: expected Boolean")
    return value


def _invalid(text: str) -> _RequestError:
    return _RequestError(2, f"Invalid request: {text}")
