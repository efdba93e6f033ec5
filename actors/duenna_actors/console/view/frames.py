"""Snapshots as bytes, and what changed between two: every row is encoded once for all viewers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec

from duenna_actors.console.view.model import Delta, Header, Row

if TYPE_CHECKING:
    from duenna_actors.console.view.model import Snapshot
    from duenna_actors.console.view.slices import Slices

_ENCODER: Final = msgspec.json.Encoder()
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_FIELDS: Final = Header.__struct_fields__
_ALWAYS: Final = frozenset({"id", "now", "at"})
_QUIET: Final = frozenset({"id", "now", "at", "interval"})


def encoded(value: object) -> bytes:
    """Return *value* as JSON; what is no Unicode in its texts becomes U+FFFD."""
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        return _ENCODER.encode(_clean(msgspec.to_builtins(value)))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    items = getattr(value, "items", None)
    if items is not None:
        return {_clean(key): _clean(inner) for key, inner in items()}
    return [_clean(inner) for inner in value] if type(value) in {list, tuple} else value


def message(kind: str, data: bytes, number: int | None = None) -> bytes:
    """Return one message of an event stream (WHATWG HTML, section 9.2); *data* is one line."""
    name = kind if kind.isidentifier() and kind.isascii() else "message"
    head = f"event: {name}\n" if number is None else f"id: {number}\nevent: {name}\n"
    return b"%sdata: %s\n\n" % (head.encode(), data)


@attrs.define(eq=False)
class Frames:
    """Encodes one snapshot after the other.

    Attributes:
        id: The tick that was told last; 0: none was.
    """

    id: int = attrs.field(default=0, init=False)
    _header: dict[str, bytes] = attrs.field(factory=dict[str, bytes], init=False)
    _rows: dict[str, tuple[Row, bytes]] = attrs.field(factory=dict[str, Any], init=False)
    _whole: bytes | None = attrs.field(default=None, init=False)

    async def feed(self, snapshot: Snapshot, slices: Slices, *, told: bool = True) -> bytes | None:
        """Take the next *snapshot*; return what changed as one message, None if nothing but the time did.

        Args:
            snapshot: The next one.
            slices: Measures, and lets others have their turn.
            told: Whether a tick without news is told nevertheless.
        """
        slices.begin()
        try:
            header, changed = self._header_of(snapshot.header)
            rows, known = await self._rows_of(snapshot, slices)
            is_moved = list(known) != list(self._rows)
            if not told and not rows and not is_moved and _QUIET.issuperset(changed):
                return None
            base, self.id = self.id, snapshot.header.id
            self._header, self._rows, self._whole = header, known, None
            delta = Delta(
                base=base,
                header={name: msgspec.Raw(header[name]) for name in changed},
                rows=tuple(map(msgspec.Raw, rows)),
                order=tuple(known) if is_moved else None,
            )
            return message("delta", _encoded_order(delta))
        finally:
            slices.end()

    def whole(self) -> bytes:
        """Return the last tick that was told as one message, encoded once for all who want it."""
        if self._whole is None:
            header = b",".join(b'"%s":%s' % (name.encode(), self._header[name]) for name in _FIELDS)
            rows = b",".join(data for _, data in self._rows.values())
            self._whole = message("snapshot", b'{"header":{%s},"rows":[%s]}' % (header, rows))
        return self._whole

    def _header_of(self, header: Header) -> tuple[dict[str, bytes], list[str]]:
        fields = {name: encoded(getattr(header, name)) for name in _FIELDS}
        before = self._header
        return fields, [name for name in _FIELDS if name in _ALWAYS or before.get(name) != fields[name]]

    async def _rows_of(self, snapshot: Snapshot, slices: Slices) -> tuple[list[bytes], dict[str, tuple[Row, bytes]]]:
        changed: list[bytes] = []
        known: dict[str, tuple[Row, bytes]] = {}
        before = self._rows
        for row in snapshot.rows:
            old = before.get(row.path)
            if old is not None and old[0] is row:
                known[row.path] = old
                continue
            data = encoded(row)
            known[row.path] = (row, data)
            if old is None or old[1] != data:
                changed.append(data)
            if slices.is_full:
                await slices.pause()
        return changed, known


def _encoded_order(delta: Delta) -> bytes:
    try:
        return _ENCODER.encode(delta)
    except UnicodeEncodeError:  # a path in ``order``: all else is encoded
        order = tuple(_clean(path) for path in delta.order or ())
        return _ENCODER.encode(msgspec.structs.replace(delta, order=order))
