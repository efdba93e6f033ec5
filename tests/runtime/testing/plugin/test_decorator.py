"""What `world_test` makes of a function, and what it refuses."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from duenna.faults import FaultPlan
from duenna.testing import World, world_test

if TYPE_CHECKING:
    from collections.abc import Callable


def test_what_pytest_sees_is_a_plain_function_that_asks_for_the_other_fixtures() -> None:
    @world_test()
    async def test_bot(world: World, tmp_path: Path) -> None:
        """Say what it does."""

    assert not inspect.iscoroutinefunction(test_bot)
    assert list(inspect.signature(test_bot).parameters) == ["tmp_path", "request"]
    assert inspect.unwrap(test_bot) is test_bot
    assert (test_bot.__name__, test_bot.__doc__) == ("test_bot", "Say what it does.")


def test_a_request_of_its_own_is_passed_on() -> None:
    @world_test()
    def test_bot(request: pytest.FixtureRequest, world: World) -> None: ...

    assert list(inspect.signature(test_bot).parameters) == ["request"]


def test_a_test_without_a_world_is_none() -> None:
    def test_bot(planet: World) -> None: ...

    with pytest.raises(TypeError, match=r"^world_test: .*test_bot must have a parameter named world, got \(planet"):
        world_test()(test_bot)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"seeds": 0}, ValueError, "world_test: seeds must be >= 1, got 0"),
        ({"seeds": "3"}, TypeError, "world_test: seeds must be a whole number, got '3'"),
        ({"seconds": 0}, ValueError, "world_test: seconds must be > 0 seconds, got 0"),
        (
            {"faults": "storm.yaml"},
            TypeError,
            "world_test: faults must be a FaultPlan, a Path, 'default' or None, got 'storm.yaml'",
        ),
        ({"detail": "all"}, ValueError, "world_test: detail must be 'events' or 'messages', got 'all'"),
        ({"link": 0.1}, TypeError, "world_test: link must be a Link or None, got 0.1"),
        ({"audit": 1}, TypeError, "world_test: audit must be True or False, got 1"),
        ({"wall": "now"}, TypeError, "world_test: wall must be a number, got 'now'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        world_test(**options)

    assert str(caught.value) == text


@pytest.mark.parametrize("faults", [None, "default", Path("storm.yaml"), FaultPlan(faults=())])
def test_faults_are_a_plan_a_file_drawn_or_none(faults: Any) -> None:
    decorate: Callable[..., Any] = world_test(faults=faults)

    assert callable(decorate)
