"""Random programs on a simulated disk: what a store acknowledged is there in each of its lives, whole, or it says so.

A program is one life after the other of a store: it opens, commits, compacts, closes and opens
again, until it is stopped in the middle of a call by a crash of the process or a cut of the power. `History` knows
which state each commit made, and holds what the next life finds against it.
"""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Protocol, TypeVar

import attrs
import msgspec

from duenna.storage import Change, Entry, Loaded, StateWriteError
from duenna.testing import SimFs, SimulatedCrash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from duenna.storage import Store

DIRECTORY = "/state"
KEYS = tuple(f"actor:/bot/{name}" for name in "abcdef")
NUMBER = "note:number"
"""The key that each commit sets: the version of its entry is the number of the commit."""

PAYLOADS = tuple(msgspec.msgpack.encode({"text": "x" * size}) for size in (0, 1, 5, 12, 40, 90, 200, 700))


def chance_of(seed: int) -> Random:
    """Return a generator that starts from *seed*."""
    return Random(seed)  # noqa: S311  # nothing is secret


Result = TypeVar("Result")


class MakeStore(Protocol):
    """Makes the store that is tested, for a life on a disk."""

    def __call__(self, disk: SimFs, chance: Random) -> Store: ...


class BrokenPromiseError(AssertionError):
    """The store is wrong: this is what the harness is there to find."""


@attrs.define(eq=False)
class History:
    """What was tried, and what was acknowledged.

    Attributes:
        states: The state after each commit, by its number; the first is empty.
        acknowledged: The last commit that must never be missing again.
        numbers: What the store called each acknowledged commit.
        held: The last commit that the store knows of.
        is_clean: Whether the last thing that the store did was to close in order; None if nobody can tell.
        is_markable: Whether this life leaves a mark of its orderly end. It need not if it changes nothing and found one
            already, which may not be durable if the life before was killed over it; nor if that would hide a loss.
        may_alarm: Whether names may be lost that a life has read, for a sync of the directory has failed: a loss may be
            told then that is none.
        pending: Changes of commits that failed: they are given again.
    """

    states: list[dict[str, Entry]] = attrs.field(factory=lambda: [dict[str, Entry]()])
    acknowledged: int = 0
    held: int = 0
    numbers: dict[int, int] = attrs.field(factory=dict[int, int])
    is_clean: bool | None = False
    is_markable: bool = False
    may_alarm: bool = False
    pending: dict[str, Change] = attrs.field(factory=dict[str, Change])

    @property
    def tried(self) -> int:
        """The last commit."""
        return len(self.states) - 1

    def copy(self) -> History:
        """Return a history of its own that has been the same so far."""
        return attrs.evolve(self, states=self.states.copy(), numbers=self.numbers.copy(), pending=self.pending.copy())

    def check(self, loaded: Loaded) -> None:
        """Hold what was *loaded* against what was acknowledged, and go on from there."""
        number = loaded.entries[NUMBER].version if NUMBER in loaded.entries else 0
        found = f"commit {number} was found, {self.acknowledged} acknowledged, {self.tried} tried; {loaded.damages}"
        if number < self.acknowledged:
            raise BrokenPromiseError(f"lost: {found}")
        if number > self.tried or dict(loaded.entries) != self.states[number]:
            raise BrokenPromiseError(f"torn: {found}")
        if not (loaded.is_complete or self.may_alarm):
            raise BrokenPromiseError(f"false alarm: {found}")
        if self.acknowledged and not loaded.existed:
            raise BrokenPromiseError(f"taken for new: {found}")
        if self.numbers.get(number, loaded.seq) != loaded.seq:
            raise BrokenPromiseError(f"numbered {loaded.seq}, not {self.numbers[number]}: {found}")
        if number and loaded.saved_at != float(number):
            raise BrokenPromiseError(f"saved at {loaded.saved_at}: {found}")
        if self.is_clean is not None and loaded.was_clean is not self.is_clean:
            raise BrokenPromiseError(f"was_clean is {loaded.was_clean}: {found}")
        if self.is_clean and loaded.damages:
            raise BrokenPromiseError(f"damage after a clean end: {found}")
        del self.states[number + 1 :]
        self.held = number
        self.pending.clear()
        self.is_markable = loaded.is_complete and not (loaded.was_clean and not self.is_clean)
        if self.is_clean:
            self.is_clean = None  # it has an owner again, who has left nothing behind so far

    def commit(self, store: Store, chance: Random) -> None:
        """Change a few keys; take it if the store cannot."""
        number = len(self.states)
        changes = {
            key: Change(key, _entry(number, chance) if chance.random() < 0.8 else None)
            for key in chance.sample(KEYS, chance.randrange(3))
        }
        changes[NUMBER] = Change(NUMBER, _entry(number, chance))
        self.pending |= changes
        self.states.append(_apply(self.states[-1], self.pending.values()))
        try:
            self.numbers[number] = store.commit(tuple(self.pending.values()), float(number))
        except StateWriteError:
            return
        self.acknowledged = self.held = number
        self.is_markable = True
        self.pending.clear()
        self.is_clean = False

    def close(self, store: Store, *, is_clean: bool) -> None:
        """End a life, in order or not."""
        if is_clean:
            self.is_clean = None
        try:
            store.close(float(self.tried), is_clean=is_clean)
        except StateWriteError:
            return
        if is_clean and self.held and self.is_markable:  # where there is no state, there need not be a mark
            self.is_clean = True


def _entry(number: int, chance: Random) -> Entry:
    return Entry(
        kind="T", schema=1, version=number, at=float(number), data=PAYLOADS[int(chance.random() * len(PAYLOADS))]
    )


def _apply(state: dict[str, Entry], changes: Iterable[Change]) -> dict[str, Entry]:
    after = dict(state)
    for change in changes:
        if change.entry is None:
            after.pop(change.key, None)
        else:
            after[change.key] = change.entry
    return after


def live(disk: SimFs, make: MakeStore, history: History, chance: Random, steps: int) -> None:
    """Run one life of a store that makes *steps* steps, unless the disk's crash ends it before."""
    store = make(disk, chance)
    history.check(store.open())
    for _ in range(steps):
        step = chance.random()
        if step < 0.72:
            history.commit(store, chance)
        elif step < 0.88:
            _compact(store, float(history.tried))
        else:
            history.close(store, is_clean=step < 0.96)
            store = make(disk, chance)
            history.check(store.open())
    history.close(store, is_clean=chance.random() < 0.7)


def _compact(store: Store, at: float) -> None:
    with suppress(StateWriteError):  # nothing that was committed is lost: the next life says so
        store.compact(at)


def stop(disk: SimFs, chance: Random) -> SimFs:
    """Return the disk of the next life: the power went, or only the process did."""
    return disk.after_power_cut() if chance.random() < 0.7 else disk.after_kill()


def run_program(
    make: MakeStore, chance: Random, kind: type[SimFs] = SimFs, *, trouble: Callable[[SimFs], bool] | None = None
) -> tuple[int, ...]:
    """Run a random program of three lives; each of the first two ends before some call, or just after its last.

    Args:
        make: Makes the store.
        chance: Decides everything.
        kind: The disk.
        trouble: Lets calls of the first two lives fail; returns whether syncs of the directory may.

    Returns:
        Which call of each of the first two lives did not happen; 0: the life ended by itself.

    Raises:
        BrokenPromiseError: The store is wrong.
    """
    disk = kind(chance)
    history = History()
    crashed = []
    for _ in range(2):
        steps = int(chance.random() * 7)
        if chance.random() < 0.5:
            disk.crash_at(1 + int(chance.random() * (12 + 5 * steps)))
        else:  # the moment at which most is open
            disk.crash_at(1 + int(chance.random() * (1 + steps)), "sync")
        if trouble is not None:
            history.may_alarm |= trouble(disk)
        try:
            live(disk, make, history, chance, steps)
        except SimulatedCrash:
            crashed.append(disk.calls)
        else:
            crashed.append(0)
        disk = stop(disk, chance)
    live(disk, make, history, chance, steps=2)
    assert disk.is_at_rest, "a file is still open, or the directory locked"
    return tuple(crashed)


def for_seeds(number: int, run: Callable[[Random], Result]) -> list[Result]:
    """Return what *run* does for each of *number* seeds; an error says of which."""
    done = []
    for seed in range(number):
        try:
            done.append(run(Random(seed)))  # noqa: S311  # nothing is secret
        except BaseException as exc:
            exc.add_note(f"in the program of seed {seed}")
            raise
    return done


def run_everywhere(make: MakeStore, chance: Random, steps: int = 5) -> int:
    """Run a random life, and go on from what a power cut leaves before each of its calls, and from what a kill leaves.

    Args:
        make: Makes the store.
        chance: Decides everything.
        steps: Of the first life.

    Returns:
        From how many moments: two for each call.

    Raises:
        BrokenPromiseError: The store is wrong.
    """
    disk = SimFs(chance)
    history = History()
    moments: list[tuple[SimFs, History]] = []

    def remember(_call: str, _path: str) -> None:
        moments.extend((left, history.copy()) for left in (disk.after_power_cut(), disk.after_kill()))

    disk.before = remember
    live(disk, make, history, chance, steps)
    for left, known in moments:
        _live_on(left, known, make, chance)
    return len(moments)


def _live_on(disk: SimFs, history: History, make: MakeStore, chance: Random) -> None:
    """Run the second life and the third."""
    disk.crash_at(1 + int(chance.random() * 30))
    with suppress(SimulatedCrash):
        live(disk, make, history, chance, steps=2)
    live(stop(disk, chance), make, history, chance, steps=1)
