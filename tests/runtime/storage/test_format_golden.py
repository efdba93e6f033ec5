"""Files of every format that was ever written can be read, and of each only what it was."""

from __future__ import annotations

import shutil
from pathlib import Path
from zlib import crc32

import msgspec
import pytest

from duenna.storage import StateFormatError, read_state, verify_state
from duenna.storage._format import FORMAT
from tests.runtime.storage.golden.make import LIVES, Expected, make

GOLDEN = Path(__file__).parent / "golden"
FORMATS = sorted(path.name for path in GOLDEN.glob("format-*"))


def files_in(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_there_are_files_of_each_format() -> None:
    assert [f"format-{number}" for number in range(1, FORMAT + 1)] == FORMATS


@pytest.mark.parametrize("version", FORMATS)
@pytest.mark.parametrize("name", LIVES)
def test_what_was_written_is_read(version: str, name: str) -> None:
    expected = msgspec.json.decode((GOLDEN / version / f"{name}.json").read_bytes(), type=Expected)

    loaded = read_state(GOLDEN / version / name)

    assert Expected.of(loaded) == expected
    assert loaded.is_complete
    assert verify_state(GOLDEN / version / name).is_ok


def test_what_is_written_is_of_the_format_that_it_says(tmp_path: Path) -> None:
    """To the byte: a change that needs another number shows here."""
    make(tmp_path / "made")

    assert files_in(tmp_path / "made") == files_in(GOLDEN / f"format-{FORMAT}")


@pytest.mark.parametrize("file", ["jour-00000001.bin", "snap-00000002.bin", "jour-00000003.bin"])
def test_a_format_to_come_is_refused(tmp_path: Path, file: str) -> None:
    shutil.copytree(GOLDEN / f"format-{FORMAT}" / "whole", tmp_path, dirs_exist_ok=True)
    path = tmp_path / file
    data = path.read_bytes()
    front = data[:8] + (FORMAT + 1).to_bytes(2, "little") + data[10:12]
    path.write_bytes(front + crc32(front).to_bytes(4, "little") + b"whatever that format has")
    message = (
        rf"^{file} in {tmp_path} has format {FORMAT + 1}, this program reads formats up to {FORMAT}: "
        r"start a later version of duenna, or point this one at another folder$"
    )

    if file == "jour-00000001.bin":
        assert read_state(tmp_path).is_complete  # older than the snapshot: nothing is read from it
    else:
        with pytest.raises(StateFormatError, match=message):
            read_state(tmp_path)
    with pytest.raises(StateFormatError, match=message):
        verify_state(tmp_path)
