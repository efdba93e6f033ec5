"""The verbs of the ``duenna`` command, as the installed distributions name them.

``importlib.metadata`` reads every distribution, and imports the parser of e-mails to do so: 50 ms on a small machine.
The file that names the entry points has one simple form, and reading it where it lies takes 2 ms.

Source: Python Packaging User Guide, "Entry points specification".
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import EntryPoint

GROUP: Final = "duenna.commands"
_FOLDERS: Final = (".dist-info", ".egg-info")


class FoundVerb(NamedTuple):
    """A verb, and where its ``register`` is, as ``package.module:function``."""

    name: str
    value: str

    def load(self) -> Any:
        """Import its module and return its ``register``."""
        module, _, attributes = self.value.partition("[")[0].strip().partition(":")
        found: Any = import_module(module.strip())
        for attribute in filter(None, attributes.strip().split(".")):
            found = getattr(found, attribute)
        return found


def named(name: str) -> FoundVerb | EntryPoint | None:
    """Return the verb *name*; None: there is none.

    Where the files do not say, because nobody installed it there or because two distributions have a verb of that name,
    ``importlib.metadata`` is asked.
    """
    if not name:
        return None
    values = {verb.value for verb in _in_files() if verb.name == name}
    if len(values) == 1:
        return FoundVerb(name, values.pop())
    return next((verb for verb in installed() if verb.name == name), None)


def names() -> list[str]:
    """Return the names of all verbs, sorted, without importing one."""
    return sorted({verb.name for verb in _in_files()} or {verb.name for verb in installed()})


def every() -> list[FoundVerb | EntryPoint]:
    """Return all verbs, one of each name; ``importlib.metadata`` is asked where the files do not say, as by `named`."""
    found = dict.fromkeys(_in_files())  # a distribution may be found in two folders
    is_clear = 0 < len(found) == len({verb.name for verb in found})
    return [*found] if is_clear else [*installed()]


def installed() -> list[EntryPoint]:
    """Return all verbs, one of each name, however they were installed."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - see above

    return list({verb.name: verb for verb in entry_points(group=GROUP)}.values())


def _in_files() -> Iterator[FoundVerb]:
    for folder in dict.fromkeys(sys.path):
        try:
            entries = os.listdir(folder or ".")  # noqa: PTH208 - pathlib takes 10 ms to import
        except OSError:  # a zip file, or nothing
            continue
        for entry in entries:
            if entry.endswith(_FOLDERS):
                yield from _in_file(os.path.join(folder, entry, "entry_points.txt"))  # noqa: PTH118


def _in_file(path: str) -> Iterator[FoundVerb]:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            text = file.read()
    except (OSError, UnicodeDecodeError):
        return
    if f"[{GROUP}]" not in text:
        return
    section = ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("["):
            section = stripped.strip("[] ")
        elif section == GROUP and "=" in stripped and not stripped.startswith(("#", ";")):
            name, _, value = stripped.partition("=")
            yield FoundVerb(name.strip(), value.strip())
