"""Finds ``scenario(world)`` in a Python file, and says in one line what is wrong with it."""

from __future__ import annotations

import inspect
import sys
import traceback
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duenna.spec import Supervisor
from duenna.testing._simulation import Scenario
from duenna.testing._words import error_line
from duenna.testing.simulate_cli import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from duenna.testing._world import World

_NAME = "scenario"


def load_scenario(file: str) -> Callable[[World], Scenario | Supervisor]:
    """Import *file* as ``python FILE`` would find it, and return its scenario, wrapped so that its faults are told.

    Raises:
        OptionError: There is no such file, it cannot be imported, or has no function `scenario`. The function that is
            returned raises it, too: the scenario raised, or made something else than a bot.
    """
    path = Path(file)
    if not path.is_file():
        raise OptionError(f"FILE must be a Python file, got {file!r}, which {_what_is(path)}")
    found = getattr(_imported(path), _NAME, None)
    if found is None:
        raise OptionError(f"{file} must have a function scenario(world), which returns the bot, and has none")
    if not callable(found):
        raise OptionError(f"scenario in {file} must be a function of the world, got {found!r}")
    if inspect.iscoroutinefunction(found):
        raise OptionError(f"scenario in {file} must not be async: it only describes the bot")

    def scenario(world: World) -> Scenario | Supervisor:
        try:
            made: object = found(world)
        except Exception as exc:
            raise OptionError(f"scenario(world) in {file} raised {error_line(exc)}{_place(exc, path)}") from exc
        if not isinstance(made, Scenario | Supervisor):
            raise OptionError(f"scenario(world) in {file} must return a Scenario or a Supervisor, got {made!r}")
        return made

    return scenario


def _imported(path: Path) -> ModuleType:
    name = path.stem if path.stem not in sys.modules else f"scenario_of_{path.stem}"
    loader = SourceFileLoader(name, str(path))
    spec: Any = spec_from_loader(name, loader)
    module = module_from_spec(spec)
    sys.path.insert(0, str(path.absolute().parent))  # its neighbours are found as when it is run itself
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except (Exception, SystemExit) as exc:
        del sys.modules[name]
        raise OptionError(f"{path} cannot be imported: {error_line(exc)}{_place(exc, path)}") from exc
    return module


def _place(error: BaseException, path: Path) -> str:
    """Return the line of *path* that *error* comes from."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f" (line {lines[-1]})" if lines else ""


def _what_is(path: Path) -> str:
    return "is a folder" if path.is_dir() else "is not there" if not path.exists() else "is no file"
