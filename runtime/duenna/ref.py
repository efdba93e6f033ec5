"""The address of an actor."""

from abc import ABC, abstractmethod
from typing import Any


class Ref(ABC):
    """The stable address of a child: the same across its restarts, and its supervisor's.

    A message to a child that is about to be back (in backoff, parked, suspended) waits in
    its mailbox; a message to one that was stopped, has finished or was removed is a dead
    letter. Refs are compared by identity. They belong to the thread that runs the runtime;
    from another thread, go through ``trio.from_thread.run_sync``.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def path(self) -> str:
        """The child's path, such as `/bot/feeds/btc`."""

    @property
    @abstractmethod
    def ready_value(self) -> Any:
        """What the present incarnation passed to ``context.ready(value)``; None if nothing."""

    @abstractmethod
    def tell(self, message: object) -> None:
        """Put *message* into the mailbox. Never blocks, never raises ``trio.Cancelled``.

        Raises:
            MailboxFullError: There is no room and the mailbox's rule is `fail`.
        """

    @abstractmethod
    async def send(self, message: object) -> None:
        """Put *message* into the mailbox, waiting for room as long as it takes.

        A checkpoint. Cancelled while it waits, the message was not and will not be
        delivered; once it returns, the message is in the mailbox. Senders get in in the
        order in which they came.
        """

    @abstractmethod
    async def ask(self, message: object, timeout: float = 5.0, *, wait: bool = True) -> Any:
        """Send *message* and return what the handler returns for it.

        A checkpoint. Waits for room, for an actor that is about to be back, and for the
        answer. Cancelled, it stops waiting: the message may still be handled, and its answer
        is a dead letter.

        Args:
            message: The question.
            timeout: Seconds to wait in all; ``inf`` waits for ever.
            wait: False fails at once if the actor is not running at this moment.

        Raises:
            ActorDiedError: The actor crashed on this message (the crash is the cause), was
                stopped or parked, or is not there.
            AskTimeoutError: The time is over.
            AskCycleError: The actor asked waits, directly or not, for the asker.
            NoReplyError: A function actor took its next message and left this one unanswered.
            MailboxFullError: The mailbox's rule dropped the question.
        """
