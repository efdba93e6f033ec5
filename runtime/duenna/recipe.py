"""The recipe of a child, as text for a person."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from duenna._node import Node
from duenna.machines.backoff import Backoff, Jitter

if TYPE_CHECKING:
    from duenna._cell import Cell
    from duenna.spec import Child, Supervisor


def recipe_of(cell: Cell) -> dict[str, str]:
    """Return the spec of *cell* as text, by option."""
    spec = cell.spec
    options = attrs.asdict(spec.options, recurse=False)
    mailbox = options.pop("mailbox")
    found = {name: _text(value) for name, value in options.items()}
    if isinstance(cell, Node):
        given: Any = spec
        found |= {
            "strategy": str(given.strategy),
            "intensity": f"{given.intensity} restarts within {given.period:g} s",
            "auto_shutdown": str(given.auto_shutdown),
        }
    else:
        found["start"] = _named(spec)
        found["mailbox"] = f"{mailbox.capacity} messages, {mailbox.policy}"
    return found


def _text(value: object) -> str:
    if isinstance(value, Backoff):
        return _waits(value)
    if isinstance(value, float):
        return f"{value:g} s"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _waits(backoff: Backoff) -> str:
    """Return in words how long is waited before a restart."""
    if backoff.waits:
        return ", ".join(f"{wait:g} s" for wait in backoff.waits)
    if not backoff.initial:
        return "none"
    jitter = "" if backoff.jitter is Jitter.NONE else f", jitter {backoff.jitter}"
    return f"{backoff.initial:g} s, then times {backoff.factor:g}, at most {backoff.maximum:g} s{jitter}"


def _named(spec: Child | Supervisor) -> str:
    """Return the factory's name: not its repr, which may show arguments."""
    source: Any = getattr(spec, "start", None)
    while isinstance(source, partial):
        source = source.func
    module = getattr(source, "__module__", "")
    name = getattr(source, "__qualname__", type(source).__name__)
    return f"{module}.{name}" if module else str(name)
