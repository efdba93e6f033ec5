"""A probe: says in the trace that data has arrived, and whose."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any

import attrs

from duenna.actor import Actor
from duenna.machines import checks
from duenna.mailbox import Mailbox
from duenna.spec import Child

Record = Callable[..., None]
"""Writes a record: kind, path, then fields by name."""


@attrs.define(eq=False)
class DataProbe(Actor):
    """Hears what feeds publish, as the bot does, and writes a `data` record for each message.

    The checkers of staleness and liveness read those.

    Attributes:
        record: Writes the record: the world's ``record``.
        source: Gives the path of the feed that a message came from, or None if it says nothing of any.
        topics: The types of the messages.
        max_age: Seconds that a feed may be silent while its connection says that it is operational.
    """

    record: Record
    source: Callable[[Any], str | None]
    topics: tuple[type, ...]
    max_age: float

    def started(self) -> None:
        """Listen."""
        self.context.subscribe(*self.topics)

    def receive(self, message: Any) -> None:
        """Write down where *message* came from."""
        path = self.source(message)
        if path is not None:
            self.record("data", path, max_age=self.max_age)


def data_probe(
    record: Record, source: Callable[[Any], str | None], *topics: type, max_age: float = inf, name: str = "probe"
) -> Child:
    """Return a child for the `system` of a scenario that records the arrival of data.

    Args:
        record: The world's ``record``.
        source: Gives the path of the feed that a message came from; None, where a fault has spoilt the message so
            that nobody can tell, for no record.
        topics: The types of the messages; those of their subclasses come too.
        max_age: Seconds that a feed may be silent while its connection says that it is operational; more is a
            broken rule. inf: for ever.
        name: The child's.

    Raises:
        ValueError: There is no topic, or *max_age* is not greater than 0.
    """
    if not topics:
        raise ValueError("topics must be one type at least, got none")
    checks.duration("data_probe", "max_age", max_age, zero=False)
    mailbox = Mailbox(10_000, overflow="drop_oldest")
    return Child(name, partial(DataProbe, record, source, topics, max_age), mailbox=mailbox)
