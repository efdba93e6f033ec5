"""Every feed has data again within a bound after the last fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation
from duenna.testing.invariants._excuses import EXCUSES, Excuses
from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ALL = frozenset({"fault_begin", "fault_end", "runtime_stopping"})
_ONE = frozenset({"data", "child_stopped", "child_suspended", "child_parked", "child_removed"})
_EVER = float("inf")


@attrs.define(eq=False)
class FreshFeeds:
    """Rule 17: while no fault is at work no feed is without data for more than ``bound`` seconds.

    A feed is a path of which there ever was data, or is expected. The same are excused as for `Liveness`, and those
    who are suspended, and transient and temporary ones that have ended.

    Attributes:
        bound: Seconds from the end of the last fault, or from the newest data if that is later.
    """

    name = "fresh_feeds"
    kinds = EXCUSES | {"data", "feed_expected", "child_exited", "runtime_stopping"}
    bound: float
    _excuses: Excuses = attrs.field(factory=Excuses, init=False)
    _data: dict[str, Record] = attrs.field(factory=dict[str, Record], init=False)
    _told: dict[str, int] = attrs.field(factory=dict[str, int], init=False)
    _may_end: dict[str, None] = attrs.field(factory=dict[str, None], init=False)
    _is_over: bool = attrs.field(default=False, init=False)

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of *record*; judge those whose wait it ends."""
        found: tuple[Violation, ...] = NOTHING
        if record.kind in _ALL:
            found = tuple(self._judge_all(record.t, record.seq))
        elif record.kind in _ONE:
            found = tuple(self._judge(record.path, record.t, record.seq))
        if record.kind in EXCUSES:
            self._excuses.apply(record)
        self._note(record)
        return found

    def finish(self, end: float) -> Iterable[Violation]:
        """Judge every feed, if the run was not stopped before *end*."""
        return tuple(self._judge_all(end, 0))

    def _note(self, record: Record) -> None:
        path = record.path
        match record.kind:
            case "runtime_stopping":
                self._data.clear()
                self._is_over = True
            case "runtime_started":
                self._is_over = False
            case "data" | "feed_expected" if not self._is_over:
                self._data[path] = record
            case "spec" if record.fields.get("restart") != "permanent":
                self._may_end[path] = None
            case "child_removed":
                self._may_end.pop(path, None)
                self._told.pop(path, None)
                for one in [one for one in self._data if one == path or one.startswith(f"{path}/")]:
                    del self._data[one]
            case "child_exited" if path in self._may_end:
                self._data.pop(path, None)  # a feed again when it has data again
            case _:
                pass

    def _judge_all(self, now: float, seq: int) -> Iterator[Violation]:
        for path in self._data:
            yield from self._judge(path, now, seq)

    def _judge(self, path: str, now: float, seq: int) -> Iterator[Violation]:
        data = self._data.get(path)
        if data is None or self._told.get(path) == data.seq or not self._excuses.is_calm:
            return
        since = max(data.t, self._excuses.since(path))
        if now - since > self.bound:
            self._told[path] = data.seq  # once for each silence
            text = f"it has no data since {data.t:.3f} s (record {data.seq}), with no fault for {now - since:.3f} s"
            yield Violation(self.name, now, seq, path, f"{text}: it should have data again within {self.bound} s")
