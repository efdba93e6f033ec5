"""`duenna incident`: what the bot noted when something went badly wrong, or when it is asked."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from duenna_actors.client import completing
from duenna_actors.client.errors import UsageError
from duenna_actors.client.http import Client
from duenna_actors.client.options import add_json_option, add_target_options, address_of, completed
from duenna_actors.client.running import guarded
from duenna_actors.client.terminal import Terminal, wall_text
from duenna_actors.client.text import visible
from duenna_actors.client.urls import quote

if TYPE_CHECKING:
    import argparse

    from duenna.cli import Subparsers

_LONGEST: Final = 300
_WIDEST: Final = 160


def register(subparsers: Subparsers) -> None:
    """Add the verb `incident`."""
    parser = subparsers.add_parser(
        "incident",
        help="list, take, fetch or read incident files",
        description="List the incident files of the bot, take one now, fetch one, or read a file without the bot.",
    )
    add_target_options(parser)
    add_json_option(parser)
    parser.add_argument("what", nargs="?", default="list", choices=("list", "take", "get", "show"))
    which = parser.add_argument("which", metavar="ID|FILE", nargs="?", help="get: the id; show: the file")
    completed(which, completing.incidents)
    parser.add_argument("--reason", metavar="TEXT", help="take: why")
    parser.add_argument("-o", "--output", metavar="FILE", help="get: write it there (default: the standard output)")
    parser.set_defaults(run=guarded("incident", incident))


def incident(arguments: argparse.Namespace) -> int:
    """Do what is asked."""
    if arguments.what in {"get", "show"} and arguments.which is None:
        raise UsageError(f"{arguments.what} needs {'an ID' if arguments.what == 'get' else 'a FILE'}")
    terminal = Terminal()
    if arguments.what == "show":
        return _show(arguments, terminal)
    client = Client(address_of(arguments))
    if arguments.what == "get":
        return _get(client, arguments, terminal)
    if arguments.what == "take":
        document = client.post("/api/v1/incidents", {"reason": arguments.reason} if arguments.reason else {})
        text = f"taken: {visible(document['id'])}; read it with `duenna incident get {visible(document['id'])}`"
    else:
        document = client.get("/api/v1/incidents")
        if not arguments.json:
            _list(client, document["incidents"], terminal)
            return 0
        text = ""
    if arguments.json:
        terminal.document(document)
    else:
        terminal.whole(text)
    return 0


def _list(client: Client, incidents: list[dict[str, Any]], terminal: Terminal) -> None:
    if not incidents:
        terminal.line("no incident file was taken")
        return
    today = float(client.get("/api/v1/tree", depth=0)["at"])
    rows = [
        [
            wall_text(float(row["at"]), today),
            visible(row["id"], 80),
            visible(row["trigger"], 20),
            visible(row["path"], 100),
            visible(row["reason"] or "", _LONGEST),
        ]
        for row in incidents
    ]
    terminal.table(("at", "id", "trigger", "actor", "reason"), rows)


def _get(client: Client, arguments: argparse.Namespace, terminal: Terminal) -> int:
    document = client.get(f"/api/v1/incidents/{quote(arguments.which)}")
    if arguments.output:
        write_file(arguments.output, document)
    elif arguments.json or not sys.stdout.isatty():
        terminal.document(document)
    else:
        _render(document, terminal)
    return 0


def _show(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from duenna.incident_files.show import load  # noqa: PLC0415 - no other verb needs it

    try:
        document = load(arguments.which)
    except ValueError as exc:  # it names the file
        raise UsageError(str(exc)) from None
    if arguments.json:
        terminal.document(document)
    else:
        _render(document, terminal)
    return 0


def _render(document: dict[str, Any], terminal: Terminal) -> None:
    from duenna.incident_files.show import render  # noqa: PLC0415 - no other verb needs it

    for line in render(document, width=min(terminal.width, _WIDEST)):
        terminal.whole(visible(line))


def write_file(path: str, document: dict[str, Any]) -> None:
    """Write *document* to *path* as JSON, as a whole or not at all, readable by its owner alone."""
    beside = f"{path}.{os.getpid()}.part"
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:  # noqa: PTH123
            json.dump(document, file, indent=2)
            file.write("\n")
        os.replace(beside, path)  # noqa: PTH105 - pathlib takes 10 ms to import
    except OSError as exc:
        raise UsageError(f"{path} cannot be written: {exc.strerror}") from None
    finally:
        if os.path.exists(beside):  # noqa: PTH110
            os.unlink(beside)  # noqa: PTH108
