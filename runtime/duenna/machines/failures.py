"""The budget of one child: consecutive failures, beside the window of its supervisor.

Once a child has backoff, restarts are too far apart for a window to fill, so a
child that fails for ever would be restarted for ever. This counts what the window
cannot see.
"""

import attrs


@attrs.define
class FailureCount:
    """Consecutive failures of one child.

    Attributes:
        failures: Failures since the last success, that is, since an incarnation
            stayed up for ``reset_after`` seconds.
        previous_delay: The last wait, in seconds (decorrelated jitter wants it).
    """

    failures: int = 0
    previous_delay: float = 0.0

    def record(self, uptime: float, reset_after: float) -> int:
        """Count a failure after *uptime* seconds of running; return the new count.

        An uptime of exactly ``reset_after`` counts as success.
        """
        if uptime >= reset_after:
            self.failures = 0
            self.previous_delay = 0.0
        self.failures += 1
        return self.failures

    def is_spent(self, max_failures: int | None) -> bool:
        """Return whether the count exceeds *max_failures* (None: never)."""
        return max_failures is not None and self.failures > max_failures

    def left(self, max_failures: int | None) -> int | None:
        """Return how many restarts are left, None without a limit."""
        return None if max_failures is None else max(0, max_failures - self.failures)
