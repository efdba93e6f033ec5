"""How a delivery fails."""

from duenna.errors import DuennaError


class DeliveryError(DuennaError):
    """A receiver did not take a notification.

    Its text holds no address: those of receivers are secrets.

    Attributes:
        receiver: Its name.
        why: What happened, in words.
        status: Its answer's HTTP status, or SMTP's code; None if it did not answer.
        retry_after: Seconds that it asked to be left alone, None if it did not.
        is_final: Whether it will not take this notification however often it is tried: the address
            is wrong, the key is, or the notification itself.
    """

    outcome_unknown = False  # alerts are told at least once: what may have arrived is sent again

    def __init__(
        self,
        receiver: str,
        why: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        is_final: bool = False,
    ) -> None:
        """Say *why* *receiver* did not take it."""
        super().__init__(f"{receiver}: {why}")
        self.receiver = receiver
        self.why = why
        self.status = status
        self.retry_after = retry_after
        self.is_final = is_final
