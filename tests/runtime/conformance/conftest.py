"""Put every async test of this folder on a virtual clock, and give it children of every shape."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
import trio
from trio.abc import Clock, Instrument
from trio.testing import MockClock

from .probe import Flavour, Probe

T = TypeVar("T")
HERE = Path(__file__).parent
FOREVER = 1e9


def run_on_virtual_clock(
    test: Callable[[], Awaitable[T]], *, clock: Clock | None, instruments: Sequence[Instrument]
) -> T:
    """Run *test* so that waiting costs nothing and times are exact; a call that nobody answers is a failure."""

    async def limited() -> T:
        with trio.fail_after(FOREVER):
            return await test()

    return trio.run(limited, clock=clock or MockClock(autojump_threshold=0), instruments=instruments)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the async tests of this folder: they run on a virtual clock."""
    for item in items:
        if not isinstance(item, pytest.Function) or not item.path.is_relative_to(HERE):
            continue
        if inspect.iscoroutinefunction(item.function):
            item.add_marker(pytest.mark.trio(run=run_on_virtual_clock), append=False)


@pytest.fixture(params=list(Flavour), ids=str)
def probe(request: pytest.FixtureRequest) -> Probe:
    """Children of each flavour in turn."""
    return Probe(request.param)


@pytest.fixture(params=[Flavour.TASK, Flavour.FUNCTION], ids=str)
def tasks(request: pytest.FixtureRequest) -> Probe:
    """Children of each flavour that has a trio task of its own."""
    return Probe(request.param)


@pytest.fixture(params=[Flavour.CELL, Flavour.TASK], ids=str)
def actors(request: pytest.FixtureRequest) -> Probe:
    """Children of each flavour that is a class."""
    return Probe(request.param)
