"""Rows of the tree, made from facts; of an actor that did nothing since, the very same row again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from duenna_actors.console.view.model import Budget, DataRow, MailboxRow, Row
from duenna_actors.console.view.texts import brief, two_digits
from duenna_actors.console.view.urgency import urgency

if TYPE_CHECKING:
    from duenna.child_facts import Facts
    from duenna_actors.console.view.urgency import Urgency

RATE_OVER: Final = 2.0
"""Seconds that a rate of messages is taken over."""

_SILENT_FOR: Final = 2 * RATE_OVER
"""Seconds after which nothing new is news: the rate falls."""

_LONGEST_ERROR: Final = 300


@attrs.define(eq=False)
class _Pace:
    """How fast an actor is served."""

    since: float
    counted: int
    seen: int
    rate: float = 0.0
    at: float | None = None

    def look(self, received: int, now: float, before: float) -> bool:
        """Take the count at *now*; *before* is when it was looked at last. Return whether anything is new."""
        if received < self.counted or received < self.seen:  # another actor of the same path
            self.since, self.counted, self.seen, self.rate = now, received, received, 0.0
            return True
        is_new = received != self.seen
        if is_new:
            if self.seen == self.counted and not self.rate:
                self.since = before  # it was idle until then
            self.seen, self.at = received, now
        lasted = now - self.since
        if lasted < (RATE_OVER if is_new else _SILENT_FOR) or (received == self.counted and not self.rate):
            return is_new
        rate = two_digits((received - self.counted) / lasted)
        is_new = is_new or rate != self.rate
        self.since, self.counted, self.rate = now, received, rate
        return is_new


class Kept:
    """The row of one actor, and how urgent it is; None: nothing about it is."""

    __slots__ = ("breakers", "facts", "pace", "row", "urgency")

    def __init__(self, facts: Facts, row: Row, pace: _Pace, breakers: tuple[str, ...]) -> None:
        """Keep what the *row* was made of."""
        self.facts = facts
        self.row = row
        self.pace = pace
        self.breakers = breakers
        self.urgency: Urgency | None = None


@attrs.define(eq=False)
class RowBook:
    """Makes the rows of one tick after the other."""

    _kept: dict[str, Kept] = attrs.field(factory=dict[str, Kept], init=False)
    _seen: dict[str, Kept] = attrs.field(factory=dict[str, Kept], init=False)
    _before: float = attrs.field(default=0.0, init=False)
    _now: float = attrs.field(default=0.0, init=False)
    _ended: float = attrs.field(default=0.0, init=False)

    def begin(self, now: float) -> None:
        """Begin a tick at *now*; one that was not ended is begun anew, and nothing is forgotten."""
        self._seen = {}
        self._before, self._now = self._ended, now

    def end(self) -> None:
        """End a tick: forget those that were not there any more."""
        self._kept, self._ended = self._seen, self._now

    def look(self, facts: Facts, breakers: tuple[str, ...]) -> Kept:
        """Return the row of an actor: the very same one if there is nothing new.

        Args:
            facts: What the kernel knows of it.
            breakers: Guards that it has called and whose breaker is not closed.
        """
        kept = self._kept.get(facts.path)
        now = self._now
        if kept is None:
            pace = _Pace(now, facts.received, facts.received)
            kept = Kept(facts, row_of(facts, now, 0.0, None, breakers), pace, breakers)
            kept.urgency = urgency(kept.row, now)
        elif facts is not kept.facts or kept.pace.rate or breakers != kept.breakers:
            self._renew(kept, facts, breakers)
        elif facts.oldest_at is not None:
            kept.urgency = urgency(kept.row, now)
        self._seen[facts.path] = kept
        return kept

    def pace(self, path: str) -> tuple[float, float | None]:
        """Return the rate of messages of the actor at *path*, and when it handled one last, as the last tick saw it."""
        kept = self._kept.get(path)
        return (0.0, None) if kept is None else (kept.pace.rate, kept.pace.at)

    def _renew(self, kept: Kept, facts: Facts, breakers: tuple[str, ...]) -> None:
        is_new = kept.pace.look(facts.received, self._now, self._before)
        if is_new or facts is not kept.facts or breakers != kept.breakers:
            kept.facts, kept.breakers = facts, breakers
            kept.row = row_of(facts, self._now, kept.pace.rate, kept.pace.at, breakers)
        kept.urgency = urgency(kept.row, self._now)


def row_of(
    facts: Facts, now: float, rate: float = 0.0, message_at: float | None = None, breakers: tuple[str, ...] = ()
) -> Row:
    """Return the row of an actor; what nobody measured stays empty."""
    is_node = facts.is_supervisor
    most = facts.budget
    return Row(
        path=facts.path,
        name=facts.name,
        depth=facts.depth,
        kind=facts.kind,
        strategy=facts.strategy,
        state=facts.state,
        status=facts.status,
        why=brief(facts.why, _LONGEST_ERROR) if facts.why else "",
        link=facts.link,
        is_critical=facts.is_critical,
        is_suspended=facts.is_suspended,
        incarnation=facts.incarnation,
        restarts=facts.restarts,
        failures=facts.failures,
        budget=None if most is None else Budget(facts.budget_left or 0, most, facts.period),
        since=facts.started_at,
        retry_at=facts.retry_at,
        mailbox=None
        if is_node
        else MailboxRow(facts.depth_now, facts.capacity, facts.oldest_at, facts.dropped, facts.received),
        rate=rate,
        message_at=message_at,
        data=_data(facts, now),
        breakers=breakers,
        last_error=brief(facts.last_error, _LONGEST_ERROR) if facts.last_error else "",
    )


def _data(facts: Facts, now: float) -> DataRow | None:
    fresh = facts.fresh
    return None if fresh is None else DataRow(fresh.at, fresh.expect_every, fresh.is_stale(now))
