"""How long messages wait, and are handled: exact on the virtual clock, where only waiting takes time."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import trio

import duenna
from duenna import Actor, Child, Mailbox, Supervisor
from duenna._dispatcher import Worker
from duenna.timings import BOUNDS, Histogram

if TYPE_CHECKING:
    from trio.testing import MockClock


class Quick(Actor):
    def receive(self, message: object) -> None:
        del message


class Slow(Actor):
    async def receive(self, message: float) -> None:
        await trio.sleep(message)


TREE = Supervisor("bot", [Child("quick", Quick), Child("slow", Slow, mailbox=Mailbox(10_000))])


def test_a_duration_falls_into_the_first_bucket_that_holds_it_its_bound_included() -> None:
    histogram = Histogram()
    for seconds in (0.0, 0.00001, 0.000011, 60.0, 61.0):
        histogram.add(seconds)

    assert histogram.counts == [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]
    assert len(histogram.counts) == len(BOUNDS) + 1
    assert histogram.total == 0.0 + 0.00001 + 0.000011 + 121.0


def test_several_at_once_count_with_their_mean() -> None:
    histogram = Histogram()
    histogram.add(4.0, 4)

    assert histogram.counts[BOUNDS.index(1.0)] == 4
    assert histogram.total == 4.0


async def test_nothing_is_timed_before_somebody_wants_it(autojump_clock: MockClock) -> None:
    async with duenna.open_runtime(TREE, log_level=None) as runtime:
        runtime.ref("/bot/slow").tell(1.0)
        await trio.sleep(2.0)

        assert sum(runtime.timings.handled.counts) == 0
        assert sum(runtime.timings.waited.counts) == 0


async def test_of_eight_rounds_one_is_timed_with_every_message_in_it(autojump_clock: MockClock) -> None:
    async with duenna.open_runtime(TREE, log_level=None) as runtime:
        runtime.timings.is_on = True
        quick, counts = runtime.ref("/bot/quick"), []
        for messages in (1000, 1, 1, 1, 1, 1, 1, 1, 1, 1):
            for number in range(messages):
                quick.tell(number)
            await trio.sleep(1.0)
            counts.append(sum(runtime.timings.handled.counts))

        assert counts == [1000] * 8 + [1001] * 2
        assert sum(runtime.timings.waited.counts) == 2
        assert runtime.timings.handled.total == runtime.timings.waited.total == 0.0


async def test_the_wait_of_a_backlog_is_timed(autojump_clock: MockClock) -> None:
    """More than a round can serve: the last message of what is left over tells how long that waits."""
    async with duenna.open_runtime(TREE, log_level=None) as runtime:
        runtime.timings.is_on = True
        many = [Child(f"c{number}", Quick, mailbox=Mailbox(100)) for number in range(100)]
        for ref in await runtime.start_children("/bot", many):
            for number in range(100):
                ref.tell(number)
        await trio.sleep(1.0)

        assert runtime.ref("/bot/c99").path == "/bot/c99"
        assert sum(runtime.timings.waited.counts) == 2


async def test_a_handler_that_waits_is_timed_to_its_end(autojump_clock: MockClock) -> None:
    async with duenna.open_runtime(TREE, log_level=None) as runtime:
        runtime.timings.is_on = True
        runtime.ref("/bot/slow").tell(3.0)
        await trio.sleep(10.0)

        assert runtime.timings.handled.counts[BOUNDS.index(5.0)] == 1
        assert runtime.timings.handled.total == 3.0


async def test_messages_behind_a_busy_handler_are_timed_each(autojump_clock: MockClock) -> None:
    async with duenna.open_runtime(TREE, log_level=None) as runtime:
        runtime.timings.is_on = True
        slow = runtime.ref("/bot/slow")
        slow.tell(4.0)
        await trio.sleep(1.0)
        slow.tell(0.0)
        await trio.sleep(1.0)
        slow.tell(0.0)
        await trio.sleep(10.0)

        assert runtime.timings.waited.total == 3.0 + 2.0


async def test_a_backlog_of_many_rounds_is_timed_from_its_first(autojump_clock: MockClock) -> None:
    """A later round that is timed, too, does not begin anew."""
    handled = 0

    class Lasting(Actor):
        def receive(self, message: object) -> None:
            nonlocal handled
            handled += 1
            if handled % 1000 == 0:
                autojump_clock.jump(1.0)

    async with duenna.open_runtime(TREE, log_level=None) as runtime:
        runtime.timings.is_on = True
        many = [Child(f"c{number}", Lasting, mailbox=Mailbox(100)) for number in range(300)]
        for ref in await runtime.start_children("/bot", many):
            for number in range(100):
                ref.tell(number)
        await trio.sleep(100.0)

        assert handled == 30_000
        assert runtime.timings.waited.total > 20.0


async def test_a_handler_that_has_ended_is_not_kept(autojump_clock: MockClock) -> None:
    """Its worker is used again, and its frames would live as long."""
    async with duenna.open_runtime(TREE, log_level=None) as runtime:
        slow = runtime.ref("/bot/slow")
        slow.tell(1.0)
        await trio.sleep(0.5)
        workers = [worker for worker in gc.get_objects() if isinstance(worker, Worker)]
        assert [worker.turn is not None for worker in workers].count(True) == 1
        await trio.sleep(1.0)

        assert [worker.turn for worker in workers if worker.turn is not None] == []
