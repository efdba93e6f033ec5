"""What an alerter keeps beyond the process: what fires, who was told, what is silent, and what may not have arrived."""

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import attrs

from duenna.machines.alert_memory import AlertsMemory
from duenna.machines.lasting_alerts import LastingAlerts
from duenna.state import Part
from duenna_actors._kept import kept
from duenna_actors.alerts.events import NotificationSent

if TYPE_CHECKING:
    from collections.abc import Container

    from duenna import EventStream, Runtime
    from duenna.machines.alert_words import Notification

MOST_DOUBTFUL: Final = 1000
"""Notifications of which it is not known whether they arrived; of more, the oldest are taken to have."""


@attrs.define(eq=False)
class Lasting:
    """What one alerter keeps; it outlives the alerter's incarnations, and knows what was delivered after its end.

    A notification is doubtful until its receiver took it, or it is older than ``max_age``: then it was given up.

    Attributes:
        is_first: Whether the incarnation that is followed is the process's first.
    """

    is_first: bool = attrs.field(default=False, init=False)
    _runtime: "Runtime"
    _name: str
    _max_age: float
    _taken: "EventStream"
    _alerts: LastingAlerts | None = attrs.field(default=None, init=False)
    _inherited: AlertsMemory | None = attrs.field(default=None, init=False)
    _doubtful: "OrderedDict[tuple[str, int], Notification]" = attrs.field(
        factory=OrderedDict[tuple[str, int], Any], init=False
    )

    @classmethod
    def of(cls, runtime: "Runtime", path: str, max_age: float) -> "Lasting | None":
        """Return what the alerter at *path* keeps, with what the last process left; None: nothing outlives this one.

        Args:
            runtime: The runtime.
            path: The alerter's.
            max_age: Seconds after which a notification that did not arrive is given up.
        """
        if not runtime.state.store.is_durable:
            return None
        return kept(runtime, (cls, path), lambda: cls._make(runtime, f"alerts:{path}", max_age))

    @classmethod
    def _make(cls, runtime: "Runtime", name: str, max_age: float) -> "Lasting":
        made = cls(runtime, name, max_age, runtime.events(NotificationSent, capacity=MOST_DOUBTFUL))
        runtime.state.add(Part(name=name, type=AlertsMemory, dump=made._dump, load=made._load))
        return made

    def follow(self, alerts: LastingAlerts, ours: "Container[str]") -> bool:
        """Keep what *alerts*, which have just been made, know from now on; return whether that is what was stored.

        What was stored is used once: if it was what an incarnation ended by, the next one begins without.

        Args:
            alerts: Of the present incarnation.
            ours: Kinds of conditions that are noticed again if they still hold.
        """
        self.is_first = self._alerts is None
        self._alerts = alerts
        memory, self._inherited = self._inherited, None
        if memory is None:
            return False
        alerts.load(memory, self._runtime.now(), self._ahead(), ours)
        return True

    def sent(self, note: "Notification") -> None:
        """Note that *note* is on its way."""
        self._forget_taken()
        self._doubtful[note.receiver, note.number] = note
        if len(self._doubtful) > MOST_DOUBTFUL:
            self._doubtful.popitem(last=False)

    def changed(self, *, at_once: bool = False) -> None:
        """Have what has changed stored: soon, with what else there is, or *at_once*."""
        if at_once:
            self._runtime.state.save_part(self._name)
        else:
            self._runtime.state.save_soon()

    def _forget_taken(self) -> None:
        for event in self._taken.drain():  # where some were lost, what they told of is told again
            if isinstance(event, NotificationSent):
                self._doubtful.pop((event.receiver, event.number), None)

    def _ahead(self) -> float:
        return self._runtime.state.to_wall(0.0)

    def _dump(self) -> AlertsMemory | None:
        if self._alerts is None:
            return self._inherited
        self._forget_taken()
        now = self._runtime.now()
        doubtful = [note for note in self._doubtful.values() if note.time + self._max_age > now]
        memory = self._alerts.dump(now, self._ahead(), doubtful)
        return memory if memory.made or memory.silences_made or memory.held else None

    def _load(self, memory: AlertsMemory) -> None:
        self._inherited = memory
