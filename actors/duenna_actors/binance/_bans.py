"""The gates before an exchange whose blocks outlive the process."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs

from duenna.state import Part, State
from duenna_actors._bans import Ban
from duenna_actors._kept import kept
from duenna_actors.binance.weights import Gate, Gates

if TYPE_CHECKING:
    from duenna import Runtime


@attrs.frozen(eq=False)
class KeptGates(Gates):
    """Gates that store what blocks them, at once.

    What the exchange has counted is not stored: it says so with its first answer.

    Attributes:
        state: Where.
        part: Under which name.
        bans: What was stored of each gate; may be over.
    """

    state: State
    part: str
    bans: dict[Gate, Ban] = attrs.field(factory=dict[Gate, Ban], init=False)

    def block(self, seconds: float, only: Gate | None = None) -> None:
        """Let nothing through for so many *seconds*, and store that."""
        super().block(seconds, only)
        wall = self.state.wall()
        for gate in self.by_limit if only is None else (only,):
            known = self.bans.get(gate)
            if known is None or known.left(wall) < seconds:
                self.bans[gate] = Ban(wall + seconds, seconds)
        self.state.save_part(self.part)

    def dump(self) -> dict[Gate, Ban] | None:
        """Return what is not over."""
        wall = self.state.wall()
        return {gate: ban for gate, ban in self.bans.items() if ban.left(wall)} or None

    def load(self, bans: dict[Gate, Ban]) -> None:
        """Go on with the blocks of an earlier process."""
        wall = self.state.wall()
        for gate, ban in bans.items():
            left = ban.left(wall)
            if left:
                self.block(left, gate)


def gates_of(runtime: Runtime, origin: str, name: str, weight: float) -> Gates:
    """Return the gates of *runtime* before the exchange at *origin*; their blocks are those of earlier processes, too.

    Args:
        runtime: The runtime.
        origin: The server.
        name: Of the exchange, for errors.
        weight: What it allows in a minute, in request weight.
    """
    return kept(runtime, (Gates, origin), partial(_make, runtime, origin, name, weight))


def _make(runtime: Runtime, origin: str, name: str, weight: float) -> Gates:
    state, plain = runtime.state, Gates.build(name, weight)
    if not state.store.is_durable:
        return plain
    gates = KeptGates(plain.weight, plain.by_limit, state, f"bans:{origin}")
    state.add(Part(name=gates.part, type=dict[Gate, Ban], dump=gates.dump, load=gates.load))
    return gates
