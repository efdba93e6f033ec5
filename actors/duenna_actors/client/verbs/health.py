"""`duenna health`: for scripts, whether the bot is well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from duenna_actors.client.errors import ProblemError
from duenna_actors.client.rows import overall_cell
from duenna_actors.client.running import OK, UNMET
from duenna_actors.client.text import visible
from duenna_actors.client.verbs._verb import add_verb

if TYPE_CHECKING:
    import argparse

    from duenna.cli import Subparsers
    from duenna_actors.client.http import Client
    from duenna_actors.client.terminal import Terminal

_PROBES: Final = {"live": "/livez", "ready": "/readyz", "started": "/startupz"}
_LONGEST: Final = 300


def register(subparsers: Subparsers) -> None:
    """Add the verb `health`."""
    parser = add_verb(
        subparsers,
        "health",
        "tell whether the bot is well, by the exit status",
        health,
        more="Exit status 0: healthy, or the probe passes; 1: it is not; 3: no bot answers.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--allow-degraded", action="store_true", help="degraded is well enough")
    what.add_argument("--probe", choices=sorted(_PROBES), help="ask what a probe over HTTP would be answered")


def health(client: Client, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Show the health, and return it as the exit status."""
    if arguments.probe:
        return _probe(client, arguments, terminal)
    document = client.get("/api/recovery/status")
    overall = document["overall"]
    if arguments.json:
        terminal.document(document)
    else:
        terminal.line(overall_cell(overall, terminal))
        for name, service in document["services"].items():
            if service["status"] not in {"operational", ""}:
                state = f"{visible(service['state'], 20)}, {visible(service['status'], 20)}"
                why = visible(service.get("why") or service.get("last_error") or "", _LONGEST)
                terminal.line(f"  {visible(name, 60)}  {state}  ", why)
    is_well = overall == "healthy" or (overall == "degraded" and arguments.allow_degraded)
    return OK if is_well else UNMET


def _probe(client: Client, arguments: argparse.Namespace, terminal: Terminal) -> int:
    is_met = True
    try:
        document: dict[str, Any] = client.get(f"{_PROBES[arguments.probe]}?verbose")
    except ProblemError as exc:
        if exc.status != 503:  # noqa: PLR2004 - what a probe says when it is not met
            raise
        is_met, document = False, exc.problem
    if arguments.json:
        terminal.document(document)
    else:
        terminal.line(f"{arguments.probe}: {'yes' if is_met else 'no'}, {visible(document.get('status', '?'), 20)}")
        for name, check in sorted(_checks(document)):
            terminal.line(f"  {visible(name, 60)}  ", visible(check, _LONGEST))
    return OK if is_met else UNMET


def _checks(document: dict[str, Any]) -> list[tuple[str, str]]:
    checks: Any = document.get("checks")
    if not isinstance(checks, dict):
        return []
    return [(name, _said(check)) for name, check in cast("dict[str, Any]", checks).items()]


def _said(check: Any) -> str:
    """Return a check as text: its status and what it says, in whatever form."""
    first = cast("Any", check[0] if isinstance(check, list) and check else check)
    if not isinstance(first, dict):
        return str(cast("object", first))
    known = cast("dict[str, Any]", first)
    return " ".join(str(known[key]) for key in ("status", "output", "why", "detail") if known.get(key))
