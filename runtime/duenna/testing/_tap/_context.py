"""What a tapped actor sees of its runtime."""

from typing import TYPE_CHECKING

from duenna._timers import Timer
from duenna.context import Context
from duenna.machines.lifecycle import ALIVE
from duenna.ref import Ref
from duenna.testing._tap._envelopes import TracedTimer
from duenna.testing._tap._log import log_of

if TYPE_CHECKING:
    from duenna.testing._tap._log import Log


class TracedContext(Context):
    """A context that records watches, and makes timers that record themselves."""

    __slots__ = ()

    @property
    def _log(self) -> "Log":
        return log_of(self.runtime.timers)

    def watch(self, target: Ref | str) -> None:
        """Send the actor one `Down` when the present incarnation of *target* ends."""
        watching = self._alive().more.watching
        other = self._cell_of(target)
        old = watching.get(other)
        if old is not None and not old.has_fired:  # it is watched already
            super().watch(target)
            return
        log = self._log
        alive = other.incarnation if other.state in ALIVE else 0
        fields = {"number": log.next_watch(), "target": other.path, "target_incarnation": alive}
        log.record("watch", self.path, self.incarnation, **fields)
        super().watch(target)
        log.watch_number(watching[other])

    def unwatch(self, target: Ref | str) -> None:
        """Take a watch back; a `Down` that is in the mailbox already is not delivered either."""
        watch = self._alive().more.watching.get(self._cell_of(target))
        if watch is not None:
            number = self._log.watch_number(watch)
            self._log.record("unwatch", self.path, self.incarnation, number=number, target=watch.target.path)
        super().unwatch(target)

    def _arm(self, delay: float, period: float, message: object, to: Ref | None) -> Timer:
        timer = super()._arm(delay, period, message, to)
        timer.__class__ = TracedTimer
        self._log.timers[timer] = (self._cell, self._incarnation)
        return timer
