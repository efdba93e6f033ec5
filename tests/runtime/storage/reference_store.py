"""The simplest store that keeps its promise, and what it is without each of the things that this takes.

The harness passes the first and must catch the others: else it proves nothing of a better store.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import attrs
import msgspec

from duenna.storage import Change, Compacted, Entry, Fs, Loaded, StateLockedError, StateWriteError

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Image(msgspec.Struct):
    entries: dict[str, Entry]
    seq: int
    at: float
    is_clean: bool


@attrs.define(eq=False)
class ReferenceStore:
    """Writes everything anew at each commit, into a new file, and removes all but the last two.

    Attributes:
        fs: The disk.
        syncs_data: Whether it syncs the file before it gives it its name.
        syncs_names: Whether it syncs the directory after that.
        has_checksum: Whether a file that is not as it was written is known by its checksum, not just by its form.
        replaces: Whether it writes beside the state; else it empties the one file that it has.
    """

    fs: Fs
    name: str = "/data/state"
    is_durable: bool = attrs.field(default=True, init=False)
    syncs_data: bool = attrs.field(default=True, kw_only=True)
    syncs_names: bool = attrs.field(default=True, kw_only=True)
    has_checksum: bool = attrs.field(default=True, kw_only=True)
    replaces: bool = attrs.field(default=True, kw_only=True)
    _image: _Image = attrs.field(factory=lambda: _Image({}, 0, 0.0, is_clean=False), init=False)
    _lock: int | None = attrs.field(default=None, init=False)
    _number: int = attrs.field(default=0, init=False)

    def open(self) -> Loaded:
        self.fs.make_directory(self.name)
        self._lock = self.fs.lock(self.name)
        if self._lock is None:
            raise StateLockedError(self.name, "")
        names = self._names()
        self._number = int(names[-1], 16) if names else 0
        for name in reversed(names):
            image = self._parse(self.fs.read(f"{self.name}/{name}"))
            if image is not None:
                self._image = image
                break
        image = self._image
        return Loaded(
            image.entries.copy(), image.seq, existed=bool(names), was_clean=image.is_clean, saved_at=image.at or None
        )

    def commit(self, changes: Sequence[Change], at: float) -> int:
        image = self._image
        for change in changes:
            if change.entry is None:
                image.entries.pop(change.key, None)
            else:
                image.entries[change.key] = change.entry
        image.seq += 1
        image.at = at
        image.is_clean = False
        self._write()
        return image.seq

    @property
    def wants_compacting(self) -> bool:
        return False

    def compact(self, at: float) -> Compacted | None:
        for name in self._names()[:-2]:
            self.fs.remove(f"{self.name}/{name}")
        return None

    def close(self, at: float, *, is_clean: bool) -> None:
        try:
            if is_clean and self._image.seq:
                self._image.is_clean = True
                self._write()
        finally:
            if self._lock is not None:
                self.fs.unlock(self._lock)

    def _names(self) -> list[str]:
        return [name for name in self.fs.names(self.name) if not name.endswith(".tmp")]

    def _write(self) -> None:
        data = msgspec.msgpack.encode(self._image)
        data = zlib.crc32(data, 1).to_bytes(4, "big") + data
        if self.replaces:
            self._number += 1
        target = f"{self.name}/{self._number:08x}"
        try:
            self._write_file(f"{target}.tmp" if self.replaces else target, data)
            if self.replaces:
                self.fs.replace(f"{target}.tmp", target)
            if self.syncs_names:
                self.fs.sync_directory(self.name)
        except OSError as exc:
            raise StateWriteError(self.name, target, str(exc)) from exc

    def _write_file(self, path: str, data: bytes) -> None:
        file = self.fs.create(path)
        try:
            while data:
                data = data[self.fs.write(file, data) :]
            if self.syncs_data:
                self.fs.sync(file)
        finally:
            self.fs.close(file)

    def _parse(self, data: bytes) -> _Image | None:
        if self.has_checksum and data[:4] != zlib.crc32(data[4:], 1).to_bytes(4, "big"):
            return None
        try:
            return msgspec.msgpack.decode(data[4:], type=_Image)
        except msgspec.DecodeError:
            return None
