"""What must not be done twice is not done again while it is unknown whether it was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation
from duenna.testing.invariants._guarded import broken

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duenna.testing.trace import Record


@attrs.define(eq=False)
class AmbiguousRetries:
    """Rule 14: a call that is not idempotent is tried again only if it certainly had no effect, and never hedged."""

    name = "ambiguous_retry"
    kinds = frozenset({"retry_planned", "hedge_planned"})

    def apply(self, record: Record) -> Iterable[Violation]:
        """Look at a call that is about to be sent again."""
        fields = record.fields
        if fields.get("idempotent", True):
            return NOTHING
        if record.kind == "hedge_planned":
            return (broken(self.name, record, "it is not idempotent, and sent twice at the same time"),)
        if fields.get("outcome_known", True):
            return NOTHING
        return (broken(self.name, record, "it is not idempotent and may have had its effect, and is to be sent again"),)

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # nothing is due
        """Find nothing: each record was judged when it came."""
        return NOTHING
