"""How fresh the data of an actor is: what it says of itself, when somebody looks."""

from math import inf
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from duenna._cell import Cell


class Freshness(msgspec.Struct, frozen=True):
    """How fresh the data of an actor is; what `Actor.freshness` returns.

    Attributes:
        at: When fresh data came last, in seconds of trio's clock; None: none has come.
        expect_every: Seconds within which there must be more; None: data may come whenever it likes.
    """

    at: float | None
    expect_every: float | None = None

    def is_stale(self, now: float) -> bool:
        """Return whether data is overdue at *now*; nothing is overdue that has not begun to come."""
        return self.at is not None and self.expect_every is not None and now - self.at > self.expect_every

    def is_fresh(self, now: float) -> bool:
        """Return whether there is data as it must be: where some is expected, it has come, and is not overdue."""
        return self.expect_every is None or (self.at is not None and not self.is_stale(now))


def freshness_of(cell: "Cell") -> Freshness | None:
    """Return how fresh the data of *cell* is, of one that is down when it went; None: it does not say."""
    actor, extra = cell.actor, cell.extra
    if actor is None:
        return None if extra is None else extra.freshness
    return asked(actor)


def asked(actor: object) -> Freshness | None:
    """Return what *actor* says; None if it says nothing sensible, which must not hurt whoever looks."""
    try:
        found: object = actor.freshness()  # type: ignore[attr-defined]  # an Actor, as whatever is in a cell
    except Exception:  # noqa: BLE001  # it is code of a user's
        return None
    return found if isinstance(found, Freshness) and _is_sensible(found) else None


def _is_sensible(found: Freshness) -> bool:
    """Return whether one can reckon with *found*: a struct takes whatever it is made of."""
    times: tuple[object, ...] = (found.at, found.expect_every)
    return all(
        value is None or (isinstance(value, (int, float)) and (-_LATEST <= value <= _LATEST or value == inf))
        for value in times
    )


_LATEST = 1e15
