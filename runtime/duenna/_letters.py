"""Messages that are not delivered: dropped by a mailbox's rule, or addressed to nobody. Counted, never silent."""

from typing import TYPE_CHECKING

import trio

from duenna import events
from duenna._ask import Ask
from duenna._text import describe
from duenna.errors import ActorDiedError, MailboxFullError
from duenna.mailbox import NOTHING, Envelope, LatestQueue

if TYPE_CHECKING:
    from duenna._cell import Cell


def drop(cell: "Cell", message: object) -> None:
    """Count *message* as dropped by the mailbox's rule; an ask fails at once."""
    more = cell.more
    more.dropped += 1
    if isinstance(message, Ask):
        message.fail(MailboxFullError(cell.path, cell.capacity))
    if isinstance(message, Envelope):
        message = message.message
    runtime = cell.node.runtime
    if runtime.bus.wants(events.MessageDropped):
        runtime.bus.post(
            events.MessageDropped(
                time=runtime.now(),
                path=cell.path,
                message_type=type(message).__name__,
                policy=cell.spec.options.mailbox.policy,
                count=more.dropped,
            )
        )


def dead_letter(cell: "Cell", message: object, why: str, count: int = 1) -> None:
    """Count and post messages that nobody will read; an ask among them fails."""
    if isinstance(message, Ask):
        message.fail(ActorDiedError(cell.path, why))
    if isinstance(message, Envelope):
        message = message.message
    runtime = cell.node.runtime
    runtime.dead_letters += count
    if runtime.bus.wants(events.DeadLetter):
        runtime.bus.post(
            events.DeadLetter(
                time=runtime.now(),
                path=cell.path,
                message_type=type(message).__name__,
                why=why,
                count=count,
            )
        )


def bury(cell: "Cell", why: str) -> None:
    """Make dead letters of everything in the mailbox: nobody will read it."""
    extra = cell.extra
    if extra is not None:
        cell.put_back(extra.stash)
        extra.times = None
        while extra.senders:
            sender = extra.senders.popleft()
            dead_letter(cell, sender.message, why)
            if sender.task is not None:
                trio.lowlevel.reschedule(sender.task)
    queue, cell.queue = cell.queue, None
    if isinstance(queue, LatestQueue):
        cell.more.dropped += queue.replaced
    if not queue:
        return
    letters = [m for m in queue if not isinstance(m, Envelope) or isinstance(m, Ask)]
    for letter in letters:
        if isinstance(letter, Ask):
            letter.fail(ActorDiedError(cell.path, why))
    if letters:
        first = letters[0].message if isinstance(letters[0], Ask) else letters[0]
        dead_letter(cell, first, why, len(letters))


def bury_below(cell: "Cell", why: str) -> None:
    """Make dead letters of everything in the mailboxes of *cell* and of all below it."""
    for one in cell.walk():
        bury(one, why)


def fail_asks_below(cell: "Cell", why: str) -> None:
    """Fail every ask that waits for *cell* or for one below it; the other messages stay."""
    for one in cell.walk():
        _fail_asks(one, why)


def _fail_asks(cell: "Cell", why: str) -> None:
    """Fail every ask that waits in the mailbox; the other messages stay."""
    waiting = [s.message for s in cell.extra.senders or ()] if cell.extra is not None else []
    for message in [*(cell.queue or ()), *waiting]:
        if isinstance(message, Ask):
            message.fail(ActorDiedError(cell.path, why))


def fail_current(cell: "Cell", error: BaseException | None, why: str) -> None:
    """Fail the ask that the actor was busy with; the message is not delivered again."""
    current, cell.current = cell.current, NOTHING
    if isinstance(current, Ask) and not current.is_settled:
        died = ActorDiedError(cell.path, describe(error) if error is not None else why)
        died.__cause__ = error
        current.fail(died)


def tell_or_drop(cell: "Cell", message: object) -> None:
    """Tell *message* where there is nobody who could be told that the mailbox is full."""
    try:
        cell.tell(message)
    except (MailboxFullError, TypeError):  # TypeError: the key function of its mailbox failed
        drop(cell, message)
