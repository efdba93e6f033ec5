"""The harness is itself proved: it passes the simplest store that is right, and no store that lacks a step."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.runtime.storage.reference_store import ReferenceStore
from tests.runtime.storage.simulated_programs import BrokenPromiseError, for_seeds, run_everywhere, run_program

if TYPE_CHECKING:
    from random import Random

    from duenna.testing import SimFs


def reference(disk: SimFs, chance: Random) -> ReferenceStore:
    return ReferenceStore(disk)


def test_a_store_that_is_right_passes() -> None:
    for_seeds(500, partial(run_program, reference))
    for_seeds(5, partial(run_everywhere, reference))


@pytest.mark.parametrize("without", ["syncs_data", "syncs_names", "replaces"])
def test_a_store_that_lacks_a_step_is_caught(without: str) -> None:
    def make(disk: SimFs, chance: Random) -> ReferenceStore:
        store = reference(disk, chance)
        setattr(store, without, False)
        return store

    with pytest.raises(BrokenPromiseError, match=r"^(lost|torn|was_clean is False): commit \d+ was found"):
        for_seeds(100, partial(run_program, make))


def test_the_crash_at_every_call_catches_it_too() -> None:
    with pytest.raises(BrokenPromiseError, match=r"^lost: commit \d+ was found"):
        for_seeds(5, partial(run_everywhere, lambda disk, chance: ReferenceStore(disk, syncs_names=False)))
