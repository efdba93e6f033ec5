"""Appending to files: whole lines or nothing, on a disk that is full, gone, or taken away in between."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from duenna.records.error_log import PATTERN as ERRORS
from duenna.records.files import append, replace
from duenna.records.recovery_log import PATTERN as RECOVERY
from duenna.records.retention import Swept, sweep

from .kit import DAY, NEW_YEAR

if TYPE_CHECKING:
    from pathlib import Path

FULL_DISK = """
import errno, os, sys
from pathlib import Path
from duenna.records.files import append
file, ballast = Path("disk/logs/a.log"), Path("disk/ballast")
append(file, b"first\\n")
with ballast.open("wb") as output:
    try:
        while True:
            output.write(b"x" * 4096); output.flush()
    except OSError as exc:
        assert exc.errno == errno.ENOSPC
    os.ftruncate(output.fileno(), os.fstat(output.fileno()).st_size - 4096)
big = b"".join(b"%05d\\n" % n for n in range(5000))
for _ in range(3):
    try:
        append(file, big)
    except OSError as exc:
        assert exc.errno == errno.ENOSPC, exc
    else:
        raise AssertionError("it was written")
    assert file.read_bytes() == b"first\\n"
ballast.unlink()
append(file, big)
assert file.read_bytes() == b"first\\n" + big
"""


def run(command: list[str], folder: Path) -> tuple[int, str]:
    """Run *command* in *folder*; return how it ended, and what it said of that."""
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    return ended.returncode, ended.stderr


def test_the_folder_and_the_file_are_made_when_needed(tmp_path: Path) -> None:
    file = tmp_path / "a/b/c.log"

    append(file, b"one\n")
    append(file, b"two\n")

    assert file.read_bytes() == b"one\ntwo\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_folder_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    file = tmp_path / "a/b.log"
    append(file, b"one\n")
    file.unlink()
    file.parent.rmdir()

    append(file, b"two\n")

    assert file.read_bytes() == b"two\n"


def test_a_torn_line_is_ended_before_the_next(tmp_path: Path) -> None:
    """As a power failure leaves it: what follows is never glued to it."""
    file = tmp_path / "a.log"
    file.write_bytes(b'{"whole":1}\n{"torn":')

    append(file, b'{"next":2}\n')

    assert file.read_bytes().splitlines() == [b'{"whole":1}', b'{"torn":', b'{"next":2}']


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.log").symlink_to("/dev/full")

    with pytest.raises(OSError, match=r"No space left on device") as caught:
        append(tmp_path / "a.log", b"one\n")

    assert caught.value.errno == errno.ENOSPC


def test_what_a_full_disk_took_of_a_batch_is_taken_back(tmp_path: Path) -> None:
    """On a real one, of 1 MiB, in a mount namespace of its own; then there is room again."""
    (tmp_path / "disk").mkdir()
    apart = [shutil.which("unshare") or "/usr/bin/unshare", "-rm", "/bin/sh", "-c"]
    mount = "mount -t tmpfs -o size=1m tmpfs disk"
    try:
        is_allowed = run([*apart, mount], tmp_path)[0] == 0
    except FileNotFoundError:
        is_allowed = False
    if not is_allowed:
        pytest.skip("no right to mount a small disk")

    ended = run([*apart, f'{mount} && exec "$0" -c "$1"', sys.executable, FULL_DISK], tmp_path)

    assert ended == (0, "")


LIMITED = """
import resource, signal, sys
from pathlib import Path
from duenna.records.files import append
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
file = Path("a.log")
append(file, b"first\\n")
try:
    append(file, b"second\\n")
except OSError:
    pass
else:
    raise AssertionError("it was written")
assert file.read_bytes() == b"first\\n", file.read_bytes()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
append(file, b"second\\n")
assert file.read_bytes() == b"first\\nsecond\\n"
"""


def test_what_was_written_of_a_batch_before_an_error_is_taken_back(tmp_path: Path) -> None:
    assert run([sys.executable, "-c", LIMITED], tmp_path) == (0, "")


KILLED = """
from pathlib import Path
from duenna.records.files import append
number = 0
while True:
    append(Path("a.log"), b"".join(b"%08d|%s\\n" % (number + n, b"x" * 500) for n in range(100)))
    number += 100
    print(number, flush=True)
"""


def test_after_a_kill_every_line_that_was_acknowledged_is_there(tmp_path: Path) -> None:
    """At most the last line is torn, and the next start goes on below it."""
    command = [sys.executable, "-c", KILLED]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        assert process.stdout is not None
        acknowledged = max(int(next(process.stdout)) for _ in range(20))
        process.send_signal(signal.SIGKILL)
        process.wait()

    append(tmp_path / "a.log", b"next\n")

    *lines, last = (tmp_path / "a.log").read_bytes().splitlines()
    whole = [line for line in lines if len(line) == 509]
    assert last == b"next"
    assert [int(line[:8]) for line in whole] == list(range(len(whole)))
    assert len(whole) >= acknowledged
    assert len(lines) - len(whole) <= 1


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "exports/all.json"
    replace(file, b"old")

    replace(file, b"new")

    assert file.read_bytes() == b"new"
    assert [entry.name for entry in file.parent.iterdir()] == ["all.json"]


def test_a_replacement_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder/inside").mkdir(parents=True)

    with pytest.raises(OSError, match="folder"):
        replace(tmp_path / "folder", b"new")

    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


# -- retention -------------------------------------------------------------------


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()
        os.utime(folder / name, (0, 0))  # as old as can be: the date in the name is what counts


def test_files_are_removed_by_the_date_in_their_names(tmp_path: Path) -> None:
    """30 days after New Year, a file of New Year's Eve is 31 days old."""
    touch(tmp_path, "errors_20251230.jsonl", "errors_20251231.jsonl", "errors_20260101.jsonl", "errors_20260131.jsonl")

    swept = sweep(tmp_path, ERRORS, 30, NEW_YEAR + 30 * DAY + 5)

    assert swept == Swept(("errors_20251230.jsonl", "errors_20251231.jsonl"), ())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["errors_20260101.jsonl", "errors_20260131.jsonl"]


def test_what_is_no_file_of_the_log_is_left_alone(tmp_path: Path) -> None:
    strangers = [
        "errors_20200101.jsonl.bak",
        "my_errors_20200101.jsonl",
        "errors_2020101.jsonl",
        "errors_20200231.jsonl",
        "errors_00000101.jsonl",
        "errors_\uff12\uff10\uff12\uff10\uff10\uff11\uff10\uff11.jsonl",
        "recovery-2020-01-01.log",
        "notes.txt",
    ]
    touch(tmp_path, *strangers)
    (tmp_path / "errors_20200102.jsonl").mkdir()
    (tmp_path / "errors_20200103.jsonl").symlink_to(tmp_path / "notes.txt")

    assert sweep(tmp_path, ERRORS, 1, NEW_YEAR) == Swept((), ())
    assert len(list(tmp_path.iterdir())) == len(strangers) + 2


def test_the_recovery_log_has_names_of_its_own(tmp_path: Path) -> None:
    touch(tmp_path, "recovery-2025-12-01.log", "errors_20251201.jsonl")

    assert sweep(tmp_path, RECOVERY, 7, NEW_YEAR).removed == ("recovery-2025-12-01.log",)


def test_files_of_days_to_come_are_kept(tmp_path: Path) -> None:
    """A clock that was set back must not cost a log."""
    touch(tmp_path, "errors_20990101.jsonl")

    assert sweep(tmp_path, ERRORS, 1, NEW_YEAR).removed == ()


def test_a_folder_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    assert sweep(tmp_path / "nowhere", ERRORS, 1, NEW_YEAR) == Swept((), ())


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path) -> None:
    touch(tmp_path, "a file")

    (error,) = sweep(tmp_path / "a file", ERRORS, 1, NEW_YEAR).errors

    assert error.errno == errno.ENOTDIR


def test_what_cannot_be_removed_is_an_error_and_keeps_nothing_else(tmp_path: Path) -> None:
    """The disk is read-only, or the folder somebody else's: here, a name that another sweep has taken is no error."""
    touch(tmp_path, "errors_20200101.jsonl", "errors_20200102.jsonl")

    class Held(type(tmp_path)):  # type: ignore[misc]  # the concrete class of paths here
        def unlink(self, missing_ok: bool = False) -> None:
            if self.name == "errors_20200101.jsonl":
                raise PermissionError(errno.EPERM, "not permitted", str(self))
            if self.name == "errors_20200102.jsonl":
                raise FileNotFoundError
            super().unlink(missing_ok)

    touch(tmp_path, "errors_20200103.jsonl")

    swept = sweep(Held(tmp_path), ERRORS, 1, NEW_YEAR)

    assert (swept.removed, [error.errno for error in swept.errors]) == (("errors_20200103.jsonl",), [errno.EPERM])
