"""`/system/health`: announces what has changed."""

from typing import ClassVar

from duenna.actor import Actor
from duenna.health.monitor import HealthMonitor
from duenna.spec import Child


class HealthActor(Actor):
    """Posts a `HealthChanged` when the health of a service, or of the bot, is another one than before.

    It looks when events say that something may have changed, once for all that came at the same
    time, and sleeps otherwise. What it has announced outlives its restarts.
    """

    kind: ClassVar[str] = "health"

    def __init__(self, monitor: HealthMonitor) -> None:
        """Announce what *monitor* finds."""
        self._monitor = monitor

    async def run(self) -> None:
        """Announce changes as they come."""
        self._monitor.mark_all()
        while True:
            for event in await self._monitor.news():
                self.context.post(event)


def health_child(monitor: HealthMonitor) -> Child:
    """Return the spec of `/system/health`."""
    return Child("health", lambda: HealthActor(monitor))
