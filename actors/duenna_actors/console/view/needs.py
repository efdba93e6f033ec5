"""What needs the operator: at most five plain sentences, the most urgent first. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Literal

import attrs

from duenna_actors.console.view import sentences
from duenna_actors.console.view.model import Bot, BreakerRow, Loop, Need, Row, StateRow
from duenna_actors.console.view.sentences import TELLING
from duenna_actors.console.view.texts import brief, lasting
from duenna_actors.console.view.urgency import Troubles, Urgency

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST: Final = 5
BLOCKED_LATELY: Final = 60.0
LONG_BY_HAND: Final = 600.0

_LONGEST: Final = 240
_FEW: Final = 3

Degree = Literal["critical", "warning", "notice"]


_DEGREES: Final[dict[Urgency, Degree]] = {
    **dict.fromkeys(Urgency, "warning"),
    Urgency.LOOP: "critical",
    Urgency.PARKED_CRITICAL: "critical",
    Urgency.PARKED: "critical",
    Urgency.BUDGET: "critical",
    Urgency.STALE_CRITICAL: "critical",
    Urgency.STATE: "critical",
    Urgency.BREAKER_BY_HAND: "notice",
    Urgency.BY_HAND: "notice",
}


@attrs.frozen(kw_only=True)
class Situation:
    """What a need may come from, but for the tree.

    Attributes:
        now: Seconds of the bot's clock.
        breakers: The guards that are known.
        loop: The event loop.
        bot: Which bot, and whether it trades on paper.
        state: The stored state.
        since: Returns when an actor came to its present state; None: that is not known.
        issues: What makes the bot unhealthy, each a sentence; none if it is not.
    """

    now: float
    breakers: Sequence[BreakerRow]
    loop: Loop
    bot: Bot
    state: StateRow
    since: Callable[[str], float | None]
    issues: tuple[str, ...] = ()


def needs(troubles: Troubles, situation: Situation, most: int = MOST) -> tuple[Need, ...]:
    """Return what needs the operator, the most urgent first; something if the bot is unhealthy.

    Args:
        troubles: The actors about which something is urgent.
        situation: Everything else.
        most: How many sentences, at most.
    """
    whole = list(_of_the_whole(situation))
    found: list[Need] = []
    for urgent in Urgency:
        found += [need for each, need in whole if each is urgent]
        for above, rows in troubles.of(urgent).items():
            if len(found) >= most:
                return tuple(found[:most])
            found += _of_rows(urgent, above, rows, troubles, situation)
    if not found:
        found += [_of_an_issue(issue) for issue in situation.issues]
    return tuple(found[:most])


def _of_an_issue(issue: str) -> Need:
    name = issue.partition(" ")[0]
    return Need(
        path=name if name.startswith("/") else "/", severity="critical", text=brief(issue, _LONGEST), actions=()
    )


def _is_news(urgent: Urgency, row: Row, troubles: Troubles, situation: Situation) -> bool:
    """Return whether nobody did it only a moment ago, and it can come true at all."""
    if urgent is Urgency.BUDGET:
        return not troubles.is_false_alarm(row)
    if urgent is not Urgency.BY_HAND:
        return True
    since = situation.since(row.path)
    return since is None or situation.now - since >= LONG_BY_HAND


def _of_rows(urgent: Urgency, above: str, rows: list[Row], troubles: Troubles, situation: Situation) -> Iterable[Need]:
    """Return a sentence for each child of one supervisor; one for all if they are many."""
    told = [row for row in rows if _is_news(urgent, row, troubles, situation)]
    if len(told) <= _FEW or urgent not in _TOGETHER:
        return [_of_row(urgent, row, troubles, situation) for row in told]
    text = sentences.many([row.name for row in told], above, _TOGETHER[urgent])
    return [_need(urgent, above, text, None, ("restart",) if urgent in _PARKED else ())]


_PARKED: Final = frozenset({Urgency.PARKED, Urgency.PARKED_CRITICAL})

_TOGETHER: Final = {
    Urgency.PARKED_CRITICAL: "are parked, a person is needed",
    Urgency.PARKED: "are parked, a person is needed",
    Urgency.STALE_CRITICAL: "are silent",
    Urgency.STALE: "are silent",
    Urgency.DOWN: "are down and wait for their restart",
    Urgency.LINK: "have lost their connection",
    Urgency.MAILBOX: "have crowded mailboxes",
    Urgency.BY_HAND: "are held by hand",
}


_STALE: Final = frozenset({Urgency.STALE, Urgency.STALE_CRITICAL})


def _of_row(urgent: Urgency, row: Row, troubles: Troubles, situation: Situation) -> Need:
    now, since = situation.now, situation.since(row.path)
    actions: tuple[str, ...] = ()
    if urgent in _PARKED:
        text, actions = sentences.parked(row, now), ("restart",)
    elif row.state == "backoff":
        text, actions = sentences.down(row, now), ("restart",)
    elif urgent is Urgency.BUDGET:
        text = sentences.spent(row)
    elif urgent in _STALE:
        text, since, actions = sentences.stale(row, now), row.data.at if row.data else None, ("restart",)
    elif urgent is Urgency.LINK:
        text = f"{row.name} {row.why or f'is {row.link}'}"
    elif urgent is Urgency.MAILBOX:
        text = sentences.crowded(row, now)
    else:
        text, actions = sentences.held(row, since, now), ("resume",) if row.is_suspended else ("start",)
    warning = troubles.warning(row)
    if warning:
        text = f"{brief(text, _LONGEST - len(warning) - 2)}{', ' if urgent is Urgency.BUDGET else '; '}{warning}"
    return _need(urgent, row.path, text, since, actions)


def _of_the_whole(situation: Situation) -> Iterator[tuple[Urgency, Need]]:
    now, loop, state, bot = situation.now, situation.loop, situation.state, situation.bot
    if loop.blocked_at is not None and now - loop.blocked_at < BLOCKED_LATELY:
        by = loop.blocked_by or "code outside any actor"
        text = f"the event loop was blocked by {by}, {lasting(max(0.0, now - loop.blocked_at))} ago"
        yield Urgency.LOOP, _need(Urgency.LOOP, loop.blocked_by or "/", text, loop.blocked_at, ())
    if state.problem:
        text = f"the state is not saved, a restart of the process would lose it: {state.problem}"
        yield Urgency.STATE, _need(Urgency.STATE, "/system/state", text, None, ())
    if state.is_reconciling:
        text = "state was lost: the bot reconciles with the exchange before it trades"
        yield Urgency.STATE, _need(Urgency.STATE, "/system/state", text, None, ())
    if bot.trading == "paper":
        because = f": {bot.trading_why}" if bot.trading_why else ""
        yield Urgency.PAPER, _need(Urgency.PAPER, "/", f"orders go to paper trading{because}", None, ())
    for row in situation.breakers:
        urgent = _of_breaker(row)
        if urgent is not None:
            yield urgent, _need(urgent, row.name, sentences.breaker(row, now), row.since, ("reset",))


def _of_breaker(row: BreakerRow) -> Urgency | None:
    if row.state == "forced_open":
        return Urgency.BREAKER_BY_HAND
    if row.state not in {"open", "half_open"}:
        return None
    return Urgency.DELIVERY if row.name.startswith(TELLING) else Urgency.BREAKER_BY_CALLS


def _need(urgent: Urgency, path: str, text: str, since: float | None, actions: tuple[str, ...]) -> Need:
    return Need(path=path, severity=_DEGREES[urgent], text=brief(text, _LONGEST), since=since, actions=actions)
