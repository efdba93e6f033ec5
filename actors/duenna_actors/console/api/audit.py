"""Who did what: an event, and a line of the recovery log, for everything that an operator changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import attrs

from duenna import Runtime
from duenna.error_events import RecoveryAttempted
from duenna.events import Event
from duenna.secrets import redact_to

if TYPE_CHECKING:
    from duenna_actors.console.api.deps import Caller

PREFIX: Final = "operator_"
"""How the action of such a line begins."""

_LONGEST: Final = 500


class OperatorActed(Event, frozen=True):
    """An operator has changed something.

    Attributes:
        action: What: `restart`, `stop`, `breaker_reset`, `silence`, and so on.
        target: To whom or what: a path, the name of a guard, the id of a silence.
        by: Name of the operator's token.
        peer: Where the request came from: an address, or `unix`.
        reason: Why, in the operator's words; empty if nothing was said.
    """

    level: ClassVar[str] = "WARNING"
    action: str
    target: str
    by: str
    peer: str
    reason: str = ""

    def text(self) -> str:
        """Return the log line."""
        tail = f": {self.reason}" if self.reason else ""
        return f"{self.by} ({self.peer}) did {self.action} of {self.target}{tail}"


@attrs.frozen
class Audit:
    """Tells the bot's log, its events and its recovery log."""

    runtime: Runtime
    path: str

    def record(self, action: str, target: str, caller: Caller, reason: str = "", *, is_done: bool = True) -> None:
        """Note that *caller* did *action* to *target*.

        Args:
            action: What, in one word.
            target: To whom or what.
            caller: Who.
            reason: Why; secrets in it are hidden.
            is_done: Whether it is done; else it has only begun.
        """
        runtime, now = self.runtime, self.runtime.now()
        why, to = redact_to(reason, _LONGEST), redact_to(target, _LONGEST)
        runtime.bus.post(
            OperatorActed(
                time=now, path=self.path, action=action, target=to, by=caller.name, peer=caller.peer, reason=why
            )
        )
        if runtime.records is None:
            return
        tail = f": {why}" if why else ""
        line = RecoveryAttempted(
            time=now,
            path=target,
            report_id=0,
            action=f"{PREFIX}{action}",
            status="success" if is_done else "started",
            attempt=1,
            error=f"{to} by {caller.name} ({caller.peer}){tail}",
        )
        runtime.records.recovery(line)
