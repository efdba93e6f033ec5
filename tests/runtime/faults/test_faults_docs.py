"""What docs/faults.md says is true."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import msgspec

from duenna.faults import (
    DEFAULT_WEIGHTS,
    INSTANT,
    KINDS,
    MAX_STRIKES,
    Crash,
    Fault,
    FileFault,
    MachineFault,
    load_plan,
    parse_plan,
    random_plan,
)
from duenna.faults._load import _MOST_BYTES
from duenna.faults._storm import RECIPES

PAGE = (Path(__file__).parents[3] / "docs" / "faults.md").read_text()


def rows(name: str) -> dict[str, list[str]]:
    """Return the rows of a marked table by their first cell."""
    table = re.search(rf"^<!-- {name} -->\n(.*?)^<!-- end -->$", PAGE, re.DOTALL | re.MULTILINE)
    assert table is not None
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()[2:]]
    return {first.strip("`"): rest for first, *rest in cells}


def example(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def fields(kind: type[Fault]) -> list[str]:
    """Return the fields of a kind as the page writes them: those that are needed without a default."""
    shown: list[str] = []
    for field in msgspec.structs.fields(kind):
        default: Any = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        text = repr(default).replace("'", '"')
        shown.append(field.name if field.required else f"{field.name}={text}")
    return shown


def target(kind: type[Fault]) -> str:
    if issubclass(kind, MachineFault):
        return "the machine"
    if issubclass(kind, FileFault):
        return "files"
    return "actors" if kind is Crash else "hosts"


def test_every_kind_is_described_with_its_fields_and_its_target() -> None:
    written = {kind: (re.findall(r"`(.+?)`", cells[0]), cells[1]) for kind, cells in rows("kinds").items()}

    assert written == {name: (fields(kind), target(kind)) for name, kind in KINDS.items()}


def test_the_instant_kinds_are_called_so() -> None:
    written = {kind for kind, cells in rows("kinds").items() if cells[2].endswith("Instant")}

    assert written == {name for name, kind in KINDS.items() if issubclass(kind, INSTANT)}


def test_the_weights_and_durations_of_random_plans_are_those_of_the_code() -> None:
    written = {kind: (float(cells[0]), cells[1]) for kind, cells in rows("drawn").items()}
    lasts = {str(recipe.kind.__struct_config__.tag): recipe.lasts for recipe in RECIPES}

    assert written == {
        kind: (weight, f"{span[0]} to {span[1]}" if (span := lasts[kind]) else "")
        for kind, weight in DEFAULT_WEIGHTS.items()
    }


def test_the_defaults_of_random_plans_are_those_of_the_code() -> None:
    defaults = {p.name: p.default for p in inspect.signature(random_plan).parameters.values()}

    for name in "actors", "every", "calm":
        assert f"| `{name}` | `{defaults[name]}` |" in PAGE


def test_the_limits_are_those_of_the_code() -> None:
    assert f"{MAX_STRIKES:,} strikes" in PAGE
    assert f"JSON may have {_MOST_BYTES['json'] >> 20} MiB, YAML {_MOST_BYTES['yaml'] >> 10} KiB" in PAGE


def test_both_examples_are_the_same_plan(tmp_path: Path) -> None:
    path = tmp_path / "storm.yaml"
    path.write_text(example("yaml"))

    plan = load_plan(path)

    assert plan == parse_plan(example("json"))
    assert (plan.name, len(plan.faults)) == ("storm", 6)
