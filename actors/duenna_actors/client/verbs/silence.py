"""`duenna silence`: keep alerts quiet for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from duenna_actors.client import completing
from duenna_actors.client.errors import UsageError
from duenna_actors.client.options import completed
from duenna_actors.client.terminal import wall_text
from duenna_actors.client.text import visible
from duenna_actors.client.urls import quote
from duenna_actors.client.verbs._verb import add_verb, duration

if TYPE_CHECKING:
    import argparse

    from duenna.cli import Subparsers
    from duenna_actors.client.http import Client
    from duenna_actors.client.terminal import Terminal

_HALF_AN_HOUR: Final = 1_800.0
_LONGEST: Final = 300


def register(subparsers: Subparsers) -> None:
    """Add the verb `silence`."""
    parser = add_verb(
        subparsers,
        "silence",
        "list the silences, add one, or delete one",
        silence,
        more="A MATCHER is such as severity=MEDIUM or path=~/bot/feeds/.* on a label; all must match.",
    )
    parser.add_argument("what", nargs="?", default="list", choices=("list", "add", "delete"))
    words = parser.add_argument("words", metavar="MATCHER|ID", nargs="*", help="add: matchers; delete: one id")
    completed(words, completing.silences)
    parser.add_argument(
        "--for", dest="duration", type=duration, default=_HALF_AN_HOUR, metavar="TIME", help="how long (default: 30m)"
    )
    parser.add_argument("--comment", metavar="TEXT", help="why")


def silence(client: Client, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """List, add or delete."""
    if arguments.what == "add":
        if not arguments.words:
            raise UsageError("add needs at least one MATCHER, such as path=/bot/feeds/kraken")
        body = {
            "matchers": arguments.words,
            "duration": arguments.duration,
            "comment": arguments.comment or "",
        }
        document = client.post("/api/v1/silences", body)
        text = f"silent for now: {visible(document.get('id', ''))}"
    elif arguments.what == "delete":
        if len(arguments.words) != 1:
            raise UsageError("delete needs the ID of one silence; `duenna silence list` shows them")
        document = client.delete(f"/api/v1/silences/{quote(arguments.words[0])}")
        text = f"no longer silent: {visible(arguments.words[0])}"
    elif arguments.words:
        raise UsageError(f"list takes no more words, got {arguments.words[0]!r}")
    else:
        document = client.get("/api/v1/silences")
        if not arguments.json:
            _show(client, document["silences"], terminal)
            return 0
        text = ""
    if arguments.json:
        terminal.document(document)
    else:
        terminal.line(text)
    return 0


def _show(client: Client, silences: list[dict[str, Any]], terminal: Terminal) -> None:
    if not silences:
        terminal.line("nothing is silent")
        return
    today = float(client.get("/api/v1/tree", depth=0)["at"])
    rows = [
        [
            visible(row["id"], 60),
            wall_text(float(row["until"]), today),
            visible(row["author"], 60),
            visible(" ".join(map(str, row["matchers"])), _LONGEST),
            visible(row["comment"] or "", _LONGEST),
        ]
        for row in silences
    ]
    terminal.table(("id", "until", "by", "matchers", "comment"), rows)
