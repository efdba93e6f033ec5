"""Rows of the tree as cells of a table: state by colour, shape and word, budget, mailbox, age, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from duenna_actors.client.terminal import Cell
from duenna_actors.client.text import span, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from duenna_actors.client.terminal import Terminal, WallClock

TITLES: Final = ("actor", "state", "budget", "restarts", "mailbox", "data", "note")
RIGHT: Final = (2, 3, 4, 5)
_LONGEST_NOTE: Final = 500

# State: shape, shape where only ASCII is shown, colour.
_SHAPES: Final = {
    "pending": ("·", ".", "dim"),
    "starting": ("◔", "~", "cyan"),
    "running": ("●", "+", "green"),
    "suspended": ("‖", "=", "yellow"),
    "stopping": ("◑", "~", "cyan"),
    "backoff": ("◐", "!", "yellow"),
    "stopped": ("○", "-", "dim"),
    "finished": ("✓", "v", "dim"),
    "failed": ("✗", "x", "red"),
}
_UNKNOWN: Final = ("?", "?", "")
_OVERALL: Final = {"healthy": ("●", "+", "green"), "degraded": ("◐", "!", "yellow"), "unhealthy": ("✗", "x", "red")}


def overall_cell(overall: object, terminal: Terminal) -> Cell:
    """Return `healthy`, `degraded` or `unhealthy` with its shape."""
    word = visible(overall, 40)
    fancy, plain, style = _OVERALL.get(word, _UNKNOWN)
    return Cell(f"{terminal.glyph(fancy, plain)} {word.upper()}", style)


def state_cell(row: dict[str, Any], terminal: Terminal) -> Cell:
    """Return the state of an actor with its shape; a running one that is not well says so."""
    state = visible(row["state"], 40)
    fancy, plain, style = _SHAPES.get(state, _UNKNOWN)
    status = visible(row.get("status") or "", 40)
    is_well = not status or status == "operational"
    if state == "running" and not is_well:
        style = "red" if status == "unavailable" else "yellow"
    word = state if is_well or state != "running" else f"{state} {status}"
    return Cell(f"{terminal.glyph(fancy, plain)} {word}", style)


def tree_cells(rows: Sequence[dict[str, Any]], clock: WallClock, terminal: Terminal) -> Iterator[list[str]]:
    """Return the cells of each row, as `TITLES` names them."""
    for branch, row in zip(_branches(rows, terminal), rows, strict=True):
        strategy = row.get("strategy")
        name = branch + visible(row["name"], 100) + (f"  {visible(strategy, 20)}" if strategy else "")
        yield [
            Cell(name, "bold" if row.get("strategy") else ""),
            state_cell(row, terminal),
            _budget(row),
            Cell(str(row["restarts"]) if row.get("restarts") else ""),
            _mailbox(row, clock),
            _data(row, clock),
            _note(row, clock),
        ]


def _branches(rows: Sequence[dict[str, Any]], terminal: Terminal) -> list[str]:
    """Return what stands before each name: the lines from parent to child, found from the end."""
    tee, corner, bar, blank = ("├─ ", "└─ ", "│  ", "   ") if terminal.is_unicode else ("|- ", "`- ", "|  ", "   ")
    top = min((int(row["depth"]) for row in rows), default=0)
    open_levels: set[int] = set()
    drawn: list[str] = []
    for row in reversed(rows):
        level = int(row["depth"]) - top
        if level == 0:
            drawn.append("")
        else:
            lines = "".join(bar if each in open_levels else blank for each in range(1, level))
            drawn.append(lines + (tee if level in open_levels else corner))
        open_levels = {each for each in open_levels if each < level} | {level}
    return drawn[::-1]


def _budget(row: dict[str, Any]) -> Cell:
    budget = row.get("budget")
    if not budget:
        return Cell("")
    left, most, period = budget["left"], budget["of"], budget.get("period")
    style = "red" if left <= 0 else "yellow" if left < most else ""
    return Cell(f"{left}/{most}" + (f" in {span(period)}" if period else ""), style)


def _mailbox(row: dict[str, Any], clock: WallClock) -> Cell:
    box = row.get("mailbox")
    if not box:
        return Cell("")
    depth, capacity = box["depth"], box["capacity"]
    oldest = clock.ago(box.get("oldest_at"))
    text = f"{depth}/{capacity}" + (f" {span(oldest)}" if oldest is not None and depth else "")
    dropped = f" -{box['dropped']}" if box.get("dropped") else ""
    is_full = isinstance(capacity, int) and 0 < capacity <= 2 * depth
    return Cell(text + dropped, "yellow" if is_full else "")


def _data(row: dict[str, Any], clock: WallClock) -> Cell:
    data = row.get("data")
    if not data:
        return Cell("")
    age = clock.ago(data.get("at"))
    text = "none yet" if age is None else span(age)
    return Cell(f"{text} STALE", "red") if data.get("is_stale") else Cell(text)


def _note(row: dict[str, Any], clock: WallClock) -> Cell:
    """Say what is wrong: why it is not well, when it is tried again, its breakers, its last error."""
    retry_at = row.get("retry_at")
    wait = clock.ago(retry_at)
    why, last = (visible(row.get(key) or "", _LONGEST_NOTE) for key in ("why", "last_error"))
    parts = [
        f"again in {span(-wait)}" if wait is not None and wait < 0 else "",
        "critical" if row.get("is_critical") and row["state"] != "running" else "",
        why,
        *(f"breaker {visible(name, 60)}" for name in row.get("breakers", ())),
        "" if last in why else last,
    ]
    return Cell("; ".join(dict.fromkeys(filter(None, parts))))
