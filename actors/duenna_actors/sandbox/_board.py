"""Which faults hold, whom they strike, and when they end."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from operator import attrgetter
from random import Random
from typing import TypeVar

import attrs

from duenna_actors.sandbox._fault_base import FaultBase
from duenna_actors.sandbox.faults import INSTANT, Fault, RateLimited
from duenna_actors.sandbox.schedule import ActiveFault, FaultChanged, Scheduled, check_duration

_F = TypeVar("_F", bound=FaultBase)


def _in_order(schedule: Iterable[Scheduled]) -> list[Scheduled]:
    return sorted(schedule, key=attrgetter("at"))


@attrs.define
class _Entry:
    number: int
    fault: Fault
    since: float
    until: float | None
    strikes: int = 0


@attrs.define
class FaultBoard:
    """All faults that hold now, and those of the schedule that are still to come.

    Times are seconds on any clock, the same for all calls. A fault that ended by itself is noticed by the next
    `advance`; until then it strikes nobody any more.

    Attributes:
        random: Decides whether a fault with a probability strikes.
        schedule: What comes by itself, in order of its time.
    """

    random: Random
    schedule: list[Scheduled] = attrs.field(factory=list[Scheduled], converter=_in_order)
    _entries: dict[int, _Entry] = attrs.field(factory=dict[int, _Entry], init=False)
    _by_kind: dict[type[FaultBase], list[_Entry]] = attrs.field(factory=dict[type[FaultBase], list[_Entry]], init=False)
    _spent: list[_Entry] = attrs.field(factory=list[_Entry], init=False)
    _count: int = attrs.field(default=0, init=False)

    def inject(self, fault: Fault, now: float, duration: float | None = None) -> FaultChanged:
        """Let a fault hold from *now* on, for *duration* seconds (`None`: until it is cleared or spent).

        Raises:
            ValueError: The fault is an instant one and has a duration, or the duration is not greater than 0.
        """
        check_duration(fault, duration)
        if isinstance(fault, RateLimited):
            duration = fault.retry_after
        self._count += 1
        if not isinstance(fault, INSTANT):
            until = None if duration is None else now + duration
            entry = _Entry(self._count, fault, now, until)
            self._entries[entry.number] = entry
            self._by_kind.setdefault(type(fault), []).append(entry)
        return FaultChanged(self._count, fault, "injected", now, duration)

    def clear(self, now: float, number: int | None = None, kind: type[FaultBase] | None = None) -> list[FaultChanged]:
        """End the fault of that number, or all of that kind, or all."""
        chosen = [
            entry
            for entry in self._entries.values()
            if (number is None or entry.number == number) and (kind is None or type(entry.fault) is kind)
        ]
        for entry in chosen:
            self._remove(entry)
        return [FaultChanged(entry.number, entry.fault, "cleared", now) for entry in chosen]

    def advance(self, now: float) -> list[FaultChanged]:
        """End what has ended by *now*, begin what is due, and return all of it in the order of time."""
        changes = [FaultChanged(entry.number, entry.fault, "spent", now) for entry in self._spent]
        self._spent.clear()
        while (due := self.next_at()) is not None and due <= now:
            ended = [entry for entry in self._entries.values() if entry.until == due]
            for entry in ended:
                self._remove(entry)
                changes.append(FaultChanged(entry.number, entry.fault, "expired", due))
            while self.schedule and self.schedule[0].at <= due:
                item = self.schedule.pop(0)
                changes.append(self.inject(item.fault, due, item.duration))
        return changes

    def next_at(self) -> float | None:
        """Return the next time at which something begins or ends by itself, if anything does."""
        times = [entry.until for entry in self._entries.values() if entry.until is not None]
        if self.schedule:
            times.append(self.schedule[0].at)
        return min(times, default=None)

    @property
    def is_quiet(self) -> bool:
        """Whether no fault holds."""
        return not self._entries

    @property
    def has_spent(self) -> bool:
        """Whether a fault was spent since the last `advance`."""
        return bool(self._spent)

    def strike(self, kind: type[_F], now: float, **where: str) -> _F | None:
        """Return the fault of a kind that strikes there and now, if one does, and count it.

        Args:
            kind: The struct.
            now: The time.
            where: The names that the fault's globs of the same names have to fit; case does not matter.
        """
        for entry in self._matching(kind, now, where):
            fault = entry.fault
            if not isinstance(fault, kind) or (fault.probability < 1.0 and self.random.random() >= fault.probability):
                continue
            entry.strikes += 1
            if entry.strikes == fault.count:
                self._remove(entry)
                self._spent.append(entry)
            return fault
        return None

    def holds(self, kind: type[_F], now: float, **where: str) -> _F | None:
        """Return the first fault of a kind that holds there and now, without striking: no count, no chance."""
        for entry in self._matching(kind, now, where):
            if isinstance(entry.fault, kind):
                return entry.fault
        return None

    def active(self) -> tuple[ActiveFault, ...]:
        """Return the faults that hold, oldest first."""
        return tuple(
            ActiveFault(entry.number, entry.fault, entry.since, entry.until, entry.strikes)
            for entry in self._entries.values()
        )

    def _matching(self, kind: type[FaultBase], now: float, where: dict[str, str]) -> list[_Entry]:
        entries = self._by_kind.get(kind)
        if not entries:
            return []
        return [entry for entry in entries if (entry.until is None or now < entry.until) and fits(entry.fault, where)]

    def _remove(self, entry: _Entry) -> None:
        del self._entries[entry.number]
        self._by_kind[type(entry.fault)].remove(entry)


def fits(fault: Fault, where: dict[str, str]) -> bool:
    """Return whether every name fits the fault's glob of the same name, if it has one."""
    return all(
        fnmatchcase(name.lower(), pattern.lower())
        for key, name in where.items()
        if (pattern := getattr(fault, key, None)) is not None
    )
