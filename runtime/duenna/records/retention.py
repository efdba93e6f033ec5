"""Which files of a log are too old: by the date in their names, never by their times, which a copy changes."""

import re
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from duenna.records.dates import moment


class Swept(NamedTuple):
    """What a sweep did.

    Attributes:
        removed: Names of the files that are gone now, sorted.
        errors: What could not be removed, or listed.
    """

    removed: tuple[str, ...]
    errors: tuple[OSError, ...]


def sweep(folder: Path, pattern: re.Pattern[str], keep: int, now: float) -> Swept:
    """Remove the files in *folder* whose day is more than *keep* days before that of *now*.

    A line is so kept for *keep* days at least. Only regular files whose whole name matches and
    has a date that exists are touched; a folder that is not there has none.

    Args:
        folder: Where to look; not below it.
        pattern: Of the names; its groups are year, month and day.
        keep: Days, at least 0.
        now: Seconds since 1970-01-01T00:00:00Z.
    """
    today, removed, errors = moment(now).date(), list[str](), list[OSError]()
    try:
        files = sorted(folder.iterdir())
    except FileNotFoundError:
        return Swept((), ())
    except OSError as exc:
        return Swept((), (exc,))
    for file in files:
        day = _day(pattern.fullmatch(file.name))
        if day is None or today - day <= timedelta(days=keep):
            continue
        try:
            if file.is_file() and not file.is_symlink():
                file.unlink()
                removed.append(file.name)
        except FileNotFoundError:
            continue  # somebody else was faster
        except OSError as exc:
            errors.append(exc)
    return Swept(tuple(removed), tuple(errors))


def _day(name: re.Match[str] | None) -> date | None:
    if name is not None:
        with suppress(ValueError):  # the 31st of February is nobody's file of ours
            return date(*map(int, name.groups()))
    return None
