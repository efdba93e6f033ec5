"""Trio's scheduler in a world."""

from __future__ import annotations

import random
from typing import Any

import pytest
import trio

from .support import run

RUN: Any = trio._core._run


async def race() -> list[int]:
    """Let tasks wake at the same instant."""
    order: list[int] = []

    async def sleep(number: int) -> None:
        await trio.sleep(1.0)
        order.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(12):
            nursery.start_soon(sleep, number)
    return order


def test_tasks_that_wake_together_run_in_an_order_of_the_seed() -> None:
    orders = [run(race, seed=seed) for seed in (1, 1, 1, 2, 3)]

    assert orders[0] == orders[1] == orders[2]
    assert len({tuple(order) for order in orders}) == 3
    assert sorted(orders[0]) == list(range(12))


@pytest.mark.parametrize("flag", [True, False])
def test_the_scheduler_is_left_as_it_was_found(flag: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing hypothesis sets the flag for the whole process."""
    monkeypatch.setattr(RUN, "_ALLOW_DETERMINISTIC_SCHEDULING", flag)
    state = RUN._r.getstate()

    order = run(race, seed=1)

    assert RUN._ALLOW_DETERMINISTIC_SCHEDULING is flag
    assert RUN._r.getstate() == state
    RUN._r.seed(random.random())
    assert run(race, seed=1) == order
