"""`duenna stack`: where the tasks of an actor are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duenna_actors.client import completing
from duenna_actors.client.names import resolve
from duenna_actors.client.options import completed
from duenna_actors.client.terminal import Cell
from duenna_actors.client.text import visible
from duenna_actors.client.urls import actor_path
from duenna_actors.client.verbs._verb import add_verb

if TYPE_CHECKING:
    import argparse

    from duenna.cli import Subparsers
    from duenna_actors.client.http import Client
    from duenna_actors.client.terminal import Terminal


def register(subparsers: Subparsers) -> None:
    """Add the verb `stack`."""
    parser = add_verb(subparsers, "stack", "show where the tasks of an actor are, outermost first", stack)
    path = parser.add_argument("path", metavar="PATH", help="the actor: its path, or a name that means it alone")
    completed(path, completing.actors)


def stack(client: Client, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Show the stacks."""
    document = client.get(actor_path(resolve(client, arguments.path), "stack"))
    if arguments.json:
        terminal.document(document)
        return 0
    if not document["tasks"]:
        terminal.line("it has no task now")
    for task in document["tasks"]:
        note = Cell("  a handler that waits", "yellow") if task.get("is_blocked_handler") else ""
        terminal.line(Cell(visible(task["task"], 300), "bold"), note)
        for frame in task["frames"]:
            where = f"{visible(frame['file'], 300)}:{frame['line']}"
            terminal.line(f"  {visible(frame['function'], 200)}  ", Cell(where, "dim"))
    return 0
