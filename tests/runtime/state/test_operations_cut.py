"""Operations that are cut off: at every await, at every commit, and by a store that fails now and then."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any

import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from duenna import Backoff, open_runtime
from duenna.storage import NotDurableError

from .kit import DurableStore, bot
from .work import PATH, Worker, fields, kept, moments, work, worker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from duenna.storage import Change, Entry

MOST_TICKS = 60


async def cancelled_after(ticks: int, function: Callable[[], Awaitable[Any]]) -> bool:
    """Call *function*, and cancel it when the scheduler has come round so often; return whether it was too late."""
    is_done = False

    async def body() -> None:
        nonlocal is_done
        with scope:
            await function()
            is_done = True

    scope = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(body)
        for _ in range(ticks):
            await trio.lowlevel.checkpoint()
        scope.cancel()
    return is_done


async def cut(body: Callable[[Worker], Awaitable[Any]], ticks: int) -> tuple[DurableStore, bool]:
    """Cancel *body* after so many ticks; return what is stored once the bot was stopped, and if it was too late."""
    store, results = DurableStore(), list[bool]()

    async def cut_body(self: Worker) -> None:
        results.append(await cancelled_after(ticks, lambda: body(self)))

    await work(store, cut_body)
    return store, results[0]


def agree(entries: dict[str, Entry]) -> bool:
    """Return whether what the fields have counted is what the progress says."""
    unfinished = kept(entries)
    total = fields(entries).get("total", 0)
    is_done = fields(entries).get("is_done", False)
    if unfinished:
        return len(unfinished) == 1 and total == unfinished[0].progress.get("index", 0) and not is_done
    return bool(total == (STEPS if is_done else 0))


STEPS = 4


async def count(self: Worker) -> None:
    """Count to four, once in all."""
    if self.is_done:
        return
    async with self.context.operation("count") as op:
        for index in range(op.get("index", 0), STEPS):
            self.total += 1
            await op.progress(index=index + 1)
        self.is_done = True


async def test_a_cancelled_beginning_has_not_begun(autojump_clock: MockClock) -> None:
    """Either the block was entered, and it is there; or not, and there is nothing."""
    outcomes: list[tuple[bool, int]] = []

    for ticks in range(MOST_TICKS):
        entered: list[str] = []

        async def body(self: Worker, entered: list[str] = entered) -> None:
            async with self.context.operation("count") as op:
                entered.append(op.id)
                await trio.sleep_forever()

        store, _ = await cut(body, ticks)
        assert [each.id for each in kept(store._entries)] == entered
        outcomes.append((bool(entered), len(store.commits)))

    assert {is_entered for is_entered, _ in outcomes} == {True, False}


async def test_cancelled_at_any_await_the_fields_and_the_progress_agree(autojump_clock: MockClock) -> None:
    ends: list[int] = []

    for ticks in range(MOST_TICKS):
        store, is_done = await cut(count, ticks)
        assert all(agree(moment) for moment in moments(store))
        if is_done:
            break
        await work(store, count)
        assert fields(store._entries) == {"total": STEPS, "is_done": True, "anything": None}
        assert kept(store._entries) == []
        ends.append(ticks)

    assert 10 < len(ends) < MOST_TICKS


async def test_stopped_at_any_await_the_next_process_goes_on(autojump_clock: MockClock) -> None:
    """The actor is stopped, rather than its operation cancelled; the next life is stopped as well."""
    for ticks in range(0, MOST_TICKS, 3):
        store = DurableStore()
        for _ in range(2):
            async with open_runtime(bot(worker(count)), state=store, log_level=None) as runtime:
                for _ in range(ticks):
                    await trio.lowlevel.checkpoint()
                await runtime.stop_child(PATH)
                await runtime.delete_child(PATH)
            assert all(agree(moment) for moment in moments(store))
        await work(store, count)
        assert fields(store._entries)["total"] == STEPS


async def test_killed_at_any_commit_the_next_process_goes_on(autojump_clock: MockClock) -> None:
    first = DurableStore()
    await work(first, count)

    for kill in range(len(first.commits) + 1):
        store = DurableStore()
        for changes in first.commits[:kill]:
            store.commit(changes, 0.0)
        await work(store, count)
        assert fields(store._entries) == {"total": STEPS, "is_done": True, "anything": None}
        assert kept(store._entries) == []


async def test_cancelled_in_an_abandon_it_is_there_or_gone_with_the_fields(autojump_clock: MockClock) -> None:
    async def body(self: Worker) -> None:
        async with self.context.operation("count") as op:
            self.total = 1
            await op.progress(index=1)
            self.is_done, self.total = True, STEPS
            await op.abandon()

    gone = 0
    for ticks in range(MOST_TICKS):
        store, _ = await cut(body, ticks)
        assert all(agree(moment) for moment in moments(store))
        gone += not kept(store._entries)
    assert 0 < gone < MOST_TICKS


class Watched(DurableStore):
    """A store that looks after each commit whether the fields and the progress agree."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[dict[str, Entry]] = []

    def copy(self) -> Watched:
        made = Watched()
        made._entries, made._seq, made.wrong = dict(self._entries), self._seq, self.wrong
        return made

    def commit(self, changes: Sequence[Change], at: float) -> int:
        seq = super().commit(changes, at)
        if not agree(self._entries):
            self.wrong.append(dict(self._entries))
        return seq


class Chaos:
    """Kills, stops, crashes and saves at any moment, over a store that fails now and then."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)  # noqa: S311  # a test is repeated from its seed
        self.store = Watched()

    async def count(self, actor: Worker) -> None:
        """Count to four, and be interrupted wherever it is."""
        if actor.is_done:
            return
        async with actor.context.operation("count") as op:
            for index in range(op.get("index", 0), STEPS):
                await self.trouble()
                actor.total += 1
                if self.rng.random() < 0.5:
                    await self.trouble()  # in the middle of a step
                await op.progress(index=index + 1)
            actor.is_done = True

    async def trouble(self) -> None:
        self.store.refuses = self.rng.choice(["", "", "", "disk full"])
        await trio.sleep(self.rng.random())
        if self.rng.random() < 0.1:
            raise ValueError("crash")

    async def live(self) -> None:
        """Run the bot for a while, with saves in between; then kill it, or stop it."""
        child = worker(self.count, backoff=Backoff.none())
        async with open_runtime(bot(child), state=self.store, log_level=None) as runtime:
            for _ in range(self.rng.randrange(5)):
                await trio.sleep(self.rng.random())
                with trio.move_on_after(0.5), suppress(NotDurableError):
                    await runtime.state.save(force=True)
            killed = self.store.copy() if self.rng.random() < 0.5 else None
            self.store.refuses = self.rng.choice(["", "disk full"])
        if killed is not None:
            self.store = killed
        self.store.refuses = ""


@given(st.integers(0, 2**32))
def test_whatever_happens_each_step_is_counted_once(seed: int) -> None:
    """At every commit of three lives and more the fields agree with the progress, and in the end all is counted."""
    chaos = Chaos(seed)

    async def lives() -> None:
        for _ in range(3):
            await chaos.live()
        await work(chaos.store, count)

    trio.run(lives, clock=MockClock(autojump_threshold=0))

    assert chaos.store.wrong == []
    assert fields(chaos.store._entries)["total"] == STEPS
    assert kept(chaos.store._entries) == []


async def test_two_operations_of_one_actor_share_its_fields(autojump_clock: MockClock) -> None:
    """With no await between the change and its progress, neither takes half a step of the other."""
    store = DurableStore()

    async def body(self: Worker) -> None:
        async def one(name: str) -> None:
            async with self.context.operation(name) as op:
                for index in range(5):
                    await trio.sleep(self.context.rng.random())
                    self.total += 1
                    await op.progress(index=index + 1)
                op.leave()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, "up")
            nursery.start_soon(one, "down")

    await work(store, body)

    found = [(fields(moment).get("total", 0), kept(moment)) for moment in moments(store)]
    assert all(total == sum(each.progress.get("index", 0) for each in unfinished) for total, unfinished in found)
    assert found[-1][0] == 10


async def test_a_slow_save_does_not_overwrite_a_later_step(autojump_clock: MockClock) -> None:
    """Large fields are encoded a little at a time: what was taken before a step must not follow it."""
    store = DurableStore()

    async def body(self: Worker) -> None:
        self.anything = {str(number): number for number in range(30_000)}
        await self.context.save()
        async with self.context.operation("count") as op, trio.open_nursery() as nursery:
            for index in range(3):
                nursery.start_soon(self.context.save)
                await trio.lowlevel.checkpoint()
                self.total += 1
                await op.progress(index=index + 1)
            op.leave()

    await work(store, body)

    assert all(agree(moment) for moment in moments(store) if kept(moment))
    assert fields(store._entries)["total"] == 3
