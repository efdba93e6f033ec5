"""The recovery log read from its end: pages, damage, and what changes meanwhile."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from duenna.records import RecoveryRecord, RecoveryStatus, format_recovery_line
from duenna_actors.console.api.log_files import PIECE, Found, Place, read_back

if TYPE_CHECKING:
    from pathlib import Path

DAY = date(2026, 3, 2)
MIDNIGHT = 1_772_409_600.0  # 2026-03-02T00:00:00Z


def line(number: int, error: str = "", *, at: float = MIDNIGHT) -> bytes:
    record = RecoveryRecord(at + number, f"action_{number}", RecoveryStatus.SUCCESS, error, 1)
    return format_recovery_line(record).encode() + b"\n"


def write(folder: Path, day: str, data: bytes) -> Path:
    file = folder / f"recovery-{day}.log"
    file.write_bytes(data)
    return file


def everything(_record: RecoveryRecord) -> bool:
    return True


def start(days: int = 1) -> Place:
    return Place(DAY, None, date.fromordinal(DAY.toordinal() - days + 1))


def names(found: Found) -> list[str]:
    return [record.action_type for record in found.records]


def pages(folder: Path, place: Place, most: int) -> tuple[list[str], int]:
    """Return what all pages hold together, and how many lines were damaged."""
    told, damaged = list[str](), 0
    while not place.is_over:
        found = read_back(folder, place, most, everything)
        told += names(found)
        damaged += found.damaged
        place = found.place
    return told, damaged


def test_no_folder_is_no_lines(tmp_path: Path) -> None:
    found = read_back(tmp_path / "none", start(90), 10, everything)

    assert names(found) == []
    assert found.place.is_over


def test_the_newest_come_first_over_days(tmp_path: Path) -> None:
    write(tmp_path, "2026-03-01", line(1) + line(2))
    write(tmp_path, "2026-03-02", line(3) + line(4))

    assert names(read_back(tmp_path, start(2), 10, everything)) == ["action_4", "action_3", "action_2", "action_1"]
    assert names(read_back(tmp_path, start(1), 10, everything)) == ["action_4", "action_3"]


@pytest.mark.parametrize("most", [1, 2, 3, 7, 1000])
def test_pages_hold_every_line_once(tmp_path: Path, most: int) -> None:
    """Also where a block of reading ends in a line."""
    wide = "x" * 900
    write(tmp_path, "2026-03-01", b"".join(line(number, wide) for number in range(150)))
    write(tmp_path, "2026-03-02", b"".join(line(number, wide) for number in range(150, 300)))

    assert pages(tmp_path, start(2), most) == ([f"action_{number}" for number in reversed(range(300))], 0)


def test_a_place_survives_what_is_appended_and_a_new_day(tmp_path: Path) -> None:
    file = write(tmp_path, "2026-03-02", line(1) + line(2) + line(3))
    found = read_back(tmp_path, start(2), 1, everything)
    file.write_bytes(file.read_bytes() + line(4))
    write(tmp_path, "2026-03-03", line(5))

    assert names(found) == ["action_3"]
    assert names(read_back(tmp_path, found.place, 10, everything)) == ["action_2", "action_1"]


@pytest.mark.parametrize(
    ("damage", "damaged"),
    [
        (b"torn", 1),
        (line(9)[:-1], 1),  # whole, as it seems, but not ended: it may be a part
        (b"torn\n", 1),
        (b"\x00" * 100 + b"\n", 1),
        (b"\xff\xfe\n", 1),
        (b"\n\n\n", 0),
        (b"a | b | c | d | e\n", 1),
        (b"2026-03-02T00:00:00Z | a | success | \\q | 1\n", 1),
        (b"x" * (3 * PIECE) + b"\n", 1),
        (b"x" * (3 * PIECE), 1),
        (b"x" * (PIECE - 1) + b"\n", 1),
        (b"x" * PIECE + b"\n", 1),
    ],
)
def test_damage_is_counted_and_left_out(tmp_path: Path, damage: bytes, damaged: int) -> None:
    """What lies before it and behind it is found."""
    write(tmp_path, "2026-03-02", line(1) + damage + (line(2) if damage.endswith(b"\n") else b""))

    told, counted = pages(tmp_path, start(), 1000)

    assert told == (["action_2", "action_1"] if damage.endswith(b"\n") else ["action_1"])
    assert counted == damaged


def test_a_file_that_became_shorter_is_read_from_its_end(tmp_path: Path) -> None:
    file = write(tmp_path, "2026-03-02", line(1) + line(2) + line(3))
    place = read_back(tmp_path, start(), 1, everything).place
    file.write_bytes(line(1))

    assert names(read_back(tmp_path, place, 10, everything)) == ["action_1"]


@pytest.mark.parametrize("offset", [0, 1, 17, 10**14])
def test_a_made_up_place_harms_nobody(tmp_path: Path, offset: int) -> None:
    write(tmp_path, "2026-03-02", line(1) + line(2))

    found = read_back(tmp_path, Place(DAY, offset, DAY), 10, everything)

    assert set(names(found)) <= {"action_1", "action_2"}
    assert found.place.is_over


def test_one_turn_reads_no_more_than_its_share(tmp_path: Path) -> None:
    """With a filter that finds nothing, it comes back all the same, with the place to go on from."""
    write(tmp_path, "2026-03-02", line(1, "x" * 900) * 5000)

    found = read_back(tmp_path, start(), 10, lambda record: False)

    assert not found.place.is_over
    assert names(found) == []
    assert found.place.offset is not None
    assert found.place.offset > 3_000_000


def test_what_lies_there_and_is_no_file_is_an_error_of_the_disk(tmp_path: Path) -> None:
    """A folder may hold entries and so have a size: reading it fails as a bad disk does."""
    (tmp_path / "recovery-2026-03-02.log").mkdir()

    with pytest.raises(OSError, match="directory"):
        read_back(tmp_path, start(), 10, everything)
