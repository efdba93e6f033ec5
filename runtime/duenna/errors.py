"""What can go wrong in the field. Wrong use by the caller is TypeError, ValueError or RuntimeError instead."""

from collections.abc import Sequence


class DuennaError(Exception):
    """Base of every error that the runtime raises about the world, not about its caller."""


class StartFailedError(DuennaError):
    """A child did not become ready; its own exception is the cause.

    Attributes:
        path: The child.
        why: What happened, in words.
    """

    def __init__(self, path: str, why: str) -> None:
        """Say that the child at *path* did not start."""
        super().__init__(f"{path} did not start: {why}")
        self.path = path
        self.why = why


class GaveUpError(DuennaError):
    """A supervisor spent its restart budget, or a child its own; the last failure is the cause.

    Attributes:
        path: The supervisor.
        why: Which budget, in words.
    """

    def __init__(self, path: str, why: str) -> None:
        """Say that the supervisor at *path* gave up."""
        super().__init__(f"{path} gave up: {why}")
        self.path = path
        self.why = why


class StoppedError(DuennaError):
    """The runtime, or the supervisor that was asked, has ended.

    Attributes:
        path: Who has ended.
    """

    def __init__(self, path: str) -> None:
        """Say that *path* has ended."""
        super().__init__(f"{path} has ended")
        self.path = path


class ActorDiedError(DuennaError):
    """Nobody will answer this ask: the actor crashed on it, was stopped, or is not there.

    Attributes:
        path: The actor.
        why: What happened, in words. The cause is the crash, if there was one.
    """

    def __init__(self, path: str, why: str) -> None:
        """Say that the actor at *path* cannot answer."""
        super().__init__(f"{path} cannot answer: {why}")
        self.path = path
        self.why = why


class AskTimeoutError(DuennaError):
    """No answer came in time; a late one becomes a dead letter.

    Attributes:
        path: The actor.
        timeout: How long the caller waited, in seconds.
    """

    def __init__(self, path: str, timeout: float) -> None:
        """Say that *path* did not answer within *timeout* seconds."""
        super().__init__(f"{path} did not answer within {timeout} s")
        self.path = path
        self.timeout = timeout


class AskCycleError(DuennaError):
    """An ask that could never be answered: the actors wait for each other.

    Attributes:
        paths: The cycle, from the asker back to itself.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        """Say which actors wait for each other."""
        super().__init__(f"ask would wait for itself: {' -> '.join(paths)}")
        self.paths = tuple(paths)


class NoReplyError(DuennaError):
    """A function actor took its next message without answering this ask.

    Attributes:
        path: The actor.
    """

    def __init__(self, path: str) -> None:
        """Say that *path* did not answer."""
        super().__init__(f"{path} took its next message without context.reply(...) to this ask")
        self.path = path


class MailboxFullError(DuennaError):
    """A mailbox has no room, and its rule is to say so; or an ask in it was dropped by its rule.

    Attributes:
        path: The actor.
        capacity: Messages that the mailbox holds.
    """

    def __init__(self, path: str, capacity: int) -> None:
        """Say that the mailbox of *path* is full."""
        super().__init__(f"{path}: mailbox is full, it holds {capacity} messages")
        self.path = path
        self.capacity = capacity


class ChildStateError(DuennaError):
    """A child is not in a state in which it can do what was asked.

    Attributes:
        path: The child.
        state: Its state.
        operation: What was asked.
    """

    def __init__(self, path: str, state: str, operation: str) -> None:
        """Say that the child at *path* cannot do *operation*."""
        super().__init__(f"{path} is {state}: cannot {operation}")
        self.path = path
        self.state = state
        self.operation = operation


class UnknownPathError(DuennaError, LookupError):
    """There is no such child.

    Attributes:
        path: What was looked for.
    """

    def __init__(self, path: str, known: str = "") -> None:
        """Say that nothing is at *path*."""
        super().__init__(f"no such child: {path}" + (f", there is {known}" if known else ""))
        self.path = path


class ManualInterventionError(DuennaError):
    """Trying again is useless until a person has done something: the supervisor parks the child that raises it.

    Attributes:
        why: What has to be looked at, in words.
    """

    def __init__(self, why: str) -> None:
        """Say *why* a hand is needed."""
        super().__init__(f"manual intervention required: {why}")
        self.why = why
