"""What wide screens show beside the why-timeline: breakers, key figures and the commonest errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from duenna_actors.top import shapes
from duenna_actors.top.paint import cell, line, look, piece
from duenna_actors.top.text import count

if TYPE_CHECKING:
    from rich.text import Text

    from duenna_actors.top.mirror import Mirror

WIDTH: Final = 64
"""How many columns it takes."""

_NAME: Final = 24
_FIGURES: Final = 5


def aside(mirror: Mirror, most: int) -> list[Text]:
    """Return at most *most* lines."""
    known = mirror.header
    if not known:
        return []
    breakers = [_breaker(each) for each in known["breakers"]] or [piece("  none was used", "quiet")]
    figures = [_figure(each) for each in known["kpis"][:_FIGURES]]
    types = [_type(each) for each in known["errors"]["types"]] or [piece("  none", "quiet")]
    room = max(1, (most - len(figures) - 3) // 2)
    made = [piece(" BREAKERS", "strong"), *breakers[:room], piece(" INDICATORS", "strong"), *figures]
    return [*made, piece(" ERRORS IN 5 MINUTES", "strong"), *types[:room]][:most]


def _breaker(breaker: dict[str, Any]) -> Text:
    numbers = (
        f" {count(breaker['calls'])} calls {count(breaker['failures'])} failed {count(breaker['rejected'])} refused"
    )
    state = look(shapes.of_breaker(breaker["state"]))
    return line("  ", cell(piece(breaker["name"]), _NAME), " ", state, piece(numbers, "quiet"))


def _figure(kpi: dict[str, Any]) -> Text:
    mark = piece("  ● ", "good") if kpi["met"] else piece("  ✖ ", "bad")
    return line(mark, piece(kpi["text"]))


def _type(kind: dict[str, Any]) -> Text:
    return line(
        "  ", cell(piece(kind["type"]), _NAME), piece(f" {count(kind['rate'])}/min, {count(kind['count'])} in all")
    )
