"""What the console remembers, and what it does not want to hear."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from duenna.error_events import ErrorClassified
from duenna.events import ChildRestarting, ChildStarted, ChildStarting, DeadLetter, MessageDropped
from duenna.guard_events import BreakerChanged, CallHedged, CallRejected, CallRetried
from duenna.machines.breaker import BreakerState, Cause
from duenna.state.events import ActorRestored, ActorSaved
from duenna_actors.console.view.history import MOST_ACTORS, MOST_STATES, History
from duenna_actors.console.view.memory import ConsoleMemory
from duenna_actors.console.view.ring import EventRing
from duenna_actors.console.view.rings import MOST_ACTORS as MOST_ERRING
from duenna_actors.console.view.rings import ErrorRings, Ring
from tests.actors.console.view.support import bot
from tests.runtime.records.kit import classified

if TYPE_CHECKING:
    from trio.testing import MockClock

    from duenna.events import Event

FLOODS = [
    *(DeadLetter, MessageDropped, ChildStarting, ActorSaved, ActorRestored),
    *(CallHedged, CallRejected, CallRetried),
]


@pytest.mark.parametrize("kind", FLOODS)
async def test_floods_are_built_only_for_somebody(autojump_clock: MockClock, kind: type[Event]) -> None:
    """Nobody looks: they are not even made."""
    async with bot() as watched:
        bus = watched.runtime.bus
        assert not bus.wants(kind)
        watched.memory.look()
        assert bus.wants(kind)
        watched.memory.look()
        watched.memory.look_away()
        assert bus.wants(kind)
        watched.memory.look_away()
        assert not bus.wants(kind)


async def test_what_is_routine_is_built_only_for_somebody(autojump_clock: MockClock) -> None:
    """A million actors that start cost no more for a console that nobody looks at."""
    async with bot() as watched:
        bus = watched.runtime.bus
        assert not bus.wants_routine(ChildStarted)
        assert bus.wants(ErrorClassified)
        watched.memory.look()
        assert bus.wants_routine(ChildStarted)


async def test_an_event_that_was_built_for_another_is_no_part_of_the_ring(autojump_clock: MockClock) -> None:
    """What is kept does not depend on who else listens."""
    async with bot() as watched:
        before = watched.memory.ring.last_id
        watched.runtime.bus.post(DeadLetter(time=0.0, path="/bot", message_type="x", why="y"))

        assert watched.memory.ring.last_id == before


async def test_it_attaches_once(autojump_clock: MockClock) -> None:
    """The console's restart changes nothing."""
    async with bot() as watched:
        watched.memory.attach(watched.runtime)
        watched.runtime.ref("/bot/fragile").tell(ValueError("no"))
        await trio.sleep(1)

        rows = watched.memory.ring.rows(path="/bot/fragile")
        assert [row.type for row in rows].count("ChildParked") == 1


def test_a_memory_that_hears_nothing_yet_can_be_looked_at() -> None:
    """A viewer may join before the first start has come so far."""
    memory = ConsoleMemory()
    memory.look()
    memory.look_away()

    assert not memory.is_looked_at


def restarting(time: float, path: str = "/bot/a") -> ChildRestarting:
    return ChildRestarting(time=time, path=path, incarnation=1, delay=1.0, failures=1, reason="no")


def test_ids_have_no_gaps() -> None:
    """From 1; what is not kept any more is counted."""
    ring = EventRing()
    assert (ring.first_id, ring.last_id, ring.rows()) == (1, 0, ())
    for number in range(1500):
        ring.append(restarting(number))

    assert (len(ring), ring.first_id, ring.last_id) == (1000, 501, 1500)
    assert [row.id for row in ring.rows(1497)] == [1498, 1499, 1500]
    assert [row.id for row in ring.rows(0, 2)] == [1499, 1500]
    assert [number for number, _ in ring.after(1498)] == [1499, 1500]
    assert ring.rows(9999) == ()
    assert (ring.lost_after(0), ring.lost_after(500), ring.lost_after(1500)) == (500, 0, 0)


def test_a_text_that_fails_says_so() -> None:
    """A user's own event must not end the stream."""

    class Broken(ChildRestarting, frozen=True):
        def text(self) -> str:
            raise KeyError("oh")

    ring = EventRing()
    ring.append(Broken(time=0.0, path="/bot", incarnation=1, delay=0.0, failures=1, reason=""))

    assert ring.rows()[0].text == "its text failed: KeyError"


def test_history_is_bounded() -> None:
    """200 states of each of 1,000 actors; the one that has not changed for the longest is forgotten."""
    history = History()
    for number in range(MOST_STATES + 50):
        history.hear(restarting(number, "/bot/a"))
    assert len(history.of("/bot/a")) == MOST_STATES
    assert [each.time for each in history.of("/bot/a", 248.0)] == [248.0, 249.0]
    for number in range(MOST_ACTORS - 1):
        history.hear(restarting(300, f"/bot/x{number}"))
    history.hear(restarting(300, "/bot/a"))
    history.hear(restarting(300, "/bot/new"))

    assert history.of("/bot/x0") == ()
    assert history.of("/bot/x1") != ()
    assert history.since("/bot/a") == 300
    assert history.since("/bot/nobody") is None
    assert len(history.troubled(0.0, 10)) == 10


def test_steps_of_one_change_are_one_state() -> None:
    """An end is followed at once by what it leads to."""
    history = History()
    history.hear(restarting(1.0))
    history.hear(ChildStarted(time=1.0001, path="/bot/a", incarnation=2))

    assert [each.state for each in history.of("/bot/a")] == ["running"]


def test_who_is_gone_is_forgotten() -> None:
    """And does not appear in the charts."""
    history = History()
    history.hear(restarting(1.0))
    assert set(history.troubled(0.0, 10)) == {"/bot/a"}
    history.forget("/bot/a")

    assert history.troubled(0.0, 10) == {}


def test_a_ring_counts_by_slices() -> None:
    """The newest slice is the one that now lies in; what is older than all is gone."""
    ring = Ring(10.0, 3)
    assert ring.values(100.0) == (0, 0, 0)
    ring.add(100.0)
    ring.add(109.9, 2)
    ring.add(110.0)
    assert ring.values(110.0) == (0, 3, 1)
    ring.add(70.0)
    assert ring.values(119.0) == (0, 3, 1)
    for number in range(1000):
        ring.add(200.0 + 10 * number)

    assert ring.values(200.0 + 9990) == (1, 1, 1)
    assert ring.values(99_999.0) == (0, 0, 0)
    assert len(ring._counts) <= 3 + 1


def test_errors_are_counted_of_a_bounded_number_of_actors() -> None:
    """Who had no errors for the longest is forgotten; the whole is exact."""
    rings = ErrorRings()
    for number in range(MOST_ERRING + 10):
        rings.add(60.0, "HIGH", f"/bot/{number}")
        rings.add(60.0, "LOW", "/bot/0")

    assert sum(rings.all.values(60.0)) == 2 * (MOST_ERRING + 10)
    assert {severity: values[-1] for severity, values in rings.by_severity(60.0).items()} == {
        "HIGH": MOST_ERRING + 10,
        "LOW": MOST_ERRING + 10,
    }
    assert rings.of("/bot/0", 60.0)[-1] == MOST_ERRING + 11
    assert rings.of("/bot/1", 60.0) == (0,) * 60


async def test_the_line_of_an_incident_keeps_its_id(autojump_clock: MockClock) -> None:
    """Open, and when it is over; the next one of the same actor has another."""
    async with bot() as watched:
        why, runtime = watched.memory.why, watched.runtime
        runtime.ref("/bot/feeds/c").tell(ValueError("no"))
        await trio.sleep(5)
        (row,) = why.rows(runtime.now())
        assert (row.path, row.outcome, row.took) == ("/bot/feeds/c", "open", None)
        assert row.text.endswith("-> not over")
        await runtime.restart_child("/bot/feeds/c")
        await trio.sleep(100)

        (closed,) = why.rows(runtime.now())
        assert closed.id == row.id
        assert closed.outcome != "open"
        runtime.ref("/bot/fragile").tell(ValueError("no"))
        await trio.sleep(100)
        newer, older = why.rows(runtime.now())
        assert (older.id, newer.path) == (row.id, "/bot/fragile")
        assert newer.id > older.id
        assert why.rows(runtime.now(), path="/bot/fragile") == (newer,)
        assert why.rows(runtime.now(), most=1) == (newer,)


def opened(guard: str, path: str) -> BreakerChanged:
    return BreakerChanged(
        time=5.0,
        path=path,
        guard=guard,
        previous=BreakerState.CLOSED,
        state=BreakerState.OPEN,
        cause=Cause.FAILURES,
        open_for=1.0,
        calls=1,
        failures=1,
        error="",
    )


def test_what_is_known_of_guards_is_bounded() -> None:
    """The last 20 actors of each of 1,000; a call by no actor is none's."""
    memory = ConsoleMemory()
    for number in range(30):
        memory.hear(opened("g", f"/bot/{number}"))
    memory.hear(opened("other", "/"))
    assert list(memory.guards["g"]) == [f"/bot/{number}" for number in range(10, 30)]
    assert "other" not in memory.guards
    for number in range(1000):
        memory.hear(opened(f"g{number}", "/bot/a"))

    assert len(memory.guards) == 1000
    assert "g" not in memory.guards


def sizes(of: object, name: str = "", depth: int = 0) -> dict[str, int]:
    """Return how much every container below *of* holds."""
    found: dict[str, int] = {}
    kind: type[Any] = type(of)
    for field in attrs.fields(kind) if attrs.has(kind) and depth < 4 else ():
        value = getattr(of, field.name)
        if isinstance(value, (dict, list, set, deque)):
            found[f"{name}.{field.name}"] = len(value)
        else:
            found |= sizes(value, f"{name}.{field.name}", depth + 1)
    return found


async def test_whatever_comes_everything_is_bounded(autojump_clock: MockClock) -> None:
    """Every path, guard and type of error may be another: nothing holds more than a few thousand of them."""
    async with bot() as watched:
        memory, runtime = watched.memory, watched.runtime
        memory.look()
        for number in range(12_000):
            now, path = number * 0.01, f"/bot/{number}"
            memory.hear(restarting(now, path))
            memory.hear(opened(f"guard {number}", path))
            memory.hear(classified(path=path, time=now, error_type=f"Error{number}"))
            memory.why.rows(now) if number % 500 == 0 else None

        found = sizes(memory)
        assert {".ring._events", ".history._states", ".why._closed", ".guards"} <= set(found)
        assert found.pop(".why._incidents._ids") <= 10_000
        assert {name: size for name, size in found.items() if size > 1000} == {}
        assert not runtime.is_over
