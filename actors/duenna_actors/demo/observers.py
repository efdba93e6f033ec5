"""The actors beside the bot, under `/system`: who tells, who draws, who counts, who ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import trio
from loguru import logger

from duenna import Actor, Child, ChildExited, ChildParked, ChildRestarting, ChildStarted, Mailbox
from duenna.connection import ConnectionChanged
from duenna.events import RuntimeStarted, RuntimeStopping
from duenna.incidents import incident_log
from duenna_actors.binance import AggTrade
from duenna_actors.demo.events import MessagesCounted
from duenna_actors.demo.narration import conclude, narrate
from duenna_actors.demo.picture import outline, picture
from duenna_actors.demo.report import Statistics
from duenna_actors.demo.screen import Screen

if TYPE_CHECKING:
    from duenna import Context
    from duenna.connection import ConnectionState
    from duenna.events import Event
    from duenna.incidents import Chain

SETTLE = 0.3
"""Seconds from a change to its picture: what happens together is drawn together."""

APART = 2.5
"""Seconds from one picture to the next, at least."""

_ASKED = frozenset({"api", "balance", "database"})


@attrs.define
class Show:
    """What a run shows and knows.

    Attributes:
        statistics: Filled in as it goes.
        screen: Where it is told; None for nothing before the end.
        seconds: When it ends.
    """

    statistics: Statistics
    screen: Screen | None
    seconds: float
    _began: float | None = attrs.field(default=None, init=False)

    def before(self) -> list[Child]:
        """Return the children that must be there before anything else happens."""
        return [Child("narrator", self.narrate, ready="manual"), incident_log(self._conclude, settle=SETTLE)]

    def after(self) -> list[Child]:
        """Return the children that need the others."""
        drawn = [] if self.screen is None else [Child("painter", self.paint, ready="manual")]
        counting = Child("counter", Counter, mailbox=Mailbox(10_000, overflow="drop_oldest"))
        return [*drawn, counting, Child("timekeeper", self.keep_time)]

    async def narrate(self, context: Context) -> None:
        """Take in every event, and tell those that are worth a line."""
        self._start_clock(context)
        with context.runtime.events(capacity=10_000) as stream:
            context.ready()
            for event in context.runtime.state.found:  # it was, before anybody could listen
                self._tell(event)
            try:
                async for event in stream:
                    self._tell(event)
                    if self.screen is not None and self.screen.is_broken:
                        await context.runtime.stop()
            finally:
                for event in stream.drain():
                    self._tell(event)

    async def paint(self, context: Context) -> None:
        """Draw the tree when it has changed, and not too often."""
        kinds = (ChildStarted, ChildExited, ChildRestarting, ChildParked, ConnectionChanged, RuntimeStarted)
        drawn: object = None
        with context.runtime.events(*kinds, capacity=1) as stream:
            context.ready()
            async for _ in stream:
                await trio.sleep(SETTLE)
                if tuple(stream.drain()) and self.statistics.is_stopping:
                    return
                tree, states = context.runtime.tree(), self._states()
                seen = outline(tree, states)
                if seen != drawn and self.screen is not None:
                    drawn = seen
                    self.screen.block(picture(tree, states, self.screen.symbols))
                    await trio.sleep(APART - SETTLE)

    async def keep_time(self, context: Context) -> None:
        """End the run when its time is over."""
        await trio.sleep(self.seconds)
        await context.runtime.stop()

    def _start_clock(self, context: Context) -> None:
        began = self._began = context.now() if self._began is None else self._began
        now = context.runtime.now
        if self.screen is not None:
            self.screen.now = lambda: now() - began

    def _tell(self, event: Event) -> None:
        line = None if self.screen is None or self.statistics.is_stopping else narrate(event, self.statistics)
        if line is not None:
            bound = logger.bind(path=event.path, at=max(0.0, event.time - (self._began or 0.0)))
            bound.log(line.level, "{}", line.text)
        self.statistics.apply(event)

    def _conclude(self, incident: Chain) -> None:
        """Tell an incident that is over, or was not when the stop began; what fails because of the stop is none."""
        if self.screen is None or (self.statistics.is_stopping and incident.began >= self.statistics.now):
            return
        line = conclude(incident)
        logger.bind(path=incident.path, incident=True).log(line.level, "{}", line.text)

    def _states(self) -> dict[str, ConnectionState]:
        return {path: record.state for path, record in self.statistics.connections.items()}


class Counter(Actor):
    """Counts what comes through the connections, and says so now and then, and at the end."""

    def __init__(self, every: float = 1.0) -> None:
        """Begin at 0.

        Args:
            every: Seconds from one telling to the next.
        """
        self._every = every
        self._data: dict[str, int] = {}

    def started(self) -> None:
        """Listen to market data, as the bot does."""
        self.context.subscribe(AggTrade)
        self.context.tell_every(self._every, _Tell())
        self.context.start_soon(self._tell_before_the_end)

    def receive(self, message: AggTrade | _Tell) -> None:
        """Count market data; tell the counts."""
        match message:
            case AggTrade(symbol=symbol):
                path = f"/bot/feeds/{symbol.lower()}"
                self._data[path] = self._data.get(path, 0) + 1
            case _Tell():
                self._tell()

    def stopping(self, reason: object) -> None:
        """Tell the last counts, whatever the *reason*."""
        del reason
        self._tell()

    async def _tell_before_the_end(self) -> None:
        """Tell what those have got who will be gone when this one is stopped."""
        with self.context.runtime.events(RuntimeStopping, capacity=1) as stream:
            async for _ in stream:
                self._tell()

    def _tell(self) -> None:
        context = self.context
        asked = {node.path: node.mailbox.received for node in context.runtime.tree().walk() if node.kind in _ASKED}
        for path, messages in (self._data | asked).items():
            context.post(MessagesCounted(time=context.now(), path=path, messages=messages))


class _Tell:
    """The counter's own reminder."""
