"""The clock of plain threads: the one module that reads it, and that keeps a thread waiting."""

import time
from collections.abc import Callable


class ThreadClock:
    """Monotonic seconds, and waiting for them to pass."""

    def reader(self) -> Callable[[], float]:
        """Return the function that gives monotonic seconds."""
        return time.monotonic  # noqa: TID251  # this module owns the clock of threads

    def sleep(self, seconds: float) -> None:
        """Keep this thread waiting."""
        time.sleep(seconds)  # noqa: TID251  # no event loop runs in this thread


THREADS = ThreadClock()
