"""Events: a bounded stream, one log line each, and none that nobody wants."""

from typing import Any

import attrs
import msgspec
import pytest
import trio
from loguru import logger
from trio.testing import MockClock

from duenna import (
    Actor,
    Backoff,
    ChildExited,
    ChildRestarting,
    ChildStarted,
    ChildStarting,
    ChildStopped,
    ErrorReported,
    EventsLost,
    open_runtime,
)

from .support import Puppet, bot, caught, child, crash, node, settle, tree


def report(error: Exception) -> Any:
    return lambda actor: actor.context.report(error)


def sequence(events: list[Any]) -> list[str]:
    return [type(event).__name__ for event in events]


async def test_life_of_a_child_in_events(autojump_clock: MockClock) -> None:
    """Start, exit, backoff and restart are events, in order, with exact times."""
    async with bot(child("a", Puppet, backoff=Backoff.steps(2))) as runtime:
        with runtime.events(ChildStarting, ChildStarted, ChildExited, ChildRestarting, ChildStopped) as stream:
            await trio.sleep(3)
            runtime.ref("/bot/a").tell(crash(ValueError("no")))
            await trio.sleep(4)
            await runtime.stop_child("/bot/a")
            events = await caught(stream)

    assert [(type(event).__name__, event.time) for event in events] == [
        ("ChildExited", 3.0),
        ("ChildRestarting", 3.0),
        ("ChildStarting", 5.0),
        ("ChildStarted", 5.0),
        ("ChildExited", 7.0),
        ("ChildStopped", 7.0),
    ]
    exited, restarting = events[:2]
    assert (exited.path, exited.incarnation, exited.reason, exited.uptime) == ("/bot/a", 1, "ValueError: no", 3.0)
    assert (restarting.incarnation, restarting.delay, restarting.failures) == (1, 2.0, 1)
    assert events[3].incarnation == 2
    assert events[4].reason == "shutdown"


async def test_stream_without_types_gets_everything(autojump_clock: MockClock) -> None:
    """No type named: every event."""
    async with bot(child("a", Puppet)) as runtime:
        with runtime.events() as every, runtime.events(ChildExited) as exits:
            runtime.ref("/bot/a").tell(crash())
            await settle()
            all_events, some = await caught(every), await caught(exits)

    assert sequence(some) == ["ChildExited"]
    assert {"ChildExited", "ChildRestarting", "ChildStarting", "ChildStarted"} <= set(sequence(all_events))


async def test_slow_reader_loses_the_oldest_and_is_told_how_many(autojump_clock: MockClock) -> None:
    """A bounded subscription: what did not fit is counted in `EventsLost`, and the newest are kept."""
    async with bot(child("a", Puppet)) as runtime:
        with runtime.events(ErrorReported, capacity=3) as stream:
            for number in range(10):
                await runtime.ref("/bot/a").ask(report(ValueError(f"number {number}")))
            events = await caught(stream)

    assert [event.count for event in events if isinstance(event, EventsLost)] == [7]
    kept = [str(event.error) for event in events if isinstance(event, ErrorReported)]
    assert [text.rpartition(" ")[2].strip("')\"") for text in kept] == ["7", "8", "9"]


async def test_slow_reader_does_not_slow_the_others(autojump_clock: MockClock) -> None:
    """Each subscription has a buffer of its own."""
    async with bot(child("a", Puppet)) as runtime:
        with runtime.events(ErrorReported, capacity=1) as small, runtime.events(ErrorReported) as large:
            for number in range(5):
                await runtime.ref("/bot/a").ask(report(ValueError(f"{number}")))
            few, many = await caught(small), await caught(large)

    assert sequence(few) == ["EventsLost", "ErrorReported"]
    assert sequence(many) == ["ErrorReported"] * 5


async def test_losses_are_counted_anew_after_they_were_told(autojump_clock: MockClock) -> None:
    """Every `EventsLost` counts what was lost since the last one."""
    async with bot(child("a", Puppet)) as runtime:
        with runtime.events(ErrorReported, capacity=2) as stream:
            lost: list[int] = []
            for size in (5, 4):
                for number in range(size):
                    await runtime.ref("/bot/a").ask(report(ValueError(f"{number}")))
                lost += [event.count for event in await caught(stream) if isinstance(event, EventsLost)]

    assert lost == [3, 2]


async def test_closed_stream_ends(autojump_clock: MockClock) -> None:
    """`close()` ends the reader's loop, also one that waits; closing twice does nothing."""
    ended: list[str] = []
    async with bot(child("a", Puppet)) as runtime, trio.open_nursery() as nursery:
        stream = runtime.events(ErrorReported)

        async def read() -> None:
            with stream:
                async for _ in stream:
                    pass
            ended.append("reader")

        nursery.start_soon(read)
        await settle()
        stream.close()
        stream.close()
        await settle()

        assert ended == ["reader"]


async def test_stream_ends_with_its_runtime(autojump_clock: MockClock) -> None:
    """A reader never outlives the runtime: it gets the last events, and its loop ends."""
    seen: list[str] = []

    async with trio.open_nursery() as nursery:
        async with bot(child("a", Puppet)) as runtime:
            stream = runtime.events()

            async def read() -> None:
                with stream:
                    async for event in stream:
                        seen.append(type(event).__name__)  # noqa: PERF401
                seen.append("ended")

            nursery.start_soon(read)
            await settle()
        with trio.move_on_after(10):
            await settle()
        nursery.cancel_scope.deadline = trio.current_time() + 10

    assert seen[-2:] == ["RuntimeStopped", "ended"]


async def test_cancelled_reader_loses_nothing(autojump_clock: MockClock) -> None:
    """A read that was cancelled takes no event with it."""
    got: list[str] = []
    async with bot(child("a", Puppet)) as runtime:
        with runtime.events(ErrorReported) as stream:
            for number in range(50):
                await runtime.ref("/bot/a").ask(report(ValueError(f"{number}")))
                with trio.CancelScope() as scope:
                    if number % 2:
                        scope.cancel()
                    event: Any = await anext(aiter(stream))
                    got.append(event.error)
            got += [event.error for event in await caught(stream)]

    assert len(got) == 50
    assert len(set(got)) == 50


async def test_events_can_be_encoded(autojump_clock: MockClock) -> None:
    """Events are values: every one encodes, tagged with its type, and decodes to itself."""
    async with bot(child("a", Puppet)) as runtime:
        with runtime.events() as stream:
            await runtime.ref("/bot/a").ask(report(ValueError("why")))
            runtime.ref("/bot/a").tell(crash())
            await settle()
            await runtime.suspend("/bot/a")
            await runtime.resume("/bot/a")
            await runtime.stop_child("/bot/a")
            runtime.ref("/bot/a").tell("nobody")
            await runtime.delete_child("/bot/a")
            events = await caught(stream)

    assert len(events) >= 8
    for event in events:
        encoded = msgspec.json.encode(event)
        assert msgspec.json.decode(encoded, type=type(event)) == event
        assert type(event).__name__ in encoded.decode()


async def test_events_are_frozen(autojump_clock: MockClock) -> None:
    """An event that one reader has cannot change under another."""
    async with bot(child("a", Puppet)) as runtime:
        with runtime.events() as stream:
            runtime.ref("/bot/a").tell(crash())
            [event, *_] = await caught(stream)

    with pytest.raises(AttributeError):
        event.path = "/elsewhere"


async def test_one_event_is_one_log_line(autojump_clock: MockClock) -> None:
    """At the lowest level every event is exactly one line of one record."""
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(str(message)), level=0, format="{message}")
    try:
        spec = tree(child("a", Puppet, backoff=Backoff.steps(1)), child("b", Puppet))
        async with open_runtime(spec, seed=1, log_level="TRACE", watchdog=None) as runtime:
            with runtime.events() as stream:
                del lines[:]
                runtime.ref("/bot/a").tell(crash(ValueError("two\nlines")))
                await trio.sleep(2)
                await runtime.ref("/bot/b").ask(report(ValueError("reported")))
                await runtime.suspend("/bot/b")
                await runtime.resume("/bot/b")
                await runtime.stop_child("/bot/b")
                runtime.ref("/bot/b").tell("nobody")
                events = await caught(stream)
                logged = list(lines)
    finally:
        logger.remove(sink)

    assert len(logged) == len(events)
    assert all(line.startswith(("/bot/", "/ bot: ")) for line in logged)


async def test_silent_runtime_logs_nothing(autojump_clock: MockClock) -> None:
    """`log_level=None`: not a line."""
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(str(message)), level=0)
    try:
        async with bot(child("a", Puppet)) as runtime:
            runtime.ref("/bot/a").tell(crash())
            await settle()
    finally:
        logger.remove(sink)

    assert lines == []


async def test_log_level_is_a_floor(autojump_clock: MockClock) -> None:
    """Above the given level only: at "ERROR" a start is not logged."""
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(str(message)), level=0)
    try:
        async with open_runtime(tree(child("a", Puppet)), seed=1, log_level="ERROR", watchdog=None):
            await settle()
    finally:
        logger.remove(sink)

    assert lines == []


class Spy:
    """A detail that counts how often somebody wanted its text."""

    def __init__(self) -> None:
        self.looks = 0

    def __str__(self) -> str:
        self.looks += 1
        return "spied on"

    __repr__ = __str__


def report_spy(spy: Spy) -> Any:
    return lambda actor: actor.context.report(ValueError("why"), detail=spy)


async def test_unwanted_event_is_not_built(autojump_clock: MockClock) -> None:
    """No subscriber and no log level that wants it: only the report to the classifier makes the text of its details."""
    spy = Spy()
    async with bot(child("a", Puppet)) as runtime:
        with runtime.events(ChildExited):
            await runtime.ref("/bot/a").ask(report_spy(spy))
        unwanted = spy.looks
        with runtime.events(ErrorReported) as stream:
            await runtime.ref("/bot/a").ask(report_spy(spy))
            events = await caught(stream)

    assert unwanted == 1
    assert (len(events), spy.looks) == (1, 3)


async def test_closed_subscription_is_not_built_for(autojump_clock: MockClock) -> None:
    """The last subscriber gone, the event is unwanted again."""
    spy = Spy()
    async with bot(child("a", Puppet)) as runtime:
        with runtime.events(ErrorReported):
            pass
        await runtime.ref("/bot/a").ask(report_spy(spy))

    assert spy.looks == 1


@pytest.mark.parametrize(("level", "looks"), [("INFO", 2), ("CRITICAL", 1)])
async def test_log_level_decides_whether_an_event_is_built(autojump_clock: MockClock, level: str, looks: int) -> None:
    """Without a subscriber, an event below the log level is not built, and one above it is; a report looks once."""
    spy = Spy()
    async with open_runtime(tree(child("a", Puppet)), seed=1, log_level=level, watchdog=None) as runtime:
        await runtime.ref("/bot/a").ask(report_spy(spy))

    assert spy.looks == looks


async def test_sink_that_raises_does_not_reach_the_supervisor(autojump_clock: MockClock) -> None:
    """C77: an observer that raises is no concern of the actors."""

    def broken(_: Any) -> None:
        raise RuntimeError("the disk is full")

    sink = logger.add(broken, level=0, catch=False)
    try:
        async with open_runtime(tree(child("a", Puppet)), seed=1, log_level="TRACE", watchdog=None) as runtime:
            runtime.ref("/bot/a").tell(crash())
            await settle()

            assert node(runtime, "/bot/a").incarnation == 2
    finally:
        logger.remove(sink)


async def test_error_whose_text_raises_is_reported_all_the_same(autojump_clock: MockClock) -> None:
    """An exception that cannot even say what it is crashes its actor, not the runtime."""

    class Mute(Exception):  # noqa: N818
        def __str__(self) -> str:
            raise RuntimeError("no text")

        __repr__ = __str__

    async with bot(child("a", Puppet)) as runtime:
        with runtime.events(ChildExited) as stream:
            runtime.ref("/bot/a").tell(crash(Mute()))
            events = await caught(stream)

        assert sequence(events) == ["ChildExited"]
        assert "Mute" in events[0].reason
        assert node(runtime, "/bot/a").incarnation == 2


async def test_reader_may_act_on_the_runtime(autojump_clock: MockClock) -> None:
    """A reader that answers an event with an operation blocks nobody."""

    @attrs.define
    class Operator(Actor):
        async def run(self) -> None:
            with self.context.runtime.events(ChildExited) as stream:
                async for event in stream:
                    if event.path == "/bot/a":
                        await self.context.runtime.stop_child("/bot/a")
                        return

    specs = (child("o", Operator, restart="transient"), child("a", Puppet, backoff=Backoff.steps(10)))
    async with bot(*specs) as runtime:
        await settle()
        runtime.ref("/bot/a").tell(crash())
        await settle()

        assert node(runtime, "/bot/a").state == "stopped"


async def test_two_readers_of_one_stream_are_refused(autojump_clock: MockClock) -> None:
    """A stream is read by one task; for a second one it is a `RuntimeError`, not a race."""
    seen: list[str] = []
    async with bot(child("a", Puppet)) as runtime, trio.open_nursery() as nursery:
        with runtime.events(ErrorReported) as stream:

            async def read() -> None:
                try:
                    async for event in stream:
                        seen.append(type(event).__name__)  # noqa: PERF401  # kept when the read ends in an error
                except RuntimeError:
                    seen.append("refused")

            nursery.start_soon(read)
            await settle()
            nursery.start_soon(read)
            await settle()
            await runtime.ref("/bot/a").ask(report(ValueError("one")))
            await settle()

    assert seen == ["refused", "ErrorReported"]


async def test_stream_without_with_can_be_read(autojump_clock: MockClock) -> None:
    """A stream listens from the call on: what happens before the first read is not lost."""
    async with bot(child("a", Puppet)) as runtime:
        stream = runtime.events(ErrorReported)
        await runtime.ref("/bot/a").ask(report(ValueError("early")))
        events = await caught(stream)
        stream.close()

    assert sequence(events) == ["ErrorReported"]
