"""The why-timeline: error -> verdict -> action -> outcome, one line each, with an id that stays."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Final

import attrs
import msgspec

from duenna import incidents
from duenna.incidents import Chain, Incidents, Outcome
from duenna_actors.console.view.model import ActionRow, VerdictRow, WhyRow
from duenna_actors.console.view.texts import brief

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duenna.events import Event

MOST_OPEN: Final = 50
MOST_CLOSED: Final = 1000
_LONGEST_ERROR: Final = 500


@attrs.define(eq=False)
class WhyTimeline:
    """The incidents of a bot: those that are open, and the last 1,000 that are over."""

    _incidents: Incidents = attrs.field(factory=Incidents, init=False)
    _closed: deque[WhyRow] = attrs.field(factory=lambda: deque[WhyRow](maxlen=MOST_CLOSED), init=False)
    _ids: dict[str, tuple[float, int]] = attrs.field(factory=dict[str, tuple[float, int]], init=False)
    _numbers: Iterator[int] = attrs.field(factory=lambda: count(1), init=False)
    _open: tuple[WhyRow, ...] | None = attrs.field(default=None, init=False)

    def hear(self, event: Event) -> None:
        """Take in *event* if incidents are made of such."""
        self._open = None
        self._close(incidents.apply(self._incidents, event))

    def rows(self, now: float, *, path: str | None = None, most: int = MOST_OPEN) -> tuple[WhyRow, ...]:
        """Return the newest lines: those that are not over first, each kind from the newest to the oldest.

        Args:
            now: Seconds of the runtime's clock.
            path: Only those of this actor or service; None: all.
            most: How many, at most.
        """
        found = list(_of(path, self._opened(now)))[:most]
        for row in _of(path, reversed(self._closed)):
            if len(found) >= most:
                break
            found.append(row)
        return tuple(found)

    def _opened(self, now: float) -> tuple[WhyRow, ...]:
        due = self._incidents.due
        if due is not None and due <= now:
            self._open = None
            self._close(self._incidents.advance(now))
        if self._open is None:
            chains = self._incidents.open(now, MOST_OPEN)
            self._open = tuple(_row(self._id(chain), chain) for chain in reversed(chains))
        return self._open

    def _close(self, chains: list[Chain]) -> None:
        for chain in chains:
            self._closed.append(_row(self._id(chain), chain))
            self._ids.pop(chain.path, None)

    def _id(self, chain: Chain) -> int:
        """Return the id of an incident; at most one of a path is open, and it is known by when it began."""
        known = self._ids.get(chain.path)
        if known is None or known[0] != chain.began:
            known = self._ids[chain.path] = (chain.began, next(self._numbers))
        return known[1]


def _of(path: str | None, rows: Iterable[WhyRow]) -> Iterator[WhyRow]:
    return (row for row in rows if path is None or row.path == path)


def _row(number: int, chain: Chain) -> WhyRow:
    is_open = chain.outcome is Outcome.OPEN
    text = msgspec.structs.replace(chain, took=0.0).text().removesuffix(" after 0.0 s") if is_open else chain.text()
    return WhyRow(
        id=number,
        path=chain.path,
        began=chain.began,
        took=None if is_open else chain.took,
        error=brief(chain.error, _LONGEST_ERROR),
        errors=chain.errors,
        verdicts=tuple(VerdictRow(str(v.category), str(v.severity), v.transient) for v in chain.verdicts),
        actions=tuple(ActionRow(action.name, action.attempt, action.status) for action in chain.actions),
        outcome=str(chain.outcome),
        text=text,
    )
