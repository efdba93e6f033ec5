"""What a run did, in words: times, faults, what broke."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duenna.faults import Fault, FaultPlan, Planned
    from duenna.testing.invariants import Violation

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_LONG = 240


def clock(seconds: float) -> str:
    """Return a time of a run: ``412.5 s``, ``3 h 02:11.5``, ``2 d 03:14:05.2``."""
    tenths = round(seconds * 10)
    whole, tenth = divmod(tenths, 10)
    if whole < _HOUR:
        return f"{whole}.{tenth} s" if tenth else f"{whole} s"
    minutes, rest = divmod(whole % _HOUR, _MINUTE)
    tail = f"{minutes:02}:{rest:02}" + (f".{tenth}" if tenth else "")
    if whole < _DAY:
        return f"{whole // _HOUR} h {tail}"
    days, hours = divmod(whole // _HOUR, 24)
    return f"{days} d {hours:02}:{tail}"


def length(seconds: float) -> str:
    """Return a length of time in its largest even unit: ``30 days``, ``90 minutes``, ``2.5 seconds``."""
    for unit, name in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if seconds >= unit and seconds % unit == 0:
            return counted(int(seconds // unit), name)
    return "1 second" if seconds == 1 else f"{seconds:g} seconds"


def counted(number: int, noun: str) -> str:
    """Return ``1 seed``, ``2 seeds``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def violation_line(violation: Violation) -> str:
    """Return what broke, where and when, in one line."""
    where = f" {violation.path}" if violation.path else ""
    return f"at {clock(violation.t)}{where}: {one_line(violation.text)} ({violation.checker})"


def error_line(error: BaseException) -> str:
    """Return an exception, and what caused it, in one line; of a group, the first one that is none."""
    error = leaf(error)
    text = one_line(str(error).strip().partition("\n")[0])
    name = type(error).__name__
    cause = error.__cause__
    because = f" <- {error_line(cause)}" if cause is not None else ""
    return (f"{name}: {text}" if text else name) + because


def leaf(error: BaseException) -> BaseException:
    """Return *error*, or the first one in it that is no group."""
    return next(leaves(error))


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield *error*, or each one in it that is no group."""
    inner: tuple[BaseException, ...] | None = getattr(error, "exceptions", None)
    if inner is None or not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for each in inner:
        yield from leaves(each)


def one_line(text: str) -> str:
    """Return *text* without line breaks, and not endlessly long."""
    joined = " ".join(text.split())
    return joined if len(joined) <= _LONG else f"{joined[: _LONG - 3]}..."


def plan_lines(plan: FaultPlan, most: int = 8) -> Iterator[str]:
    """Yield a line per fault of *plan*, the first *most* of them."""
    for planned in plan.faults[:most]:
        yield planned_line(planned)
    if len(plan.faults) > most:
        yield f"and {len(plan.faults) - most} more"


def planned_line(planned: Planned) -> str:
    """Return an entry of a plan in one line: ``at 10 s: half_open on exchange``."""
    lasts = "" if planned.duration is None else f" for {clock(planned.duration)}"
    again = "" if planned.every is None else f", every {clock(planned.every)}"
    times = "" if planned.times is None else f", {planned.times} times"
    target = "" if planned.target == "*" else f" on {planned.target}"
    return f"at {clock(planned.at)}{lasts}{again}{times}: {fault_text(planned.fault)}{target}"


def fault_text(fault: Fault) -> str:
    """Return a fault and its numbers: ``latency(extra=2.0)``."""
    fields = msgspec.to_builtins(fault)
    kind = fields.pop("kind")
    told = ", ".join(f"{name}={value!r}" for name, value in fields.items() if value not in ({}, None))
    return f"{kind}({told})" if told else str(kind)
