"""The hub: one ticker for all viewers, and a bounded queue for each.

While nobody is joined, nothing wakes up. A tick is made and encoded once, whoever looks; a
viewer that does not keep up loses what is queued for it, is told how much, and begins anew
with a whole snapshot as soon as it reads again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import trio

from duenna_actors.console.view.desk import Desk
from duenna_actors.console.view.frames import Frames, encoded, message
from duenna_actors.console.view.lines import Lines
from duenna_actors.console.view.memory import ConsoleMemory
from duenna_actors.console.view.ring import KEPT
from duenna_actors.console.view.slices import Slices
from duenna_actors.console.view.viewer import Viewer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from duenna_actors.console.view.model import EventRow

FASTEST: Final = 0.2
"""Seconds between two ticks, at least."""

SLOWEST: Final = 5.0
SHARE: Final = 0.05
"""Of the loop's time that ticks may take, at most."""

BEAT: Final = 1.0
"""Seconds after which a tick without news is told nevertheless."""

MOST_EVENTS: Final = 200
"""Events of one tick that are shown; of more, the newest: nobody reads faster."""

AT_ONCE: Final = 2
"""Viewers that are given something before others have their turn."""

FIRST_EVENTS: Final = 100
"""Events from before it came that a viewer gets first."""


@attrs.define(eq=False)
class Hub:
    """Feeds all viewers of one runtime.

    Attributes:
        desk: Gives the snapshots.
        memory: Gives the events.
        interval: Seconds between two ticks at present: more if ticks would take more than 5 % of the loop's time.
        ticks: How many were made so far.
        work: Seconds of work that they took.
    """

    desk: Desk
    memory: ConsoleMemory
    interval: float = attrs.field(default=FASTEST, init=False)
    ticks: int = attrs.field(default=0, init=False)
    work: float = attrs.field(default=0.0, init=False)
    slices: Slices = attrs.field(factory=Slices, init=False)
    _lines: Lines = attrs.field(init=False)
    _frames: Frames = attrs.field(factory=Frames, init=False)
    _viewers: dict[Viewer, None] = attrs.field(factory=dict[Viewer, None], init=False)
    _wanted: trio.Event = attrs.field(factory=trio.Event, init=False)
    _told_at: float = attrs.field(default=-float("inf"), init=False)
    _ticked_at: float = attrs.field(default=-float("inf"), init=False)
    _is_closed: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        """Begin with no line made."""
        self._lines = Lines(self.memory.ring)

    def __len__(self) -> int:
        """Return how many are joined."""
        return len(self._viewers)

    # -- viewers ---------------------------------------------------------------

    def join(self, last_event_id: int | None = None) -> Viewer:
        """Return a viewer of the live stream; it joins with its ``with`` block.

        Args:
            last_event_id: The last event that it has seen: those after it are told, as far as they
                are kept. None, or one that there has not been yet, so that of another process: the last 100.
        """
        seen = self._seen(last_event_id)
        return Viewer(self, True, max(0, self.memory.ring.last_id - FIRST_EVENTS) if seen is None else seen)

    def join_events(
        self, last_event_id: int | None = None, accepts: Callable[[EventRow], bool] | None = None
    ) -> Viewer:
        """Return a viewer of the events alone.

        Args:
            last_event_id: The last event that it has seen. None: only what comes from now on; one
                that there has not been yet, so that of another process: all that are kept.
            accepts: Says which events it wants; None: all.
        """
        after = self.memory.ring.last_id if last_event_id is None else self._seen(last_event_id) or 0
        return Viewer(self, False, after, accepts)

    def _seen(self, last_event_id: int | None) -> int | None:
        if last_event_id is None or last_event_id > self.memory.ring.last_id:
            return None
        return max(0, last_event_id)

    def joined(self, viewer: Viewer) -> None:
        """Take in *viewer*."""
        if self._is_closed:
            viewer.end()
            return
        self._viewers[viewer] = None
        self.memory.look()
        self._count()
        self.wake()

    def left(self, viewer: Viewer) -> None:
        """Forget *viewer*; does nothing the second time."""
        if viewer in self._viewers:
            del self._viewers[viewer]
            self.memory.look_away()
            self._count()

    def wake(self) -> None:
        """Tick soon: somebody waits for a snapshot."""
        self._wanted.set()

    def close(self) -> None:
        """Tell all viewers that it is over; who joins later is told at once."""
        self._is_closed = True
        for viewer in list(self._viewers):
            viewer.end()
            self.left(viewer)

    def _count(self) -> None:
        self.desk.viewers = sum(viewer.is_live for viewer in self._viewers)

    # -- ticking ---------------------------------------------------------------

    async def run(self) -> None:
        """Tick while somebody is joined; sleep while nobody is."""
        while True:
            if not self._viewers:
                self._wanted = trio.Event()
                await self._wanted.wait()
            await self._until_due()
            if not self._viewers:
                continue
            self._wanted = trio.Event()
            self._ticked_at = self.desk.runtime.now()
            self.desk.slices.taken()  # what others asked of it since is no part of this tick
            await self._tick()
            self._pace()

    async def _until_due(self) -> None:
        """Wait until the next tick is due, however many come and go; who comes gets what was told last."""
        due = self._ticked_at + self.interval
        await trio.sleep_until(min(due, self._ticked_at + FASTEST))
        with trio.move_on_at(due):
            while True:
                await self._wanted.wait()
                self._wanted = trio.Event()
                self._begin_with_the_last()
                await trio.sleep(FASTEST)

    def _begin_with_the_last(self) -> None:
        if self.desk.runtime.now() - self._told_at <= BEAT + self.interval:
            for viewer in list(self._viewers):
                if self._is_to_begin(viewer):
                    self._begin(viewer)

    async def _tick(self) -> None:
        self.ticks += 1
        if any(viewer.is_live for viewer in self._viewers):
            await self._tell_snapshot()
        await self._tell_events()

    def _pace(self) -> None:
        """Tick as seldom as needed for ticks to take no more than their share of the loop."""
        work = self.desk.slices.taken() + self.slices.taken()
        self.work += work
        self.interval = self.desk.interval = round(min(SLOWEST, max(FASTEST, work / SHARE)), 1)

    async def _tell_snapshot(self) -> None:
        snapshot = await self.desk.snapshot(newest=True)
        now = snapshot.header.now
        is_due = now - self._told_at >= BEAT or any(self._is_to_begin(viewer) for viewer in self._viewers)
        delta = await self._frames.feed(snapshot, self.slices, told=is_due)
        if delta is None:
            return
        self._told_at = now
        async for viewer in self._in_turn(list(self._viewers)):
            if viewer.is_live and not viewer.needs_whole:
                viewer.put(delta)
            elif self._is_to_begin(viewer):
                self._begin(viewer)
            elif viewer.is_live:
                viewer.lost_frames += 1

    async def _in_turn(self, viewers: list[Viewer]) -> AsyncIterator[Viewer]:
        """Yield those of *viewers* that are still there, a few at a time: all of them sending at once takes long."""
        for number, viewer in enumerate(viewers):
            if number and number % AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
            if viewer in self._viewers:
                yield viewer

    def _begin(self, viewer: Viewer) -> None:
        self._resync(viewer)
        viewer.begin(self._frames.whole())

    def _is_to_begin(self, viewer: Viewer) -> bool:
        """Return whether *viewer* needs a whole snapshot and will read it."""
        return viewer.is_live and viewer.needs_whole and (not viewer.is_behind or viewer.is_reading)

    def _resync(self, viewer: Viewer) -> None:
        """Tell a viewer that has fallen behind what it missed; it takes part again."""
        last, most = self.memory.ring.last_id, _most(viewer)
        if not viewer.is_behind:
            return
        viewer.is_behind = False
        viewer.lost_events += max(0, last - most - viewer.after)
        viewer.after = max(viewer.after, last - most)
        self._tell_loss(viewer, viewer.lost_events, viewer.lost_frames)
        viewer.lost_events = viewer.lost_frames = 0

    def _tell_loss(self, viewer: Viewer, events: int, frames: int) -> None:
        if events:
            self.memory.meter.count_dropped("viewer", events)
        viewer.put(message("dropped", encoded({"events": events, "frames": frames})))

    async def _tell_events(self) -> None:
        """Give each viewer the events that it has not got; those that have got the same share the bytes."""
        last = self.memory.ring.last_id
        readers = [viewer for viewer in self._viewers if self._takes_events(viewer)]
        least = min((max(viewer.after, last - _most(viewer)) for viewer in readers), default=last)
        if least == last:
            return
        await self._lines.catch_up(least, self.slices)
        chunks: dict[tuple[bool, int], tuple[bytes, int]] = {}
        async for viewer in self._in_turn(readers):
            if viewer.after < self._lines.last_id:
                self._tell_lines(viewer, chunks)

    def _takes_events(self, viewer: Viewer) -> bool:
        if viewer.is_live:
            return not viewer.needs_whole
        if viewer.is_behind and viewer.is_reading:
            self._resync(viewer)
        return not viewer.is_behind

    def _tell_lines(self, viewer: Viewer, chunks: dict[tuple[bool, int], tuple[bytes, int]]) -> None:
        lines, last = self._lines, self._lines.last_id
        after = max(viewer.after, last - _most(viewer), lines.first_id - 1)
        if after > viewer.after:
            self._tell_loss(viewer, after - viewer.after, 0)
        viewer.after = last
        if viewer.accepts is not None:
            told = lines.plain(after, viewer.accepts)
        else:
            known = chunks.get((viewer.is_live, after))
            if known is None:
                known = chunks[viewer.is_live, after] = lines.live(after) if viewer.is_live else lines.plain(after)
            told = known
        if told[1]:
            viewer.put(*told)


def _most(viewer: Viewer) -> int:
    return MOST_EVENTS if viewer.is_live else KEPT
