"""What became of each connection in a run, from events alone, and the table that tells it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from duenna.connection_events import ConnectionChanged
from duenna.events import (
    ChildExited,
    ChildParked,
    ChildStarted,
    ErrorReported,
    Event,
    EventsLost,
    RuntimeStopping,
)
from duenna.machines.link import ConnectionState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ORDERLY = frozenset({"normal", "shutdown"})
_EMPTY = "-"


@attrs.define
class ConnectionRecord:
    """One connection's history.

    Attributes:
        state: Where it is.
        since: When it came to be there.
        began: When it was first heard of.
        up: Seconds that it was operational, up to ``since``.
        longest: Its longest outage that is over, in seconds.
        down_since: When the present outage began, None if it is operational.
        restarts: Incarnations after the first.
        messages: Messages it has got.
        errors: Crashes and reported errors, by the name of the exception.
        has_been_up: Whether its present incarnation has been operational.
    """

    state: ConnectionState
    since: float
    began: float
    up: float = 0.0
    longest: float = 0.0
    down_since: float | None = None
    restarts: int = 0
    messages: int = 0
    errors: Counter[str] = attrs.field(factory=Counter[str])
    has_been_up: bool = False

    def move(self, state: ConnectionState, now: float) -> None:
        """Note that it is in *state* from *now* on."""
        if self.state is ConnectionState.OPERATIONAL:
            self.up += now - self.since
        if state is ConnectionState.OPERATIONAL:
            self.longest = self.longest_at(now)
            self.down_since = None
            self.has_been_up = True
        elif self.down_since is None:
            self.down_since = now
        if state is ConnectionState.CONNECTING:
            self.has_been_up = False
        self.state, self.since = state, now

    def share_up(self, now: float) -> float:
        """Return the share of its life, up to *now*, in which it was operational: 0 to 1."""
        up = self.up + (now - self.since if self.state is ConnectionState.OPERATIONAL else 0.0)
        return up / (now - self.began) if now > self.began else float(self.state is ConnectionState.OPERATIONAL)

    def longest_at(self, now: float) -> float:
        """Return the longest outage in seconds, the one that lasts at *now* included."""
        return max(self.longest, 0.0 if self.down_since is None else now - self.down_since)


@attrs.define
class Statistics:
    """All connections, from the events of a run. An outage is any time in which a connection is not operational.

    What happens after `RuntimeStopping` is the stop's business and not counted. Messages and
    faults are no matter of the runtime's events: who knows of them says so.

    Attributes:
        connections: By path, in the order in which they were first heard of.
        restarts: Of every actor that was restarted, connection or not, by path.
        faults: Faults that were injected, as far as somebody counted them here.
        lost: Events that the reader was too slow for.
        began: Time of the first event; None before it.
        now: Time of the last event that counted.
        is_stopping: Whether the stop has begun.
    """

    connections: dict[str, ConnectionRecord] = attrs.field(factory=dict[str, ConnectionRecord], init=False)
    restarts: Counter[str] = attrs.field(factory=Counter[str], init=False)
    faults: int = attrs.field(default=0, init=False)
    lost: int = attrs.field(default=0, init=False)
    began: float | None = attrs.field(default=None, init=False)
    now: float = attrs.field(default=0.0, init=False)
    is_stopping: bool = attrs.field(default=False, init=False)

    @property
    def duration(self) -> float:
        """Seconds from the first event to the last one that counted."""
        return 0.0 if self.began is None else self.now - self.began

    def apply(self, event: Event) -> None:
        """Take in one event."""
        if self.is_stopping:
            return
        self.began = event.time if self.began is None else self.began
        self.now = max(self.now, event.time)
        match event:
            case ConnectionChanged():
                self._move(event)
            case EventsLost(count=count):
                self.lost += count
            case RuntimeStopping():
                self.is_stopping = True
            case _:
                if isinstance(event, ChildStarted) and event.incarnation > 1:
                    self.restarts[event.path] += 1
                if event.path in self.connections:
                    _note(self.connections[event.path], event)

    def count_messages(self, path: str, messages: int) -> None:
        """Note that the connection at *path* has got so many *messages* since its beginning; nothing if it is none."""
        record = self.connections.get(path)
        if record is not None:
            record.messages = messages

    def not_operational(self) -> dict[str, ConnectionState]:
        """Return the state of each connection that is not operational."""
        found = {path: record.state for path, record in self.connections.items()}
        return {path: state for path, state in found.items() if state is not ConnectionState.OPERATIONAL}

    def _move(self, event: ConnectionChanged) -> None:
        record = self.connections.get(event.path)
        if record is None:
            record = ConnectionRecord(event.previous, event.time, event.time, down_since=event.time)
            self.connections[event.path] = record
        record.move(event.state, event.time)


def _note(record: ConnectionRecord, event: Event) -> None:
    """Take in what a supervisor or the actor itself says of a connection."""
    match event:
        case ChildStarted(incarnation=incarnation):
            record.restarts = incarnation - 1
        case ChildExited(reason=reason) if reason not in _ORDERLY:
            record.errors[kind_of(reason)] += 1
        case ErrorReported(error=error):
            record.errors[kind_of(error)] += 1
        case ChildParked(time=time):
            record.move(ConnectionState.FAILED, time)
        case _:
            pass


def kind_of(error: str) -> str:
    """Return the name of the exception that *error* describes."""
    return error.partition(":")[0].partition(" ")[0]


_MESSAGES = 4
_HEAD = ("connection", "up", "restarts", "longest outage", "messages", "errors")


def table(statistics: Statistics, *, has_messages: bool = True) -> list[str]:
    """Return a line per connection under a head; *has_messages* says whether somebody counted messages."""
    now = statistics.now
    rows: list[tuple[str, ...]] = [_HEAD]
    rows += [
        (
            path,
            f"{100.0 * record.share_up(now):.1f} %",
            str(record.restarts),
            f"{record.longest_at(now):.1f} s",
            str(record.messages),
            _errors(record.errors),
        )
        for path, record in statistics.connections.items()
    ]
    if not has_messages:
        rows = [row[:_MESSAGES] + row[_MESSAGES + 1 :] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    return [_line(row, widths) for row in rows]


def verdict(statistics: Statistics) -> str:
    """Return in one line whether every connection is operational, and which is not."""
    if not statistics.connections:
        return "no connection was made"
    found = statistics.not_operational()
    if not found:
        return "every connection operational"
    return "not operational: " + ", ".join(f"{path} ({state})" for path, state in found.items())


def _errors(errors: Mapping[str, int]) -> str:
    ordered = sorted(errors.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count}" for name, count in ordered) or _EMPTY


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.ljust(width) if column in {0, len(row) - 1} else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
