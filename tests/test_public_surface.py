"""The public names are the ones that are written down in ``public_surface.txt``: no more, no fewer."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

WRITTEN_DOWN = Path(__file__).with_name("public_surface.txt")
PACKAGES = [
    "duenna",
    "duenna.faults",
    "duenna.fields",
    "duenna.guards",
    "duenna.handlers",
    "duenna.health",
    "duenna.incident_files",
    "duenna.records",
    "duenna.recovery",
    "duenna.secrets",
    "duenna.settings",
    "duenna.state",
    "duenna.storage",
    "duenna.testing",
    "duenna.testing.invariants",
    "duenna_actors",
    "duenna_actors.alerts",
    "duenna_actors.binance",
    "duenna_actors.client",
    "duenna_actors.console",
    "duenna_actors.monitors",
    "duenna_actors.stores",
]


def written_down() -> dict[str, list[str]]:
    """Read the file: ``[package]`` lines, each followed by its names, one a line."""
    surface: dict[str, list[str]] = {}
    names: list[str] = []
    for line in WRITTEN_DOWN.read_text().splitlines():
        if line.startswith("["):
            names = surface.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            names.append(line)
    return surface


@pytest.mark.parametrize("package", PACKAGES)
def test_the_public_names_are_those_written_down(package: str) -> None:
    exported: list[str] = importlib.import_module(package).__all__

    assert sorted(exported) == sorted(written_down()[package])
    assert len(exported) == len(set(exported))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_there_and_documented(package: str) -> None:
    module = importlib.import_module(package)

    for name in module.__all__:
        assert hasattr(module, name), name
        public = getattr(module, name)
        if callable(public):
            assert public.__doc__, f"{package}.{name} has no docstring"
