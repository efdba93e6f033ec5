"""The probes: when each says no, what it shows to whom, and what it never looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna import Actor, Backoff, Breaker, Child, Guard, Supervisor, open_runtime
from duenna.errors import GaveUpError
from duenna.testing import fresh_guards
from duenna_actors.console.metrics.probes import Check, answer, livez, readyz, startupz
from tests.actors.console.metrics.support import Crasher, Line, Switch

if TYPE_CHECKING:
    from trio.testing import MockClock

    from duenna import HealthReport, Runtime

TEN = Backoff.steps(10.0)
PASSED: tuple[int, dict[str, Any]] = (200, {"status": "pass", "checks": {}})


def feed(switch: Switch, **options: Any) -> Child:
    return Child("feed", lambda: Line(switch), backoff=TEN, **options)


async def test_a_bot_that_does_well_passes_all(autojump_clock: MockClock) -> None:
    """Nothing is listed unless it is asked for."""
    async with open_runtime(Supervisor("bot", [feed(Switch(at=0.0))]), log_level=None) as runtime:
        await trio.sleep(1)

        assert [livez(runtime), readyz(runtime), startupz(runtime)] == [PASSED] * 3
        assert readyz(runtime, verbose=True) == (
            200,
            {
                "status": "pass",
                "checks": {
                    "started": [{"componentType": "system", "status": "pass"}],
                    "stopping": [{"componentType": "system", "status": "pass"}],
                    "health": [{"componentType": "system", "status": "pass"}],
                    "/bot/feed": [{"componentType": "component", "status": "pass"}],
                },
            },
        )


async def test_a_critical_feed_that_is_down_or_stale_is_not_ready(autojump_clock: MockClock) -> None:
    """Each is named with what is wrong; the process is alive all the same, for no restart of it would help."""
    switch = Switch(at=0.0, expect_every=5.0)
    async with open_runtime(Supervisor("bot", [feed(switch)]), log_level=None) as runtime:
        await trio.sleep(8)
        assert readyz(runtime) == not_ready("/bot/feed", "had its last data 8.0 s ago, expects some every 5 s")
        switch.at = 7.0
        assert readyz(runtime) == PASSED
        switch.cut(ConnectionResetError("reset"))
        await trio.sleep(1)
        status, body = readyz(runtime)

        assert (status, body["status"]) == (503, "fail")
        assert body["checks"]["/bot/feed"] == [
            {
                "componentType": "component",
                "status": "fail",
                "output": "is in cooldown: ConnectionResetError: reset",
            }
        ]
        assert livez(runtime) == PASSED
        assert startupz(runtime) == PASSED


def not_ready(path: str, why: str) -> tuple[int, dict[str, Any]]:
    return 503, {
        "status": "fail",
        "checks": {path: [{"componentType": "component", "status": "fail", "output": why}]},
    }


async def test_a_feed_without_data_yet_is_not_ready(autojump_clock: MockClock) -> None:
    """What is expected and has never come is missing."""
    async with open_runtime(Supervisor("bot", [feed(Switch())]), log_level=None) as runtime:
        await trio.sleep(1)

        assert readyz(runtime) == not_ready("/bot/feed", "has had no data yet, expects some every 5 s")


class Weak(Line):
    """A feed whose far end is reached, and answers no check."""

    check_every = 1.0

    async def check(self) -> None:
        if self.context.now() > 0.5:
            raise TimeoutError("slow")


async def test_a_critical_link_that_is_degraded_is_a_warning(autojump_clock: MockClock) -> None:
    """It works, however badly; whoever routes to the bot has no better one."""
    weak = Child("feed", lambda: Weak(Switch(at=0.0)), backoff=TEN)
    async with open_runtime(Supervisor("bot", [weak]), log_level=None) as runtime:
        await trio.sleep(1.2)
        status, body = readyz(runtime)

        assert (status, body["status"], list(body["checks"])) == (200, "warn", ["health"])
        assert body["checks"]["health"][0]["output"].startswith("/bot/feed is degraded")


async def test_what_is_not_critical_is_a_warning(autojump_clock: MockClock) -> None:
    """A bot that needs a hand somewhere can do its work, and is not taken out of service for it."""
    tree = Supervisor(
        "bot",
        [
            feed(Switch(at=0.0, expect_every=None)),
            feed_named("spare", critical=False),
            Child("a", Crasher, backoff=TEN, max_failures=0, on_give_up="park"),
            Child("b", Crasher, backoff=TEN, critical=True),
        ],
    )
    async with open_runtime(tree, log_level=None) as runtime:
        runtime.ref("/bot/a").tell(ValueError("bad"))
        await trio.sleep(1)
        assert readyz(runtime) == (
            200,
            {
                "status": "warn",
                "checks": {
                    "health": [
                        {
                            "componentType": "system",
                            "status": "warn",
                            "output": "/bot/a is parked, manual intervention required: ValueError: bad",
                        }
                    ]
                },
            },
        )
        runtime.ref("/bot/b").tell(ValueError("bad"))
        await trio.sleep(1)

        status, body = readyz(runtime)
        assert (status, body["status"], list(body["checks"])) == (503, "fail", ["health", "/bot/b"])


def feed_named(name: str, **options: Any) -> Child:
    return Child(name, lambda: Line(Switch()), backoff=TEN, **options)


async def test_a_check_can_be_left_out(autojump_clock: MockClock) -> None:
    """What is excluded does not count; a name that is none is told of."""
    async with open_runtime(Supervisor("bot", [feed(Switch())]), log_level=None) as runtime:
        await trio.sleep(1)

        assert readyz(runtime, exclude=["/bot/feed", "etcd"]) == (
            200,
            {"status": "pass", "checks": {}, "notes": ["there is no check 'etcd' to exclude"]},
        )


async def test_without_a_token_there_is_one_word(autojump_clock: MockClock) -> None:
    """Whoever asks without one learns nothing but how it is."""
    async with open_runtime(Supervisor("bot", [feed(Switch())]), log_level=None) as runtime:
        await trio.sleep(1)

        assert readyz(runtime, verbose=True, exclude=["x"], detailed=False) == (503, {"status": "fail"})
        assert livez(runtime, verbose=True, detailed=False) == (200, {"status": "pass"})


class Slow(Actor):
    """Takes its time to start, and to stop."""

    async def started(self) -> None:
        await trio.sleep(10)

    async def stopping(self, reason: object) -> None:
        await trio.sleep(3)


class Prober(Actor):
    """Asks the probes at any time of the bot's life."""

    def __init__(self, found: dict[str, list[int]]) -> None:
        self._found = found

    def started(self) -> None:
        self.context.start_soon(self._wait_for_the_stop)
        self._look("starting")

    async def _wait_for_the_stop(self) -> None:
        await self.context.runtime.stopping.wait()
        self._look("stopping")

    def _look(self, when: str) -> None:
        runtime: Runtime = self.context.runtime
        self._found[when] = [probe(runtime)[0] for probe in (livez, readyz, startupz)]


async def test_before_the_boot_while_it_stops_and_after(autojump_clock: MockClock) -> None:
    """It lives from the start to the end, is ready in between, and has started for good."""
    found: dict[str, list[int]] = {}
    tree = Supervisor("bot", [Child("slow", Slow)])
    async with open_runtime(tree, log_level=None, system=[Child("prober", lambda: Prober(found))]) as runtime:
        found["running"] = [probe(runtime)[0] for probe in (livez, readyz, startupz)]
        await runtime.stop()

    found["ended"] = [probe(runtime)[0] for probe in (livez, readyz, startupz)]
    assert found == {
        "starting": [200, 503, 503],
        "running": [200, 200, 200],
        "stopping": [200, 503, 200],
        "ended": [503, 503, 200],
    }


async def test_an_open_breaker_never_kills_the_process(autojump_clock: MockClock) -> None:
    """The exchange is down: restarting every bot would only make it worse."""
    with fresh_guards():
        guard = Guard("exchange", breaker=Breaker.consecutive(1, open_for=60.0))
        async with open_runtime(Supervisor("bot"), log_level=None) as runtime:
            guard.dependency.force_open()

            assert livez(runtime, verbose=True) == (
                200,
                {
                    "status": "pass",
                    "checks": {
                        "loop": [{"componentType": "system", "status": "pass"}],
                        "root": [{"componentType": "system", "status": "pass"}],
                    },
                },
            )


async def test_the_root_that_gave_up_is_not_alive(autojump_clock: MockClock) -> None:
    """That is what a restart of the process is for."""
    found: dict[str, list[int]] = {}
    tree = Supervisor("bot", [Child("a", Crasher, backoff=TEN), Child("slow", Slow)], intensity=0)
    prober = Child("prober", lambda: Prober(found))

    async def give_up() -> None:
        async with open_runtime(tree, log_level=None, system=[prober]) as runtime:
            runtime.ref("/bot/a").tell(ValueError("bad"))
            await trio.sleep_forever()

    with pytest.raises(GaveUpError):
        await give_up()

    assert found["stopping"] == [503, 503, 200]


async def test_whoever_asks_all_the_time_costs_a_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes need no token, and a look takes milliseconds of a large bot: what was seen is told again for a while."""
    async with open_runtime(Supervisor("bot", [feed(Switch(at=0.0))]), log_level=None) as runtime:
        now, looks, health = 100.0, 0, runtime.health

        def slow_look() -> HealthReport:
            nonlocal now, looks
            now, looks = now + 0.005, looks + 1
            return health()

        monkeypatch.setattr(runtime, "now", lambda: now)
        monkeypatch.setattr(runtime, "health", slow_look)
        for _ in range(1000):
            readyz(runtime)
            now += 0.001

    assert looks == 20


def test_the_worst_check_decides() -> None:
    """`fail` before `warn` before `pass`; only `fail` is a 503."""
    passed, warned, failed = Check("a"), Check("b", "warn", "so so"), Check("c", "fail", "bad")

    def judged(*checks: Check) -> tuple[int, str]:
        status, body = answer(checks, verbose=False, exclude=(), detailed=True)
        return status, body["status"]

    assert judged() == (200, "pass")
    assert judged(passed, warned) == (200, "warn")
    assert judged(warned, failed, passed) == (503, "fail")
