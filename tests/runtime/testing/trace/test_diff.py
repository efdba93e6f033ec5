"""Where two traces part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from duenna.testing.trace import Record, TraceError
from duenna.testing.trace_diff import Difference, diff

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def trace(*kinds: str, **fields: int) -> list[Record]:
    """Make records; the last one has *fields*."""
    records = [Record(float(seq), seq, kind, "/bot") for seq, kind in enumerate(kinds, 1)]
    records[-1] = msgspec.structs.replace(records[-1], fields=fields)
    return records


def test_the_same_traces_never_part() -> None:
    assert diff(trace("a", "b", x=1), trace("a", "b", x=1)) is None
    assert diff([], []) is None


def test_the_first_difference_is_told_with_what_is_round_it() -> None:
    left = [*trace("a", "b", "c", "d", "e"), Record(9.0, 6, "f"), Record(9.0, 7, "g"), Record(9.0, 8, "h")]
    right = [*trace("a", "b", "c", "d", "e"), Record(9.5, 6, "f", "/x", 2, {"n": 1})]

    parting = diff(left, right, context=2, after=1)

    assert parting is not None
    assert parting.seq == 6
    assert [record.kind for record in parting.before] == ["d", "e"]
    assert [record.kind for record in parting.left] == ["f", "g"]
    assert [record.path for record in parting.right] == ["/x"]
    assert parting.differences == (
        Difference("t", 9.0, 9.5),
        Difference("path", "", "/x"),
        Difference("incarnation", 0, 2),
        Difference("n", None, 1, "left"),
    )


def test_only_the_fields_that_differ_are_told() -> None:
    parting = diff(trace("a", x=1, y=2, z=3), trace("a", x=1, y=3))

    assert parting is not None
    assert parting.differences == (Difference("y", 2, 3), Difference("z", 3, None, "right"))


def test_fields_of_other_kinds_are_not_compared() -> None:
    parting = diff(trace("a", x=1), trace("b", y=3))

    assert parting is not None
    assert parting.differences == (Difference("kind", "a", "b"),)


@pytest.mark.parametrize(("left", "right"), [(2, 1), (1, 2), (1, 0)])
def test_a_trace_that_has_ended_parts_from_one_that_goes_on(left: int, right: int) -> None:
    parting = diff(trace("a", "b")[:left], trace("a", "b")[:right])

    assert parting is not None
    assert parting.seq == min(left, right) + 1
    assert len(parting.left) == left - min(left, right)
    assert parting.differences == ()
    assert "the trace has ended" in parting.text()


def test_it_reads_no_further_than_it_must() -> None:
    def endless(kind: str) -> Iterator[Record]:
        seq = 0
        while True:
            seq += 1
            yield Record(0.0, seq, kind if seq == 1_000 else "same")

    parting = diff(endless("a"), endless("b"))

    assert parting is not None
    assert parting.seq == 1_000


def test_the_text_shows_all_that_matters() -> None:
    parting = diff(trace("a", "child_exited", reason=1), trace("a", "child_exited", reason=2, why=3), after=0)

    assert parting is not None
    assert parting.text() == (
        "the traces part at record 2\n"
        "        1        1.000  a                  /bot\n"
        "<       2        2.000  child_exited       /bot  reason=1\n"
        ">       2        2.000  child_exited       /bot  reason=2 why=3\n"
        "reason:\n"
        "  < 1\n"
        "  > 2\n"
        "why:\n"
        "  < (nothing)\n"
        "  > 3"
    )


@pytest.mark.parametrize("width", [0, 60, 80])
def test_the_text_keeps_within_its_width(width: int) -> None:
    left = [Record(0.0, 1, "a", "/bot/" + "x" * 90, fields={"text": "y" * 300})]

    parting = diff(left, [Record(0.0, 1, "a", fields={"text": "z" * 300})])

    assert parting is not None
    assert max(len(line) for line in parting.text(width).splitlines()) == max(width, 60)


def test_files_are_compared(tmp_path: Path) -> None:
    for name, count in (("a", 3), ("b", 3), ("c", 2)):
        lines = [msgspec.json.encode(record) + b"\n" for record in trace("a", "b", "c")[:count]]
        (tmp_path / name).write_bytes(b"".join(lines))

    assert diff(tmp_path / "a", str(tmp_path / "b")) is None
    parting = diff(tmp_path / "a", tmp_path / "c")
    assert parting is not None
    assert parting.seq == 3


def test_damage_before_the_parting_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"{}\n")

    with pytest.raises(TraceError, match=r"a, line 1: "):
        diff(tmp_path / "a", trace("a"))


def test_numbers_are_checked() -> None:
    with pytest.raises(ValueError, match="context"):
        diff([], [], context=-1)
