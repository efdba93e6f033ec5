"""How a link fails, in the words of `duenna.connection`, which has them too."""

from duenna.errors import DuennaError


class ConnectionLostError(DuennaError):
    """The far end cannot be reached any more: no check needs to be asked again.

    Attributes:
        why: What happened, in words.
        retry_after: Seconds that the far end asked to be left alone, None if it did not.
    """

    def __init__(self, why: str, *, retry_after: float | None = None) -> None:
        """Say *why* the connection is gone."""
        super().__init__(why)
        self.why = why
        self.retry_after = retry_after


class ConnectionTimeoutError(DuennaError):
    """A hook of a connection overran its deadline.

    Attributes:
        hook: `connect`, `check`, `recover` or `close`.
        timeout: The deadline, in seconds.
    """

    def __init__(self, hook: str, timeout: float) -> None:
        """Say that *hook* took longer than *timeout* seconds."""
        super().__init__(f"{hook} took longer than {timeout} s")
        self.hook = hook
        self.timeout = timeout


class RecoveryStuckError(DuennaError):
    """A connection has been `recovering` for so long that somebody should look.

    Attributes:
        seconds: For how long, at least.
    """

    def __init__(self, seconds: float) -> None:
        """Say that the recovery has not ended within *seconds*."""
        super().__init__(f"still recovering after {seconds:.0f} s")
        self.seconds = seconds
