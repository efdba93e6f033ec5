"""What became of each connection in the demo: the runtime's own statistics, with messages and faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.connection_statistics import Statistics as ConnectionStatistics
from duenna.connection_statistics import kind_of, table, verdict
from duenna_actors.demo.events import FaultInjected, MessagesCounted

if TYPE_CHECKING:
    from duenna.events import Event

__all__ = ["Statistics", "kind_of", "table", "verdict"]


@attrs.define
class Statistics(ConnectionStatistics):
    """All connections, with what the demo itself tells. The last count of messages counts during the stop too."""

    def apply(self, event: Event) -> None:
        """Take in one event."""
        match event:
            case MessagesCounted(path=path, messages=messages):
                self.count_messages(path, messages)
            case FaultInjected() if not self.is_stopping:
                self.faults += 1
            case _:
                pass
        super().apply(event)
