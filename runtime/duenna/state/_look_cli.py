"""`duenna state show`, `verify` and `export`: they take no lock and change nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from duenna.records.dates import timestamp
from duenna.records.files import replace
from duenna.state._chosen import chosen
from duenna.state._documents import entry_documents, seen_document
from duenna.state._lines import ago, damage_line, entry_lines, one_line, size_text, table
from duenna.state._look import Seen, folder_of, look, look_over
from duenna.state._readable import text_of, unpacked
from duenna.wallclock import wall_time

if TYPE_CHECKING:
    import argparse

    from duenna.storage import FileReport

WELL: Final = 0
DAMAGED: Final = 1

_FILE_HEADS: Final = ("file", "kind", "records", "commit", "size", "")


def show(arguments: argparse.Namespace) -> int:
    """List what is stored, or print the values of one path; return 1 if something acknowledged is missing.

    Raises:
        OSError: It cannot be looked at.
        StateError: It cannot be read.
        ValueError: There is no state, or nothing of that path.
    """
    seen, now = look(folder_of(arguments.directory)), wall_time()
    entries, wanted = seen.loaded.entries, arguments.path
    keys = sorted(entries) if wanted is None else chosen(entries, wanted)
    if wanted is not None and not keys:
        raise ValueError(f"nothing is stored of {wanted} in {seen.folder}")
    if arguments.json:
        documents = entry_documents(entries, keys, now, has_values=wanted is not None)
        _write({**seen_document(seen, now), "entries": documents})
    elif wanted is None:
        print("\n".join([*_heading(seen, now), "", *entry_lines(entries, now)]))
    else:
        print("\n".join(entry_lines({key: entries[key] for key in keys}, now)))
        for key in keys:
            print(f"\n{one_line(key)}")
            _write(unpacked(entries[key].data))
    return WELL if seen.loaded.is_complete else DAMAGED


def export(arguments: argparse.Namespace) -> int:
    """Write all that is stored as one document; return 1 if something acknowledged is missing.

    Raises:
        OSError: It cannot be looked at, or written.
        StateError: It cannot be read.
        ValueError: There is no state, or the file must not be there.
    """
    folder = folder_of(arguments.directory)
    target = None if arguments.output in {None, "-"} else _target(arguments.output, folder)
    seen, now = look(folder), wall_time()
    entries = seen.loaded.entries
    document: dict[str, object] = {
        "exported_at": timestamp(now),
        **seen_document(seen, now),
        "entries": entry_documents(entries, sorted(entries), now, has_values=True),
    }
    if target is None:
        _write(document)
    else:
        replace(target, text_of(document))
    for damage in seen.damages:
        print(f"duenna state export: {damage_line(damage)}", file=sys.stderr)
    return WELL if seen.loaded.is_complete else DAMAGED


def verify(arguments: argparse.Namespace) -> int:
    """Say of every file what it is and what is wrong with it; return 1 if anything is.

    Raises:
        OSError: It cannot be looked at.
        StateError: It cannot be read.
        ValueError: There is no state.
    """
    report, seen = look_over(folder_of(arguments.directory))
    damaged = {damage.where for damage in seen.damages}
    rows = [_file_row(file, seen, is_damaged=file.name in damaged) for file in report.files]
    print("\n".join([*_heading(seen, wall_time()), "", *table([_FILE_HEADS, *rows])]))
    loaded = seen.loaded
    print(f"\na start would read {loaded.source or 'nothing'}: {len(loaded.entries)} entries as of commit {loaded.seq}")
    print(f"{len(seen.damages)} damaged" if seen.damages else "all is well")
    return DAMAGED if seen.damages else WELL


def _target(output: str, folder: str) -> Path:
    path = Path(os.path.realpath(output))  # of a link, the file that it names
    if path.is_dir():
        raise ValueError(f"--output must be a file, {output!r} is a directory")
    if path.exists() and not path.is_file():  # root may put a file in the place of /dev/null
        raise ValueError(f"--output must be a file, {output!r} is a device or a pipe")
    if not path.parent.is_dir():
        raise ValueError(f"--output must be in a directory that is there, got {output!r}")
    if path.parent.samefile(folder):
        raise ValueError(f"--output must not be in the folder of the state itself, got {output!r}")
    return path


def _heading(seen: Seen, now: float) -> list[str]:
    loaded = seen.loaded
    saved = "never saved"
    if loaded.saved_at is not None:
        saved = f"saved {timestamp(loaded.saved_at)}, {ago(now - loaded.saved_at)}"
    if seen.holder:
        end = f"in use by {seen.holder}"
    else:
        end = "closed in order" if loaded.was_clean else "not closed in order: its last owner crashed, or was killed"
    lines = [
        f"{seen.folder}: commit {loaded.seq}, {len(loaded.entries)} entries, {size_text(loaded.size)}",
        f"{saved}; {end}",
        *(f"damaged: {damage_line(damage)}" for damage in seen.damages),
    ]
    return list(map(one_line, lines))


def _file_row(file: FileReport, seen: Seen, *, is_damaged: bool) -> tuple[str, ...]:
    return (
        file.name,
        file.kind,
        str(file.records),
        str(file.last),
        size_text(file.size),
        one_line(_state_of(file, seen, is_damaged=is_damaged)),
    )


def _state_of(file: FileReport, seen: Seen, *, is_damaged: bool) -> str:
    if is_damaged:
        return f"DAMAGED: {file.fault or 'see above'}"
    if not file.is_used:
        return f"not used: {file.fault or 'was set aside'}"
    if not file.fault:
        return "ok"
    why = "is being written" if seen.is_being_written else "is as a crash left it, and was made good"
    return f"ok, its end {why}: {file.fault}"


def _write(document: object) -> None:
    sys.stdout.write(text_of(document).decode())
