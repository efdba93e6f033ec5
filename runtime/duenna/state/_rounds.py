"""The saves that were asked for: who comes while one is due shares it, and at most one a second begins."""

from typing import TYPE_CHECKING, Final

import attrs
import trio

from duenna.state._commits import durable
from duenna.state.events import SnapshotSaved
from duenna.state.report import SaveReport

if TYPE_CHECKING:
    from duenna.state.state import State

LEAST_PAUSE: Final = 1.0
"""Seconds between the beginnings of two saves, unless one is forced."""


@attrs.define(eq=False)
class Round:
    """One save.

    Attributes:
        is_forced: Whether it begins at once.
        done: Set when it is over.
        report: What became of it.
        error: Why it failed, None if it did not.
    """

    is_forced: bool
    done: trio.Event = attrs.field(factory=trio.Event, init=False)
    report: SaveReport | None = attrs.field(default=None, init=False)
    error: Exception | None = attrs.field(default=None, init=False)

    def end(self, report: SaveReport | None, error: Exception | None) -> None:
        """Tell who waits."""
        self.report, self.error = report, error
        self.done.set()


@attrs.define(eq=False)
class Rounds:
    """The saves of one runtime: the one that is due, and when the last began.

    Attributes:
        is_last_done: Whether the last save of all went well.
    """

    _state: "State"
    is_last_done: bool = attrs.field(default=False, init=False)
    _current: Round | None = attrs.field(default=None, init=False)
    _due: Round | None = attrs.field(default=None, init=False)
    _last: float = attrs.field(default=float("-inf"), init=False)
    _news: trio.Event = attrs.field(factory=trio.Event, init=False)

    def ask(self, *, force: bool = False) -> Round:
        """Return the save that is due, or one that is now."""
        if self._due is None:
            self._due = Round(force)
        elif force:
            self._due.is_forced = True
        self._news.set()
        self._state.captures.has_any.set()  # a runtime with nothing to save has not begun to wait for rounds
        return self._due

    async def wait_for(self, *, force: bool) -> SaveReport:
        """Ask for a save, and wait until it is over."""
        round_ = self.ask(force=force)
        await round_.done.wait()
        if round_.error is not None:
            raise round_.error
        assert round_.report is not None  # noqa: S101  # it has one or the other
        return round_.report

    async def next(self, interval: float) -> Round:
        """Wait until a save is to begin, after *interval* seconds at the latest; return it."""
        state = self._state
        self.is_last_done = False
        if self._current is not None:  # it was cut short: an incarnation of the writer has ended
            return self._current
        with trio.move_on_after(interval):
            while self._due is None:
                self._news = trio.Event()
                await self._news.wait()
        while not (due := self.ask()).is_forced and (wait := self._last + LEAST_PAUSE - state.now()) > 0:
            with trio.move_on_after(wait):
                self._news = trio.Event()
                await self._news.wait()
        await trio.lowlevel.checkpoint()
        self._current, self._due = due, None
        self._last = state.now()
        return due

    async def carry_out(self, due: Round) -> None:
        """Save whatever has changed. Cancelled, it is carried out by the next incarnation, or at the end."""
        state, began = self._state, self._state.now()
        error: Exception | None = None
        report: SaveReport | None = None
        try:
            busy, count, size = await state.collect()
            last = state.commits.last()
            seq = state.seq if last is None else await durable(last)
            report = SaveReport(
                seq=seq,
                changed=count,
                size=size,
                duration=state.now() - began,
                busy=tuple(busy),
                failed=dict(state.captures.failed),
            )
        except Exception as exc:  # noqa: BLE001  # whoever asked is told, and the next save is made all the same
            error = exc
        self._end(due, report, error)
        if report is not None and report.changed and state.wants(SnapshotSaved):
            state.post(
                SnapshotSaved(
                    time=state.now(),
                    path="/system/persistence",
                    seq=report.seq,
                    changed=report.changed,
                    size=report.size,
                    duration=report.duration,
                )
            )

    async def last(self) -> None:
        """Save whatever has changed, for whoever still waits for a save; for the end."""
        self.is_last_done = False
        due = self._current if self._current is not None else self.ask()
        if self._due is not None:  # the one that is cut short, if there is one, ends with it
            due, self._due = self._due, None
        await self.carry_out(due)
        self.is_last_done = due.report is not None and not due.report.failed

    def close(self, error: Exception) -> None:
        """Tell who waits that nothing is saved any more."""
        for due in (self._current, self._due):
            if due is not None:
                due.end(None, error)
        self._current = self._due = None

    def _end(self, due: Round, report: SaveReport | None, error: Exception | None) -> None:
        waiting = {id(each): each for each in (due, self._current) if each is not None}
        self._current = None
        for each in waiting.values():
            each.end(report, error)
