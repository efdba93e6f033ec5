"""`duenna export`: all that the console knows, as one file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from duenna_actors.client.options import completed
from duenna_actors.client.text import visible
from duenna_actors.client.verbs._verb import add_verb
from duenna_actors.client.verbs.incident import write_file

if TYPE_CHECKING:
    import argparse

    from duenna.cli import Subparsers
    from duenna_actors.client.http import Client
    from duenna_actors.client.terminal import Terminal

_MOST_ERRORS: Final = 1_000


def register(subparsers: Subparsers) -> None:
    """Add the verb `export`."""
    parser = add_verb(
        subparsers,
        "export",
        "write the whole snapshot, the charts and the errors to a file",
        export,
        more="With --json it goes to the standard output instead, and FILE is not needed.",
    )
    completed(parser.add_argument("file", metavar="FILE.json", nargs="?", help="replaced as a whole"), "files")


def export(client: Client, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Write it."""
    document = {
        "snapshot": client.get("/api/v1/snapshot"),
        "charts": client.get("/api/v1/charts"),
        "errors": client.get("/api/v1/errors", limit=_MOST_ERRORS),
    }
    if arguments.file is not None:
        write_file(arguments.file, document)
    if arguments.json or arguments.file is None:
        terminal.document(document)
    else:
        terminal.whole(f"written: {visible(arguments.file)}")
    return 0
