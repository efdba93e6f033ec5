"""Stopping: in which order, and what counts as a stop (C48, S11, W2, W4, W13)."""

from typing import Any

import pytest
import trio

from duenna import (
    Backoff,
    Child,
    CleanupFailed,
    Context,
    Supervisor,
)

from .probe import NOW, BoomError, Probe, Script
from .support import attempt, opened, serve, settle, state, states, watching

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
