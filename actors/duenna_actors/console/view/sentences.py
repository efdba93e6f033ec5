"""The words of what needs the operator. Pure: values in, sentences out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from duenna_actors.console.view.texts import counted, lasting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duenna_actors.console.view.model import BreakerRow, Row

NEARLY_FULL: Final = 0.9
TELLING: Final = "alerts:"
"""Guards of those who tell people."""

_FEW: Final = 3


def parked(row: Row, now: float) -> str:
    """Say that an actor waits for a hand."""
    what = "and all below it are parked" if row.mailbox is None else "is parked"
    again = f", next try in {lasting(max(0.0, row.retry_at - now))}" if row.retry_at is not None else ""
    if row.state != "failed":
        return f"{row.name} {row.why or 'has failed, a person is needed'}"
    failed = f" after {counted(row.failures, 'failure')}" if row.failures else ""
    because = f": {row.last_error}" if row.last_error else ""
    return f"{row.name} {what}{failed}, restart it when the cause is gone{again}{because}"


def spent(row: Row) -> str:
    """Say that a supervisor, or an actor, bears no more."""
    budget = row.budget
    if budget is None:
        return row.name
    if budget.period is None or budget.left:  # of a supervisor: it has failed as often itself
        return f"{row.name} has had {counted(row.failures, 'failure')} in a row"
    return f"{row.name}: {budget.of} of {counted(budget.of, 'restart')} used within {budget.period:g} s"


def one_more(path: str, who: Sequence[str] = ()) -> str:
    """Say what one more crash leads to; *who*: of whom it must be, if it is not all the same."""
    more = f" and {len(who) - _FEW} more" if len(who) > _FEW else ""
    of = f" of {' or '.join(who)}" if 0 < len(who) < _FEW else f" of {', '.join(who[:_FEW])}{more}" if who else ""
    return f"one more crash{of} stops all of {path}"


def stale(row: Row, now: float) -> str:
    """Say that data is overdue."""
    return f"{row.name} {_silent(row, now)}"


def _silent(row: Row, now: float) -> str:
    data = row.data
    expects = "" if data is None or data.expect_every is None else f" (expects {data.expect_every:g} s)"
    age = "" if data is None or data.at is None else f" {lasting(max(0.0, now - data.at))}"
    return f"silent{age}{expects}"


def down(row: Row, now: float) -> str:
    """Say that an actor, or a supervisor with all below it, waits for its restart."""
    again = f", retry in {lasting(max(0.0, row.retry_at - now))}" if row.retry_at is not None else ""
    what = "gave up and is down with all below it" if row.mailbox is None else "is down"
    if row.data is not None and row.data.is_stale:
        what = f"{what}, {_silent(row, now)}"
    because = f": {row.last_error}" if row.last_error else ""
    return f"{row.name} {what}{again} (failure {row.failures}){because}"


def crowded(row: Row, now: float) -> str:
    """Say that too many messages wait, or one for too long."""
    box = row.mailbox
    if box is None:
        return row.name
    if box.depth >= NEARLY_FULL * box.capacity:
        return f"{row.name}: mailbox nearly full, {box.depth} of {box.capacity} messages wait"
    age = "" if box.oldest_at is None else f", the oldest for {lasting(now - box.oldest_at)}"
    return f"{row.name}: {counted(box.depth, 'message')} {'waits' if box.depth == 1 else 'wait'}{age}"


def held(row: Row, since: float | None, now: float) -> str:
    """Say that somebody holds an actor up."""
    what = "is suspended" if row.is_suspended else "was stopped"
    ago = "" if since is None else f" since {lasting(now - since)}"
    return f"{row.name} {what} by hand{ago}"


def breaker(row: BreakerRow, now: float) -> str:
    """Say that a breaker lets no call through, or few."""
    age = lasting(max(0.0, now - row.since))
    if row.state == "forced_open":
        return f"{row.name}: breaker held open by hand for {age}, no call passes"
    because = f": {row.last_error}" if row.last_error else ""
    if row.name.startswith(TELLING):
        return f"alerts do not reach {row.name.removeprefix(TELLING)} since {age}{because}"
    probe = f", next probe in {lasting(max(0.0, row.retry_at - now))}" if row.retry_at is not None else ""
    return f"{row.name}: breaker {row.state.replace('_', ' ')} for {age}{probe}{because}"


def many(names: Sequence[str], parent: str, what: str) -> str:
    """Say the same of many children of one supervisor."""
    return f"{len(names)} of {parent} {what}: {', '.join(names[:_FEW])} and {len(names) - _FEW} more"
