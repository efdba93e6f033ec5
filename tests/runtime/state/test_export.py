"""`system_state.json`: what a person wants to see, after each save that changed something; never in the way."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import attrs
import trio
import trio.testing

from duenna import Actor, Child, Context, ErrorReported, Runtime, Settings, Supervisor, open_runtime, persistent
from duenna._open import opened
from duenna.state.export import MOST_SHOWN, NAME
from duenna.storage import FileStore, MemoryStore, read_state
from duenna_actors.stores import ReplicatedStore

from .kit import one

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import pytest

WALL = 1_772_366_400.0  # 2026-03-01T12:00:00Z


@attrs.define
class Book(Actor):
    """Holds prices that can be had again, and a position that cannot."""

    prices: dict[str, float] = persistent(factory=dict, cache=True)
    api_key: str = persistent(default="")
    position: float = persistent(default=0.0, money=True)

    def receive(self, message: dict[str, Any]) -> float:
        for name, value in message.items():
            setattr(self, name, value)
        return self.position


async def backfill(context: Context) -> None:
    """Be at work for ever."""
    async with context.operation("backfill", symbol="BTCUSDT", source="https://bot:hunter2@far") as operation:
        await operation.progress(index=1200)
        await context.intent("order", symbol="BTCUSDT")
        await trio.sleep_forever()


def live(
    folder: Path, body: Callable[[Runtime], Awaitable[object]], tree: Supervisor | None = None, **options: Any
) -> None:
    """Run a bot on a virtual clock that begins at noon, with its state in *folder*, while *body* runs."""
    clock = trio.testing.MockClock(autojump_threshold=0)

    async def main() -> None:
        bot = tree or Supervisor("bot", [Child("book", Book)])
        options.setdefault("state", folder)
        runtime = Runtime(bot, seed=1, log_level=None, **options)
        runtime.state.wall = lambda: WALL + clock.current_time()
        async with opened(runtime, None):
            await body(runtime)

    trio.run(main, clock=clock)


async def save(runtime: Runtime) -> None:
    """Have everything saved, and exported."""
    await trio.testing.wait_all_tasks_blocked()
    await runtime.state.save(force=True)
    await trio.testing.wait_all_tasks_blocked()


def exported(folder: Path) -> Any:
    """Return what stands in the file."""
    return json.loads((folder / NAME).read_text())


def test_the_file_has_what_a_person_wants_to_see(tmp_path: Path) -> None:
    seen: list[Any] = []

    async def body(runtime: Runtime) -> None:
        runtime.recovery.data.put("BTCUSDT", {"bid": 99.5})
        runtime.ref("/bot/book").tell({"prices": {"BTCUSDT": 100.5}, "position": 1.5, "api_key": "k7Fq0Zp1xWabc123"})
        await save(runtime)
        await trio.sleep(10)
        runtime.ref("/bot/book").tell({"position": 2.5})
        await save(runtime)
        seen.append(exported(tmp_path))

    live(tmp_path, body, settings=Settings(auto_recovery_enabled=False))

    (document,) = seen
    assert list(document) == [
        "note",
        "exported_at",
        "state",
        "operations",
        "intents",
        "actors",
        "cached_data",
        "settings",
    ]
    assert document["note"] == "for people; duenna never reads this file"
    assert document["exported_at"] == "2026-03-01T12:00:10.000000Z"
    assert document["state"]["store"] == str(tmp_path)
    assert document["state"]["saved_at"] == "2026-03-01T12:00:10.000000Z"
    assert (document["state"]["is_durable"], document["state"]["damages"]) == (True, [])
    book = document["actors"]["/bot/book"]
    del book["size"]
    assert book == {
        "kind": "Book",
        "schema": 1,
        "version": 2,
        "saved_at": "2026-03-01T12:00:10.000000Z",
        "age": 0.0,
        "money": True,
    }
    assert document["cached_data"] == {
        "fields": {
            "/bot/book": {
                "saved_at": "2026-03-01T12:00:10.000000Z",
                "age": 0.0,
                "values": {"prices": {"BTCUSDT": 100.5}},
            }
        },
        "last_good": {"BTCUSDT": {"value": {"bid": 99.5}, "saved_at": "2026-03-01T12:00:00.000000Z", "age": 10.0}},
    }
    assert document["settings"]["auto_recovery_enabled"] is False
    assert document["settings"]["health"]["check_interval"] == 30.0


def test_work_in_progress_is_told_without_secrets(tmp_path: Path) -> None:
    seen: list[Any] = []

    async def body(runtime: Runtime) -> None:
        await trio.sleep(10)
        await save(runtime)
        seen.append(exported(tmp_path))

    live(tmp_path, body, Supervisor("bot", [Child("backfill", backfill)]))

    (operation,), (intent,) = seen[0]["operations"], seen[0]["intents"]
    assert (operation["path"], operation["name"], operation["attempts"]) == ("/bot/backfill", "backfill", 1)
    assert operation["arguments"] == {"symbol": "BTCUSDT", "source": "https://bot:***@far"}
    assert operation["progress"] == {"index": 1200}
    assert (operation["began_at"], operation["age"]) == ("2026-03-01T12:00:00.000000Z", 10.0)
    assert (intent["name"], intent["arguments"]) == ("order", {"symbol": "BTCUSDT"})


def test_nobody_else_can_read_it_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    async def body(runtime: Runtime) -> None:
        runtime.ref("/bot/book").tell({"position": 1.5})

    live(tmp_path, body)

    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob("*system_state*")] == [NAME]


def test_the_last_save_is_exported_too(tmp_path: Path) -> None:
    async def body(runtime: Runtime) -> None:
        runtime.ref("/bot/book").tell({"position": 1.5})
        await save(runtime)
        runtime.ref("/bot/book").tell({"position": 2.5})

    live(tmp_path, body)

    assert exported(tmp_path)["actors"]["/bot/book"]["version"] == 2


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    """Under a virtual clock it is written on the spot."""

    async def body(runtime: Runtime) -> None:
        for position in range(5):
            runtime.ref("/bot/book").tell({"position": float(position)})
            await trio.sleep(1)
            await save(runtime)

    for name in ("life-1", "life-2"):
        live(tmp_path / name, body)

    first, second = ((tmp_path / name / NAME).read_text().replace(name, "") for name in ("life-1", "life-2"))
    assert first == second


def test_in_real_time_it_is_written_by_a_thread(tmp_path: Path) -> None:
    async def main() -> None:
        bot = Supervisor("bot", [Child("book", Book)])
        async with open_runtime(bot, directory=tmp_path, log_level=None) as runtime:
            runtime.ref("/bot/book").tell({"position": 1.5})
            await trio.testing.wait_all_tasks_blocked()

    trio.run(main)

    assert exported(tmp_path / "data" / "state")["actors"]["/bot/book"]["version"] == 1


def test_nothing_is_written_before_something_was_saved(tmp_path: Path) -> None:
    """A state that is only read may lie on a disk that is full, or that can only be read."""

    async def first(runtime: Runtime) -> None:
        runtime.ref("/bot/book").tell({"position": 1.5})

    async def second(runtime: Runtime) -> None:
        await trio.sleep(200)
        assert runtime.state.seq == saved

    live(tmp_path, first)
    saved = read_state(tmp_path).seq
    (tmp_path / NAME).unlink()
    live(tmp_path, second)

    assert not (tmp_path / NAME).exists()


def test_a_save_without_a_change_writes_nothing(tmp_path: Path) -> None:
    async def body(runtime: Runtime) -> None:
        await save(runtime)
        (tmp_path / NAME).unlink()
        await save(runtime)
        assert not (tmp_path / NAME).exists()
        runtime.ref("/bot/book").tell({"position": 1.5})
        await save(runtime)
        assert (tmp_path / NAME).exists()

    live(tmp_path, body)


def test_what_stands_in_it_is_never_read(tmp_path: Path) -> None:
    async def first(runtime: Runtime) -> None:
        runtime.ref("/bot/book").tell({"position": 1.5})

    async def second(runtime: Runtime) -> None:
        assert await runtime.ref("/bot/book").ask({}) == 1.5
        assert not runtime.state.loaded.damages

    live(tmp_path, first)
    (tmp_path / NAME).write_bytes(b"\xff not even JSON")
    (tmp_path / f"{NAME}.tmp").write_bytes(b"half of one")
    live(tmp_path, second)


def test_a_state_in_memory_is_not_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def body(runtime: Runtime) -> None:
        runtime.ref("/bot/book").tell({"position": 1.5})
        await save(runtime)

    live(tmp_path, body, state=MemoryStore())

    assert list(tmp_path.iterdir()) == []


def test_the_local_copy_of_a_replicated_state_has_one(tmp_path: Path) -> None:
    async def body(runtime: Runtime) -> None:
        runtime.ref("/bot/book").tell({"position": 1.5})

    live(tmp_path, body, state=ReplicatedStore(FileStore(str(tmp_path)), MemoryStore("remote")))

    assert exported(tmp_path)["actors"]["/bot/book"]["version"] == 1


def test_a_failure_is_reported_once_and_costs_nothing(tmp_path: Path) -> None:
    """Until it has been written again: then the next failure is another one."""

    async def body(runtime: Runtime) -> None:
        with runtime.events(ErrorReported) as stream:
            for position in (1.0, 2.0, 3.0):
                runtime.ref("/bot/book").tell({"position": position})
                await save(runtime)
            reported = one(stream, ErrorReported)
            assert (reported.path, reported.details) == ("/system/persistence", {"hook": "export"})
            assert reported.error.startswith("IsADirectoryError: ")

            (tmp_path / NAME).rmdir()
            runtime.ref("/bot/book").tell({"position": 4.0})
            await save(runtime)
            assert exported(tmp_path)["actors"]["/bot/book"]["version"] == 4

            (tmp_path / NAME).unlink()
            (tmp_path / NAME).mkdir()
            runtime.ref("/bot/book").tell({"position": 5.0})
            await save(runtime)
            assert one(stream, ErrorReported).details == {"hook": "export"}
        assert runtime.state.is_durable

    (tmp_path / NAME).mkdir()
    live(tmp_path, body)

    assert read_state(tmp_path).entries["actor:/bot/book"].version == 5
    assert not (tmp_path / f"{NAME}.tmp").exists()


def test_values_that_are_too_large_are_left_out(tmp_path: Path) -> None:
    async def body(runtime: Runtime) -> None:
        prices = {f"S{number:08d}": 1.5 for number in range(MOST_SHOWN // 16)}
        runtime.ref("/bot/book").tell({"prices": prices})
        await save(runtime)

    live(tmp_path, body)

    document = exported(tmp_path)
    size = document["actors"]["/bot/book"]["size"]
    assert size > MOST_SHOWN
    assert document["cached_data"]["fields"]["/bot/book"]["values"] == {
        "left_out": f"{size} bytes, which duenna state show has"
    }
