"""A virtual run told in brief: a line per fault with what came of it, and one per hour."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from duenna.connection import ConnectionState
from duenna.testing._words import counted
from duenna_actors.demo.faults import tell_planned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from duenna.testing.invariants import Violation
    from duenna.testing.trace import Record

HOUR = 3600.0


@attrs.define
class _Fault:
    """A fault, and what happened from its beginning on."""

    number: int
    began: float
    text: str
    target: str
    duration: float | None
    over: float | None = None
    well: float | None = None
    hit: dict[str, None] = attrs.field(factory=dict[str, None])
    restarts: int = 0


@attrs.define
class Chronicle:
    """Reads a trace as it grows, and tells of it. A checker that finds nothing wrong, ever.

    A fault is told when it is over, every connection is operational, and whoever could have
    noticed it has. What happens meanwhile is put down to every fault that is not told yet.

    Attributes:
        tell: Called with each line.
        noticed_within: Seconds from the end of a fault after which it will not be noticed any more.
        messages: Messages of each connection, as counted last.
    """

    tell: Callable[[str], object]
    noticed_within: float
    name: str = attrs.field(default="chronicle", init=False)
    kinds: frozenset[str] = attrs.field(
        default=frozenset(
            {"fault_begin", "fault_end", "connection_changed", "child_started", "messages_counted", "runtime_stopping"}
        ),
        init=False,
    )
    messages: dict[str, int] = attrs.field(factory=dict[str, int], init=False)
    _untold: deque[_Fault | str] = attrs.field(factory=deque["_Fault | str"], init=False)
    _down: dict[str, float] = attrs.field(factory=dict[str, float], init=False)
    _connections: dict[str, None] = attrs.field(factory=dict[str, None], init=False)
    _hour: _Hour = attrs.field(factory=lambda: _Hour(1), init=False)
    _is_over: bool = attrs.field(default=False, init=False)

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take in one record."""
        if record.kind == "messages_counted":
            self.messages[record.path] = record.fields["messages"]
        elif not self._is_over:
            self._take(record)
        return ()

    def finish(self, end: float) -> Iterable[Violation]:
        """Tell what is left."""
        self._tell_told(end, at_end=True)
        return ()

    def _take(self, record: Record) -> None:
        now, fields = record.t, record.fields
        while now >= self._hour.number * HOUR:
            self._sum_up_hour()
        self._tell_told(now)
        match record.kind:
            case "fault_begin":
                self._begin(record)
            case "fault_end":
                for fault in self._open():
                    if fault.number == fields["number"]:
                        fault.over = now
            case "connection_changed":
                self._move(record.path, str(fields["state"]), now)
            case "child_started" if record.path in self._connections and record.incarnation > 1:
                self._restart(record.path)
            case "runtime_stopping":  # what ends from now on ends because it is told to
                self._is_over = True
                self._tell_told(now, at_end=True)
            case _:
                pass

    def _begin(self, record: Record) -> None:
        fields = record.fields
        text = tell_planned(fields["fault"], record.path)
        fault = _Fault(fields["number"], record.t, text, record.path, fields.get("duration"))
        if fault.duration is None:
            fault.over = record.t
        self._untold.append(fault)
        self._hour.faults += 1

    def _move(self, path: str, state: str, now: float) -> None:
        self._connections.setdefault(path)
        if state != ConnectionState.OPERATIONAL:
            self._down.setdefault(path, now)
            for fault in self._open():
                fault.hit.setdefault(path)
            return
        since = self._down.pop(path, None)
        if since is not None:
            self._hour.worst = max(self._hour.worst, now - since)
        if not self._down:
            for fault in self._open():
                fault.well = now

    def _restart(self, path: str) -> None:
        self._hour.restarts += 1
        for fault in self._open():
            fault.hit.setdefault(path)
            fault.restarts += 1

    def _open(self) -> Iterator[_Fault]:
        return (fault for fault in self._untold if isinstance(fault, _Fault))

    def _tell_told(self, now: float, *, at_end: bool = False) -> None:
        while self._untold:
            first = self._untold[0]
            if isinstance(first, str):
                self.tell(first)
            elif at_end or self._is_through(first, now):
                self.tell(f"{clock(first.began)}  {_line(first, self._down)}")
            else:
                return
            self._untold.popleft()

    def _is_through(self, fault: _Fault, now: float) -> bool:
        return fault.over is not None and not self._down and now >= fault.over + self.noticed_within

    def _sum_up_hour(self) -> None:
        hour = self._hour
        down = ", ".join(_short(path) for path in self._down)
        self._untold.append(
            f"{clock(hour.number * HOUR)}  -- hour {hour.number}: {counted(hour.faults, 'fault')}, "
            f"{counted(hour.restarts, 'restart')}, longest outage {hour.worst:.1f} s; "
            + (f"not operational: {down}" if down else "all operational")
        )
        self._hour = _Hour(hour.number + 1)


@attrs.define
class _Hour:
    number: int
    faults: int = 0
    restarts: int = 0
    worst: float = 0.0


def clock(seconds: float) -> str:
    """Return *seconds* as hours, minutes and seconds: `  1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:>4}:{minutes:02}:{rest:02}"


def _line(fault: _Fault, down: dict[str, Any]) -> str:
    lasts = f" for {fault.duration:.0f} s" if fault.duration is not None else ""
    return f"{fault.text}{lasts}: {', '.join(_came_of(fault, down))}"


def _came_of(fault: _Fault, down: dict[str, Any]) -> Iterator[str]:
    if not fault.hit:
        yield "felt by no connection"
        return
    yield " ".join(_short(path) for path in fault.hit)
    if fault.restarts:
        yield counted(fault.restarts, "restart")
    if down or fault.well is None:
        yield "not well again"
    else:
        yield f"well again {fault.well - fault.began:.1f} s after it began"


def _short(path: str) -> str:
    return path.rpartition("/")[2]
