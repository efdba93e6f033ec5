"""`duenna events`: what happens, as it happens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from duenna_actors.client import completing
from duenna_actors.client.errors import UnreachableError
from duenna_actors.client.names import resolve_if_given
from duenna_actors.client.options import completed
from duenna_actors.client.terminal import Cell
from duenna_actors.client.text import fit, visible
from duenna_actors.client.verbs._verb import add_verb, clock_of, count

if TYPE_CHECKING:
    import argparse

    from duenna.cli import Subparsers
    from duenna_actors.client.http import Client
    from duenna_actors.client.sse import ServerEvent
    from duenna_actors.client.terminal import Terminal, WallClock

_LONGEST: Final = 2_000
_LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_STYLES: Final = {"DEBUG": "dim", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}
_DEFAULT: Final = 20


def register(subparsers: Subparsers) -> None:
    """Add the verb `events`."""
    parser = add_verb(
        subparsers,
        "events",
        "show the latest events, or follow them",
        events,
        more="With -f and --json: one JSON object a line.",
    )
    completed(
        parser.add_argument("path", metavar="PATH", nargs="?", help="only those of this actor"), completing.actors
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on with those that come")
    parser.add_argument("--type", metavar="NAME", help="only those of this type, such as ChildRestarting")
    parser.add_argument("--level", choices=_LEVELS, help="only those of this level and above")
    parser.add_argument("--after", metavar="ID", type=count, help="with -f: first those that came after this one")
    parser.add_argument("-n", type=count, default=_DEFAULT, metavar="N", help="at most so many (default: %(default)s)")


def events(client: Client, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Show the events."""
    arguments.path = resolve_if_given(client, arguments.path)
    if arguments.after is not None:
        clock = clock_of(client, {})
        _follow(client, arguments, terminal, clock, str(arguments.after))
    document = client.get("/api/v1/events", limit=arguments.n, **_wanted(arguments))
    if arguments.json and not arguments.follow:
        terminal.document(document)
        return 0
    clock = clock_of(client, document)
    for row in document["events"]:
        _show(row, arguments, terminal, clock)
    if arguments.follow:
        _follow(client, arguments, terminal, clock, str(document["last_id"]))
    return 0


def _wanted(arguments: argparse.Namespace) -> dict[str, Any]:
    level = arguments.level.upper() if arguments.level else None
    return {"type": arguments.type, "path": arguments.path, "level": level}


def _follow(client: Client, arguments: argparse.Namespace, terminal: Terminal, clock: WallClock, last_id: str) -> None:
    """Show events until the bot ends, which raises, or the reader does."""
    try:
        with client.stream("/api/v1/events", last_id, **_wanted(arguments)) as stream:
            terminal.flush()
            for event in stream:
                last_id = event.id or last_id
                _show_server_event(event, arguments, terminal, clock)
    except UnreachableError as exc:
        raise UnreachableError(f"{exc.detail}; the last event was {last_id}, go on with --after {last_id}") from None


def _show_server_event(event: ServerEvent, arguments: argparse.Namespace, terminal: Terminal, clock: WallClock) -> None:
    try:
        row = json.loads(event.data)
    except ValueError:
        return
    if event.name == "bye":
        raise UnreachableError("the bot's console has stopped")
    if event.name == "dropped":
        _show_loss(row, arguments, terminal)
    elif "text" in row:
        _show(row, arguments, terminal, clock)
    terminal.flush()


def _show_loss(row: dict[str, Any], arguments: argparse.Namespace, terminal: Terminal) -> None:
    if arguments.json:
        terminal.record({"dropped": row})
    else:
        lost = visible(row.get("count", "some"), 20)
        terminal.line(Cell(f"-- {lost} events are missing here: this reader was too slow", "yellow"))


def _show(row: dict[str, Any], arguments: argparse.Namespace, terminal: Terminal, clock: WallClock) -> None:
    if arguments.json:
        terminal.record(row)
        return
    level = visible(row["level"], 10)
    who = Cell(f"{visible(row['path'], 100)}  " if row["path"] else "", "bold")
    what = f"{visible(row['type'], 60)}: {visible(row['text'], _LONGEST)}"
    terminal.line(f"{clock.text(row['time'])}  ", Cell(fit(level, 8), _STYLES.get(level, "")), "  ", who, what)
