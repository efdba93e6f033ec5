"""Whose code a task runs."""

from collections.abc import Mapping
from typing import Any


def owner_of(task: Any, askers: Mapping[Any, Any]) -> str:
    """Return the path of the actor that *task*, or a task above it, belongs to; empty if it is none's."""
    while task is not None:
        part = askers.get(task)
        if part is not None and part.cell is not None:
            return str(part.cell.path)
        if task.name.startswith("/"):
            return str(task.name).split(" ", maxsplit=1)[0]
        task = task.parent_nursery.parent_task if task.parent_nursery is not None else None
    return ""
