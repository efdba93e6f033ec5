"""One look at a runtime, as metrics: made when Prometheus asks, and of what is counted anyway."""

from __future__ import annotations

import platform
from importlib import metadata
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from duenna import Runtime
from duenna.inspection import Inspector
from duenna.storage.entries import ACTOR
from duenna.timings import BOUNDS
from duenna_actors.alerts._memory import suppressed_in
from duenna_actors.console.metrics._actors import ActorLines
from duenna_actors.console.metrics._names import BREAKER_STATES, HEALTHS, families
from duenna_actors.console.metrics.counts import MOST, OTHER, LabelCounts
from duenna_actors.console.metrics.family import Family, page
from duenna_actors.console.metrics.labels import clean
from duenna_actors.console.metrics.meter import Meter

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from duenna.guards import GuardStatistics

_ENTRIES: Final = f"{ACTOR}:"
_RETRIES: Final = {
    "successful_without_retry": "succeeded_first",
    "successful_with_retry": "succeeded_retried",
    "failed_without_retry": "failed_first",
    "failed_with_retry": "failed_retried",
}
_BLOCKERS: Final = {"(other)": OTHER, "": "_none_"}
_CALLS: Final = {"success": "successes", "failure": "failures", "ignored": "ignored", "not_permitted": "rejected"}


@attrs.define(eq=False)
class Collector:
    """The one collector of a bot; may be registered in a registry of `prometheus_client`, too.

    Attributes:
        runtime: The bot.
        meter: What was counted of its events.
    """

    runtime: Runtime
    meter: Meter
    _inspector: Inspector = attrs.field(init=False)
    _actors: ActorLines = attrs.field(init=False)
    _versions: dict[str, str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Find out what does not change."""
        self._inspector = Inspector(self.runtime)
        self._actors = ActorLines(self.runtime.state.to_wall, self.meter.others)
        self._versions = {
            "version": _version("duenna"),
            "python": platform.python_version(),
            "trio": trio.__version__,
        }

    def families(self) -> list[Family]:
        """Return all metrics as they are now."""
        work = self.work()
        while True:
            try:
                next(work)
            except StopIteration as end:
                found: list[Family] = end.value
                return found

    def work(self) -> Generator[None, None, list[Family]]:
        """Make all metrics; after each yield, which come after a few microseconds, others may run."""
        found, now = families(), self.runtime.now()
        actors = self._actors.begin(found, now)
        supervisors: dict[str, None] = {}
        for facts in self._inspector.walk():
            actors.add(facts)
            if facts.is_supervisor:
                supervisors[clean(facts.path)] = None
            if facts.depth == 0 and facts.path == "/system" and facts.started_at is not None:
                found["start_time_seconds"].put(self.runtime.state.to_wall(facts.started_at))
            yield
        actors.end()
        for _ in self._guards(found):
            yield
        self._counted(found)
        self._quiet(found, supervisors)
        self._loop(found, now)
        self._state(found, now)
        return list(found.values())

    def describe(self) -> list[Any]:
        """Return nothing: so a registry does not collect to find out the names."""
        return []

    def collect(self) -> Iterator[Any]:
        """Yield all metrics as `prometheus_client` has them, for a registry that has others, too."""
        from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415  # an extra

        yield from text_string_to_metric_families(page(self.families(), openmetrics=False).decode())

    # -- the parts ---------------------------------------------------------------

    def _counted(self, found: dict[str, Family]) -> None:
        meter, runtime = self.meter, self.runtime
        found["build_info"].put(1, **self._versions)
        for word in HEALTHS:
            found["health"].put(word == meter.health, state=word)
        found["actor_restarts"].put_counts(("actor", "reason"), meter.restarts)
        found["supervisor_escalations"].put_counts(("supervisor",), meter.escalations)
        found["errors"].put_counts(("actor", "category", "severity"), meter.errors)
        found["recovery_actions"].put_counts(("action", "outcome"), meter.actions)
        found["recovery_seconds"].put_histogram(meter.recovery.bounds, meter.recovery.counts, meter.recovery.sum)
        found["breaker_transitions"].put_counts(("breaker", "from", "to"), meter.transitions)
        found["feed_gap"].put_counts(("actor",), meter.gaps)
        found["feed_reconnects"].put_counts(("actor", "reason"), meter.reconnects)
        found["snapshot_failures"].put(meter.snapshot_failures)
        found["alerts"].put_counts(("receiver", "outcome"), meter.alerts)
        for why, count in suppressed_in(runtime).items():
            found["alerts_suppressed"].put(count, why=why)
        found["events_dropped"].put(runtime.bus.lost_events, subscriber_kind="stream")
        found["events_dropped"].put_counts(("subscriber_kind",), meter.dropped)
        found["dead_letters"].put(runtime.dead_letters)

    def _quiet(self, found: dict[str, Family], supervisors: Iterable[str]) -> None:
        """Tell of those that never gave up: of a counter that appears with its first step, Prometheus sees no step."""
        escalations = self.meter.escalations
        for label in islice((each for each in supervisors if not escalations[each,]), max(0, MOST - len(escalations))):
            found["supervisor_escalations"].put(0, supervisor=label)

    def _loop(self, found: dict[str, Family], now: float) -> None:
        loop, timings = self.runtime.loop, self.runtime.timings
        if loop.lag is not None:
            found["loop_lag_seconds"].put(loop.lag)
        worst = loop.lag_max(now)
        if worst is not None:
            found["loop_lag_max_seconds"].put(worst)
        blocked = LabelCounts()
        for actor, count in loop.blocked.items():
            blocked.add(_BLOCKERS.get(actor, actor), count=count)
        found["loop_blocked"].put_counts(("actor",), blocked)
        for name, times in (("message_seconds", timings.handled), ("message_wait_seconds", timings.waited)):
            found[name].put_histogram(BOUNDS, times.counts, times.total)

    def _state(self, found: dict[str, Family], now: float) -> None:
        state = self.runtime.state
        status = state.status()
        found["snapshot_bytes"].put(status.size)
        found["snapshot_waiting"].put(status.waiting)
        found["snapshot_not_durable_seconds"].put(0.0 if status.since is None else max(0.0, now - status.since))
        ages = {
            key[len(_ENTRIES) :]: state.age(each.at) for key, each in state.entries.items() if key.startswith(_ENTRIES)
        }
        known: dict[str, float] = {}
        for path, age in ages.items():
            label = clean(path)
            label = OTHER if label in known or len(known) >= MOST else label
            known[label] = max(age, known.get(label, 0.0))
        for label, age in known.items():
            found["snapshot_age_seconds"].put(age, actor=label)

    def _guards(self, found: dict[str, Family]) -> Iterator[None]:
        taken: dict[str, list[GuardStatistics]] = {}
        for name, dependency in self.runtime.guards.items():
            label = clean(name)
            taken.setdefault(OTHER if label in taken or len(taken) >= MOST else label, []).append(
                dependency.statistics()
            )
            yield
        for label, all_of_it in taken.items():
            for state in BREAKER_STATES:
                found["breaker_state"].put(sum(each.state == state for each in all_of_it), breaker=label, state=state)
            for outcome, field in _CALLS.items():
                count = sum(getattr(each, field) for each in all_of_it)
                found["breaker_calls"].put(count, breaker=label, outcome=outcome)
            for outcome, field in _RETRIES.items():
                count = sum(getattr(each, field) for each in all_of_it)
                found["retry_attempts"].put(count, name=label, outcome=outcome)
            found["fallback"].put(sum(each.fallbacks for each in all_of_it), name=label)
            yield


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"
