"""`duenna alerts`: what fires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from duenna_actors.client.terminal import Cell
from duenna_actors.client.text import visible
from duenna_actors.client.verbs._verb import add_verb, clock_of

if TYPE_CHECKING:
    import argparse

    from duenna.cli import Subparsers
    from duenna_actors.client.http import Client
    from duenna_actors.client.terminal import Terminal

_LONGEST: Final = 500
_STYLES: Final = {"critical": "red", "error": "red", "warning": "yellow"}


def register(subparsers: Subparsers) -> None:
    """Add the verb `alerts`."""
    parser = add_verb(subparsers, "alerts", "show the alerts that fire", alerts)
    parser.add_argument("--test", action="store_true", help="send a test alert to every receiver instead")


def alerts(client: Client, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Show the alerts."""
    document = client.post("/api/v1/alerts/test") if arguments.test else client.get("/api/v1/alerts")
    if arguments.json:
        terminal.document(document)
        return 0
    if arguments.test:
        terminal.line(f"a test alert is on its way to {visible(document['receivers'], 200)} receivers")
        return 0
    if not document["alerts"]:
        terminal.line("no alert fires")
        return 0
    clock = clock_of(client, document)
    rows = [
        [
            clock.text(row["since"]),
            Cell(visible(row["severity"], 20), _STYLES.get(str(row["severity"]).lower(), "")),
            visible(row["path"] or row["target"], 100),
            str(row["count"]),
            "silenced" if row["silenced_by"] else "inhibited" if row["inhibited_by"] else "",
            visible(row["summary"], _LONGEST),
        ]
        for row in document["alerts"]
    ]
    terminal.table(("since", "severity", "target", "count", "silent", "alert"), rows, right=(3,))
    return 0
