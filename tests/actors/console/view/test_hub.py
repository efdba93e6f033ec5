"""Live streams: first the whole, then what changed; the slow are told what they missed; nobody costs nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna.events import ErrorReported, LoopBlocked
from duenna_actors.console.view import viewer as viewers
from duenna_actors.console.view.hub import Hub
from duenna_actors.console.view.viewer import MOST_CHUNKS
from tests.actors.console.view.support import HOSTILE, Bot, bot, parsed, read

if TYPE_CHECKING:
    from trio.testing import MockClock

    from duenna import Runtime
    from duenna_actors.console.view.viewer import Viewer


def post(runtime: Runtime, text: str, path: str = "/bot/ticker") -> None:
    runtime.bus.post(ErrorReported(time=runtime.now(), path=path, incarnation=1, error=text, details={}))


async def test_with_no_viewer_nothing_wakes_up(autojump_clock: MockClock) -> None:
    """A day passes in one jump: no task of the console had anything to do."""
    async with bot() as watched:
        await trio.sleep(86_400)

        assert watched.hub.ticks == 0
        assert not watched.memory.is_looked_at


async def test_after_the_last_viewer_nothing_wakes_up_any_more(autojump_clock: MockClock) -> None:
    """Whoever left is forgotten at once, and floods are not built for him."""
    async with bot() as watched:
        with watched.hub.join() as viewer:
            await read(viewer, "snapshot")
            assert watched.memory.is_looked_at
            assert watched.desk.viewers == 1
        ticks = watched.hub.ticks
        await trio.sleep(86_400)

        assert watched.hub.ticks == ticks
        assert not watched.memory.is_looked_at
        assert (len(watched.hub), watched.desk.viewers) == (0, 0)


async def test_a_viewer_gets_the_whole_and_then_what_changed(autojump_clock: MockClock) -> None:
    """A delta follows the tick before, and holds only the rows that are others now."""
    async with bot() as watched:
        with watched.hub.join() as viewer:
            whole = await read(viewer, "snapshot")
            assert next(row["path"] for row in whole["rows"] if row["path"].startswith("/bot")) == "/bot"
            assert whole["header"]["bot"]["name"] == "bot"
            watched.runtime.ref("/bot/fragile").tell(ValueError("no"))

            delta = await read(viewer, "delta")

            assert delta["base"] == whole["header"]["id"]
            rows = {row["path"]: row for row in delta["rows"] if row["path"].startswith("/bot")}
            assert set(rows) == {"/bot/fragile"}
            assert rows["/bot/fragile"]["state"] == "failed"
            assert delta["header"]["needs"][0]["path"] == "/bot/fragile"
            assert "breakers" not in delta["header"]


async def test_deltas_add_up_to_the_whole(autojump_clock: MockClock) -> None:
    """Whoever applies each to the one before has what a newcomer gets."""
    async with bot() as watched:
        with watched.hub.join() as viewer:
            known = await read(viewer, "snapshot")
            watched.runtime.ref("/bot/fragile").tell(ValueError("no"))
            apply(known, await read(viewer, "delta"))
            await watched.runtime.stop_child("/bot/feeds/b")
            await watched.runtime.delete_child("/bot/feeds/b")
            for _ in range(8):
                apply(known, await read(viewer, "delta"))

            with watched.hub.join() as newcomer:
                whole = await read(newcomer, "snapshot")
                while known["header"]["id"] < whole["header"]["id"]:
                    apply(known, await read(viewer, "delta"))

        assert known == whole


def apply(known: dict[str, Any], delta: dict[str, Any]) -> None:
    """Do what a page does with a delta."""
    assert delta["base"] == known["header"]["id"]
    known["header"] |= delta["header"]
    rows = {row["path"]: row for row in known["rows"]} | {row["path"]: row for row in delta["rows"]}
    order = delta["order"] if delta["order"] is not None else [row["path"] for row in known["rows"]]
    known["rows"] = [rows[path] for path in order]


async def test_an_idle_bot_is_told_of_once_a_second(autojump_clock: MockClock) -> None:
    """Without news there is a delta a second, so that everybody knows that it lives."""
    async with bot() as watched:
        with watched.hub.join() as viewer:
            await read(viewer, "snapshot")
            await read(viewer, "delta")
            first = await read(viewer, "delta")
            second = await read(viewer, "delta")

            assert second["header"]["now"] - first["header"]["now"] == pytest.approx(1.0, abs=0.21)
            assert second["rows"] == []


async def test_events_come_with_their_ids(autojump_clock: MockClock) -> None:
    """Those from before as well, the last 100; each once, in order."""
    async with bot() as watched:
        for number in range(150):
            post(watched.runtime, f"e{number}")
        with watched.hub.join() as viewer:
            first = await read(viewer, "events")
            post(watched.runtime, "news")
            then = await read(viewer, "events")

        last = watched.memory.ring.last_id
        assert [event["id"] for event in first] == list(range(first[-1]["id"] - 99, first[-1]["id"] + 1))
        assert [(event["id"], event["type"]) for event in then] == [(last, "ErrorReported")]
        assert "news" in then[0]["text"]


async def test_a_viewer_resumes_after_the_last_event_that_it_saw(autojump_clock: MockClock) -> None:
    """It gets no event twice; what is not kept any more, it is told of."""
    async with bot() as watched:
        for number in range(50):
            post(watched.runtime, f"e{number}")
        last = watched.memory.ring.last_id
        with watched.hub.join(last - 3) as viewer:
            assert [event["id"] for event in await read(viewer, "events")] == [last - 2, last - 1, last]
        for number in range(2000):
            post(watched.runtime, f"e{number}")
        with watched.hub.join_events(last) as viewer:
            chunks = await some(viewer, 1001)

        assert chunks[0] == ("dropped", {"events": 1000, "frames": 0})
        assert [value["id"] for _, value in chunks[1:]] == list(range(last + 1001, last + 2001))


async def some(viewer: Viewer, count: int) -> list[tuple[str, Any]]:
    """Return the next messages, at least so many."""
    found: list[tuple[str, Any]] = []
    async for chunk in viewer:
        found += parsed(chunk)
        if len(found) >= count:
            break
    return found


async def test_a_stream_of_events_is_chosen(autojump_clock: MockClock) -> None:
    """Each comes as its own kind of message; what is not wanted is left out."""
    async with bot() as watched:
        with watched.hub.join_events(accepts=lambda row: row.path == "/bot/feeds/a") as viewer:
            await wait_all_tasks_blocked()
            post(watched.runtime, "not wanted")
            post(watched.runtime, "wanted", "/bot/feeds/a")

            event = await read(viewer, "ErrorReported")

        assert (event["path"], event["level"]) == ("/bot/feeds/a", "ERROR")
        assert "wanted" in event["text"]


async def test_more_events_than_anybody_reads_are_counted(autojump_clock: MockClock) -> None:
    """Of a flood, the live stream shows the newest 200 of a tick, and says how many it left out."""
    async with bot() as watched:
        with watched.hub.join() as viewer:
            await read(viewer, "snapshot")
            before = watched.memory.ring.last_id
            for number in range(700):
                post(watched.runtime, f"e{number}")

            dropped = await read(viewer, "dropped")
            events = await read(viewer, "events")

        assert (
            dropped == {"events": watched.memory.ring.last_id - before - 200, "frames": 0} or dropped["events"] >= 500
        )
        assert len(events) == 200


async def test_a_slow_viewer_is_told_what_it_missed_and_begins_anew(autojump_clock: MockClock) -> None:
    """Its queue is bounded; when it reads again it gets what is true now, not what was."""
    async with bot() as watched:
        with watched.hub.join() as viewer:
            await read(viewer, "snapshot")
            for number in range(4 * MOST_CHUNKS):
                post(watched.runtime, f"e{number}")
                await trio.sleep(1)
            assert viewer.is_behind

            found = await some(viewer, 3)

        kinds = [kind for kind, _ in found]
        assert kinds[0] == "dropped"
        assert kinds[1] == "snapshot"
        assert found[0][1]["frames"] > 2 * MOST_CHUNKS
        assert found[0][1]["events"] > 0
        assert found[1][1]["header"]["now"] == pytest.approx(watched.runtime.now(), abs=1.0)


async def test_a_slow_reader_of_events_is_told_what_it_missed(autojump_clock: MockClock) -> None:
    """What is still kept it gets all the same."""
    async with bot() as watched:
        with watched.hub.join_events() as viewer:
            await wait_all_tasks_blocked()
            for number in range(3 * MOST_CHUNKS):
                post(watched.runtime, f"e{number}")
                await trio.sleep(1)
            assert viewer.is_behind

            found = await some(viewer, 2)

        assert found[0][0] == "dropped"
        assert found[0][1]["events"] > 0
        ids = [value["id"] for kind, value in found[1:] if kind != "dropped"]
        assert ids == list(range(ids[0], ids[-1] + 1))
        assert ids[-1] == watched.memory.ring.last_id


async def test_one_slow_viewer_does_not_hold_up_the_others(autojump_clock: MockClock) -> None:
    """Each has a queue of his own; the bytes are shared."""
    async with bot() as watched:
        with watched.hub.join() as slow, watched.hub.join() as quick:
            await read(slow, "snapshot")
            await read(quick, "snapshot")
            for _ in range(3 * MOST_CHUNKS):
                await read(quick, "delta")

            assert slow.is_behind
            assert not quick.is_behind


async def test_the_same_bytes_go_to_all(autojump_clock: MockClock) -> None:
    """A chunk is encoded once, however many look."""
    async with bot() as watched:
        with watched.hub.join() as one, watched.hub.join() as other:
            assert await anext(one) is await anext(other)
            await trio.sleep(5)
            assert await anext(one) is await anext(other)


async def test_a_silent_stream_is_kept_alive(autojump_clock: MockClock) -> None:
    """A comment every 15 s."""
    async with bot() as watched:
        with watched.hub.join_events(accepts=lambda _row: False) as viewer:
            began = watched.runtime.now()

            assert await anext(viewer) == b": ping\n\n"
            assert watched.runtime.now() - began == 15.0


async def test_the_end_is_told_to_all_at_once(autojump_clock: MockClock) -> None:
    """To whoever comes later, too."""
    async with bot() as watched:
        with watched.hub.join() as viewer:
            await read(viewer, "snapshot")
            watched.hub.close()

            assert await read(viewer, "bye") == {}
            with pytest.raises(EOFError):
                await read(viewer, "delta")
        with watched.hub.join() as late:
            assert [chunk async for chunk in late] == [b"event: bye\ndata: {}\n\n"]


async def test_hostile_text_is_text(autojump_clock: MockClock) -> None:
    """What is no Unicode becomes U+FFFD; nothing ends a message before its time; everything is bounded."""
    async with bot() as watched:
        with watched.hub.join() as viewer:
            await read(viewer, "snapshot")
            watched.runtime.ref("/bot/fragile").tell(ValueError(HOSTILE))
            post(watched.runtime, HOSTILE + "\n\nevent: bye\ndata: {}\n\n")

            delta = await read(viewer, "delta")
            events = await read(viewer, "events")

        row = next(row for row in delta["rows"] if row["path"] == "/bot/fragile")
        assert "<script>" in row["last_error"]
        assert "\ufffd" in row["last_error"]
        assert len(json.dumps(row)) < 3000
        assert all(len(event["text"]) <= 2000 for event in events)


async def test_a_new_hub_goes_on_counting(autojump_clock: MockClock) -> None:
    """The console is restarted: what it knows, and the numbers of ticks and events, go on."""
    async with bot() as watched:
        with watched.hub.join() as viewer:
            before = await read(viewer, "snapshot")
        watched.hub.close()
        again = Hub(watched.desk, watched.memory)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(again.run)
            with again.join() as viewer:
                after = await read(viewer, "snapshot")
            nursery.cancel_scope.cancel()

        assert after["header"]["id"] > before["header"]["id"]


async def test_ticks_are_fewer_if_they_take_long(autojump_clock: MockClock) -> None:
    """Never more than 5 % of the loop's time, and at least one in 5 s."""
    async with bot() as watched:
        spent = 0.0

        def stopwatch() -> float:
            nonlocal spent
            spent += 0.001
            return spent

        watched.desk.slices.stopwatch = watched.hub.slices.stopwatch = stopwatch
        with watched.hub.join() as viewer:
            await read(viewer, "snapshot")
            await trio.sleep(60)

        assert 0.2 < watched.hub.interval <= 5.0
        assert watched.hub.ticks * 0.2 < 60


async def test_a_blocked_loop_is_the_first_need(autojump_clock: MockClock) -> None:
    """Nothing else runs while it is."""
    async with bot() as watched:
        watched.runtime.loop.was_blocked(watched.runtime.now(), "/bot/ticker")
        watched.runtime.bus.post(
            LoopBlocked(time=watched.runtime.now(), path="/", seconds=2.0, actor="/bot/ticker", stack="a\nb")
        )
        with watched.hub.join() as viewer:
            whole = await read(viewer, "snapshot")

        need = whole["header"]["needs"][0]
        assert (need["severity"], need["path"]) == ("critical", "/bot/ticker")
        assert "blocked by /bot/ticker" in need["text"]


async def test_a_snapshot_larger_than_the_bound_arrives(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of ten thousand actors it is; the deltas and events that come with it do not drive it out, now or later."""
    monkeypatch.setattr(viewers, "MOST_BYTES", 4000)
    async with bot() as watched:
        post(watched.runtime, "first")
        with watched.hub.join() as viewer:
            assert len(json.dumps(await read(viewer, "snapshot"))) > 4000
            assert not viewer.is_behind
            for number in range(40):
                post(watched.runtime, f"e{number}" * 100)
                await trio.sleep(1)
            assert viewer.is_behind
            post(watched.runtime, "again")

            found = await some(viewer, 2)

        assert [kind for kind, _ in found[:2]] == ["dropped", "snapshot"]


async def test_whoever_waits_gets_no_comment_instead_of_what_it_lost(autojump_clock: MockClock) -> None:
    """It may be woken up, and by then there is nothing for it."""
    async with bot() as watched:
        with watched.hub.join_events() as viewer, trio.move_on_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(viewer.__anext__)
                await wait_all_tasks_blocked()
                viewer.put(b"x", 1)
                viewer._chunks.clear()
                await wait_all_tasks_blocked()
                assert viewer.is_reading
                nursery.cancel_scope.cancel()


async def test_a_reader_that_is_cancelled_reads_no_more(autojump_clock: MockClock) -> None:
    """It loses nothing, and whatever is queued waits for it."""
    async with bot() as watched:
        with watched.hub.join() as viewer:
            await read(viewer, "snapshot")
            for after in (0.0, 0.05, 0.3):
                with trio.move_on_after(after):
                    await read(viewer, "nothing")
                assert not viewer.is_reading
            post(watched.runtime, "kept")
            await trio.sleep(1)

            events = await read(viewer, "events")

        assert "kept" in events[-1]["text"]


@pytest.mark.parametrize("given", [10**17, 5_000])
async def test_the_number_of_another_process_is_none_of_ours(autojump_clock: MockClock, given: int) -> None:
    """Whoever comes with it has seen nothing of this one."""
    async with bot() as watched:
        for number in range(150):
            post(watched.runtime, f"e{number}")
        last = watched.memory.ring.last_id
        with watched.hub.join(given) as viewer:
            assert [event["id"] for event in await read(viewer, "events")] == list(range(last - 99, last + 1))
        with watched.hub.join_events(given) as viewer:
            assert [value["id"] for _, value in await some(viewer, last)] == list(range(1, last + 1))


async def test_a_number_below_all_is_the_beginning(autojump_clock: MockClock) -> None:
    """Nothing that never was is missed."""
    async with bot() as watched:
        for number in range(3):
            post(watched.runtime, f"e{number}")
        for viewer in (watched.hub.join(-5), watched.hub.join_events(-5)):
            with viewer:
                found = await some(viewer, 4)
            assert "dropped" not in [kind for kind, _ in found]


async def test_of_a_choice_only_the_chosen_are_missed(autojump_clock: MockClock) -> None:
    """What somebody did not want to see he has not lost."""
    async with bot() as watched:
        with watched.hub.join_events(accepts=lambda row: row.path == "/bot/feeds/a") as viewer:
            await wait_all_tasks_blocked()
            for _ in range(MOST_CHUNKS + 1):
                post(watched.runtime, "wanted", "/bot/feeds/a")
                for _ in range(5):
                    post(watched.runtime, "not wanted")
                await trio.sleep(1)
            assert viewer.is_behind

            assert await read(viewer, "dropped") == {"events": MOST_CHUNKS + 1, "frames": MOST_CHUNKS + 1}


def dear(watched: Bot, seconds: float) -> None:
    """Have each look at the watch take so long, so that ticks seem to."""
    spent = 0.0

    def stopwatch() -> float:
        nonlocal spent
        spent += seconds
        return spent

    watched.desk.slices.stopwatch = watched.hub.slices.stopwatch = stopwatch


async def test_those_who_come_and_go_cost_no_more_ticks(autojump_clock: MockClock) -> None:
    """Ticks stay within their share of the loop; who comes between two begins with what was told last."""
    async with bot() as watched:
        dear(watched, 0.02)
        with watched.hub.join() as viewer:
            await read(viewer, "snapshot")
            assert watched.hub.interval == 5.0
            ticks, began, streams = watched.hub.ticks, watched.runtime.now(), len(watched.runtime.bus._streams)
            for _ in range(100):
                with watched.hub.join() as other:
                    came = watched.runtime.now()
                    await read(other, "snapshot")
                    assert watched.runtime.now() - came <= 0.4
            lasted = watched.runtime.now() - began

            assert watched.hub.ticks - ticks <= lasted / 5.0 + 1
        assert (len(watched.hub), watched.desk.viewers, watched.memory.is_looked_at) == (0, 0, False)
        assert len(watched.runtime.bus._streams) == streams


async def test_who_begins_with_the_last_tick_follows_the_deltas(autojump_clock: MockClock) -> None:
    """The next one is based on it."""
    async with bot() as watched:
        dear(watched, 0.02)
        with watched.hub.join() as viewer:
            await read(viewer, "snapshot")
            await trio.sleep(1)
            with watched.hub.join() as other:
                known = await read(other, "snapshot")
                watched.runtime.ref("/bot/fragile").tell(ValueError("no"))
                apply(known, await read(other, "delta"))
                apply(known, await read(other, "delta"))


async def test_what_others_ask_of_the_desk_does_not_slow_the_ticks(autojump_clock: MockClock) -> None:
    """A day of snapshots by hand is no work of the hub's."""
    async with bot() as watched:
        watched.desk.slices.work = 1000.0
        with watched.hub.join() as viewer:
            await read(viewer, "snapshot")

            assert watched.hub.interval < 1.0


async def test_the_end_may_come_in_the_middle_of_a_tick(autojump_clock: MockClock) -> None:
    """Whoever was there says good-bye, and gets nothing after that."""
    async with bot() as watched:
        dear(watched, 0.02)  # every slice is full: a tick has many pauses
        for pauses in range(12):
            hub = Hub(watched.desk, watched.memory)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(hub.run)
                with hub.join() as viewer:
                    for _ in range(pauses):
                        await trio.lowlevel.checkpoint()
                    hub.close()
                    chunks = [chunk async for chunk in viewer]
                nursery.cancel_scope.cancel()
            assert chunks[-1] == b"event: bye\ndata: {}\n\n"
            assert not watched.memory.is_looked_at
