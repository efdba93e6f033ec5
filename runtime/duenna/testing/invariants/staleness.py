"""A feed that has gone silent does not say that all is well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duenna.testing.trace import Record

_WELL = "operational"


@attrs.define(eq=False)
class _Feed:
    is_well: bool = False
    is_held: bool = False
    since: float = 0.0
    seq: int = 0
    max_age: float | None = None
    has_data: bool = False

    def renew(self, record: Record) -> None:
        self.since, self.seq = record.t, record.seq


@attrs.define(eq=False)
class Staleness:
    """Rule 18: while its connection is `operational` a feed is silent for ``max_age`` seconds at most.

    Only feeds of which data was ever seen are judged. A child that an operator has suspended is not.

    Attributes:
        max_age: Seconds of silence after which it must have said that it is not well, where its
            `data` records do not tell theirs.
    """

    name = "staleness"
    kinds = frozenset(
        {"data", "connection_changed", "child_suspended", "child_resumed", "child_removed", "child_exited"}
    )
    max_age: float
    _feeds: dict[str, _Feed] = attrs.field(factory=dict[str, _Feed], init=False)

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of data, or of how a feed says it is."""
        feed = self._feeds.get(record.path)
        if feed is None:
            if record.kind not in {"data", "connection_changed"}:
                return NOTHING
            feed = self._feeds[record.path] = _Feed()
        found = self._judge(record.path, feed, record.t, record.seq)
        match record.kind:
            case "data":
                feed.has_data = True
                feed.max_age = record.fields.get("max_age", feed.max_age)
                feed.renew(record)
            case "connection_changed":
                feed.is_well = record.fields.get("state") == _WELL
                feed.renew(record)
            case "child_suspended" | "child_resumed":
                feed.is_held = record.kind == "child_suspended"
                feed.renew(record)
            case "child_exited":
                feed.is_well = False
            case _:
                del self._feeds[record.path]
        return found

    def finish(self, end: float) -> Iterable[Violation]:
        """Find feeds that are silent and say that they are well at *end*."""
        for path, feed in self._feeds.items():
            yield from self._judge(path, feed, end, 0)

    def _judge(self, path: str, feed: _Feed, now: float, seq: int) -> tuple[Violation, ...]:
        most = self.max_age if feed.max_age is None else feed.max_age
        if not feed.is_well or feed.is_held or not feed.has_data or now - feed.since <= most:
            return NOTHING
        text = (
            f"no data for {now - feed.since:.3f} s, since record {feed.seq} at {feed.since:.3f} s, while its connection"
        )
        return (Violation(self.name, now, seq, path, f"{text} says {_WELL}: {most} s are allowed"),)
