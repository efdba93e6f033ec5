"""The memory monitor, on virtual time and sizes that the test makes up; and what the real ones are read from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna import Backoff, ChildStarted, ErrorReported, StartFailedError, Supervisor
from duenna.error_events import ErrorClassified
from duenna_actors.monitors import (
    GetMemory,
    MemoryLevel,
    MemoryMonitor,
    MemoryPressure,
    MemoryRelieved,
    SaveState,
    ShrinkCache,
    read_limit,
    read_rss,
    resident,
)
from tests.actors.support import Inbox

from .kit import Worker, bot

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from tests.actors.support import Bot


class Machine:
    """A process whose size is what the test says.

    Attributes:
        size: Now.
        saves: When the state was saved.
    """

    def __init__(self, size: int = 50) -> None:
        self.size = size
        self.saves: list[float] = []
        self.shrunk = 0
        self.fails: Exception | None = None

    def rss(self) -> int:
        if self.fails is not None:
            raise self.fails
        return self.size

    def shrink(self) -> None:
        self.shrunk += 1

    async def save(self) -> None:
        self.saves.append(trio.current_time())


async def watch(running: Bot, machine: Machine, **options: Any) -> None:
    given: dict[str, Any] = {"limit_bytes": 100, "read_rss": machine.rss} | options
    await running.start("memory", lambda: MemoryMonitor(**given))


def steps(running: Bot, since: float) -> list[tuple[float, str, str]]:
    return [(event.time - since, event.step, event.target) for event in running.seen.of(MemoryPressure)]


def criticals(running: Bot) -> list[ErrorClassified]:
    return [event for event in running.seen.of(ErrorClassified) if event.verdict.severity == "CRITICAL"]


async def test_the_steps_come_in_order_with_waits_between(autojump_clock: MockClock) -> None:
    """Event, caches, then state saved and the largest restarted, one after the other; at the end one CRITICAL error."""
    machine, inbox = Machine(101), Inbox()
    async with bot() as running:
        await running.runtime.start_child("/bot", inbox.spec("inbox", ShrinkCache, SaveState))
        for name in ("small", "large"):
            await running.start(name, Worker)
        began = running.runtime.now()
        sizes = {"/bot/small": 1, "/bot/large": 2}
        await watch(
            running,
            machine,
            restarts=["/bot/small", "/bot/large"],
            size_of=sizes.get,
            caches=[machine.shrink],
            save=machine.save,
        )
        await trio.sleep(1_000)

        assert steps(running, began) == [
            (0, "notice", ""),
            (10, "shrink", ""),
            (20, "restart", "/bot/large"),
            (332, "restart", "/bot/small"),
            (344, "spent", ""),
        ]
        restarted = [
            (event.path, event.time - began) for event in running.seen.of(ChildStarted) if event.incarnation == 2
        ]
        assert restarted == [("/bot/large", 22), ("/bot/small", 334)]
        assert [time - began for time in machine.saves] == [20, 332, 344]
        assert machine.shrunk == 1
        assert inbox.drain() == [
            ShrinkCache(101, 100),
            SaveState("/bot/large", 2.0),
            SaveState("/bot/small", 2.0),
            SaveState("", 2.0),
        ]
        (found,) = criticals(running)
        assert (found.verdict.category, found.report.path) == ("MEMORY", "/bot/memory")
        reading = await running.ref("memory").ask(GetMemory())
        assert (reading.size, reading.level, reading.lasted) == (101, MemoryLevel.CRITICAL, 1_000)
        assert reading.restarted == ("/bot/large", "/bot/small")


async def test_what_helps_ends_the_steps(autojump_clock: MockClock) -> None:
    machine = Machine(101)

    def shrink() -> None:
        machine.size = 85

    async with bot() as running:
        await running.start("worker", Worker)
        began = running.runtime.now()
        await watch(running, machine, restarts=["/bot/worker"], caches=[shrink])
        await trio.sleep(500)

        assert [step for _, step, _ in steps(running, began)] == ["notice", "shrink"]
        (over,) = running.seen.of(MemoryRelieved)
        assert (over.time - began, over.lasted, over.size) == (20, 20, 85)
        assert running.runtime.tree("/bot/worker").incarnation == 1


async def test_a_size_that_falls_while_state_is_saved_restarts_nothing(autojump_clock: MockClock) -> None:
    machine = Machine(101)

    async def save() -> None:
        machine.size = 95

    async with bot() as running:
        await running.start("worker", Worker)
        await watch(running, machine, restarts=["/bot/worker"], save=save)
        await trio.sleep(500)

        assert running.runtime.tree("/bot/worker").incarnation == 1


async def test_growth_counts_before_the_limit_is_reached(autojump_clock: MockClock) -> None:
    """A byte a second is 60 a minute, which is known after 10 minutes."""

    def rss() -> int:
        return int(trio.current_time())

    async with bot() as running:
        began = running.runtime.now()
        await watch(running, Machine(), limit_bytes=1 << 40, max_growth_bytes_per_minute=59, read_rss=rss)
        await trio.sleep(601)

        (time, step, _), *_ = steps(running, began)
        assert (time, step) == (600, "notice")
        assert running.seen.of(MemoryPressure)[0].growth == 60


async def test_what_is_down_or_held_by_a_person_is_left_alone(autojump_clock: MockClock) -> None:
    async with bot() as running:
        for name in ("stopped", "held", "well"):
            await running.start(name, Worker)
        await running.runtime.stop_child("/bot/stopped")
        await running.runtime.suspend("/bot/held")
        began = running.runtime.now()
        targets = ["/bot/stopped", "/bot/held", "/bot/nowhere", "/bot/well"]
        await watch(running, Machine(101), restarts=targets, restart_cooldown=0)
        await trio.sleep(1_000)

        assert [target for _, _, target in steps(running, began) if target] == ["/bot/well"]
        assert running.runtime.tree("/bot/stopped").state == "stopped"


async def test_supervisors_can_be_restarted(autojump_clock: MockClock) -> None:
    async with bot() as running:
        await running.runtime.start_child("/bot", Supervisor("strategies", []))
        await watch(running, Machine(101), restarts=["/bot/strategies"])
        await trio.sleep(100)

        assert running.runtime.tree("/bot/strategies").incarnation == 2


@pytest.mark.parametrize("path", ["/bot/memory", "/bot"])
async def test_it_never_restarts_itself(autojump_clock: MockClock, path: str) -> None:
    async with bot() as running:
        with pytest.raises(StartFailedError) as caught:
            await watch(running, Machine(), restarts=[path])
    why = f"MemoryMonitor /bot/memory: restarts must not hold itself or what is above it, got '{path}'"
    assert str(caught.value.__cause__) == why


async def test_what_the_user_gave_may_fail(autojump_clock: MockClock) -> None:
    """A cache, a size or a save that fails is reported; the next step comes all the same."""

    def fail(*_: object) -> float:
        raise RuntimeError("broken")

    async def save() -> None:
        await trio.sleep_forever()

    async with bot() as running:
        await running.start("worker", Worker)
        began = running.runtime.now()
        await watch(
            running,
            Machine(101),
            restarts=["/bot/worker"],
            caches=[fail, fail],
            size_of=fail,
            save=save,
            save_timeout=5,
        )
        await trio.sleep(27)

        assert running.runtime.tree("/bot/worker").incarnation == 2
        hooks = [event.details["hook"] for event in running.seen.of(ErrorReported)]
        assert hooks == ["cache", "cache", "size_of", "save"]
        assert steps(running, began)[-1] == (20, "restart", "/bot/worker")


async def test_a_restart_that_fails_is_reported_and_the_next_one_comes(autojump_clock: MockClock) -> None:
    class Stubborn(Worker):
        incarnations = 0

        def started(self) -> None:
            Stubborn.incarnations += 1
            if Stubborn.incarnations == 2:
                raise RuntimeError("does not start")

    async with bot() as running:
        await running.start("stubborn", Stubborn, backoff=Backoff.steps(5))
        await running.start("worker", Worker)
        await watch(running, Machine(101), restarts=["/bot/stubborn", "/bot/worker"], restart_cooldown=0)
        await trio.sleep(100)

        reported = [event.details for event in running.seen.of(ErrorReported) if "target" in event.details]
        assert reported == [{"hook": "restart", "target": "/bot/stubborn"}]
        assert running.runtime.tree("/bot/worker").incarnation == 2


async def test_its_own_restart_in_the_middle_restarts_nothing_twice(autojump_clock: MockClock) -> None:
    """Under one_for_all the restart that it asks for is its own, too: the steps go on from there."""
    async with bot(strategy="one_for_all") as running:
        await running.start("worker", Worker)
        began = running.runtime.now()
        await watch(running, Machine(101), restarts=["/bot/worker"])
        await trio.sleep(1_000)

        assert running.runtime.tree("/bot/memory").incarnation == 2
        assert [step for _, step, _ in steps(running, began)] == ["notice", "shrink", "restart", "spent"]
        assert running.runtime.tree("/bot/worker").incarnation == 2
        assert len(criticals(running)) == 1


@pytest.mark.parametrize("after", [5.0, 15.0, 20.5, 25.0])
async def test_cancelled_anywhere_it_goes_on_where_it_was(autojump_clock: MockClock, after: float) -> None:
    async with bot() as running:
        await running.start("worker", Worker)
        began = running.runtime.now()
        await watch(running, Machine(101), restarts=["/bot/worker"])
        await trio.sleep(after)
        await running.runtime.restart_child("/bot/memory")
        await trio.sleep(1_000)

        names = [step for _, step, _ in steps(running, began)]
        assert names == ["notice", "shrink", "restart", "spent"]


async def test_a_size_that_cannot_be_read_is_reported_once_until_it_can(autojump_clock: MockClock) -> None:
    machine = Machine()
    machine.fails = OSError("no /proc")
    async with bot() as running:
        await watch(running, machine)
        assert (await running.ref("memory").ask(GetMemory())).size is None
        await trio.sleep(301)
        machine.fails = None
        await trio.sleep(30)
        machine.fails = OSError("no /proc")
        await trio.sleep(300)

        assert len(running.seen.of(ErrorReported)) == 2
        assert (await running.ref("memory").ask(GetMemory())).size == 50


async def test_other_messages_are_refused(autojump_clock: MockClock) -> None:
    async with bot() as running:
        await watch(running, Machine())
        with pytest.raises(TypeError, match=r"^/bot/memory takes no str$"):
            await running.ref("memory").ask("how are you")
        running.ref("memory").tell(3)
        await trio.sleep(1)
        assert running.runtime.tree("/bot/memory").restarts == 0
        assert len(running.seen.of(ErrorReported)) == 1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"limit_bytes": 0}, ValueError, "limit_bytes must be >= 1, got 0"),
        ({"limit_bytes": 1.5}, TypeError, "limit_bytes must be a whole number, got 1.5"),
        ({"limit_share": 0}, ValueError, "limit_share must be > 0 and <= 1, got 0"),
        ({"relief": 1.1}, ValueError, "relief must be > 0 and <= 1, got 1.1"),
        ({"check_every": 0}, ValueError, "check_every must be > 0 seconds, got 0"),
        ({"restart_cooldown": -1}, ValueError, "restart_cooldown must be >= 0 seconds, got -1"),
        ({"max_growth_bytes_per_minute": 0}, ValueError, "max_growth_bytes_per_minute must be > 0, got 0"),
        ({"growth_window": 60}, ValueError, r"growth_window must be 3 to 999 times check_every (30.0), got 60"),
        ({"restarts": "/bot"}, TypeError, "restarts must be a collection of paths, got '/bot'"),
        ({"restarts": ["bot"]}, ValueError, "restarts must hold absolute paths such as '/bot/strategy', got 'bot'"),
        ({"restarts": [1]}, TypeError, "restarts must hold paths, got 1"),
        ({"caches": [1]}, TypeError, "caches must be a function, got 1"),
        ({"save": 1}, TypeError, "save must be a function, got 1"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        MemoryMonitor(**options)
    assert str(caught.value) == f"MemoryMonitor: {message}"


# -- the real sizes --------------------------------------------------------------------


def test_the_resident_size_follows_what_is_taken() -> None:
    before = read_rss()
    taken = bytearray(os.urandom(1)) * (64 << 20)  # noqa: TID251  # written to, so that it is there
    grown = read_rss() - before
    assert 60 << 20 <= grown <= 80 << 20
    del taken


def test_without_proc_it_is_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident, "_STATM", "/nowhere/statm")
    assert read_rss() >= 1 << 20


@pytest.mark.parametrize(
    ("groups", "files", "limit"),
    [
        ("0::/a/b\n", {"a/memory.max": "5000", "a/b/memory.max": "max"}, 5000),
        ("0::/a/b\n", {"a/memory.max": "5000", "a/b/memory.max": "4000"}, 4000),
        ("0::/../a\n", {"memory.max": "6000"}, 6000),
        ("4:cpu,memory:/x\n0::/\n", {"memory/x/memory.limit_in_bytes": "7000"}, 7000),
        ("4:memory:/x\n", {"memory/memory.limit_in_bytes": "9223372036854771712"}, None),
        ("3:cpu:/\n", {}, None),
    ],
)
def test_the_least_limit_of_all_groups_counts(
    tmp_path: Path, groups: str, files: dict[str, str], limit: int | None
) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    (tmp_path / "cgroup").write_text(groups)
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

    assert read_limit(str(tmp_path), str(tmp_path / "cgroup")) == (physical if limit is None else limit)


def test_without_groups_the_machine_is_the_limit(tmp_path: Path) -> None:
    assert read_limit(str(tmp_path), str(tmp_path / "none")) == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


async def test_without_a_limit_it_is_a_share_of_the_systems(autojump_clock: MockClock) -> None:
    async with bot() as running:
        await watch(running, Machine(), limit_bytes=None, limit_share=0.5)
        known = read_limit()
        assert known is not None
        assert (await running.ref("memory").ask(GetMemory())).limit == known // 2
