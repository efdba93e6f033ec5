"""The gate before a server that has told us to wait: nobody goes through until the time is over."""

import attrs


@attrs.define
class RateGate:
    """One server's ban, shared by all who call it; a pure machine.

    To call during a ban makes it longer (Binance: 429, then 418 for up to three days), so
    the gate answers in the server's place.

    Attributes:
        closed_until: When the ban ends, in monotonic seconds.
        status: The HTTP status that began it, 0 before the first.
    """

    closed_until: float = float("-inf")
    status: int = 0

    def close(self, now: float, retry_after: float, status: int) -> None:
        """Let nobody through for *retry_after* seconds; never shortens a ban."""
        if now + retry_after > self.closed_until:
            self.closed_until = now + retry_after
            self.status = status

    def wait(self, now: float) -> float:
        """Return the seconds until the gate opens, 0 if it is open."""
        return max(0.0, self.closed_until - now)
