"""Budgets and waits: intensity, consecutive failures, backoff, parking (C33 to C47, S4, S5, W6, W9, W10)."""

import math
from typing import Any

import pytest
import trio

from duenna import (
    Backoff,
    ChildParked,
    ChildRestarting,
    ChildStateError,
    GaveUpError,
    StartFailedError,
    Supervisor,
    SupervisorGaveUp,
)

from .probe import (
    LONG,
    NOW,
    BoomError,
    Probe,
    Script,
    attempt,
    causes,
    node,
    opened,
    serve,
    settle,
    state,
    states,
    watching,
)

STEPS = Backoff.steps(10, 30, 60)
LONG_INTENSITY = 1_000_000
DOUBLING = Backoff.exponential(1.0, maximum=60.0, jitter="none")


class RateLimitedError(Exception):
    """A failure that says when to come back."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"retry after {retry_after}")
        self.retry_after = retry_after


def crashing(*lives: float) -> list[Script]:
    """Make scripts that crash after so many seconds each."""
    return [Script(lives=seconds, ends=BoomError) for seconds in lives]


# Intensity


@pytest.mark.parametrize(("second", "survives"), [(4.9, False), (5.0, False), (5.1, True)])
async def test_c33_window_has_both_ends(probe: Probe, second: float, survives: bool) -> None:
    """Intensity 1 in 5 s: a restart exactly 5 s ago still counts, one 5.1 s ago does not (S5)."""
    tree = Supervisor("bot", probe.children("a b"), intensity=1, period=5)

    async def play() -> None:
        async with opened(tree):
            probe.crash("a")
            await trio.sleep(second)
            probe.crash("a")
            await trio.sleep(100)

    outcome = await attempt(play)

    assert isinstance(outcome, GaveUpError) is not survives
    assert probe.starts["a"] == (3 if survives else 2)


async def test_c33_window_sums_over_all_children(probe: Probe) -> None:
    """S5: the budget is the supervisor's, whichever of its children spend it."""
    for i, name in enumerate("abcd"):
        probe.plan(name, *crashing(i + 1))
    tree = Supervisor("bot", probe.children("a b c d"), intensity=3, period=5)

    with pytest.raises(GaveUpError):
        await serve(tree)

    assert [time for time, line in probe.timed if line.startswith("-")] == [1, 2, 3, 4, 4, 4, 4]


async def test_c33_windows_of_two_supervisors_are_apart(probe: Probe) -> None:
    """A sub-supervisor's restarts are not its parent's."""
    for name in "abcd":
        probe.plan(name, *crashing(1))
    left, right = (
        Supervisor("left", probe.children("a b"), intensity=2),
        Supervisor("right", probe.children("c d"), intensity=2),
    )

    async with opened(Supervisor("bot", [left, right], intensity=0)) as runtime:
        await trio.sleep(10)
        seen = states(runtime)

    assert set(seen.values()) == {"running"}


async def test_c33_old_restarts_leave_the_window_one_by_one(probe: Probe) -> None:
    """The window slides: it is no bucket that is emptied."""
    probe.plan("a", *crashing(1, 3, 3, 3, 3, 1))
    tree = Supervisor("bot", probe.children("a"), intensity=2, period=5)

    with pytest.raises(GaveUpError):
        await serve(tree)

    assert probe.times("-", "a") == [1, 4, 7, 10, 13, 14]


async def test_c33_default_is_three_in_five_seconds(probe: Probe) -> None:
    """Without options a supervisor allows three restarts within five seconds."""
    probe.plan("a", *crashing(1, 1, 1, 1))

    with pytest.raises(GaveUpError):
        await serve(Supervisor("bot", probe.children("a")))

    assert probe.times("-", "a") == [1, 2, 3, 4]


async def test_s04_restart_is_counted_when_the_child_crashes(probe: Probe) -> None:
    """S4: counted before it is tried: a backoff moves no crash out of the window."""
    probe.plan("a", *crashing(0, 1.5))
    tree = Supervisor("bot", probe.children("a", backoff=Backoff.steps(3)), intensity=1, period=5)

    with pytest.raises(GaveUpError):
        await serve(tree)

    assert probe.timed == [(0, "+a"), (0, "-a"), (3, "+a"), (4.5, "-a")]


async def test_c34_intensity_zero_gives_up_at_the_first_crash(probe: Probe) -> None:
    """The others stop in reverse; GaveUpError carries the child's exception."""
    error = BoomError("one too many")
    probe.plan("b", Script(lives=1, ends=error))
    tree = Supervisor("bot", probe.children("a b c"), intensity=0)

    with pytest.raises(GaveUpError) as caught:
        await serve(tree)

    assert probe.timed == [(0, "+a"), (0, "+b"), (0, "+c"), (1, "-b"), (1, "-c"), (1, "-a")]
    assert caught.value.path == "/bot"
    assert caught.value.__cause__ is error


async def test_c34_giving_up_cancels_the_body(probe: Probe) -> None:
    """The body of `open_runtime` ends with its tree."""
    probe.plan("a", *crashing(1))

    ended: list[float] = []

    async def play() -> None:
        async with opened(Supervisor("bot", probe.children("a"), intensity=0)):
            try:
                await trio.sleep(LONG)
            finally:
                ended.append(trio.current_time())

    outcome = await attempt(play)

    assert isinstance(outcome, GaveUpError)
    assert ended == [1]


async def test_c34_giving_up_waits_for_cleanup_in_order(probe: Probe) -> None:
    """Giving up is an ordered stop."""
    for name in "abc":
        probe.plan(name, Script(stop_takes=2, lives=1 if name == "b" else math.inf, ends=BoomError))
    tree = Supervisor("bot", probe.children("a b c"), intensity=0)

    with pytest.raises(GaveUpError):
        await serve(tree)

    assert [line for _, line in probe.timed][3:] == ["-b", "-c", "-a"]
    assert probe.times("-", "a") == [7]


async def test_c34_giving_up_is_announced(probe: Probe) -> None:
    """`SupervisorGaveUp` names the supervisor, on whatever level."""
    probe.plan("a", *crashing(1))
    sub = Supervisor("sub", probe.children("a"), intensity=0, backoff=NOW)

    async with opened(Supervisor("bot", [sub])) as runtime, watching(runtime, SupervisorGaveUp) as seen:
        await trio.sleep(5)
        paths = [event.path for event in seen]

    assert paths == ["/bot/sub"]


async def test_c34_pending_restarts_are_dropped_when_giving_up(probe: Probe) -> None:
    """A sibling in backoff is not started by a supervisor that is on its way out."""
    probe.plan("a", *crashing(1))
    probe.plan("b", *crashing(2))
    tree = Supervisor("bot", probe.children("a b", backoff=Backoff.steps(3)), intensity=1, period=5)

    with pytest.raises(GaveUpError):
        await serve(tree)

    assert probe.timed == [(0, "+a"), (0, "+b"), (1, "-a"), (2, "-b")]


async def test_c35_failed_starts_during_a_restart_are_counted(probe: Probe) -> None:
    """Each failed attempt is one restart more; the last one's error is the cause."""
    error = BoomError("last")
    probe.plan("a", *crashing(1), *[Script(start_error=BoomError)] * 2, Script(start_error=error))
    tree = Supervisor("bot", probe.children("a b"), intensity=3, period=5)

    with pytest.raises(GaveUpError) as caught:
        await serve(tree)

    assert probe.log == ["+a", "+b", "-a", "!a", "!a", "!a", "-b"]
    assert caught.value.__cause__ is error


async def test_c35_failed_boot_of_a_restarted_supervisor_is_counted(probe: Probe) -> None:
    """S1 in a restart: a sub-supervisor whose boot fails is a child whose start failed."""
    probe.plan("x", *crashing(1), *[Script(start_error=BoomError)] * 5)
    sub = Supervisor("sub", probe.children("x"), intensity=0, backoff=NOW)
    tree = Supervisor("bot", [sub], intensity=2, period=5)

    with pytest.raises(GaveUpError):
        await serve(tree)

    assert probe.log == ["+x", "-x", "!x", "!x"]


async def test_s13_operator_stops_are_never_counted(probe: Probe) -> None:
    """Stop and restart by hand, as often as one likes."""
    async with opened(Supervisor("bot", probe.children("a b"), intensity=0)) as runtime:
        for _ in range(5):
            await runtime.stop_child("/bot/a")
            await runtime.restart_child("/bot/a")
        seen = states(runtime)

    assert seen == {"a": "running", "b": "running"}


async def test_finished_and_removed_children_are_not_counted(probe: Probe) -> None:
    """Only restarts count, not every end."""
    children = [probe.child("a", restart="transient"), probe.child("b", restart="temporary"), probe.child("c")]

    async with opened(Supervisor("bot", children, intensity=0)) as runtime:
        probe.end("a")
        probe.crash("b")
        await settle()
        seen = states(runtime)

    assert seen == {"a": "finished", "c": "running"}


# Backoff


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


async def test_c37_consecutive_failures_escalate(probe: Probe) -> None:
    """`max_failures=4`: the fifth failure in a row is the child's last (W10)."""
    error = BoomError("fifth")
    probe.plan("a", *crashing(0, 0, 0, 0), Script(lives=0, ends=error))
    tree = Supervisor("bot", probe.children("a b", backoff=DOUBLING, max_failures=4), intensity=3, period=5)

    with pytest.raises(GaveUpError) as caught:
        await serve(tree)

    assert probe.times("+", "a") == [0, 1, 3, 7, 15]
    assert probe.times("-", "b") == [15]
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("failed_starts", [False, True])
async def test_steps_10_30_60_and_then_park(probe: Probe, failed_starts: bool) -> None:
    """Three consecutive restarts, after 10, 30 and 60 s; the next failure gives up, however the child fails."""
    first, again = crashing(0)[0], Script(start_error=BoomError) if failed_starts else crashing(0)[0]
    probe.plan("a", first, again, again, again)
    spec = probe.child("a", backoff=STEPS, max_failures=3, on_give_up="park", unpark_after=None)

    async with opened(Supervisor("bot", [spec, probe.child("b")])) as runtime:
        await trio.sleep(10_000)
        seen = node(runtime, "/bot/a")

    assert probe.times("~", "a") == [0, 10, 40, 100]
    assert seen is not None
    assert (seen.state, seen.failures, seen.budget_left) == ("failed", 4, 0)


async def test_steps_repeat_the_last_one(probe: Probe) -> None:
    """Without a limit of failures the last step goes on."""
    probe.always("a", *crashing(0))

    async with opened(Supervisor("bot", probe.children("a", backoff=STEPS))):
        await trio.sleep(300)
        times = probe.times("+", "a")

    assert times == [0, 10, 40, 100, 160, 220, 280]


async def test_budget_left_counts_down(probe: Probe) -> None:
    """The tree shows how many restarts are left of `max_failures`."""
    probe.plan("a", *crashing(0, 0))
    spec = probe.child("a", backoff=Backoff.steps(10), max_failures=3, reset_after=20)

    async with opened(Supervisor("bot", [spec])) as runtime:
        left: list[int | None] = []
        for _ in range(3):
            await trio.sleep(5)
            found = node(runtime, "/bot/a")
            left.append(found.budget_left if found else None)
            await trio.sleep(5)

    assert left == [2, 1, 1]


async def test_max_failures_zero_gives_up_at_once(probe: Probe) -> None:
    """0 allows no restart; the supervisor escalates without having counted one."""
    probe.plan("a", *crashing(1))
    tree = Supervisor("bot", probe.children("a b", max_failures=0), intensity=100)

    with pytest.raises(GaveUpError):
        await serve(tree)

    assert probe.timed == [(0, "+a"), (0, "+b"), (1, "-a"), (1, "-b")]


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


# Retry-After


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


# Parking


async def test_parked_child_costs_nobody_else(probe: Probe) -> None:
    """Its siblings and its supervisor go on; an alert says that a hand is needed."""
    probe.plan("a", *crashing(1))
    children = [probe.child("a", max_failures=0, on_give_up="park", unpark_after=300), probe.child("b")]

    async with opened(Supervisor("bot", children)) as runtime, watching(runtime, ChildParked) as seen:
        await trio.sleep(10)
        shown = states(runtime)
        parked = [(event.time, event.path, event.failures, event.unpark_after) for event in seen]

    assert shown == {"a": "failed", "b": "running"}
    assert parked == [(1, "/bot/a", 1, 300)]
    assert probe.starts["b"] == 1


async def test_parked_child_begins_a_new_round_after_unpark_after(probe: Probe) -> None:
    """Each round is a fresh count of failures, the first step first."""
    probe.always("a", *crashing(0))
    spec = probe.child("a", backoff=STEPS, max_failures=3, on_give_up="park", unpark_after=300)

    async with opened(Supervisor("bot", [spec])):
        await trio.sleep(1000)
        times = probe.times("~", "a")

    assert times == [0, 10, 40, 100, 400, 410, 440, 500, 800, 810, 840, 900]


async def test_new_round_that_succeeds_is_an_ordinary_life(probe: Probe) -> None:
    """Unparked and well, the child has its whole budget again."""
    probe.plan("a", *crashing(0, 0))
    spec = probe.child("a", backoff=Backoff.steps(10), max_failures=1, on_give_up="park", unpark_after=300)

    async with opened(Supervisor("bot", [spec])) as runtime:
        await trio.sleep(400)
        seen = node(runtime, "/bot/a")

    assert probe.times("~", "a") == [0, 10, 310]
    assert seen is not None
    assert (seen.state, seen.failures, seen.budget_left) == ("running", 0, 1)


async def test_default_unpark_after_is_five_minutes(probe: Probe) -> None:
    """A parked child is tried again after 300 s."""
    probe.plan("a", *crashing(1))

    async with opened(Supervisor("bot", [probe.child("a", max_failures=0, on_give_up="park")])):
        await trio.sleep(1000)
        times = probe.times("~", "a")

    assert times == [0, 301]


async def test_unpark_after_none_waits_for_a_hand(probe: Probe) -> None:
    """Only an operator brings it back."""
    probe.plan("a", *crashing(1))
    spec = probe.child("a", max_failures=0, on_give_up="park", unpark_after=None)

    async with opened(Supervisor("bot", [spec])) as runtime:
        await trio.sleep(80_000)
        before = state(runtime, "/bot/a")
        await runtime.restart_child("/bot/a")
        after = state(runtime, "/bot/a")

    assert (before, after) == ("failed", "running")


async def test_parking_is_no_restart(probe: Probe) -> None:
    """The window counts restarts: a child that is set aside spends nothing."""
    probe.plan("a", *crashing(1))
    children = [probe.child("a", max_failures=0, on_give_up="park", unpark_after=None), probe.child("b")]

    async with opened(Supervisor("bot", children, intensity=0)) as runtime:
        await trio.sleep(5)
        seen = states(runtime)

    assert seen == {"a": "failed", "b": "running"}


async def test_window_is_not_parked_by_a_childs_on_give_up(probe: Probe) -> None:
    """A spent window is the supervisor's end, whatever its children would do."""
    probe.plan("a", *crashing(1, 1))
    tree = Supervisor("bot", probe.children("a b", max_failures=10, on_give_up="park"), intensity=1, period=5)

    with pytest.raises(GaveUpError):
        await serve(tree)

    assert probe.times("-", "b") == [2]


async def test_parked_supervisor_stays_down_as_a_whole(probe: Probe) -> None:
    """A sub-supervisor is a child: its own budget can park it, and a new round boots it again."""
    probe.plan("x", *crashing(1, 1))
    sub = Supervisor(
        "sub", probe.children("w x"), intensity=0, backoff=NOW, max_failures=1, on_give_up="park", unpark_after=100
    )

    async with opened(Supervisor("bot", [sub, probe.child("b")])) as runtime:
        await trio.sleep(5)
        parked = state(runtime, "/bot/sub")
        await trio.sleep(200)
        after = states(runtime)

    assert parked == "failed"
    assert after == {"sub": "running", "w": "running", "x": "running", "b": "running"}
    assert probe.times("+", "w") == [0, 1, 102]


async def test_stop_child_of_a_parked_child_is_sticky(probe: Probe) -> None:
    """An operator's stop ends the rounds."""
    probe.plan("a", *crashing(1))
    spec = probe.child("a", max_failures=0, on_give_up="park", unpark_after=100)

    async with opened(Supervisor("bot", [spec])) as runtime:
        await trio.sleep(5)
        await runtime.stop_child("/bot/a")
        await trio.sleep(1000)
        seen = state(runtime, "/bot/a")

    assert seen == "stopped"
    assert probe.starts["a"] == 1


async def test_c47_restart_of_a_parked_child_clears_its_count(probe: Probe) -> None:
    """By hand it begins a round of its own, and the old round's timer is void."""
    probe.always("a", *crashing(0))
    spec = probe.child("a", backoff=STEPS, max_failures=3, on_give_up="park", unpark_after=300)

    async with opened(Supervisor("bot", [spec])) as runtime:
        await trio.sleep(150)
        await runtime.restart_child("/bot/a")
        await trio.sleep(510)
        times = probe.times("~", "a")

    assert times == [0, 10, 40, 100, 150, 160, 190, 250, 550, 560, 590, 650]


async def test_failed_restart_of_a_parked_child_is_told_to_its_caller(probe: Probe) -> None:
    """S12: a start by hand that fails is an error of the call, and is not counted in the window."""
    probe.plan("a", *crashing(1), Script(start_error=BoomError))
    spec = probe.child("a", max_failures=0, on_give_up="park", unpark_after=None)

    async with opened(Supervisor("bot", [spec, probe.child("b")], intensity=0)) as runtime:
        await trio.sleep(5)
        caught = await attempt(lambda: runtime.restart_child("/bot/a"))
        await trio.sleep(5)
        seen = states(runtime)

    assert isinstance(caught, StartFailedError)
    assert seen["b"] == "running"
    assert seen["a"] in {"failed", "stopped"}


# Stop, restart and delete in backoff


async def test_c40_stop_in_backoff_is_immediate(probe: Probe) -> None:
    """`stop()` waits for no backoff."""
    probe.plan("a", *crashing(0))

    async with opened(Supervisor("bot", probe.children("a b", backoff=Backoff.steps(1000)))) as runtime:
        await trio.sleep(5)
        await runtime.stop()
        stopped = trio.current_time()

    assert stopped == 5
    assert probe.timed[-1] == (5, "-b")
    assert probe.starts["a"] == 1


async def test_c40_stop_child_in_backoff_is_immediate_and_sticky(probe: Probe) -> None:
    """S12: the restart loop is broken."""
    probe.plan("a", *crashing(0))

    async with opened(Supervisor("bot", probe.children("a", backoff=Backoff.steps(10)))) as runtime:
        await trio.sleep(5)
        await runtime.stop_child("/bot/a")
        stopped = trio.current_time()
        await trio.sleep(100)
        seen = state(runtime, "/bot/a")

    assert (stopped, seen) == (5, "stopped")
    assert probe.starts["a"] == 1


async def test_c43_restart_child_in_backoff_starts_now(probe: Probe) -> None:
    """At once, once, and without being counted."""
    probe.plan("a", *crashing(0))
    tree = Supervisor("bot", probe.children("a b", backoff=Backoff.steps(10)), intensity=1, period=100)

    async with opened(tree) as runtime:
        await trio.sleep(5)
        before = state(runtime, "/bot/a")
        await runtime.restart_child("/bot/a")
        after = state(runtime, "/bot/a")
        await trio.sleep(100)

    assert (before, after) == ("backoff", "running")
    assert probe.times("~", "a") == [0, 5]


async def test_c43_failed_restart_in_backoff_goes_back_to_backoff(probe: Probe) -> None:
    """The caller is told; the child is still one that is to run, so its supervisor goes on trying."""
    probe.plan("a", *crashing(0), Script(start_error=BoomError))
    spec = probe.child("a", backoff=Backoff.steps(10))

    async with opened(Supervisor("bot", [spec])) as runtime:
        await trio.sleep(5)
        caught = await attempt(lambda: runtime.restart_child("/bot/a"))
        await trio.sleep(100)
        seen = state(runtime, "/bot/a")

    assert isinstance(caught, StartFailedError)
    assert seen == "running"


async def test_c43_delete_and_start_in_backoff_are_refused(probe: Probe) -> None:
    """A child in backoff is there."""
    probe.plan("a", *crashing(0))

    async with opened(Supervisor("bot", probe.children("a", backoff=Backoff.steps(10)))) as runtime:
        await trio.sleep(5)
        deleted = await attempt(lambda: runtime.delete_child("/bot/a"))
        started = await attempt(lambda: runtime.start_child("/bot", probe.child("a")))
        await trio.sleep(10)
        seen = state(runtime, "/bot/a")

    assert isinstance(deleted, ChildStateError)
    assert isinstance(started, ChildStateError)
    assert seen == "running"


async def test_c45_start_timeout_in_a_restart_is_a_failure_like_another(probe: Probe) -> None:
    """It is counted, waits the next step, and is tried again."""
    probe.plan("a", *crashing(0), Script(start_takes=1000), Script(start_takes=1000))
    spec = probe.child("a", backoff=STEPS, start_timeout=3)

    async with opened(Supervisor("bot", [spec, probe.child("b")], intensity=3, period=1000)) as runtime:
        await trio.sleep(500)
        seen = node(runtime, "/bot/a")

    assert probe.times("~", "a") == [0, 10, 43, 106]
    assert probe.times("!", "a") == [13, 46]
    assert seen is not None
    assert (seen.state, seen.last_error is not None and "TooSlowError" in seen.last_error) == ("running", True)
    assert probe.starts["b"] == 1


async def test_c45_start_timeouts_can_give_up(probe: Probe) -> None:
    """Given up on for being slow, its cause is TooSlowError."""
    probe.plan("a", *crashing(1), Script(start_takes=1000))
    tree = Supervisor("bot", probe.children("a b", start_timeout=3), intensity=1, period=5)

    with pytest.raises(GaveUpError) as caught:
        await serve(tree)

    assert isinstance(causes(caught.value)[-1], trio.TooSlowError)
    assert probe.timed == [(0, "+a"), (0, "+b"), (1, "-a"), (4, "!a"), (4, "-b")]


async def test_c46_slow_start_delays_no_siblings_restart(probe: Probe) -> None:
    """W6: the supervisor does not wait for one child's start."""
    probe.plan("a", *crashing(0), Script(start_takes=29))

    async with opened(Supervisor("bot", probe.children("a b"))):
        await trio.sleep(5)
        probe.crash("b")
        await trio.sleep(100)

    assert probe.times("+", "b") == [0, 5]
    assert probe.times("+", "a") == [0, 29]


async def test_c46_slow_stop_delays_no_siblings_restart(probe: Probe) -> None:
    """The same for a child that takes its time to stop."""
    probe.plan("a", Script(stop_takes=29))

    async with opened(Supervisor("bot", probe.children("a b", shutdown=60))) as runtime:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(runtime.stop_child, "/bot/a")
            await trio.sleep(5)
            probe.crash("b")
            await settle()
            restarted = probe.times("+", "b")
        stopped = trio.current_time()

    assert restarted == [0, 5]
    assert stopped == 29


async def test_c46_slow_dynamic_start_delays_nobody(probe: Probe) -> None:
    """`start_child` holds up its caller, not the supervisor."""
    probe.plan("slow", Script(start_takes=20))

    async with opened(Supervisor("bot", probe.children("a"))) as runtime:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(runtime.start_child, "/bot", probe.child("slow"))
            await trio.sleep(5)
            probe.crash("a")
            await runtime.start_child("/bot", probe.child("quick"))
            quick = trio.current_time()
        slow = trio.current_time()

    assert (quick, slow) == (5, 20)
    assert probe.times("+", "a") == [0, 5]


async def test_c47_manual_restart_is_not_counted(probe: Probe) -> None:
    """An operator spends neither the window nor the child's budget."""
    tree = Supervisor("bot", probe.children("a b", max_failures=0), intensity=0)

    async with opened(tree) as runtime:
        for _ in range(5):
            await runtime.restart_child("/bot/a")
        seen = node(runtime, "/bot/a")

    assert seen is not None
    assert (seen.state, seen.incarnation, seen.failures) == ("running", 6, 0)


async def test_c47_manual_restart_waits_for_no_backoff(probe: Probe) -> None:
    """It is down for no longer than its stop takes, and the call returns when it is ready."""
    probe.plan("a", Script(stop_takes=2), Script(start_takes=3))
    spec = probe.child("a", backoff=Backoff.steps(100))

    async with opened(Supervisor("bot", [spec])) as runtime:
        await runtime.restart_child("/bot/a")
        returned = trio.current_time()
        seen = state(runtime, "/bot/a")

    assert (returned, seen) == (5, "running")
    assert probe.timed[:3] == [(0, "+a"), (2, "-a"), (5, "+a")]


@pytest.mark.parametrize("how", ["stopped", "parked"])
async def test_c47_restart_clears_the_count_of_failures(probe: Probe, how: str) -> None:
    """After a stop or a parking, the first crash waits the first step."""
    probe.plan("a", *crashing(0, 0), Script())
    spec = probe.child(
        "a", backoff=STEPS, max_failures=1 if how == "parked" else 9, on_give_up="park", unpark_after=None
    )

    async with opened(Supervisor("bot", [spec])) as runtime:
        await trio.sleep(20)
        if how == "stopped":
            await runtime.stop_child("/bot/a")
        await runtime.restart_child("/bot/a")
        fresh = node(runtime, "/bot/a")
        await trio.sleep(5)
        probe.crash("a")
        await trio.sleep(100)

    assert fresh is not None
    assert (fresh.state, fresh.failures) == ("running", 0)
    assert probe.times("~", "a") == [0, 10, 20, 35]


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
