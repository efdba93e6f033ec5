"""What an exception says by its attributes, whatever library it is of: the one place that asks them.

Nothing here trusts an exception: attributes may be missing, may be absurd, may raise.
"""

from __future__ import annotations

from datetime import timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duenna.wallclock import WallTime

MARK: Final = "__duenna_report__"
"""The attribute of an exception that has been reported: the report's number."""

LONGEST_WAIT: Final = 7 * 86_400.0
_FOREVER: Final = 1e12  # seconds
_STATUSES: Final = range(100, 600)
_CLOSE_CODES: Final = range(1000, 5000)
_NO_CLOSE_FRAME: Final = 1006
_LONGEST_CODE: Final = 64
_LONGEST_HEADER: Final = 64
_MOST_HEADERS: Final = 200
_LARGEST_ERRNO: Final = 1 << 31
_SQLSTATE: Final = 5


def ask(it: Any, name: str) -> Any:
    """Return the attribute *name* of *it*, None if it has none or that raises."""
    try:
        return getattr(it, name, None)
    except Exception:  # noqa: BLE001  # a property of its own may raise: then it says nothing
        return None


def members(error: BaseException) -> tuple[BaseException, ...]:
    """Return the members of *error* if it is a group; none otherwise."""
    # Not `isinstance`: that asks the exception for its class, and the exception may raise.
    if not issubclass(type(error), BaseExceptionGroup):
        return ()
    inside = ask(error, "exceptions")
    return cast("tuple[BaseException, ...]", inside) if isinstance(inside, tuple) else ()


def cause_of(error: BaseException) -> BaseException | None:
    """Return what led to *error*: its cause, or else the error that was being handled unless that is suppressed."""
    cause = ask(error, "__cause__")
    if cause is None and not ask(error, "__suppress_context__"):
        cause = ask(error, "__context__")
    return cause if issubclass(type(cause), BaseException) else None


def number(value: Any) -> int | None:
    """Return *value* if it is a whole number, not a truth value nor one in digits; None otherwise."""
    try:
        return int(value) if isinstance(value, int) and not isinstance(value, bool) else None
    except Exception:  # noqa: BLE001  # a class of its own may do anything
        return None


def status_of(error: Any) -> int | None:
    """Return the HTTP status of *error* or of its ``response``, None if it has none."""
    for name in ("status", "status_code"):
        if (status := number(ask(error, name))) is not None and status in _STATUSES:
            return status
    response = ask(error, "response")
    if response is None:
        return None
    if isinstance(response, dict):  # botocore
        inside = ask(cast("Any", response).get("ResponseMetadata"), "get")
        status = number(inside("HTTPStatusCode")) if callable(inside) else None
        return status if status in _STATUSES else None
    for name in ("status_code", "status"):
        if (status := number(ask(response, name))) is not None and status in _STATUSES:
            return status
    return None


def status_from(code: str) -> int | None:
    """Return *code* as a HTTP status if it can be one."""
    value = int(code) if code.isascii() and code.isdigit() else None
    return value if value in _STATUSES else None


def wait_of(error: Any, wall: WallTime) -> float | None:
    """Return the seconds for which *error* asks to leave the far end alone, a week at most; None if it does not ask.

    It asks by ``retry_after`` (seconds as a number, or a `timedelta`), else by a
    Retry-After header of its own or of its ``response``.
    """
    wait = ask(error, "retry_after")
    if wait is not None:
        return _seconds(wait)
    for it in (error, ask(error, "response")):
        if it is None:
            continue
        for name in ("headers", "resp_headers"):
            headers = ask(it, name)
            if headers is not None and (said := header(headers, "retry-after")) is not None:
                return _seconds(header_seconds(said, wall))
    return None


def _seconds(wait: Any) -> float | None:
    if isinstance(wait, timedelta):
        wait = wait.total_seconds()
    if wait is None or isinstance(wait, bool) or not isinstance(wait, int | float):
        return None
    return min(float(wait), LONGEST_WAIT) if 0 < wait < _FOREVER else None


def header(headers: Any, name: str) -> str | None:
    """Return the header *name* (in lower case) from a mapping, or from a list of pairs, of text or bytes."""
    try:
        if hasattr(headers, "get"):
            value = headers.get(name) or headers.get(name.title())
        else:
            pairs = list(headers)[:_MOST_HEADERS]
            value = next((value for key, value in pairs if _text(key).lower() == name), None)
        return None if value is None else _text(value)
    except Exception:  # noqa: BLE001  # headers of a library's own making: then they say nothing
        return None


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def header_seconds(value: str | None, wall: WallTime) -> float | None:
    """Return the seconds that a Retry-After header asks for: a number, or a date (RFC 9110, section 10.2.3)."""
    if value is None or len(value) > _LONGEST_HEADER:
        return None
    text = value.strip()
    try:
        if text.isascii() and text.replace(".", "", 1).isdigit():
            return float(text)
        return parsedate_to_datetime(text).timestamp() - wall()
    except (TypeError, ValueError, OverflowError):
        return None


_CODES: Final = ("code", "error_code", "err_code", "ret_code", "errorCode", "retCode")
_CODED_BY_ARGS: Final = frozenset({"pymysql", "MySQLdb", "asyncmy", "aiomysql"})
_SOCKETS: Final = ("Closed", "WebSocket", "Disconnect")
_NOT_ITS_CODE: Final = frozenset({"aiohttp", "websockets", "sqlalchemy"})
"""Where `code` is deprecated and reading it warns, or is that of a page of the manual."""


def code_of(error: Any, module: str) -> str | None:
    """Return the far end's own code, as text of at most 64 characters.

    Args:
        error: What may have one.
        module: The package that its type is of.
    """
    if module in _CODED_BY_ARGS:
        args = ask(error, "args")
        return _code(args[0]) if isinstance(args, tuple) and args and number(args[0]) is not None else None
    if module == "mysql":
        return _code(ask(error, "errno"))
    for value in _codes(error, module):
        if (code := _code(value)) is not None:
            return code
    # Some put their code where others have the status.
    status = number(ask(error, "status_code"))
    return _code(status) if status is not None and status not in _STATUSES else None


def _codes(error: Any, module: str) -> Iterator[Any]:
    """Yield what may be the code, the likeliest first."""
    yield ask(error, "sqlite_errorname")
    if module not in _NOT_ITS_CODE:
        for name in _CODES:
            code = ask(error, name)
            yield _called(code) if module == "grpc" and callable(code) else code
    response = ask(error, "response")
    if isinstance(response, dict):  # botocore
        inside = ask(cast("Any", response).get("Error"), "get")
        yield inside("Code") if callable(inside) else None


def _called(code: Any) -> Any:
    try:
        return code()
    except Exception:  # noqa: BLE001  # then it says nothing
        return None


def _code(value: Any) -> str | None:
    if issubclass(type(value), Enum):
        value = ask(value, "name")
    try:
        if isinstance(value, bool) or not isinstance(value, int | str):
            return None
        if isinstance(value, int) and abs(value) >= 1 << _LONGEST_CODE:
            return None
        return str(value).strip()[:_LONGEST_CODE] or None
    except Exception:  # noqa: BLE001  # a subclass of its own may do anything
        return None


def close_code_of(error: Any, names: tuple[str, ...]) -> int | None:
    """Return the close code of a websocket, None if *error*, of a type with *names*, tells of none."""
    is_socket = any(word in name for name in names for word in _SOCKETS)
    is_of_websockets = names[0].startswith("websockets.")  # where `code` is deprecated and reading it warns
    received = ask(error, "rcvd")
    for value in (
        ask(error, "close_code"),
        ask(received, "code"),
        ask(ask(error, "reason"), "code"),
        ask(error, "code") if is_socket and not is_of_websockets else None,
    ):
        if (code := number(value)) is not None and code in _CLOSE_CODES:
            return code
    return _NO_CLOSE_FRAME if is_of_websockets and received is None and "ConnectionClosed" in names[0] else None


def sqlstate_of(error: Any) -> str | None:
    """Return the SQLSTATE of *error*, or of the driver's error that it wraps."""
    for it in (error, ask(error, "diag"), ask(error, "orig")):
        for name in ("sqlstate", "pgcode"):
            state = None if it is None else ask(it, name)
            if isinstance(state, str) and len(state) == _SQLSTATE and state.isascii() and state.isalnum():
                return state.upper()
    return None


def errno_of(error: Any) -> int | None:
    """Return the system's error number, None if it is none."""
    value = number(ask(error, "errno"))
    return value if value is not None and abs(value) < _LARGEST_ERRNO else None
