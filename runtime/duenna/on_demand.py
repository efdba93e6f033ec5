"""Import the public names of a package when the first of them is used: a command that only talks to a bot needs none.

The names and their imports stand in the package's module `_names`, its submodules are found as ever.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def on_demand(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return what the module of *package* takes as its ``__getattr__`` and its ``__dir__`` (PEP 562)."""

    def find(name: str) -> Any:
        from importlib.util import find_spec  # noqa: PLC0415  # it takes its time, and a command never gets here

        if not name.startswith("__") and find_spec(f"{package}.{name}") is not None:
            return import_module(f"{package}.{name}")
        if name == "__all__" or not name.startswith("__"):
            here, names = vars(sys.modules[package]), import_module(f"{package}._names")
            for each in getattr(names, "__all__", ()):  # there is none while they are being imported
                here[each] = getattr(names, each)
                here["__all__"] = names.__all__
            if name in here:
                return here[name]
        message = f"module {package!r} has no attribute {name!r}"
        raise AttributeError(message, name=name, obj=sys.modules[package])

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[package]), *find("__all__")})

    return find, listed
