"""`duenna status`: the whole bot on one screen."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from duenna_actors.client.rows import overall_cell
from duenna_actors.client.terminal import Cell, WallClock
from duenna_actors.client.text import span, visible
from duenna_actors.client.verbs._verb import add_verb

if TYPE_CHECKING:
    import argparse

    from duenna.cli import Subparsers
    from duenna_actors.client.http import Client
    from duenna_actors.client.terminal import Terminal

_LONGEST: Final = 500
_MOST_ISSUES: Final = 8
_MOST_WHYS: Final = 5
_STYLES: Final = {"critical": "red", "warning": "yellow"}


def register(subparsers: Subparsers) -> None:
    """Add the verb `status`."""
    add_verb(subparsers, "status", "show how the bot does, and what needs you, on one screen", status)


def status(client: Client, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Show the screen."""
    document = client.get("/api/v1/snapshot")
    if arguments.json:
        terminal.document(document)
        return 0
    header = document["header"]
    clock = WallClock(header["now"], header["at"])
    _top(header, terminal)
    _counts(document, terminal)
    _needs(header, clock, terminal)
    _issues(header, terminal)
    _why(header, clock, terminal)
    return 0


def _top(header: dict[str, Any], terminal: Terminal) -> None:
    bot = header["bot"]
    held = f" ({visible(bot['trading_why'], 100)})" if bot["trading_why"] else ""
    facts = [
        f"up {span(header['at'] - bot['started_at'])}",
        visible(bot["phase"], 20),
        visible(bot["trading"], 20) + held,
        f"process {bot['pid']} on {visible(bot['host'], 60)}",
    ]
    name = Cell(visible(f"{bot['name']} {bot['version']}".strip(), 80), "bold")
    terminal.line(name, "  ", overall_cell(header["overall"], terminal), "  ", ", ".join(filter(None, facts)))


def _counts(document: dict[str, Any], terminal: Terminal) -> None:
    header = document["header"]
    states = Counter(visible(row["state"], 20) for row in document["rows"])
    errors = header["errors"]
    unwell = [breaker for breaker in header["breakers"] if breaker["state"] != "closed"]
    for name, text in (
        ("actors", ", ".join(f"{number} {state}" for state, number in states.most_common())),
        ("errors", f"{errors['total']}, {errors['rate']:g} in the last minute, {visible(errors['trend'], 20)}"),
        ("breakers", f"{len(header['breakers'])}, {len(unwell)} not closed"),
        ("alerts", _alerts(header)),
        ("loop", _loop(header["loop"])),
        ("state", _stored(header["state"])),
        ("dead letters", str(header["dead_letters"])),
    ):
        terminal.line(f"  {name:<13}", text)


def _alerts(header: dict[str, Any]) -> str:
    if header["alerts"] is None:
        return "the bot has no alerting"
    quiet = sum(1 for alert in header["alerts"] if alert["silenced_by"] or alert["inhibited_by"])
    return f"{len(header['alerts'])} firing, {quiet} of them silent, {len(header['silences'] or ())} silences"


def _loop(loop: dict[str, Any]) -> str:
    lag = "lag not measured" if loop["lag"] is None else f"lag {loop['lag'] * 1000:.1f} ms"
    if not loop["blocked"]:
        return lag
    by = f" by {visible(loop['blocked_by'], 60)}" if loop["blocked_by"] else ""
    return f"{lag}, blocked {loop['blocked']} times, the last time{by}"


def _stored(stored: dict[str, Any]) -> str:
    problem = f": {visible(stored['problem'], 200)}" if stored["problem"] else ""
    return visible(stored["store"], 60) + ("" if stored["is_durable"] else f", not durable{problem}")


def _needs(header: dict[str, Any], clock: WallClock, terminal: Terminal) -> None:
    if not header["needs"]:
        terminal.line(Cell("nothing needs you", "green"))
        return
    terminal.line(Cell("what needs you", "bold"))
    for need in header["needs"]:
        mark = Cell(f"  {visible(need['severity'], 10):<9}", _STYLES.get(need["severity"], ""))
        since = "" if need["since"] is None else f"  (since {clock.text(need['since'])})"
        terminal.line(mark, visible(need["text"], _LONGEST), since)
        for action in need["actions"]:
            terminal.line(f"{'':<11}", Cell(_command(visible(action, 20), visible(need["path"], 200)), "dim"))


def _command(action: str, path: str) -> str:
    return f"duenna breaker reset {path}" if action == "reset" else f"duenna {action} {path}"


def _issues(header: dict[str, Any], terminal: Terminal) -> None:
    issues = header["issues"]
    if not issues:
        return
    terminal.line(Cell("issues", "bold"))
    for issue in issues[:_MOST_ISSUES]:
        terminal.line("  ", visible(issue, _LONGEST))
    if len(issues) > _MOST_ISSUES:
        terminal.line(f"  and {len(issues) - _MOST_ISSUES} more")


def _why(header: dict[str, Any], clock: WallClock, terminal: Terminal) -> None:
    if not header["why"]:
        return
    terminal.line(Cell("why", "bold"))
    for row in header["why"][:_MOST_WHYS]:
        terminal.line(f"  {clock.text(row['began'])}  ", visible(row["text"], _LONGEST))
