"""Streams: alive while nothing happens, resumed where they were left, and gone with who looked."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
import trio.testing

from duenna import Actor, Child, GaveUpError
from duenna_actors.console import Limits
from tests.actors.console.support import Running, decoded, running_console, small_tree

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DAY = 86_400.0


class Complainer(Actor):
    """Reports as many errors as it is told to, each as long as an error may be."""

    def receive(self, message: Any) -> None:
        for number in range(message):
            self.context.report(ValueError(f"{number} {'x' * 3_000}"))


class Fragile(Actor):
    """Ends whatever it is told."""

    def receive(self, message: Any) -> None:
        raise ValueError(message)


@attrs.define(eq=False)
class Steps(trio.abc.Instrument):
    """Counts the steps of tasks, by their names."""

    counts: Counter[str] = attrs.field(factory=Counter[str])

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.counts[task.name] += 1


@pytest.fixture
async def found() -> AsyncIterator[Running]:
    async with running_console() as running:
        yield running


async def viewers(found: Running) -> int:
    """Return how many look, as a viewer of his own is told."""
    async with found.stream() as stream:
        header: Any = decoded(await stream.until("snapshot"))["header"]
        return int(header["viewers"]) - 1


@pytest.mark.parametrize("path", ["/api/v1/live", "/api/v1/events"])
async def test_silence_is_filled(path: str) -> None:
    async with running_console(limits=Limits(ping=0.05)) as found, found.stream(path) as stream:
        assert await stream.until(":") == "ping"
        assert await stream.until(":") == "ping"


@pytest.mark.parametrize("unix", [False, True])
async def test_who_hangs_up_is_not_a_viewer_any_more(found: Running, *, unix: bool) -> None:
    async with found.stream(unix=unix) as stream:
        await stream.until("snapshot")
        assert await viewers(found) == 1

    while await viewers(found):
        await trio.lowlevel.checkpoint()


async def test_events_go_on_where_they_were_left(found: Running) -> None:
    for _ in range(3):
        await found.runtime.restart_child("/bot/idle")
    async with found.stream("/api/v1/events?after=0") as stream:
        first = [decoded(await stream.until("ChildStarted"))["id"] for _ in range(2)]
        left = int(stream.last_id)
    assert left == first[-1]

    async with found.stream("/api/v1/events", headers={"last-event-id": str(left)}) as stream:
        _, data = await anext(stream)

    assert decoded(data)["id"] == left + 1


@pytest.mark.parametrize("given", ["x", "-1", "9" * 40, "1.5", ""])
async def test_a_number_that_makes_no_sense_is_as_good_as_none(found: Running, given: str) -> None:
    async with found.stream(headers={"last-event-id": given}) as stream:
        assert (await anext(stream))[0] == "snapshot"


async def test_an_answer_is_one_that_no_proxy_keeps(found: Running) -> None:
    token = f"Authorization: Bearer {found.tokens['view']}"
    head = await found.raw(
        f"HEAD /api/v1/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{token}\r\n\r\n".encode()
    )

    lines = head.decode().lower().split("\r\n")
    assert "content-type: text/event-stream; charset=utf-8" in lines
    assert "cache-control: no-store" in lines
    assert "x-accel-buffering: no" in lines
    assert not [line for line in lines if line.startswith("content-length")]


async def test_a_viewer_that_reads_too_slowly_is_told_what_it_missed_and_begins_anew(
    mock_clock: trio.testing.MockClock,
) -> None:
    """What waits for it is bounded; another one loses nothing meanwhile."""
    tree = small_tree(Child("complainer", Complainer))
    async with running_console(tree) as found, trio.open_nursery() as nursery:
        kinds: list[str] = []

        async def look() -> None:
            async with found.stream() as other:
                async for kind, _ in other:
                    kinds.append(kind)

        async with found.stream(unix=True) as stream:
            nursery.start_soon(look)
            await stream.until("snapshot")
            for _ in range(150):
                found.runtime.ref("/bot/complainer").tell(20)
                mock_clock.jump(0.2)
                await trio.testing.wait_all_tasks_blocked()
            mock_clock.rate = 1.0
            missed = decoded(await stream.until("dropped"))
            assert await stream.until("snapshot")

        assert missed["events"] > 100
        assert missed["frames"] >= 64
        assert "dropped" not in kinds
        assert kinds.count("events") > 100
        nursery.cancel_scope.cancel()


async def test_nothing_wakes_up_for_a_console_that_nobody_looks_at(mock_clock: trio.testing.MockClock) -> None:
    """Not even after somebody has."""
    async with running_console(runtime_options={"watchdog": None}) as found:
        async with found.stream() as stream:
            await stream.until("snapshot")
        assert (await found.get("/api/v1/snapshot")).status_code == 200
        for _ in range(3):  # what was begun comes to its end
            mock_clock.jump(DAY)
            await trio.testing.wait_all_tasks_blocked(0.05)
        steps = Steps()
        trio.lowlevel.add_instrument(steps)

        for _ in range(10):
            mock_clock.jump(DAY)
            await trio.testing.wait_all_tasks_blocked()

        trio.lowlevel.remove_instrument(steps)
        mine = trio.lowlevel.current_task().name
        assert set(steps.counts) == {mine}


@pytest.mark.parametrize("path", ["/api/v1/live", "/api/v1/events"])
async def test_viewers_see_the_end_of_a_bot_that_gives_up(path: str) -> None:
    tree = small_tree(Child("fragile", Fragile, max_failures=0))
    seen: list[str] = []

    async def look(found: Running, *, task_status: trio.TaskStatus[None]) -> None:
        async with found.stream(path) as stream:
            if path.endswith("live"):
                await stream.until("snapshot")
            task_status.started()
            async for kind, _ in stream:
                seen.append(kind)

    async def live(outside: trio.Nursery) -> None:
        async with running_console(tree) as found:
            await outside.start(look, found)
            found.runtime.ref("/bot/fragile").tell("break")
            await trio.sleep_forever()

    async with trio.open_nursery() as outside:
        with pytest.raises(GaveUpError):
            await live(outside)

    assert seen[-1] == "bye"


async def test_a_viewer_with_another_request_in_the_queue_is_gone_when_it_hangs_up(found: Running) -> None:
    """Nothing more is read from it while it is served: that it is gone is found out by sending."""
    token = f"Authorization: Bearer {found.tokens['view']}"
    asked = f"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n{token}\r\n\r\n".encode()
    async with await found.connect(unix=True) as line:
        await line.send_all(asked * 2)
        heard = b""
        while b"event: snapshot" not in heard:
            heard += await line.receive_some()

    while await viewers(found):
        await trio.lowlevel.checkpoint()
