"""The desk: answers every question of a viewer about one runtime.

A snapshot is built in slices of about a millisecond and shared by everybody who asks within
0.2 s; what nobody asks for is not made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs
import trio

from duenna import Runtime
from duenna.inspection import Inspector
from duenna.machines.health import Overall
from duenna.wallclock import WallTime, wall_time
from duenna_actors.console.view import details, guards
from duenna_actors.console.view.alerting import AlertDesk
from duenna_actors.console.view.dry_runs import dry_run
from duenna_actors.console.view.errors import ErrorDesk
from duenna_actors.console.view.facts import BotDesk, kpi_rows, loop_of, state_of
from duenna_actors.console.view.history import DAY
from duenna_actors.console.view.memory import ConsoleMemory
from duenna_actors.console.view.model import Charts, Header, Snapshot
from duenna_actors.console.view.needs import Situation, needs
from duenna_actors.console.view.rows import RowBook
from duenna_actors.console.view.slices import Slices
from duenna_actors.console.view.urgency import Troubles

if TYPE_CHECKING:
    from duenna.stacks import TaskStack
    from duenna_actors.console.view.model import (
        BreakerRow,
        Details,
        DryRun,
        ErrorRow,
        MailboxDetails,
        Row,
    )

SHARED_FOR: Final = 0.2
"""Seconds for which one snapshot serves all who ask."""

PATIENCE: Final = 1.0
"""Seconds for which the counters of an actor that just handles its messages may be old."""

MOST_CHARTED: Final = 200


@attrs.define(eq=False)
class Desk:
    """Everything that can be asked about one runtime.

    Attributes:
        runtime: The runtime.
        memory: What is known from events.
        name: The bot's name; empty: that of its tree.
        version: The bot's version, empty if it has none.
        wall: The wall clock.
        viewers: How many look at the live stream; the hub says so.
        operations: Gives the ids of operations that are under way.
        interval: Seconds between two ticks at present; the hub says so.
    """

    runtime: Runtime
    memory: ConsoleMemory
    name: str = attrs.field(default="", kw_only=True)
    version: str = attrs.field(default="", kw_only=True)
    wall: WallTime = attrs.field(default=wall_time, kw_only=True)
    viewers: int = attrs.field(default=0, init=False)
    operations: Callable[[], tuple[str, ...]] = attrs.field(default=tuple, init=False)
    interval: float = attrs.field(default=SHARED_FOR, init=False)
    slices: Slices = attrs.field(factory=Slices, init=False)
    alerting: AlertDesk = attrs.field(init=False)
    _inspector: Inspector = attrs.field(init=False)
    _book: RowBook = attrs.field(factory=RowBook, init=False)
    _bot: BotDesk = attrs.field(init=False)
    _errors: ErrorDesk = attrs.field(init=False)
    _last: Snapshot | None = attrs.field(default=None, init=False)
    _building: trio.Event | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        """Listen to the runtime, and set up the parts."""
        self.memory.attach(self.runtime)
        self.alerting = AlertDesk(self.runtime)
        self._inspector = Inspector(self.runtime, PATIENCE)
        self._bot = BotDesk(self.runtime, self.wall, self.name, self.version)
        self._errors = ErrorDesk(self.runtime, self.memory.errors_by_minute)

    # -- the whole -------------------------------------------------------------

    async def snapshot(self, *, newest: bool = False) -> Snapshot:
        """Return the whole; at most 0.2 s old.

        Cancelled, whoever waits for the same one builds it instead.

        Args:
            newest: Make it anew unless it is being made just now.
        """
        await trio.lowlevel.checkpoint()
        while self._building is not None:
            await self._building.wait()
            if self._is_fresh():
                newest = False
        last = self._last
        if last is not None and not newest and self._is_fresh():
            return last
        done = self._building = trio.Event()
        try:
            last = self._last = await self._build()
        finally:
            self._building = None
            done.set()
        return last

    async def header(self) -> Header:
        """Return all of the snapshot but its tree."""
        return (await self.snapshot()).header

    def _is_fresh(self) -> bool:
        return self._last is not None and 0.0 <= self.runtime.now() - self._last.header.now < SHARED_FOR

    async def _build(self) -> Snapshot:
        alerting = await self.alerting.look()
        slices = self.slices
        slices.begin()
        try:
            found: list[BreakerRow] = []
            for breaker in guards.used_breakers(self.runtime, self.memory.told_guards):
                found.append(breaker)
                if slices.is_full:
                    await slices.pause()
            breakers = guards.in_order(found)
            rows, troubles = await self._rows(guards.by_actor(breakers, self.memory))
            await slices.pause()
            report = self.runtime.system.monitor.report(self._inspector.services)
            await slices.pause()
            now, memory = self.runtime.now(), self.memory
            memory.ticks += 1
            bot, loop, state = self._bot.bot(), loop_of(self.runtime), state_of(self.runtime)
            header = Header(
                id=memory.ticks,
                now=now,
                at=self.wall(),
                interval=self.interval,
                bot=bot,
                overall=str(report.overall),
                issues=report.issues,
                needs=needs(
                    troubles,
                    Situation(
                        now=now,
                        breakers=breakers,
                        loop=loop,
                        bot=bot,
                        state=state,
                        since=self.memory.history.since,
                        issues=report.issues if report.overall is Overall.UNHEALTHY else (),
                    ),
                ),
                loop=loop,
                errors=self._errors.errors(),
                breakers=breakers,
                alerts=alerting.alerts,
                silences=alerting.silences,
                why=memory.why.rows(now),
                kpis=kpi_rows(report),
                state=state,
                viewers=self.viewers,
                dead_letters=self.runtime.dead_letters,
                operations=self.operations(),
            )
            return Snapshot(header=header, rows=rows)
        finally:
            slices.end()

    async def _rows(self, breakers: dict[str, tuple[str, ...]]) -> tuple[tuple[Row, ...], Troubles]:
        """Return all rows, and those about which something is urgent."""
        rows: list[Row] = []
        troubles = Troubles()
        slices, book, now = self.slices, self._book, self.runtime.now()
        book.begin(now)
        for facts in self._inspector.walk():
            kept = book.look(facts, breakers.get(facts.path, ()))
            rows.append(kept.row)
            troubles.add(kept.row, kept.urgency, counts=facts.counts, is_last=facts.is_last)
            if slices.is_full:
                await slices.pause()
        book.end()
        return tuple(rows), troubles

    # -- one actor -------------------------------------------------------------

    def details(self, path: str) -> Details:
        """Return all about the actor at *path*.

        Raises:
            UnknownPathError: There is none.
        """
        return details.details(self.memory, self._inspector, self._book, self._errors, path)

    def mailbox(self, path: str) -> MailboxDetails:
        """Return the mailbox of the actor at *path*: types and times of messages, never contents.

        Raises:
            UnknownPathError: There is none, or it is a supervisor.
        """
        return details.mailbox(self._inspector, path)

    def stacks(self, path: str) -> tuple[TaskStack, ...]:
        """Return where the tasks of the actor at *path* are.

        Raises:
            UnknownPathError: There is none.
        """
        return details.stacks_of(self.runtime, path)

    def dry_run(self, action: str, path: str) -> DryRun:
        """Return what *action* would do to the actor at *path*, and to others; nothing is done.

        Raises:
            UnknownPathError: There is none.
            ValueError: There is no such action.
        """
        return dry_run(self.runtime, action, path)

    # -- lists -----------------------------------------------------------------

    def breakers(self) -> tuple[BreakerRow, ...]:
        """Return every guard with a breaker that was used, those that are not closed first."""
        return guards.in_order(list(guards.used_breakers(self.runtime, self.memory.told_guards)))

    def errors(
        self,
        since: float | None = None,
        category: str | None = None,
        severity: str | None = None,
        path: str | None = None,
        limit: int = 100,
    ) -> tuple[ErrorRow, ...]:
        """Return the latest errors that all arguments leave, newest first; see `ErrorDesk.find`."""
        return self._errors.find(since, category, severity, path, limit)

    def charts(self) -> Charts:
        """Return what the charts show."""
        now, rings = self.runtime.now(), self.memory.errors_by_minute
        return Charts(
            now=now,
            errors=rings.all.values(now),
            by_severity=rings.by_severity(now),
            states=self.memory.history.troubled(now - DAY, MOST_CHARTED),
        )
