"""What the fields of a fault may be: each check names the fault, the field, the rule and the value."""

import math
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from msgspec.structs import force_setattr

from duenna.machines import checks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duenna.faults._kinds import Fault

_DEEPEST = 16
_LEAST_WHOLE, _MOST_WHOLE = -(2**63), 2**64 - 1  # what JSON decoders hold


def seconds(fault: "Fault", field: str, *, zero: bool = False) -> None:
    """Make *field* a finite duration in seconds, or refuse it."""
    force_setattr(fault, field, checks.duration(_kind(fault), field, getattr(fault, field), zero=zero, inf=False))


def between(
    fault: "Fault", field: str, *, least: float | None = None, above: float | None = None, below: float | None = None
) -> None:
    """Make *field* a finite float within the limits, or refuse it."""
    value = checks.number(_kind(fault), field, getattr(fault, field))
    rules = {">=": least, ">": above, "<": below}
    rule = " and ".join(f"{sign} {limit:g}" for sign, limit in rules.items() if limit is not None)
    require(math.isfinite(value), fault, field, f"{rule} and finite" if rule else "finite")
    holds = (least is None or value >= least) and (above is None or value > above) and (below is None or value < below)
    require(holds, fault, field, rule)
    force_setattr(fault, field, value)


def whole(fault: "Fault", field: str, *, least: int) -> None:
    """Refuse *field* unless it is a whole number that is at least *least*, and no monster."""
    value = checks.count(_kind(fault), field, getattr(fault, field), least=least)
    require(value <= _MOST_WHOLE, fault, field, "less than 2**64")


def one_of(fault: "Fault", field: str, options: "Iterable[str]") -> None:
    """Refuse *field* unless it is one of *options*."""
    value = getattr(fault, field)
    require(isinstance(value, str) and value in options, fault, field, f"one of {', '.join(options)}")


def text(fault: "Fault", field: str, *, empty: bool = False) -> None:
    """Refuse *field* unless it is a text that can be written to a file."""
    value = getattr(fault, field)
    if not isinstance(value, str):
        raise TypeError(f"{_kind(fault)}: {field} must be a str, got {value!r}")
    require(is_text(value) and (empty or bool(value)), fault, field, "a text" if empty else "a text that is not empty")


def is_text(value: object) -> bool:
    """Return whether *value* is a str that UTF-8 can encode: half of a surrogate pair is none."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def params(fault: "Fault", field: str) -> None:
    """Refuse *field* unless it is a dict that JSON can hold and give back as it was."""
    value = getattr(fault, field)
    if not isinstance(value, dict):
        raise TypeError(f"{_kind(fault)}: {field} must be a dict, got {value!r}")
    _check_json(f"{_kind(fault)}: {field}", value, _DEEPEST)


def require(holds: bool, fault: "Fault", field: str, rule: str) -> None:
    """Raise `ValueError` with the fault, the field, the rule and the value, unless it holds."""
    if not holds:
        raise ValueError(f"{_kind(fault)}: {field} must be {rule}, got {getattr(fault, field)!r}")


def _check_json(where: str, value: Any, deepest: int) -> None:
    if deepest < 0:
        raise ValueError(f"{where.partition('[')[0]} must be at most {_DEEPEST} deep, got more")
    if isinstance(value, dict):
        for key, member in cast("dict[object, Any]", value).items():
            if not is_text(key):
                raise ValueError(f"{where} must have texts as keys, got {key!r}")
            _check_json(f"{where}[{key!r}]", member, deepest - 1)
    elif is_list(value):
        for number, member in enumerate(value):
            _check_json(f"{where}[{number}]", member, deepest - 1)
    elif not _is_plain(value):
        raise ValueError(f"{where} must be a value that JSON has, got {value!r}")


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Return whether *value* is a list."""
    return isinstance(value, list)


def _is_plain(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return _LEAST_WHOLE <= value <= _MOST_WHOLE
    return value is None or is_text(value)


def _kind(fault: "Fault") -> str:
    return str(fault.__struct_config__.tag)
