"""What a checker is, and what it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from duenna.testing.trace import Record

NOTHING: tuple[Violation, ...] = ()
"""What a checker finds nearly always."""


@attrs.frozen
class Violation:
    """A rule that a run has broken.

    Attributes:
        checker: Name of the rule.
        t: When it was noticed, in seconds.
        seq: Number of the record that shows it; 0: the end of the trace.
        path: Who broke it.
        text: What happened, with the records that belong to it.
    """

    checker: str
    t: float
    seq: int
    path: str
    text: str

    def __str__(self) -> str:
        """Return all of it as one line."""
        where = f"record {self.seq}" if self.seq else "at the end"
        who = f", {self.path}" if self.path else ""
        return f"{self.checker}: {self.t:.3f} s, {where}{who}: {self.text}"


class Checker(Protocol):
    """One rule, checked record by record.

    It keeps no more than it needs: a day has a million records.

    Attributes:
        name: The rule's, in snake_case.
        kinds: The kinds of records that it reads; empty: all.
    """

    @property
    def name(self) -> str:
        """The rule's name, in snake_case."""
        ...

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of records that it reads; empty: all."""
        ...

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of *record*, the next of its kinds, and return what it breaks."""
        ...

    def finish(self, end: float) -> Iterable[Violation]:
        """Return what is still wrong at *end*, in seconds, when no record follows."""
        ...


def check(records: Iterable[Record], checkers: Iterable[Checker]) -> Iterator[Violation]:
    """Yield what *checkers*, which must be fresh, find in *records*."""
    checkers = tuple(checkers)
    readers: dict[str, tuple[Callable[[Record], Iterable[Violation]], ...]] = {}
    end = 0.0
    for record in records:
        end = record.t
        applies = readers.get(record.kind)
        if applies is None:
            wanted = (one for one in checkers if not one.kinds or record.kind in one.kinds)
            applies = readers[record.kind] = tuple(one.apply for one in wanted)
        for apply in applies:
            yield from apply(record)
    for checker in checkers:
        yield from checker.finish(end)


def at(record: Record | None) -> str:
    """Return where *record* is, for the text of a violation."""
    return "(unknown)" if record is None else f"(record {record.seq}, {record.t:.3f} s)"
