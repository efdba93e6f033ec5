"""`duenna errors`: what went wrong, and what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from duenna_actors.client import completing
from duenna_actors.client.names import resolve_if_given
from duenna_actors.client.options import completed
from duenna_actors.client.terminal import Cell
from duenna_actors.client.text import visible
from duenna_actors.client.verbs._verb import add_verb, clock_of, count, duration

if TYPE_CHECKING:
    import argparse

    from duenna.cli import Subparsers
    from duenna_actors.client.http import Client
    from duenna_actors.client.terminal import Terminal

_LONGEST: Final = 1_000
_STYLES: Final = {"critical": "red", "high": "red", "medium": "yellow"}
_DEFAULT: Final = 20


def register(subparsers: Subparsers) -> None:
    """Add the verb `errors`."""
    parser = add_verb(subparsers, "errors", "show the latest errors with their verdicts, newest last", errors)
    completed(
        parser.add_argument("path", metavar="PATH", nargs="?", help="only those of this actor"), completing.actors
    )
    parser.add_argument("--since", type=duration, metavar="AGE", help="only those of the last 90s, 15min, 1h")
    parser.add_argument("--category", metavar="WORD", help="only those of this category, such as NETWORK")
    parser.add_argument("--severity", metavar="WORD", help="only those of this severity, such as HIGH")
    parser.add_argument("-n", type=count, default=_DEFAULT, metavar="N", help="at most so many (default: %(default)s)")


def errors(client: Client, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Show the errors."""
    document = client.get(
        "/api/v1/errors",
        since=arguments.since,
        category=arguments.category,
        severity=arguments.severity,
        path=resolve_if_given(client, arguments.path),
        limit=arguments.n,
    )
    if arguments.json:
        terminal.document(document)
        return 0
    if not document["errors"]:
        terminal.line("no errors")
        return 0
    clock = clock_of(client, document)
    rows = [
        [
            clock.text(row["time"]),
            visible(row["path"], 100),
            Cell(visible(row["severity"], 20), _STYLES.get(str(row["severity"]).lower(), "")),
            visible(row["category"], 30) + (" transient" if row["transient"] else ""),
            _text(visible(row["type"], 100), visible(row["message"], _LONGEST)),
        ]
        for row in sorted(document["errors"], key=lambda row: row["time"])
    ]
    terminal.table(("time", "actor", "severity", "category", "error"), rows)
    return 0


def _text(kind: str, message: str) -> str:
    """Return both, and the type once."""
    return message if message.startswith(kind) else f"{kind}: {message}"
