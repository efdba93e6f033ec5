"""What can go wrong with a store."""

from duenna.errors import DuennaError, ManualInterventionError


class StateError(DuennaError):
    """Base of what can go wrong with the state."""


class StateLockedError(StateError):
    """Another process, or another runtime of this one, has the state.

    Attributes:
        store: Which state.
        owner: Who has it, in words: process, host, since when; empty if that is not known.
    """

    def __init__(self, store: str, owner: str) -> None:
        """Say that *owner* has *store*."""
        super().__init__(f"the state in {store} is in use by {owner or 'another process'}: one at a time may write it")
        self.store = store
        self.owner = owner


class StateFormatError(StateError):
    """The state was written by a later version of duenna, which this one does not understand; it was left as it is.

    Attributes:
        store: Which state.
        where: The file.
        format: Its format version.
        known: The latest version that this program can read.
    """

    def __init__(self, store: str, where: str, format: int, known: int) -> None:  # noqa: A002  # the word for it
        """Say that *where* is newer than what is *known*."""
        super().__init__(
            f"{where} in {store} has format {format}, this program reads formats up to {known}: "
            "start a later version of duenna, or point this one at another folder"
        )
        self.store = store
        self.where = where
        self.format = format
        self.known = known


class StateUnreadableError(StateError):
    """The machine could not read the state; nothing is known to be wrong with it.

    Attributes:
        store: Which state.
        where: The file or the table.
        why: What the machine said.
    """

    def __init__(self, store: str, where: str, why: str) -> None:
        """Say that *where* could not be read."""
        super().__init__(
            f"{where} in {store} cannot be read: {why}; nothing was changed, and nothing starts without it"
        )
        self.store = store
        self.where = where
        self.why = why


class StateWriteError(StateError):
    """Something is not known to be durable.

    Attributes:
        store: Which state.
        what: What was being written.
        why: What the machine said.
    """

    def __init__(self, store: str, what: str, why: str) -> None:
        """Say that *what* may not be in *store*."""
        super().__init__(f"{what} may not be in {store}: {why}")
        self.store = store
        self.what = what
        self.why = why


class NotDurableError(StateError):
    """What was saved is kept in memory only, for the store does not take it; it is tried again without end.

    Attributes:
        store: Which state.
        why: What the store said.
    """

    def __init__(self, store: str, why: str) -> None:
        """Say that *store* does not take what was given to it."""
        super().__init__(f"not durable yet: {why}")
        self.store = store
        self.why = why


class StateRefusedError(StateError, ManualInterventionError):
    """An actor is not started with the state that there is, nor without it: a hand decides.

    Attributes:
        path: The actor.
        why: What is wrong with its state.
    """

    def __init__(self, path: str, why: str) -> None:
        """Say that the state of *path* is refused."""
        super().__init__(f"the state of {path} is refused: {why}; restart it with fresh=True to set that state aside")
        self.path = path
        self.why = why
