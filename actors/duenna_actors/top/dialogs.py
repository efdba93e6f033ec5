"""Screens over the dashboard: a question that only `y` answers with yes, a choice, and a text to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from rich.text import Text
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from duenna_actors.top.paint import line, piece

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

_LEAVE: Final = "escape,q"


class Question(ModalScreen[bool]):
    """Asks whether to do something, and says what it would do; true only after `y`."""

    BINDINGS: ClassVar = [
        Binding("y", "answer(True)", show=False),
        Binding("n,escape,q,enter", "answer(False)", show=False),
    ]

    def __init__(self, title: str, sentences: Sequence[Text]) -> None:
        super().__init__(classes="dialog")
        self._title = title
        self._sentences = sentences

    def compose(self) -> ComposeResult:
        """Show the question in a box."""
        keys = line(piece(" y ", "key"), piece(" do it    "), piece(" n ", "key"), piece(" leave it"))
        with Vertical(classes="box"):
            yield Static(piece(self._title, "strong"))
            yield Static(Text("\n").join([Text(), *self._sentences, Text(), keys]), id="sentences")

    def action_answer(self, answer: bool) -> None:
        """Close with the answer."""
        self.dismiss(answer)


class Choice(ModalScreen[str | None]):
    """Lets one of several be chosen; None if nothing was."""

    BINDINGS: ClassVar = [Binding(_LEAVE, "leave", show=False)]

    def __init__(self, title: str, options: Sequence[tuple[str, Text]]) -> None:
        super().__init__(classes="dialog")
        self._title = title
        self._options = options

    def compose(self) -> ComposeResult:
        """Show the list in a box."""
        with Vertical(classes="box"):
            yield Static(piece(self._title, "strong"))
            yield OptionList(*(Option(text) for _, text in self._options), markup=False)
            yield Static(line(piece(" enter ", "key"), piece(" choose    "), piece(" esc ", "key"), piece(" leave it")))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Close with what was chosen."""
        self.dismiss(self._options[event.option_index][0])

    def action_leave(self) -> None:
        """Close with nothing."""
        self.dismiss(None)


class Page(ModalScreen[None]):
    """A text to read and to scroll, which may be replaced while it is shown."""

    BINDINGS: ClassVar = [
        Binding(f"{_LEAVE},enter", "leave", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
        Binding("pagedown,space", "scroll(10)", show=False),
        Binding("home", "scroll(-100000)", show=False),
        Binding("end", "scroll(100000)", show=False),
    ]

    def __init__(self, title: str, text: Text, *, at_end: bool = False) -> None:
        super().__init__(classes="page")
        self._title = title
        self._text = text
        self._at_end = at_end

    def compose(self) -> ComposeResult:
        """Show the title, the text, and how to leave."""
        yield Static(piece(f" {self._title}", "strong"), classes="title")
        with VerticalScroll(id="scroll", can_focus=False):
            yield Static(self._text, id="text")
        yield Static(
            line(piece(" esc ", "key"), piece(" back   "), piece(" ↑ ↓ ", "key"), piece(" scroll")), classes="keys"
        )

    def on_mount(self) -> None:
        """Go to the end, where the newest stands, if that is wanted."""
        if self._at_end:
            self.query_one("#scroll", VerticalScroll).scroll_end(animate=False)

    def replace(self, text: Text) -> None:
        """Show *text* instead, at the same place; at the end, stay at the end."""
        scroll = self.query_one("#scroll", VerticalScroll)
        was_at_end = scroll.scroll_y >= scroll.max_scroll_y
        self.query_one("#text", Static).update(text)
        if self._at_end and was_at_end:
            scroll.scroll_end(animate=False)

    def action_scroll(self, lines: int) -> None:
        """Scroll so many lines down."""
        self.query_one("#scroll", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_leave(self) -> None:
        """Close."""
        self.dismiss(None)
