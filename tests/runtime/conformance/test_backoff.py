"""Backoff: how long a child waits, and for whom (C37 to C39, W9)."""

import math
from typing import Any

import pytest
import trio

from duenna import (
    Backoff,
    ChildRestarting,
    Supervisor,
)

from .probe import BoomError, Probe, Script
from .support import DOUBLING, STEPS, crashing, opened, settle, state, states, watching

LONG_INTENSITY = 1_000_000


class RateLimitedError(Exception):
    """A failure that says when to come back."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"retry after {retry_after}")
        self.retry_after = retry_after


async def test_c37_backoff_never_trips_the_window(probe: Probe) -> None:
    """1, 2, 4, ... with three in five seconds: the child keeps failing for an hour, and all is alive."""
    probe.always("a", *crashing(0))
    tree = Supervisor("bot", probe.children("a", backoff=DOUBLING), intensity=3, period=5)

    async with opened(tree) as runtime:
        await trio.sleep(3600)
        seen = state(runtime, "/bot/a")

    assert probe.times("+", "a")[:9] == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    assert len(probe.times("+", "a")) == 65
    assert seen in {"running", "backoff"}


async def test_steps_repeat_the_last_one(probe: Probe) -> None:
    """Without a limit of failures the last step goes on."""
    probe.always("a", *crashing(0))

    async with opened(Supervisor("bot", probe.children("a", backoff=STEPS))):
        await trio.sleep(300)
        times = probe.times("+", "a")

    assert times == [0, 10, 40, 100, 160, 220, 280]


@pytest.mark.parametrize(("uptime", "wait"), [(59.75, 30), (60, 10), (60.25, 10)])
async def test_c38_count_of_failures_resets_after_uptime(probe: Probe, uptime: float, wait: float) -> None:
    """Uptime of `reset_after` or more: the first step again; just below: the second."""
    probe.plan("a", *crashing(0, uptime))

    async with opened(Supervisor("bot", probe.children("a", backoff=STEPS, reset_after=60))):
        await trio.sleep(500)
        times = probe.times("+", "a")

    assert times == [0, 10, 10 + uptime + wait]


async def test_c38_uptime_is_counted_from_ready(probe: Probe) -> None:
    """A long start is no uptime."""
    probe.plan("a", *crashing(0), Script(start_takes=25, lives=40, ends=BoomError))

    async with opened(Supervisor("bot", probe.children("a", backoff=STEPS, reset_after=60))):
        await trio.sleep(500)
        times = probe.times("+", "a")

    assert times == [0, 35, 105]


async def test_c38_time_in_backoff_is_no_uptime(probe: Probe) -> None:
    """A wait longer than `reset_after` resets nothing."""
    probe.always("a", *crashing(0))
    spec = probe.child(
        "a", backoff=Backoff.steps(100), reset_after=60, max_failures=3, on_give_up="park", unpark_after=None
    )

    async with opened(Supervisor("bot", [spec])) as runtime:
        await trio.sleep(1000)
        seen = state(runtime, "/bot/a")

    assert probe.times("~", "a") == [0, 100, 200, 300]
    assert seen == "failed"


async def test_c38_reset_saves_a_child_from_giving_up(probe: Probe) -> None:
    """Failures that are far apart never add up."""
    probe.plan("a", *crashing(*[61] * 20))
    tree = Supervisor("bot", probe.children("a", max_failures=1), intensity=3)

    async with opened(tree) as runtime:
        await trio.sleep(61 * 25)
        seen = state(runtime, "/bot/a")

    assert probe.starts["a"] == 21
    assert seen == "running"


@pytest.mark.parametrize(("jitter", "low"), [("full", 0.0), ("equal", 0.5), ("none", 1.0)])
async def test_c39_jitter_stays_in_its_range(probe: Probe, jitter: Any, low: float) -> None:
    """Every wait lies within its range and under the cap, whatever the draw."""
    probe.always("a", *crashing(1))
    backoff = Backoff.exponential(1.0, maximum=8.0, jitter=jitter)
    tree = Supervisor("bot", probe.children("a", backoff=backoff), intensity=LONG_INTENSITY)

    async with opened(tree) as runtime, watching(runtime, ChildRestarting) as seen:
        await trio.sleep(200)
        waits = [event.delay for event in seen]

    assert len(waits) > 20
    for failure, wait in enumerate(waits, 1):
        full = min(8.0, 2.0 ** (failure - 1))
        assert low * full <= wait <= full


async def test_c39_a_seed_gives_the_same_waits_again(probe: Probe) -> None:
    """Chance comes from the runtime's seeded generator only."""
    probe.always("a", *crashing(1))
    runs: list[list[float]] = []

    for seed in (7, 7, 8):
        tree = Supervisor(
            "bot", probe.children("a", backoff=Backoff.exponential(1.0, jitter="full")), intensity=LONG_INTENSITY
        )
        async with opened(tree, seed=seed) as runtime, watching(runtime, ChildRestarting) as seen:
            await trio.sleep(300)
            runs.append([event.delay for event in seen])

    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


async def test_c39_decorrelated_waits_stay_in_their_range(probe: Probe) -> None:
    """Each wait is drawn from [initial, 3 * previous], capped."""
    probe.always("a", *crashing(1))
    tree = Supervisor(
        "bot", probe.children("a", backoff=Backoff.decorrelated(1.0, maximum=20.0)), intensity=LONG_INTENSITY
    )

    async with opened(tree) as runtime, watching(runtime, ChildRestarting) as seen:
        await trio.sleep(1000)
        waits = [event.delay for event in seen]

    assert len(waits) > 20
    for previous, wait in zip([1.0, *waits], waits, strict=False):
        assert 1.0 <= wait <= min(20.0, 3 * max(previous, 1.0))


async def test_default_backoff_is_between_half_a_second_and_a_second(actors: Probe) -> None:
    """The default is exponential from 1 s with equal jitter."""
    spec = actors.child("a", backoff=Backoff.exponential(1.0, maximum=60.0, jitter="equal"))
    default = type(spec)("a", spec.start)

    assert default.backoff == spec.backoff


@pytest.mark.parametrize(("asked", "expected"), [(20.0, 20.0), (5.0, 10.0), (0.0, 10.0), (500.0, 500.0)])
async def test_retry_after_is_a_floor_under_the_backoff(probe: Probe, asked: float, expected: float) -> None:
    """The later of the two decides, even above the backoff's cap."""
    probe.plan("a", Script(lives=0, ends=RateLimitedError(asked)))

    async with opened(Supervisor("bot", probe.children("a", backoff=Backoff.steps(10)))):
        await trio.sleep(1000)
        times = probe.times("+", "a")

    assert times == [0, expected]


async def test_retry_after_is_found_in_causes_and_groups(probe: Probe) -> None:
    """Wherever in the chain or the group the error with `retry_after` is."""
    wrapped = BoomError("outer")
    wrapped.__cause__ = RateLimitedError(20)
    grouped = ExceptionGroup("several", [ValueError("x"), ExceptionGroup("inner", [RateLimitedError(30)])])
    probe.plan("a", Script(lives=0, ends=wrapped), Script(lives=0, ends=grouped))

    async with opened(Supervisor("bot", probe.children("a", backoff=Backoff.steps(10)))):
        await trio.sleep(1000)
        times = probe.times("+", "a")

    assert times == [0, 20, 50]


async def test_retry_after_of_a_failed_start_is_a_floor_too(probe: Probe) -> None:
    """A start that is told to come back later is tried later."""
    probe.plan("a", *crashing(0), Script(start_error=RateLimitedError(100)))

    async with opened(Supervisor("bot", probe.children("a", backoff=Backoff.steps(10)))):
        await trio.sleep(1000)
        times = probe.times("~", "a")

    assert times == [0, 10, 110]


@pytest.mark.parametrize("nonsense", [math.nan, -5.0, "soon", None])
async def test_retry_after_that_is_no_time_is_ignored(probe: Probe, nonsense: Any) -> None:
    """A foreign exception's odd attribute does no harm."""
    probe.plan("a", Script(lives=0, ends=RateLimitedError(nonsense)))

    async with opened(Supervisor("bot", probe.children("a", backoff=Backoff.steps(10)))):
        await trio.sleep(1000)
        times = probe.times("+", "a")

    assert times == [0, 10]


async def test_retry_after_is_a_floor_under_a_groups_wait(probe: Probe) -> None:
    """The group waits for what its trigger was told."""
    probe.plan("a", Script(lives=0, ends=RateLimitedError(20)))
    tree = Supervisor("bot", probe.children("a b", backoff=Backoff.steps(10)), strategy="one_for_all")

    async with opened(tree):
        await trio.sleep(1000)
        times = probe.times("+", "b")

    assert times == [0, 20]


async def test_w09_due_restarts_of_one_instant_all_happen(probe: Probe) -> None:
    """Any number of restarts may fall due at once."""
    names = " ".join(f"n{i}" for i in range(50))
    for name in names.split():
        probe.plan(name, *crashing(0))

    async with opened(Supervisor("bot", probe.children(names, backoff=Backoff.steps(10)), intensity=50)) as runtime:
        await trio.sleep(10)
        await settle()
        seen = set(states(runtime).values())

    assert {tuple(probe.times("+", name)) for name in names.split()} == {(0, 10)}
    assert seen == {"running"}


async def test_w09_nothing_wakes_up_while_a_child_waits(probe: Probe) -> None:
    """A backoff costs no wake-up before its time: the virtual clock jumps straight to it."""

    class Jumps(trio.abc.Instrument):
        count = 0

        def before_io_wait(self, timeout: float) -> None:
            del timeout
            self.count += 1

    probe.plan("a", *crashing(0))
    jumps = Jumps()

    async with opened(Supervisor("bot", probe.children("a b", backoff=Backoff.steps(100_000)))):
        await settle()
        trio.lowlevel.add_instrument(jumps)
        await trio.sleep(50_000)
        trio.lowlevel.remove_instrument(jumps)

    assert jumps.count < 20
