"""`duenna tree`: every actor, and how it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duenna_actors.client import completing
from duenna_actors.client.names import resolve_if_given
from duenna_actors.client.options import completed
from duenna_actors.client.rows import RIGHT, TITLES, tree_cells
from duenna_actors.client.verbs._verb import add_verb, clock_of

if TYPE_CHECKING:
    import argparse

    from duenna.cli import Subparsers
    from duenna_actors.client.http import Client
    from duenna_actors.client.terminal import Terminal


def register(subparsers: Subparsers) -> None:
    """Add the verb `tree`."""
    parser = add_verb(subparsers, "tree", "show the tree of actors: state, budget, mailbox, age of data, errors", tree)
    path = parser.add_argument("path", metavar="PATH", nargs="?", help="only this actor, and all below it")
    completed(path, completing.actors)
    parser.add_argument("--depth", type=int, metavar="N", help="only so many levels below the first")


def tree(client: Client, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Show the tree."""
    document = client.get("/api/v1/tree", path=resolve_if_given(client, arguments.path), depth=arguments.depth)
    if arguments.json:
        terminal.document(document)
        return 0
    clock = clock_of(client, document)
    terminal.table(TITLES, list(tree_cells(document["rows"], clock, terminal)), right=RIGHT)
    return 0
