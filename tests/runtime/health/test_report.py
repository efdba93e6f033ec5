"""`runtime.health()`: what it says of a bot at each time of its life."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import pytest
import trio

from duenna import Actor, Backoff, Breaker, Child, Connection, Guard, Supervisor, open_runtime
from duenna.health import HealthReport, Overall, ServiceStatus
from duenna.testing import fresh_guards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from trio.testing import MockClock

    from duenna import Runtime

UP, SLOW, DOWN = ServiceStatus.OPERATIONAL, ServiceStatus.DEGRADED, ServiceStatus.UNAVAILABLE


@pytest.fixture(autouse=True)
def guards_begin_anew() -> Iterator[None]:
    with fresh_guards():
        yield


class Feed(Connection):
    """Connects, and is checked, as long as nobody says otherwise."""

    kind: ClassVar[str] = "websocket"

    def __init__(self, refuses: Callable[[], bool] = lambda: False, fails: Callable[[], bool] = lambda: False) -> None:
        self.refuses = refuses
        self.fails = fails

    async def connect(self) -> None:
        if self.refuses():
            raise OSError("connection refused")

    async def check(self) -> None:
        if self.fails():
            raise ValueError("no data")


class Worker(Actor):
    """Crashes when it is told to."""

    def receive(self, message: str) -> None:
        raise RuntimeError(message)


def figures(report: HealthReport) -> Mapping[str, tuple[float | None, bool]]:
    return {each.name: (each.value, each.met) for each in report.kpis}


def feed(name: str, **hooks: Any) -> Child:
    return Child.connection(name, lambda: Feed(**hooks))


async def test_a_bot_that_is_well(autojump_clock: MockClock) -> None:
    async with open_runtime(Supervisor("bot", [feed("a"), Child("b", Worker)]), log_level=None) as runtime:
        await trio.sleep(100)

        report = runtime.health()

        assert report.time == 100.0
        assert report.overall is Overall.HEALTHY
        assert report.services == {"/bot/a": UP, "/bot/b": UP}
        assert report.issues == ()
        assert report.recent_errors == 0
        assert all(each.met for each in report.kpis)
        assert report.text().splitlines()[0] == "healthy, 0 errors within 5 min"


async def test_an_empty_bot_is_well(autojump_clock: MockClock) -> None:
    async with open_runtime(Supervisor("bot"), log_level=None) as runtime:
        report = runtime.health()

        assert (report.overall, report.services, report.issues) == (Overall.HEALTHY, {}, ())


async def test_a_connection_in_cooldown_is_a_sentence(autojump_clock: MockClock) -> None:
    """The bot is degraded while another one works."""
    async with open_runtime(
        Supervisor("bot", [feed("kraken", refuses=lambda: True), feed("b")]), log_level=None
    ) as run:
        await trio.sleep(5)

        report = run.health()

        assert report.overall is Overall.DEGRADED
        assert report.services == {"/bot/kraken": DOWN, "/bot/b": UP}
        assert report.issues == ("/bot/kraken is in cooldown: OSError: connection refused; 2 of 3 attempts left",)
        assert report.recent_errors == 1


async def test_without_any_connection_that_works_the_bot_is_unhealthy(autojump_clock: MockClock) -> None:
    tree = Supervisor("bot", [feed("a", refuses=lambda: True), Child("b", Worker)])
    async with open_runtime(tree, log_level=None) as runtime:
        await trio.sleep(5)

        assert runtime.health().overall is Overall.UNHEALTHY


async def test_what_is_parked_makes_the_bot_unhealthy(autojump_clock: MockClock) -> None:
    """After 10, 30 and 60 s."""
    async with open_runtime(Supervisor("bot", [feed("a", refuses=lambda: True), feed("b")]), log_level=None) as runtime:
        await trio.sleep(101)

        report = runtime.health()

        assert report.overall is Overall.UNHEALTHY
        assert report.issues == ("/bot/a is parked, manual intervention required: OSError: connection refused",)
        assert figures(report)["mean_time_to_recovery"] == (101.0, True)


async def test_failing_checks_degrade_recover_and_cool_down(autojump_clock: MockClock) -> None:
    def fails() -> bool:
        return trio.current_time() >= 30

    async with open_runtime(Supervisor("bot", [feed("a", fails=fails), feed("b")]), log_level=None) as runtime:
        await trio.sleep(31)
        assert runtime.health().services["/bot/a"] is SLOW
        assert runtime.health().issues == ("/bot/a is degraded: ValueError: no data",)

        await trio.sleep(60)
        assert runtime.health().services["/bot/a"] is DOWN
        (issue,) = [each for each in runtime.health().issues if each.startswith("/bot/a")]
        assert issue == ("/bot/a is in cooldown: ValueError: no data; left alone for 60 s; 2 of 3 attempts left")


async def test_a_recovery_that_takes_too_long_is_an_issue(autojump_clock: MockClock) -> None:
    class Slow(Feed):
        max_check_failures = 0
        recover_timeout = 1000.0

        async def recover(self, error: Exception) -> None:
            await trio.sleep(900)

    tree = Supervisor("bot", [Child("a", lambda: Slow(fails=lambda: trio.current_time() >= 30))])
    async with open_runtime(tree, log_level=None) as runtime:
        await trio.sleep(329)
        assert runtime.health().issues == ("/bot/a is recovering (restart 1 of 3): 1 checks in a row have failed",)

        await trio.sleep(1)
        assert runtime.health().issues == (
            "/bot/a has been recovering for 300 s (restart 1 of 3): 1 checks in a row have failed",
        )


async def test_what_a_hand_stopped_or_suspended_does_not_make_the_bot_unhealthy(autojump_clock: MockClock) -> None:
    async with open_runtime(Supervisor("bot", [feed("a"), feed("b"), Child("c", Worker)]), log_level=None) as runtime:
        await runtime.stop_child("/bot/a")
        await runtime.suspend("/bot/b")
        await runtime.suspend("/bot/c")
        await trio.sleep(1)

        report = runtime.health()

        assert report.overall is Overall.DEGRADED
        assert report.services == {"/bot/a": DOWN, "/bot/b": DOWN, "/bot/c": DOWN}
        assert report.issues == (
            "/bot/a was stopped by hand",
            "/bot/b is suspended by hand",
            "/bot/c is suspended by hand",
        )


async def test_a_crashed_actor_waits_for_its_restart_and_its_recovery_is_timed(autojump_clock: MockClock) -> None:
    tree = Supervisor("bot", [Child("a", Worker, backoff=Backoff.steps(20.0))])
    async with open_runtime(tree, log_level=None) as runtime:
        runtime.ref("/bot/a").tell("oops")
        await trio.sleep(1)
        assert runtime.health().issues == ("/bot/a is in backoff: RuntimeError: oops",)
        assert runtime.health().overall is Overall.DEGRADED

        await trio.sleep(20)

        report = runtime.health()
        assert report.overall is Overall.HEALTHY
        assert figures(report)["mean_time_to_recovery"] == (20.0, True)
        assert figures(report)["error_rate"] == (0.2, True)


async def test_what_is_below_a_supervisor_that_is_stopped_by_hand_is_no_outage(autojump_clock: MockClock) -> None:
    """It waited for its restart; now it is as somebody wanted it."""
    below = Supervisor("feeds", [Child("a", Worker, backoff=Backoff.steps(100.0))])
    tree = Supervisor("bot", [below, Child("c", Worker, backoff=Backoff.steps(100.0))])
    async with open_runtime(tree, log_level=None) as runtime:
        runtime.ref("/bot/feeds/a").tell("oops")
        runtime.ref("/bot/c").tell("oops")
        await trio.sleep(1)
        await runtime.stop_child("/bot/feeds")
        await trio.sleep(1000)

        assert figures(runtime.health())["mean_time_to_recovery"] == (100.0, True)


async def test_what_is_below_a_parked_supervisor_is_down(autojump_clock: MockClock) -> None:
    below = Supervisor(
        "feeds", [Child("a", Worker), Child("b", Worker)], intensity=0, on_give_up="park", max_failures=0
    )
    async with open_runtime(Supervisor("bot", [below, Child("c", Worker)]), log_level=None) as runtime:
        runtime.ref("/bot/feeds/a").tell("oops")
        await trio.sleep(1)

        report = runtime.health()

        assert report.overall is Overall.UNHEALTHY
        assert report.services == {"/bot/feeds": DOWN, "/bot/feeds/a": DOWN, "/bot/feeds/b": DOWN, "/bot/c": UP}
        assert report.issues[0].startswith("/bot/feeds is parked with all below it, manual intervention required: ")
        assert report.issues[1:] == tuple(
            f"/bot/feeds/{name} is down with its supervisor, which is parked" for name in "ab"
        )


async def test_a_child_that_has_done_its_work_is_no_service(autojump_clock: MockClock) -> None:
    async def once(_context: Any) -> None:
        await trio.lowlevel.checkpoint()

    async with open_runtime(Supervisor("bot", [Child("a", once, restart="transient")]), log_level=None) as runtime:
        await trio.sleep(1)

        assert runtime.health().services == {}


async def test_guards_count_as_services(autojump_clock: MockClock) -> None:
    guard = Guard("health_orders", retry=None, breaker=Breaker.consecutive(2, open_for=60.0))

    @guard
    async def order(fails: bool) -> None:
        await trio.lowlevel.checkpoint()
        if fails:
            raise OSError("no route")

    async with open_runtime(Supervisor("bot", [feed("a")]), log_level=None) as runtime:
        assert "health_orders" not in runtime.health().services
        await order(fails=False)
        await trio.sleep(1)
        assert runtime.health().services["health_orders"] is UP

        for _ in range(2):
            with pytest.raises(OSError, match="no route"):
                await order(fails=True)
        await trio.sleep(1)

        report = runtime.health()
        assert report.overall is Overall.DEGRADED
        assert report.services["health_orders"] is DOWN
        assert report.breakers["health_orders"] == "open"
        assert "health_orders has an open breaker: OSError: no route" in report.issues
        assert figures(report)["breaker_opens"] == (1.0, False)
        value, met = figures(report)["success_rate"]
        assert value is not None
        assert value < 99.0
        assert not met


async def test_guards_count_from_the_beginning_of_the_runtime(autojump_clock: MockClock) -> None:
    """They are of the whole process: what was before, or was reset, does not count."""
    guard = Guard("older_orders", retry=None, breaker=Breaker.consecutive(2, open_for=60.0))

    @guard
    async def order(fails: bool) -> None:
        await trio.lowlevel.checkpoint()
        if fails:
            raise OSError("no route")

    with pytest.raises(OSError, match="no route"):
        await order(fails=True)
    await order(fails=False)
    async with open_runtime(Supervisor("bot", [feed("a")]), log_level=None) as runtime:
        assert figures(runtime.health())["success_rate"] == (None, True)
        await order(fails=False)
        assert figures(runtime.health())["success_rate"] == (100.0, True)

        guard.reset()
        await order(fails=False)
        assert figures(runtime.health())["success_rate"] == (100.0, True)


async def test_errors_that_come_too_fast_degrade_the_bot(autojump_clock: MockClock) -> None:
    """More than the settings' five a minute; a minute later that is over."""

    class Noisy(Actor):
        def receive(self, message: int) -> None:
            self.context.report(ValueError("bad tick"), number=message)

    async with open_runtime(Supervisor("bot", [Child("a", Noisy)]), log_level=None) as runtime:
        for number in range(5):
            runtime.ref("/bot/a").tell(number)
        await trio.sleep(1)
        assert runtime.health().overall is Overall.HEALTHY

        runtime.ref("/bot/a").tell(5)
        await trio.sleep(1)
        assert runtime.health().overall is Overall.DEGRADED
        assert runtime.health().issues == ("there were 6 errors within a minute, more than 5",)
        assert runtime.health().recent_errors == 6

        await trio.sleep(100)
        assert runtime.health().overall is Overall.HEALTHY


async def test_issues_are_bounded(autojump_clock: MockClock) -> None:
    tree = Supervisor("bot", [Child(f"a{n:03}", Worker) for n in range(150)])
    async with open_runtime(tree, log_level=None) as runtime:
        await runtime.suspend("/bot")
        await trio.sleep(1)

        issues = runtime.health().issues

        assert len(issues) == 101
        assert issues[-2:] == ("/bot/a099 is suspended by hand", "and 50 more")


# -- before, during the stop, after ----------------------------------------------------


async def test_while_it_boots(autojump_clock: MockClock) -> None:
    seen: list[HealthReport] = []

    class Curious(Actor):
        def started(self) -> None:
            seen.append(self.context.runtime.health())

    tree = Supervisor("bot", [feed("a"), Child("b", Curious), Child("c", Worker)])
    async with open_runtime(tree, log_level=None):
        pass

    (report,) = seen
    assert report.overall is Overall.DEGRADED
    assert report.services["/bot/c"] is SLOW
    assert report.issues[0] == "the runtime is starting"
    assert "/bot/c is pending" in report.issues


async def test_while_it_stops(autojump_clock: MockClock) -> None:
    seen: list[HealthReport] = []

    class Curious(Actor):
        def stopping(self, reason: Any) -> None:
            seen.append(self.context.runtime.health())

    tree = Supervisor("bot", [Child("a", Curious), feed("b")])
    async with open_runtime(tree, log_level=None) as runtime:
        await runtime.stop()

    (report,) = seen
    assert report.overall is Overall.DEGRADED
    assert report.issues == ("the runtime is stopping: stopped",)


async def test_after_its_end(autojump_clock: MockClock) -> None:
    async with open_runtime(Supervisor("bot", [feed("a"), Child("b", Worker)]), log_level=None) as runtime:
        await trio.sleep(1)

    report = runtime.health()

    assert report.overall is Overall.UNHEALTHY
    assert report.services == {"/bot/a": DOWN, "/bot/b": DOWN}
    assert report.issues == ("the runtime has ended: stopped",)


async def test_actors_of_the_runtime_are_services_only_when_they_are_not_well(autojump_clock: MockClock) -> None:
    system = [Child("extra", Worker, max_failures=0, on_give_up="park")]
    async with open_runtime(Supervisor("bot", [feed("a")]), system=system, log_level=None) as runtime:
        await trio.sleep(1)
        assert runtime.health().services == {"/bot/a": UP}

        runtime.ref("/system/extra").tell("oops")
        await trio.sleep(1)

        assert runtime.health().services == {"/bot/a": UP, "/system/extra": DOWN}
        assert runtime.health().overall is Overall.UNHEALTHY


def links(runtime: Runtime) -> int:
    return len(runtime.system.monitor.links)


async def test_connections_that_are_gone_are_forgotten(autojump_clock: MockClock) -> None:
    async with open_runtime(Supervisor("bot"), log_level=None) as runtime:
        await runtime.start_child("/bot", Supervisor("feeds", [feed("a"), feed("b")]))
        await runtime.start_child("/bot", feed("c"))
        await trio.sleep(1)
        assert links(runtime) == 3

        for path in ("/bot/c", "/bot/feeds"):
            await runtime.stop_child(path)
            await runtime.delete_child(path)
        await trio.sleep(1)

        assert links(runtime) == 0
        assert runtime.health().services == {}


async def test_a_report_is_a_value() -> None:
    """It can be stored, sent, and compared."""
    async with open_runtime(Supervisor("bot", [feed("a")]), log_level=None) as runtime:
        report = runtime.health()

    assert msgspec.json.decode(msgspec.json.encode(report), type=HealthReport) == report
