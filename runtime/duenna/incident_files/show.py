"""An incident file for a person. Needs nothing but the standard library: no bot, and no part of the runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from duenna.incident_files.reading import FORMAT, VERSION, IncidentFileError, load, safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["FORMAT", "VERSION", "IncidentFileError", "load", "render", "safe"]

_LONGEST: Final = 2_000
_LEAST_WIDTH: Final = 40
_SHOWN_EVENTS: Final = 40
_SHOWN_ERRORS: Final = 5
_SHOWN_STACKS: Final = 25
_SHOWN_WELL: Final = 40
_MARKS: Final = {
    "running": "●",
    "starting": "◐",
    "backoff": "◐",
    "suspended": "‖",
    "stopping": "◌",
    "failed": "✖",
}
_WELL: Final = ("running", "finished")


def render(document: Mapping[str, Any], *, width: int = 100) -> Iterator[str]:
    """Yield the lines of *document*: what happened, who did how, why, what came before, where tasks were stuck.

    Args:
        document: As `load` gives it; what is missing in it, or of another type, is passed over.
        width: Columns of the terminal, at least 40; a long text goes on in the next line.
    """
    shown = _Shown(document, max(width, _LEAST_WIDTH))
    yield from shown.head()
    for title, lines in (
        ("Tree", shown.tree()),
        ("Why (error -> verdict -> action -> outcome)", shown.why()),
        ("Errors", shown.errors()),
        ("Last events", shown.events()),
        ("Where the tasks were", shown.stacks()),
        ("Mailboxes", shown.mailboxes()),
        ("Breakers", shown.breakers()),
        ("Settings", shown.settings()),
    ):
        found = list(lines)
        if found:
            yield ""
            yield title
            yield from found


class _Shown:
    """The parts of one document as lines."""

    def __init__(self, document: Mapping[str, Any], width: int) -> None:
        self._document = document
        self._width = width

    def _part(self, key: str) -> dict[str, Any]:
        return _dict(self._document.get(key))

    def _rows(self, key: str) -> list[dict[str, Any]]:
        return [row for row in _list(self._document.get(key)) if isinstance(row, dict)]

    def _folded(self, text: str, indent: int = 2, more: int = 4) -> Iterator[str]:
        """Yield *text* in lines of the width, the first indented by *indent* columns and the others by *more*."""
        first, more = " " * indent, min(more, self._width // 2)
        while len(first) + len(text) > self._width:
            room = self._width - len(first)
            cut = text.rfind(" ", 1, room + 1)
            cut = room if cut < room // 2 else cut
            yield (first + text[:cut]).rstrip()
            text, first = text[cut:].lstrip(), " " * more
        if text:
            yield first + text

    # -- what happened ---------------------------------------------------------

    def head(self) -> Iterator[str]:
        """Yield what happened, in one paragraph."""
        summary, bot, health = self._part("summary"), self._part("bot"), self._part("health")
        yield f"Incident {safe(summary.get('id'), 80)}  {_second(summary.get('timestamp'))}"
        yield ""
        yield from self._folded(" ".join(self._sentences(summary, bot, health)), 0, 0)
        issues = _list(health.get("issues"))
        for issue in issues[:10]:
            yield from self._folded(f"- {safe(issue)}")
        if len(issues) > 10:  # noqa: PLR2004  # as many as above
            yield f"  - and {len(issues) - 10} more"

    def _sentences(
        self, summary: Mapping[str, Any], bot: Mapping[str, Any], health: Mapping[str, Any]
    ) -> Iterator[str]:
        path, reason, by = safe(summary.get("path")), safe(summary.get("reason")), safe(summary.get("by"), 80)
        trigger = summary.get("trigger")
        if trigger == "gave_up":
            yield f"The supervisor {path} gave up: {reason.removeprefix('gave up: ')}."
        elif trigger == "parked":
            yield f"{path} was {reason}."
        else:
            yield f"Taken on request{f' of {by}' if by else ''}, about {path}: {reason}."
        up, phase = _duration(bot.get("uptime")), safe(bot.get("phase"), 20) or "in an unknown phase"
        because = f" ({because})" if (because := safe(bot.get("stops_because"))) else ""
        yield f"The bot {safe(bot.get('name'), 80)!r} had been up for {up} and was {phase}{because}."
        down = [row for row in self._rows("tree") if row.get("state") not in _WELL]
        total = len(self._rows("tree")) + _int(self._document.get("tree_left_out"))
        overall = safe(health.get("overall"), 20) or "not known"
        yield f"Health: {overall}; {len(down)} of {total} actors were not running."
        counts = self._part("counts")
        yield (
            f"Errors: {_int(counts.get('total'))} so far, {_int(counts.get('last_minute'))} in the last minute, "
            f"{safe(counts.get('trend'), 20)}."
        )
        if skipped := _int(summary.get("skipped")):
            yield f"{skipped} more incidents before this one were not taken: too many came."
        versions = ", ".join(f"{safe(key, 20)} {safe(one, 20)}" for key, one in _dict(bot.get("versions")).items())
        host, system = safe(bot.get("host"), 80), safe(bot.get("system"), 80)
        yield f"Process {_int(bot.get('pid'))} on {host} ({system}; {versions})."

    def tree(self) -> Iterator[str]:
        """Yield the tree; of many that are well, only the first."""
        rows, well = self._rows("tree"), 0
        hidden = _int(self._document.get("tree_left_out"))
        names = [safe(_last(row.get("path")), 60) for row in rows]
        depths = [min(max(0, _int(row.get("depth"))), 12) for row in rows]
        column = min(44, max((2 * depth + len(name) for depth, name in zip(depths, names, strict=True)), default=0))
        for row, name, depth in zip(rows, names, depths, strict=True):
            is_well = row.get("state") in _WELL and not row.get("last_error") and row.get("kind") != "supervisor"
            well += is_well
            if is_well and well > _SHOWN_WELL:
                hidden += 1
                continue
            state, pad = safe(row.get("state"), 20), max(0, column - 2 * depth)
            line = f"{'  ' * depth}{name:<{pad}}  {_MARKS.get(state, '○')} {state:<9} {self._condition(row)}"
            yield from self._folded(line.rstrip(), 2, column + 16)
        if hidden:
            yield f"  ... and {hidden} more that were running"

    def _condition(self, row: Mapping[str, Any]) -> str:
        kind, said = safe(row.get("kind"), 40), list[str]()
        status = safe(row.get("status"), 20)
        if status not in {"", "operational"}:
            said.append(status)
        incarnation = _int(row.get("incarnation"))
        if incarnation > 1:
            said.append(_counted(incarnation - 1, "restart"))
        if failures := _int(row.get("failures")):
            said.append(f"{_counted(failures, 'failure')} in a row")
        left = row.get("budget_left")
        if isinstance(left, int) and (failures or kind == "supervisor"):
            said.append(f"{_counted(left, 'restart' if kind == 'supervisor' else 'failure')} left")
        if mail := _int(row.get("mail")):
            said.append(f"{_counted(mail, 'message')} waiting")
        error = safe(row.get("last_error"), 200)
        return f"{kind:<12} {', '.join(said)}" + (f"  {error}" if error else "")

    # -- what led there --------------------------------------------------------

    def why(self) -> Iterator[str]:
        """Yield the chains."""
        for line in _list(self._document.get("why")):
            date, _, rest = safe(line, _LONGEST).partition(" ")
            yield from self._folded(f"{_clock(date)}  {rest}", 2, 16)

    def errors(self) -> Iterator[str]:
        """Yield the last errors, with where they were raised."""
        for row in self._rows("errors")[-_SHOWN_ERRORS:]:
            lasts = "transient" if row.get("transient") is True else "not transient"
            judged = (
                f"{safe(row.get('category'), 40)}/{safe(row.get('severity'), 40)} {lasts}"
                if row.get("category")
                else ""
            )
            said = f"{_clock(row.get('timestamp'))}  {safe(row.get('path'))}  {judged or 'not judged yet'}"
            yield from self._folded(f"{said}  {safe(row.get('message'))}", 2, 16)
            for frame in _list(row.get("frames")):
                if "/duenna/_host.py" not in (told := safe(frame)):  # who began it is the same everywhere
                    yield from self._folded(told, 16, 18)

    def events(self) -> Iterator[str]:
        """Yield the last events."""
        rows = self._rows("events")
        if len(rows) > _SHOWN_EVENTS:
            yield f"  ({len(rows) - _SHOWN_EVENTS} before these: --json shows all)"
        for row in rows[-_SHOWN_EVENTS:]:
            said = f"{_clock(row.get('timestamp'))}  {safe(row.get('level'), 10):<8} {safe(row.get('path'))}"
            yield from self._folded(f"{said}  {safe(row.get('text'), _LONGEST)}", 2, 16)

    # -- where everybody was ---------------------------------------------------

    def stacks(self) -> Iterator[str]:
        """Yield the tasks by where they were, those that it is about first; the runtime's own only by number."""
        rows, own = self._rows("stacks"), 0
        shown = 0
        for row in rows:
            names = [safe(name, 120) for name in _list(row.get("tasks"))]
            total = max(_int(row.get("count")), len(names))
            if not names or all(name.startswith("/system") for name in names) or shown >= _SHOWN_STACKS:
                own += total
                continue
            shown += 1
            more = f" and {total - 3} more" if total > 3 else ""  # noqa: PLR2004  # as many as below
            yield from self._folded(", ".join(names[:3]) + more, 2, 4)
            for frame in _list(row.get("frames")):
                yield from self._folded(safe(frame), 6, 8)
        own += _int(self._document.get("stacks_left_out"))
        if own:
            yield f"  ({own} more tasks: --json shows them)"

    def mailboxes(self) -> Iterator[str]:
        """Yield the mailboxes with something in them."""
        for row in self._rows("mailboxes"):
            said = [f"{_int(row.get('depth'))} of {_int(row.get('capacity'))} ({safe(row.get('policy'), 20)})"]
            if row.get("oldest") is not None:
                said.append(f"the oldest for {_duration(row.get('oldest'))}")
            if row.get("current"):
                said.append(f"busy with {safe(row.get('current'), 80)}")
            said += [
                f"{_int(row.get(key))} {what}"
                for key, what in (("senders", "wait for room"), ("stashed", "set aside"), ("dropped", "dropped so far"))
                if _int(row.get(key))
            ]
            yield from self._folded(f"{safe(row.get('path'))}  {', '.join(said)}", 2, 6)
            groups = [_dict(each) for each in _list(row.get("waiting"))]
            types = [f"{_int(each.get('count'))} {safe(each.get('type'), 80)}" for each in groups]
            yield from self._folded(", ".join(types), 6, 8)

    def breakers(self) -> Iterator[str]:
        """Yield the guards that were used."""
        for row in self._rows("breakers"):
            numbers = [f"{_int(row.get(key))} {key}" for key in ("calls", "failures", "rejected")]
            error = safe(row.get("last_error"), 200)
            said = f"{safe(row.get('name'))}  {safe(row.get('state'), 20)}, {safe(row.get('health'), 20)}"
            yield from self._folded(f"{said}; {', '.join(numbers)}" + (f"  {error}" if error else ""), 2, 6)

    def settings(self) -> Iterator[str]:
        """Yield the settings."""
        for key, value in self._part("settings").items():
            yield from self._folded(f"{safe(key, 120)} = {safe(value, 200)}", 2, 6)


def _list(value: Any) -> Sequence[Any]:
    return cast("Sequence[Any]", value) if isinstance(value, list) else ()


def _dict(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _int(value: Any) -> int:
    try:
        return int(value) if isinstance(value, int | float) else 0
    except (ValueError, OverflowError):  # nan, and what is beyond all bounds
        return 0


def _last(path: Any) -> str:
    return path.rpartition("/")[2] or path if isinstance(path, str) else ""


def _second(date: Any) -> str:
    """Return `2026-01-02 03:04:05 UTC` of `2026-01-02T03:04:05.000678Z`."""
    text = safe(date, 40)
    return f"{text[:10]} {text[11:19]} UTC" if text[10:11] == "T" else text


def _clock(date: Any) -> str:
    """Return `03:04:05.000` of `2026-01-02T03:04:05.000678Z`."""
    text = safe(date, 40)
    return text[11:23] if text[10:11] == "T" else f"{text:<12}"


def _duration(seconds: Any) -> str:
    if not isinstance(seconds, int | float):
        return "an unknown time"
    whole = _int(seconds)
    if whole < 120:  # noqa: PLR2004  # two minutes
        return f"{seconds:.1f} s" if isinstance(seconds, float) else f"{whole} s"  # an int may be too large for it
    minutes, hours, days = whole // 60 % 60, whole // 3600 % 24, whole // 86_400
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
