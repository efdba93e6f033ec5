"""What a `PositionMonitor` makes of what it is given, and the ids of its orders."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

from duenna_actors.monitors._enforcement import Threshold
from duenna_actors.monitors.position_messages import BadPositionsError, Position, PositionsReading

if TYPE_CHECKING:
    from random import Random

_OWNER = "PositionMonitor"
_MOST_POSITIONS = 10_000
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_CHANCE = 12


def make_close_id(rng: Random, time: float, prefix: str = "close") -> str:
    """Return a client order id that was never used: the time, and 62 bits of chance; at most 36 characters.

    Args:
        rng: Where the chance is from.
        time: The time of day, in seconds since 1970.
        prefix: What it begins with, 13 characters at most.
    """
    digits, number = "", max(0, int(time * 1_000))
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return f"{prefix}-{digits or '0'}-{''.join(rng.choices(_DIGITS, k=_CHANCE))}"


def thresholds_of(default: object, by_symbol: object) -> tuple[Threshold | None, dict[str, Threshold]]:
    """Return thresholds, checked: for all symbols, and for single ones.

    Raises:
        TypeError: One is none.
        ValueError: There is none at all.
    """
    if by_symbol is not None and not isinstance(by_symbol, Mapping):
        message = f"{_OWNER}: by_symbol must be a mapping of symbols to thresholds, got {by_symbol!r}"
        raise TypeError(message)
    given: Mapping[Any, Any] = {} if by_symbol is None else by_symbol  # pyright: ignore[reportUnknownVariableType]
    for each in (*given.values(), *(() if default is None else (default,))):
        if not isinstance(each, Threshold):
            message = f"{_OWNER}: a Threshold is needed, got {each!r}"
            raise TypeError(message)
    if default is None and not given:
        message = f"{_OWNER}: threshold or by_symbol must be given"
        raise ValueError(message)
    return default, dict(given)  # type: ignore[return-value]  # checked just now


def reading_of(given: object) -> PositionsReading:
    """Return what the account told as a reading.

    Raises:
        BadPositionsError: It is none.
    """
    reading = given if isinstance(given, PositionsReading) else PositionsReading(given)  # type: ignore[arg-type]
    as_of: object = reading.as_of
    if as_of is not None and not (isinstance(as_of, int | float) and isfinite(as_of)):
        message = f"as_of must be a time, got {as_of!r}"
        raise BadPositionsError(message)
    try:
        positions = tuple(reading.positions)
    except TypeError:
        message = f"positions must be a sequence, got {type(given).__name__}"
        raise BadPositionsError(message) from None
    if len(positions) > _MOST_POSITIONS:
        message = f"there are {len(positions)} positions, at most {_MOST_POSITIONS} are looked at"
        raise BadPositionsError(message)
    seen: set[str] = set()
    for each in positions:
        if not isinstance(each, Position):
            message = f"a Position is needed, got {type(each).__name__}"
            raise BadPositionsError(message)
        if each.id in seen:
            message = f"two positions have the id {each.id!r}"
            raise BadPositionsError(message)
        seen.add(each.id)
    return PositionsReading(positions, reading.as_of)
