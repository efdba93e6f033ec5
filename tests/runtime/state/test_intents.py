"""Intents: an id that is durable before the effect, the same for each attempt, and never one that was used before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from duenna import Backoff, Child, Context, StoppedError, open_runtime
from duenna.state import TooMuchWorkError, WorkGoneError, WorkInUseError
from duenna.state.work_events import IntentBegan, IntentDone, IntentFailed, IntentResumed, IntentWithdrawn
from duenna.storage import NotDurableError

from .kit import DurableStore, bot, one
from .lives import Lives
from .work import PATH, Worker, fields, kept, moments, work, worker

if TYPE_CHECKING:
    from duenna import Runtime
    from duenna.state import Intent

MOST_TICKS = 30
ORDER: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010"}


async def test_its_id_is_durable_before_anybody_has_it(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def body(self: Worker) -> None:
        intent = await self.context.intent("order", **ORDER)
        (found,) = kept(store._entries)
        assert (found.path, found.kind, found.id) == (PATH, "intent", intent.id)
        assert (found.name, found.arguments, found.attempts) == ("order", ORDER, 1)
        assert (intent.name, intent.arguments, intent.began_at) == ("order", ORDER, found.began_at)
        assert (intent.is_new, intent.attempts, intent.is_open) == (True, 1, True)
        assert repr(intent).startswith("<Intent order(symbol='BTCUSDT', side='BUY', quantity='0.010') ")

    await work(store, body)


async def test_done_it_is_gone_with_what_the_fields_say_of_it(autojump_clock: MockClock) -> None:
    """Whenever the process is killed, the position is there or the intent is: never both, and never neither."""
    store = DurableStore()

    async def body(self: Worker) -> None:
        intent = await self.context.intent("order", **ORDER)
        self.total += 1
        await intent.done(order_id=7)
        assert not intent.is_open

    async with open_runtime(bot(worker(body)), state=store, log_level=None) as runtime:
        with runtime.events(IntentBegan, IntentDone) as stream:
            await wait_all_tasks_blocked()
            began, done = stream.drain()

    seen = [(fields(moment).get("total", 0), len(kept(moment))) for moment in moments(store)]
    assert seen[:3] == [(0, 0), (0, 1), (1, 0)]
    call = "order(symbol='BTCUSDT', side='BUY', quantity='0.010')"
    assert isinstance(began, IntentBegan)
    assert began.text() == f"intent {call} stored ({began.id})"
    assert isinstance(done, IntentDone)
    assert done.text() == f"intent {call} done: order_id=7 ({began.id})"


async def test_the_next_process_gets_the_same_id(autojump_clock: MockClock) -> None:
    store = DurableStore()
    killed: list[DurableStore] = []
    intents: list[Intent] = []

    async def sends(self: Worker) -> None:
        intents.append(await self.context.intent("order", **ORDER))
        killed.append(store.copy())
        await intents[0].done()

    async def goes_on(self: Worker) -> None:
        (unfinished,) = self.context.unfinished()
        assert unfinished.kind == "intent"
        intents.append(await self.context.intent(unfinished.name, **unfinished.arguments))
        await intents[1].done()
        intents.append(await self.context.intent("order", **ORDER))

    await work(store, sends)
    await work(killed[0], goes_on)

    assert [intent.is_new for intent in intents] == [True, False, True]
    assert [intent.attempts for intent in intents] == [1, 2, 1]
    assert intents[0].id == intents[1].id != intents[2].id


async def test_an_attempt_that_fails_is_repeated_with_the_same_id(autojump_clock: MockClock) -> None:
    ids: list[tuple[str, bool]] = []

    async def body(self: Worker) -> None:
        async with await self.context.intent("order", **ORDER) as intent:
            ids.append((intent.id, intent.is_new))
            if len(ids) < 3:
                raise ConnectionError("no answer")
            await intent.done()

    child = worker(body, backoff=Backoff.none())
    async with open_runtime(bot(child), log_level=None) as runtime:
        with runtime.events(IntentFailed, IntentResumed) as stream:
            await trio.sleep(60)
            told = [event.text() for event in stream.drain()]
        assert runtime.state.unfinished() == ()

    number = ids[0][0]
    assert ids == [(number, True), (number, False), (number, False)]
    call = "intent order(symbol='BTCUSDT', side='BUY', quantity='0.010')"
    failed = f"{call} stays open, its effect may have happened: ConnectionError: no answer ({number})"
    assert told[0] == failed
    assert told[1].startswith(f"{call} is open since ")
    assert told[1].endswith(f" s and goes on, attempt 2 ({number})")
    assert [text == failed for text in told] == [True, False, True, False]


async def test_left_without_done_it_stays_open(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def body(self: Worker) -> None:
        async with await self.context.intent("order") as intent:
            assert intent.is_open
        with pytest.raises(ValueError, match=r"^bad answer$"):
            async with await self.context.intent("order"):
                raise ValueError("bad answer")

    await work(store, body)

    (found,) = kept(store._entries)
    assert (found.attempts, found.error) == (2, "ValueError: bad answer")
    assert found.text() == "/bot/worker intent order(), begun 2 times, failed last: ValueError: bad answer"


async def test_withdrawn_it_is_gone(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def body(self: Worker) -> None:
        async with await self.context.intent("order") as intent:
            await intent.withdraw()
            assert not intent.is_open

    async with open_runtime(bot(worker(body)), state=store, log_level=None) as runtime:
        with runtime.events(IntentWithdrawn) as stream:
            await wait_all_tasks_blocked()
            withdrawn = one(stream, IntentWithdrawn)

    assert withdrawn.text() == f"intent order() withdrawn ({withdrawn.id})"
    assert kept(store._entries) == []


async def test_two_that_have_the_same_one_do_not_both_end_it(autojump_clock: MockClock) -> None:
    """Else what follows from the effect would be counted twice."""
    store = DurableStore()

    async def body(self: Worker) -> None:
        one, other = await self.context.intent("order"), await self.context.intent("order")
        await one.done()
        gone = r"intent order\(\) of /bot/worker was ended by somebody else, or set aside: nothing more of it is saved"
        with pytest.raises(WorkGoneError, match=rf"^{gone}$"):
            await other.done()
        with pytest.raises(WorkGoneError, match=rf"^{gone}$"):
            await other.withdraw()
        async with self.context.operation("rebalance") as op:
            with pytest.raises(WorkGoneError, match=rf"^{gone}$"):
                await op.progress(other, index=1)
            assert op.progress_made == {}

    await work(store, body)


async def test_one_block_of_an_intent_at_a_time(autojump_clock: MockClock) -> None:
    async def body(self: Worker) -> None:
        async with await self.context.intent("order"):
            with pytest.raises(
                WorkInUseError,
                match=r"^/bot/worker is in the middle of intent order\(\): the same work runs once at a time$",
            ):
                async with await self.context.intent("order"):
                    raise AssertionError
        async with await self.context.intent("order") as intent:
            assert intent.attempts == 3
            await intent.done()

    await work(DurableStore(), body)


async def test_an_operation_is_no_intent(autojump_clock: MockClock) -> None:
    async def body(self: Worker) -> None:
        async with self.context.operation("order"):
            intent = await self.context.intent("order")
            assert intent.is_new
            assert {each.kind for each in self.context.unfinished()} == {"operation", "intent"}

    await work(DurableStore(), body)


async def test_a_function_has_intents_too(autojump_clock: MockClock) -> None:
    ids: list[tuple[str, bool]] = []

    async def body(context: Context) -> None:
        intent = await context.intent("order")
        ids.append((intent.id, intent.is_new))
        if len(ids) < 2:
            raise ConnectionError("no answer")
        await intent.done()

    child = Child("worker", body, backoff=Backoff.none(), restart="transient")
    async with open_runtime(bot(child), log_level=None) as runtime:
        await trio.sleep(1)
        assert runtime.state.unfinished() == ()

    assert ids == [(ids[0][0], True), (ids[0][0], False)]


async def test_a_step_of_an_operation_and_its_intent_end_in_one_commit(autojump_clock: MockClock) -> None:
    """Else a process that is killed between the two would send the order again, under a new id."""
    store = DurableStore()

    async def body(self: Worker) -> None:
        async with self.context.operation("rebalance") as op:
            for index in range(3):
                intent = await self.context.intent("order", index=index)
                self.total += 1
                await op.progress(intent, index=index + 1)
                assert not intent.is_open
            op.leave()

    async with open_runtime(bot(worker(body)), state=store, log_level=None) as runtime:
        with runtime.events(IntentDone) as stream:
            await wait_all_tasks_blocked()
            assert len(list(stream.drain())) == 3

    for moment in moments(store):
        unfinished = {each.kind: each for each in kept(moment)}
        index = unfinished["operation"].progress.get("index", 0) if "operation" in unfinished else 0
        assert fields(moment).get("total", 0) == index
        assert "intent" not in unfinished or unfinished["intent"].arguments == {"index": index}


async def test_a_step_that_is_not_durable_can_be_waited_for_again(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def body(self: Worker) -> None:
        async with self.context.operation("rebalance") as op:
            intent = await self.context.intent("order")
            store.refuses = "disk full"
            with pytest.raises(NotDurableError, match=r"^not durable yet: .*disk full$"):
                await op.progress(intent, index=1)
            assert [each.kind for each in kept(store._entries)] == ["operation", "intent"]
            store.refuses = ""
            await op.progress(intent, index=1)
            assert [each.progress for each in kept(store._entries)] == [{"index": 1}]
            await intent.done()

    await work(store, body)


async def test_progress_takes_intents_of_its_actor_only(autojump_clock: MockClock) -> None:
    others: list[Intent] = []

    async def other(context: Context) -> None:
        others.append(await context.intent("order"))
        await trio.sleep_forever()

    async def body(context: Context) -> None:
        async with context.operation("rebalance") as op:
            with pytest.raises(TypeError, match=r"^operation rebalance: progress\(\) takes intents, .*, got 3$"):
                await op.progress(3)  # type: ignore[arg-type]
            with pytest.raises(
                ValueError, match=rf"^operation rebalance of /bot/b: intent {others[0].id} is of /bot/a$"
            ):
                await op.progress(others[0], index=1)
            assert op.progress_made == {}
        results.append(True)
        await trio.sleep_forever()

    results: list[bool] = []
    async with open_runtime(bot(Child("a", other)), log_level=None) as runtime:
        await wait_all_tasks_blocked()
        await runtime.start_child("/bot", Child("b", body))
        await wait_all_tasks_blocked()
        assert others[0].is_open

    assert results == [True]


# -- ids -----------------------------------------------------------------------


async def test_no_id_is_used_twice_in_any_life(autojump_clock: MockClock) -> None:
    store = DurableStore()
    ids: list[str] = []

    async def body(self: Worker) -> None:
        for _ in range(3):
            intent = await self.context.intent("order")
            ids.append(intent.id)
            await intent.done()

    for _ in range(4):
        await work(store, body)

    assert len(set(ids)) == len(ids) == 12
    assert all(len(number) <= 36 and number.replace("-", "").isalnum() for number in ids)


def test_neither_a_seed_nor_an_old_copy_makes_an_id_again() -> None:
    """A state that is lost, or brought back from an old copy, begins to count where it began before."""
    ids: list[str] = []

    async def body(context: Context) -> None:
        ids.append((await context.intent("order")).id)
        await trio.sleep_forever()

    async def settled(runtime: Runtime) -> None:
        await wait_all_tasks_blocked()

    lives = Lives()
    for _ in range(2):
        lives.live(settled, bot(Child("worker", body)))
    old = lives.store.copy()
    for store in (old.copy(), old.copy(), DurableStore(), DurableStore()):
        lives.later(60)
        lives.store = store
        store._entries = {key: entry for key, entry in store._entries.items() if not key.startswith("work:")}
        lives.live(settled, bot(Child("worker", body)))

    assert ids[0] == ids[1]
    assert len(set(ids)) == 5


async def test_a_new_id_is_made_when_the_last_one_is_done(autojump_clock: MockClock) -> None:
    async def body(self: Worker) -> None:
        first = await self.context.intent("order", **ORDER)
        await first.done()
        second = await self.context.intent("order", **ORDER)
        assert (second.is_new, second.id != first.id) == (True, True)
        await first.done()  # again
        assert [each.id for each in self.context.unfinished()] == [second.id]

    await work(DurableStore(), body)


async def test_other_arguments_are_another_intent(autojump_clock: MockClock) -> None:
    async def body(self: Worker) -> None:
        ids = {
            (await self.context.intent("order", **arguments)).id
            for arguments in (ORDER, ORDER | {"side": "SELL"}, ORDER | {"quantity": "0.01"}, {}, {"signal": 1})
        }
        assert len(ids) == 5
        again = await self.context.intent("order", **dict(reversed(ORDER.items())))
        assert again.id in ids

    await work(DurableStore(), body)


# -- not durable, cancelled, refused -------------------------------------------


async def test_not_durable_there_is_no_intent(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def body(self: Worker) -> None:
        store.refuses = "disk full"
        with pytest.raises(NotDurableError, match=r"^not durable yet: .*disk full$"):
            await self.context.intent("order")
        assert self.context.unfinished() == ()
        store.refuses = ""
        await self.context.runtime.state.save(force=True)
        assert kept(store._entries) == []
        assert (await self.context.intent("order")).is_new

    await work(store, body)


async def test_not_durable_an_open_one_stays_as_it_was(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def body(self: Worker) -> None:
        intent = await self.context.intent("order")
        store.refuses = "disk full"
        with pytest.raises(NotDurableError, match=r"^not durable yet: .*disk full$"):
            await self.context.intent("order")
        (found,) = self.context.unfinished()
        assert (found.id, found.attempts) == (intent.id, 1)
        store.refuses = ""

    await work(store, body)

    assert [each.attempts for each in kept(store._entries)] == [1]


async def test_a_done_that_is_not_durable_can_be_waited_for_again(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def body(self: Worker) -> None:
        intent = await self.context.intent("order")
        store.refuses = "disk full"
        self.total = 1
        with pytest.raises(NotDurableError, match=r"^not durable yet: .*disk full$"):
            await intent.done()
        assert not intent.is_open
        assert (len(kept(store._entries)), fields(store._entries)["total"]) == (1, 0)
        store.refuses = ""
        await intent.done()
        assert (len(kept(store._entries)), fields(store._entries)["total"]) == (0, 1)

    await work(store, body)


async def test_cancelled_before_anybody_has_the_id_there_is_no_intent(autojump_clock: MockClock) -> None:
    handed_out = 0
    for ticks in range(MOST_TICKS):
        store = DurableStore()
        ids: list[str] = []

        async def body(self: Worker, ticks: int = ticks, ids: list[str] = ids) -> None:
            async def begin() -> None:
                with scope:
                    ids.append((await self.context.intent("order")).id)

            scope = trio.CancelScope()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(begin)
                for _ in range(ticks):
                    await trio.lowlevel.checkpoint()
                scope.cancel()

        await work(store, body)
        assert [each.id for each in kept(store._entries)] == ids
        handed_out += len(ids)

    assert 0 < handed_out < MOST_TICKS


@given(st.lists(st.integers(0, 12), min_size=2, max_size=4))
def test_whoever_gets_the_id_can_rely_on_it(ticks: list[int]) -> None:
    """Several ask for it at once, and some are cancelled: it is there if anybody has it, and only then."""
    store = DurableStore()
    ids: list[str] = []

    async def body(self: Worker) -> None:
        async def ask(after: int) -> None:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:

                    async def begin() -> None:
                        ids.append((await self.context.intent("order")).id)

                    nursery.start_soon(begin)
                    for _ in range(after):
                        await trio.lowlevel.checkpoint()
                    scope.cancel()

        async with trio.open_nursery() as nursery:
            for after in ticks:
                nursery.start_soon(ask, after)

    trio.run(work, store, body, clock=MockClock(autojump_threshold=0))

    assert {each.id for each in kept(store._entries)} == set(ids)


async def test_what_is_refused_stores_nothing(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def body(self: Worker) -> None:
        with pytest.raises(TypeError, match=r"^intent order: argument quantity must be .*, got \{1\}$"):
            await self.context.intent("order", quantity={1})
        with pytest.raises(ValueError, match=r"^intent order: argument api_secret has the name of a secret: "):
            await self.context.intent("order", api_secret="x")  # noqa: S106
        with pytest.raises(ValueError, match=r"^intent: name must be printable, "):
            await self.context.intent("")
        with pytest.raises(ValueError, match=r"^order: its arguments and progress must fit into 65536 bytes, they "):
            await self.context.intent("order", text="x" * 65536)
        assert store.commits == []
        intent = await self.context.intent("order")
        with pytest.raises(TypeError, match=r"^intent order: result order must be .*, got \{1\}$"):
            await intent.done(order={1})
        assert intent.is_open

    await work(store, body)


async def test_intents_count_as_unfinished_work(autojump_clock: MockClock) -> None:
    async def body(self: Worker) -> None:
        for number in range(100):
            await self.context.intent("order", number=number)
        with pytest.raises(TooMuchWorkError, match=r"^/bot/worker has 100 unfinished operations and intents: "):
            await self.context.intent("order", number=100)
        with pytest.raises(TooMuchWorkError, match=r"^/bot/worker has 100 unfinished operations and intents: "):
            async with self.context.operation("order"):
                raise AssertionError

    await work(DurableStore(), body)


async def test_an_incarnation_that_has_ended_ends_no_intent(autojump_clock: MockClock) -> None:
    store = DurableStore()
    intents: list[Intent] = []

    async def body(self: Worker) -> None:
        intents.append(await self.context.intent("order"))

    async with open_runtime(bot(worker(body)), state=store, log_level=None) as runtime:
        await wait_all_tasks_blocked()
        await runtime.restart_child(PATH)
        await wait_all_tasks_blocked()
        with pytest.raises(StoppedError, match=r"^/bot/worker \(incarnation 1\) has ended$"):
            await intents[0].done()
        assert intents[0].is_open
        await intents[1].done()

    assert intents[0].id == intents[1].id
    assert kept(store._entries) == []


async def test_a_fresh_start_leaves_intents_for_their_effects_may_be_out(autojump_clock: MockClock) -> None:
    store = DurableStore()
    ids: list[tuple[str, bool]] = []

    async def body(self: Worker) -> None:
        intent = await self.context.intent("order")
        ids.append((intent.id, intent.is_new))

    async with open_runtime(bot(worker(body)), state=store, log_level=None) as runtime:
        await wait_all_tasks_blocked()
        await runtime.restart_child(PATH, fresh=True)
        await wait_all_tasks_blocked()

    assert ids == [(ids[0][0], True), (ids[0][0], False)]
