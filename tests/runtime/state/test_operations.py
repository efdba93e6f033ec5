"""Operations: stored before they begin, resumed by whoever comes next, and never apart from what they have counted."""

from __future__ import annotations

from re import sub
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna import Backoff, Child, Context, StoppedError, open_runtime
from duenna.connection import Connection
from duenna.state import TooMuchWorkError, WorkGoneError, WorkInUseError
from duenna.state.work_events import (
    OperationBegan,
    OperationFailed,
    OperationFinished,
    OperationLeft,
    OperationResumed,
)
from duenna.storage import Change, Entry, MemoryStore, StateRefusedError

from .kit import DurableStore, Ledger, bot, one
from .work import PATH, Worker, fields, kept, moments, work, worker

if TYPE_CHECKING:
    from trio.testing import MockClock

    from duenna.state import Operation

NOW = Backoff.none()
TOO_LARGE = (
    r"^backfill: its arguments and progress must fit into 65536 bytes, they take \d{5}: "
    r"store what they stand for, such as an index or a file's name$"
)


# -- its life ------------------------------------------------------------------


async def test_it_is_stored_before_its_block_begins_and_gone_after_it(autojump_clock: MockClock) -> None:
    store = DurableStore()
    seen: list[int] = []

    async def body(self: Worker) -> None:
        async with self.context.operation("backfill", symbol="BTCUSDT") as op:
            (found,) = kept(store._entries)
            assert (found.path, found.kind, found.id) == (PATH, "operation", op.id)
            assert (found.name, found.arguments) == ("backfill", {"symbol": "BTCUSDT"})
            assert (found.progress, found.attempts, found.began_at) == ({}, 1, op.began_at)
            assert (op.is_resumed, op.attempts, op.progress_made, op.last_error) == (False, 1, {}, "")
            seen.append(len(store.commits))
        assert kept(store._entries) == []
        seen.append(len(store.commits))

    await work(store, body)

    assert seen == [1, 2]


async def test_progress_is_durable_when_it_returns(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def body(self: Worker) -> None:
        async with self.context.operation("backfill") as op:
            await op.progress(index=7, page="a")
            assert kept(store._entries)[0].progress == {"index": 7, "page": "a"}
            await op.progress(index=8, rows=[1, 2])
            assert kept(store._entries)[0].progress == {"index": 8, "page": "a", "rows": [1, 2]}
            assert (op["index"], op.get("page", ""), op.get("nothing", 3)) == (8, "a", 3)
            op["rows"].append(3)
            assert op.progress_made == {"index": 8, "page": "a", "rows": [1, 2]}
            with pytest.raises(KeyError, match=r"^'nothing'$"):
                op["nothing"]

    await work(store, body)


async def test_the_next_process_goes_on_where_the_last_was_killed(autojump_clock: MockClock) -> None:
    store = DurableStore()
    ids: list[str] = []
    found: list[dict[str, Any]] = []

    async def killed(self: Worker) -> None:
        async with self.context.operation("backfill", symbol="BTCUSDT") as op:
            await op.progress(index=3)
            ids.append(op.id)
            killed_store.append(store.copy())

    async def resumes(self: Worker) -> None:
        (unfinished,) = self.context.unfinished()
        assert unfinished.text() == "/bot/worker backfill(symbol='BTCUSDT') at index=3"
        async with self.context.operation("backfill", symbol="BTCUSDT") as op:
            ids.append(op.id)
            found.append(op.progress_made)
            assert (op.is_resumed, op.attempts, op.last_error) == (True, 2, "")
            assert kept(killed_store[0]._entries)[0].attempts == 2
        assert self.context.unfinished() == ()

    killed_store: list[DurableStore] = []
    await work(store, killed)
    await work(killed_store[0], resumes)

    assert found == [{"index": 3}]
    assert ids[0] == ids[1]


async def test_a_crash_leaves_it_to_the_next_incarnation_with_what_was_wrong(autojump_clock: MockClock) -> None:
    store = DurableStore()
    attempts: list[tuple[int, int, str]] = []

    async def body(self: Worker) -> None:
        async with self.context.operation("backfill") as op:
            attempts.append((op.attempts, op.get("index", 0), op.last_error))
            if op.attempts < 3:
                await op.progress(index=op.attempts * 10)
                raise ValueError("bad row")

    async with open_runtime(bot(worker(body, backoff=NOW)), state=store, log_level=None) as runtime:
        with runtime.events(OperationBegan, OperationFailed, OperationResumed, OperationFinished) as stream:
            await trio.sleep(10)
            told = [sub(r"\d\.\d s", "T s", event.text().rpartition(" ")[0]) for event in stream.drain()]

    assert attempts == [(1, 0, ""), (2, 10, "ValueError: bad row"), (3, 20, "ValueError: bad row")]
    why = "ValueError: bad row"
    assert told == [
        "operation backfill() began",
        f"operation backfill() at index=10 failed, attempt 1, and can be resumed: {why}",
        f"operation backfill() at index=10 resumed, attempt 2, first begun T s ago, the last attempt failed: {why}",
        f"operation backfill() at index=20 failed, attempt 2, and can be resumed: {why}",
        f"operation backfill() at index=20 resumed, attempt 3, first begun T s ago, the last attempt failed: {why}",
        "operation backfill() finished after T s, attempt 3",
    ]


async def test_what_failed_is_known_to_the_next_process(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def fails(self: Worker) -> None:
        with pytest.raises(ValueError, match=r"^bad row$"):
            async with self.context.operation("backfill"):
                raise ValueError("bad row")

    await work(store, fails)

    (found,) = kept(store._entries)
    assert (found.attempts, found.error) == (1, "ValueError: bad row")
    assert found.text() == "/bot/worker backfill(), failed last: ValueError: bad row"


async def test_operations_with_other_names_or_arguments_are_others(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def leaves(self: Worker) -> None:
        for name, arguments in calls:
            async with self.context.operation(name, **arguments) as op:
                assert not op.is_resumed
                op.leave()

    async def resumes(self: Worker) -> None:
        for name, arguments in calls:
            async with self.context.operation(name, **dict(reversed(arguments.items()))) as op:
                assert op.is_resumed
                assert (op.name, op.arguments) == (name, arguments)

    calls: list[tuple[str, dict[str, Any]]] = [
        ("backfill", {}),
        ("backfill", {"symbol": "BTCUSDT"}),
        ("backfill", {"symbol": "BTCUSDT", "limit": 1}),
        ("backfill", {"symbol": "BTCUSDT", "limit": 1.0}),
        ("backfill", {"symbol": "BTCUSDT", "limit": True}),
        ("backfill", {"name": "BTCUSDT"}),
        ("replay", {"symbol": "BTCUSDT"}),
    ]
    await work(store, leaves)
    assert len(kept(store._entries)) == len({each.id for each in kept(store._entries)}) == len(calls)
    await work(store, resumes)
    assert kept(store._entries) == []


async def test_a_path_resumes_its_own_operations_only(autojump_clock: MockClock) -> None:
    store = DurableStore()
    resumed: dict[str, bool] = {}

    async def body(context: Context) -> None:
        async with context.operation("backfill") as op:
            resumed[context.path] = op.is_resumed
            op.leave()

    async with open_runtime(bot(Child("a", body), Child("a#b", body)), state=store, log_level=None) as runtime:
        await wait_all_tasks_blocked()
        assert resumed == {"/bot/a": False, "/bot/a#b": False}
        assert [each.path for each in runtime.state.unfinished()] == ["/bot/a", "/bot/a#b"]
        assert [each.path for each in runtime.state.unfinished("/bot/a#b")] == ["/bot/a#b"]
        assert runtime.state.unfinished("/bot") == ()


async def test_left_for_later_it_stays_with_its_progress_and_the_fields(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def body(self: Worker) -> None:
        async with self.context.operation("backfill") as op:
            await op.progress(index=1)
            self.total = 9
            op.leave()

    async with open_runtime(bot(worker(body)), state=store, log_level=None) as runtime:
        with runtime.events(OperationLeft) as stream:
            await wait_all_tasks_blocked()
            left = one(stream, OperationLeft)
            assert kept(store._entries)[0].progress == {"index": 1}
            assert fields(store._entries)["total"] == 9

    assert left.text() == f"operation backfill() at index=1 was left for later, and can be resumed ({left.id})"


async def test_abandoned_it_is_gone_and_the_block_goes_on(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def body(self: Worker) -> None:
        async with self.context.operation("backfill") as op:
            self.total = 4
            await op.abandon()
            assert kept(store._entries) == []
            assert fields(store._entries)["total"] == 4
            again = self.context.operation("backfill")
            with pytest.raises(WorkInUseError, match=r"^/bot/worker is in the middle of backfill\(\): "):
                await again.__aenter__()
            with pytest.raises(RuntimeError, match=r"^progress\(\) of operation backfill\(\): it is over$"):
                await op.progress(index=1)
        async with again as op:
            assert not op.is_resumed

    await work(store, body)


async def test_it_is_entered_once_and_asked_only_inside(autojump_clock: MockClock) -> None:
    async def body(self: Worker) -> None:
        op = self.context.operation("backfill", limit=5)
        assert repr(op) == "<Operation backfill(limit=5)>"
        with pytest.raises(RuntimeError, match=r"^operation backfill\(limit=5\) has not begun: use it with `async "):
            op.id  # noqa: B018
        with pytest.raises(RuntimeError, match=r"^leave\(\) of operation backfill\(limit=5\): use it inside of `a"):
            op.leave()
        async with op:
            assert repr(op) == "<Operation backfill(limit=5)>"
        with pytest.raises(RuntimeError, match=r"^operation backfill\(limit=5\) was entered before: ask "):
            await op.__aenter__()
        with pytest.raises(RuntimeError, match=r"^abandon\(\) of operation backfill\(limit=5\): it is over$"):
            await op.abandon()

    await work(DurableStore(), body)


@pytest.mark.parametrize("name", ["", "a/b", "a\nb"])
async def test_a_name_is_printable(name: str, autojump_clock: MockClock) -> None:
    async def body(self: Worker) -> None:
        with pytest.raises(ValueError, match=r"^operation: name must be printable, not empty, "):
            self.context.operation(name)

    await work(DurableStore(), body)


async def test_the_same_one_runs_once_at_a_time(autojump_clock: MockClock) -> None:
    async def body(self: Worker) -> None:
        async with self.context.operation("backfill", symbol="BTCUSDT"):
            rule = r"the same work runs once at a time"
            with pytest.raises(
                WorkInUseError, match=rf"^/bot/worker is in the middle of backfill\(symbol='BTCUSDT'\): {rule}$"
            ):
                async with self.context.operation("backfill", symbol="BTCUSDT"):
                    raise AssertionError
            async with self.context.operation("backfill", symbol="ETHUSDT"):
                pass

    store = DurableStore()
    await work(store, body)

    assert kept(store._entries) == []


async def test_two_that_begin_at_once_are_one_and_an_error(autojump_clock: MockClock) -> None:
    refused: list[Exception] = []

    async def body(self: Worker) -> None:
        async def begin() -> None:
            try:
                async with self.context.operation("backfill"):
                    await trio.sleep(1)
            except WorkInUseError as error:
                refused.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(begin)
            nursery.start_soon(begin)

    await work(DurableStore(), body)

    assert len(refused) == 1


# -- who can have one ----------------------------------------------------------


async def test_a_function_has_operations_too(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    attempts: list[tuple[int, int]] = []

    async def body(context: Context) -> None:
        async with context.operation("backfill") as op:
            attempts.append((op.attempts, op.get("index", 0)))
            await op.progress(index=len(attempts))
            await trio.sleep_forever()

    for _ in range(3):
        async with open_runtime(bot(Child("worker", body)), state=store, log_level=None):
            await wait_all_tasks_blocked()

    assert attempts == [(1, 0), (2, 1), (3, 2)]


async def test_a_connection_has_operations_too(autojump_clock: MockClock) -> None:
    attempts: list[tuple[int, int]] = []

    class Link(Connection):
        async def session(self) -> None:
            async with self.context.operation("backfill") as op:
                attempts.append((op.attempts, op.get("index", 0)))
                await op.progress(index=op.attempts)
                if op.attempts < 3:
                    raise ConnectionError("lost")
            await trio.sleep_forever()

    async with open_runtime(bot(Child("link", Link, backoff=NOW)), log_level=None) as runtime:
        await trio.sleep(600)
        assert runtime.state.unfinished() == ()

    assert attempts == [(1, 0), (2, 1), (3, 2)]


async def test_a_handler_has_operations_too(autojump_clock: MockClock) -> None:
    store = DurableStore()

    class Handler(Ledger):
        async def receive(self, message: str) -> Any:
            async with self.context.operation("order", id=message) as op:
                self.fills += 1
                await op.progress(sent=True)
                self.fills += 1
            return self.fills

    async with open_runtime(bot(Child("worker", Handler)), state=store, log_level=None) as runtime:
        assert await runtime.ref(PATH).ask("a") == 2

    seen = [(fields(moment).get("fills", 0), [each.progress for each in kept(moment)]) for moment in moments(store)]
    assert seen[:4] == [(0, []), (0, [{}]), (1, [{"sent": True}]), (2, [])]


# -- limits -------------------------------------------------------------------


async def test_what_is_no_plain_value_is_refused_before_anything_is_stored(autojump_clock: MockClock) -> None:
    store = DurableStore()

    async def body(self: Worker) -> None:
        with pytest.raises(TypeError, match=r"^operation backfill: argument rows must be .*, got \(1, 2\)$"):
            self.context.operation("backfill", rows=(1, 2))
        with pytest.raises(ValueError, match=r"^operation backfill: argument password has the name of a secret: "):
            self.context.operation("backfill", password="x")  # noqa: S106
        with pytest.raises(ValueError, match=TOO_LARGE):
            async with self.context.operation("backfill", rows="x" * 65536):
                raise AssertionError
        assert store.commits == []
        async with self.context.operation("backfill") as op:
            await op.progress(index=1)
            with pytest.raises(TypeError, match=r"^operation backfill: progress rows must be "):
                await op.progress(rows={1})
            with pytest.raises(ValueError, match=TOO_LARGE):
                await op.progress(rows="x" * 65536)
            await op.progress(page=2)
            assert op.progress_made == {"index": 1, "page": 2}

    await work(store, body)


async def test_a_path_may_have_100_unfinished(autojump_clock: MockClock) -> None:
    async def body(self: Worker) -> None:
        for number in range(100):
            async with self.context.operation("backfill", number=number) as op:
                op.leave()
        with pytest.raises(
            TooMuchWorkError,
            match=r"^/bot/worker has 100 unfinished operations and intents: end some of them before another begins$",
        ):
            async with self.context.operation("backfill", number=100):
                raise AssertionError
        async with self.context.operation("backfill", number=7) as op:
            assert op.is_resumed
        async with self.context.operation("backfill", number=100):
            pass

    await work(DurableStore(), body)


# -- by hand -------------------------------------------------------------------


async def test_a_fresh_start_sets_it_aside_and_nothing_brings_it_back(autojump_clock: MockClock) -> None:
    store = DurableStore()
    errors: list[Exception] = []
    attempts: list[tuple[int, int]] = []

    async def body(self: Worker) -> None:
        async with self.context.operation("count") as op:
            attempts.append((op.attempts, self.total))
            self.total = 5
            await op.progress(index=1)
            if len(attempts) == 1:
                self.context.runtime.state.begin_fresh(PATH)  # what restart_child(fresh=True) begins with
                try:
                    await op.progress(index=2)
                except WorkGoneError as error:
                    errors.append(error)
                    raise

    async with open_runtime(bot(worker(body, backoff=NOW)), state=store, log_level=None) as runtime:
        await trio.sleep(10)
        (aside,) = [key for key in runtime.state.asides if "#" in key.partition("#")[2]]
        assert runtime.state.unfinished() == ()

    assert [str(error) for error in errors] == [
        "count() at index=2 of /bot/worker was ended by somebody else, or set aside: nothing more of it is saved"
    ]
    assert attempts == [(1, 0), (1, 0)]
    assert aside in store._entries


async def test_what_a_later_version_stored_is_not_passed_over(autojump_clock: MockClock) -> None:
    store = DurableStore()
    entry = Entry(kind="operation", schema=2, version=1, at=1.0, data=b"\x80")
    store.commit([Change("work:/bot/worker#a-1-1", entry)], 1.0)
    errors: list[str] = []

    async def body(self: Worker) -> None:
        for call in (self.context.unfinished, self.context.operation("count").__aenter__):
            try:
                result: Any = call()
                await result
            except StateRefusedError as error:
                errors.append(error.why)

    await work(store, body)

    why = "the operation work:/bot/worker#a-1-1 is of schema 2, this program knows it up to 1"
    assert errors == [why, why]
    assert store._entries["work:/bot/worker#a-1-1"] is entry


async def test_what_cannot_be_read_is_shown_to_operators(autojump_clock: MockClock) -> None:
    store = DurableStore()
    entry = Entry(kind="intent", schema=1, version=1, at=1.0, data=b"\x80")
    store.commit([Change("work:/bot/gone#a-1-1", entry)], 1.0)

    async with open_runtime(bot(), state=store, log_level=None) as runtime:
        (found,) = runtime.state.unfinished()

    assert (found.path, found.kind, found.id, found.name) == ("/bot/gone", "intent", "a-1-1", "")
    assert found.error.startswith("the intent work:/bot/gone#a-1-1 cannot be read: ")


async def test_an_incarnation_that_has_ended_has_no_operations(autojump_clock: MockClock) -> None:
    store = DurableStore()
    kept_context: list[tuple[Context, Operation]] = []

    async def body(self: Worker) -> None:
        async with self.context.operation("count") as op:
            kept_context.append((self.context, op))
            await trio.sleep_forever()

    async with open_runtime(bot(worker(body)), state=store, log_level=None) as runtime:
        await wait_all_tasks_blocked()
        await runtime.restart_child(PATH)
        await wait_all_tasks_blocked()
        (context, op), _ = kept_context
        with pytest.raises(StoppedError, match=r"^/bot/worker \(incarnation 1\) has ended$"):
            await context.operation("other").__aenter__()
        with pytest.raises(RuntimeError, match=r"^progress\(\) of operation count\(\): it is over$"):
            await op.progress(index=1)
