"""Times for a person: what the bot's clock shows, and the date that belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from duenna_actors.console.api.deps import Deps

S = TypeVar("S", bound=msgspec.Struct)


class Moment(msgspec.Struct, frozen=True):
    """When an answer was made: in seconds of the bot's clock, and the same in seconds since 1970."""

    now: float
    at: float


def moment(deps: Deps) -> Moment:
    """Return the present."""
    return Moment(deps.runtime.now(), deps.wall())


def dated(kind: type[S], value: msgspec.Struct, deps: Deps) -> S:
    """Return *value* as a *kind*, which has the same fields and ``now`` and ``at``."""
    fields: dict[str, Any] = {name: getattr(value, name) for name in value.__struct_fields__}
    time = moment(deps)
    return kind(**fields, now=time.now, at=time.at)
