"""Death watch: one notice per watch, when the incarnation that is watched has ended."""

from typing import TYPE_CHECKING

import attrs

from duenna.mailbox import Envelope

if TYPE_CHECKING:
    from duenna._cell import Cell


@attrs.frozen(eq=False)
class Down:
    """The notice that a watched incarnation has ended.

    Attributes:
        path: Who ended.
        incarnation: Which one.
        reason: `"normal"`, `"shutdown"`, the exception, or `"noproc"` if there was no
            incarnation when the watch began.
    """

    path: str
    incarnation: int
    reason: str | BaseException


@attrs.define(eq=False)
class Watch:
    """One incarnation of *watcher* wants to know when the present incarnation of *target* ends."""

    watcher: "Cell"
    incarnation: int
    target: "Cell"
    is_live: bool = True
    has_fired: bool = False

    def notify(self, reason: str | BaseException) -> None:
        """Put the notice into the watcher's mailbox, full or not."""
        watcher = self.watcher
        self.has_fired = True
        if self.is_live and watcher.incarnation == self.incarnation:
            down = Down(path=self.target.path, incarnation=self.target.incarnation, reason=reason)
            watcher.enqueue(Notice(self, down))


class Notice(Envelope):
    """A `Down` in a mailbox; taking the watch back, or the watcher's end, makes it void."""

    __slots__ = ("_watch", "message")

    def __init__(self, watch: Watch, message: Down) -> None:
        """Carry *message* for *watch*."""
        self._watch = watch
        self.message = message

    def is_wanted(self, incarnation: int) -> bool:
        """Return whether the watch still stands, and is of this incarnation."""
        watch = self._watch
        if not watch.is_live or watch.incarnation != incarnation:
            return False
        watching = watch.watcher.more.watching
        if watching.get(watch.target) is watch:
            del watching[watch.target]  # delivered: nothing is left to take back
        return True
