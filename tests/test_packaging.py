"""What pyproject.toml promises about dependencies."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]


def test_every_dependency_has_a_lower_bound_and_no_upper_one() -> None:
    """A cap in a library cannot be lifted by its user; the bounds themselves are tested by ``.ci/run``."""
    extras = PROJECT["optional-dependencies"]
    needs = [*PROJECT["dependencies"], *(need for name in extras.keys() - {"dev", "demo"} for need in extras[name])]

    assert [need for need in needs if not re.fullmatch(r"[\w-]+(\[\w+\])?>=[\d.]+", need)] == []


def test_the_development_extra_includes_the_others() -> None:
    """The tests need all of them: a test whose extra is missing would be a test that is not run."""
    extras = PROJECT["optional-dependencies"]
    (included,) = re.findall(r"duenna\[([\w,]+)\]", extras["dev"][0])

    assert set(included.split(",")) == extras.keys() - {"dev"}
