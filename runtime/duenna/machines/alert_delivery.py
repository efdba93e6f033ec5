"""What to do when a receiver did not take a notification: try again later, or give it up."""

from typing import Final

import attrs

from duenna.machines.alert_words import Notification

MOST_LOST: Final = 1000
"""Alerts whose beginning was lost that are remembered; of more, the oldest are forgotten."""


@attrs.frozen(kw_only=True)
class Patience:
    """How long a receiver is waited for.

    Attributes:
        first: Seconds before the second try.
        longest: Longest wait in seconds, unless the receiver asks for more; each is twice the one before.
        max_age: Seconds after which a notification is not worth sending any more.
    """

    first: float = 5.0
    longest: float = 60.0
    max_age: float = 3600.0

    def wait(self, failures: int, age: float, *, is_final: bool, retry_after: float) -> float | None:
        """Return the seconds until the next try; None: give the notification up.

        Args:
            failures: Tries that have failed, at least 1.
            age: Seconds since the notification was made.
            is_final: Whether the receiver will never take it.
            retry_after: Seconds that the receiver asked to be left alone, 0 if it did not.
        """
        if is_final:
            return None
        wait = max(min(self.first * 2.0 ** min(failures - 1, 32), self.longest), retry_after)
        return wait if age + wait < self.max_age else None


@attrs.define
class Lost:
    """Alerts whose beginning one receiver never got, so that it is not told of their end either."""

    _ids: dict[str, None] = attrs.field(factory=dict[str, None], init=False)

    def add(self, note: Notification) -> None:
        """Note that *note* is given up."""
        for alert in note.firing:
            self._ids[alert.id] = None
        while len(self._ids) > MOST_LOST:
            del self._ids[next(iter(self._ids))]

    def came(self, note: Notification) -> None:
        """Note that the receiver took *note*: what it was told in it is lost no more, what is over needs no memory."""
        for alert in (*note.firing, *note.resolved):
            self._ids.pop(alert.id, None)

    def is_pointless(self, note: Notification) -> bool:
        """Return whether *note* says nothing but the end of alerts whose beginning was lost."""
        return bool(note.resolved) and not note.firing and all(alert.id in self._ids for alert in note.resolved)
