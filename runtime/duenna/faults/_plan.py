"""Which fault strikes whom, when, for how long and how often; and the strikes that come of it."""

import math
from collections.abc import Iterator

import msgspec
from msgspec.structs import force_setattr

from duenna.faults import _rules
from duenna.faults._kinds import INSTANT, AnyFault, FlipByte, MachineFault, Service, Truncate, kind_of
from duenna.machines import checks

MAX_STRIKES = 100_000
"""Strikes that a plan may come to in one run; 30 days of one every 26 seconds."""

_MAY_END_THEMSELVES = (Truncate, FlipByte, Service)


class Planned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An entry of a plan.

    Attributes:
        at: When it begins for the first time, in seconds after the start of the run. 0 or more, finite.
        target: Whom it strikes: a glob, as of `fnmatch.fnmatchcase`, of host names, paths of files or paths of actors,
            by the kind of the fault. `*` also fits slashes. Faults of the machine have no other target than `*`.
        fault: What.
        duration: How long it lasts, in seconds. Greater than 0; None: to the end of the run. Kinds of `INSTANT` take
            none.
        every: Seconds from one beginning to the next. Greater than 0; None: it strikes once. What repeats and lasts
            must have a duration, except for kinds that may be over by themselves (`Truncate`, `FlipByte`, `Service`).
        times: How often it strikes. 1 or more; None: to the end of the run. Only with `every`.

    Raises:
        TypeError: A field is of the wrong type.
        ValueError: A field is out of its range, or does not go with another.
    """

    at: float
    target: str = "*"
    fault: AnyFault
    duration: float | None = None
    every: float | None = None
    times: int | None = None

    def __post_init__(self) -> None:
        fault: object = self.fault
        if not isinstance(fault, AnyFault):
            raise TypeError(f"planned: fault must be one of the kinds of duenna.faults, got {fault!r}")
        kind = kind_of(self.fault)
        force_setattr(self, "at", checks.duration(kind, "at", self.at, inf=False))
        for field in "duration", "every":
            value = getattr(self, field)
            if value is not None:
                force_setattr(self, field, checks.duration(kind, field, value, zero=False, inf=False))
        if self.times is not None:
            checks.count(kind, "times", self.times, least=1)
        self._check_target(kind)
        self._check_together(kind)

    def _check_target(self, kind: str) -> None:
        target: object = self.target
        if not isinstance(target, str):
            raise TypeError(f"{kind}: target must be a str, got {target!r}")
        if not target or not _rules.is_text(target):
            raise ValueError(f"{kind}: target must be a glob that is not empty, got {target!r}")
        if isinstance(self.fault, MachineFault) and target != "*":
            raise ValueError(f"{kind}: target must be '*', for it strikes the machine of the bot, got {target!r}")

    def _check_together(self, kind: str) -> None:
        if isinstance(self.fault, INSTANT) and self.duration is not None:
            raise ValueError(f"{kind}: duration must be left out, for it is over at once, got {self.duration}")
        if self.times is not None and self.every is None:
            raise ValueError(f"{kind}: times must be left out where there is no every, got {self.times}")
        ends = self.duration is not None or isinstance(self.fault, (*INSTANT, *_MAY_END_THEMSELVES))
        if self.every is not None and not ends:
            raise ValueError(f"{kind}: duration must be given for what lasts and repeats, got nothing")

    def repeats(self, seconds: float) -> float:
        """Return how often it begins before *seconds*, at most; inf where that is more than a float can count."""
        if self.at >= seconds:
            return 0.0
        if self.every is None:
            return 1.0
        room = (seconds - self.at) / self.every
        most = math.ceil(room) if math.isfinite(room) else room
        return float(most if self.times is None else min(most, self.times))

    def begins(self, seconds: float) -> Iterator[float]:
        """Yield the times at which it begins, those before *seconds*, one by one."""
        begin, number, times = self.at, 0, 1 if self.every is None else self.times
        while begin < seconds and (times is None or number < times):
            yield begin
            number += 1
            begin = self.at + number * (self.every or 0.0)  # a product: a sum would drift


class Strike(msgspec.Struct, frozen=True):
    """One fault, once.

    Attributes:
        begin: When it begins, in seconds after the start of the run.
        end: When it ends, which may be after the end of the run; None for an instant, and for what lasts to the end.
        planned: The entry that it comes from.
        number: Its number in the run, from 1.
    """

    begin: float
    end: float | None
    planned: Planned
    number: int

    @property
    def over(self) -> float:
        """When it is over, in seconds: its end, its beginning for an instant, inf for what lasts to the end."""
        if self.end is not None:
            return self.end
        return self.begin if isinstance(self.planned.fault, INSTANT) else math.inf


class FaultPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes wrong in a run.

    Attributes:
        faults: The entries, in any order. What begins at the same time begins in their order.
        name: What people call it; may be empty.

    Raises:
        TypeError: `faults` is no tuple or list of `Planned`, or `name` no text.
    """

    faults: tuple[Planned, ...]
    name: str = ""

    def __post_init__(self) -> None:
        faults: object = self.faults
        if not isinstance(faults, tuple | list):
            raise TypeError(f"plan: faults must be a tuple of Planned, got {faults!r}")
        for number, entry in enumerate(self.faults, 1):
            planned: object = entry
            if not isinstance(planned, Planned):
                raise TypeError(f"plan: entry {number} must be a Planned, got {planned!r}")
        force_setattr(self, "faults", tuple(self.faults))
        if not _rules.is_text(self.name):
            raise TypeError(f"plan: name must be a text, got {self.name!r}")

    def strikes(self, seconds: float) -> list[Strike]:
        """Return every strike that begins before *seconds*, by time, and in the order of the plan at the same time.

        Args:
            seconds: Length of the run. 0 or more, finite.

        Raises:
            ValueError: There are more than `MAX_STRIKES`; they are counted before any is made.
        """
        seconds = checks.duration("strikes", "seconds", seconds, inf=False)
        self._check_number(seconds)
        found = [(begin, order) for order, planned in enumerate(self.faults) for begin in planned.begins(seconds)]
        found.sort()
        return [self._strike(begin, order, number) for number, (begin, order) in enumerate(found, 1)]

    def quiet_after(self, seconds: float) -> float:
        """Return when the last fault of a run of *seconds* is over, in seconds after its start.

        That is 0 if none strikes, more than *seconds* if one outlasts the run, and inf if one has no end of its own:
        a `Truncate`, `FlipByte` or `Service` without a duration counts as such.

        Raises:
            ValueError: There are more strikes than `MAX_STRIKES`.
        """
        return max((strike.over for strike in self.strikes(seconds)), default=0.0)

    def _strike(self, begin: float, order: int, number: int) -> Strike:
        planned = self.faults[order]
        return Strike(begin, None if planned.duration is None else begin + planned.duration, planned, number)

    def _check_number(self, seconds: float) -> None:
        counts = [planned.repeats(seconds) for planned in self.faults]
        if sum(counts) <= MAX_STRIKES:
            return
        most = max(counts)
        worst = counts.index(most)
        planned = self.faults[worst]
        raise ValueError(
            f"strikes must be at most {MAX_STRIKES} in {seconds:g} seconds, got {sum(counts):.0f}, "
            f"{most:.0f} of them from entry {worst + 1}: {kind_of(planned.fault)}"
        )
