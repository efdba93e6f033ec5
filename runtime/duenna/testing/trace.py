"""What happened in a run, record by record: kept, hashed, written, and told to whoever checks it.

A trace is JSON lines, one record each. Its hash is that of the file's bytes, so that two runs
are the same if and only if their hashes are, and ``sha256sum`` tells it as well.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import deque
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from duenna.error_events import ErrorClassified
from duenna.errors import DuennaError
from duenna.machines import checks
from duenna.testing._trace_text import plain, steady, steady_block, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, MutableSequence

    from duenna.events import Event

_BLOCK = 1024  # lines that are joined before they are hashed and written
_MADE_OF_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

Finding = TypeVar("Finding")
Found_co = TypeVar("Found_co", covariant=True)


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that happened.

    Attributes:
        t: When, in seconds of the world's clock.
        seq: Its number in the trace, from 1: also its line in the file.
        kind: What, in snake_case.
        path: Whom it is about: an actor, a connection, the target of a fault.
        incarnation: Which one of the actor; 0 where that makes no sense.
        fields: Everything else. In a file, infinite and undefined numbers are null.
    """

    t: float
    seq: int
    kind: str
    path: str = ""
    incarnation: int = 0
    fields: dict[str, Any] = {}


class Listener(Protocol[Found_co]):
    """Who hears records as they are made: a checker of `duenna.testing.invariants` is one.

    Attributes:
        kinds: The kinds that it wants; empty: all.
    """

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds that it wants; empty: all."""
        ...

    def apply(self, record: Record) -> Iterable[Found_co]:
        """Take note of *record*, and return what is wrong with it."""
        ...


class TraceError(DuennaError):
    """A file is no trace, or is damaged.

    Attributes:
        path: The file.
        line: The line, counted from 1.
    """

    def __init__(self, path: str, line: int, why: str) -> None:
        """Say what is wrong with *line* of the file at *path*."""
        super().__init__(f"{path}, line {line}: {why}")
        self.path = path
        self.line = line


class Trace:
    """The record of one run.

    Attributes:
        count: Records so far.
        file: Where they are written, None if they are not.
    """

    def __init__(self, now: Callable[[], float], *, file: Path | str | None = None, keep: int | None = 1000) -> None:
        """Begin an empty trace.

        Args:
            now: Gives the time, in seconds.
            file: Where to write the records; what is there is replaced. None: nowhere.
            keep: How many of the newest stay in memory, at least 0; None: all of them.

        Raises:
            OSError: The file cannot be written.
            TypeError: *keep* is no whole number.
            ValueError: *keep* is negative.
        """
        if keep is not None:
            checks.count("Trace", "keep", keep, least=0)
        self.count = 0
        self.file = None if file is None else Path(file)
        self._now = now
        self._output: IO[bytes] | None = None if self.file is None else self.file.open("wb")
        self._hash = hashlib.sha256()
        self._lines: list[bytes] = []
        self._kept: deque[Record] = deque(maxlen=keep)
        self._listeners: list[tuple[frozenset[str], Callable[[Record], None]]] = []
        self._ears: dict[str, tuple[Callable[[Record], None], ...]] = {}
        self._names: dict[type[Event], tuple[str, tuple[str, ...]]] = {}
        self._renamed: dict[str, str] = {}
        self._is_odd = False
        self._is_closed = False
        self._encode = msgspec.json.Encoder(enc_hook=self._odd, order="deterministic").encode

    # -- writing ---------------------------------------------------------------

    def record(self, kind: str, /, path: str = "", incarnation: int = 0, **fields: Any) -> None:
        """Add a record. After ``close`` this does nothing.

        Whatever the fields hold becomes JSON: an exception its type and text, a set a sorted list,
        any other object its ``repr`` without addresses.

        Args:
            kind: What happened, in snake_case.
            path: Whom it is about.
            incarnation: Which incarnation of it; 0: none.
            fields: Everything else.
        """
        self._add(kind, path, incarnation, fields)

    def event(self, event: Event) -> None:
        """Add *event*: its kind is the name of its class in snake_case, its fields are its attributes.

        The frames of an error are left out: they name the files of this machine and of this Python.
        """
        if isinstance(event, ErrorClassified):
            event = replace(event, report=replace(event.report, frames=()))
        known = self._names.get(type(event))
        if known is None:
            known = self._names[type(event)] = _shape(type(event))
        kind, names = known
        fields = {name: self._steady(getattr(event, name)) for name in names}
        if event.time != self._now():
            fields["time"] = event.time
        self._add(kind, event.path, fields.pop("incarnation", 0), fields)

    def _add(self, kind: str, path: str, incarnation: int, fields: dict[str, Any]) -> None:
        if self._is_closed:
            return
        self.count += 1
        record = Record(self._now(), self.count, kind, path, incarnation, fields)
        try:
            line = self._encode(record)
        except Exception:  # noqa: BLE001  # keys that are no texts, sets of many types, lone surrogates, endless loops
            self._is_odd = False
            record = Record(record.t, record.seq, plain(kind), plain(path), incarnation, plain(fields))
            line = self._encode(record)
        if self._is_odd:  # who reads memory shall see what who reads the file sees
            self._is_odd = False
            record = _DECODE(line)
        lines = self._lines
        lines.append(line)
        self._kept.append(record)
        if len(lines) >= _BLOCK:
            self._flush()
        ears = self._ears.get(kind)
        if ears is None:
            ears = self._ears[kind] = tuple(call for kinds, call in self._listeners if not kinds or kind in kinds)
        for hear in ears:
            hear(record)

    def _odd(self, value: object) -> str:
        self._is_odd = True
        return text_of(value)

    def _steady(self, value: Any) -> Any:
        if value.__class__ is not str:
            return value
        for old, new in self._renamed.items():
            value = value.replace(old, new)
        return steady(value)

    def rename(self, old: str, new: str) -> None:
        """Write *new* wherever *old* stands in a text: for names that chance has made, as of temporary folders."""
        self._flush()
        self._renamed[old] = new

    # -- reading ---------------------------------------------------------------

    @property
    def records(self) -> tuple[Record, ...]:
        """The newest records, the oldest of them first."""
        return tuple(self._kept)

    @property
    def sha256(self) -> str:
        """The hash of all records so far, in hex: that of the file's bytes."""
        self._flush()
        return self._hash.hexdigest()

    def listen(
        self, listeners: Iterable[Listener[Finding]], findings: MutableSequence[Finding], *, most: int | None = None
    ) -> None:
        """Tell each record from now on to *listeners*, and add what they find to *findings*.

        Args:
            listeners: Who hears, each the kinds that it wants.
            findings: What they return goes here.
            most: How many, at most; the rest is not kept. None: all.
        """

        def told(listener: Listener[Finding]) -> Callable[[Record], None]:
            apply = listener.apply

            def hear(record: Record) -> None:
                for finding in apply(record):
                    if most is None or len(findings) < most:
                        findings.append(finding)

            return hear

        self._listeners.extend((listener.kinds, told(listener)) for listener in listeners)
        self._ears.clear()

    def forget_listeners(self) -> None:
        """Tell no record to anybody any more."""
        self._listeners.clear()
        self._ears.clear()

    # -- the end ---------------------------------------------------------------

    def close(self) -> None:
        """Write what is left and close the file; does nothing the second time."""
        self._flush()
        self._is_closed = True
        if self._output is not None:
            self._output.close()
            self._output = None

    def _flush(self) -> None:
        if not self._lines:
            return
        self._lines.append(b"")
        block = steady_block(b"\n".join(self._lines))
        self._lines.clear()
        for old, new in self._renamed.items():
            block = block.replace(json.dumps(old)[1:-1].encode(), json.dumps(new)[1:-1].encode())
        self._hash.update(block)
        if self._output is not None:
            self._output.write(block)


_DECODE = msgspec.json.Decoder(Record).decode


def read_trace(path: Path | str, *, skip: int = 0) -> Iterator[Record]:
    """Yield the records of the file at *path*, one line at a time.

    Args:
        path: The file.
        skip: So many lines are left out, without a look at them.

    Raises:
        OSError: The file cannot be read.
        TraceError: A line is no record, or is cut off.
    """
    with Path(path).open("rb") as file:
        for number, line in islice(enumerate(file, 1), skip, None):
            if not line.endswith(b"\n"):
                raise TraceError(
                    str(path), number, "the line is cut off: whatever wrote the trace did not end in order"
                )
            try:
                record = _DECODE(line)
            except (msgspec.MsgspecError, UnicodeError) as exc:
                raise TraceError(str(path), number, f"a record as JSON is needed, got {_shown(line)} ({exc})") from exc
            yield record


def _shape(kind: type[Event]) -> tuple[str, tuple[str, ...]]:
    names = tuple(name for name in kind.__struct_fields__ if name not in {"time", "path"})
    return _MADE_OF_WORDS.sub("_", kind.__name__).lower(), names


def _shown(line: bytes) -> str:
    most = 60
    text = repr(line[:most])[1:]
    return text if len(line) <= most else f"{text}..."
