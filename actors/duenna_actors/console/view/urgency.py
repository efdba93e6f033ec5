"""What is urgent about each actor, and whom one more crash would take down. Pure."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

import attrs

from duenna_actors.console.view import sentences
from duenna_actors.console.view.model import Row
from duenna_actors.console.view.sentences import NEARLY_FULL

if TYPE_CHECKING:
    from collections.abc import Mapping

OLD_MESSAGE: Final = 30.0


class Urgency(IntEnum):
    """What comes first."""

    LOOP = 0
    PARKED_CRITICAL = 1
    PARKED = 2
    BUDGET = 3
    STALE_CRITICAL = 4
    STATE = 5
    BREAKER_BY_CALLS = 6
    STALE = 7
    DOWN = 8
    PAPER = 9
    LINK = 10
    BREAKER_BY_HAND = 11
    MAILBOX = 12
    DELIVERY = 13
    BY_HAND = 14


@attrs.define(eq=False)
class Troubles:
    """The actors about which something is urgent, by what it is and by the supervisor above; in the order of the tree.

    Attributes:
        brinks: Of each supervisor that bears no more restarts: the children whose next crash would be one.
    """

    brinks: dict[str, list[str]] = attrs.field(factory=dict[str, list[str]], init=False)
    _safe: set[str] = attrs.field(factory=set[str], init=False)
    _rows: dict[Urgency, dict[str, list[Row]]] = attrs.field(factory=dict[Urgency, dict[str, list[Row]]], init=False)
    _lasts: set[str] = attrs.field(factory=set[str], init=False)

    def add(self, row: Row, urgent: Urgency | None, *, counts: bool = True, is_last: bool = False) -> None:
        """Take the next actor; a supervisor comes before its children.

        Args:
            row: The actor.
            urgent: What is most urgent about it; None: nothing.
            counts: Whether its next crash counts as a restart of its supervisor.
            is_last: Whether its next crash is one too many in a row, and ends its supervisor.
        """
        if urgent is None and not self.brinks and not is_last:
            return
        above = row.path.rpartition("/")[0]
        if above in self.brinks:
            if counts or is_last:
                self.brinks[above].append(row.name)
            elif row.state not in _DOWN:
                self._safe.add(above)
        if is_last and row.failures:
            self._lasts.add(row.path)
            if urgent is None or urgent > Urgency.BUDGET:
                urgent = Urgency.BUDGET
        elif counts and above in self.brinks:
            self._lasts.add(row.path)
        if is_nearly_spent(row):
            self.brinks[row.path] = []
        if urgent is not None:
            self._rows.setdefault(urgent, {}).setdefault(above, []).append(row)

    def of(self, urgent: Urgency) -> Mapping[str, list[Row]]:
        """Return those about which *urgent* is most urgent, by the supervisor above."""
        return self._rows.get(urgent, {})

    def warning(self, row: Row) -> str:
        """Return what one more crash leads to; empty if to nothing but a restart."""
        if row.path in self._lasts:
            return sentences.one_more(row.path.rpartition("/")[0])
        if row.path in self.brinks:
            return sentences.one_more(row.path, self.brinks[row.path] if row.path in self._safe else ())
        return ""

    def is_false_alarm(self, row: Row) -> bool:
        """Return whether a supervisor bears no more restarts, but nobody is there whose crash would be one."""
        return row.path in self.brinks and not self.brinks[row.path]


def urgency(row: Row, now: float) -> Urgency | None:
    """Return what is most urgent about an actor, None if nothing is."""
    urgent: Urgency | None = None
    if row.state == "failed" or row.link == "failed":
        urgent = Urgency.PARKED_CRITICAL if row.is_critical or row.mailbox is None else Urgency.PARKED
    elif is_nearly_spent(row):
        urgent = Urgency.BUDGET
    elif row.data is not None and row.data.is_stale and not row.is_suspended and row.state in _EXPECTED:
        urgent = Urgency.STALE_CRITICAL if row.is_critical else Urgency.STALE
        urgent = Urgency.DOWN if row.state == "backoff" and not row.is_critical else urgent
    elif row.state == "backoff":
        urgent = Urgency.DOWN
    elif row.state == "running" and (row.link in _TROUBLED or (row.link and row.status == "unavailable")):
        urgent = Urgency.LINK
    elif row.state == "stopped" or row.is_suspended:
        urgent = Urgency.BY_HAND
    elif _is_crowded(row, now):
        urgent = Urgency.MAILBOX
    return urgent


_DOWN: Final = frozenset({"failed", "stopped", "finished"})
_TROUBLED: Final = frozenset({"recovering", "cooldown", "degraded"})
_EXPECTED: Final = frozenset({"starting", "running", "backoff"})
"""States of those whose data somebody waits for: nobody does of those that were stopped, or have finished."""


def is_nearly_spent(row: Row) -> bool:
    """Return whether a supervisor that runs has had restarts, and bears no more of them."""
    budget = row.budget
    runs = row.mailbox is None and row.state == "running"
    return runs and budget is not None and budget.left == 0 and budget.of > 0


def _is_crowded(row: Row, now: float) -> bool:
    box = row.mailbox
    if box is None or not box.depth:
        return False
    return box.depth >= NEARLY_FULL * box.capacity or (box.oldest_at is not None and now - box.oldest_at > OLD_MESSAGE)
