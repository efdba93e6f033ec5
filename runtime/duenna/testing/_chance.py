"""Stand-ins for chance: the system's, that of `random`, and what is made of it."""

from __future__ import annotations

import os
import random
import ssl
import tempfile
import uuid
from functools import wraps
from typing import TYPE_CHECKING, Any

from duenna.testing._presence import Presence, present

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna.testing._patches import Patches

_NODE = 0x02_00_0A_00_00_01  # a locally administered address, for uuid1
_KEPT: dict[Any, dict[str, Any]] = {
    uuid: {
        "_generate_time_safe": None,
        "_UuidCreate": None,
        "_node": _NODE,
        "_last_timestamp": None,
        "_last_timestamp_v7": None,
        "_last_counter_v7": 0,
    },
    tempfile: {"_name_sequence": None},
}
"""What modules remember from earlier in the process: a second run would draw less than the first."""


def patch_chance(patches: Patches, here: Presence) -> None:
    """Let all chance come from the seed."""
    for (module, name), stand_in in _STAND_INS.items():
        patches.function(module, name, stand_in)
    patches.attribute(random.Random, "seed", _SEED)
    for module, values in _KEPT.items():
        for name, value in values.items():
            if name in vars(module):
                patches.attribute(module, name, value)
    state = random.getstate()
    patches.on_undo(lambda: random.setstate(state))
    random.seed(f"{here.seed}:random")


def _entropy(real: Callable[..., bytes]) -> Callable[..., bytes]:
    @wraps(real)
    def stand_in(size: int, *args: int) -> bytes:
        here = present()
        return real(size, *args) if here is None else here.entropy.randbytes(size)

    return stand_in


def _seed(real: Callable[..., None]) -> Callable[..., None]:
    @wraps(real)
    def stand_in(self: random.Random, a: Any = None, version: int = 2) -> None:
        here = present()
        real(self, here.seeds.getrandbits(256) if a is None and here is not None else a, version)

    return stand_in


def _seed_module(real: Callable[..., None]) -> Callable[..., None]:
    @wraps(real)
    def stand_in(a: Any = None, version: int = 2) -> None:
        here = present()
        real(here.seeds.getrandbits(256) if a is None and here is not None else a, version)

    return stand_in


# The real functions are kept in closures only: a name of this module would be found, and replaced, as a copy.
_STAND_INS: dict[tuple[Any, str], Any] = {
    (os, "urandom"): _entropy(os.urandom),  # noqa: TID251  # it is replaced
    (ssl, "RAND_bytes"): _entropy(ssl.RAND_bytes),
    (random, "seed"): _seed_module(random.seed),
}
if hasattr(os, "getrandom"):
    _STAND_INS[os, "getrandom"] = _entropy(os.getrandom)
_SEED = _seed(random.Random.seed)
