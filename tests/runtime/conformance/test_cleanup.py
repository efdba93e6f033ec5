"""Clean-up that fails, hangs or blocks (C50 to C53, W7)."""

import math
import time

import trio

from duenna import (
    Actor,
    Child,
    ChildExited,
    ChildStuck,
    CleanupFailed,
    LoopBlocked,
    Supervisor,
    open_runtime,
)

from .probe import Flavour, Probe, Script
from .support import opened, run_virtually, settle, states, watching


async def test_c50_crash_in_cleanup_is_reported_and_the_stop_goes_on(probe: Probe) -> None:
    """The remaining children stop, and the runtime returns normally."""
    probe.plan("b", Script(stop_error=ValueError("cleanup")))

    async with opened(Supervisor("bot", probe.children("a b c"))) as runtime:
        async with watching(runtime, CleanupFailed) as seen:
            probe.forget()
            await runtime.stop()
        log = list(probe.log)

    assert log == ["-c", "-b", "-a"]
    assert [(event.path, "cleanup" in event.error) for event in seen] == [("/bot/b", True)]


async def test_c50_stop_child_returns_normally_when_cleanup_raises(probe: Probe) -> None:
    """The error is reported, not raised; the child is stopped and not restarted."""
    probe.plan("a", Script(stop_error=ValueError("cleanup")))

    async with opened(Supervisor("bot", probe.children("a b"), intensity=0)) as runtime:
        async with watching(runtime, CleanupFailed, ChildExited) as seen:
            await runtime.stop_child("/bot/a")
            await settle()
        shown = states(runtime)

    failures = [event.path for event in seen if isinstance(event, CleanupFailed)]
    contexts = [event.context for event in seen if isinstance(event, ChildExited)]
    assert failures == ["/bot/a"]
    assert contexts == ["shutdown_error"]
    assert shown == {"a": "stopped", "b": "running"}


def test_c50_report_names_the_failed_cleanups() -> None:
    """`run` returns normally; its report has the children whose clean-up raised."""
    probe = Probe(Flavour.TASK)
    probe.plan("b", Script(stop_error=ValueError("cleanup")))
    last = probe.child("last", restart="transient", significant=True)
    probe.plan("last", Script(lives=3))

    report = run_virtually(Supervisor("bot", [*probe.children("a b"), last], auto_shutdown="any"))

    assert report.reason == "finished"
    assert report.duration == 0
    assert any("/bot/b" in line for line in report.cleanup_errors)
    assert report.overran == ()
    assert probe.log == ["+a", "+b", "+last", "-last", "-b", "-a"]


async def test_c50_cleanup_after_a_crash_that_raises_is_one_failure(actors: Probe) -> None:
    """A crash whose clean-up crashes too is one crash and one restart."""
    actors.plan("a", Script(stop_error=ValueError("cleanup")))

    async with opened(Supervisor("bot", actors.children("a b"), intensity=1)) as runtime:
        actors.crash("a")
        await settle()
        seen = states(runtime)

    assert seen == {"a": "running", "b": "running"}
    assert actors.starts == {"a": 2, "b": 1}


async def test_c51_child_that_ignores_cancellation_is_reported_stuck(probe: Probe) -> None:
    """At its shutdown time it is `ChildStuck`; the others have their turn, the end waits for as long as it lives."""
    probe.plan("b", Script(stubborn=100))

    async with (
        opened(Supervisor("bot", probe.children("a b", shutdown=2))) as runtime,
        watching(runtime, ChildStuck) as seen,
    ):
        await trio.sleep(1)
        await runtime.stop()
        stopped = trio.current_time()

    assert [(event.time, event.path, event.incarnation) for event in seen] == [(3, "/bot/b", 1)]
    assert stopped == 101
    assert probe.timed[2:] == [(3, "-a"), (101, "-b")]


async def test_c51_stuck_child_is_never_doubled(tasks: Probe) -> None:
    """Its successor starts when it has ended, not before: never two live incarnations."""
    tasks.plan("a", Script(stubborn=100))

    async with (
        opened(Supervisor("bot", tasks.children("a b", shutdown=2))) as runtime,
        watching(runtime, ChildStuck) as seen,
    ):
        await runtime.restart_child("/bot/a")
        returned = trio.current_time()

    assert [(event.time, event.path) for event in seen] == [(2, "/bot/a")]
    assert returned == 100
    assert tasks.timed[2:4] == [(100, "-a"), (100, "+a")]
    assert tasks.overlaps == []


async def test_c51_stuck_child_delays_no_sibling(tasks: Probe) -> None:
    """While one is stuck the others are supervised as ever."""
    tasks.plan("a", Script(stubborn=100))

    async with (
        opened(Supervisor("bot", tasks.children("a b", shutdown=2))) as runtime,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(runtime.stop_child, "/bot/a")
        await trio.sleep(10)
        tasks.crash("b")
        await settle()
        seen = states(runtime)

    assert seen == {"a": "stopping", "b": "running"}
    assert tasks.times("+", "b") == [0, 10]


async def test_c51_cleanup_over_its_time_is_cancelled(actors: Probe) -> None:
    """`stopping` is shielded within the shutdown time, and no longer."""
    actors.plan("a", Script(stop_takes=1000))

    async with opened(Supervisor("bot", actors.children("a", shutdown=2))) as runtime:
        await runtime.stop()
        stopped = trio.current_time()

    assert stopped == 2
    assert actors.timed == [(0, "+a"), (2, "-a")]


async def test_c51_infinite_shutdown_waits_for_cleanup(probe: Probe) -> None:
    """`shutdown=inf` gives all the time there is, and is never stuck."""
    probe.plan("a", Script(stop_takes=100_000))

    async with (
        opened(Supervisor("bot", probe.children("a", shutdown=math.inf))) as runtime,
        watching(runtime, ChildStuck) as seen,
    ):
        await runtime.stop()
        stopped = trio.current_time()

    assert stopped == 100_000
    assert seen == []


async def test_c51_shutdown_zero_cuts_cleanup_short(actors: Probe) -> None:
    """0 leaves no time: clean-up ends at its first checkpoint."""
    actors.plan("a", Script(stop_takes=10))

    async with opened(Supervisor("bot", actors.children("a b", shutdown=0))) as runtime:
        await runtime.stop()
        stopped = trio.current_time()

    assert stopped == 0
    assert actors.log == ["+a", "+b", "-b", "-a"]


def test_c51_report_names_who_overran() -> None:
    """The `StopReport` has every child that overran its shutdown time."""
    probe = Probe(Flavour.TASK)
    probe.plan("b", Script(stubborn=100))
    probe.plan("last", Script(lives=3))
    last = probe.child("last", restart="temporary", significant=True)
    tree = Supervisor("bot", [*probe.children("a b", shutdown=200), last], auto_shutdown="any")
    slow = Supervisor("bot", [*probe.children("a b", shutdown=50), last], auto_shutdown="any")

    in_time = run_virtually(tree)
    probe.plan("b", Script(stubborn=100))
    probe.plan("last", Script(lives=3))
    late = run_virtually(slow)

    assert (in_time.overran, in_time.duration) == ((), 100)
    assert (late.overran, late.duration) == (("/bot/b",), 100)


async def test_c51_stuck_in_a_handler() -> None:
    """An async handler that shields itself is waited for, and nothing replaces it."""
    done: list[float] = []

    class Stubborn(Actor):
        async def receive(self, message: float) -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(message)
            done.append(trio.current_time())

    async with (
        opened(Supervisor("bot", [Child("a", Stubborn, shutdown=2)])) as runtime,
        watching(runtime, ChildStuck) as seen,
    ):
        runtime.ref("/bot/a").tell(100.0)
        await settle()
        await runtime.restart_child("/bot/a")
        restarted = trio.current_time()

    assert done == [100]
    assert restarted == 100
    assert [(event.time, event.path) for event in seen] == [(2, "/bot/a")]


def test_c53_blocked_loop_is_reported_by_the_watchdog_thread() -> None:
    """Clean-up that blocks the thread stalls everything: only a thread can see it. In real time."""

    class Blocker(Actor):
        def stopping(self, reason: object) -> None:
            del reason
            time.sleep(0.7)  # noqa: TID251  # the very thing that must be noticed

    blocked: list[LoopBlocked] = []

    async def main() -> None:
        async with (
            open_runtime(Supervisor("bot", [Child("a", Blocker)]), log_level=None, watchdog=0.2) as runtime,
            watching(runtime, LoopBlocked) as seen,
        ):
            await runtime.stop_child("/bot/a")
            with trio.move_on_after(1):
                while not seen:  # noqa: ASYNC110  # a thread posts it
                    await trio.sleep(0.01)
            blocked.extend(seen)

    trio.run(main)

    assert blocked
    assert blocked[0].actor == "/bot/a"
    assert blocked[0].seconds >= 0.2
    assert "stopping" in blocked[0].stack
