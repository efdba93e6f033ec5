"""The state in one store, and after it in another."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import attrs

from duenna import Backoff
from duenna.storage import Change, Compacted, Damage, Loaded, Loss, StateError, StateLockedError, StateWriteError, Store
from duenna.wallclock import WallTime, wall_time
from duenna_actors.stores._backlog import NOTE, Backlog, Known, Lag, Place, place_of
from duenna_actors.stores._replica import Replica

if TYPE_CHECKING:
    from collections.abc import Sequence

_RETRY = Backoff.exponential(0.5, maximum=30.0, jitter="equal")


def _chance() -> Random:
    return Random()  # noqa: S311  # a name, and the spread of attempts


@attrs.define(eq=False)
class ReplicatedStore:
    """Keeps the state in a local store, and brings a remote one after it.

    A commit is acknowledged when the local store has it. A thread of its own sends what changed to the
    remote store, everything that came meanwhile at once, so that what is there is always a state that the
    local store was in. A remote store that is down, slow, or does not answer holds nothing up; how far
    behind it is, `lag` says.

    What is opened is the local state. The remote one takes its place if the local store never had any, or
    if something that was acknowledged is missing there and the remote one is not behind it; `Loaded.source`
    and `Loaded.damages` say so, and the first commit brings all of it to the local store. A first start on
    a new machine therefore needs the remote store, lest a state that is there be begun anew here.
    A remote store that is ahead of the local one, or holds another state, is never overwritten: `lag` says
    that, too.

    Attributes:
        local: The store that acknowledges.
        remote: The store that comes after it.
        most_keys: How many changed entries may wait; when there are more, the whole state is compared instead.
        close_within: Seconds that `close` may take longer because of the remote store.
        retry: How long to wait after a failure of the remote store.
        name: The names of both.
        chance: Draws the name of the state, and the spread of attempts.
        wall: Gives the time of day.
    """

    local: Store
    remote: Store
    most_keys: int = attrs.field(default=10_000, kw_only=True, validator=attrs.validators.ge(1))
    close_within: float = attrs.field(default=2.0, kw_only=True, validator=attrs.validators.ge(0))
    retry: Backoff = attrs.field(default=_RETRY, kw_only=True)
    name: str = attrs.field(init=False)
    is_durable: bool = attrs.field(init=False)
    _chance: Random = attrs.field(factory=_chance, kw_only=True)
    _wall: WallTime = attrs.field(default=wall_time, kw_only=True)
    _replica: Replica | None = attrs.field(default=None, init=False)
    _place: Place = attrs.field(factory=Place, init=False)
    _owed: dict[str, Change] = attrs.field(factory=dict[str, Change], init=False)

    def __attrs_post_init__(self) -> None:
        """Take over what the local store is."""
        self.name = f"{self.local.name}, replicated to {self.remote.name}"
        self.is_durable = self.local.is_durable

    @property
    def lag(self) -> Lag:
        """How far behind the remote store is; the last of it, once this is closed."""
        return self._replica.lag() if self._replica else Lag()

    def catch_up(self, within: float) -> bool:
        """Wait until the remote store has everything, for *within* seconds at most; return whether it has."""
        return self._replica is None or self._replica.catch_up(within)

    def open(self) -> Loaded:
        """Take possession and read everything; changes nothing that was stored.

        Raises:
            StateFormatError: It was written by a later version; it is left as it is.
            StateLockedError: Somebody else has it.
            StateUnreadableError: The local state could not be read; or there is none, and the remote store could not
                be asked for it.
        """
        try:
            near = self.local.open()
        except StateLockedError as error:
            raise StateLockedError(self.name, error.owner) from error
        far: Loaded | None = None
        if not near.existed or not near.is_complete:
            try:
                far = self.remote.open()
            except StateError as error:
                if not near.existed:
                    self.local.close(self._wall(), is_clean=False)
                    raise
                why = f"it cannot be asked for what is missing: {error}"
                near = attrs.evolve(near, damages=(*near.damages, Damage(self.remote.name, why, Loss.NOTHING)))
        is_far = far is not None and _is_better(far, near)
        loaded = self._instead(near, far) if far is not None and is_far else near
        self._begin(loaded, far, is_far=is_far)
        return attrs.evolve(loaded, entries={key: entry for key, entry in loaded.entries.items() if key != NOTE})

    def commit(self, changes: Sequence[Change], at: float) -> int:
        """Carry out all *changes* or none of them; return their number, when they are durable in the local store.

        Args:
            changes: At least one, of different keys.
            at: The time of day, in seconds since 1970.

        Raises:
            StateWriteError: They are not known to be durable; give them again.
        """
        if self._replica is None:
            raise StateWriteError(self.name, "a commit", "it is not open")
        place = attrs.evolve(self._place, number=self._place.number + 1)
        given = {change.key: change for change in (*changes, Change(NOTE, place.note(at)))}
        full = list((self._owed | given).values())
        seq = self.local.commit(full, at)
        self._place, self._owed = place, {}
        self._replica.put(full, place.number, at)
        return seq

    @property
    def wants_compacting(self) -> bool:
        """Whether the local store does; the remote one is compacted by the thread."""
        return self.local.wants_compacting

    def compact(self, at: float) -> Compacted | None:
        """Compact the local store.

        Raises:
            StateWriteError: It failed; nothing that was committed is lost.
        """
        compacted = self.local.compact(at)
        if compacted is None or not self._place.number:
            return compacted
        return attrs.evolve(compacted, entries=compacted.entries - 1)  # the note is ours

    def close(self, at: float, *, is_clean: bool) -> None:
        """Let go of the local store, then send the rest to the remote one, for ``close_within`` seconds at most.

        Raises:
            StateWriteError: The local store's mark could not be left; both are closed all the same.
        """
        try:
            self.local.close(at, is_clean=is_clean)
        finally:
            if self._replica is not None:
                self._replica.stop(at, is_clean=is_clean, within=self.close_within)

    # -- opening ---------------------------------------------------------------

    def _instead(self, near: Loaded, far: Loaded) -> Loaded:
        """Return *far*, for all that is in *near*; what makes the local store like it is owed to that."""
        self._owed = {change.key: change for change in Known(dict(near.entries)).needed(far.entries)}
        lacks = "lacks what was acknowledged" if near.existed else "has no state"
        what = f"{lacks}: read from {self.remote.name}, which may be behind"
        loss = Loss.NOTHING if far.was_clean and not near.existed else Loss.UNKNOWN
        damages = (*near.damages, Damage(self.local.name, what, loss), *far.damages)
        return attrs.evolve(far, seq=near.seq, damages=damages, source=f"{far.source} instead of {self.local.name}")

    def _begin(self, loaded: Loaded, far: Loaded | None, *, is_far: bool) -> None:
        place = place_of(loaded.entries)
        at = loaded.saved_at or 0.0
        backlog = Backlog(
            self.most_keys, dict(loaded.entries), place.number, place.number, at, is_begun=bool(place.line)
        )
        self._place = place if place.line else Place(f"{self._chance.getrandbits(128):032x}")
        self._replica = Replica(self.remote, backlog, retry=self.retry, chance=self._chance, wall=self._wall)
        self._replica.start(self._place, far, is_adopted=is_far)


def _is_better(far: Loaded, near: Loaded) -> bool:
    """Return whether *far* is to be taken in the place of *near*, which is not whole or not there."""
    if not far.existed or not near.existed:
        return far.existed
    there, here = place_of(far.entries), place_of(near.entries)
    return far.is_complete and here.line in ("", there.line) and there.number >= here.number
