"""Draining: time to finish (C54, C55)."""

import trio

from duenna import (
    Actor,
    Child,
    ChildExited,
    ChildStuck,
    CleanupFailed,
    Context,
    Supervisor,
)

from .probe import NOW, BoomError, Flavour, Probe, Script
from .support import opened, settle, state, states, watching


async def test_stop_waits_only_for_those_who_use_their_time(probe: Probe) -> None:
    """A body that minds no `stop_requested` uses up its drain time; a cell with an empty mailbox uses none."""
    names = " ".join(f"n{i}" for i in range(100))

    async with opened(Supervisor("bot", probe.children(names, drain=5, shutdown=5))) as runtime:
        await trio.sleep(1)
        await runtime.stop()
        stopped = trio.current_time()

    assert stopped == (1 if probe.flavour is Flavour.CELL else 501)


async def test_c54_drain_lets_a_function_finish() -> None:
    """`stop_requested` is set at once; a return within the drain time is a normal end, without a cancel."""
    ends: list[object] = []

    async def worker(context: Context) -> None:
        try:
            await context.stop_requested.wait()
            await trio.sleep(3)
            ends.append("finished")
        except trio.Cancelled:
            ends.append("cancelled")
            raise

    async with opened(Supervisor("bot", [Child("a", worker, drain=5)])) as runtime:
        async with watching(runtime, ChildExited) as seen:
            await runtime.stop_child("/bot/a")
            stopped = trio.current_time()
        shown = state(runtime, "/bot/a")

    assert ends == ["finished"]
    assert stopped == 3
    assert [(event.reason, event.path) for event in seen] == [("normal", "/bot/a")]
    assert shown == "stopped"


async def test_c54_drain_lets_run_finish() -> None:
    """The same for a class with `run()`; `stopping` is told that it ended normally."""
    ends: list[object] = []

    class Worker(Actor):
        async def run(self) -> None:
            await self.context.stop_requested.wait()
            await trio.sleep(3)
            ends.append("finished")

        def stopping(self, reason: object) -> None:
            ends.append(reason)

    async with opened(Supervisor("bot", [Child("a", Worker, drain=5)])) as runtime:
        await runtime.stop()
        stopped = trio.current_time()

    assert stopped == 3
    assert ends == ["finished", "normal"]


async def test_c54_drain_empties_the_mailbox_of_a_cell() -> None:
    """A cell serves what is in its mailbox within the drain time."""
    served: list[int] = []

    class Worker(Actor):
        async def receive(self, message: int) -> None:
            await trio.sleep(1)
            served.append(message)

    async with opened(Supervisor("bot", [Child("a", Worker, drain=5)])) as runtime:
        for i in range(3):
            runtime.ref("/bot/a").tell(i)
        await runtime.stop_child("/bot/a")
        stopped = trio.current_time()

    assert served == [0, 1, 2]
    assert stopped == 3


async def test_c54_drain_serves_what_waits_for_a_function() -> None:
    """`messages()` gives a function what is in its mailbox, then ends."""
    served: list[object] = []

    async def worker(context: Context) -> None:
        async for message in context.messages():
            await trio.sleep(1)
            served.append(message)

    async with opened(Supervisor("bot", [Child("a", worker, drain=5)])) as runtime:
        for i in range(3):
            runtime.ref("/bot/a").tell(i)
        await runtime.stop_child("/bot/a")
        stopped = trio.current_time()

    assert served == [0, 1, 2]
    assert stopped == 3


async def test_c54_without_drain_the_mailbox_is_not_served() -> None:
    """`drain=0`: the handler is cancelled and the rest become dead letters."""
    served: list[int] = []

    class Worker(Actor):
        async def receive(self, message: int) -> None:
            await trio.sleep(1)
            served.append(message)

    async with opened(Supervisor("bot", [Child("a", Worker)])) as runtime:
        for i in range(3):
            runtime.ref("/bot/a").tell(i)
        await settle()
        await runtime.stop_child("/bot/a")
        stopped, dead = trio.current_time(), runtime.dead_letters

    assert served == []
    assert stopped == 0
    assert dead == 2


async def test_c55_drain_time_over_is_a_cancel(tasks: Probe) -> None:
    """Who has not ended by then is cancelled, and then has its shutdown time."""
    tasks.plan("a", Script(stop_takes=2))

    async with (
        opened(Supervisor("bot", tasks.children("a", drain=3, shutdown=5))) as runtime,
        watching(runtime, ChildExited, ChildStuck) as seen,
    ):
        await runtime.stop()
        stopped = trio.current_time()

    assert stopped == 5
    assert [(type(event), event.reason) for event in seen] == [(ChildExited, "shutdown")]


async def test_c55_shutdown_time_begins_after_the_drain(tasks: Probe) -> None:
    """Stuck is reported `drain + shutdown` seconds after the stop."""
    tasks.plan("a", Script(stubborn=100))

    async with (
        opened(Supervisor("bot", tasks.children("a", drain=3, shutdown=5))) as runtime,
        watching(runtime, ChildStuck) as seen,
    ):
        await runtime.stop()

    assert [(event.time, event.path) for event in seen] == [(8, "/bot/a")]


async def test_c55_drain_of_a_cell_over_is_a_cancel() -> None:
    """A cell's handler that is still at it is cancelled."""
    served: list[int] = []

    class Worker(Actor):
        async def receive(self, message: int) -> None:
            await trio.sleep(2)
            served.append(message)

    async with opened(Supervisor("bot", [Child("a", Worker, drain=5)])) as runtime:
        for i in range(10):
            runtime.ref("/bot/a").tell(i)
        await settle()
        await runtime.stop_child("/bot/a")
        stopped = trio.current_time()

    assert served == [0, 1]
    assert stopped == 5


async def test_c54_crash_while_draining_is_no_restart(probe: Probe) -> None:
    """A child that crashes while it is being stopped is stopped."""

    async def worker(context: Context) -> None:
        await context.stop_requested.wait()
        await trio.sleep(1)
        raise BoomError

    tree = Supervisor("bot", [Child("w", worker, drain=5, backoff=NOW), probe.child("a")], intensity=0)

    async with opened(tree) as runtime:
        async with watching(runtime, CleanupFailed) as seen:
            await runtime.stop_child("/bot/w")
        shown = states(runtime)

    assert shown == {"w": "stopped", "a": "running"}
    assert [event.path for event in seen] == ["/bot/w"]
