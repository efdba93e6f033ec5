"""Where two traces part."""

from __future__ import annotations

from collections import deque
from itertools import islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from duenna.machines import checks
from duenna.testing._trace_lines import LEAST_WIDTH, cut, line_of, value_of
from duenna.testing.trace import Record, read_trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MISSING = "(nothing)"
"""What stands for a field that one of the two records does not have."""


@attrs.frozen
class Difference:
    """A part of a record that is not the same in the other.

    Attributes:
        name: `t`, `kind`, `path`, `incarnation`, or the name of a field.
        left: Its value in the first trace; None if there is none.
        right: Its value in the second.
        is_missing: In which of the two there is none: `left`, `right` or empty.
    """

    name: str
    left: Any
    right: Any
    is_missing: str = ""


@attrs.frozen
class Parting:
    """The first place at which two traces are not the same.

    Attributes:
        seq: Number of the record, from 1.
        before: The records before it, which are the same, the newest last.
        left: What the first trace has there, and what follows; empty: it has ended.
        right: What the second has.
        differences: What is not the same; empty if one of the two has ended.
    """

    seq: int
    before: tuple[Record, ...]
    left: tuple[Record, ...]
    right: tuple[Record, ...]
    differences: tuple[Difference, ...]

    def text(self, width: int = 120) -> str:
        """Return it for people: what was the same, what each has then, and which fields differ.

        Args:
            width: Columns to stay within; at least 60 are taken.
        """
        return "\n".join(cut(line, width) for line in self._lines(max(width, LEAST_WIDTH)))

    def _lines(self, width: int) -> Iterator[str]:
        yield f"the traces part at record {self.seq}"
        yield from (f"  {line_of(record, width - 2)}" for record in self.before)
        for mark, records in (("<", self.left), (">", self.right)):
            yield from (f"{mark} {line_of(record, width - 2)}" for record in records)
            if not records:
                yield f"{mark} the trace has ended"
        for one in self.differences:
            yield f"{one.name}:"
            yield f"  < {MISSING if one.is_missing == 'left' else value_of(one.left)}"
            yield f"  > {MISSING if one.is_missing == 'right' else value_of(one.right)}"


def diff(
    left: Path | str | Iterable[Record], right: Path | str | Iterable[Record], *, context: int = 5, after: int = 2
) -> Parting | None:
    """Return where two traces part, None if they are the same.

    It reads one record after the other, and keeps *context* of them. Of files, lines that are the same are
    not looked into.

    Args:
        left: A file, or records.
        right: The other.
        context: How many records before the parting are wanted, at least 0.
        after: How many of each trace after the first that differs, at least 0.

    Raises:
        OSError: A file cannot be read.
        TraceError: A file is damaged near the parting.
        TypeError: *context* or *after* is no whole number.
        ValueError: *context* or *after* is negative.
    """
    checks.count("diff", "context", context, least=0)
    checks.count("diff", "after", after, least=0)
    skip = 0
    if isinstance(left, Path | str) and isinstance(right, Path | str):
        skip = max(0, _same_lines(left, right) - context)
    lefts, rights = _records(left, skip), _records(right, skip)
    before: deque[Record] = deque(maxlen=context)
    for seq, (one, other) in enumerate(zip_longest(lefts, rights), skip + 1):
        if one == other and one is not None:
            before.append(one)
            continue
        return Parting(
            seq,
            tuple(before),
            () if one is None else (one, *islice(lefts, after)),
            () if other is None else (other, *islice(rights, after)),
            () if one is None or other is None else tuple(_differences(one, other)),
        )
    return None


def _same_lines(left: Path | str, right: Path | str) -> int:
    """Return how many lines from the first on are the same in two files."""
    count = 0
    with Path(left).open("rb") as lefts, Path(right).open("rb") as rights:
        for one, other in zip(lefts, rights, strict=False):
            if one != other:
                break
            count += 1
    return count


def _records(source: Path | str | Iterable[Record], skip: int) -> Iterator[Record]:
    return read_trace(source, skip=skip) if isinstance(source, Path | str) else iter(source)


def _differences(left: Record, right: Record) -> Iterator[Difference]:
    for name in ("t", "seq", "kind", "path", "incarnation"):
        one, other = getattr(left, name), getattr(right, name)
        if one != other:
            yield Difference(name, one, other)
    if left.kind != right.kind:
        return  # then the fields have nothing to do with each other
    for name in dict.fromkeys((*left.fields, *right.fields)):
        if name not in left.fields:
            yield Difference(name, None, right.fields[name], "left")
        elif name not in right.fields:
            yield Difference(name, left.fields[name], None, "right")
        elif left.fields[name] != right.fields[name]:
            yield Difference(name, left.fields[name], right.fields[name])
