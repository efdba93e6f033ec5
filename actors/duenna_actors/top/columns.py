"""The columns of the tree: which there are at which width, and what stands in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from duenna_actors.top import shapes
from duenna_actors.top.lines import trouble
from duenna_actors.top.paint import cell, line, look, piece
from duenna_actors.top.text import brief, count, harmless, pips

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from duenna_actors.top.mirror import Mirror

_SYSTEM: Final = "/system"
_GAP: Final = 1
_NAME_LEAST: Final = 20
_NAME_MOST: Final = 64
_TROUBLE_LEAST: Final = 12
_TROUBLE_WISHED: Final = 30
_FULL: Final = 0.8  # of a mailbox
_WAITED_LONG: Final = 1.0  # seconds


class Item(NamedTuple):
    """One line of the tree.

    Attributes:
        row: The actor.
        name: Its name.
        before: What stands before it, such as `│  ├─ `.
        after: What stands after it: a supervisor's strategy, or where it is, if the tree is filtered.
    """

    row: dict[str, Any]
    name: str
    before: str
    after: str


class Column(NamedTuple):
    """A column: its heading, its width (0: what is left), how it is aligned, and from which width of the screen on."""

    heading: str
    width: int
    align: str
    least: int
    text: Callable[[Item, float], Text]


def tree(mirror: Mirror, wanted: str) -> list[Item]:
    """Return the lines, the bot's own actors first; with *wanted*, only actors that have it in path, state or error."""
    paths = sorted(mirror.order, key=_is_of_system)
    rows = [mirror.rows[path] for path in paths]
    if wanted:
        found = [row for row in rows if _has(row, wanted.casefold())]
        return [_item(row, "", f"in {str(row['path']).rpartition('/')[0] or '/'}") for row in found]
    items: list[Item] = []
    open_branches: list[bool] = []  # for each depth, whether more siblings follow
    for row, ends in zip(rows, _last_ones(rows), strict=True):
        depth = int(row["depth"])
        del open_branches[depth:]
        above = "".join("│  " if is_open else "   " for is_open in open_branches[1:])
        before = (above + ("└─ " if ends else "├─ ")) if depth else ""
        items.append(_item(row, before, str(row.get("strategy", ""))))
        open_branches += [False] * (depth - len(open_branches)) + [not ends]
    return items


def _item(row: dict[str, Any], before: str, after: str) -> Item:
    return Item(row, harmless(row["name"], 200), before, f"  {harmless(after, 200)}" if after else "")


def _is_of_system(path: str) -> bool:
    return path == _SYSTEM or path.startswith(f"{_SYSTEM}/")


def _has(row: dict[str, Any], wanted: str) -> bool:
    texts = (row["path"], row["state"], row.get("status"), row.get("why"), row.get("last_error"), row.get("kind"))
    data = row.get("data")
    stale = "stale" if data and data["is_stale"] else ""
    return any(wanted in str(text).casefold() for text in (*texts, stale, *row.get("breakers", ())))


def _last_ones(rows: Sequence[dict[str, Any]]) -> list[bool]:
    """Return for each row whether it is the last child of its parent."""
    found: list[bool] = []
    seen: set[int] = set()  # depths at which a later sibling was met
    for row in reversed(rows):
        depth = int(row["depth"])
        found.append(depth not in seen)
        seen = {each for each in seen if each <= depth} | {depth}
    found.reverse()
    return found


def fitting(width: int, items: Sequence[Item]) -> list[Column]:
    """Return the columns for a screen of *width*, the name as wide as it needs and may be."""
    shown = [column for column in _COLUMNS if width >= column.least]
    fixed = sum(column.width + _GAP for column in shown)
    need = max((_columns_of_name(item) for item in items), default=0)
    room = width - fixed - 3 * _GAP
    if room - need < _TROUBLE_WISHED:  # then the strategies are cut before the names
        need = max((_columns_of_name(item._replace(after="")) for item in items), default=0)
    name = max(_NAME_LEAST, min(need, _NAME_MOST, room // 2 if room > 2 * _NAME_LEAST else room - _TROUBLE_LEAST))
    left = max(room - name, 0)
    return [
        Column("ACTOR", name, "left", 0, _name),
        *shown,
        Column("WHAT IS WRONG", left, "left", 0, _trouble),
    ]


def _columns_of_name(item: Item) -> int:
    return cell_len(item.before) + cell_len(item.name) + cell_len(item.after)


def heading(columns: Sequence[Column]) -> Text:
    """Return the line above the tree."""
    return line(" ", *(_spaced(cell(piece(column.heading, "quiet"), column.width, column.align)) for column in columns))


def painted(columns: Sequence[Column], item: Item, now: float) -> Text:
    """Return one line of the tree."""
    return line(" ", *(_spaced(cell(column.text(item, now), column.width, column.align)) for column in columns))


def _spaced(text: Text) -> Text:
    return text.append(" " * _GAP)


def _name(item: Item, _now: float) -> Text:
    tone = "strong" if item.row.get("strategy") or item.row.get("is_critical") else "plain"
    return line(piece(item.before, "guide"), piece(item.name, tone), piece(item.after, "quiet"))


def _state(item: Item, _now: float) -> Text:
    return look(shapes.of_row(item.row))


def _restarts(item: Item, _now: float) -> Text:
    restarts = item.row.get("restarts", 0)
    return piece(count(restarts), "warn" if restarts else "quiet")


def _budget(item: Item, _now: float) -> Text:
    budget = item.row.get("budget")
    if not budget:
        return piece("-", "quiet")
    left, of = budget["left"], budget["of"]
    tone = "bad" if left <= 0 else "warn" if left < of else "quiet"
    return piece(f"{pips(left, of)} {count(left)}/{count(of)}".strip(), tone)


def _mailbox(item: Item, _now: float) -> Text:
    mailbox = item.row.get("mailbox")
    if not mailbox:
        return Text(end="")
    depth, capacity = mailbox["depth"], mailbox["capacity"]
    tone = "bad" if depth >= _FULL * capacity or mailbox["dropped"] else "plain" if depth else "quiet"
    lost = f" -{count(mailbox['dropped'])}" if mailbox["dropped"] else ""
    return piece(f"{count(depth)}/{count(capacity)}{lost}", tone)


def _age(item: Item, now: float) -> Text:
    mailbox = item.row.get("mailbox")
    if not mailbox:
        return Text(end="")
    oldest = mailbox["oldest_at"]
    age = None if oldest is None else now - oldest
    return piece(brief(age), "quiet" if age is None else "warn" if age > _WAITED_LONG else "plain")


def _rate(item: Item, _now: float) -> Text:
    if not item.row.get("mailbox"):
        return Text(end="")
    rate = item.row.get("rate", 0.0)
    return piece(count(rate), "plain" if rate else "quiet")


def _data(item: Item, now: float) -> Text:
    data = item.row.get("data")
    if not data:
        return Text(end="")
    age = "none" if data["at"] is None else brief(now - data["at"])
    return piece(f"{age} STALE", "bad") if data["is_stale"] else piece(age)


def _trouble(item: Item, now: float) -> Text:
    tone = "plain" if shapes.of_row(item.row).tone == shapes.GOOD else "warn"
    return piece(trouble(item.row, now), tone, 300)


_COLUMNS: Final = (
    Column("STATE", 11, "left", 0, _state),
    Column("RST", 3, "right", 0, _restarts),
    Column("BUDGET", 9, "left", 0, _budget),
    Column("MAILBOX", 9, "left", 96, _mailbox),
    Column("AGE", 4, "right", 110, _age),
    Column("MSG/S", 5, "right", 96, _rate),
    Column("DATA", 10, "left", 0, _data),
)
