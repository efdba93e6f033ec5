"""The samples of the actors that have no label of their own, added up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna_actors.console.metrics._names import STATES
from duenna_actors.console.metrics.counts import OTHER
from duenna_actors.console.metrics.labels import clean, quoted

if TYPE_CHECKING:
    from duenna.child_facts import Facts

_NOTHING = ("",) * 11


def handled(count: int, dropped: int, label: str) -> str:
    """Return the samples of messages that were handed over, and dropped."""
    return (
        f'duenna_messages_total{label},outcome="handled"}} {count}\n'
        f'duenna_messages_total{label},outcome="dropped"}} {dropped}\n'
    )


@attrs.define(eq=False)
class OtherCounts:
    """What actors have counted while they had no label of their own, those that are gone, too: it never goes back.

    A sum of those that are there falls with each that goes, and Prometheus would take what is left for new.

    Attributes:
        handled: Messages handed to them.
        dropped: Messages dropped or replaced, by overflow rule.
    """

    handled: int = attrs.field(default=0, init=False)
    dropped: dict[str, int] = attrs.field(factory=dict[str, int], init=False)
    _seen: dict[str, tuple[int, int]] = attrs.field(factory=dict[str, tuple[int, int]], init=False)

    def add(self, facts: Facts, before: Facts | None) -> None:
        """Add what the actor with these *facts* has counted since the last look.

        Args:
            facts: The actor.
            before: What was told of it under a label of its own the last time; None: it had none.
        """
        received, dropped = facts.received, facts.dropped
        had, lost = self._seen.get(facts.path) or ((0, 0) if before is None else (before.received, before.dropped))
        if received < had or dropped < lost:  # another actor of that path
            had = lost = 0
        self._seen[facts.path] = (received, dropped)
        self.handled += received - had
        self.dropped[facts.policy] = self.dropped.get(facts.policy, 0) + dropped - lost

    def keep_only(self, paths: set[str]) -> None:
        """Forget which actors there were, but for *paths*; what they have counted stays."""
        self._seen = {path: seen for path, seen in self._seen.items() if path in paths}


@attrs.define(eq=False)
class Others:
    """What the actors without a label of their own are together: sums, the longest waits, the smallest budget."""

    counts: OtherCounts
    states: dict[str, int] = attrs.field(factory=lambda: dict.fromkeys(STATES, 0), init=False)
    backoff: float = attrs.field(default=0.0, init=False)
    depth: int = attrs.field(default=0, init=False)
    capacity: int = attrs.field(default=0, init=False)
    oldest: float = attrs.field(default=0.0, init=False)
    budget: int | None = attrs.field(default=None, init=False)
    _paths: set[str] = attrs.field(factory=set[str], init=False)

    def add(self, facts: Facts, now: float, before: Facts | None = None) -> None:
        """Add the actor with these *facts*; *before*: those that it had under a label of its own the last time."""
        self._paths.add(facts.path)
        if facts.state in self.states:
            self.states[facts.state] += 1
        self.backoff = max(self.backoff, 0.0 if facts.retry_at is None else facts.retry_at - now)
        if facts.is_supervisor:
            left = facts.budget_left or 0
            self.budget = left if self.budget is None else min(left, self.budget)
            return
        self.depth += facts.depth_now
        self.capacity += facts.capacity
        self.oldest = max(self.oldest, 0.0 if facts.oldest_at is None else now - facts.oldest_at)
        self.counts.add(facts, before)

    def end(self) -> tuple[str, ...]:
        """Return the samples, in the order of the families; empty strings if there never were others."""
        self.counts.keep_only(self._paths)
        if not self._paths and not self.counts.dropped:
            return _NOTHING
        label = f'{{actor="{OTHER}"'
        dropped = "".join(
            f'duenna_mailbox_dropped_total{label},policy="{quoted(clean(policy))}"}} {count}\n'
            for policy, count in self.counts.dropped.items()
        )
        return (
            "".join(f'duenna_actor_state{label},state="{each}"}} {count}\n' for each, count in self.states.items()),
            "",
            f"duenna_actor_backoff_seconds{label}}} {self.backoff!r}\n",
            f"duenna_mailbox_depth{label}}} {self.depth}\n",
            f"duenna_mailbox_capacity{label}}} {self.capacity}\n",
            f"duenna_mailbox_oldest_age_seconds{label}}} {self.oldest!r}\n",
            dropped,
            handled(self.counts.handled, sum(self.counts.dropped.values()), label),
            ""
            if self.budget is None
            else f'duenna_supervisor_restart_budget_remaining{{supervisor="{OTHER}"}} {self.budget}\n',
            "",
            "",
        )
