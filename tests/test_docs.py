"""What docs/ shows is true: programs run, tables and diagrams are those of the code, links lead somewhere."""

from __future__ import annotations

import importlib.util
import inspect
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from loguru import logger

import duenna
import duenna.connection
import duenna.testing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

DOCS = Path(__file__).parent.parent / "docs"
PAGES = {path.name: path.read_text() for path in sorted(DOCS.glob("*.md"))}
PROGRAM = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
DEFAULTS = re.compile(r"^<!-- defaults: ([\w.]+) -->\n((?:\|.*\n)+)", re.MULTILINE)
ROW = re.compile(r"^\| `(\w+)` \| `(.+?)` \|", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]+\]\(([^)#:]+)(?:#[^)]*)?\)")
NAMES = {
    **{name: getattr(duenna, name) for name in dir(duenna)},
    **vars(duenna.connection),
    "testing": duenna.testing,
    "inf": math.inf,
}


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_diagrams", DOCS / "diagrams.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


SCRIPT = load_script()
PROGRAMS = [
    pytest.param(name, number, program, id=f"{name}-{number}")
    for name, page in PAGES.items()
    for number, program in enumerate(PROGRAM.findall(page), 1)
]
TABLES = [
    pytest.param(of, table, id=f"{name}-{of}") for name, page in PAGES.items() for of, table in DEFAULTS.findall(page)
]


@pytest.fixture
def quiet() -> Iterator[None]:
    """Leave the log lines of the programs out."""
    logger.disable("duenna")
    yield
    logger.enable("duenna")


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(("name", "number", "program"), PROGRAMS)
def test_the_program_runs_and_what_it_asserts_holds(name: str, number: int, program: str) -> None:
    """An ``async def main`` runs on a virtual clock, a plain one as it is."""
    names: dict[str, Any] = {"__name__": "docs"}
    exec(compile(program, f"{name}, program {number}", "exec"), names)  # noqa: S102 - our own program
    main = names.get("main")
    if inspect.iscoroutinefunction(main):
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    elif main is not None:
        main()


@pytest.mark.parametrize("name", PAGES)
def test_what_is_made_from_the_code_is_up_to_date(name: str) -> None:
    """If not: ``python docs/diagrams.py --write``."""
    assert PAGES[name] == SCRIPT.filled(PAGES[name])


def test_each_part_that_the_script_makes_is_shown() -> None:
    assert {found[1] for page in PAGES.values() for found in SCRIPT.BLOCK.finditer(page)} == set(SCRIPT.PARTS)


@pytest.mark.parametrize(("of", "table"), TABLES)
def test_the_defaults_are_those_of_the_code(of: str, table: str) -> None:
    """Each argument that has a default has a row, and no other has."""
    target: Any = NAMES[of.partition(".")[0]]
    for part in of.split(".")[1:]:
        target = getattr(target, part)
    parameters = inspect.signature(target).parameters.values()

    written = {name: eval(default, dict(NAMES)) for name, default in ROW.findall(table)}  # noqa: S307 - our own page

    assert written == {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}


def test_every_event_is_known_to_the_script() -> None:
    known = {kind.__name__ for kind in SCRIPT.event_kinds()}

    assert {name for name in duenna.__all__ if is_event(getattr(duenna, name))} <= known


def is_event(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, duenna.Event)


def test_the_page_on_actors_names_all_of_the_context() -> None:
    offered = [name for name in dir(duenna.Context) if not name.startswith("_")]

    assert [name for name in offered if not re.search(rf"`{name}\b", PAGES["actors.md"])] == []


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_files_that_exist(name: str) -> None:
    prose = FENCED.sub("", PAGES[name])

    assert [link for link in LINK.findall(prose) if not (DOCS / link).exists()] == []


@pytest.mark.parametrize("name", [name for name in PAGES if name != "index.md"])
def test_every_page_is_on_the_index(name: str) -> None:
    assert f"]({name})" in PAGES["index.md"]
