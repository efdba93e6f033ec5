"""How the state is opened, written and let go: what the one writer does with the store."""

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio

from duenna._off_loop import off_the_loop
from duenna.errors import StoppedError
from duenna.state._found import what_was_found
from duenna.state._trading import LOST, TRADING, trading_part
from duenna.state.events import ReconcileBegan, ReconcileEnded, StateDurable, StateNotDurable
from duenna.storage.entries import NOTE, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from duenna._runtime import Runtime
    from duenna.events import Event
    from duenna.state._commits import Batch, Commits
    from duenna.state._parts import Parts
    from duenna.state._rounds import Rounds
    from duenna.state._works import Works
    from duenna.storage import Change, Compacted, Entry, Loaded, Store
    from duenna.wallclock import WallTime

PATH: Final = "/system/persistence"
"""Who makes the state durable."""

MOST_PATIENCE: Final = 5.0
"""Seconds that a disk may take to be let go at the end."""


class Life(msgspec.Struct, frozen=True):
    """What a process writes of itself with its first commit.

    Attributes:
        number: Processes that wrote here so far, this one included; 0: it has written nothing yet.
        token: Chance and the time of day: what is restored from an old copy, or begins anew from a
            seed, makes no id a second time.
    """

    number: int
    token: str


class Owner:
    """The part of a state that deals with its store.

    Attributes:
        store: Where the state is kept.
        loaded: What was read at the start.
        found: The same as events, which are posted before anybody can have subscribed.
        entries: All of it by key, durable yet or not.
        life: Of this process.
        is_open: Whether the store is this runtime's.
        problem: Why what was saved last is in memory only, empty if it is durable.
    """

    store: "Store"
    loaded: "Loaded"
    found: "tuple[Event, ...]"
    entries: "dict[str, Entry]"
    life: Life
    is_open: bool
    problem: str
    seq: int
    saved_at: float | None
    commits: "Commits"
    rounds: "Rounds"
    wall: "WallTime"
    now: "Callable[[], float]"
    wants: "Callable[[type[Event]], bool]"
    post: "Callable[[Event], None]"
    change: "Callable[[str, str, int, bytes], Change]"
    stage: "Callable[[Sequence[Change]], Batch]"
    save_part: "Callable[[str], None]"
    _inherited: set[str]
    works: "Works"
    _parts: "Parts"
    _runtime: "Runtime"
    _since: float | None
    _was_reconciling: bool
    _cleared_by: str
    _limiter: trio.CapacityLimiter

    async def open(self) -> None:
        """Read what is stored; nothing is written.

        Raises:
            StateError: It cannot be read, is somebody else's, or of a later version.
        """
        # not abandoned: a store that a forgotten thread has opened would be nobody's to close
        self.loaded = await off_the_loop(self.store.open, self._limiter, abandon=False)
        self.is_open = True
        trading = self._runtime.recovery.trading
        self.entries.update(self.loaded.entries)
        self._inherited.update(self.entries)
        self.works.load()
        self.seq, self.saved_at = self.loaded.seq, self.loaded.saved_at
        self._parts.add(trading_part(trading, self._trading_changed))
        self._parts.load_all()
        self.found = what_was_found(self)
        for event in self.found:
            self.post(event)
        if self.loaded.existed and not self.loaded.is_complete and LOST not in trading.causes:
            self._begin_to_reconcile()

    async def write(self) -> "Batch":
        """Give the store what waits; for the one writer. Cancelled, the thread goes on, and the next one follows it."""
        batch = self.commits.take()
        changes = tuple(batch.changes.values())
        try:
            seq: int = await off_the_loop(partial(self.store.commit, changes, self.wall()), self._limiter)
        except Exception as error:  # noqa: BLE001  # whatever it is, the changes are kept and the bot goes on
            self.commits.fail(batch, error)
            self._not_durable(error)
            return batch
        except BaseException:
            self.commits.put_back(batch)
            raise
        self.seq, self.saved_at = seq, self.wall()
        self.commits.settle(batch, seq)
        self._durable()
        return batch

    async def compact(self) -> "Compacted | None":
        """Have the store tidy up; for the one writer.

        Raises:
            StateWriteError: It failed; nothing is lost.
        """
        return await off_the_loop(partial(self.store.compact, self.wall()), self._limiter)

    def end(self) -> None:
        """Take nothing in any more: nobody writes it. Whoever still waits is told."""
        self.commits.close(StoppedError(PATH))
        self.rounds.close(StoppedError(PATH))

    async def close(self) -> None:
        """Let go of the store, and leave the mark of an orderly end if all there was to save is durable."""
        if not self.is_open:
            return
        self.is_open = False
        is_clean = self.rounds.is_last_done and not self.commits.waiting
        self.end()
        with trio.CancelScope(shield=True), trio.move_on_after(MOST_PATIENCE):
            try:
                await off_the_loop(partial(self.store.close, self.wall(), is_clean=is_clean), self._limiter)
            except Exception as error:  # noqa: BLE001  # whatever it is, the runtime has ended
                self._not_durable(error)

    def begin_life(self) -> None:
        """Have this process counted, if it is not yet: with its first commit, for to start writes nothing."""
        if self.life.number:
            return
        known = self.entries.get(key_of(NOTE, "life"))
        try:
            before = 0 if known is None else msgspec.msgpack.decode(known.data, type=Life).number
        except msgspec.MsgspecError:
            before = 0
        token = (self._runtime.rng.getrandbits(32) ^ int(self.wall() * 1000)) & 0xFFFFFFFF
        self.life = Life(before + 1, f"{token:08x}")
        self.stage([self.change(key_of(NOTE, "life"), "life", 1, msgspec.msgpack.encode(self.life))])

    def _begin_to_reconcile(self) -> None:
        lost = "; ".join(f"{damage.where}: {damage.what}" for damage in self.loaded.damages)
        why = f"acknowledged state of {self.store.name} is lost: {lost}"
        self._runtime.recovery.trading.use_paper(why, cause=LOST)

    def _trading_changed(self) -> None:
        """Note that a cause that holds trading on paper came or went: perhaps that state was lost."""
        self.save_part(TRADING)
        why = self._runtime.recovery.trading.causes.get(LOST)
        if (why is not None) == self._was_reconciling:
            return
        self._was_reconciling = why is not None
        event: Event = (
            ReconcileEnded(time=self.now(), path="/", by=self._cleared_by)
            if why is None
            else ReconcileBegan(time=self.now(), path="/", why=why)
        )
        if self.wants(type(event)):
            self.post(event)

    def _not_durable(self, error: Exception) -> Any:
        text = str(error) or type(error).__name__
        self.problem = text
        if self._since is not None:  # told already; each try may have words of its own
            return
        self._since = self.now()
        if self.wants(StateNotDurable):
            self.post(StateNotDurable(time=self.now(), path=PATH, store=self.store.name, error=text))

    def _durable(self) -> None:
        since = self._since
        if since is None:
            return
        self.problem, self._since = "", None
        if self.wants(StateDurable):
            self.post(StateDurable(time=self.now(), path=PATH, store=self.store.name, duration=self.now() - since))
