"""What a guard does, as the records of a world tell it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from duenna import Actor, Child, Supervisor
from duenna.guards import Breaker, Bulkhead, CircuitOpenError, Guard, Hedge, Retry, RetryBudget
from duenna.guards._dependency import Dependency
from duenna.guards._registry import GuardRegistry, registry
from duenna.machines.backoff import Backoff
from duenna.testing import World, rehearse
from duenna.testing._tap import tap_guards

from .support import Book, Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duenna.testing.trace import Record

STEPS = Retry(3, backoff=Backoff.steps(2.0))
MODULE = Guard("of a module", retry=None)


class NoError(Exception):
    """What calls fail with."""


class Far:
    """Fails as often as it was told to, then answers; takes a second."""

    def __init__(self, failures: int = 0, seconds: float = 1.0) -> None:
        self.failures = failures
        self.seconds = seconds

    async def ask(self) -> str:
        """Answer."""
        await trio.sleep(self.seconds)
        return self.ask_at_once()

    def ask_at_once(self) -> str:
        """Answer without waiting."""
        self.failures -= 1
        if self.failures >= 0:
            raise NoError("no")
        return "yes"


@pytest.fixture
def book() -> Iterator[Book]:
    """Give the records of all guards."""
    book = Book()
    with registry.fresh(), tap_guards(book.record):
        yield book


def story(book: Book) -> list[str]:
    """Give all records in short."""
    return [short(entry) for entry in book.entries]


def short(entry: Entry) -> str:
    """Give a record in short: its kind, the attempt, and how it ended."""
    fields = entry.fields
    words = [entry.kind, str(fields["attempt"]) if "attempt" in fields else "", "+" * fields.get("hedge", 0)]
    return " ".join(filter(None, [*words, fields.get("outcome", ""), fields.get("by", "")]))


async def failing(guard: Guard, far: Far, calls: int = 1) -> None:
    """Make calls that may fail, one after the other."""
    for _ in range(calls):
        with suppress(Exception):
            await guard.call(far.ask)


async def test_a_call_that_succeeds_at_once(autojump_clock: MockClock, book: Book) -> None:
    assert await Guard("g").call(Far().ask) == "yes"

    assert story(book) == ["call_begun", "attempt_begun 1", "attempt_ended 1 ok", "call_ended ok"]
    assert [entry.fields for entry in book.entries] == [
        {"guard": "g", "call": 1},
        {"guard": "g", "call": 1, "attempt": 1, "hedge": 0},
        {"guard": "g", "call": 1, "attempt": 1, "hedge": 0, "outcome": "ok"},
        {"guard": "g", "call": 1, "outcome": "ok", "attempts": 1},
    ]


async def test_a_decorated_function_and_a_plain_one_are_recorded_alike(autojump_clock: MockClock, book: Book) -> None:
    guard = Guard("g")
    await guard(Far().ask)()
    guard(Far().ask_at_once)()
    guard.call_sync(Far().ask_at_once)

    assert story(book) == ["call_begun", "attempt_begun 1", "attempt_ended 1 ok", "call_ended ok"] * 3


async def test_a_call_that_is_tried_again(autojump_clock: MockClock, book: Book) -> None:
    await Guard("g", retry=STEPS, deadline=60.0).call(Far(failures=1).ask)

    assert story(book) == [
        "call_begun",
        "attempt_begun 1",
        "attempt_ended 1 error",
        "failure_counted",
        "retry_planned 1",
        "attempt_begun 2",
        "attempt_ended 2 ok",
        "call_ended ok",
    ]
    assert book.of("attempt_ended")[0].fields["error"] == "NoError: no"
    assert book.of("retry_planned")[0].fields == {
        "guard": "g",
        "call": 1,
        "attempt": 1,
        "delay": 2.0,
        "retry_after": 0.0,
        "attempts": 3,
        "backoff": {"waits": [2.0]},
        "deadline": 60.0,
        "idempotent": True,
        "outcome_known": False,
        "budget": {"name": "g", "ratio": 0.1, "cap": 10.0, "free": 1},
        "cost": 1.0,
    }


async def test_a_computed_backoff_is_recorded_with_its_terms(autojump_clock: MockClock, book: Book) -> None:
    endless = Backoff(initial=0.5, factor=3.0, jitter="equal")  # type: ignore[arg-type]  # as text

    await Guard("g", retry=Retry(3, backoff=endless)).call(Far(failures=1).ask)

    backoff = book.of("retry_planned")[0].fields["backoff"]
    assert backoff == {"initial": 0.5, "factor": 3.0, "maximum": None, "jitter": "equal"}


async def test_a_call_that_gives_up_says_why(autojump_clock: MockClock, book: Book) -> None:
    await failing(Guard("g", retry=STEPS), Far(failures=9))

    end = book.of("call_ended")[0].fields
    assert (end["outcome"], end["attempts"], end["why"]) == ("error", 3, "attempts")


async def test_an_open_breaker(autojump_clock: MockClock, book: Book) -> None:
    breaker = Breaker.consecutive(1, open_for=5.0)
    guard = Guard("g", retry=None, breaker=breaker)
    await failing(guard, Far(failures=1), 2)
    await trio.sleep(5.0)
    await failing(guard, Far(), 2)

    assert story(book)[2:] == [
        "attempt_ended 1 error",
        "breaker_moved",
        "failure_counted",
        "call_ended error",
        "call_begun",
        "attempt_refused 1 breaker",
        "call_ended error",
        "call_begun",
        "breaker_moved",
        "attempt_begun 1",
        "attempt_ended 1 ok",
        "call_ended ok",
        "call_begun",
        "attempt_begun 1",
        "attempt_ended 1 ok",
        "breaker_moved",
        "call_ended ok",
    ]
    assert book.of("attempt_refused")[0].fields["retry_after"] == 5.0
    assert book.of("breaker_moved")[0].fields == {
        "guard": "g",
        "previous": "closed",
        "state": "open",
        "cause": "failures",
        "open_for": 5.0,
        "probes": 1,
        "probe_timeout": 60.0,
        "shortest": 5.0,
        "longest": 5.0,
    }


@pytest.mark.parametrize(
    ("breaker", "shortest", "longest"),
    [
        (Breaker(open_for=10.0, open_jitter=0.2), 8.0, 12.0),
        (Breaker(open_for=10.0, open_jitter=0.2, longest_open=11.0), 8.0, 11.0),
        (Breaker(open_for=10.0, open_jitter=0.2, growth=2.0), 8.0, 100.0),
    ],
)
async def test_how_long_a_breaker_may_open(
    autojump_clock: MockClock, book: Book, breaker: Breaker, shortest: float, longest: float
) -> None:
    Guard("g", breaker=breaker).force_open()

    moved = book.entries[0].fields
    assert (moved["shortest"], moved["longest"], moved["open_for"]) == (shortest, longest, None)


async def test_a_refusal_at_once_is_no_call(autojump_clock: MockClock, book: Book) -> None:
    """It has an event, as ever."""
    guard = Guard("g")
    fetch = guard(Far().ask)
    guard.force_open()

    with pytest.raises(CircuitOpenError):
        await fetch()

    assert story(book) == ["breaker_moved"]


async def test_a_full_bulkhead(autojump_clock: MockClock, book: Book) -> None:
    guard = Guard("g", bulkhead=Bulkhead(1, max_wait=0.5))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(failing, guard, Far())
        await wait_all_tasks_blocked()
        nursery.start_soon(failing, guard, Far())

    assert [short(entry) for entry in book.entries if entry.fields["call"] == 2] == [
        "call_begun",
        "attempt_refused 1 bulkhead",
        "call_ended error",
    ]


async def test_a_wait_for_the_bulkhead(autojump_clock: MockClock, book: Book) -> None:
    """The breaker has let it through before."""
    guard = Guard("g", bulkhead=Bulkhead(1, max_wait=5.0))
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(failing, guard, Far())

    assert [entry.fields.get("admitted") for entry in book.of("attempt_begun")] == [None, 0.0]


async def test_a_hedge(autojump_clock: MockClock, book: Book) -> None:
    await Guard("g", hedge=Hedge(0.6, most=2)).call(Far().ask)

    assert story(book) == [
        "call_begun",
        "attempt_begun 1",
        "hedge_planned 1",
        "attempt_begun 1 +",
        "attempt_ended 1 ok",
        "attempt_ended 1 + cancelled",
        "call_ended ok",
    ]


async def test_a_hedge_that_is_denied(autojump_clock: MockClock, book: Book) -> None:
    strict = Retry(budget=RetryBudget(0.0, 0.0, free=0))

    await Guard("g", retry=strict, hedge=Hedge(0.6)).call(Far().ask)

    assert "hedge_denied 1" in story(book)
    assert book.of("hedge_denied")[0].fields["budget"] == {"name": "budget 1", "ratio": 0.0, "cap": 0.0, "free": 0}


async def test_a_call_that_is_cancelled(autojump_clock: MockClock, book: Book) -> None:
    guard = Guard("g", bulkhead=1)
    with trio.move_on_after(0.5):
        await guard.call(Far().ask)

    assert story(book)[2:] == ["attempt_ended 1 cancelled", "call_ended cancelled"]


async def test_a_reset(autojump_clock: MockClock, book: Book) -> None:
    guard = Guard("g")
    Guard("never called").reset()
    await guard.call(Far().ask)
    guard.reset()

    assert story(book)[4:] == ["guard_reset"]


async def test_what_is_left_is_told_when_the_last_call_has_ended(autojump_clock: MockClock, book: Book) -> None:
    guard = Guard("g", bulkhead=2)
    await guard.call(Far().ask)
    guard.dependency.slots.try_acquire()  # type: ignore[union-attr]  # there is a bulkhead
    async with trio.open_nursery() as nursery:
        nursery.start_soon(failing, guard, Far(seconds=1.0))
        nursery.start_soon(failing, guard, Far(seconds=2.0))

    assert [entry.fields.get("slots") for entry in book.of("call_ended")] == [None, None, 1]


async def test_a_rehearsal_is_not_recorded(autojump_clock: MockClock, book: Book) -> None:
    rehearse(Guard("g"))

    assert book.entries == []


def test_guards_of_before_are_tapped_and_all_taps_come_off() -> None:
    book = Book()

    async def main() -> Guard:
        await MODULE.call(Far().ask)
        return Guard("made inside")

    with registry.fresh(), tap_guards(book.record):
        inside = trio.run(main, clock=MockClock(autojump_threshold=0))
    count = len(book.entries)
    trio.run(inside.call, Far(seconds=0.0).ask)
    MODULE.call_sync(Far().ask_at_once)

    assert count == len(book.entries) == 4
    assert type(registry) is GuardRegistry
    for guard in (MODULE, inside):
        assert type(guard.dependency) is Dependency
        assert guard.dependency.tap is None


class Asker(Actor):
    """Calls from a handler, from a task below its own, and from a worker thread."""

    async def run(self) -> None:
        guard = Guard("g", retry=STEPS)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(guard.call, Far().ask)
        await trio.to_thread.run_sync(guard.call_sync, Far(failures=1).ask_at_once)
        self.context.tell_after(1.0, "ask")
        await trio.sleep_forever()

    async def receive(self, message: Any) -> None:
        await Guard("g", retry=STEPS).call(Far().ask)


def recorded() -> list[Record]:
    """Run the asker in a world."""
    world = World(1)

    async def main() -> None:
        async with world.open_runtime(Supervisor("bot", [Child("asker", Asker)])):
            await trio.sleep(10.0)

    world.run(main)
    assert world.violations() == ()
    return [record for record in world.trace.records if "call" in record.fields]


def test_in_a_world_every_call_is_its_actors() -> None:
    assert [record.fields["call"] for record in recorded() if record.kind == "call_ended"] == [1, 2, 3]
    assert {record.path for record in recorded()} == {"/bot/asker"}


def test_a_worker_thread_is_ahead_of_its_world() -> None:
    """What it does, is done at one moment of the world; the time that it takes is in the records."""
    second = [record for record in recorded() if record.fields["call"] == 2]

    assert len({record.t for record in second}) == 1
    began, planned, again = (
        next(record for record in second if (record.kind, record.fields.get("attempt")) == what)
        for what in (("attempt_begun", 1), ("retry_planned", 1), ("attempt_begun", 2))
    )
    assert "time" not in began.fields
    assert "time" not in planned.fields
    assert again.fields["time"] == again.t + 2.0
