"""The human log on disk, written by a thread of its own: a disk that hangs must not block whoever logs."""

import atexit
import re
import threading
from collections import deque
from itertools import groupby
from pathlib import Path
from typing import Final

from duenna.machines.backoff import Backoff
from duenna.records.dates import moment
from duenna.records.files import append
from duenna.records.retention import sweep

MOST_LINES: Final = 10_000
"""Lines that wait to be written; of more, the oldest are dropped, and counted."""

_PATTERN = re.compile(r"duenna-([0-9]{4})-([0-9]{2})-([0-9]{2})\.log")
_RETRY = Backoff.exponential(1.0, maximum=60.0, jitter="none")
_LAST_WORDS = 5.0  # seconds that the end of the program waits for a disk


class LogFile:
    """Files of lines, one a day, `duenna-YYYY-MM-DD.log` by the day in UTC.

    Old ones are removed when the first line of a day is written.

    Attributes:
        lost: Lines that were dropped, since too many waited or the disk took none at the end.
        error: Why nothing can be written now; empty if it can.
    """

    def __init__(self, folder: Path, retention_days: int | None) -> None:
        """Write to *folder*; keep files for so many days, None: for ever. The thread begins with the first line."""
        self._folder = folder
        self._days = retention_days
        self._lines: deque[tuple[float, str]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closing = False
        self._day = ""
        self.lost = 0
        self.error = ""

    def put(self, at: float, text: str) -> None:
        """Write *text*, a whole line, in the file for *at* (seconds since 1970); from any thread, never blocks."""
        with self._changed:
            if self._is_closing:
                self.lost += 1
                return
            if len(self._lines) >= MOST_LINES:
                self._lines.popleft()
                self.lost += 1
            self._lines.append((at, text))
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="duenna logs", daemon=True)
                self._thread.start()
                atexit.register(self.close)
            self._changed.notify()

    def close(self) -> None:
        """Write what waits and end the thread; waits five seconds for the disk at most. Safe to call twice."""
        atexit.unregister(self.close)
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(_LAST_WORDS)

    def _serve(self) -> None:
        failed = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines or self._is_closing)
                is_last = self._is_closing
                lines, self._lines = self._lines, deque()
            if not lines:
                return
            if self._write(lines):
                failed = 0
                continue
            failed += 1
            with self._changed:
                self._keep(lines)
                if is_last:
                    self.lost += len(self._lines)
                    return
                self._changed.wait_for(lambda: self._is_closing, _RETRY.delay(failed))

    def _keep(self, lines: deque[tuple[float, str]]) -> None:
        """Put *lines* back in front of those that came meanwhile."""
        lines.extend(self._lines)
        while len(lines) > MOST_LINES:
            lines.popleft()
            self.lost += 1
        self._lines = lines

    def _write(self, lines: deque[tuple[float, str]]) -> bool:
        """Write *lines*, taking away those that are written; return whether that is all."""
        try:
            for day, part in groupby(tuple(lines), lambda one: _day_of(one[0])):
                texts = [text for _, text in part]
                append(self._folder / f"duenna-{day}.log", "".join(texts).encode("utf-8", "backslashreplace"))
                if day != self._day and self._days is not None:
                    sweep(self._folder, _PATTERN, self._days, lines[0][0])
                self._day = day
                for _ in texts:
                    lines.popleft()
        except Exception as exc:  # noqa: BLE001  # whatever it is, the thread goes on with what comes
            self.error = str(exc) or type(exc).__name__
            return False
        self.error = ""
        return True


def _day_of(at: float) -> str:
    return moment(at).date().isoformat()
