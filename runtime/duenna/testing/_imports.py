"""Imports in a world: the first run in a process makes them, the second does not, and both must go the same way."""

from __future__ import annotations

import importlib
import random
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

from duenna.testing._forbidden import patch_psycopg
from duenna.testing._presence import Presence, present

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from duenna.testing._patches import Patches


def patch_imports(patches: Patches) -> None:
    """Let what a module draws while it is imported be drawn for it alone; refuse psycopg's connections from then on."""
    loader: Any = importlib.import_module("importlib._bootstrap_external")._LoaderBasics  # noqa: SLF001  # of .py and .pyc
    real: Callable[[Any, Any], None] = loader.exec_module

    @wraps(real)
    def exec_module(self: Any, module: Any) -> None:
        here = present()
        if here is None:
            real(self, module)
            return
        with _draws_apart(here, module.__name__):
            real(self, module)
        if module.__name__ == "psycopg.connection":
            patch_psycopg(patches)

    patches.attribute(loader, "exec_module", exec_module)


@contextmanager
def _draws_apart(here: Presence, name: str) -> Generator[None]:
    before, state = (here.entropy, here.seeds), random.getstate()
    here.entropy, here.seeds = here.stream(f"import entropy {name}"), here.stream(f"import seeds {name}")
    random.seed(f"{here.seed}:import {name}")
    try:
        yield
    finally:
        here.entropy, here.seeds = before
        random.setstate(state)
