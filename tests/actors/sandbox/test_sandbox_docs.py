"""What docs/sandbox.md says of faults, settings and paths is true."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import get_args

from duenna_actors.sandbox import SandboxSettings, parse_schedule
from duenna_actors.sandbox._fault_base import FaultBase, kind_name
from duenna_actors.sandbox._routes import ROUTES
from duenna_actors.sandbox.faults import INSTANT, Fault

PAGE = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text()
COMMON = {"probability": 1.0, "count": None, "symbol": "*", "stream": "*", "path": "*", "method": "*"}


def rows(name: str) -> dict[str, list[str]]:
    """Return the rows of a marked table by their first cell."""
    table = re.search(rf"^<!-- {name} -->\n(.*?)^<!-- end -->$", PAGE, re.DOTALL | re.MULTILINE)
    assert table is not None
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()[2:]]
    return {first.strip("`"): rest for first, *rest in cells}


def defaults(kind: type[FaultBase]) -> dict[str, object]:
    """Return the defaults of a fault that are not those of all."""
    fault = kind()
    values = {name: getattr(fault, name) for name in fault.__struct_fields__}
    return {name: value for name, value in values.items() if (name, value) not in COMMON.items()}


def test_every_fault_is_described_with_its_defaults() -> None:
    written = {
        kind: eval(f"dict({','.join(re.findall(r'`(.+?)`', cells[0]))})")  # noqa: S307 - our own page
        for kind, cells in rows("faults").items()
    }

    assert written == {kind_name(kind.__name__): defaults(kind) for kind in get_args(Fault)}


def test_the_instant_faults_are_called_so() -> None:
    instant = {kind for kind, cells in rows("faults").items() if cells[1].endswith("instant")}

    assert instant == {kind_name(kind.__name__) for kind in INSTANT}


def test_every_setting_has_its_default() -> None:
    written = {name: eval(cells[0].strip("`")) for name, cells in rows("settings").items()}  # noqa: S307 - our own page

    assert written == {
        name: parameter.default for name, parameter in inspect.signature(SandboxSettings).parameters.items()
    }


def test_every_path_is_described() -> None:
    table = PAGE.partition("## The REST interface")[2].partition("## The websockets")[0]
    named = {name.rpartition("/")[2] for line in table.splitlines() for name in re.findall(r"`([\w/]+)`", line)}

    assert {path.rpartition("/")[2] for path in ROUTES} <= named


def test_the_schedule_can_be_read() -> None:
    example = re.search(r"^```json\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert example is not None

    assert len(parse_schedule(example[1])) == 3
