"""The books of one mailbox: the records of what comes in, goes out, and is lost."""

from typing import Any

import attrs

from duenna._cell import Cell
from duenna._text import describe
from duenna._watch import Notice
from duenna.machines.lifecycle import ChildState
from duenna.mailbox import Envelope
from duenna.testing._tap._log import Log


@attrs.frozen(eq=False)
class Stamp:
    """Which message it is, without the message.

    Attributes:
        sender: Path of the actor that sent it; empty: none did.
        number: Counted from 1, from that sender to this receiver.
        message: Name of its type.
    """

    sender: str
    number: int
    message: str


@attrs.define(eq=False)
class Mail:
    """What is known of one actor's messages.

    Attributes:
        log: The runtime's.
        cell: The actor.
        got_in: Messages that have entered the mailbox so far.
        at_hand: The message that its handler is busy with; None: none, or a notice.
        aside: Those that are stashed, in their order.
        let_in: Path of the actor whose message is let in now, after it has waited for room; None: no one's is.
    """

    log: Log
    cell: Cell
    got_in: int = 0
    at_hand: Stamp | None = None
    aside: list[Stamp | None] = attrs.field(factory=list[Stamp | None])
    let_in: str | None = None

    # -- on the way in ---------------------------------------------------------

    def sent(self, message: Any, length: int) -> Stamp:
        """Record that *message* is sent to a mailbox in which *length* messages wait then, without `Down` notices."""
        sender = self.log.sender() if self.let_in is None else self.let_in
        bare = message.message if isinstance(message, Envelope) else message
        stamp = Stamp(sender, self.log.next_number(sender, self.cell.path), type(bare).__name__)
        self._write("sent", stamp, length=length)
        return stamp

    def told(self, notice: Notice) -> None:
        """Record that the notice of an end gets into the mailbox."""
        down = notice.message
        reason = down.reason if isinstance(down.reason, str) else describe(down.reason)
        number = self.log.watch_number(notice._watch)  # noqa: SLF001  # no other way leads from a notice to its watch
        fields = {"number": number, "target": down.path, "target_incarnation": down.incarnation}
        self.log.record("down", self.cell.path, self.cell.incarnation, **fields, reason=reason)

    def dropped(self, stamp: Stamp) -> None:
        """Record that the mailbox's rule has thrown a message away."""
        self._write("dropped", stamp, policy=self.cell.spec.options.mailbox.policy)

    def dead(self, stamp: Stamp) -> None:
        """Record that nobody will read a message."""
        self._write("dead_letter", stamp)

    def redelivered(self) -> Stamp | None:
        """Record that the last of the stashed messages goes back into the mailbox; None: it was a notice."""
        stamp = self.aside.pop()
        if stamp is not None:
            self._write("redelivered", stamp)
        return stamp

    # -- on the way out --------------------------------------------------------

    def taken(self, stamp: Stamp | None) -> None:
        """Note that a message, or a notice, leaves the mailbox for the handler; the one before it has been handled."""
        self.handled("done")
        self.at_hand = stamp

    def received(self) -> None:
        """Record that the handler gets the message at hand."""
        if self.at_hand is not None:
            self._write("received", self.at_hand)

    def unwanted(self) -> None:
        """Record that the message at hand came too late for the incarnation that it was for."""
        stamp, self.at_hand = self.at_hand, None
        if stamp is not None:
            self.dead(stamp)

    def handled(self, outcome: str) -> None:
        """Record how the handler came back, if a message is at hand."""
        stamp, self.at_hand = self.at_hand, None
        if stamp is not None:
            self._write("handled", stamp, outcome=outcome)

    def let_go(self) -> None:
        """Find out why no message is at hand any more."""
        extra = self.cell.extra
        if extra is not None and len(extra.stash) > len(self.aside):
            self.aside.append(self.at_hand)
            self.handled("stashed")
        elif extra is not None and self.cell.state is ChildState.STOPPING and extra.host is None:
            self.handled(_end_of(extra.exit))  # a function actor: every other handler was seen to come back
        else:
            self.handled("done")

    def _write(self, kind: str, stamp: Stamp, **more: Any) -> None:
        named = {"sender": stamp.sender, "number": stamp.number, "message": stamp.message}
        self.log.record(kind, self.cell.path, self.cell.incarnation, **named, **more)


def outcome_of(error: BaseException) -> str:
    """Return how a handler ended that raised *error*."""
    crashes = (Exception, KeyboardInterrupt, SystemExit, GeneratorExit)
    return "crashed" if isinstance(error, crashes) else "cancelled"


def _end_of(reason: str | BaseException | None) -> str:
    if isinstance(reason, BaseException):
        return outcome_of(reason)
    return "done" if reason == "normal" else "cancelled"
