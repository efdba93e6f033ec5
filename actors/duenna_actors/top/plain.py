"""A report as one plain screen: no colour, no cursor, for a pipe, a mail, or a terminal without Textual."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from duenna_actors.top import shapes
from duenna_actors.top.text import brief, count, harmless, sparkline, uptime

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NARROWEST: Final = 60
_ERRORS: Final = 5
_WIDE: Final = frozenset({"W", "F"})
_MS: Final = 1_000.0


def plain(report: Mapping[str, Any], *, width: int = 100) -> str:
    """Return the screen, its lines at most *width* columns wide, and at least 60."""
    width = max(width, _NARROWEST)
    parts = (_title, _needs, _statistics, _error_types, _last_errors, _breakers, _indicators)
    lines: list[str] = []
    for part in parts:
        if lines:
            lines.append("")
        lines.extend(fitted(line, width) for line in part(report))
    return "\n".join(lines) + "\n"


def columns(text: str) -> int:
    """Return how many columns of a terminal *text* takes."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in _WIDE else 1
        for character in text
    )


def fitted(text: str, width: int) -> str:
    """Return *text*, cut with an ellipsis if it is wider than *width* columns."""
    if columns(text) <= width:
        return text
    kept = text[:width]
    while columns(kept) > width - 1:
        kept = kept[:-1]
    return f"{kept}…"


def _title(report: Mapping[str, Any]) -> Iterator[str]:
    bot, totals = report["bot"], report["totals"]
    look = shapes.of_bot(report["overall"])
    name = harmless(f"{bot['name']} {bot['version']}".strip(), 60)
    moment = datetime.fromtimestamp(report["at"], UTC)
    yield f"{name}  {look}  up {uptime(totals['uptime'])}  {moment:%Y-%m-%d %H:%M:%S}Z"
    trading = f"  trading {harmless(bot['trading'])}" if bot.get("trading") else ""
    yield f"pid {bot['pid']} on {harmless(bot['host'], 60)}  phase {harmless(bot['phase'])}{trading}"
    yield from (f"  {harmless(issue)}" for issue in report.get("issues") or ())


def _needs(report: Mapping[str, Any]) -> Iterator[str]:
    yield "WHAT NEEDS YOU"
    needs = report.get("needs") or ()
    for need in needs:
        yield f"  {shapes.of_severity(need['severity'])}: {harmless(need['text'])}"
    if not needs:
        yield "  nothing"


def _statistics(report: Mapping[str, Any]) -> Iterator[str]:
    totals, errors, loop = report["totals"], report["errors"], report["loop"]
    lag = "not measured" if loop["lag"] is None else f"{loop['lag'] * _MS:.1f} ms"
    most = "" if loop["lag_max"] is None else f" (most in a minute {loop['lag_max'] * _MS:.1f} ms)"
    yield "OVERALL STATISTICS"
    yield f"  actors    {totals['actors']}, running {totals['running']}, down {totals['down']}, stale {totals['stale']}"
    yield (
        f"  messages  {count(totals['messages_per_second'])}/s, received {totals['messages_received']}, "
        f"waiting {totals['messages_waiting']}, dropped {totals['messages_dropped']}, "
        f"dead letters {totals['dead_letters']}"
    )
    yield (
        f"  errors    {errors['total']}, {count(errors['rate'])} in the last minute, {harmless(errors['trend'])}  "
        f"{sparkline(errors['sparkline'], 30)}"
    )
    yield f"  restarts  {totals['restarts']}"
    yield f"  loop      lag {lag}{most}, blocked {loop['blocked']} times"


def _error_types(report: Mapping[str, Any]) -> Iterator[str]:
    yield "ERROR TYPES                              count   per minute"
    types = report["errors"]["types"]
    for kind in types:
        yield f"  {_cell(kind['type'], 36)} {kind['count']:>7} {kind['rate']:>12.2f}"
    if not types:
        yield "  none"


def _last_errors(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"LAST {_ERRORS} ERRORS"
    latest = report["errors"]["latest"][:_ERRORS]
    for error in latest:
        ago = brief(max(0.0, report["now"] - error["time"]))
        verdict = f"{harmless(error['category'])}/{harmless(error['severity'])}"
        yield f"  {ago:>5} ago  {harmless(error['path'], 60)}  {verdict}"
        yield f"             {said(error)}"
    if not latest:
        yield "  none"


def said(error: Mapping[str, Any]) -> str:
    """Return an error's type and message; many a message begins with the type."""
    kind, message = harmless(error["type"], 80), harmless(error["message"])
    return message if message.startswith(kind) else f"{kind}: {message}"


def _breakers(report: Mapping[str, Any]) -> Iterator[str]:
    yield "BREAKERS                     state            calls  success   failed  rejected"
    breakers = report["breakers"]
    for breaker in breakers:
        look = shapes.of_breaker(breaker["state"])
        yield (
            f"  {_cell(breaker['name'], 26)} {_cell(str(look), 14)} {breaker['calls']:>7} {breaker['successes']:>8} "
            f"{breaker['failures']:>8} {breaker['rejected']:>9}"
        )
    if not breakers:
        yield "  none was used"


def _indicators(report: Mapping[str, Any]) -> Iterator[str]:
    yield "HEALTH INDICATORS"
    kpis = report["kpis"]
    for kpi in kpis:
        mark = "● ok  " if kpi["met"] else "✖ miss"
        yield f"  {mark}  {harmless(kpi['text'])}"
    if not kpis:
        yield "  none"


def _cell(text: str, width: int) -> str:
    shown = fitted(harmless(text), width)
    return shown + " " * (width - columns(shown))
