"""The part that every pytest run loads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

import duenna_world
from tests.runtime.testing.plugin.bots import BUG

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runtime.testing.plugin.conftest import Pytest

HEAVY = ("duenna", "trio", "msgspec", "loguru")


@attrs.define
class Option:
    """What pytest makes of the command line, where nothing was said."""

    world_seeds: Any = None
    world_seed: Any = None
    world_shrink: Any = None
    world_faults: Any = None
    world_traces: Any = None


@attrs.frozen
class Config:
    """The part of pytest's own that is looked at."""

    option: Option


@pytest.mark.slow
def test_it_loads_neither_the_runtime_nor_a_library(users: Pytest) -> None:
    """Other plugins, pytest-trio above all, load some of them: they are left out here."""
    users.write(f"import sys\n\ndef test_it():\n    assert [name for name in {HEAVY} if name in sys.modules] == []\n")

    told = users.run("-p", "duenna_world", "-p", "no:trio", "-p", "no:hypothesispytest", "-p", "no:anyio")

    assert told.status == 0, told.out
    assert "simulated worlds" not in told.out


@pytest.mark.slow
def test_without_hypothesis_a_plan_is_told_as_it_is(users: Pytest) -> None:
    """Shrinking comes with an extra; the rest of the report does not wait for it."""
    users.write("import sys\nsys.modules['hypothesis'] = None\n" + BUG)

    told = users.run("-p", "no:hypothesispytest")

    assert told.status == 1
    assert 'faults:  4, not shrunk: pip install "duenna[testing]"' in told.out, told.out
    assert "at 300 s: half_open on exchange" in told.out


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"world_seeds": "x"}, "--world-seeds must be a whole number >= 1, got 'x'"),
        ({"world_seeds": "0"}, "--world-seeds must be a whole number >= 1, got '0'"),
        ({"world_seed": "1.5"}, "--world-seed must be a whole number, got '1.5'"),
        ({"world_shrink": "-1"}, "--world-shrink must be a whole number >= 0, got '-1'"),
        ({"world_faults": "gone.json"}, "--world-faults must be a file or 'none', got 'gone.json'"),
        ({"world_traces": ""}, "--world-traces must be a folder, got ''"),
        ({"world_traces": __file__}, f"--world-traces must be a folder, got {__file__!r}"),
        ({"world_seed": "1", "world_seeds": "2"}, "--world-seed and --world-seeds exclude each other"),
    ],
)
def test_options_that_make_no_sense_are_refused(given: dict[str, str], line: str) -> None:
    config: Any = Config(Option(**given))

    with pytest.raises(pytest.UsageError) as caught:
        duenna_world.pytest_configure(config)

    assert str(caught.value) == line


def test_options_that_make_sense_become_what_they_stand_for(tmp_path: Path) -> None:
    option = Option(world_seed="-7", world_shrink="0", world_faults="none", world_traces=str(tmp_path / "new"))
    config: Any = Config(option)

    duenna_world.pytest_configure(config)

    assert option == Option(None, -7, 0, "none", str(tmp_path / "new"))
