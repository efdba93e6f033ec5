"""``runtime.state``: what is known of every actor, how it becomes durable, and what was found at the start."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from duenna._text import describe
from duenna.errors import StoppedError, UnknownPathError
from duenna.machines import checks
from duenna.state._captures import BIG, STRETCH, Captures
from duenna.state._chosen import chosen, path_of
from duenna.state._commits import Batch, Commits, durable
from duenna.state._lives import Lives
from duenna.state._owner import PATH, Life, Owner
from duenna.state._parts import Parts
from duenna.state._restoring import Restoring
from duenna.state._rounds import Rounds
from duenna.state._trading import LOST, OPERATOR
from duenna.state._works import Works
from duenna.state.events import ActorSaved, StateSetAside, StateUnencodable
from duenna.state.part import Part
from duenna.state.report import Restored, SaveReport, StateStatus
from duenna.state.work import UnfinishedWork
from duenna.storage import Change, Entry, Loaded, Store
from duenna.storage.entries import ASIDE, key_of, split_key
from duenna.wallclock import WallTime, wall_time

if TYPE_CHECKING:
    from duenna._cell import Cell
    from duenna._runtime import Runtime
    from duenna.events import Event

STEADY: Final = 0.5
"""Seconds by which the wall clock may drift from the monotonic one before dates follow it."""


@attrs.define(eq=False)
class State(Lives, Owner):
    """The state of one runtime.

    Attributes:
        store: Where it is kept.
        entries: All of it by key, durable yet or not.
        loaded: What was read at the start.
        found: The same as events, which are posted before anybody can have subscribed.
        wall: Gives the time of day.
        captures: The actors whose fields are saved.
        commits: What waits to become durable.
        rounds: The saves that were asked for.
        works: The work in progress: operations and intents.
    """

    _runtime: "Runtime"
    store: Store
    wall: WallTime = wall_time
    entries: dict[str, Entry] = attrs.field(factory=dict[str, Entry], init=False)
    loaded: Loaded = attrs.field(factory=lambda: Loaded(entries={}), init=False)
    found: "tuple[Event, ...]" = attrs.field(default=(), init=False)
    captures: Captures = attrs.field(init=False)
    commits: Commits = attrs.field(init=False)
    rounds: Rounds = attrs.field(init=False)
    works: Works = attrs.field(init=False)
    is_open: bool = attrs.field(default=False, init=False)
    life: Life = attrs.field(default=Life(0, ""), init=False)
    seq: int = attrs.field(default=0, init=False)
    saved_at: float | None = attrs.field(default=None, init=False)
    stops: dict[str, float] = attrs.field(factory=dict[str, float], init=False)
    problem: str = attrs.field(default="", init=False)
    _since: float | None = attrs.field(default=None, init=False)
    _was_reconciling: bool = attrs.field(default=False, init=False)
    _cleared_by: str = attrs.field(default=OPERATOR, init=False)
    _offset: float = attrs.field(default=float("nan"), init=False)
    _inherited: set[str] = attrs.field(factory=set[str], init=False)
    _restoring: Restoring = attrs.field(init=False)
    _parts: Parts = attrs.field(init=False)
    _limiter: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(1), init=False)

    def __attrs_post_init__(self) -> None:
        """Make the parts of it."""
        self.captures = Captures(self)
        self.commits = Commits(self.store.name)
        self.rounds = Rounds(self)
        self.works = Works(self)
        self._restoring = Restoring(self)
        self._parts = Parts(self)
        self._parts.add(
            Part(name="stops", type=dict[str, float], dump=lambda: self.stops or None, load=self.stops.update)
        )

    # -- looking ---------------------------------------------------------------

    def now(self) -> float:
        """Return the time in seconds of the runtime's clock."""
        return self._runtime.now()

    def to_wall(self, time: float) -> float:
        """Return a time of the runtime's clock as seconds since 1970.

        The same for the same time, unless the wall clock was set: so what has not changed is not saved again.
        """
        offset = self.wall() - self.now()
        if not abs(offset - self._offset) <= STEADY:  # NaN at first
            self._offset = offset
        return time + self._offset

    def from_wall(self, at: float) -> float:
        """Return seconds since 1970 as a time of the runtime's clock; it may lie before the clock's beginning."""
        return self.now() + (at - self.wall())

    def age(self, at: float) -> float:
        """Return how many seconds ago *at* was, in seconds since 1970; no fewer than when the store was written last.

        So what was stored is never taken for fresher than it is because the wall clock was set back.
        """
        return max(0.0, self.wall() - at, (self.loaded.saved_at or at) - at)

    @property
    def is_durable(self) -> bool:
        """Whether what is saved outlives the process, and the store takes it at present."""
        return self.store.is_durable and not self.problem and not self.commits.is_held

    @property
    def is_reconciling(self) -> bool:
        """Whether state was lost, and neither an operator nor a check has said that what is there is right."""
        return LOST in self._runtime.recovery.trading.causes

    def restored(self, path: str) -> Restored | None:
        """Return what the present incarnation of the actor at *path* began with, None if it began clean."""
        return self._restoring.restored(path)

    def is_inherited(self, key: str) -> bool:
        """Return whether *key* is as an earlier process left it."""
        return key in self._inherited

    @property
    def asides(self) -> tuple[str, ...]:
        """The keys of what was set aside, by path and time."""
        return tuple(sorted(key for key in self.entries if split_key(key)[0] == ASIDE))

    def unfinished(self, path: str | None = None) -> tuple[UnfinishedWork, ...]:
        """Return the unfinished operations and intents of the actor at *path*, or of all, the oldest first.

        Also those of paths where no actor is any more. What cannot be read has no name, and says
        why in its `error`.
        """
        return self.works.unfinished(path)

    def issues(self) -> tuple[str, ...]:
        """Return what is wrong with the state, a sentence each; empty if nothing is."""
        found: list[str] = []
        if self.is_reconciling:
            found.append("state was lost: no trading until runtime.state.reconciled()")
        if self.problem:
            found.append(f"what is saved is not durable: {self.problem}")
        if self.commits.is_held:
            found.append(f"nothing is saved: {PATH} was stopped")
        found += [f"{path} cannot be saved: {why}" for path, why in self.captures.failed.items()]
        lag = getattr(self.store, "lag", None)
        if lag is not None and lag.last_error:
            found.append(f"the remote copy of the state is behind: {lag}")
        return tuple(found)

    def status(self) -> StateStatus:
        """Return how the state does now."""
        lag = getattr(self.store, "lag", None)
        return StateStatus(
            store=self.store.name,
            is_durable=self.is_durable,
            problem=self.problem,
            since=self._since,
            seq=self.seq,
            waiting=len(self.commits.waiting),
            entries=len(self.entries),
            size=sum(len(entry.data) for entry in self.entries.values()),
            saved_at=self.saved_at,
            is_reconciling=self.is_reconciling,
            damages=tuple(f"{damage.where}: {damage.what}" for damage in self.loaded.damages),
            aside=tuple(split_key(key)[1] for key in self.asides),
            failed=dict(self.captures.failed),
            lag="" if lag is None else str(lag),
        )

    # -- saving ----------------------------------------------------------------

    async def save(self, *, force: bool = False) -> SaveReport:
        """Save whatever has changed; return when all of it is durable. Cancelled, the save goes on.

        At most one save a second begins unless it is *forced*: who comes sooner waits, and shares
        the next one with all others who do.

        Raises:
            NotDurableError: The store does not take it now; it is tried again.
            StoppedError: The runtime has ended.
        """
        checks.flag("save", "force", force)
        self._refuse_if_closed()
        return await self.rounds.wait_for(force=force)

    def save_soon(self) -> None:
        """Have whatever has changed saved soon; returns at once."""
        if not self.commits.is_closed:
            self.rounds.ask()

    async def save_actor(self, cell: "Cell") -> None:
        """Save the fields of *cell* as they are now; return when that is durable."""
        self._refuse_if_closed()
        tracked = self.captures.of(cell)
        if tracked is None:
            message = f"save() of {cell.path} needs persistent() fields, and a state that was not set aside"
            raise RuntimeError(message)
        change = await self.captures.take_own(tracked)
        if change is None:
            change = self.commits.waiting.get(tracked.key)  # as it is, it may be on its way
        if change is None:
            await trio.lowlevel.checkpoint()
        else:
            await durable(self.stage([change]))
        entry = self.entries.get(tracked.key)
        if self.wants(ActorSaved) and entry is not None:
            version = entry.version if change is None or change.entry is None else change.entry.version
            self.post(
                ActorSaved(
                    time=self.now(),
                    path=cell.path,
                    incarnation=tracked.incarnation,
                    version=version,
                    is_durable=self.store.is_durable,
                )
            )

    def capture(self, cell: "Cell") -> Change | None:
        """Return the fields of *cell* as they are now, if they differ from what was saved last."""
        tracked = self.captures.of(cell)
        return None if tracked is None else self.captures.take(tracked)

    def change(self, key: str, kind: str, schema: int, data: bytes, *, money: bool = False) -> Change:
        """Return the change that sets *key*, with the next version and the time of day."""
        known = self.entries.get(key)
        version = 1 if known is None else known.version + 1
        return Change(key, Entry(kind=kind, schema=schema, version=version, at=self.wall(), data=data, money=money))

    def removal(self, key: str) -> Change:
        """Return the change that removes *key*."""
        return Change(key, None)

    def stage(self, changes: Sequence[Change]) -> Batch:
        """Have *changes* made durable with what else there is; what is restored from now on has them.

        Raises:
            StoppedError: The runtime has ended.
        """
        self._refuse_if_closed()
        self.begin_life()
        for change in changes:
            self._inherited.discard(change.key)
            if change.entry is None:
                self.entries.pop(change.key, None)
            else:
                self.entries[change.key] = change.entry
            self.works.noted(change)
        return self.commits.stage(changes)

    async def commit(self, changes: Sequence[Change]) -> int:
        """Stage *changes* and wait until they are durable; return the store's commit. Cancelled, they go on.

        Raises:
            NotDurableError: The store does not take them now; it is tried again.
            StoppedError: The runtime has ended.
        """
        if not changes:
            self._refuse_if_closed()
            await trio.lowlevel.checkpoint()
            return self.seq
        return await durable(self.stage(changes))

    def add(self, part: Part[Any]) -> Callable[[], None]:
        """Keep *part* from now on; what was stored of it is loaded at once, or when the state is.

        Returns:
            What ends that; what was stored last stays.

        Raises:
            ValueError: There is a part of that name.
        """
        return self._parts.add(part)

    def save_part(self, name: str) -> None:
        """Have the part called *name* saved now rather than with the next save; returns at once."""
        if not self.commits.is_closed:
            self._parts.take_named(name)

    # -- by hand ---------------------------------------------------------------

    def reconciled(self, by: str = OPERATOR) -> None:
        """Say that the state is right although some of it was lost: trading is allowed again, as far as this goes."""
        self._cleared_by = by
        self._runtime.recovery.trading.healthy(LOST, by=by)
        self._cleared_by = OPERATOR

    async def prune(self, path: str) -> int:
        """Forget for good what is stored of *path* and below, where no such child is any more; return how many entries.

        Args:
            path: A path, a pattern of paths, or a key, as of `duenna state prune`.

        Raises:
            NotDurableError: The store does not take it now; it is tried again.
            ValueError: There is such a child, or nothing is stored of it.
        """
        found = chosen(self.entries, path)
        if not found:
            message = f"prune: nothing is stored of {path!r}"
            raise ValueError(message)
        owners = {path_of(key, self.entries[key].kind) for key in found if split_key(key)[0] != ASIDE}
        alive = sorted(filter(self._is_there, owners))
        if alive:
            message = f"prune: {alive[0]} is there, stop and delete it first, or restart it with fresh=True"
            raise ValueError(message)
        await self.commit([self.removal(key) for key in found])
        return len(found)

    def _is_there(self, path: str) -> bool:
        """Return whether there is a child at *path*, whatever it does."""
        try:
            self._runtime.ref(path)
        except UnknownPathError:
            return False
        return True

    # -- telling ---------------------------------------------------------------

    def wants(self, kind: "type[Event]") -> bool:
        """Return whether anybody wants events of *kind*."""
        return self._runtime.bus.wants(kind)

    def post(self, event: "Event") -> None:
        """Post *event*."""
        self._runtime.bus.post(event)

    def aside_key(self, name: str) -> str:
        """Return the key under which what is called *name* is set aside now: one that nothing else has."""
        at = self.wall()
        while (key := key_of(ASIDE, f"{name}#{at:.3f}")) in self.entries:  # the wall clock may be set back
            at += 0.001
        return key

    def part_refused(self, name: str, entry: Entry, error: Exception, *, is_newer: bool) -> None:
        """Note that what was stored of a part cannot be used: it is kept, and the part begins anew."""
        text = f"part {name}, schema {entry.schema}, begins anew: {describe(error)}"
        if is_newer:
            if self.wants(StateUnencodable):
                self.post(StateUnencodable(time=self.now(), path=PATH, error=text))
            return
        kept = self.aside_key(name)
        self.stage([Change(kept, entry)])
        if self.wants(StateSetAside):
            self.post(StateSetAside(time=self.now(), path=PATH, why=text, kept_as=kept, is_by_hand=False))

    def _refuse_if_closed(self) -> None:
        if self.commits.is_closed or not self.is_open:
            raise StoppedError(PATH)

    async def collect(self) -> tuple[list[str], int, int]:
        """Stage whatever has changed; hold the loop for no more than about 2 ms at a stretch.

        Returns:
            The paths of actors that are busy, how many entries have changed, and their bytes.
        """
        busy: list[str] = []
        count = size = 0
        began = self.now()
        for tracked in self.captures.changed():
            if tracked.is_busy:
                tracked.cell.more.wants_saving = True
                busy.append(tracked.cell.path)
                continue
            is_small = tracked.data is not None and len(tracked.data) < BIG
            change = self.captures.take(tracked) if is_small else await self.captures.take_in_slices(tracked)
            if change is not None and change.entry is not None:
                self.stage([change])
                count += 1
                size += len(change.entry.data)
            if self.now() - began > STRETCH:
                await trio.lowlevel.checkpoint()
                began = self.now()
        if self.store.is_durable:
            self._parts.take_all()
        return busy, count, size
