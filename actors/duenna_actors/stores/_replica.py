"""Brings a remote store after the local one, in a thread of its own that nobody has to wait for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import attrs

from duenna.errors import DuennaError
from duenna_actors.stores._backlog import Backlog, Batch, Known, Lag, Place, place_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from duenna import Backoff
    from duenna.storage import Change, Loaded, Store
    from duenna.wallclock import WallTime


class _RefusedError(DuennaError):
    """What is there may not be overwritten."""


class Replica:
    """A remote store, and what it has not got yet.

    The remote store is called by the one thread alone. What is kept about it is guarded by a
    lock that nobody holds while the remote store works.
    """

    def __init__(self, remote: Store, backlog: Backlog, *, retry: Backoff, chance: Random, wall: WallTime) -> None:
        self._remote = remote
        self._backlog = backlog
        self._retry = retry
        self._chance = chance
        self._wall = wall
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"replica in {remote.name}", daemon=True)
        self._place = Place()
        self._known: Known | None = None
        self._end: tuple[float, bool] | None = None
        self._is_abandoned = False
        self._is_refused = False
        self._last_error = ""

    def start(self, place: Place, far: Loaded | None = None, *, is_adopted: bool = False) -> None:
        """Begin.

        Args:
            place: Where the local store is.
            far: What the remote store held, if it is open already; it is this one's to close then.
            is_adopted: Whether that is what the local store goes on from.
        """
        self._place = place
        if far is not None:
            try:
                self._meet(far, is_adopted=is_adopted)
            except _RefusedError as error:
                self._refuse(error)
        self._thread.start()

    def put(self, changes: Sequence[Change], number: int, at: float) -> None:
        """Take in commit *number*, made at *at*, in seconds since 1970."""
        with self._changed:
            self._backlog.put(changes, number, at)
            self._changed.notify_all()

    def lag(self) -> Lag:
        """Return how far behind the remote store is."""
        with self._changed:
            lag = self._backlog.lag(self._wall())
            return attrs.evolve(lag, is_refused=self._is_refused, last_error=self._last_error)

    def catch_up(self, within: float) -> bool:
        """Wait until the remote store has everything, for *within* seconds at most; return whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._backlog.lag(0.0).is_behind, within)

    def stop(self, at: float, *, is_clean: bool, within: float) -> None:
        """Send what is left and let go; after *within* seconds, leave the thread to itself.

        It lets go as soon as the remote store gives it the control back.
        """
        with self._changed:
            self._end = (at, is_clean)
            self._changed.notify_all()
        self._thread.join(within)
        with self._changed:
            self._is_abandoned = True

    # -- the thread ------------------------------------------------------------

    def _run(self) -> None:
        failures = 0
        while (batch := self._next()) is not None:
            try:
                self._send(batch)
            except _RefusedError as error:
                self._refuse(error)
            except Exception as error:  # noqa: BLE001  # whatever it is, the local store goes on, and `lag` says it
                failures += 1
                self._settle(batch, str(error) or type(error).__name__)
                if self._is_over():
                    break
                self._pause(failures)
            else:
                failures = 0
                self._settle(batch)
        self._let_go()

    def _next(self) -> Batch | None:
        """Wait for work; None: that was all."""
        with self._changed:
            self._changed.wait_for(lambda: self._end is not None or self._is_refused or self._backlog.has_work)
            if self._is_abandoned or self._is_refused or not self._backlog.has_work:
                return None
            return self._backlog.take()

    def _send(self, batch: Batch) -> None:
        known = self._known
        if known is None:
            known = self._meet(self._remote.open())
        changes = batch.changes if batch.entries is None else known.needed(batch.entries)
        if changes:
            known.doubt(changes)
            self._remote.commit(changes, batch.at)
            known.settle(changes)
        if self._remote.wants_compacting:
            self._remote.compact(batch.at)

    def _meet(self, far: Loaded, *, is_adopted: bool = False) -> Known:
        """Look at what the remote store holds, which is open now.

        Raises:
            _RefusedError: It is not an earlier state of ours.
        """
        known = self._known = Known(dict(far.entries))
        place, ours = place_of(far.entries), self._place
        if is_adopted or not far.entries:
            return known
        if place.line != ours.line:
            raise _RefusedError(f"{self._remote.name} holds another state, which is not overwritten")
        if place.number > ours.number:
            raise _RefusedError(
                f"{self._remote.name} is ahead, at commit {place.number} of the state of which {ours.number} "
                "are known here: it is not overwritten"
            )
        with self._changed:
            self._backlog.sent = max(self._backlog.sent, place.number)
        return known

    def _settle(self, batch: Batch, why: str = "") -> None:
        with self._changed:
            self._last_error = why
            if why:
                self._backlog.give_back(batch)
            else:
                self._backlog.done(batch)
            self._changed.notify_all()

    def _refuse(self, error: _RefusedError) -> None:
        with self._changed:
            self._is_refused = True
            self._last_error = str(error)
            self._backlog.is_everything = True
            self._changed.notify_all()

    def _is_over(self) -> bool:
        with self._changed:
            return self._end is not None

    def _pause(self, failures: int) -> None:
        """Wait before the next attempt; the end does not wait, and it is the last one."""
        delay = self._retry.delay(failures, self._chance.random())
        with self._changed:
            self._changed.wait_for(lambda: self._end is not None, delay)

    def _let_go(self) -> None:
        if self._known is None:
            return
        with self._changed:
            at, is_clean = self._end or (self._wall(), False)
            is_level = not self._backlog.lag(0.0).is_behind
        try:
            self._remote.close(at, is_clean=is_clean and is_level)
        except Exception as error:  # noqa: BLE001  # as above
            with self._changed:
                self._last_error = str(error) or type(error).__name__
