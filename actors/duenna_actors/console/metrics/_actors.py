"""The samples of the actors: what changes seldom is text that is kept until it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs

from duenna.child_facts import Facts
from duenna_actors.console.metrics._names import STATES
from duenna_actors.console.metrics._others import OtherCounts, Others, handled
from duenna_actors.console.metrics.counts import MOST
from duenna_actors.console.metrics.family import Family, number
from duenna_actors.console.metrics.labels import clean, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping


_LATEST: Final = "latest"
_NAMES: Final = (
    "actor_state",
    "actor_start_time_seconds",
    "actor_backoff_seconds",
    "mailbox_depth",
    "mailbox_capacity",
    "mailbox_oldest_age_seconds",
    "mailbox_dropped",
    "messages",
    "supervisor_restart_budget_remaining",
    "feed_last_message_timestamp_seconds",
    "feed_expected_interval_seconds",
)
_DEPTH: Final = _NAMES.index("mailbox_depth")
_HANDLED: Final = _NAMES.index("messages")

Lines = tuple[str, ...]


@attrs.define(eq=False)
class ActorLines:
    """Makes the samples of one actor after the other; a thousand have a label of their own."""

    to_wall: Callable[[float], float]
    others: OtherCounts
    _kept: dict[str, tuple[Facts, Lines]] = attrs.field(factory=dict[str, tuple["Facts", Lines]], init=False)

    def __len__(self) -> int:
        """Return how many actors are remembered."""
        return len(self._kept)

    def begin(self, families: Mapping[str, Family], now: float) -> Page:
        """Begin to fill *families* at *now*, in seconds of trio's clock."""
        before, self._kept = self._kept, {}
        return Page(self, before, [families[name] for name in _NAMES], now, Others(self.others))

    def keep(self, facts: Facts, lines: Lines) -> None:
        """Remember the *lines* of the actor with these *facts*."""
        self._kept[facts.path] = (facts, lines)


@attrs.define(eq=False)
class Page:
    """The samples of all actors at one moment."""

    _lines: ActorLines
    _before: dict[str, tuple[Facts, Lines]]
    _families: list[Family]
    _now: float
    _others: Others
    _taken: set[str] = attrs.field(factory=set[str], init=False)

    def add(self, facts: Facts) -> None:
        """Add the samples of the actor with these *facts*."""
        label = quoted(clean(facts.path))
        known = self._before.get(facts.path)
        if len(self._taken) >= MOST or label in self._taken:
            self._others.add(facts, self._now, None if known is None else known[0])
            return
        self._taken.add(label)
        if known is None or not _is_calm(facts, known[0]):
            lines = lines_of(facts, f'{{actor="{label}"', self._now, self._lines.to_wall)
        elif known[0] is facts:
            lines = known[1]
        else:
            lines = _with_mail(known[1], facts, f'{{actor="{label}"')
        self._lines.keep(facts, lines)
        for family, line in zip(self._families, lines, strict=True):
            if line:
                family.lines.append(line)

    def end(self) -> None:
        """Add the samples of those that have no label of their own."""
        for family, line in zip(self._families, self._others.end(), strict=True):
            if line:
                family.lines.append(line)


def lines_of(facts: Facts, label: str, now: float, to_wall: Callable[[float], float]) -> Lines:
    """Return the samples of one actor, in the order of the families; empty where it has none.

    Args:
        facts: The actor.
        label: Its label, after the opening brace.
        now: Seconds of trio's clock.
        to_wall: Makes seconds since 1970 of these.
    """
    state, fresh, started = facts.state, facts.fresh, facts.started_at
    wait = 0.0 if facts.retry_at is None else max(0.0, facts.retry_at - now)
    mailbox = ("",) * 5
    if not facts.is_supervisor:
        dropped, policy = facts.dropped, quoted(clean(facts.policy))
        waited = 0.0 if facts.oldest_at is None else max(0.0, now - facts.oldest_at)
        mailbox = (
            f"duenna_mailbox_depth{label}}} {facts.depth_now}\n",
            f"duenna_mailbox_capacity{label}}} {facts.capacity}\n",
            "" if facts.policy.startswith(_LATEST) else f"duenna_mailbox_oldest_age_seconds{label}}} {waited!r}\n",
            f'duenna_mailbox_dropped_total{label},policy="{policy}"}} {dropped}\n',
            handled(facts.received, dropped, label),
        )
    budget = f"{{supervisor{label[6:]}}} {facts.budget_left}\n" if facts.is_supervisor else ""
    return (
        "".join([f'duenna_actor_state{label},state="{each}"}} {int(each == state)}\n' for each in STATES]),
        "" if started is None else f"duenna_actor_start_time_seconds{label}}} {number(to_wall(started))}\n",
        f"duenna_actor_backoff_seconds{label}}} {wait!r}\n",
        *mailbox,
        budget and f"duenna_supervisor_restart_budget_remaining{budget}",
        ""
        if fresh is None or fresh.at is None
        else f"duenna_feed_last_message_timestamp_seconds{label}}} {number(to_wall(fresh.at))}\n",
        ""
        if fresh is None or fresh.expect_every is None
        else f"duenna_feed_expected_interval_seconds{label}}} {number(fresh.expect_every)}\n",
    )


def _is_calm(facts: Facts, before: Facts) -> bool:
    """Return whether these *facts* differ from those *before* in the mailbox at most, where nobody waits."""
    return facts is before or (
        facts.capacity == before.capacity != 0
        and facts.state == before.state
        and facts.started_at == before.started_at
        and facts.retry_at is before.retry_at is None
        and facts.oldest_at is before.oldest_at is None
        and facts.fresh is before.fresh is None
        and facts.dropped == before.dropped
        and facts.policy == before.policy
    )


def _with_mail(lines: Lines, facts: Facts, label: str) -> Lines:
    """Return *lines* with the numbers of the mailbox as they are now."""
    return (
        *lines[:_DEPTH],
        f"duenna_mailbox_depth{label}}} {facts.depth_now}\n",
        *lines[_DEPTH + 1 : _HANDLED],
        handled(facts.received, facts.dropped, label),
        *lines[_HANDLED + 1 :],
    )
