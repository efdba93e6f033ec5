"""Which module may import which, where import-linter's contracts cannot say it (they are in pyproject.toml)."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parent.parent / "examples"


def modules(package: str) -> list[Path]:
    folder = Path(str(importlib.import_module(package).__file__)).parent
    return sorted(folder.rglob("*.py"))


def imports(source: Path) -> Iterator[str]:
    """Name all that *source* imports: ``from a import b`` gives ``a.b``."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module}.{alias.name}" for alias in node.names)


def shown(paths: list[Path]) -> list[object]:
    return [pytest.param(path, id="/".join(path.parts[-2:])) for path in paths]


@pytest.mark.parametrize("source", shown(modules("duenna.machines")))
def test_a_machine_imports_no_other_part_of_the_runtime(source: Path) -> None:
    ours = {name for name in imports(source) if name.startswith(("duenna", "."))}

    assert {name for name in ours if not name.startswith("duenna.machines")} == set()


@pytest.mark.parametrize("source", shown(modules("duenna.machines")))
def test_a_machine_has_nothing_async(source: Path) -> None:
    waiting = ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith

    assert [node.lineno for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, waiting)] == []


@pytest.mark.parametrize("source", shown([*modules("duenna_actors"), *EXAMPLES.glob("*.py")]))
def test_actors_and_examples_use_the_runtime_as_its_users_do(source: Path) -> None:
    """What a stock actor cannot do with the public parts, a user's own actor could not do either."""
    assert [name for name in imports(source) if name.startswith("duenna._")] == []


@pytest.mark.parametrize("source", shown([*modules("duenna"), *modules("duenna_actors")]))
def test_no_module_is_named_by_its_source_root(source: Path) -> None:
    """``runtime`` and ``actors`` are folders that users have too."""
    assert [name for name in imports(source) if name.split(".")[0] in {"runtime", "actors"}] == []
