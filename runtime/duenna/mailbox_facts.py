"""What a console is told of a mailbox: types and times of messages, never contents."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import attrs

from duenna.mailbox import NOTHING, Envelope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duenna._cell import Cell

MOST_WAITING: Final = 100
"""Messages of a mailbox that are named, the oldest."""


@attrs.frozen
class MailboxFacts:
    """A mailbox at one moment, in full.

    Attributes:
        policy: The overflow rule.
        current: Type of the message that is being handled, empty if none is.
        waiting: Type of each message that waits and when it came (None: not known), oldest first, at most 100.
        senders: Who wait for room.
        stashed: Messages that the actor has put aside.
    """

    policy: str
    current: str
    waiting: tuple[tuple[str, float | None], ...]
    senders: int
    stashed: int


def mailbox_of(cell: Cell) -> MailboxFacts:
    """Look into the mailbox of *cell*: types and times, never contents."""
    extra = cell.extra
    times: Iterable[float] = (extra.times if extra is not None else None) or ()
    came: list[float | None] = list(islice(times, MOST_WAITING))
    kinds = [_kind_of_message(message) for message in islice(cell.queue or (), MOST_WAITING)]
    came += [None] * (len(kinds) - len(came))
    return MailboxFacts(
        policy=cell.spec.options.mailbox.policy,
        current="" if cell.current is NOTHING else _kind_of_message(cell.current),
        waiting=tuple(zip(kinds, came, strict=False)),
        senders=len(extra.senders) if extra is not None and extra.senders else 0,
        stashed=len(extra.stash) if extra is not None else 0,
    )


def _kind_of_message(message: object) -> str:
    inner = message.message if isinstance(message, Envelope) else message
    return type(inner).__name__
