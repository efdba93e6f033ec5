"""Timers and `Down` notices that say whether they were delivered."""

from typing import TYPE_CHECKING, Any

from duenna._timers import Timer
from duenna._watch import Notice
from duenna.testing._tap._log import log_of

if TYPE_CHECKING:
    from duenna.testing._tap._mail import Mail


class TracedTimer(Timer):
    """A timer of a tapped runtime; made of a plain one by changing its class."""

    __slots__ = ()

    def cancel(self) -> None:
        """Never tell it again."""
        super().cancel()
        log_of(self._heap).timers.pop(self, None)

    def fire(self) -> None:
        """Tell the message, in its owner's name."""
        log = log_of(self._heap)
        owner, armed = log.timers[self]
        if not self.period:
            del log.timers[self]
        log.record("timer", owner.path, armed, to=self._target.path)
        with log.done_by(owner):
            super().fire()

    def is_wanted(self, incarnation: int) -> bool:
        """Return whether *incarnation* is the one that set the timer."""
        wanted = super().is_wanted(incarnation)
        if wanted:
            record = log_of(self._heap).record
            record("timer_received", self._target.path, self._incarnation, receiver_incarnation=incarnation)
        _settle(self._target, wanted=wanted)
        return wanted


class TracedNotice(Notice):
    """A `Down` in the mailbox of a tapped actor; made of a plain one by changing its class."""

    __slots__ = ()

    def is_wanted(self, incarnation: int) -> bool:
        """Return whether the watch still stands, and is of this incarnation."""
        wanted = super().is_wanted(incarnation)
        watcher: Any = self._watch.watcher
        log = watcher.mail.log
        number = log.end_watch(self._watch) if wanted else 0
        if number:  # 0: the actor had it before, and stashed it
            log.record("down_received", watcher.path, incarnation, number=number, target=self.message.path)
        _settle(watcher, wanted=wanted)
        return wanted


def _settle(cell: Any, *, wanted: bool) -> None:
    mail: Mail = cell.mail
    if wanted:
        mail.received()
    else:
        mail.unwanted()
