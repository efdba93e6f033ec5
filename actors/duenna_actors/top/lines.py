"""The lines round the table: who the bot is and how it does, what needs you, the selected actor, the why-timeline."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rich.text import Text

from duenna_actors.top import shapes
from duenna_actors.top.paint import cut, line, look, piece
from duenna_actors.top.text import brief, count, harmless, sparkline, uptime

if TYPE_CHECKING:
    from duenna_actors.top.mirror import Mirror

_STATE_AGAIN: Final = re.compile(
    r"^is (?:in )?(?:backoff|failed|parked|pending|starting|stopped|suspended)(?:[,:;] |$)"
)
_GAP: Final = 2
_SILENT_AFTER: Final = 3.0  # seconds; the bot is heard with each tick, so at least once a second, while it can
_MS: Final = 1_000.0
_LAG_BORNE: Final = 0.1
_ERROR_LEAST: Final = 16
_SENTENCE_LEAST: Final = 24
_NAMES: Final = (30, 16)  # columns of a name where there is room, and where there is not
_MOMENT: Final = 0.001  # seconds; what took less took no time


class Contact(NamedTuple):
    """How the screen itself does: whether it hears the bot, why not, and when it tries again."""

    is_live: bool
    why: str = ""
    retry_at: float = 0.0


def header(mirror: Mirror, contact: Contact, at: float, width: int) -> Text:
    """Return the first line; what matters least is left out where it does not fit."""
    if not mirror.header:
        return line(" ", _contact(mirror, contact, at))
    left = _facts(mirror, at)
    right = [(10, _contact(mirror, contact, at)), (5, piece(_clock(mirror, at, contact), "strong"))]
    while _width(left) + _width(right) + 2 > width and len(left) > 1:
        left.remove(min(left, key=lambda part: part[0]))
    made = line(" ", Text(" " * _GAP).join([text for _, text in left]))
    ending = Text(" " * _GAP).join([text for _, text in right])
    made.append_text(Text(" " * max(1, width - made.cell_len - ending.cell_len - 1)))
    made.append_text(ending)
    made.truncate(width, overflow="ellipsis")
    return made


def _width(parts: list[tuple[int, Text]]) -> int:
    return sum(text.cell_len + _GAP for _, text in parts)


def _facts(mirror: Mirror, at: float) -> list[tuple[int, Text]]:
    """Return what the header says, each with its weight."""
    known = mirror.header
    bot, errors, loop = known["bot"], known["errors"], known["loop"]
    lag = loop["lag"]
    is_slow = lag is not None and lag > _LAG_BORNE
    open_breakers = sum(breaker["state"] in {"open", "forced_open"} for breaker in known["breakers"])
    facts = [
        (10, piece(bot["name"], "strong", 24)),
        (2, piece(bot["version"], "plain", 12)),
        (5, piece(f"up {uptime(mirror.wall(mirror.now(at)) - bot['started_at'])}")),
        (10, look(shapes.of_bot(known["overall"]))),
        (3, piece("lag -" if lag is None else f"lag {lag * _MS:.1f}ms", "warn" if is_slow else "plain")),
        (8, piece(f"err {count(errors['rate'])}/min", _tone(errors))),
        (4, piece(sparkline(errors["sparkline"], 10), _tone(errors))),
        (9, piece(f"breakers {open_breakers} open", "bad" if open_breakers else "quiet")),
        (1, piece(f"{bot['trading']} trading" if bot.get("trading") else "", "quiet")),
        (0, piece(f"{known['viewers']} watching", "quiet")),
    ]
    return [(weight, text) for weight, text in facts if text.plain]


def _tone(errors: dict[str, Any]) -> str:
    return {"rising": "bad", "falling": "good"}.get(errors["trend"], "plain") if errors["rate"] else "plain"


def _contact(mirror: Mirror, contact: Contact, at: float) -> Text:
    age = mirror.age(at)
    if contact.is_live and not mirror.header and not contact.why:
        return piece("◌ connected, the bot has said nothing yet", "warn")
    if contact.is_live and mirror.header:
        return piece(f"◌ SILENT {brief(age)}", "warn") if age > _SILENT_AFTER else piece("● live", "good")
    again = brief(max(0.0, contact.retry_at - at))
    if not mirror.header:
        return piece(f"◌ no bot: {contact.why or 'looking for it'}", "warn")
    return piece(f"✖ LOST, data {brief(age)} old, retry {again}", "bad")


def _clock(mirror: Mirror, at: float, contact: Contact) -> str:
    """Return the bot's UTC; it stands still with the data, for nobody knows it then."""
    moment = mirror.now(at) if contact.is_live else float(mirror.header["now"])
    return f"{utc(mirror, moment)}Z"


def utc(mirror: Mirror, moment: float) -> str:
    """Return a moment of the bot's clock as `09:13:26`, UTC."""
    return f"{datetime.fromtimestamp(mirror.wall(moment), UTC):%H:%M:%S}"


def needs(mirror: Mirror, most: int, width: int) -> list[Text]:
    """Return what needs the operator, a line each; what does not fit is counted in the last one.

    A sentence is cut so that what helps, and how many there are more, can be seen.
    """
    known = mirror.header.get("needs") or ()
    if not known:
        return [piece(" ● nothing needs you", "good")] if mirror.header else []
    left = len(known) - most
    more = [""] * (most - 1) + [f"  (+{left} more)" if left > 0 else ""]
    return [_need(need, others, width) for need, others in zip(known, more, strict=False)]


def _need(need: dict[str, Any], others: str, width: int) -> Text:
    mark = shapes.of_severity(need["severity"])
    ending = line(piece(_helps(need), "accent"), piece(others, "warn"))
    made = line(" ", piece(f"{mark.shape} ", mark.tone), piece(need["text"], "strong"))
    made.truncate(max(_SENTENCE_LEAST, width - ending.cell_len), overflow="ellipsis")
    return line(made, ending)


def _helps(need: dict[str, Any]) -> str:
    return f"  [{', '.join(map(str, need['actions']))}]" if need.get("actions") else ""


def selected(mirror: Mirror, row: dict[str, Any] | None, at: float) -> Text:
    """Return all that the table may have cut of one actor."""
    if row is None:
        return Text(end="")
    parts = [piece(" "), piece(row["path"], "accent", 120), piece("  "), look(shapes.of_row(row))]
    since = row.get("since")
    if since is not None:
        parts.append(piece(f" for {brief(mirror.now(at) - since)}"))
    if row.get("link"):
        parts.append(piece(f"  {row['link']}", "quiet"))
    reason = trouble(row, mirror.now(at))
    if reason:
        parts.append(piece(f"  {reason}", "warn"))
    return line(*parts)


def trouble(row: dict[str, Any], now: float) -> str:
    """Return what is wrong at *now* of the bot's clock: the reason, the last error, when it is tried again."""
    parts = [f"breaker {' '.join(map(str, row['breakers']))}"] if row.get("breakers") else []
    why, error = _STATE_AGAIN.sub("", harmless(row.get("why"))), harmless(row.get("last_error"))
    if why:
        parts.append(why)
    if error and error not in why:
        parts.append(error)
    if row.get("retry_at") is not None:
        parts.append(f"→ retry in {brief(row['retry_at'] - now)}")
    return "  ".join(parts)


def why(mirror: Mirror, most: int, width: int) -> list[Text]:
    """Return the timeline, newest first, at most *most* lines, the errors cut so that their outcome is seen."""
    known = mirror.header.get("why") or ()
    if not known:
        return [piece("   no error so far", "quiet")] if mirror.header else []
    return [_why(mirror, incident, width) for incident in known[:most]]


def _why(mirror: Mirror, incident: dict[str, Any], width: int) -> Text:
    """Return one line: when, who, the error, and as much of verdict and actions as leaves the outcome to be seen."""
    name = incident["path"].rpartition("/")[2] or incident["path"]
    times = f" {incident['errors']} times" if incident["errors"] > 1 else ""
    outcome, number = _outcome(incident), piece(f"  #{incident['id']}", "quiet")
    steps = _steps(incident)
    endings = [line(*steps, outcome, number), line(*steps[-1:], outcome), outcome]
    moment = f" {utc(mirror, incident['began'])} "
    rest = width - len(moment) - 2 - len(times)
    who = cut(piece(name, "accent"), _NAMES[0])
    if rest - who.cell_len - endings[0].cell_len < _ERROR_LEAST:
        who = cut(who, _NAMES[1])
    room = rest - who.cell_len
    ending = next((each for each in endings if room - each.cell_len >= _ERROR_LEAST), outcome)
    return line(
        piece(moment, "quiet"), who, "  ", cut(piece(incident["error"]), max(room - ending.cell_len, 1)), times, ending
    )


def _steps(incident: dict[str, Any]) -> list[Text]:
    """Return the last verdict and the last two actions."""
    arrow = piece(" → ", "quiet")
    made = [line(arrow, piece(f"{each['category']}/{each['severity']}", "warn")) for each in incident["verdicts"][-1:]]
    for action in incident["actions"][-2:]:
        attempt = f" #{action['attempt']}" if action["attempt"] > 1 else ""
        made.append(line(arrow, piece(f"{action['name']}{attempt} {str(action['status']).replace('_', ' ')}")))
    return made


def _outcome(incident: dict[str, Any]) -> Text:
    outcome = str(incident["outcome"])
    took = f" in {brief(incident['took'])}" if (incident["took"] or 0.0) >= _MOMENT else ""
    text = piece(f"{outcome.replace('_', ' ')}{took}", shapes.tone_of_outcome(outcome))
    return line(piece(" → ", "quiet"), text)
