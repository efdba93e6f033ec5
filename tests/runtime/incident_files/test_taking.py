"""When incidents are taken, and what is in them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna import (
    Actor,
    Breaker,
    Child,
    GaveUpError,
    Guard,
    IncidentFileTaken,
    LoopBlocked,
    StoppedError,
    Supervisor,
    UnknownIncidentError,
    UnknownPathError,
    open_runtime,
)
from duenna.incident_files.look import MOST_FRAMES, look_at

from .kit import NO_WAIT, Database, Idle, Query, crasher, documents_in, files_in, giving_up, node, parking

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from duenna import Context


async def test_the_file_of_a_root_that_gave_up_is_there_when_the_runtime_has_ended(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    with pytest.raises(GaveUpError):
        async with open_runtime(giving_up(Child("idle", Idle)), directory=tmp_path, log_level=None):
            await trio.sleep_forever()

    (document,) = documents_in(tmp_path)
    summary = document["summary"]
    assert (summary["trigger"], summary["path"], summary["skipped"]) == ("gave_up", "/bot", 0)
    assert summary["reason"].startswith("gave up: more than 1 restarts within 60.0 s; last of /bot/feed: Connection")
    assert (document["format"], document["version"]) == ("duenna-incident", 1)
    assert node(document, "/bot/idle")["state"] == "running"  # taken at once: the ordered stop had not begun
    assert document["events"][-1]["type"] == "SupervisorGaveUp"


async def test_with_a_real_clock_and_threads_it_is_there_as_well(tmp_path: Path) -> None:
    async def fails(_context: Context) -> None:
        raise ConnectionError("at once")

    bot = Supervisor("bot", [Child("feed", fails, backoff=NO_WAIT)], intensity=0)

    with pytest.raises(GaveUpError):
        async with open_runtime(bot, directory=tmp_path, log_level=None):
            await trio.sleep_forever()

    (file,) = files_in(tmp_path)
    assert re.fullmatch(r"incident-\d{8}T\d{6}Z-\d{4}\.json", file.name)
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_bytes())["summary"]["path"] == "/bot"


async def test_a_child_that_is_parked_is_one(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Its crash is told with its verdict and where it was raised, though the classifier has not had its turn."""
    async with open_runtime(parking(), directory=tmp_path, log_level=None) as runtime:
        with runtime.events(IncidentFileTaken) as taken:
            event = await anext(taken)
        (summary,) = runtime.incident_files.list()

    (document,) = documents_in(tmp_path)
    assert isinstance(event, IncidentFileTaken)
    assert (event.id, event.path, event.trigger) == (summary.id, "/bot/feed", "parked")
    assert event.file == summary.file == str(files_in(tmp_path)[0])
    assert event.text().startswith(f"incident file {event.file} (parked): parked after 2 failures")
    assert summary.size == files_in(tmp_path)[0].stat().st_size
    feed = node(document, "/bot/feed")
    assert (feed["state"], feed["incarnation"], feed["failures"], feed["budget_left"]) == ("failed", 2, 2, 0)
    assert (feed["status"], feed["last_error"]) == ("unavailable", "ConnectionError: hung up")
    last = document["errors"][-1]
    assert (last["category"], last["path"]) == ("NETWORK", "/bot/feed")
    assert last["frames"][-1].endswith(", in crasher")
    assert document["why"][-1].endswith("outcome not known")
    assert [event["type"] for event in document["events"]][-2:] == ["ChildExited", "ChildParked"]


async def test_one_is_taken_on_request(autojump_clock: MockClock) -> None:
    async with open_runtime(Supervisor("bot", [Child("idle", Idle)]), log_level=None) as runtime:
        files = runtime.incident_files
        first = files.take("it looks odd", by="anna")
        await trio.sleep(1)
        second = files.take("still", "/bot/idle")
        listed = files.list()
        document = json.loads(await files.read(first.id))

    assert [each.id for each in listed] == [second.id, first.id]
    assert (second.path, second.trigger, second.reason, second.file) == ("/bot/idle", "request", "still", "")
    assert document["summary"] | {"timestamp": ""} == {
        "id": first.id,
        "at": first.at,
        "timestamp": "",
        "trigger": "request",
        "path": "/",
        "reason": "it looks odd",
        "by": "anna",
        "skipped": 0,
    }
    assert document["bot"]["name"] == "bot"
    assert document["health"]["overall"] == "healthy"
    assert document["settings"]["error_handling.max_retries"] == "3"


async def test_what_is_not_there_cannot_be_taken_or_read(autojump_clock: MockClock) -> None:
    async with open_runtime(Supervisor("bot"), log_level=None) as runtime:
        files = runtime.incident_files
        with pytest.raises(UnknownPathError):
            files.take("why", "/bot/nobody")
        wrong: Any = 5
        with pytest.raises(TypeError, match=r"^incident_files: reason must be a str, got 5$"):
            files.take(wrong)
        with pytest.raises(UnknownIncidentError, match=r"^no such incident: 'x', there is none at all$"):
            await files.read("x")
        known = files.take("now").id
        with pytest.raises(UnknownIncidentError, match=f"^no such incident: '../x', there is {known}$"):
            await files.read("../x")

    with pytest.raises(StoppedError):
        files.take("too late")


async def test_a_handler_that_waits_and_its_mailbox_are_told_without_what_is_in_them(autojump_clock: MockClock) -> None:
    async with open_runtime(Supervisor("bot", [Child("db", Database)]), log_level=None) as runtime:
        database = runtime.ref("/bot/db")
        for number in range(3):
            database.tell(Query(f"select {number}"))
            await trio.sleep(1)
        database.tell("something else")
        await trio.sleep(1)
        data = await runtime.incident_files.read(runtime.incident_files.take("slow").id)

    document = json.loads(data)
    (mailbox,) = [each for each in document["mailboxes"] if each["path"] == "/bot/db"]
    assert mailbox == {
        "path": "/bot/db",
        "depth": 3,
        "capacity": 1000,
        "policy": "fail",
        "oldest": 3.0,
        "dropped": 0,
        "received": 1,
        "current": "Query",
        "senders": 0,
        "stashed": 0,
        "waiting": [{"type": "Query", "count": 2, "oldest": 3.0}, {"type": "str", "count": 1, "oldest": 1.0}],
    }
    stack = next(each for each in document["stacks"] if each["tasks"] == ["/bot/db (handles Query)"])
    assert stack["frames"][0].endswith(" Database.receive")
    assert b"select" not in data


async def test_a_thousand_that_wait_alike_are_one_stack(autojump_clock: MockClock) -> None:
    async def waits(_context: Context) -> None:
        await trio.sleep_forever()

    bot = Supervisor("bot", [Child(f"a{number}", waits) for number in range(30)])
    async with open_runtime(bot, log_level=None) as runtime:
        document = json.loads(await runtime.incident_files.read(runtime.incident_files.take("now").id))

    (stack,) = [each for each in document["stacks"] if each["frames"][0].endswith("<locals>.waits")]
    assert (stack["count"], len(stack["tasks"]), stack["tasks"][0]) == (30, 20, "/bot/a0")


async def test_a_storm_of_incidents_makes_few_files_and_says_how_many_there_were(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Three within a second, one of a path within a minute, and 20 within an hour."""

    def child(number: int) -> Child:
        return Child(f"c{number}", crasher, backoff=NO_WAIT, max_failures=0, on_give_up="park", unpark_after=300.0)

    bot = Supervisor("bot", [child(number) for number in range(30)], intensity=10_000)
    async with open_runtime(bot, directory=tmp_path, log_level=None):
        await trio.sleep(1.5)
        at_once = len(documents_in(tmp_path))
        await trio.sleep(3620)

    skipped = [document["summary"]["skipped"] for document in documents_in(tmp_path)]
    assert at_once == 3
    assert skipped[:20] == [0, 0, 0, *[27, 0, 0] * 5, 27, 0]  # each 301 s all are parked anew
    assert skipped[20:] == [28 + 5 * 30, 0, 0]  # within an hour


async def test_the_end_of_a_root_is_always_taken(tmp_path: Path, autojump_clock: MockClock) -> None:
    """However many were parked before: it is the last there is."""

    async def fails(_context: Context) -> None:
        await trio.sleep(1.5)
        raise ConnectionError("half a second later")

    parked = [
        Child(f"c{number}", crasher, backoff=NO_WAIT, max_failures=0, on_give_up="park", unpark_after=None)
        for number in range(5)
    ]

    with pytest.raises(GaveUpError):
        async with open_runtime(
            Supervisor("bot", [*parked, Child("feed", fails, backoff=NO_WAIT)], intensity=0),
            directory=tmp_path,
            log_level=None,
        ):
            await trio.sleep_forever()

    triggers = [(each["summary"]["trigger"], each["summary"]["skipped"]) for each in documents_in(tmp_path)]
    assert triggers == [("parked", 0), ("parked", 0), ("parked", 0), ("gave_up", 3)]


async def test_those_of_whom_it_is_about_are_looked_at_first_and_of_too_many_no_more(autojump_clock: MockClock) -> None:
    """Hundreds of actors with many deep tasks would hold the loop for a second."""

    class Crowded(Actor):
        async def run(self) -> None:
            async with trio.open_nursery() as nursery:
                for _ in range(30):
                    nursery.start_soon(self._wait, 40)

        async def _wait(self, deeper: int) -> None:
            if deeper:
                await self._wait(deeper - 1)
            await trio.sleep_forever()

    bot = Supervisor("bot", [Child(f"a{number}", Crowded) for number in range(50)])
    async with open_runtime(bot, log_level=None) as runtime:
        await trio.sleep(1)
        look = look_at(runtime, (), "/bot/a49")
        document = json.loads(await runtime.incident_files.read(runtime.incident_files.take("now", "/bot/a49").id))

    frames = sum(len(places) for _, stacks in look.stacks for _, places in stacks)
    assert MOST_FRAMES - 1_000 < frames < MOST_FRAMES + 1_000
    assert [path for path, _ in look.stacks][:2] == ["/bot/a49", "/bot"]
    walked = sum(path.startswith("/bot/") for path, _ in look.stacks)
    assert 20 < walked < 30
    assert look.unwalked >= 50 - walked
    assert document["stacks_left_out"] >= look.unwalked


async def test_of_one_path_there_is_one_a_minute(tmp_path: Path, autojump_clock: MockClock) -> None:
    feed = Child("feed", crasher, backoff=NO_WAIT, max_failures=0, on_give_up="park", unpark_after=9.0)
    async with open_runtime(Supervisor("bot", [feed]), directory=tmp_path, log_level=None):
        await trio.sleep(62)  # it is parked at 1, 11, 21, ..., 61

    assert [document["summary"]["skipped"] for document in documents_in(tmp_path)] == [0, 5]


async def test_no_routine_and_no_flood_is_kept_and_so_none_is_made_for_it(autojump_clock: MockClock) -> None:
    async with open_runtime(Supervisor("bot", [Child("idle", Idle)]), log_level=None) as runtime:
        for number in range(100):
            await runtime.start_child("/bot", Child(f"a{number}", Idle))
        runtime.ref("/bot/a1").tell(1)
        await runtime.stop_child("/bot/idle")
        runtime.ref("/bot/idle").tell(1)
        kinds = [type(event).__name__ for event in runtime.incident_files.recorder.events]

    assert kinds == ["RuntimeStarted", "ChildStopped"]


async def test_a_blocked_loop_is_told_by_its_innermost_frames_without_source(
    autojump_clock: MockClock,
) -> None:
    frames = "".join(f'  File "bot.py", line {number}, in f{number}\n    source = {number}\n' for number in range(30))
    async with open_runtime(Supervisor("bot"), log_level=None) as runtime:
        blocked = LoopBlocked(time=runtime.now(), path="/bot/a", seconds=1.0, actor="/bot/a", stack=frames)
        runtime.bus.post(blocked)
        document = json.loads(await runtime.incident_files.read(runtime.incident_files.take("now").id))

    lines = document["events"][-1]["text"].splitlines()
    assert lines[0] == "event loop blocked for 1.0 s by /bot/a"
    assert lines[1:] == [f'  File "bot.py", line {number}, in f{number}' for number in range(18, 30)]


async def test_to_look_changes_nothing(autojump_clock: MockClock) -> None:
    """An idle actor stays as small and as quick as it was, though messages wait in its mailbox."""
    async with open_runtime(Supervisor("bot", [Child("idle", Idle)]), log_level=None) as runtime:
        cell: Any = runtime.ref("/bot/idle")
        cell.tell(1)
        data = await runtime.incident_files.read(runtime.incident_files.take("now").id)
        assert cell.extra is None

    (mailbox,) = [each for each in json.loads(data)["mailboxes"] if each["path"] == "/bot/idle"]
    assert mailbox["waiting"] == [{"type": "int", "count": 1, "oldest": None}]


async def test_breakers_that_were_used_are_told(autojump_clock: MockClock) -> None:
    guard = Guard("test incident files", breaker=Breaker.consecutive(1, open_for=60.0))

    @guard
    async def fails() -> None:
        raise ConnectionError("refused")

    async with open_runtime(Supervisor("bot"), log_level=None) as runtime:
        with pytest.raises(ConnectionError):
            await fails()
        document = json.loads(await runtime.incident_files.read(runtime.incident_files.take("now").id))

    (breaker,) = [each for each in document["breakers"] if each["name"] == "test incident files"]
    assert (breaker["state"], breaker["calls"], breaker["failures"]) == ("open", 1, 1)
    assert breaker["last_error"] == "ConnectionError: refused"
    assert "BreakerChanged" in [event["type"] for event in document["events"]]


async def test_whatever_fails_while_it_is_taken_the_supervisor_goes_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    def broken() -> float:
        raise RuntimeError("no clock")

    async with open_runtime(parking(Child("idle", Idle)), directory=tmp_path, log_level=None) as runtime:
        runtime.incident_files.wall = broken
        await trio.sleep(3)
        assert runtime.tree("/bot/feed").state == "failed"
        assert runtime.tree("/bot/idle").state == "running"

    assert files_in(tmp_path) == []


async def test_of_very_many_actors_those_that_are_not_well_are_told_first(autojump_clock: MockClock) -> None:
    idle = [Child(f"i{number}", Idle) for number in range(2_500)]
    bot = Supervisor("bot", [*idle, Supervisor("last", [Child("feed", crasher, max_failures=0, on_give_up="park")])])
    async with open_runtime(bot, log_level=None) as runtime:
        await trio.sleep(2)
        (summary,) = runtime.incident_files.list()
        document = json.loads(await runtime.incident_files.read(summary.id))

    assert node(document, "/bot/last/feed")["state"] == "failed"
    assert document["health"]["overall"] == ""  # to ask them all would take too long
    assert len(document["tree"]) < 2_000
    assert len(document["tree"]) + document["tree_left_out"] == 2_500 + 4 + 4
