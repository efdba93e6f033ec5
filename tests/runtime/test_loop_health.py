"""How the event loop does: the machine on literal times, and the watchdog that fills it in on a real clock."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import trio

import duenna
from duenna import Actor, Child, Supervisor
from duenna.loop_health import MOST_BLOCKERS, LoopHealth

if TYPE_CHECKING:
    from duenna import Runtime


def test_nothing_is_known_before_the_loop_was_asked() -> None:
    loop = LoopHealth()

    assert (loop.lag, loop.lag_max(0.0), loop.blocked_at, loop.blocked_by) == (None, None, None, "")


def test_the_most_of_the_last_minute_counts_both_ends_included() -> None:
    loop = LoopHealth()
    for now, lag in ((0.0, 0.5), (10.0, 0.1), (20.0, 0.2), (30.0, 0.05)):
        loop.answered(now, lag)

    assert loop.lag == 0.05
    assert [loop.lag_max(now) for now in (30.0, 60.0, 60.1, 80.0, 80.1, 90.1)] == [0.5, 0.5, 0.2, 0.2, 0.05, None]


def test_a_later_peak_takes_the_place_of_a_lower_one_before() -> None:
    loop = LoopHealth()
    for now in range(1000):
        loop.answered(float(now), now / 1000)

    assert loop.lag_max(999.0) == 0.999
    assert len(loop._peaks) == 1


def test_blocks_are_counted_by_actor_up_to_a_thousand_of_them() -> None:
    loop = LoopHealth()
    for number in range(MOST_BLOCKERS + 5):
        loop.was_blocked(float(number), f"/bot/a{number}")
    loop.was_blocked(2000.0, "/bot/a0")

    assert loop.blocked["/bot/a0"] == 2
    assert loop.blocked["(other)"] == 5
    assert (loop.blocked_at, loop.blocked_by) == (2000.0, "/bot/a0")


class Blocker(Actor):
    """Holds the loop until somebody in another thread has seen that it does."""

    def __init__(self, noticed: threading.Event) -> None:
        self._noticed = noticed

    def receive(self, message: str) -> None:
        del message
        assert self._noticed.wait(30)


def test_the_watchdog_tells_how_late_the_loop_answers_and_who_held_it() -> None:
    """On a real clock; what is waited for is the watchdog's word, not time."""
    noticed = threading.Event()
    told: list[Runtime] = []

    async def main() -> None:
        tree = Supervisor("bot", [Child("blocker", lambda: Blocker(noticed))])
        async with duenna.open_runtime(tree, log_level=None, watchdog=0.05) as runtime:
            log = runtime.bus.log

            def seen(event: duenna.Event) -> None:
                log(event)
                noticed.set()

            runtime.bus.log = seen  # type: ignore[method-assign]  # the watchdog's thread says it here first
            with runtime.events(duenna.LoopBlocked) as stream:
                runtime.ref("/bot/blocker").tell("hold")
                event = await anext(stream)
            while (
                runtime.loop.lag is None or runtime.loop.lag < 0.05
            ):  # its answer comes with the next turn of the loop
                await trio.lowlevel.checkpoint()
            assert isinstance(event, duenna.LoopBlocked)
            assert event.actor == "/bot/blocker"
            told.append(runtime)

    trio.run(main)

    loop = told[0].loop
    assert loop.blocked == {"/bot/blocker": 1}
    assert loop.blocked_by == "/bot/blocker"
    assert (loop.lag_max(loop.blocked_at or 0.0) or 0.0) >= 0.05


async def test_under_a_virtual_clock_nobody_asks(autojump_clock: trio.testing.MockClock) -> None:
    async with duenna.open_runtime(Supervisor("bot"), log_level=None) as runtime:
        await trio.sleep(100.0)

        assert runtime.loop.lag is None
