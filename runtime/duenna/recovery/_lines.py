"""The log lines of reconnections, word for word as operators know them."""

import math
from contextlib import suppress
from typing import Any, Final

from loguru import logger

from duenna._text import MOST, describe
from duenna.machines.recovery_course import Status
from duenna.secrets import redact_to

_NAMES: Final = {"api": "API", "balance": "Balance", "websocket": "WebSocket", "database": "Database"}

LEVELS: Final = {
    Status.STARTED: "WARNING",
    Status.SUCCESS: "INFO",
    Status.FAILED: "ERROR",
    Status.GAVE_UP: "CRITICAL",
}


def title(kind: str) -> str:
    """Return what an operator calls a *kind*: `API`, `WebSocket`, `Trade engine`."""
    known = _NAMES.get(kind)
    if known is not None:
        return known
    words = kind.replace("_", " ").strip() or "connection"
    return words[0].upper() + words[1:]


def seconds(value: float) -> str:
    """Return *value* as `10s`, to a tenth of a second."""
    return f"{value:.1f}".removesuffix(".0") + "s"


def plain(error: BaseException | str) -> str:
    """Return the text of *error* in one line, without its type unless that is all there is; at most 500 characters."""
    if isinstance(error, BaseException):
        whole = describe(error)
        kind = type(error).__qualname__
        return whole.removeprefix(f"{kind}: ")
    return " ".join(redact_to(error, MOST).split())


def counted(attempt: int, attempts: int) -> str:
    """Return `attempt 1/3`, or `attempt 1` where there is no limit."""
    return f"attempt {attempt}/{attempts}" if attempts else f"attempt {attempt}"


def line(
    status: Status, kind: str, *, attempt: int, attempts: int, wait: float, elapsed: float, error: str, context: str
) -> str:
    """Return the line for one step of a reconnection."""
    name, number = title(kind), counted(attempt, attempts)
    where = f" [{context}]" if context else ""
    if status is Status.STARTED:
        then = f"attempting recovery in {seconds(wait)}" if wait > 0 else "attempting recovery now"
        return f"{name} error detected ({number}): {error}{where} - {then}"
    if status is Status.SUCCESS:
        return f"{name} recovered ({number}){where} after {seconds(elapsed)}"
    if status is Status.FAILED:
        return f"{name} recovery failed ({number}): {error}{where}"
    return f"{name} recovery failed after {attempt} attempts - manual intervention required"


class Lines:
    """Writes lines at or above one level; a sink's failure is not the bot's."""

    def __init__(self, level: str | None) -> None:
        """Write what is at *level* or above; None: nothing.

        Raises:
            ValueError: There is no such level.
        """
        self._least = math.inf if level is None else logger.level(level).no

    def write(self, level: str, text: str, **bound: Any) -> None:
        """Write one line."""
        if logger.level(level).no >= self._least:
            with suppress(Exception):
                logger.bind(**bound).log(level, "{}", text)
