"""Names by which an operator calls what is to be restarted: a path, a child's name, a stock name, a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from duenna_actors.console.api.problems import ProblemError, near, shown, unknown_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from duenna_actors.console.view.model import Row

STOCK: Final = {
    "api": ("api", "binance"),
    "balance": ("balance",),
    "database": ("database",),
    "memory": ("memory_monitor",),
    "memory-monitor": ("memory_monitor",),
    "order-book": ("books",),
    "position-monitor": ("position_monitor",),
    "position-threshold": ("position_monitor",),
    "trade-engine": ("trade_engine",),
    "trading-engine": ("trade_engine",),
    "user-stream": ("user_stream",),
    "websocket": ("websocket",),
}
"""The kinds that each stock name stands for."""

_SYSTEM: Final = "/system/"
_MOST: Final = 100


def kinds_of(name: str) -> tuple[str, ...]:
    """Return the kinds that *name* stands for: those of a stock name, or itself."""
    return STOCK.get(_plain(name), (_plain(name).replace("-", "_"), name))


def resolve(name: str, rows: Sequence[Row]) -> Row:
    """Return the one actor that *name* means.

    A path means itself. Any other name means, in this order: the child of exactly that name, the child whose
    name differs in case, `_` and `-` alone, the child of the kinds that it stands for; in the bot's tree, and
    only if there is none in `/system`.

    Raises:
        ProblemError: There is none, or there are several.
    """
    if name.startswith("/"):
        return _at(name, rows)
    own = [row for row in rows if not row.path.startswith(_SYSTEM)]
    system = [row for row in rows if row.path.startswith(_SYSTEM)]
    found = _matching(name, own) or _matching(name, system)
    if len(found) == 1:
        return found[0]
    if found:
        candidates = [row.path for row in found[:_MOST]]
        detail = f"{shown(name)} may be {', '.join(candidates[:10])}: say which by its path"
        raise ProblemError(409, "ambiguous service", detail, candidates=candidates)
    names = known_names(rows)
    likely = near(name, names)
    detail = f"there is no service {shown(name)}; there is {', '.join(likely) or 'none at all'}"
    raise ProblemError(404, "no such service", detail, names=names[:_MOST], likely=likely)


def known_names(rows: Iterable[Row]) -> list[str]:
    """Return every name that means something in the bot's tree, stock names first."""
    own = [row for row in rows if not row.path.startswith(_SYSTEM) and row.depth > 0]
    kinds = {row.kind for row in own}
    stock = [name for name, those in STOCK.items() if kinds.intersection(those)]
    return list(dict.fromkeys((*stock, *(row.name for row in own))))


def _at(path: str, rows: Sequence[Row]) -> Row:
    wanted = path.rstrip("/")
    for row in rows:
        if row.path == wanted:
            return row
    raise unknown_path(path, [row.path for row in rows])


def _matching(name: str, rows: Sequence[Row]) -> list[Row]:
    plain, kinds = _plain(name), kinds_of(name)
    return (
        [row for row in rows if row.name == name]
        or [row for row in rows if _plain(row.name) == plain]
        or [row for row in rows if row.kind in kinds and row.kind != "supervisor"]
    )


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-")
