"""A scrape: its names, its values, its two formats, and that no text in it breaks the page."""

from __future__ import annotations

import platform
import re
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import prometheus_client
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

import duenna_actors.alerts
from duenna import Actor, Backoff, Breaker, Child, Guard, Mailbox, Retry, Supervisor, persistent
from duenna.events import ChildSuspended
from duenna.machines.classification import Severity
from duenna.testing import fresh_guards
from duenna_actors.console.metrics._names import METRICS
from duenna_actors.console.metrics.collector import Collector
from duenna_actors.console.metrics.counts import MOST, OTHER
from duenna_actors.console.metrics.exposition import Exposition, exposition
from duenna_actors.console.metrics.family import Family, page
from duenna_actors.console.metrics.labels import LONGEST, clean
from tests.actors.alerts.kit import Recorder
from tests.actors.alerts.kit import condition as alert_condition
from tests.actors.console.metrics.support import (
    OPENMETRICS,
    WALL,
    Crasher,
    Line,
    Measured,
    Memory,
    Samples,
    Switch,
    measured,
    run_promtool,
    samples,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from trio.testing import MockClock

FACTS = """
duenna_build_info{version,python,trio} duenna_start_time_seconds duenna_loop_lag_seconds
duenna_loop_blocked_total{actor} duenna_actor_state{actor,state} duenna_actor_start_time_seconds{actor}
duenna_actor_restarts_total{actor,reason} duenna_supervisor_escalations_total{supervisor}
duenna_supervisor_restart_budget_remaining{supervisor} duenna_actor_backoff_seconds{actor}
duenna_mailbox_depth{actor} duenna_mailbox_capacity{actor} duenna_mailbox_oldest_age_seconds{actor}
duenna_mailbox_dropped_total{actor,policy} duenna_messages_total{actor,outcome}
duenna_message_seconds_bucket{le} duenna_message_wait_seconds_bucket{le} duenna_dead_letters_total
duenna_errors_total{actor,category,severity} duenna_recovery_actions_total{action,outcome}
duenna_recovery_seconds_bucket{le} duenna_retry_attempts_total{name,outcome}
duenna_breaker_state{breaker,state} duenna_breaker_calls_total{breaker,outcome}
duenna_breaker_transitions_total{breaker,from,to} duenna_fallback_total{name}
duenna_feed_last_message_timestamp_seconds{actor} duenna_feed_gap_total{actor}
duenna_feed_reconnects_total{actor,reason} duenna_snapshot_age_seconds{actor} duenna_snapshot_bytes
duenna_snapshot_failures_total duenna_alerts_total{receiver,outcome} duenna_alerts_suppressed_total{why}
duenna_events_dropped_total{subscriber_kind}
"""
"""The names and labels that were agreed."""


@attrs.define
class Ledger(Actor):
    """Has something to save."""

    fills: int = persistent(default=0)

    def receive(self, message: int) -> None:
        self.fills += message


def busy_tree(switch: Switch) -> Supervisor:
    """Return a bot with something of everything."""
    ten = Backoff.steps(10.0)
    return Supervisor(
        "bot",
        [
            Child("a", Crasher, backoff=ten),
            Child("feed", lambda: Line(switch), backoff=ten),
            Child("ledger", Ledger),
            Child("small", Crasher, mailbox=Mailbox(capacity=2, overflow="drop_oldest")),
            Supervisor("group", [Child("b", Crasher, backoff=ten)], intensity=3, period=60.0),
            Supervisor("fragile", [Child("c", Crasher, backoff=ten)], intensity=0, backoff=ten),
        ],
        intensity=5,
        period=60.0,
    )


@asynccontextmanager
async def eventful() -> AsyncGenerator[Measured]:
    """Give a bot to which everything has happened once."""
    switch = Switch(at=1.0, expect_every=5.0)
    receivers = [Recorder(name="ops")]
    system = [duenna_actors.alerts.alerts(receivers, wall_time=lambda: WALL)]
    with fresh_guards():
        guard = Guard("api", breaker=Breaker.consecutive(1, open_for=500.0), retry=Retry(2, backoff=Backoff.none()))
        async with measured(busy_tree(switch), system=system) as found:
            await trio.sleep(1)
            await happen(found, guard, switch)
            yield found


async def happen(found: Measured, guard: Guard, switch: Switch) -> None:
    runtime = found.runtime
    for path in ("/bot/a", "/bot/fragile/c"):
        runtime.ref(path).tell(ConnectionResetError("reset"))
    with pytest.raises(OSError, match="down"):
        await guard.call(down)
    runtime.ref("/bot/ledger").tell(5)
    await runtime.suspend("/bot/small")
    for number in range(5):
        runtime.ref("/bot/small").tell(number)
    switch.cut(OSError("gone"))
    runtime.ref("/system/alerts/alerter").tell(alert_condition())
    await trio.sleep(20)
    await runtime.state.save(force=True)
    runtime.ref("/bot/group/b").tell(ValueError("bad"))
    await trio.sleep(3)
    found.meter.gaps.add("/bot/feed")
    runtime.loop.answered(runtime.now(), 0.25)
    runtime.loop.was_blocked(runtime.now(), "/bot/a")


def one(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


async def down() -> None:
    raise OSError("down")


async def test_all_agreed_names_have_their_labels(autojump_clock: MockClock) -> None:
    """Everything that was agreed is there with samples, and nothing is there that is not in the table."""
    async with eventful() as bot:
        found: dict[str, set[str]] = {}
        for name, labels in bot.samples():
            found.setdefault(name, set()).update(label for label, _ in labels)
        agreed = {
            name: set(filter(None, labels.rstrip("}").split(",")))
            for name, _, labels in (each.partition("{") for each in FACTS.split())
        }

        assert {name: found.get(name) for name in agreed} == agreed
        table = {f"duenna_{name}" + ("_total" if kind == "counter" else "") for name, (kind, _) in METRICS.items()}
        endings = ("_bucket", "_sum", "_count")
        assert {next((n.removesuffix(e) for e in endings if n.endswith(e)), n) for n in found} == table


async def test_the_values_are_those_of_the_bot(autojump_clock: MockClock) -> None:
    """Gauges as they are, counters since the beginning, times by the wall clock."""
    async with eventful() as bot:
        versions = {"version": "0.1.0", "python": platform.python_version(), "trio": trio.__version__}
        expected: list[tuple[float, str, dict[str, str]]] = [
            (1, "build_info", versions),
            (WALL, "start_time_seconds", {}),
            (1, "health", {"state": bot.meter.health}),
            (0.25, "loop_lag_seconds", {}),
            (0.25, "loop_lag_max_seconds", {}),
            (1, "loop_blocked_total", {"actor": "/bot/a"}),
            (1, "actor_state", {"actor": "/bot/group/b", "state": "backoff"}),
            (0, "actor_state", {"actor": "/bot/group/b", "state": "running"}),
            (1, "actor_state", {"actor": "/bot/small", "state": "suspended"}),
            (WALL, "actor_start_time_seconds", {"actor": "/bot/ledger"}),
            (7.0, "actor_backoff_seconds", {"actor": "/bot/group/b"}),
            (0.0, "actor_backoff_seconds", {"actor": "/bot/ledger"}),
            (1, "actor_restarts_total", {"actor": "/bot/a", "reason": "crash"}),
            (1, "supervisor_escalations_total", {"supervisor": "/bot/fragile"}),
            (2, "supervisor_restart_budget_remaining", {"supervisor": "/bot/group"}),
            (2, "mailbox_depth", {"actor": "/bot/small"}),
            (2, "mailbox_capacity", {"actor": "/bot/small"}),
            (23.0, "mailbox_oldest_age_seconds", {"actor": "/bot/small"}),
            (3, "mailbox_dropped_total", {"actor": "/bot/small", "policy": "drop_oldest"}),
            (3, "messages_total", {"actor": "/bot/small", "outcome": "dropped"}),
            (1, "messages_total", {"actor": "/bot/ledger", "outcome": "handled"}),
            (1, "errors_total", {"actor": "/bot/a", "category": "NETWORK", "severity": "MEDIUM"}),
            (1, "retry_attempts_total", {"name": "api", "outcome": "failed_without_retry"}),
            (1, "breaker_state", {"breaker": "api", "state": "open"}),
            (0, "breaker_state", {"breaker": "api", "state": "closed"}),
            (1, "breaker_calls_total", {"breaker": "api", "outcome": "failure"}),
            (1, "breaker_transitions_total", {"breaker": "api", "from": "closed", "to": "open"}),
            (0, "fallback_total", {"name": "api"}),
            (WALL + 1.0, "feed_last_message_timestamp_seconds", {"actor": "/bot/feed"}),
            (5.0, "feed_expected_interval_seconds", {"actor": "/bot/feed"}),
            (1, "feed_gap_total", {"actor": "/bot/feed"}),
            (3.0, "snapshot_age_seconds", {"actor": "/bot/ledger"}),
            (0.0, "snapshot_not_durable_seconds", {}),
            (0, "snapshot_failures_total", {}),
            (0, "alerts_suppressed_total", {"why": "silenced"}),
            (0, "events_dropped_total", {"subscriber_kind": "stream"}),
            (0, "dead_letters_total", {}),
        ]
        found = bot.samples()

        assert [
            (found.get((f"duenna_{name}", frozenset(labels.items()))), name, labels) for _, name, labels in expected
        ] == expected


async def test_promtool_finds_nothing_wrong(autojump_clock: MockClock) -> None:
    """Prometheus's own linter: names, units, help, types."""
    async with eventful() as bot:
        assert run_promtool(["check", "metrics"], bot.exposition()[0]) == (0, "")


async def test_both_formats_say_the_same(autojump_clock: MockClock) -> None:
    """A scraper that asks for OpenMetrics gets it, all others the text format, whatever they ask for."""
    async with eventful() as bot:
        plain, strict = bot.exposition(""), bot.exposition(OPENMETRICS)

        assert plain[1] == "text/plain; version=0.0.4; charset=utf-8"
        assert strict[1].startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
        assert samples(plain[0]) == samples(strict[0])
        assert bot.exposition("application/openmetrics-text;version=\x00a.b")[1] == plain[1]
        assert bot.exposition("text/html, */*;q=0.1")[1] == plain[1]


async def test_a_registry_of_the_client_library_has_it_too(autojump_clock: MockClock) -> None:
    """Registered beside metrics of the user's own, it gives the same samples; registering collects nothing."""
    async with eventful() as bot:
        registry = prometheus_client.CollectorRegistry()
        registry.register(bot.exposition.collector)
        own = prometheus_client.Counter("fills", "Mine.", registry=registry)
        own.inc()
        found = samples(prometheus_client.generate_latest(registry))

        assert found.pop(("fills_total", frozenset())) == 1.0
        assert {name: value for name, value in found.items() if name[0] != "fills_created"} == bot.samples()


async def test_a_scrape_that_gives_way_is_the_same(autojump_clock: MockClock) -> None:
    """A large bot is looked at a millisecond at a time."""
    async with eventful() as bot:
        assert await bot.exposition.scrape(OPENMETRICS) == bot.exposition(OPENMETRICS)


async def test_a_second_scrape_tells_of_what_is_new(autojump_clock: MockClock) -> None:
    """Text that is kept for an actor that is idle is not kept for one that is not."""
    async with measured(Supervisor("bot", [Child("a", Crasher), Child("b", Crasher)])) as bot:
        before = bot.samples()
        bot.runtime.ref("/bot/a").tell(1)
        await trio.sleep(1)
        assert bot.value("duenna_messages_total", actor="/bot/a", outcome="handled") == 1
        await bot.runtime.suspend("/bot/b")
        bot.runtime.ref("/bot/b").tell(1)
        await trio.sleep(2)
        assert bot.value("duenna_mailbox_oldest_age_seconds", actor="/bot/b") == 2.0
        await trio.sleep(2)
        assert bot.value("duenna_mailbox_oldest_age_seconds", actor="/bot/b") == 4.0
        await bot.runtime.resume("/bot/b")
        await trio.sleep(1)

        after = bot.samples()
        changed = {key: after[key] - before[key] for key in before if after[key] != before[key]}
        moved = {name for name, _ in changed} - {"duenna_message_wait_seconds_sum"}
        assert {name for name in moved if not name.startswith("duenna_message_")} == {"duenna_messages_total"}


@pytest.mark.parametrize("name", ["<script>", 'a"b\\c', "[markup]", "x" * 300])
async def test_hostile_names_are_text(name: str, autojump_clock: MockClock) -> None:
    """Whatever an actor is called, the page can be read, and its label is what it is called."""
    async with measured(Supervisor("bot", [Child(name, Crasher)])) as bot:
        label = f"/bot/{name}"[:LONGEST]
        assert bot.value("duenna_mailbox_capacity", actor=label) == 1000
        assert bot.samples() == bot.samples(OPENMETRICS)
        assert run_promtool(["check", "metrics"], bot.exposition()[0]) == (0, "")


async def test_names_that_are_cut_to_the_same_are_one(autojump_clock: MockClock) -> None:
    """Two series of the same labels would cost the whole page."""
    children = [Child("x" * 300 + end, Crasher) for end in "ab"]
    with fresh_guards():
        guards = [Guard("g" * 300 + end, breaker=Breaker()) for end in "ab"]
        async with measured(Supervisor("bot", children)) as bot:
            assert bot.value("duenna_mailbox_capacity", actor=OTHER) == 1000
            assert bot.value("duenna_breaker_state", breaker=OTHER, state="closed") == 1
            assert len(guards) == 2


async def test_a_thousand_actors_have_a_label(autojump_clock: MockClock) -> None:
    """The others are one together: sums of what can be summed up, the longest wait, the smallest budget."""
    many = [Child(f"w{number}", Crasher, mailbox=Mailbox(capacity=10)) for number in range(MOST)]
    last = Supervisor("last", [Child("z", Crasher)], intensity=7)
    async with measured(Supervisor("bot", [*many, last])) as bot:
        await bot.runtime.suspend("/bot/w999")
        bot.runtime.ref("/bot/w999").tell(1)
        bot.runtime.ref("/bot/last/z").tell(1)
        await trio.sleep(3)
        found = bot.samples()

        names = {dict(labels)["actor"] for name, labels in found if name == "duenna_actor_state"}
        assert len(names) == MOST + 1
        left = bot.runtime.cell_count + 2 - MOST
        assert one(found, "duenna_actor_state", actor=OTHER, state="running") == left - 1
        assert one(found, "duenna_actor_state", actor=OTHER, state="suspended") == 1
        assert one(found, "duenna_mailbox_capacity", actor=OTHER) == (left - 2) * 10 + 1000
        assert one(found, "duenna_mailbox_depth", actor=OTHER) == 1
        assert one(found, "duenna_mailbox_oldest_age_seconds", actor=OTHER) == 3.0
        assert one(found, "duenna_messages_total", actor=OTHER, outcome="handled") == 1
        assert one(found, "duenna_supervisor_restart_budget_remaining", supervisor=OTHER) == 7
        assert (await bot.exposition.scrape(""))[0].count(b"\n") == bot.exposition("")[0].count(b"\n")


async def test_what_the_others_counted_never_goes_back(autojump_clock: MockClock) -> None:
    """Not when one of them is deleted or added again, nor when one gets a label or loses it: each counts once."""
    names = [f"w{number}" for number in range(MOST)]
    async with measured(Supervisor("bot", [Child(name, Crasher) for name in names])) as bot:
        runtime, handled = bot.runtime, 'duenna_messages_total{actor="%s",outcome="handled"} '

        def tell(*paths: str) -> None:
            for path in paths:
                runtime.ref(path).tell(1)

        def other(actor: str = OTHER, page: Exposition = bot.exposition) -> int:
            (found,) = re.findall(re.escape(handled % actor) + r"(\d+)\n", page()[0].decode())
            return int(found)

        tell("/bot/w0", "/bot/w0", "/bot/w998", "/bot/w999", "/bot/w999")
        await wait_all_tasks_blocked()
        told = other()
        assert told == 3
        await runtime.stop_child("/bot/w999")
        await runtime.delete_child("/bot/w999")
        assert other() == told
        await runtime.start_child("/bot", Child("w999", Crasher))
        assert other() == told
        tell("/bot/w999")
        await wait_all_tasks_blocked()
        assert other() == told + 1
        for name in names[:10]:  # now the last ones have labels of their own
            await runtime.stop_child(f"/bot/{name}")
            await runtime.delete_child(f"/bot/{name}")
        tell("/bot/w999")
        await wait_all_tasks_blocked()
        assert other("/bot/w999") == 2
        assert other() == told + 1
        assert other(page=exposition(runtime, Memory(bot.meter))) == told + 1  # the console has restarted


async def test_what_an_operator_holds_is_told_at_the_next_scrape(autojump_clock: MockClock) -> None:
    """Nothing else of it has changed: no text that was made before stands for it."""
    async with measured(Supervisor("bot", [Child("a", Crasher)])) as bot:
        for act, state in ((bot.runtime.suspend, "suspended"), (bot.runtime.resume, "running")):
            await act("/bot/a")
            for each in ("suspended", "running"):
                assert bot.value("duenna_actor_state", actor="/bot/a", state=each) == (each == state)


async def test_a_supervisor_that_never_gave_up_has_a_zero(autojump_clock: MockClock) -> None:
    """So its first escalation is a step, which Prometheus sees, and the dashboard marks."""
    frail = Supervisor("frail", [Child("a", Crasher)], intensity=0)
    async with measured(Supervisor("bot", [frail])) as bot:
        assert bot.value("duenna_supervisor_escalations_total", supervisor="/bot/frail") == 0
        bot.runtime.ref("/bot/frail/a").tell(ValueError("bad"))
        await trio.sleep(10)
        assert bot.all("duenna_supervisor_escalations_total") == {("/bot",): 0, ("/bot/frail",): 1, ("/system",): 0}


@attrs.define(eq=False)
class Noting(Collector):
    """Notes when its work begins and ends."""

    notes: list[str] = attrs.field(factory=list[str], kw_only=True)

    def work(self) -> Generator[None, None, list[Family]]:
        self.notes.append("begins")
        return self._noted(super().work())

    def _noted(self, work: Generator[None, None, list[Family]]) -> Generator[None, None, list[Family]]:
        found = yield from work
        self.notes.append("ends")
        return found


async def test_scrapes_at_a_time_take_turns(autojump_clock: MockClock) -> None:
    """All are whole, and what the others counted is counted once."""
    found: list[bytes] = []
    async with measured(Supervisor("bot", [Child(f"w{number}", Crasher) for number in range(MOST)])) as bot:
        bot.runtime.ref("/bot/w999").tell(1)
        await wait_all_tasks_blocked()
        noting = Noting(bot.runtime, bot.meter)
        bot.exposition.collector = noting

        async def scrape() -> None:
            found.append((await bot.exposition.scrape(""))[0])

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(scrape)

    assert noting.notes == ["begins", "ends"] * 3
    line = f'duenna_messages_total{{actor="{OTHER}",outcome="handled"}} 1\n'.encode()
    assert [line in each for each in found] == [True] * 3


async def test_what_was_suppressed_is_told_by_why(autojump_clock: MockClock) -> None:
    """The alerter counts it, and goes on after a restart."""
    system = [duenna_actors.alerts.alerts([Recorder()], wall_time=lambda: WALL)]
    async with measured(system=system) as bot:
        alerter = bot.runtime.ref("/system/alerts/alerter")
        silence = duenna_actors.alerts.AddSilence(matchers=("kind=breaker_open",), duration=600.0, author="me")
        await alerter.ask(silence)
        await alerter.ask(alert_condition(severity=Severity.CRITICAL))
        await trio.sleep(60)

        assert bot.value("duenna_alerts_suppressed_total", why="silenced") == 1


@given(st.text(st.characters(exclude_categories=()), max_size=300), st.floats() | st.integers())
def test_any_label_and_any_number_survive_both_formats(label: str, number: float) -> None:
    """The client library's parsers read what was written: the text but for what cannot be in a page."""
    family = Family("duenna_x", "gauge", "X.")
    family.put(number, actor=label)
    for strict in (False, True):
        (((name, labels), value),) = samples(page([family], openmetrics=strict)).items()

        assert (name, dict(labels)) == ("duenna_x", {"actor": clean(label)})
        assert value == number or (value != value and number != number)  # noqa: PLR0124


async def test_events_that_a_slow_reader_lost_are_counted(autojump_clock: MockClock) -> None:
    """Of all streams together; what a viewer of the console lost is counted by itself."""
    async with measured(Supervisor("bot", [Child("a", Crasher)])) as bot:
        with bot.runtime.events(ChildSuspended, capacity=1):
            for _ in range(3):
                await bot.runtime.suspend("/bot/a")
                await bot.runtime.resume("/bot/a")
        bot.meter.count_dropped("viewer", 4)

        assert bot.all("duenna_events_dropped_total") == {("stream",): 2, ("viewer",): 4}


async def test_what_blocks_the_loop_has_a_label(autojump_clock: MockClock) -> None:
    """Code outside any actor is `_none_`: an empty label would be no label at all. The kernel's rest is `_other_`."""
    async with measured() as bot:
        for actor in ("", "(other)", "/bot/a", "/bot/a", "x" * 300, "x" * 301):
            bot.runtime.loop.was_blocked(1.0, actor)

        assert bot.all("duenna_loop_blocked_total") == {
            ("_none_",): 1,
            (OTHER,): 1,
            ("/bot/a",): 2,
            ("x" * LONGEST,): 2,
        }


def test_the_docs_list_every_name() -> None:
    """With its kind and its meaning; nothing is listed that is not there."""
    text = (Path(__file__).parents[4] / "docs" / "metrics.md").read_text("utf-8")
    listed = re.findall(r"^\| `duenna_(\w+?)(?:_total)?` \| (\w+) \| [^|]*\| (.*) \|$", text, re.MULTILINE)

    assert [(name, (kind, meaning)) for name, kind, meaning in listed] == list(METRICS.items())


def test_labels_lose_what_cannot_be_in_a_page() -> None:
    """NUL ends the page for Prometheus, a lone surrogate cannot be encoded, an escape acts in a terminal."""
    assert clean("a\x00b\ud800c\x1b[31m\x9b\nü😀") == "a�b�c�[31m�\nü😀"
    assert clean("x" * 1000) == "x" * 200
