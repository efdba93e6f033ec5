"""Operations and the fields of their actor: one commit, at one moment, whatever the store says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna import Child, open_runtime
from duenna.state.events import StateNotTaken
from duenna.state.work_events import (
    OperationLeft,
)
from duenna.storage import NotDurableError

from .kit import DurableStore, bot
from .work import PATH, Worker, fields, kept, moments, work, worker

if TYPE_CHECKING:
    from trio.testing import MockClock


async def steps(self: Worker, count: int = 5) -> None:
    """Count to *count*, a step at a time, from where the last attempt has got."""
    if self.is_done:
        return
    async with self.context.operation("count", to=count) as op:
        for index in range(op.get("index", 0), count):
            self.total += 1
            await op.progress(index=index + 1)
        self.is_done = True


async def test_the_fields_go_with_it_in_one_commit(autojump_clock: MockClock) -> None:
    """Whenever the process is killed, what is found is the total of so many steps."""
    store = DurableStore()

    await work(store, steps)

    seen = [
        (fields(moment).get("total", 0), *(each.progress.get("index", 0) for each in kept(moment)))
        for moment in moments(store)
    ]
    assert seen == [(0,), (0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (5,), *[(5,)] * (len(seen) - 8)]
    assert [fields(moment).get("is_done") for moment in moments(store)][7] is True


async def test_what_the_fields_were_before_is_stored_when_it_begins(autojump_clock: MockClock) -> None:
    """Else a total that was set to 0 for it would be the old one again, with no progress made."""
    store = DurableStore()

    async def body(self: Worker) -> None:
        self.total = 55
        await self.context.save()
        self.total = 0
        async with self.context.operation("count"):
            assert fields(store._entries)["total"] == 0

    await work(store, body)


async def test_no_save_takes_the_fields_in_the_middle_of_a_step(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def body(self: Worker) -> None:
        runtime = self.context.runtime
        async with self.context.operation("count") as op:
            self.total = 1
            report = await runtime.state.save(force=True)
            assert report.busy == (PATH,)
            assert "total" not in fields(store._entries) or fields(store._entries)["total"] == 0
            await op.progress(index=1)
            assert fields(store._entries)["total"] == 1
        self.total = 2
        report = await runtime.state.save(force=True)
        assert report.busy == ()
        assert fields(store._entries)["total"] == 2

    await work(store, body)


async def test_messages_in_the_middle_of_a_step_do_not_have_the_fields_taken(autojump_clock: MockClock) -> None:
    """An actor that was busy at the last save is taken when it no longer is: not in the middle of an operation."""
    store = DurableStore()
    go_on = trio.Event()

    class Slow(Worker):
        async def receive(self, message: object) -> int:  # type: ignore[override]
            await trio.sleep(1)
            return self.total

    async def body(self: Worker) -> None:
        async with self.context.operation("count") as op:
            self.total = 1
            await go_on.wait()
            await op.progress(index=1)

    async with open_runtime(bot(Child("worker", lambda: Slow(body))), state=store, log_level=None) as runtime:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(runtime.ref(PATH).ask, "total")
            await wait_all_tasks_blocked()
            await runtime.state.save(force=True)
        await wait_all_tasks_blocked()
        assert fields(store._entries)["total"] == 0
        go_on.set()
        await wait_all_tasks_blocked()
        assert fields(store._entries)["total"] == 1


async def test_a_stop_in_the_middle_of_a_step_leaves_the_fields_as_they_were_saved(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def body(self: Worker) -> None:
        async with self.context.operation("count") as op:
            self.total = 1
            await op.progress(index=1)
            self.total = 2
            await trio.sleep_forever()

    async with open_runtime(bot(worker(body)), state=store, log_level=None) as runtime:
        await wait_all_tasks_blocked()
        with runtime.events(OperationLeft, StateNotTaken) as stream:
            await runtime.stop_child(PATH)
            left, not_taken = stream.drain()

    assert isinstance(left, OperationLeft)
    assert left.text() == f"operation count() at index=1 was cancelled, and can be resumed ({left.id})"
    assert isinstance(not_taken, StateNotTaken)
    assert not_taken.text() == "ended in the middle of its work: its state stands as it was saved before that"
    assert fields(store._entries)["total"] == 1
    assert kept(store._entries)[0].progress == {"index": 1}


async def test_a_stop_between_two_steps_loses_nothing_and_says_nothing(autojump_clock: MockClock) -> None:
    store = DurableStore()

    class Careful(Worker):
        async def stopping(self, reason: object) -> None:
            self.anything = "stopped"

    async def body(self: Worker) -> None:
        async with self.context.operation("count") as op:
            self.total = 1
            await op.progress(index=1)
            await trio.sleep_forever()

    child = Child("worker", lambda: Careful(body))
    async with open_runtime(bot(child), state=store, log_level=None) as runtime:
        await wait_all_tasks_blocked()
        with runtime.events(StateNotTaken) as stream:
            await runtime.stop_child(PATH)
            assert list(stream.drain()) == []

    assert fields(store._entries) == {"total": 1, "is_done": False, "anything": "stopped"}


async def test_what_cannot_be_encoded_is_an_error_and_nothing_is_stored(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def body(self: Worker) -> None:
        async with self.context.operation("count") as op:
            await op.progress(index=1)
            self.anything = object()
            with pytest.raises(Exception, match=r"^Worker.anything cannot be saved: "):
                await op.progress(index=2)
            assert kept(store._entries)[0].progress == {"index": 1}
            self.anything = None
            await op.progress(more=True)
            assert kept(store._entries)[0].progress == {"index": 2, "more": True}

    await work(store, body)


async def test_an_operation_that_cannot_end_stays(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def body(self: Worker) -> None:
        with pytest.raises(Exception, match=r"^Worker.anything cannot be saved: "):  # noqa: PT012  # at its end
            async with self.context.operation("count") as op:
                await op.progress(index=1)
                self.anything = object()
        self.anything = None

    await work(store, body)

    (found,) = kept(store._entries)
    assert found.error.startswith("UnencodableStateError: Worker.anything cannot be saved: ")


# -- the store says no ---------------------------------------------------------


async def test_not_durable_it_does_not_begin_and_leaves_nothing(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def body(self: Worker) -> None:
        store.refuses = "disk full"
        with pytest.raises(NotDurableError, match=r"^not durable yet: .*disk full$"):
            async with self.context.operation("count"):
                raise AssertionError
        assert self.context.unfinished() == ()
        store.refuses = ""
        await self.context.runtime.state.save(force=True)
        async with self.context.operation("count") as op:
            assert not op.is_resumed

    await work(store, body)

    assert all(len(kept(moment)) <= 1 for moment in moments(store))
    assert kept(store._entries) == []


async def test_not_durable_it_is_not_resumed_and_stays_as_it_was(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def leaves(self: Worker) -> None:
        async with self.context.operation("count") as op:
            await op.progress(index=1)
            op.leave()

    async def body(self: Worker) -> None:
        store.refuses = "disk full"
        with pytest.raises(NotDurableError, match=r"^not durable yet: .*disk full$"):
            async with self.context.operation("count"):
                raise AssertionError
        store.refuses = ""
        await self.context.runtime.state.save(force=True)
        assert (kept(store._entries)[0].attempts, kept(store._entries)[0].progress) == (1, {"index": 1})
        async with self.context.operation("count") as op:
            assert op.attempts == 2

    await work(store, leaves)
    await work(store, body)


async def test_progress_that_is_not_durable_is_noted_for_the_next_commit(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def body(self: Worker) -> None:
        async with self.context.operation("count") as op:
            store.refuses = "disk full"
            self.total = 1
            with pytest.raises(NotDurableError, match=r"^not durable yet: .*disk full$"):
                await op.progress(index=1)
            assert self.context.unfinished()[0].progress == {"index": 1}
            store.refuses = ""
            self.total = 2
            await op.progress(index=2)
            op.leave()

    await work(store, body)

    seen = {
        (fields(moment).get("total", 0), each.progress.get("index", 0))
        for moment in moments(store)
        for each in kept(moment)
    }
    assert seen == {(0, 0), (2, 2)}


async def test_an_end_that_is_not_durable_is_an_error_and_is_not_taken_back(autojump_clock: MockClock) -> None:
    """The work is done, and the fields say so: this process does not find it unfinished, the next one may."""
    store = DurableStore()

    async def body(self: Worker) -> None:
        with pytest.raises(NotDurableError, match=r"^not durable yet: .*disk full$"):  # noqa: PT012  # at its end
            async with self.context.operation("count"):
                self.is_done = True
                store.refuses = "disk full"
        assert self.context.unfinished() == ()
        assert (len(kept(store._entries)), fields(store._entries)["is_done"]) == (1, False)
        store.refuses = ""

    await work(store, body)

    assert (len(kept(store._entries)), fields(store._entries)["is_done"]) == (0, True)


async def test_an_abandon_that_is_not_durable_can_be_tried_again(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def body(self: Worker) -> None:
        async with self.context.operation("count") as op:
            store.refuses = "disk full"
            with pytest.raises(NotDurableError, match=r"^not durable yet: .*disk full$"):
                await op.abandon()
            assert len(kept(store._entries)) == 1
            store.refuses = ""
            await op.abandon()
            assert kept(store._entries) == []

    await work(store, body)
