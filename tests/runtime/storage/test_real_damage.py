"""Files that were cut, flipped, overwritten, doubled or lost: what is read was once so, and what is missing is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duenna.storage import FileStore, Loaded, Loss
from duenna.testing import SimFs
from tests.runtime.storage.programs.numbered import States, changes_of, number_in
from tests.runtime.storage.simulated_programs import chance_of
from tests.runtime.storage.telling import tell

if TYPE_CHECKING:
    from collections.abc import Iterator

DIRECTORY = "/data/state"


@attrs.frozen
class Written:
    """A small state, made by three lives.

    Attributes:
        files: Its files.
        last: The last commit, which is all that it should hold.
        ends: The sizes that its last journal had: after each commit of the last life.
    """

    files: dict[str, bytes]
    last: int
    ends: tuple[int, ...]

    @property
    def journal(self) -> str:
        """Path of the last journal."""
        return max(path for path in self.files if "/jour-" in path)


def store_on(disk: SimFs) -> FileStore:
    return FileStore(DIRECTORY, fs=disk, keep=2, ballast=0, rng=chance_of(5))


def write(*, is_clean: bool) -> Written:
    """Make a state: a journal, a snapshot and another journal of the first life, then one of each later life."""
    disk = SimFs(chance_of(1))
    number = 0
    ends: list[int] = []
    for life in range(3):
        store = store_on(disk)
        store.open()
        ends.clear()
        for _ in range(2 + life // 2):
            number += 1
            store.commit(changes_of(number), float(number))
            ends.append(len(disk.files()[max(path for path in disk.files() if "/jour-" in path)]))
            if number == 1:
                store.compact(float(number))
        if life == 2:
            store.close(float(number), is_clean=is_clean)
        disk = disk.after_power_cut()
    files = {path: data for path, data in disk.files().items() if path.endswith(".bin")}
    return Written(files, number, tuple(ends))


def load(files: dict[str, bytes], *, goes_on: bool = False) -> Loaded:
    """Return what a store finds in *files*; with *goes_on*, after it has shown that it can be used from there on."""
    disk = SimFs(chance_of(1))
    disk.make_directory(DIRECTORY)
    for path, data in files.items():
        disk.put(path, data)
    store = store_on(disk)
    loaded = store.open()
    if goes_on:
        number = number_in(loaded.entries)
        store.commit(changes_of(number + 1), 0.0)
        store.close(0.0, is_clean=True)
        again = store_on(disk.after_power_cut()).open()
        assert again.was_clean
        assert dict(again.entries) == States().advance(number + 1)
    return loaded


def is_silent(loaded: Loaded, last: int) -> bool:
    """Check *loaded* against what was written up to commit *last*; return whether it lacks some in silence."""
    number = number_in(loaded.entries)
    assert number <= last
    assert dict(loaded.entries) == States().advance(number), f"the state after commit {number} is torn"
    told = {damage.loss for damage in loaded.damages}
    if number < last and not told - {Loss.NOTHING}:
        assert not told, "what is missing is said to be nothing"
        return True
    return False


def cuts(written: Written) -> Iterator[tuple[str, int]]:
    for path, data in written.files.items():
        for position in range(len(data)):
            yield path, position


@pytest.mark.parametrize("is_clean", [True, False])
def test_every_cut_of_every_file(capsys: pytest.CaptureFixture[str], is_clean: bool) -> None:
    """A cut at the end of a record of the last journal looks as if the later ones had never been written: R12.

    With the mark of an orderly end in place the state is at least not taken for one.
    """
    written = write(is_clean=is_clean)
    silent: list[tuple[str, int]] = []
    clean = []
    for path, position in cuts(written):
        loaded = load(written.files | {path: written.files[path][:position]}, goes_on=not is_clean)
        if is_silent(loaded, written.last):
            silent.append((path, position))
        clean.append(loaded.was_clean and path == written.journal)

    assert silent == [(written.journal, end) for end in written.ends[:-1]]
    assert not any(clean)
    tell(capsys, f"cuts: {len(clean)}, every position of {len(written.files)} files; {len(silent)} cannot be told")


@pytest.mark.slow
def test_every_bit_of_every_file(capsys: pytest.CaptureFixture[str]) -> None:
    written = write(is_clean=True)
    number = 0
    for path, data in written.files.items():
        for bit in range(8 * len(data)):
            flipped = bytearray(data)
            flipped[bit >> 3] ^= 1 << (bit & 7)
            assert not is_silent(load(written.files | {path: bytes(flipped)}), written.last), (path, bit)
            number += 1

    tell(capsys, f"flips: {number}, every bit of {len(written.files)} files; none was silent")


WRITTEN = write(is_clean=False)


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, bytes]:
    """Draw the files with up to four kinds of damage, anywhere."""
    files = dict(WRITTEN.files)
    for _ in range(draw(st.integers(1, 4))):
        if not files:
            break
        path = draw(st.sampled_from(sorted(files)))
        data = files[path]
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, len(data)))
        match draw(st.sampled_from(("cut", "flip", "zero", "repeat", "copy", "lose", "other"))):
            case "cut":
                files[path] = data[:start]
            case "flip" if data:
                flipped = bytearray(data)
                flipped[start % len(data)] ^= draw(st.integers(1, 255))
                files[path] = bytes(flipped)
            case "zero":
                files[path] = data[:start] + bytes(end - start) + data[end:]
            case "repeat":
                files[path] = data[:end] + data[start:end] + data[end:]
            case "copy":
                files[draw(st.sampled_from(sorted(files)))] = data
            case "other":
                other = files[draw(st.sampled_from(sorted(files)))]
                files[path] = data[:start] + other[start:end] + data[end:]
            case _:
                del files[path]
    return files


@settings(max_examples=200)
@given(damaged())
def test_whatever_happens_to_the_files_what_is_read_was_once_so(files: dict[str, bytes]) -> None:
    loaded = load(files, goes_on=True)

    number = number_in(loaded.entries)
    assert number <= WRITTEN.last
    assert dict(loaded.entries) == States().advance(number)


@pytest.mark.parametrize("path", sorted(WRITTEN.files))
def test_a_file_that_is_gone_is_missed(path: str) -> None:
    """But for the last journal, of which nothing else knows yet."""
    files = {name: data for name, data in WRITTEN.files.items() if name != path}

    assert is_silent(load(files, goes_on=True), WRITTEN.last) == (path == WRITTEN.journal)
