"""Budgets: restarts in a window, and failures in a row (C33 to C38, S4, S5, W10)."""

import math

import pytest
import trio

from duenna import (
    Backoff,
    GaveUpError,
    Supervisor,
    SupervisorGaveUp,
)

from .probe import LONG, NOW, BoomError, Probe, Script
from .support import DOUBLING, attempt, crashing, node, opened, serve, settle, states, watching


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
