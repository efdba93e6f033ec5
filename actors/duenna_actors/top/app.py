"""The live screen: what it is made of, how it is drawn, and what the keys do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, Final

from rich.text import Text
from textual.app import App
from textual.binding import Binding
from textual.containers import Horizontal
from textual.css.query import NoMatches
from textual.filter import Monochrome, NoColor
from textual.message import Message
from textual.widgets import Input, Static

from duenna_actors.top import lines, pages
from duenna_actors.top.acts import Acts
from duenna_actors.top.aside import WIDTH
from duenna_actors.top.aside import aside as beside
from duenna_actors.top.dialogs import Page
from duenna_actors.top.follow import Connected, Follower, Lost, News, Received
from duenna_actors.top.layout import KEYS, STYLE
from duenna_actors.top.lines import Contact
from duenna_actors.top.mirror import Mirror, OutOfStepError
from duenna_actors.top.paint import cut, line, piece
from duenna_actors.top.report import report_of, write_report
from duenna_actors.top.table import Tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from textual.app import ComposeResult

    from duenna_actors.client import Client

_REDRAWN: Final = 1.0  # seconds between two drawings when nothing comes: ages go on
_TOLD_FOR: Final = 12.0  # seconds for which a line about what a key did is shown
_INCIDENTS: Final = frozenset({"SupervisorGaveUp", "ChildParked"})  # events at which the bot takes one by itself
_LOW: Final = 28  # lines of a screen that is low
_HIGH: Final = 40
_WIDE: Final = 150  # columns of a screen that has room beside the timeline


class TopApp(Acts, App[None]):
    """A bot on one screen.

    Attributes:
        mirror: What is known of it.
        contact: Whether it is heard.
        told: The line about what a key did.
    """

    CSS = STYLE
    TITLE = "duenna top"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar = [
        Binding("r", "restart", show=False),
        Binding("s", "suspend", show=False),
        Binding("x", "stop", show=False),
        Binding("k", "stack", show=False),
        Binding("l", "log", show=False),
        Binding("b", "breaker", show=False),
        Binding("m", "mute", show=False),
        Binding("i", "incident", show=False),
        Binding("n", "next_need", show=False),
        Binding("enter", "details", show=False),
        Binding("slash", "filter", show=False, priority=True),  # so that what is typed at once goes to the filter
        Binding("escape", "unfilter", show=False),
        Binding("t", "timeline", show=False),
        Binding("question_mark", "help", show=False),
        Binding("q", "quit", show=False),
        Binding("ctrl+c,ctrl+q", "quit", show=False, priority=True),
    ]

    class Heard(Message):
        """Something came from the thread that listens."""

        def __init__(self, news: News) -> None:
            super().__init__()
            self.news = news

    def __init__(self, connect: Callable[[], Client], *, export: Path | None = None, interval: float = 5.0) -> None:
        """Show nothing yet.

        Args:
            connect: Finds the bot; called for each attempt, in a thread; may raise a `ClientError`.
            export: A file for the report; None: none is written.
            interval: Seconds between two writes of it.
        """
        super().__init__()
        if self.no_color:  # Textual would turn colours into shades of grey, which are colours, too
            self._filters = [NoColor() if isinstance(each, Monochrome) else each for each in self._filters]
        self.mirror = Mirror()
        self.contact = Contact(is_live=False)
        self.told = Text(end="")
        self._told_at = 0.0
        self._is_timeline_shown = True
        self._wanted = ""
        self._export = export
        self._interval = interval
        self._follower = Follower(connect, self._hear)

    @property
    def client(self) -> Client | None:
        """The way to the bot; None before the first connection."""
        return self._follower.client

    @property
    def actors(self) -> Tree:
        """The tree of actors."""
        return self.screen_stack[0].query_one("#tree", Tree)

    def now(self) -> float:
        """Return the viewer's time, in seconds."""
        return asyncio.get_running_loop().time()

    def compose(self) -> ComposeResult:
        """Lay out the screen."""
        yield Static(id="header")
        yield Static(id="needs")
        yield Tree(id="tree")
        yield Static(id="selected")
        with Horizontal(id="bottom"):
            yield Static(id="why")
            yield Static(id="aside")
        yield Static(id="told")
        yield Input(placeholder="show only actors that have ...", id="filter")
        yield Static(id="keys")

    def on_mount(self) -> None:
        """Begin to listen."""
        self.screen.set_focus(self.actors)
        self._follower.start()
        self.set_interval(_REDRAWN, self.draw)
        if self._export is not None:
            self.set_interval(self._interval, self._write)
        self.draw()

    def on_unmount(self) -> None:
        """Listen no more."""
        self._follower.stop()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.call_after_refresh(self.draw)

    def _hear(self, news: News) -> None:
        self.post_message(self.Heard(news))  # from another thread, which it allows

    def on_top_app_heard(self, message: Heard) -> None:
        """Take in what came, and draw it."""
        match message.news:
            case Received(kind, data):
                try:
                    self.mirror.take(kind, data, self.now())
                except OutOfStepError as exc:
                    self._follower.refuse(str(exc))
                    return
                self._follower.taken()
                if kind == "events":
                    self.refresh_log()
                    if any(event["type"] in _INCIDENTS for event in message.news.data):
                        self.refresh_incidents()
            case Connected():
                self.contact = Contact(is_live=True)
            case Lost(why, retry_in):
                self.contact = Contact(is_live=False, why=why, retry_at=self.now() + retry_in)
        self.draw()

    def draw(self) -> None:
        """Draw all of it as it is now."""
        if not self.screen_stack:
            return
        try:
            self._draw()
        except NoMatches:  # the screen is being taken down, and something came all the same
            return
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            self._put("told", piece(f" this bot speaks another version: {exc!r}", "bad"))

    def _draw(self) -> None:
        at, (width, height) = self.now(), self.size
        if self.told.plain and at - self._told_at > _TOLD_FOR:
            self.told = Text(end="")
        most_needs, most_why = (2, 4) if height < _LOW else (3, 6) if height < _HIGH else (5, 14)
        needs = lines.needs(self.mirror, most_needs, width)
        aside = WIDTH if width >= _WIDE else 0
        why = [piece(" WHY", "strong"), *lines.why(self.mirror, most_why, width - aside)]
        self._put("header", lines.header(self.mirror, self.contact, at, width))
        self._put("needs", _stacked(needs, width))
        self._put("why", _stacked(why, width - aside))
        self._put("aside", _stacked(beside(self.mirror, most_why + 1), aside))
        self._shown("needs", is_shown=bool(needs))
        self._shown("bottom", is_shown=self._is_timeline_shown)
        self._shown("aside", is_shown=bool(aside))
        self.actors.is_old = not self.contact.is_live
        self.actors.show(self.mirror, self._wanted, at)
        self._put("selected", cut(lines.selected(self.mirror, self.actors.row, at), width))
        lost = piece(f" {self.contact.why}", "bad") if self.contact.why and not self.contact.is_live else self.told
        self._put("told", cut(lost, width))
        self._put("keys", self._keys(width))

    def _keys(self, width: int) -> Text:
        parts = [line(piece(key, "key"), piece(f"{rest} ")) for key, rest in KEYS]
        if self._wanted:
            parts.insert(0, piece(f" showing {self._wanted!r}, esc: all ", "warn"))
        return cut(line(*parts), width)

    def _put(self, name: str, text: Text) -> None:
        self.screen_stack[0].query_one(f"#{name}", Static).update(text)

    def _shown(self, name: str, *, is_shown: bool) -> None:
        self.screen_stack[0].query_one(f"#{name}").display = is_shown

    def tell(self, text: str, tone: str = "plain") -> None:
        """Show *text* above the keys for a while."""
        self.told, self._told_at = piece(f" {text}", tone), self.now()
        self.draw()

    def on_tree_selected(self) -> None:
        """Show the whole of what the table cuts."""
        self.draw()

    def on_tree_opened(self) -> None:
        """Show details."""
        self.action_details()

    def action_timeline(self) -> None:
        """Show or hide the why-timeline."""
        self._is_timeline_shown = not self._is_timeline_shown
        self.draw()

    def action_help(self) -> None:
        """Show the keys."""
        self.push_screen(Page("duenna top: keys", pages.helping()))

    def action_next_need(self) -> None:
        """Select the actor of the next thing that needs the operator."""
        paths = [str(need["path"]) for need in self.mirror.header.get("needs", ()) if need["path"] in self.mirror.rows]
        if paths:
            here = paths.index(self.actors.path) + 1 if self.actors.path in paths else 0
            self.actors.go_to(paths[here % len(paths)])

    def action_filter(self) -> None:
        """Ask for a text that the shown actors have."""
        box = self.query_one("#filter", Input)
        box.display = True
        self.screen.set_focus(box)  # at once: `focus` would let the next key come first

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let a slash be a slash where text is typed, and do nothing where a dialog is open."""
        if action == "filter":
            return len(self.screen_stack) == 1 and not isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    def action_unfilter(self) -> None:
        """Show all actors."""
        box = self.query_one("#filter", Input)
        box.value = ""
        box.display = False
        self.screen.set_focus(self.actors)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        self._wanted = event.value.strip()
        self.draw()

    def on_input_submitted(self) -> None:
        """Go back to the tree, which stays filtered."""
        self.query_one("#filter", Input).display = False
        self.screen.set_focus(self.actors)

    async def _write(self) -> None:
        if not self.mirror.header or self._export is None:
            return
        report = report_of(self.mirror.header, [self.mirror.rows[path] for path in self.mirror.order])
        try:
            await asyncio.to_thread(write_report, report, self._export)
        except OSError as exc:
            self.tell(f"report was not written to {self._export}: {exc.strerror}", "bad")


def _stacked(texts: list[Text], width: int) -> Text:
    return Text("\n", end="").join([cut(text, width) for text in texts])
