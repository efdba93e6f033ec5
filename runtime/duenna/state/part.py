"""What is stored beside the fields of actors: breakers, bans, silences, operator stops."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import attrs

from duenna.machines import checks

T = TypeVar("T")

Migration = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes what one schema stored into what the next one stores; of builtins."""


@attrs.frozen(kw_only=True)
class Part(Generic[T]):
    """One thing that a runtime, or an actor, keeps across restarts under a name of its own.

    What it stores has dates of the wall clock (`State.to_wall`), for the monotonic clock of
    the next process begins somewhere else. It must not hold secrets.

    Attributes:
        name: Its name, such as `guards`, or with the path of an actor, `alerts:/system/alerter`.
        type: What *dump* returns: a `msgspec.Struct`, most simply.
        dump: Returns what is to be stored now, None if there is nothing; called at each save, so it is quick.
        load: Takes what was stored; called once, when the part is added.
        schema: Version of what is stored, at least 1.
        migrations: What makes schema n into n + 1, by n.
    """

    name: str
    type: type[T]
    dump: Callable[[], T | None]
    load: Callable[[T], None]
    schema: int = 1
    migrations: Mapping[int, Migration] = attrs.field(factory=dict[int, Migration])

    def __attrs_post_init__(self) -> None:
        """Refuse a part without a name."""
        given: object = self.name
        if not isinstance(given, str) or not given:
            message = f"Part: name must be a text of at least one letter, got {self.name!r}"
            raise ValueError(message)
        checks.count(f"Part {self.name}", "schema", self.schema, least=1)
