"""The benchmarks are programs, not a package: their modules know each other by their bare names."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def load(name: str) -> Any:
    """Return a module of a benchmark; away from the checkout there is none, and no test of it."""
    if not BENCHMARKS.is_dir():
        pytest.skip("benchmarks are not installed", allow_module_level=True)
    if str(BENCHMARKS) not in sys.path:
        sys.path.append(str(BENCHMARKS))
    return importlib.import_module(name)
