"""A trace keeps, hashes, writes and tells what happened."""

from __future__ import annotations

import hashlib
from collections import deque
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from duenna.connection_events import ConnectionChanged
from duenna.events import ChildExited, RuntimeStarted
from duenna.machines.link import ConnectionState
from duenna.testing.trace import Record, Trace, TraceError, read_trace

if TYPE_CHECKING:
    from collections.abc import Iterable


class Colour(StrEnum):
    RED = "red"


class Mute:
    """An object with nothing to say but its address."""


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError


class Long:
    def __repr__(self) -> str:
        return "x" * 500


def traced(**fields: Any) -> dict[str, Any]:
    """Return what becomes of *fields* in memory."""
    trace = Trace(lambda: 0.0)
    trace.record("kind", **fields)
    return trace.records[0].fields


def endless() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


# -- the file and the hash ---------------------------------------------------------


def test_the_file_has_a_line_per_record_in_a_fixed_order_of_keys(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    trace = Trace(iter([0.0, 1.5]).__next__, file=file)

    trace.record("net_data", "exchange:80>bot:1", crc=7, bytes=3)
    trace.record("child_started", "/bot/a", 2)
    trace.close()

    assert file.read_text() == (
        '{"t":0.0,"seq":1,"kind":"net_data","path":"exchange:80>bot:1","fields":{"bytes":3,"crc":7}}\n'
        '{"t":1.5,"seq":2,"kind":"child_started","path":"/bot/a","incarnation":2}\n'
    )


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    trace = Trace(lambda: 0.25, file=tmp_path / "trace.jsonl")
    for number in range(3_000):
        trace.record("kind", "/bot/a", number=number)

    trace.close()

    assert trace.sha256 == hashlib.sha256((tmp_path / "trace.jsonl").read_bytes()).hexdigest()
    assert trace.count == 3_000


def test_the_hash_can_be_asked_for_at_any_time() -> None:
    one, other = Trace(lambda: 0.0), Trace(lambda: 0.0)
    one.record("a")
    other.record("a")
    first = one.sha256
    one.record("b")
    other.record("b")

    assert first != one.sha256 == other.sha256


def test_an_empty_trace_has_the_hash_of_nothing() -> None:
    assert Trace(lambda: 0.0).sha256 == hashlib.sha256(b"").hexdigest()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    trace = Trace(lambda: 3.0, file=tmp_path / "t", keep=None)
    for number in range(1_500):
        trace.record("kind", "/bot/ä", 1, number=number, deep={"list": [1, None, 2.5]})
    trace.close()

    assert tuple(read_trace(tmp_path / "t")) == trace.records


def test_after_its_end_a_trace_takes_nothing(tmp_path: Path) -> None:
    trace = Trace(lambda: 0.0, file=tmp_path / "t")
    trace.record("a")
    trace.close()

    trace.record("b")
    trace.close()

    assert trace.count == len(list(read_trace(tmp_path / "t"))) == 1


@pytest.mark.parametrize(("keep", "kept"), [(0, []), (2, [4, 5]), (None, [1, 2, 3, 4, 5])])
def test_it_keeps_the_newest(keep: int | None, kept: list[int]) -> None:
    trace = Trace(lambda: 0.0, keep=keep)
    for _ in range(5):
        trace.record("kind")

    assert [record.seq for record in trace.records] == kept


def test_keep_is_checked() -> None:
    with pytest.raises(ValueError, match=r"keep"):
        Trace(lambda: 0.0, keep=-1)


# -- any value ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (ValueError("no price"), "ValueError: no price"),
        (ExceptionGroup("both", [KeyError("a"), OSError("b")]), None),
        (Decimal("1.50"), "1.50"),
        ({"b", "a", "c"}, ["a", "b", "c"]),
        (frozenset({3, 1}), [1, 3]),
        ({1, "a", None}, ["a", 1, None]),
        ((1, (2,)), [1, [2]]),
        (Colour.RED, "red"),
        (b"abc", "YWJj"),
        (float("inf"), None),
        (2**70, 2**70),
        ("\ud800", "\\ud800"),
        ({(1, 2): "x"}, {"(1, 2)": "x"}),
        ({2: "x"}, {"2": "x"}),
        (deque([1]), None),
        (Mute(), None),
        (Broken(), "<Broken, its __repr__ raised RuntimeError>"),
        (Long(), "x" * 197 + "..."),
        (len, "<built-in function len>"),
        (endless(), None),
        (Path("/tmp/x"), None),  # noqa: S108  # never opened
    ],
)
def test_any_value_becomes_json_that_is_the_same_each_time(tmp_path: Path, value: Any, text: Any) -> None:
    hashes: set[str] = set()
    lines: list[Record] = []
    for name in ("a", "b"):
        trace = Trace(lambda: 0.0, file=tmp_path / name)
        trace.record("kind", value=value)
        trace.close()
        hashes.add(trace.sha256)
        lines = list(read_trace(tmp_path / name))

    assert len(hashes) == 1
    assert text is None or lines[0].fields["value"] == text
    assert "0x7f" not in (tmp_path / "a").read_text()


def test_memory_has_what_the_file_has() -> None:
    assert traced(error=ValueError("x"), who=Mute()) == {
        "error": "ValueError: x",
        "who": f"<{__name__}.Mute object at 0x>",
    }


def test_addresses_and_lines_of_c_code_are_taken_out() -> None:
    event = ChildExited(
        time=0.0,
        path="/bot/a",
        incarnation=1,
        reason="SSLError: [SSL] record layer failure (_ssl.c:2590) in <Socket at 0x7f12345678ab>, code 0x16",
        context="child_terminated",
        uptime=0.0,
    )
    trace = Trace(lambda: 0.0)
    trace.event(event)

    assert trace.records[0].fields["reason"] == (
        "SSLError: [SSL] record layer failure (_ssl.c) in <Socket at 0x>, code 0x16"
    )


def test_they_are_taken_out_of_the_file_too(tmp_path: Path) -> None:
    trace = Trace(lambda: 0.0, file=tmp_path / "t")
    trace.record("kind", "<x at 0x7f12345678ab>", text="(_ssl.c:1006)")
    trace.close()

    assert [(one.path, one.fields) for one in read_trace(tmp_path / "t")] == [("<x at 0x>", {"text": "(_ssl.c)"})]


def test_a_name_that_chance_made_is_replaced(tmp_path: Path) -> None:
    trace = Trace(lambda: 0.0, file=tmp_path / "t")
    trace.rename("/tmp/world-8a7f", "/world")  # noqa: S108  # never opened

    trace.record("kind", "/tmp/world-8a7f/bot.db", text='no "/tmp/world-8a7f/x"')  # noqa: S108
    trace.close()

    (record,) = read_trace(tmp_path / "t")
    assert (record.path, record.fields) == ("/world/bot.db", {"text": 'no "/world/x"'})


# -- events ------------------------------------------------------------------------


def test_an_event_is_a_record_of_its_kind() -> None:
    trace = Trace(lambda: 2.0)
    trace.event(
        ConnectionChanged(
            time=2.0,
            path="/bot/btc",
            kind="websocket",
            previous=ConnectionState.CONNECTING,
            state=ConnectionState.OPERATIONAL,
            why="",
        )
    )
    trace.event(
        ChildExited(time=2.0, path="/bot/a", incarnation=3, reason="normal", context="child_terminated", uptime=1.0)
    )
    trace.event(RuntimeStarted(time=1.0, path="/"))

    assert [(one.kind, one.path, one.incarnation, one.fields) for one in trace.records] == [
        (
            "connection_changed",
            "/bot/btc",
            0,
            {
                "kind": "websocket",
                "previous": "connecting",
                "state": "operational",
                "why": "",
                "attempt": 0,
                "attempts": 0,
            },
        ),
        ("child_exited", "/bot/a", 3, {"reason": "normal", "context": "child_terminated", "uptime": 1.0}),
        ("runtime_started", "/", 0, {"time": 1.0}),
    ]


# -- listeners ---------------------------------------------------------------------


class Listener:
    """Finds every record of its kinds."""

    def __init__(self, *kinds: str) -> None:
        self.kinds = frozenset(kinds)

    def apply(self, record: Record) -> Iterable[int]:
        return (record.seq,)


def test_listeners_hear_the_kinds_that_they_want() -> None:
    trace = Trace(lambda: 0.0)
    some: list[int] = []
    every: list[int] = []
    trace.record("a")
    trace.listen([Listener("a")], some)
    trace.listen([Listener()], every)

    for kind in ("a", "b", "a"):
        trace.record(kind)

    assert (some, every) == ([2, 4], [2, 3, 4])


def test_only_so_many_findings_are_kept() -> None:
    trace = Trace(lambda: 0.0)
    found: list[int] = []
    trace.listen([Listener()], found, most=2)

    for _ in range(5):
        trace.record("a")

    assert found == [1, 2]


# -- damage ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", None),
        (b"[1]\n", r"a record as JSON is needed, got '\[1\]\\n' \(Expected `object`, got `array`\)"),
        (b'{"seq":2,"kind":"a"}\n', r"a record as JSON is needed, .*missing required field `t`\)"),
        (b'{"t":0.0,"seq":2,"kind":"a\xff"}\n', r"a record as JSON is needed, .*"),
        (b"\n", r"a record as JSON is needed, .*"),
        (b'{"t":0.0,"seq":2,"ki', "the line is cut off: whatever wrote the trace did not end in order"),
    ],
)
def test_damage_is_told_with_its_line(tmp_path: Path, line: bytes, why: str | None) -> None:
    file = tmp_path / "t"
    file.write_bytes(msgspec.json.encode(Record(0.0, 1, "a")) + b"\n" + line)

    if why is None:
        assert len(list(read_trace(file))) == 1
        return
    with pytest.raises(TraceError, match=rf"^{file}, line 2: {why}") as caught:
        list(read_trace(file))
    assert (caught.value.path, caught.value.line) == (str(file), 2)


def test_a_file_that_is_not_there_is_no_trace(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_trace(tmp_path / "none"))
