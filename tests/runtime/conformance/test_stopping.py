"""Stopping: order, time, refusals (C48 to C58, S11 to S13, W2, W4, W7, W13)."""

import inspect
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from duenna import (
    Actor,
    Backoff,
    Child,
    ChildExited,
    ChildStateError,
    ChildStuck,
    CleanupFailed,
    Context,
    DuennaError,
    LoopBlocked,
    Runtime,
    StoppedError,
    StopReport,
    Supervisor,
    UnknownPathError,
    open_runtime,
    run,
)

from .probe import NOW, BoomError, Flavour, Probe, Script, attempt, node, opened, serve, settle, state, states, watching

Call = Callable[[Runtime, Probe], Awaitable[object]]

CALLS: dict[str, Call] = {
    "start_child": lambda runtime, probe: runtime.start_child("/bot", probe.child("new")),
    "start_children": lambda runtime, probe: runtime.start_children("/bot", probe.children("new newer")),
    "stop_child": lambda runtime, _: runtime.stop_child("/bot/a"),
    "restart_child": lambda runtime, _: runtime.restart_child("/bot/a"),
    "delete_child": lambda runtime, _: runtime.delete_child("/bot/a"),
    "suspend": lambda runtime, _: runtime.suspend("/bot/a"),
    "resume": lambda runtime, _: runtime.resume("/bot/a"),
}


def run_virtually(tree: Supervisor) -> StopReport:
    """Run a bot's main loop on a virtual clock."""
    return run(tree, log_level=None, watchdog=None, clock=MockClock(autojump_threshold=0))


# Order


async def test_c48_stop_is_in_reverse_order(probe: Probe) -> None:
    """The last that started is the first that stops."""
    async with opened(Supervisor("bot", probe.children("b a c"))) as runtime:
        probe.forget()
        await runtime.stop()
        log = list(probe.log)

    assert log == ["-c", "-a", "-b"]


async def test_c48_stop_is_sequential(probe: Probe) -> None:
    """Each child is down before the next one is told to stop."""
    for name in "abc":
        probe.plan(name, Script(stop_takes=2))

    await serve(Supervisor("bot", probe.children("a b c")), 1)

    assert probe.timed[3:] == [(3, "-c"), (5, "-b"), (7, "-a")]


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_c48_order_is_the_same_under_every_strategy(probe: Probe, strategy: Any) -> None:
    """Strategies are about restarts."""
    tree = Supervisor("bot", probe.children("a b c"), strategy=strategy)

    await serve(tree, 1)

    assert probe.log[3:] == ["-c", "-b", "-a"]


async def test_c48_leaving_the_block_is_an_ordered_stop(probe: Probe) -> None:
    """With or without an exception in the body, which passes on as it is."""
    error = BoomError("body")

    async def play() -> None:
        async with opened(Supervisor("bot", probe.children("a b"))):
            raise error

    outcome = await attempt(play)

    assert outcome is error
    assert probe.log == ["+a", "+b", "-b", "-a"]


async def test_c48_restarted_child_keeps_its_place(probe: Probe) -> None:
    """Order is the order of the list, not of the last starts."""
    async with opened(Supervisor("bot", probe.children("a b c"))) as runtime:
        probe.crash("a")
        await settle()
        await runtime.restart_child("/bot/b")
        probe.forget()
        await runtime.stop()
        log = list(probe.log)

    assert log == ["-c", "-b", "-a"]


async def test_c48_stopping_hook_is_told_why(actors: Probe) -> None:
    """`stopping(reason)`: `"shutdown"`, `"normal"` or the exception."""
    error = BoomError("mine")

    async with opened(Supervisor("bot", actors.children("a b c", restart="transient"))):
        actors.crash("a", error)
        await settle()
        actors.end("b")
        await settle()

    assert actors.reasons == [("a", error), ("b", "normal"), ("c", "shutdown"), ("a", "shutdown")]


async def test_stop_waits_only_for_those_who_use_their_time(probe: Probe) -> None:
    """A body that minds no `stop_requested` uses up its drain time; a cell with an empty mailbox uses none."""
    names = " ".join(f"n{i}" for i in range(100))

    async with opened(Supervisor("bot", probe.children(names, drain=5, shutdown=5))) as runtime:
        await trio.sleep(1)
        await runtime.stop()
        stopped = trio.current_time()

    assert stopped == (1 if probe.flavour is Flavour.CELL else 501)


# Clean-up that fails or hangs


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


# Draining


async def test_c54_drain_lets_a_function_finish() -> None:
    """`stop_requested` is set at once; a return within the drain time is a normal end, without a cancel."""
    ends: list[object] = []

    async def worker(context: Context) -> None:
        try:
            await context.stop_requested.wait()
            await trio.sleep(3)
            ends.append("finished")
        except trio.Cancelled:
            ends.append("cancelled")
            raise

    async with opened(Supervisor("bot", [Child("a", worker, drain=5)])) as runtime:
        async with watching(runtime, ChildExited) as seen:
            await runtime.stop_child("/bot/a")
            stopped = trio.current_time()
        shown = state(runtime, "/bot/a")

    assert ends == ["finished"]
    assert stopped == 3
    assert [(event.reason, event.path) for event in seen] == [("normal", "/bot/a")]
    assert shown == "stopped"


async def test_c54_drain_lets_run_finish() -> None:
    """The same for a class with `run()`; `stopping` is told that it ended normally."""
    ends: list[object] = []

    class Worker(Actor):
        async def run(self) -> None:
            await self.context.stop_requested.wait()
            await trio.sleep(3)
            ends.append("finished")

        def stopping(self, reason: object) -> None:
            ends.append(reason)

    async with opened(Supervisor("bot", [Child("a", Worker, drain=5)])) as runtime:
        await runtime.stop()
        stopped = trio.current_time()

    assert stopped == 3
    assert ends == ["finished", "normal"]


async def test_c54_drain_empties_the_mailbox_of_a_cell() -> None:
    """A cell serves what is in its mailbox within the drain time."""
    served: list[int] = []

    class Worker(Actor):
        async def receive(self, message: int) -> None:
            await trio.sleep(1)
            served.append(message)

    async with opened(Supervisor("bot", [Child("a", Worker, drain=5)])) as runtime:
        for i in range(3):
            runtime.ref("/bot/a").tell(i)
        await runtime.stop_child("/bot/a")
        stopped = trio.current_time()

    assert served == [0, 1, 2]
    assert stopped == 3


async def test_c54_drain_serves_what_waits_for_a_function() -> None:
    """`messages()` gives a function what is in its mailbox, then ends."""
    served: list[object] = []

    async def worker(context: Context) -> None:
        async for message in context.messages():
            await trio.sleep(1)
            served.append(message)

    async with opened(Supervisor("bot", [Child("a", worker, drain=5)])) as runtime:
        for i in range(3):
            runtime.ref("/bot/a").tell(i)
        await runtime.stop_child("/bot/a")
        stopped = trio.current_time()

    assert served == [0, 1, 2]
    assert stopped == 3


async def test_c54_without_drain_the_mailbox_is_not_served() -> None:
    """`drain=0`: the handler is cancelled and the rest become dead letters."""
    served: list[int] = []

    class Worker(Actor):
        async def receive(self, message: int) -> None:
            await trio.sleep(1)
            served.append(message)

    async with opened(Supervisor("bot", [Child("a", Worker)])) as runtime:
        for i in range(3):
            runtime.ref("/bot/a").tell(i)
        await settle()
        await runtime.stop_child("/bot/a")
        stopped, dead = trio.current_time(), runtime.dead_letters

    assert served == []
    assert stopped == 0
    assert dead == 2


async def test_c55_drain_time_over_is_a_cancel(tasks: Probe) -> None:
    """Who has not ended by then is cancelled, and then has its shutdown time."""
    tasks.plan("a", Script(stop_takes=2))

    async with (
        opened(Supervisor("bot", tasks.children("a", drain=3, shutdown=5))) as runtime,
        watching(runtime, ChildExited, ChildStuck) as seen,
    ):
        await runtime.stop()
        stopped = trio.current_time()

    assert stopped == 5
    assert [(type(event), event.reason) for event in seen] == [(ChildExited, "shutdown")]


async def test_c55_shutdown_time_begins_after_the_drain(tasks: Probe) -> None:
    """Stuck is reported `drain + shutdown` seconds after the stop."""
    tasks.plan("a", Script(stubborn=100))

    async with (
        opened(Supervisor("bot", tasks.children("a", drain=3, shutdown=5))) as runtime,
        watching(runtime, ChildStuck) as seen,
    ):
        await runtime.stop()

    assert [(event.time, event.path) for event in seen] == [(8, "/bot/a")]


async def test_c55_drain_of_a_cell_over_is_a_cancel() -> None:
    """A cell's handler that is still at it is cancelled."""
    served: list[int] = []

    class Worker(Actor):
        async def receive(self, message: int) -> None:
            await trio.sleep(2)
            served.append(message)

    async with opened(Supervisor("bot", [Child("a", Worker, drain=5)])) as runtime:
        for i in range(10):
            runtime.ref("/bot/a").tell(i)
        await settle()
        await runtime.stop_child("/bot/a")
        stopped = trio.current_time()

    assert served == [0, 1]
    assert stopped == 5


async def test_c54_crash_while_draining_is_no_restart(probe: Probe) -> None:
    """A child that crashes while it is being stopped is stopped."""

    async def worker(context: Context) -> None:
        await context.stop_requested.wait()
        await trio.sleep(1)
        raise BoomError

    tree = Supervisor("bot", [Child("w", worker, drain=5, backoff=NOW), probe.child("a")], intensity=0)

    async with opened(tree) as runtime:
        async with watching(runtime, CleanupFailed) as seen:
            await runtime.stop_child("/bot/w")
        shown = states(runtime)

    assert shown == {"w": "stopped", "a": "running"}
    assert [event.path for event in seen] == ["/bot/w"]


# Ends that look like something else


async def test_w04_swallowed_cancel_is_still_a_stop() -> None:
    """What decides is that the child was asked to stop, not how it unwound."""

    async def swallower(context: Context) -> None:
        del context
        with trio.CancelScope() as scope:
            try:
                await trio.sleep_forever()
            finally:
                scope.cancel()
                await trio.lowlevel.checkpoint_if_cancelled()

    async def careless(context: Context) -> None:
        del context
        try:
            await trio.sleep_forever()
        except trio.Cancelled:  # wrong, and met in the wild
            return

    tree = Supervisor("bot", [Child("a", swallower, backoff=NOW), Child("b", careless, backoff=NOW)], intensity=0)

    async with opened(tree) as runtime:
        await runtime.stop_child("/bot/a")
        await runtime.stop_child("/bot/b")
        await trio.sleep(10)
        seen = states(runtime)

    assert seen == {"a": "stopped", "b": "stopped"}


async def test_w04_cancel_turned_into_an_error_is_a_failed_cleanup() -> None:
    """A child that makes an exception of its cancel is stopped, and the error is reported."""

    async def converter(context: Context) -> None:
        del context
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            raise ValueError("connection lost") from None

    async with opened(Supervisor("bot", [Child("a", converter, backoff=NOW)], intensity=0)) as runtime:
        async with watching(runtime, CleanupFailed) as seen:
            await runtime.stop_child("/bot/a")
        shown = state(runtime, "/bot/a")

    assert shown == "stopped"
    assert [event.path for event in seen] == ["/bot/a"]


async def test_w04_crash_at_the_very_moment_of_the_stop(probe: Probe) -> None:
    """S15, C74: asked to stop in the tick of its crash, a child is not restarted."""
    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:
        probe.crash("a")
        await runtime.stop_child("/bot/a")
        await trio.sleep(10)
        seen = states(runtime)

    assert seen == {"a": "stopped", "b": "running"}
    assert probe.alive["a"] == 0
    assert probe.overlaps == []


@pytest.mark.skipif("reason" not in inspect.signature(trio.CancelScope.cancel).parameters, reason="an older trio")
async def test_w13_cancel_says_why() -> None:
    """The reason of the Cancelled that a child sees names who stopped it."""
    reasons: list[str] = []

    async def curious(context: Context) -> None:
        del context
        try:
            await trio.sleep_forever()
        except trio.Cancelled as cancelled:
            reasons.append(str(cancelled))
            raise

    async with opened(Supervisor("bot", [Child("a", curious)])) as runtime:
        await runtime.stop_child("/bot/a")

    assert len(reasons) == 1
    assert "/bot" in reasons[0]


async def test_w02_cancel_of_the_surroundings_is_an_ordered_stop(probe: Probe) -> None:
    """Children are shielded: an outer cancel reaches them one after the other, in reverse."""
    for name in "abc":
        probe.plan(name, Script(stop_takes=2))

    with trio.move_on_after(10) as scope:
        await serve(Supervisor("bot", probe.children("a b c")))

    assert scope.cancelled_caught
    assert probe.timed[3:] == [(12, "-c"), (14, "-b"), (16, "-a")]


PHASES: dict[str, tuple[dict[str, Any], dict[str, list[Script]], list[tuple[float, str]]]] = {
    "backoff": (
        {"backoff": Backoff.steps(100)},
        {"b": [Script(lives=1, ends=BoomError)]},
        [(1, "-b"), (5, "-c"), (5, "-a")],
    ),
    "restart": (
        {},
        {"b": [Script(lives=1, ends=BoomError), Script(start_takes=20)]},
        [(1, "-b"), (5, "-c"), (5, "!b"), (5, "-a")],
    ),
    "cleanup after a crash": (
        {"shutdown": 50},
        {"b": [Script(lives=1, ends=BoomError, stop_takes=20)]},
        [(5, "-c"), (21, "-b"), (21, "-a")],
    ),
}


@pytest.mark.parametrize("phase", PHASES)
async def test_w02_cancel_in_every_phase(probe: Probe, phase: str) -> None:
    """Whatever the tree is at, an outer cancel ends it in order and passes on."""
    options, plans, expected = PHASES[phase]
    for name, scripts in plans.items():
        probe.plan(name, *scripts)

    with trio.move_on_after(5) as scope:
        await serve(Supervisor("bot", probe.children("a b c", **options)))

    assert scope.cancelled_caught
    assert probe.timed[3:] == expected
    assert sum(probe.alive.values()) == 0


@pytest.mark.parametrize("cancelled_at", [2, 4, 6, 8, 10, 12, 14])
@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_w02_cancel_at_any_point_of_a_group_restart(probe: Probe, strategy: Any, cancelled_at: float) -> None:
    """In its stop phase, its wait and its start phase."""
    probe.plan("a", Script(lives=1, ends=BoomError), Script(start_takes=2, stop_takes=1))
    for name in "bc":
        probe.plan(name, Script(stop_takes=2), Script(start_takes=2, stop_takes=1))
    tree = Supervisor("bot", probe.children("a b c", backoff=Backoff.steps(6)), strategy=strategy)

    with trio.move_on_after(cancelled_at) as scope:
        await serve(tree)

    ups = [line for _, line in probe.timed[6:] if line.startswith("+")]
    downs = [line for time, line in probe.timed if line.startswith("-") and time > max(cancelled_at, 5)]
    assert scope.cancelled_caught
    assert sum(probe.alive.values()) == 0
    assert probe.overlaps == []
    assert ups == sorted(ups)
    assert downs == sorted(downs, reverse=True)


async def test_w02_cancel_while_stopping_changes_nothing(probe: Probe) -> None:
    """A cancel in the middle of an ordered stop hastens nobody."""
    for name in "abc":
        probe.plan(name, Script(stop_takes=2))

    with trio.move_on_after(3) as scope:
        async with opened(Supervisor("bot", probe.children("a b c"))) as runtime:
            await runtime.stop()

    assert scope.cancelled_caught
    assert probe.timed[3:] == [(2, "-c"), (4, "-b"), (6, "-a")]


async def test_w02_cancelled_stop_goes_on_without_its_caller(probe: Probe) -> None:
    """Who waits in `stop_child` may leave; the stop is carried out."""
    probe.plan("a", Script(stop_takes=4))

    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:
        with trio.move_on_after(1) as scope:
            await runtime.stop_child("/bot/a")
        left = trio.current_time()
        await trio.sleep(10)
        seen = states(runtime)

    assert scope.cancelled_caught
    assert left == 1
    assert seen == {"a": "stopped", "b": "running"}
    assert probe.times("-", "a") == [4]


async def test_w02_cancelled_restart_goes_on_without_its_caller(probe: Probe) -> None:
    """The same for `restart_child`: the child is not left down."""
    probe.plan("a", Script(stop_takes=4))

    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:
        with trio.move_on_after(1):
            await runtime.restart_child("/bot/a")
        left = trio.current_time()
        await trio.sleep(10)
        seen = states(runtime)

    assert left == 1
    assert seen == {"a": "running", "b": "running"}
    assert probe.overlaps == []


# Twice, and from inside


async def test_c57_stop_twice_is_once(probe: Probe) -> None:
    """A second stop, during or after the first, waits with it and does nothing."""
    probe.plan("a", Script(stop_takes=2))

    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(runtime.stop)
            nursery.start_soon(runtime.stop)
            await trio.sleep(1)
            nursery.start_soon(runtime.stop)
        first = trio.current_time()
        await runtime.stop()
        second = trio.current_time()

    assert (first, second) == (2, 2)
    assert probe.log == ["+a", "+b", "-b", "-a"]


async def test_c57_stop_does_not_cancel_the_body(probe: Probe) -> None:
    """After `runtime.stop()` the body goes on."""
    async with opened(Supervisor("bot", probe.children("a"))) as runtime:
        await runtime.stop()
        await trio.sleep(100)
        ended = trio.current_time()

    assert ended == 100


async def test_c57_stop_from_inside_a_function() -> None:
    """A child may stop the runtime that it runs in: no deadlock; its own call ends with it."""
    probe = Probe(Flavour.FUNCTION)

    async def suicidal(context: Context) -> None:
        await trio.sleep(1)
        await context.runtime.stop()

    tree = Supervisor("bot", [probe.child("a"), Child("s", suicidal), probe.child("c")])

    async with opened(tree):
        await trio.sleep(10)
        log = list(probe.timed)

    assert log == [(0, "+a"), (0, "+c"), (1, "-c"), (1, "-a")]


async def test_c57_stop_from_inside_a_handler() -> None:
    """The same from a cell's async handler."""
    probe = Probe(Flavour.CELL)

    class Suicidal(Actor):
        async def receive(self, message: str) -> None:
            del message
            await self.context.runtime.stop()

    tree = Supervisor("bot", [probe.child("a"), Child("s", Suicidal), probe.child("c")])

    async with opened(tree) as runtime:
        runtime.ref("/bot/s").tell("stop")
        await trio.sleep(10)
        log = list(probe.timed)

    assert log == [(0, "+a"), (0, "+c"), (0, "-c"), (0, "-a")]


@pytest.mark.parametrize("operation", ["stop_child", "restart_child"])
async def test_c57_child_that_stops_or_restarts_itself(operation: str) -> None:
    """A call of a child about itself ends with its incarnation and deadlocks nobody."""
    starts: list[int] = []

    async def selfish(context: Context) -> None:
        starts.append(context.incarnation)
        if context.incarnation == 1:
            await getattr(context.runtime, operation)(context.path)
        await trio.sleep_forever()

    async with opened(Supervisor("bot", [Child("a", selfish)], intensity=0)) as runtime:
        await trio.sleep(1)
        seen = state(runtime, "/bot/a")

    assert seen == ("stopped" if operation == "stop_child" else "running")
    assert starts == ([1] if operation == "stop_child" else [1, 2])


async def test_c57_child_that_stops_its_own_supervisor() -> None:
    """Even of the branch that it sits on."""
    probe = Probe(Flavour.FUNCTION)

    async def sawyer(context: Context) -> None:
        await trio.sleep(1)
        await context.runtime.stop_child("/bot/sub")

    sub = Supervisor("sub", [probe.child("x"), Child("s", sawyer)])

    async with opened(Supervisor("bot", [sub, probe.child("b")])) as runtime:
        await trio.sleep(10)
        seen = {name: kind for name, kind in states(runtime).items() if name in {"sub", "b"}}

    assert seen == {"sub": "stopped", "b": "running"}


async def test_c57_stop_child_twice_at_once(probe: Probe) -> None:
    """Both callers wait for the same stop."""
    probe.plan("a", Script(stop_takes=2))
    times: list[float] = []

    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:

        async def stop() -> None:
            await runtime.stop_child("/bot/a")
            times.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop)
            nursery.start_soon(stop)

    assert times == [2, 2]


# After the end


@pytest.mark.parametrize("call", CALLS)
async def test_c58_call_after_the_end_is_refused_at_once(probe: Probe, call: str) -> None:
    """A runtime that has ended raises StoppedError."""
    async with opened(Supervisor("bot", probe.children("a"))) as runtime:
        await runtime.stop()
        inside = await attempt(lambda: CALLS[call](runtime, probe))
    outside = await attempt(lambda: CALLS[call](runtime, probe))

    assert isinstance(inside, StoppedError)
    assert isinstance(outside, StoppedError)


@pytest.mark.parametrize("call", CALLS)
async def test_c58_call_during_the_stop_never_hangs(probe: Probe, call: str) -> None:
    """While the supervisor goes down, a call is carried out or refused, and always answered."""
    probe.plan("b", Script(stop_takes=5))
    answers: list[object] = []

    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:

        async def ask() -> None:
            await trio.sleep(1)
            answers.append(await attempt(lambda: CALLS[call](runtime, probe)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await runtime.stop()

    assert len(answers) == 1
    assert not isinstance(answers[0], Exception) or isinstance(answers[0], DuennaError)
    assert sum(probe.alive.values()) == 0


async def test_c58_start_child_under_way_fails_when_the_supervisor_ends(probe: Probe) -> None:
    """A dynamic start that the stop overtakes raises StoppedError to its caller."""
    probe.plan("slow", Script(start_takes=20))
    answers: list[object] = []

    async with opened(Supervisor("bot", probe.children("a"))) as runtime:

        async def start() -> None:
            answers.append(await attempt(lambda: runtime.start_child("/bot", probe.child("slow"))))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(start)
            await trio.sleep(5)
            await runtime.stop()
        ended = trio.current_time()

    assert [type(answer) for answer in answers] == [StoppedError]
    assert ended == 5
    assert probe.log == ["+a", "!slow", "-a"]


async def test_c58_call_to_a_supervisor_that_gives_up_is_answered(probe: Probe) -> None:
    """A call to a branch that escalates meanwhile fails; it does not hang."""
    probe.plan("slow", Script(start_takes=20))
    probe.plan("x", Script(lives=5, ends=BoomError))
    sub = Supervisor("sub", probe.children("x"), intensity=0, backoff=NOW)
    answers: list[object] = []

    async with opened(Supervisor("bot", [sub, probe.child("b")])) as runtime:

        async def start() -> None:
            answers.append(await attempt(lambda: runtime.start_child("/bot/sub", probe.child("slow"))))
            answers.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(start)
        await trio.sleep(100)
        seen = states(runtime)

    assert isinstance(answers[0], DuennaError)
    assert answers[1] == 5
    assert seen == {"sub": "running", "x": "running", "b": "running"}


async def test_c58_restart_child_overtaken_by_a_stop_is_answered(probe: Probe) -> None:
    """Who waits for a child to be ready is told when an operator stops it instead."""
    probe.plan("a", Script(), Script(start_takes=20))
    answers: list[object] = []

    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:

        async def restart() -> None:
            answers.append(await attempt(lambda: runtime.restart_child("/bot/a")))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(restart)
            await trio.sleep(5)
            await runtime.stop_child("/bot/a")
        ended = trio.current_time()
        seen = states(runtime)

    assert len(answers) == 1
    assert isinstance(answers[0], DuennaError)
    assert ended == 5
    assert seen == {"a": "stopped", "b": "running"}


# The table of S12


async def make_running(runtime: Runtime, probe: Probe) -> None:
    """Leave it as it is."""


async def make_stopped(runtime: Runtime, probe: Probe) -> None:
    """Stop it by hand."""
    await runtime.stop_child("/bot/a")


async def make_finished(runtime: Runtime, probe: Probe) -> None:
    """Let it return."""
    probe.end("a")
    await settle()


async def make_backoff(runtime: Runtime, probe: Probe) -> None:
    """Let it crash."""
    probe.crash("a")
    await settle()


async def make_parked(runtime: Runtime, probe: Probe) -> None:
    """Let it crash twice."""
    probe.crash("a")
    await trio.sleep(11)
    probe.crash("a")
    await settle()


async def make_starting(runtime: Runtime, probe: Probe) -> None:
    """Let it crash and be slow to come back."""
    probe.plan("a", Script(start_takes=5))
    probe.crash("a")
    await trio.sleep(12)


STATES: dict[str, Callable[[Runtime, Probe], Awaitable[None]]] = {
    "running": make_running,
    "stopped": make_stopped,
    "finished": make_finished,
    "backoff": make_backoff,
    "failed": make_parked,
    "starting": make_starting,
}

TABLE = [
    # state, call, answer, state afterwards
    ("running", "start_child", ChildStateError, "running"),
    ("running", "stop_child", None, "stopped"),
    ("running", "restart_child", None, "running"),
    ("running", "delete_child", ChildStateError, "running"),
    ("stopped", "start_child", ChildStateError, "stopped"),
    ("stopped", "stop_child", None, "stopped"),
    ("stopped", "restart_child", None, "running"),
    ("stopped", "delete_child", None, "absent"),
    ("finished", "start_child", ChildStateError, "finished"),
    ("finished", "stop_child", None, ("finished", "stopped")),
    ("finished", "restart_child", None, "running"),
    ("finished", "delete_child", None, "absent"),
    ("backoff", "start_child", ChildStateError, "backoff"),
    ("backoff", "stop_child", None, "stopped"),
    ("backoff", "restart_child", None, "running"),
    ("backoff", "delete_child", ChildStateError, "backoff"),
    ("failed", "start_child", ChildStateError, "failed"),
    ("failed", "stop_child", None, "stopped"),
    ("failed", "restart_child", None, "running"),
    ("failed", "delete_child", None, "absent"),
    ("starting", "start_child", ChildStateError, "starting"),
    ("starting", "stop_child", None, "stopped"),
    ("starting", "delete_child", ChildStateError, "starting"),
]


@pytest.mark.parametrize(("before", "call", "answer", "after"), TABLE)
async def test_s12_table_of_calls(
    probe: Probe, before: str, call: str, answer: type[Exception] | None, after: str | tuple[str, ...]
) -> None:
    """S12, as amended: what each call answers in each state, and what it leaves."""
    probe.plan("a", Script(), Script(start_takes=0.5) if before == "starting" else Script())
    spec = probe.child(
        "a",
        restart="transient",
        backoff=Backoff.steps(10),
        max_failures=1,
        on_give_up="park",
        unpark_after=None,
    )
    calls: dict[str, Call] = {**CALLS, "start_child": lambda runtime, _: runtime.start_child("/bot", spec)}

    async with opened(Supervisor("bot", [spec, probe.child("b")])) as runtime:
        await STATES[before](runtime, probe)
        was = state(runtime, "/bot/a")
        outcome = await attempt(lambda: calls[call](runtime, probe))
        now = state(runtime, "/bot/a")
        sibling = probe.starts["b"]

    assert was == before
    if answer is None:
        assert not isinstance(outcome, Exception)
    else:
        assert type(outcome) is answer
    assert now in ((after,) if isinstance(after, str) else after)
    assert sibling == 1


@pytest.mark.parametrize("call", ["stop_child", "restart_child", "delete_child", "suspend", "resume"])
async def test_s12_unknown_path_is_refused(probe: Probe, call: str) -> None:
    """A path that names nobody is an UnknownPathError that names the path."""
    async with opened(Supervisor("bot", probe.children("b"))) as runtime:
        outcome = await attempt(lambda: CALLS[call](runtime, probe))

    assert isinstance(outcome, UnknownPathError)
    assert outcome.path == "/bot/a"


async def test_s12_stop_child_of_a_temporary_removes_it(probe: Probe) -> None:
    """A temporary child's spec goes with it, by whatever hand."""
    spec = probe.child("a", restart="temporary")

    async with opened(Supervisor("bot", [spec])) as runtime:
        await runtime.stop_child("/bot/a")
        seen = state(runtime, "/bot/a")
        await runtime.start_child("/bot", spec)
        again = state(runtime, "/bot/a")

    assert (seen, again) == ("absent", "running")


async def test_s12_failed_restart_of_a_stopped_child_leaves_it_down(probe: Probe) -> None:
    """Its caller is told; nothing is counted, nothing is tried again."""
    error = BoomError("no")
    probe.plan("a", Script(), Script(start_error=error))

    async with opened(Supervisor("bot", probe.children("a b"), intensity=0)) as runtime:
        await runtime.stop_child("/bot/a")
        caught = await attempt(lambda: runtime.restart_child("/bot/a"))
        await trio.sleep(1000)
        seen = states(runtime)

    assert isinstance(caught, Exception)
    assert caught.__cause__ is error
    assert seen == {"a": "stopped", "b": "running"}
    assert probe.starts["a"] == 2


async def test_s12_deleted_child_is_a_stranger(probe: Probe) -> None:
    """Its name is free, and whoever takes it begins at the first incarnation with a clean count."""
    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:
        probe.crash("a")
        await settle()
        await runtime.stop_child("/bot/a")
        await runtime.delete_child("/bot/a")
        await runtime.start_child("/bot", probe.child("a"))
        seen = node(runtime, "/bot/a")

    assert seen is not None
    assert (seen.state, seen.failures, seen.restarts) == ("running", 0, 0)


async def test_sticky_stop_survives_everything_but_a_hand(probe: Probe) -> None:
    """Neither time nor siblings bring back what an operator stopped."""
    probe.plan("b", *[Script(lives=1, ends=BoomError)] * 20)
    tree = Supervisor("bot", probe.children("a b"), strategy="one_for_all", intensity=100)

    async with opened(tree) as runtime:
        await runtime.stop_child("/bot/a")
        await trio.sleep(10_000)
        seen = states(runtime)

    assert seen == {"a": "stopped", "b": "running"}
    assert probe.starts["a"] == 1


async def test_stop_child_of_a_starting_dynamic_child_answers_both_callers(probe: Probe) -> None:
    """The start's caller learns that it was stopped, the stop's caller that it is down."""
    probe.plan("a", Script(start_takes=20))
    answers: list[object] = []

    async with opened(Supervisor("bot", probe.children("b"))) as runtime:

        async def start() -> None:
            answers.append(await attempt(lambda: runtime.start_child("/bot", probe.child("a"))))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(start)
            await trio.sleep(5)
            await runtime.stop_child("/bot/a")
        ended = trio.current_time()
        seen = states(runtime)

    assert len(answers) == 1
    assert isinstance(answers[0], DuennaError)
    assert ended == 5
    assert seen in ({"a": "stopped", "b": "running"}, {"b": "running"})
    assert probe.log[-2:] == ["!a", "-b"]


@attrs.define
class Suicide(Actor):
    """A class that asks the runtime to stop it."""

    def receive(self, message: str) -> None:
        del message
        self.context.stop()


@pytest.mark.parametrize(
    ("restart", "expected"), [("permanent", "running"), ("transient", "finished"), ("temporary", "absent")]
)
async def test_context_stop_is_a_normal_end(restart: Any, expected: str) -> None:
    """`context.stop()` is as if `run()` had returned."""
    async with opened(Supervisor("bot", [Child("a", Suicide, restart=restart, backoff=NOW)])) as runtime:
        runtime.ref("/bot/a").tell("now")
        await settle()
        seen = state(runtime, "/bot/a")

    assert seen == expected


@pytest.mark.parametrize("second", ["restart_child", "delete_child", "suspend"])
async def test_call_while_a_child_is_stopping_is_answered(probe: Probe, second: str) -> None:
    """Carried out after the stop or refused; never a second incarnation beside the first."""
    probe.plan("a", Script(stop_takes=5))
    answers: list[object] = []

    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:

        async def again() -> None:
            await trio.sleep(1)
            answers.append(await attempt(lambda: getattr(runtime, second)("/bot/a")))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(again)
            await runtime.stop_child("/bot/a")
        await settle()
        seen = states(runtime)

    assert len(answers) == 1
    assert not isinstance(answers[0], Exception) or isinstance(answers[0], ChildStateError)
    assert seen["b"] == "running"
    assert probe.overlaps == []


async def test_stop_while_a_restart_by_hand_is_under_way(probe: Probe) -> None:
    """The later call wins: what was stopped last stays down; both are answered."""
    probe.plan("a", Script(stop_takes=5))
    answers: list[object] = []

    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:

        async def restart() -> None:
            answers.append(await attempt(lambda: runtime.restart_child("/bot/a")))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(restart)
            await trio.sleep(1)
            await runtime.stop_child("/bot/a")
        await trio.sleep(10)
        seen = states(runtime)

    assert isinstance(answers[0], DuennaError)
    assert seen == {"a": "stopped", "b": "running"}
    assert probe.starts["a"] == 1


async def test_many_restarts_at_once_are_all_answered(probe: Probe) -> None:
    """Any number of operators may restart one child at once."""
    probe.always("a", Script(start_takes=1, stop_takes=1))
    answers: list[object] = []

    async with opened(Supervisor("bot", probe.children("a b"), intensity=0)) as runtime:

        async def restart() -> None:
            answers.append(await attempt(lambda: runtime.restart_child("/bot/a")))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(restart)
                await trio.sleep(0.75)
        await trio.sleep(50)
        seen = states(runtime)

    assert len(answers) == 5
    assert all(not isinstance(answer, Exception) or isinstance(answer, ChildStateError) for answer in answers)
    assert seen == {"a": "running", "b": "running"}
    assert probe.overlaps == []
