"""What the kernel tells the state of the lives of actors: begun, ended in order, crashed, held by a hand."""

from typing import TYPE_CHECKING, Any

from duenna.state._owner import PATH
from duenna.state.events import StateEncodable, StateNotTaken, StateUnencodable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from duenna._cell import Cell
    from duenna._runtime import Runtime
    from duenna.actor import Actor
    from duenna.events import Event
    from duenna.fields import Codec
    from duenna.state._captures import Captures
    from duenna.state._commits import Batch, Commits
    from duenna.state._restoring import Restoring
    from duenna.storage import Change, StateError
    from duenna.wallclock import WallTime


class Lives:
    """The part of a state that the kernel talks to; it waits for nothing.

    Attributes:
        stops: When an operator stopped what is to stay down, in seconds since 1970, by path.
    """

    stops: dict[str, float]
    captures: "Captures"
    commits: "Commits"
    wall: "WallTime"
    now: "Callable[[], float]"
    wants: "Callable[[type[Event]], bool]"
    post: "Callable[[Event], None]"
    stage: "Callable[[Sequence[Change]], Batch]"
    save_soon: "Callable[[], None]"
    save_part: "Callable[[str], None]"
    _restoring: "Restoring"
    _runtime: "Runtime"

    def restore(self, cell: "Cell", actor: "Actor", codec: "Codec") -> None:
        """Give *actor*, the new incarnation of *cell*, the fields that were saved last.

        Raises:
            StateRefusedError: There are some, but it must not begin with them, nor without.
        """
        self._restoring.restore(cell, actor, codec)

    def ended(self, cell: "Cell", *, was_interrupted: bool) -> None:
        """Note that the present incarnation of *cell* ends in order: its fields are saved as it left them."""
        tracked = self.captures.forget(cell)
        if tracked is None:
            return
        if not was_interrupted:
            self._stage(self.captures.take(tracked))
        elif self.wants(StateNotTaken) and tracked.has_changed:
            self.post(StateNotTaken(time=self.now(), path=cell.path, incarnation=cell.incarnation))

    def crashed(self, cell: "Cell", uptime: float | None, verdict: Any) -> None:
        """Note that the present incarnation of *cell* crashed: nothing of it is saved; all others are, soon."""
        if self.captures.forget(cell) is None:
            return
        self._restoring.crashed(cell, uptime, verdict)
        self.save_soon()

    def needs_a_hand(self, path: str) -> "StateError | None":
        """Return why the actor at *path* must not be restarted by itself, None if it may."""
        return self._restoring.needs_a_hand(path)

    def not_busy(self, cell: "Cell") -> None:
        """Note that *cell* has handled what kept it from being taken at the last save."""
        tracked = self.captures.of(cell)
        if tracked is not None and not tracked.is_busy:
            self._stage(self.captures.take(tracked))

    def begin_fresh(self, path: str) -> None:
        """Set the state at and below *path* aside, by hand."""
        self._restoring.begin_fresh(path)

    def held(self, path: str) -> None:
        """Note that an operator keeps the child at *path* down: the next process does, too, unless it is the writer."""
        if path == PATH:  # who forgets it would run for weeks with nothing saved
            return
        self.stops[path] = self.wall()
        self.save_part("stops")

    def released(self, path: str) -> None:
        """Note that the child at *path* may run again, or is gone."""
        if self.stops.pop(path, None) is not None:
            self.save_part("stops")

    def removed(self, path: str) -> None:
        """Note that no child is at *path* any more: what is stored of it stays, what was wrong with it is over."""
        self._restoring.forget(path)
        if self.captures.failed and not self._runtime.stopping.is_set():  # at the end, it must be known
            self.can_encode(path)

    def report(self, cell: "Cell", error: Exception) -> None:
        """Have *error* reported as one that *cell* survives."""
        self._runtime.reports.survived(cell, error, {"hook": "restore"})

    def could_not_encode(self, cell: "Cell", error: "StateError") -> None:
        """Note that the fields of *cell* cannot be encoded."""
        if self.wants(StateUnencodable):
            self.post(StateUnencodable(time=self.now(), path=cell.path, error=str(error)))
        self._runtime.reports.survived(cell, error, {"hook": "save"})

    def can_encode(self, name: str, path: str = "") -> None:
        """Note that *name*, *path* for the event if that is given, can be encoded, in case it could not before."""
        if self.captures.failed.pop(name, None) is not None and self.wants(StateEncodable):
            self.post(StateEncodable(time=self.now(), path=path or name))

    def _stage(self, change: "Change | None") -> None:
        if change is not None and not self.commits.is_closed:
            self.stage([change])
