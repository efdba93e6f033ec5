"""`duenna logs`: the recovery log, which says who did what and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from duenna_actors.client.terminal import Cell, wall_text
from duenna_actors.client.text import visible
from duenna_actors.client.verbs._verb import add_verb, count

if TYPE_CHECKING:
    import argparse

    from duenna.cli import Subparsers
    from duenna_actors.client.http import Client
    from duenna_actors.client.terminal import Terminal

_DAYS: Final = 7
_MOST: Final = 50
_LONGEST: Final = 1_000
_STYLES: Final = {"success": "green", "failed": "red", "gave_up": "red"}


def register(subparsers: Subparsers) -> None:
    """Add the verb `logs`."""
    parser = add_verb(subparsers, "logs", "show the recovery log: what was done, and how it ended, newest last", logs)
    parser.add_argument("--days", type=count, default=_DAYS, metavar="N", help="of so many days (default: %(default)s)")
    parser.add_argument("--service", metavar="NAME", help="only of this service")
    parser.add_argument("--status", metavar="WORD", help="only with this outcome, such as failed")
    parser.add_argument("-n", type=count, default=_MOST, metavar="N", help="at most so many (default: %(default)s)")
    parser.add_argument("--cursor", metavar="TEXT", help="go on where the answer before, with --json, ended")


def logs(client: Client, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Show the log."""
    document = client.get(
        "/api/recovery/logs",
        days=arguments.days,
        service=arguments.service,
        status=arguments.status,
        limit=arguments.n,
        cursor=arguments.cursor,
    )
    if arguments.json:
        terminal.document(document)
        return 0
    records = document["records"]
    if not records:
        terminal.line(f"no record of the last {arguments.days} days")
        return 0
    today = max(float(record["at"]) for record in records)
    terminal.table(("at", "outcome", "action", "error"), [_cells(record, today) for record in reversed(records)])
    if document.get("next_cursor"):
        terminal.line(Cell("there are older ones: -n, or --json and --cursor", "dim"))
    return 0


def _cells(record: dict[str, Any], today: float) -> list[str]:
    status = visible(record["status"], 20)
    again = f" (retry {record['retry_count']})" if record.get("retry_count") else ""
    return [
        wall_text(float(record["at"]), today),
        Cell(status, _STYLES.get(status, "")),
        visible(record["action"], 200) + again,
        visible(record["error"] or "", _LONGEST),
    ]
