"""Bans that outlive the process: to call during one makes it longer, whichever process calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import attrs
import msgspec

from duenna.state import Part
from duenna_actors._kept import kept
from duenna_actors._rate_gate import RateGate

if TYPE_CHECKING:
    from duenna import Runtime


class Ban(msgspec.Struct, frozen=True):
    """A time for which a server wants to be left alone.

    Attributes:
        until: When it is over, in seconds since 1970.
        lasts: Its length in seconds: no wall clock, however wrong, makes it longer.
        status: The HTTP status that began it, 0 if there was none.
    """

    until: float
    lasts: float
    status: int = 0

    def left(self, wall: float) -> float:
        """Return the seconds that are left of it at *wall*, a time of day; 0 if it is over."""
        return max(0.0, min(self.until - wall, self.lasts))


@attrs.define
class KeptGate(RateGate):
    """A gate that says when a ban has begun, or become longer.

    Attributes:
        changed: Called then.
        closed_at: When that was, in monotonic seconds.
    """

    changed: Callable[[], None] = attrs.field(default=lambda: None, eq=False)
    closed_at: float = float("-inf")

    def close(self, now: float, retry_after: float, status: int) -> None:
        """Let nobody through for *retry_after* seconds; never shortens a ban."""
        before = self.closed_until
        super().close(now, retry_after, status)
        if self.closed_until != before:
            self.closed_at = now
            self.changed()


def gate_of(runtime: Runtime, origin: str) -> RateGate:
    """Return the one gate of *runtime* before the server at *origin*; its ban is that of earlier processes, too.

    A ban is stored at once, under the name of the server, if the state outlives the process.
    """
    return kept(runtime, (RateGate, origin), partial(_make, runtime, origin))


def _make(runtime: Runtime, origin: str) -> RateGate:
    state, name = runtime.state, f"ban:{origin}"
    if not state.store.is_durable:
        return RateGate()
    gate = KeptGate(changed=lambda: state.save_part(name))

    def dump() -> Ban | None:
        if not gate.wait(runtime.now()):
            return None
        return Ban(state.to_wall(gate.closed_until), gate.closed_until - gate.closed_at, gate.status)

    def load(ban: Ban) -> None:
        left = ban.left(state.wall())
        if left:
            gate.close(runtime.now(), left, ban.status)

    state.add(Part(name=name, type=Ban, dump=dump, load=load))
    return gate
