"""Where a verb writes: a terminal with colours and a width, or a pipe with neither."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Self

from duenna_actors.client.text import clip, fit, width

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_STYLES: Final = {"green": "32", "yellow": "33", "red": "31", "cyan": "36", "dim": "2", "bold": "1"}
_UNLIMITED: Final = 10_000
_NARROWEST: Final = 40
_LEAST_REST: Final = 12
_GAP: Final = "  "


class Cell(str):
    """A piece of text and its style, one of the names of colours, or none."""

    __slots__ = ("style",)

    def __new__(cls, text: str, style: str = "") -> Self:
        """Hold *text*, which is visible."""
        made = super().__new__(cls, text)
        made.style = style
        return made

    style: str


class Terminal:
    """The standard output of a verb.

    Attributes:
        width: Columns of a line.
        is_colored: Whether styles are shown.
        is_unicode: Whether it takes more than ASCII.
    """

    def __init__(self) -> None:
        """Look at what the standard output is."""
        is_terminal = sys.stdout.isatty()
        self.is_colored = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.is_unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
        self.width = max(_columns(is_terminal=is_terminal), _NARROWEST)

    def line(self, *pieces: str) -> None:
        """Write the pieces as one line, cut to the width."""
        room = self.width
        shown: list[str] = []
        for piece in pieces:
            cut = clip(piece, room)
            room -= width(cut)
            shown.append(self._painted(cut, piece))
        sys.stdout.write("".join(shown).rstrip() + "\n")

    def whole(self, text: str) -> None:
        """Write *text*, which is visible, as one line, however long it is."""
        sys.stdout.write(text + "\n")

    def table(self, titles: Sequence[str], rows: Sequence[Sequence[str]], *, right: Iterable[int] = ()) -> None:
        """Write a table; columns are as wide as they must be, and the last one gets what is left.

        Args:
            titles: One for each column.
            rows: The cells, visible.
            right: Numbers of the columns that are flush right.
        """
        flush = set(right)
        last = len(titles) - 1
        filled = [index for index in range(last) if any(row[index] for row in rows)]
        widths = {index: max(width(titles[index]), *(width(row[index]) for row in rows)) for index in filled}
        self._narrow(widths)
        for number, row in enumerate([[Cell(title.upper(), "dim") for title in titles], *rows]):
            pieces: list[str] = []
            for index in filled:
                text = fit(row[index], widths[index], right=index in flush)
                pieces += [Cell(text, getattr(row[index], "style", "")), _GAP]
            self.line(*pieces, row[last] if number or any(row[last] for row in rows) else "")

    def document(self, document: Mapping[str, Any]) -> None:
        """Write *document* as JSON: ASCII, so that nothing in it reaches the terminal raw."""
        sys.stdout.write(json.dumps(document, indent=2) + "\n")

    def record(self, document: Any) -> None:
        """Write *document* as one line of JSON, at once."""
        sys.stdout.write(json.dumps(document, separators=(",", ":")) + "\n")
        sys.stdout.flush()

    def flush(self) -> None:
        """Let the reader see what was written."""
        sys.stdout.flush()

    def glyph(self, fancy: str, plain: str) -> str:
        """Return *fancy* where it can be shown, else *plain*."""
        return fancy if self.is_unicode else plain

    def _painted(self, text: str, piece: str) -> str:
        style = _STYLES.get(getattr(piece, "style", "")) if self.is_colored else None
        return f"\x1b[{style}m{text}\x1b[0m" if style and text.strip() else text

    def _narrow(self, widths: dict[int, int]) -> None:
        """Take from the widest column until the last one has room."""
        while widths and sum(widths.values()) + len(_GAP) * len(widths) > self.width - _LEAST_REST:
            widest = max(widths, key=lambda index: widths[index])
            if widths[widest] <= _LEAST_REST:
                return
            widths[widest] -= 1


class WallClock:
    """Tells moments of the bot's clock as the time of day here."""

    def __init__(self, now: float, at: float) -> None:
        """Know that *now* of the bot's clock is *at*, in seconds since 1970."""
        self._now = now
        self._at = at

    def text(self, moment: float | None) -> str:
        """Return the time of day, with the date if it was not within the last 20 hours; None: `-`."""
        return "-" if moment is None else wall_text(self._at + moment - self._now, self._at)

    def ago(self, moment: float | None) -> float | None:
        """Return how many seconds ago that was."""
        return None if moment is None else self._now - moment


def wall_text(moment: float, today: float) -> str:
    """Return *moment*, in seconds since 1970, as a time of day; with the date if it is far from *today*."""
    is_near = abs(today - moment) < 72_000  # noqa: PLR2004 - 20 hours
    try:
        return time.strftime("%H:%M:%S" if is_near else "%Y-%m-%d %H:%M:%S", time.localtime(moment))
    except (OverflowError, ValueError, OSError):
        return "-"


def _columns(*, is_terminal: bool) -> int:
    given = os.environ.get("COLUMNS", "")
    if given.isdigit() and int(given):
        return int(given)
    if not is_terminal:
        return _UNLIMITED
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except OSError:
        return 80
