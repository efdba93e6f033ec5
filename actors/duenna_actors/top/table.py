"""The tree of actors, of which only the lines on the screen are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from duenna_actors.top.columns import Column, Item, fitting, heading, painted, tree
from duenna_actors.top.mirror import Mirror

if TYPE_CHECKING:
    from rich.text import Text
    from textual import events
    from textual.app import App

_HEADING: Final = 1
_CURSOR: Final = Style(bgcolor="#24405e", bold=True)
_CURSOR_PLAIN: Final = Style(reverse=True)
_OLD: Final = Style(dim=True)


class Tree(ScrollView, can_focus=True):
    """The actors, one of them selected.

    Attributes:
        path: The one that is selected; empty if there is none.
        is_old: Whether what is shown may not be true any more: it is drawn dim.
    """

    BINDINGS: ClassVar = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end", "move(1000000)", show=False),
    ]

    class Selected(Message):
        """Another actor was selected."""

    class Opened(Message):
        """Details of the selected actor are wanted."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.path = ""
        self.is_old = False
        self._mirror = Mirror()
        self._now = 0.0
        self._items: list[Item] = []
        self._index = 0
        self._fitted: tuple[int, list[Column]] | None = None  # made anew when the width or the tree changes

    @property
    def row(self) -> dict[str, Any] | None:
        """The selected actor's row; None if there is none."""
        return self._mirror.rows.get(self.path)

    def show(self, mirror: Mirror, wanted: str, at: float) -> None:
        """Draw what *mirror* has at the viewer's time *at*, of actors that have *wanted*."""
        self._mirror, self._now = mirror, mirror.now(at)
        self._items = tree(mirror, wanted)
        self._fitted = None
        self.virtual_size = Size(0, len(self._items) + _HEADING)
        self._find()
        self.refresh()

    def _find(self) -> None:
        """Stay with the selected actor; if it is gone, with the line where it was."""
        found = next((index for index, item in enumerate(self._items) if item.row["path"] == self.path), None)
        self._select(self._index if found is None else found)

    def _select(self, index: int) -> None:
        self._index = max(0, min(index, len(self._items) - 1))
        path = str(self._items[self._index].row["path"]) if self._items else ""
        if path != self.path:
            self.path = path
            self.post_message(self.Selected())

    def go_to(self, path: str) -> None:
        """Select the actor *path*, if it is shown."""
        found = next((index for index, item in enumerate(self._items) if item.row["path"] == path), None)
        if found is not None:
            self._select(found)
            self._scroll()

    def action_move(self, lines: int) -> None:
        """Select the actor so many lines below."""
        self._select(self._index + lines)
        self._scroll()

    def action_page(self, pages: int) -> None:
        """Select the actor so many pages below."""
        self.action_move(pages * max(1, self.size.height - _HEADING - 1))

    def _scroll(self) -> None:
        top, height = int(self.scroll_offset.y), max(1, self.size.height - _HEADING)
        if self._index < top:
            self.scroll_to(y=self._index, animate=False)
        elif self._index >= top + height:
            self.scroll_to(y=self._index - height + 1, animate=False)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Select the line under the pointer; a second time opens it."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y < _HEADING:
            return
        index = offset.y - _HEADING + int(self.scroll_offset.y)
        if index >= len(self._items):
            return
        if index == self._index and event.chain > 1:
            self.post_message(self.Opened())
        self._select(index)
        self.refresh()

    def on_resize(self) -> None:
        """Keep the selected line on the screen."""
        self._scroll()

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        width = self.size.width
        if self._fitted is None or self._fitted[0] != width:
            self._fitted = (width, fitting(width, self._items))
        columns = self._fitted[1]
        if y < _HEADING:
            return self._strip(heading(columns), width, None)
        index = y - _HEADING + int(self.scroll_offset.y)
        if index >= len(self._items):
            return Strip.blank(width, self.rich_style)
        text = painted(columns, self._items[index], self._now)
        return self._strip(text, width, self._overlay(is_cursor=index == self._index))

    @property
    def _host(self) -> App[Any]:
        return self.app  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # of a type of its own

    def _overlay(self, *, is_cursor: bool) -> Style | None:
        if is_cursor:
            return _CURSOR_PLAIN if self._host.no_color else _CURSOR
        return _OLD if self.is_old else None

    def _strip(self, text: Text, width: int, overlay: Style | None) -> Strip:
        text.truncate(width, pad=True)
        segments = Segment.apply_style(text.render(self._host.console), self.rich_style, overlay)
        return Strip(list(segments), width)
