"""The texts of the pages: details of an actor, its stack, its log, and the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from duenna_actors.top import shapes
from duenna_actors.top.lines import trouble, utc
from duenna_actors.top.paint import line, look, piece
from duenna_actors.top.text import brief, sparkline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duenna_actors.top.mirror import Mirror

_KEYS: Final = (
    ("↑ ↓", "select an actor; page up, page down, home, end as well"),
    ("enter", "details: recipe, errors with verdicts, mailbox, history"),
    ("r", "restart it; says first who goes down with it; mailbox is kept"),
    ("s", "suspend it (its messages wait), or resume it"),
    ("x", "stop it until it is started again, or start it"),
    ("k", "stack: where its tasks are"),
    ("l", "log: its events, live"),
    ("b", "a breaker: reset, force open, disable"),
    ("m", "mute its alerts for 30 minutes"),
    ("i", "incident file: tree, events, stacks, mailboxes"),
    ("/", "only actors with a text in path, state or error; esc: all"),
    ("t", "show or hide the why-timeline"),
    ("n", "go to what needs you, one after the other"),
    ("q", "leave; the bot does not notice"),
)
_LEVELS: Final = {"DEBUG": "quiet", "WARNING": "warn", "ERROR": "bad", "CRITICAL": "bad"}


def helping() -> Text:
    """Return the keys and the shapes."""
    made = [line("   ", piece(f"{key:<8}", "accent"), piece(what)) for key, what in _KEYS]
    made.append(Text())
    states = ("running", "starting", "backoff", "stopping", "suspended", "failed", "stopped", "pending", "finished")
    drawn = [look(shapes.of_row({"state": state})) for state in states]
    drawn += [look(shapes.of_row({"state": "running", "status": status})) for status in ("degraded", "unavailable")]
    padded = [_padded(each, 15) for each in drawn]
    made += [line("   ", *padded[first : first + 4]) for first in range(0, len(padded), 4)]
    budget = "   BUDGET ▮▮▯ 2/3: two more restarts are borne; at 0 the next crash stops it and all below it"
    made += [Text(), piece(budget, "quiet")]
    made.append(piece("   times are the bot's, in UTC", "quiet"))
    return joined(made)


def details(mirror: Mirror, found: dict[str, Any], at: float) -> Text:
    """Return all about one actor."""
    row = found["row"]
    made = [line("  ", look(shapes.of_row(row)), piece(f"  {trouble(row, mirror.now(at))}", "warn"))]
    made.append(piece(f"  {row['kind']}  incarnation {row['incarnation']}, restarts {row['restarts']}", "quiet"))
    made += _section("RECIPE", [_pair(name, value) for name, value in found["spec"].items()])
    made += _mailbox(mirror, found["mailbox"], at)
    errors = found["errors"]
    bars = sparkline(found["sparkline"], 60)
    made += _section(f"ERRORS, LAST 60 MINUTES {bars}", [each for error in errors for each in _error(mirror, error)])
    made += _section(
        "WHY", [piece(f"  {utc(mirror, each['began'])} {each['text']}", limit=1_000) for each in found["why"]]
    )
    made += _section("HISTORY", [_transition(mirror, each) for each in reversed(found["history"][-30:])])
    made += _section("CHILDREN", [piece(f"  {path}") for path in found["children"]])
    return joined(made)


def log(mirror: Mirror, events: Iterable[dict[str, Any]]) -> Text:
    """Return events, a line each."""
    made = [
        line(
            piece(f"  {utc(mirror, event['time'])} ", "quiet"),
            piece(f"{event['level']:<8} ", _LEVELS.get(event["level"], "plain")),
            piece(event["text"], limit=2_000),
        )
        for event in events
    ]
    return joined(made or [piece("  nothing yet", "quiet")])


def stack(tasks: Iterable[dict[str, Any]]) -> Text:
    """Return where the tasks are, outermost frame first."""
    made: list[Text] = []
    for task in tasks:
        blocked = piece("  a handler that waits", "warn") if task.get("is_blocked_handler") else ""
        made.append(line(piece(f"  {task['task']}", "accent"), blocked))
        made += [
            line(piece(f"    {frame['file']}:{frame['line']} ", "quiet"), piece(frame["function"], "strong"))
            for frame in task["frames"]
        ]
        made.append(Text())
    return joined(made or [piece("  it has no task of its own: it runs only while it handles a message", "quiet")])


def _mailbox(mirror: Mirror, found: dict[str, Any] | None, at: float) -> list[Text]:
    if not found:
        return []
    box = found["mailbox"]
    held = f"  {box['depth']} of {box['capacity']} wait, {box['received']} received, {box['dropped']} dropped"
    made = [piece(f"{held}; when full: {found['policy']}")]
    if found["current"]:
        made.append(piece(f"  at work on {found['current']}", "accent"))
    for message in found["waiting"][:20]:
        age = "" if message["at"] is None else f"  {brief(mirror.now(at) - message['at'])}"
        made.append(piece(f"  {message['type']}{age}"))
    return _section("MAILBOX", made)


def _error(mirror: Mirror, error: dict[str, Any]) -> list[Text]:
    verdict = f"{error['category']}/{error['severity']}{'' if error['transient'] else ' lasting'}"
    return [
        line(
            piece(f"  {utc(mirror, error['time'])} ", "quiet"),
            piece(error["type"], "bad"),
            piece(f"  {verdict}", "warn"),
        ),
        piece(f"           {str(error['message']).removeprefix(str(error['type']) + ': ')}", limit=2_000),
    ]


def _transition(mirror: Mirror, each: dict[str, Any]) -> Text:
    state = look(shapes.of_row({"state": each["state"]}))
    return line(piece(f"  {utc(mirror, each['time'])} ", "quiet"), _padded(state, 13), piece(each["why"]))


def _section(title: str, made: list[Text]) -> list[Text]:
    return [Text(), piece(f" {title}", "strong"), *(made or [piece("  none", "quiet")])]


def _pair(name: Any, value: Any) -> Text:
    return line(piece(f"  {name:<16} ", "quiet"), piece(value))


def _padded(text: Text, width: int) -> Text:
    return text.append(" " * max(1, width - text.cell_len))


def joined(parts: Iterable[Text]) -> Text:
    """Return lines as one text, which wraps where the screen ends."""
    made = Text("\n").join(parts)
    made.no_wrap, made.overflow = False, "fold"
    return made
