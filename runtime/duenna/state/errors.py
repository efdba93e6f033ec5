"""What can go wrong with work in progress."""

from typing import TYPE_CHECKING

from duenna.errors import StoppedError
from duenna.machines.lifecycle import ALIVE
from duenna.storage import StateError

if TYPE_CHECKING:
    from duenna._cell import Cell


class WorkInUseError(StateError):
    """An operation, or an intent, is entered a second time by its actor before the first block has ended.

    Attributes:
        path: The actor.
        work: The operation or intent, in words.
    """

    def __init__(self, path: str, work: str) -> None:
        """Say that *path* is in the middle of *work*."""
        super().__init__(f"{path} is in the middle of {work}: the same work runs once at a time")
        self.path = path
        self.work = work


class TooMuchWorkError(StateError):
    """An actor has as many unfinished operations and intents as it may.

    Attributes:
        path: The actor.
        limit: How many that is.
    """

    def __init__(self, path: str, limit: int) -> None:
        """Say that *path* has *limit* of them."""
        super().__init__(
            f"{path} has {limit} unfinished operations and intents: end some of them before another begins"
        )
        self.path = path
        self.limit = limit


class WorkGoneError(StateError):
    """An operation or intent is not there any more: somebody else has ended it, or a hand has set it aside.

    Attributes:
        path: The actor.
        work: The operation or intent, in words.
    """

    def __init__(self, path: str, work: str) -> None:
        """Say that *work* is not there any more."""
        super().__init__(f"{work} of {path} was ended by somebody else, or set aside: nothing more of it is saved")
        self.path = path
        self.work = work


def refuse_ended(cell: "Cell", incarnation: int) -> None:
    """Refuse what an incarnation asks for that has ended.

    Raises:
        StoppedError: It has.
    """
    if cell.incarnation != incarnation or cell.state not in ALIVE:
        raise StoppedError(f"{cell.path} (incarnation {incarnation})")
