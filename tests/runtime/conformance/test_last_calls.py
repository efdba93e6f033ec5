"""Stopping twice, from inside, and calls that come too late (C57, C58)."""

import pytest
import trio

from duenna import (
    Actor,
    Child,
    Context,
    DuennaError,
    StoppedError,
    Supervisor,
)

from .probe import NOW, BoomError, Flavour, Probe, Script
from .support import CALLS, attempt, opened, state, states


async def test_c57_stop_twice_is_once(probe: Probe) -> None:
    """A second stop, during or after the first, waits with it and does nothing."""
    probe.plan("a", Script(stop_takes=2))

    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(runtime.stop)
            nursery.start_soon(runtime.stop)
            await trio.sleep(1)
            nursery.start_soon(runtime.stop)
        first = trio.current_time()
        await runtime.stop()
        second = trio.current_time()

    assert (first, second) == (2, 2)
    assert probe.log == ["+a", "+b", "-b", "-a"]


async def test_c57_stop_does_not_cancel_the_body(probe: Probe) -> None:
    """After `runtime.stop()` the body goes on."""
    async with opened(Supervisor("bot", probe.children("a"))) as runtime:
        await runtime.stop()
        await trio.sleep(100)
        ended = trio.current_time()

    assert ended == 100


async def test_c57_stop_from_inside_a_function() -> None:
    """A child may stop the runtime that it runs in: no deadlock; its own call ends with it."""
    probe = Probe(Flavour.FUNCTION)

    async def suicidal(context: Context) -> None:
        await trio.sleep(1)
        await context.runtime.stop()

    tree = Supervisor("bot", [probe.child("a"), Child("s", suicidal), probe.child("c")])

    async with opened(tree):
        await trio.sleep(10)
        log = list(probe.timed)

    assert log == [(0, "+a"), (0, "+c"), (1, "-c"), (1, "-a")]


async def test_c57_stop_from_inside_a_handler() -> None:
    """The same from a cell's async handler."""
    probe = Probe(Flavour.CELL)

    class Suicidal(Actor):
        async def receive(self, message: str) -> None:
            del message
            await self.context.runtime.stop()

    tree = Supervisor("bot", [probe.child("a"), Child("s", Suicidal), probe.child("c")])

    async with opened(tree) as runtime:
        runtime.ref("/bot/s").tell("stop")
        await trio.sleep(10)
        log = list(probe.timed)

    assert log == [(0, "+a"), (0, "+c"), (0, "-c"), (0, "-a")]


@pytest.mark.parametrize("operation", ["stop_child", "restart_child"])
async def test_c57_child_that_stops_or_restarts_itself(operation: str) -> None:
    """A call of a child about itself ends with its incarnation and deadlocks nobody."""
    starts: list[int] = []

    async def selfish(context: Context) -> None:
        starts.append(context.incarnation)
        if context.incarnation == 1:
            await getattr(context.runtime, operation)(context.path)
        await trio.sleep_forever()

    async with opened(Supervisor("bot", [Child("a", selfish)], intensity=0)) as runtime:
        await trio.sleep(1)
        seen = state(runtime, "/bot/a")

    assert seen == ("stopped" if operation == "stop_child" else "running")
    assert starts == ([1] if operation == "stop_child" else [1, 2])


async def test_c57_child_that_stops_its_own_supervisor() -> None:
    """Even of the branch that it sits on."""
    probe = Probe(Flavour.FUNCTION)

    async def sawyer(context: Context) -> None:
        await trio.sleep(1)
        await context.runtime.stop_child("/bot/sub")

    sub = Supervisor("sub", [probe.child("x"), Child("s", sawyer)])

    async with opened(Supervisor("bot", [sub, probe.child("b")])) as runtime:
        await trio.sleep(10)
        seen = {name: kind for name, kind in states(runtime).items() if name in {"sub", "b"}}

    assert seen == {"sub": "stopped", "b": "running"}


async def test_c57_stop_child_twice_at_once(probe: Probe) -> None:
    """Both callers wait for the same stop."""
    probe.plan("a", Script(stop_takes=2))
    times: list[float] = []

    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:

        async def stop() -> None:
            await runtime.stop_child("/bot/a")
            times.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop)
            nursery.start_soon(stop)

    assert times == [2, 2]


@pytest.mark.parametrize("call", CALLS)
async def test_c58_call_after_the_end_is_refused_at_once(probe: Probe, call: str) -> None:
    """A runtime that has ended raises StoppedError."""
    async with opened(Supervisor("bot", probe.children("a"))) as runtime:
        await runtime.stop()
        inside = await attempt(lambda: CALLS[call](runtime, probe))
    outside = await attempt(lambda: CALLS[call](runtime, probe))

    assert isinstance(inside, StoppedError)
    assert isinstance(outside, StoppedError)


@pytest.mark.parametrize("call", CALLS)
async def test_c58_call_during_the_stop_never_hangs(probe: Probe, call: str) -> None:
    """While the supervisor goes down, a call is carried out or refused, and always answered."""
    probe.plan("b", Script(stop_takes=5))
    answers: list[object] = []

    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:

        async def ask() -> None:
            await trio.sleep(1)
            answers.append(await attempt(lambda: CALLS[call](runtime, probe)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await runtime.stop()

    assert len(answers) == 1
    assert not isinstance(answers[0], Exception) or isinstance(answers[0], DuennaError)
    assert sum(probe.alive.values()) == 0


async def test_c58_start_child_under_way_fails_when_the_supervisor_ends(probe: Probe) -> None:
    """A dynamic start that the stop overtakes raises StoppedError to its caller."""
    probe.plan("slow", Script(start_takes=20))
    answers: list[object] = []

    async with opened(Supervisor("bot", probe.children("a"))) as runtime:

        async def start() -> None:
            answers.append(await attempt(lambda: runtime.start_child("/bot", probe.child("slow"))))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(start)
            await trio.sleep(5)
            await runtime.stop()
        ended = trio.current_time()

    assert [type(answer) for answer in answers] == [StoppedError]
    assert ended == 5
    assert probe.log == ["+a", "!slow", "-a"]


async def test_c58_call_to_a_supervisor_that_gives_up_is_answered(probe: Probe) -> None:
    """A call to a branch that escalates meanwhile fails; it does not hang."""
    probe.plan("slow", Script(start_takes=20))
    probe.plan("x", Script(lives=5, ends=BoomError))
    sub = Supervisor("sub", probe.children("x"), intensity=0, backoff=NOW)
    answers: list[object] = []

    async with opened(Supervisor("bot", [sub, probe.child("b")])) as runtime:

        async def start() -> None:
            answers.append(await attempt(lambda: runtime.start_child("/bot/sub", probe.child("slow"))))
            answers.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(start)
        await trio.sleep(100)
        seen = states(runtime)

    assert isinstance(answers[0], DuennaError)
    assert answers[1] == 5
    assert seen == {"sub": "running", "x": "running", "b": "running"}


async def test_c58_restart_child_overtaken_by_a_stop_is_answered(probe: Probe) -> None:
    """Who waits for a child to be ready is told when an operator stops it instead."""
    probe.plan("a", Script(), Script(start_takes=20))
    answers: list[object] = []

    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:

        async def restart() -> None:
            answers.append(await attempt(lambda: runtime.restart_child("/bot/a")))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(restart)
            await trio.sleep(5)
            await runtime.stop_child("/bot/a")
        ended = trio.current_time()
        seen = states(runtime)

    assert len(answers) == 1
    assert isinstance(answers[0], DuennaError)
    assert ended == 5
    assert seen == {"a": "stopped", "b": "running"}


@pytest.mark.parametrize("script", [Script(stop_takes=1), Script(stubborn=5)])
async def test_c57_stop_overtakes_a_restart_by_hand(probe: Probe, script: Script) -> None:
    """A child that is on its way down to be restarted stays down when everything ends; its caller is told."""
    probe.plan("a", script)
    answers: list[object] = []

    async with opened(Supervisor("bot", probe.children("z a b", shutdown=2))) as runtime:

        async def restart() -> None:
            answers.append(await attempt(lambda: runtime.restart_child("/bot/a")))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(restart)
            await trio.sleep(0.5)
            await runtime.stop()

    assert isinstance(answers[0], StoppedError)
    assert probe.starts["a"] == 1
    assert sum(probe.alive.values()) == 0


@pytest.mark.parametrize("script", [Script(stop_takes=1), Script(stubborn=5)])
async def test_c57_end_of_a_branch_overtakes_a_restart_in_it(probe: Probe, script: Script) -> None:
    """The same when a branch gives up while one of its children is being restarted."""
    probe.plan("a", script)
    answers: list[object] = []
    sub = Supervisor("sub", probe.children("a b", shutdown=2), intensity=0, backoff=NOW)

    async with opened(Supervisor("bot", [sub])) as runtime:

        async def restart() -> None:
            answers.append(await attempt(lambda: runtime.restart_child("/bot/sub/a")))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(restart)
            await trio.sleep(0.5)
            probe.crash("b")
            await trio.sleep(50)
        seen = states(runtime)

    assert isinstance(answers[0], DuennaError)
    assert seen == {"sub": "running", "a": "running", "b": "running"}
    assert probe.starts == {"a": 2, "b": 2}
    assert probe.overlaps == []
