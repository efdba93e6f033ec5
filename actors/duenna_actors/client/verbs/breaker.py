"""`duenna breaker`: see the circuit breakers, and set one by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from duenna_actors.client import completing
from duenna_actors.client.errors import UsageError
from duenna_actors.client.options import completed
from duenna_actors.client.terminal import Cell
from duenna_actors.client.text import span, visible
from duenna_actors.client.urls import quote
from duenna_actors.client.verbs._verb import add_verb, clock_of

if TYPE_CHECKING:
    import argparse

    from duenna.cli import Subparsers
    from duenna_actors.client.http import Client
    from duenna_actors.client.terminal import Terminal, WallClock

_TITLES: Final = ("breaker", "state", "for", "calls", "success", "failed", "rejected", "fallback", "rate", "note")
_STYLES: Final = {"closed": "green", "open": "red", "forced_open": "red", "half_open": "yellow"}
_SHAPES: Final = {"closed": ("●", "+"), "open": ("✗", "x"), "forced_open": ("✗", "x"), "half_open": ("◐", "!")}
_LONGEST: Final = 500


def register(subparsers: Subparsers) -> None:
    """Add the verb `breaker`."""
    parser = add_verb(
        subparsers,
        "breaker",
        "list the circuit breakers, or set one by hand",
        breaker,
        more="reset closes it and forgets what it has counted; force-open refuses all calls; disable lets all through.",
    )
    parser.add_argument("what", nargs="?", default="list", choices=("list", "reset", "force-open", "disable"))
    completed(parser.add_argument("name", metavar="NAME", nargs="?", help="the breaker"), completing.breakers)


def breaker(client: Client, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """List the breakers, or set one."""
    if arguments.what == "list":
        document = client.get("/api/v1/breakers")
        rows = [row for row in document["breakers"] if arguments.name in {None, row["name"]}]
    elif arguments.name is None:
        raise UsageError(f"{arguments.what} needs the NAME of a breaker; `duenna breaker list` shows them")
    else:
        name = quote(arguments.name)
        document = client.post(f"/api/v1/breakers/{name}/{arguments.what.replace('-', '_')}")
        rows = [document]
    if arguments.json:
        terminal.document(document)
        return 0
    if not rows:
        terminal.line("no breaker was used yet")
        return 0
    clock = clock_of(client, document)
    terminal.table(_TITLES, [_cells(row, clock, terminal) for row in rows], right=range(2, 9))
    return 0


def _cells(row: dict[str, Any], clock: WallClock, terminal: Terminal) -> list[str]:
    state = visible(row["state"], 20)
    rate = row["failure_rate"]
    wait = clock.ago(row["retry_at"])
    probe = f"a probe in {span(-wait)}" if wait is not None and wait < 0 else ""
    return [
        visible(row["name"], 100),
        Cell(f"{terminal.glyph(*_SHAPES.get(state, ('○', '-')))} {state}", _STYLES.get(state, "cyan")),
        span(clock.ago(row["since"])),
        *(str(row[key]) for key in ("calls", "successes", "failures", "rejected", "fallbacks")),
        "-" if rate is None else f"{rate:.0%}",
        "; ".join(filter(None, (probe, visible(row["last_error"] or "", _LONGEST)))),
    ]
