"""A guard without calls holds nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation
from duenna.testing.invariants._guarded import broken

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duenna.testing.trace import Record

_THINGS = {
    "permits": "{} permits of its breaker",
    "slots": "{} places in its bulkhead",
    "retries": "{} calls that retry, for its budget",
}


@attrs.define(eq=False)
class GivenBack:
    """Rule 25: when the last call of a guard has ended, however it did, all that it took is given back."""

    name = "given_back"
    kinds = frozenset({"call_ended"})

    def apply(self, record: Record) -> Iterable[Violation]:
        """Look at what is left."""
        left = [text.format(record.fields[name]) for name, text in _THINGS.items() if record.fields.get(name)]
        if not left:
            return NOTHING
        return (broken(self.name, record, f"no call is under way any more, but it still has {', '.join(left)}"),)

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # nothing is due
        """Find nothing: each end was judged when it came."""
        return NOTHING
