"""The files of the human log: one a day, old ones removed, bounded while the disk fails, whole at the end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from duenna._log_file import MOST_LINES, LogFile

from .kit import DAY, NEW_YEAR

if TYPE_CHECKING:
    from pathlib import Path


def test_each_line_is_in_the_file_of_its_day(tmp_path: Path) -> None:
    file = LogFile(tmp_path, None)

    for number in range(4):
        file.put(NEW_YEAR + number * DAY / 2, f"{number}\n")
    file.close()

    assert {entry.name: entry.read_text() for entry in tmp_path.iterdir()} == {
        "duenna-2026-01-01.log": "0\n1\n",
        "duenna-2026-01-02.log": "2\n3\n",
    }
    assert (file.lost, file.error) == (0, "")


def test_old_files_go_with_the_first_line_of_a_day(tmp_path: Path) -> None:
    for day in ("2025-12-30", "2025-12-31", "2026-01-01"):
        (tmp_path / f"duenna-{day}.log").touch()
    file = LogFile(tmp_path, 1)

    file.put(NEW_YEAR, "new year\n")
    file.put(NEW_YEAR + 1, "later\n")
    file.close()

    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["duenna-2025-12-31.log", "duenna-2026-01-01.log"]


def test_a_line_after_the_end_is_counted_as_lost(tmp_path: Path) -> None:
    file = LogFile(tmp_path, None)
    file.close()
    file.close()

    file.put(NEW_YEAR, "late\n")

    assert file.lost == 1
    assert list(tmp_path.iterdir()) == []


def test_of_too_many_lines_the_oldest_are_lost_and_the_rest_is_written_when_the_disk_is_back(tmp_path: Path) -> None:
    """The end is one more try: the file is in the way until then."""
    (tmp_path / "logs").touch()
    file = LogFile(tmp_path / "logs", None)

    for number in range(MOST_LINES + 50):
        file.put(NEW_YEAR, f"{number}\n")
    while not file.error:
        threading.Event().wait(0)
    (tmp_path / "logs").unlink()
    file.close()

    lines = (tmp_path / "logs/duenna-2026-01-01.log").read_text().split()
    assert lines[-1] == str(MOST_LINES + 49)
    assert len(lines) + file.lost == MOST_LINES + 50
    assert len(lines) <= MOST_LINES


def test_a_text_that_is_no_unicode_is_written_all_the_same(tmp_path: Path) -> None:
    file = LogFile(tmp_path, None)

    file.put(NEW_YEAR, "\udcff\n")
    file.close()

    assert (tmp_path / "duenna-2026-01-01.log").read_text() == "\\udcff\n"


def test_a_folder_that_cannot_be_is_an_error_and_no_end(tmp_path: Path) -> None:
    """What is no OSError ends the thread as little."""
    file = LogFile(tmp_path / "a\0b", None)
    file.put(NEW_YEAR, "lost\n")
    file.close()

    assert file.lost == 1
    assert "embedded null" in file.error
