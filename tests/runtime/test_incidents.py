"""A runtime's events become one line per incident, each when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing
from loguru import logger

from duenna import Backoff, Child, ChildStopped, Connection, Context, Runtime, Supervisor, open_runtime
from duenna.error_events import ErrorClassified, ErrorReport, RecoveryAttempted, Source
from duenna.events import EventsLost, RuntimeStarted
from duenna.incidents import Chain, Incidents, Outcome, apply, incident_log
from duenna.machines.classification import Category, Facts, Link, Severity, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trio.testing import MockClock


class Told:
    """Remembers what is told, and when."""

    def __init__(self) -> None:
        self.chains: list[tuple[float, Chain]] = []

    def __call__(self, chain: Chain) -> None:
        self.chains.append((trio.current_time(), chain))

    @property
    def lines(self) -> list[str]:
        return [f"{at:g} {chain.path} {chain.text()}" for at, chain in self.chains]


class Api(Connection):
    """Works for 5 s, then not at its first two tries, then again."""

    kind = "api"

    def __init__(self, tries: list[int]) -> None:
        self.tries = tries

    async def connect(self) -> None:
        self.tries.append(1)
        if len(self.tries) in {2, 3}:
            raise TimeoutError("Connection timeout")

    async def session(self) -> None:
        await trio.sleep(5 if len(self.tries) == 1 else 10_000)
        raise TimeoutError("Connection timeout")


async def strategy(context: Context) -> None:
    if context.incarnation == 1:
        await trio.sleep(200)
        raise KeyError("ema")
    await trio.sleep_forever()


class LockedOutError(Exception):
    status = 401


async def locked_out(context: Context) -> None:
    del context
    await trio.sleep(300)
    raise LockedOutError("invalid api key")


async def survivor(context: Context) -> None:
    await trio.sleep(100)
    for _ in range(3):
        context.report(ValueError("could not parse price 'abc'"))
    await trio.sleep_forever()


def bot(*children: Child) -> Supervisor:
    return Supervisor("bot", children, intensity=100)


async def test_each_incident_is_one_line_when_it_is_over(autojump_clock: MockClock) -> None:
    told = Told()
    api_tries: list[int] = []
    tree = bot(
        Child.connection("api", lambda: Api(api_tries)),
        Child("strategy", strategy, backoff=Backoff.steps(2)),
        Child("locked", locked_out),
        Child("survivor", survivor),
    )
    async with open_runtime(tree, system=[incident_log(told)], log_level=None):
        await trio.sleep(1000)

    assert told.lines == [
        (
            "101 /bot/survivor ValueError: could not parse price 'abc' x3 -> DATA/MEDIUM transient"
            " -> data_fallback failed -> nothing helped, goes on"
        ),
        (
            "106 /bot/api TimeoutError: Connection timeout x3 -> NETWORK/MEDIUM transient"
            " -> network_retry (attempt 3) -> ok after 100.0 s"
        ),
        "203 /bot/strategy KeyError: 'ema' -> STRATEGY/HIGH not transient -> restart -> ok after 2.0 s",
        (
            "301 /bot/locked LockedOutError: invalid api key -> AUTH/HIGH not transient -> no restart"
            " -> parked, a person is needed"
        ),
    ]


async def test_what_is_not_over_is_told_when_the_stop_begins(autojump_clock: MockClock) -> None:
    told = Told()
    children = [Child("strategy", strategy, backoff=Backoff.steps(2)), Child("survivor", survivor)]
    async with open_runtime(bot(*children), system=[incident_log(told, settle=500.0)], log_level=None):
        await trio.sleep(201)

    assert [(at, chain.path, chain.outcome, chain.took) for at, chain in told.chains] == [
        (201.0, "/bot/survivor", Outcome.FAILED, 0.0),
        (201.0, "/bot/strategy", Outcome.OPEN, 1.0),
    ]


async def test_an_incident_that_is_stopped_by_hand_is_over(autojump_clock: MockClock) -> None:
    told = Told()
    child = Child("strategy", strategy, backoff=Backoff.steps(100))
    async with open_runtime(bot(child), system=[incident_log(told)], log_level=None) as runtime:
        await trio.sleep(210)
        await runtime.stop_child("/bot/strategy")
        await trio.sleep(1)

    assert told.lines == [
        "211 /bot/strategy KeyError: 'ema' -> STRATEGY/HIGH not transient -> restart -> stopped after 10.0 s"
    ]


async def test_it_sleeps_until_something_is_due(autojump_clock: MockClock) -> None:
    """Nothing wakes up for an hour in which nothing happens; an incident costs one wake-up at its end."""
    wakes: list[float] = []

    class Watch(trio.abc.Instrument):
        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            if task.name == "/system/incidents":
                wakes.append(trio.current_time())

    told = Told()
    child = Child("survivor", survivor)
    async with open_runtime(bot(child), system=[incident_log(told)], log_level=None):
        await trio.sleep(50)
        trio.lowlevel.add_instrument(Watch())
        await trio.sleep(3600)

    assert {101.0} < set(wakes) <= {100.0, 101.0, 3650.0}
    assert len(told.chains) == 1


async def test_a_function_that_raises_is_restarted_and_what_happened_meanwhile_is_not_known(
    autojump_clock: MockClock,
) -> None:
    told = Told()

    def fail_first(chain: Chain) -> None:
        told(chain)
        if len(told.chains) == 1:
            raise OSError("disk full")

    children = [Child("survivor", survivor), Child("strategy", strategy, backoff=Backoff.steps(2))]
    async with open_runtime(bot(*children), system=[incident_log(fail_first)], log_level=None):
        await trio.sleep(500)

    paths = [chain.path for _, chain in told.chains]
    assert paths[0] == "/bot/survivor"
    assert paths[-1] == "/bot/strategy"


async def test_what_waits_when_the_function_raises_is_taken_in_all_the_same(autojump_clock: MockClock) -> None:
    told = Told()
    runtimes: list[Runtime] = []

    def fail_first(chain: Chain) -> None:
        told(chain)
        if len(told.chains) == 1:
            runtimes[0].bus.post(ChildStopped(time=101.0, path="/bot/strategy"))
            raise OSError("disk full")

    children = [Child("survivor", survivor), Child("strategy", crash_at_100, backoff=Backoff.steps(100))]
    async with open_runtime(bot(*children), system=[incident_log(fail_first)], log_level=None) as runtime:
        runtimes.append(runtime)
        await trio.sleep(150)

    assert [chain.outcome for _, chain in told.chains if chain.path == "/bot/strategy"] == [Outcome.STOPPED]


async def crash_at_100(context: Context) -> None:
    await trio.sleep(100)
    raise KeyError(context.name)


def test_without_a_function_the_line_goes_to_the_log(lines: list[str]) -> None:
    """At the level that its outcome deserves, bound to its path."""

    async def main() -> None:
        async with open_runtime(bot(Child("survivor", survivor)), system=[incident_log()], log_level="ERROR"):
            await trio.sleep(200)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    told = [line for line in lines if "Incident" in line]
    assert told == [
        (
            "WARNING Incident /bot/survivor | /bot/survivor ValueError: could not parse price 'abc' x3 ->"
            " DATA/MEDIUM transient -> data_fallback failed -> nothing helped, goes on\n"
        )
    ]


@pytest.fixture
def lines() -> Iterator[list[str]]:
    written: list[str] = []
    number = logger.add(written.append, format="{level} {extra[event]} {extra[path]} | {message}")
    yield written
    logger.remove(number)


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(TypeError, match="incident_log: tell must be a function of a Chain, got 'print'"):
        incident_log("print")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Incidents: settle must be > 0 seconds, got 0"):
        incident_log(settle=0)


def test_what_has_no_actor_is_told_under_its_service() -> None:
    """As is what a guard or a handler reports outside of any actor."""
    report = ErrorReport(
        id=1, time=1.0, at=0.0, path="/", service="prices", error_type="E", message="E: x", facts=FACTS
    )
    incidents = Incidents()
    apply(incidents, ErrorClassified(time=1.0, path="/", report=report, verdict=VERDICT))
    apply(incidents, RecoveryAttempted(time=1.0, path="/", report_id=1, action="a", status="success", attempt=1))

    assert [chain.path for chain in incidents.finish(1.0)] == ["prices"]


def test_lost_events_are_known_to_be_lost_and_others_are_none_of_its_business() -> None:
    incidents = Incidents()
    report = ErrorReport(
        id=1, time=1.0, at=0.0, path="/x", source=Source.CRASH, error_type="E", message="E: x", facts=FACTS
    )
    apply(incidents, ErrorClassified(time=1.0, path="/x", report=report, verdict=VERDICT))
    apply(incidents, RecoveryAttempted(time=1.0, path="/x", report_id=1, action="a", status="started", attempt=1))
    assert incidents.due is None
    assert apply(incidents, RuntimeStarted(time=2.0, path="/")) == []
    assert apply(incidents, EventsLost(time=2.0, path="/", count=1)) == []

    assert [chain.outcome for chain in incidents.advance(3.0)] == [Outcome.UNKNOWN]


FACTS = Facts(links=(Link(type="E"),))
VERDICT = Verdict(category=Category.DATA, severity=Severity.LOW, transient=True)
