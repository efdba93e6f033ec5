"""The calls of an operator: what each answers in each state (S12, S13)."""

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio

from duenna import (
    Actor,
    Backoff,
    Child,
    ChildStateError,
    DuennaError,
    Runtime,
    Supervisor,
    UnknownPathError,
)

from .probe import NOW, BoomError, Probe, Script
from .support import CALLS, Call, attempt, node, opened, settle, state, states


async def make_running(runtime: Runtime, probe: Probe) -> None:
    """Leave it as it is."""


async def make_stopped(runtime: Runtime, probe: Probe) -> None:
    """Stop it by hand."""
    await runtime.stop_child("/bot/a")


async def make_finished(runtime: Runtime, probe: Probe) -> None:
    """Let it return."""
    probe.end("a")
    await settle()


async def make_backoff(runtime: Runtime, probe: Probe) -> None:
    """Let it crash."""
    probe.crash("a")
    await settle()


async def make_parked(runtime: Runtime, probe: Probe) -> None:
    """Let it crash twice."""
    probe.crash("a")
    await trio.sleep(11)
    probe.crash("a")
    await settle()


async def make_starting(runtime: Runtime, probe: Probe) -> None:
    """Let it crash and be slow to come back."""
    probe.plan("a", Script(start_takes=5))
    probe.crash("a")
    await trio.sleep(12)


STATES: dict[str, Callable[[Runtime, Probe], Awaitable[None]]] = {
    "running": make_running,
    "stopped": make_stopped,
    "finished": make_finished,
    "backoff": make_backoff,
    "failed": make_parked,
    "starting": make_starting,
}


TABLE = [
    # state, call, answer, state afterwards
    ("running", "start_child", ChildStateError, "running"),
    ("running", "stop_child", None, "stopped"),
    ("running", "restart_child", None, "running"),
    ("running", "delete_child", ChildStateError, "running"),
    ("stopped", "start_child", ChildStateError, "stopped"),
    ("stopped", "stop_child", None, "stopped"),
    ("stopped", "restart_child", None, "running"),
    ("stopped", "delete_child", None, "absent"),
    ("finished", "start_child", ChildStateError, "finished"),
    ("finished", "stop_child", None, ("finished", "stopped")),
    ("finished", "restart_child", None, "running"),
    ("finished", "delete_child", None, "absent"),
    ("backoff", "start_child", ChildStateError, "backoff"),
    ("backoff", "stop_child", None, "stopped"),
    ("backoff", "restart_child", None, "running"),
    ("backoff", "delete_child", ChildStateError, "backoff"),
    ("failed", "start_child", ChildStateError, "failed"),
    ("failed", "stop_child", None, "stopped"),
    ("failed", "restart_child", None, "running"),
    ("failed", "delete_child", None, "absent"),
    ("starting", "start_child", ChildStateError, "starting"),
    ("starting", "stop_child", None, "stopped"),
    ("starting", "delete_child", ChildStateError, "starting"),
]


@attrs.define
class Suicide(Actor):
    """A class that asks the runtime to stop it."""

    def receive(self, message: str) -> None:
        del message
        self.context.stop()


@pytest.mark.parametrize(("before", "call", "answer", "after"), TABLE)
async def test_s12_table_of_calls(
    probe: Probe, before: str, call: str, answer: type[Exception] | None, after: str | tuple[str, ...]
) -> None:
    """S12, as amended: what each call answers in each state, and what it leaves."""
    probe.plan("a", Script(), Script(start_takes=0.5) if before == "starting" else Script())
    spec = probe.child(
        "a",
        restart="transient",
        backoff=Backoff.steps(10),
        max_failures=1,
        on_give_up="park",
        unpark_after=None,
    )
    calls: dict[str, Call] = {**CALLS, "start_child": lambda runtime, _: runtime.start_child("/bot", spec)}

    async with opened(Supervisor("bot", [spec, probe.child("b")])) as runtime:
        await STATES[before](runtime, probe)
        was = state(runtime, "/bot/a")
        outcome = await attempt(lambda: calls[call](runtime, probe))
        now = state(runtime, "/bot/a")
        sibling = probe.starts["b"]

    assert was == before
    if answer is None:
        assert not isinstance(outcome, Exception)
    else:
        assert type(outcome) is answer
    assert now in ((after,) if isinstance(after, str) else after)
    assert sibling == 1


@pytest.mark.parametrize("call", ["stop_child", "restart_child", "delete_child", "suspend", "resume"])
async def test_s12_unknown_path_is_refused(probe: Probe, call: str) -> None:
    """A path that names nobody is an UnknownPathError that names the path."""
    async with opened(Supervisor("bot", probe.children("b"))) as runtime:
        outcome = await attempt(lambda: CALLS[call](runtime, probe))

    assert isinstance(outcome, UnknownPathError)
    assert outcome.path == "/bot/a"


async def test_s12_stop_child_of_a_temporary_removes_it(probe: Probe) -> None:
    """A temporary child's spec goes with it, by whatever hand."""
    spec = probe.child("a", restart="temporary")

    async with opened(Supervisor("bot", [spec])) as runtime:
        await runtime.stop_child("/bot/a")
        seen = state(runtime, "/bot/a")
        await runtime.start_child("/bot", spec)
        again = state(runtime, "/bot/a")

    assert (seen, again) == ("absent", "running")


async def test_s12_failed_restart_of_a_stopped_child_leaves_it_down(probe: Probe) -> None:
    """Its caller is told; nothing is counted, nothing is tried again."""
    error = BoomError("no")
    probe.plan("a", Script(), Script(start_error=error))

    async with opened(Supervisor("bot", probe.children("a b"), intensity=0)) as runtime:
        await runtime.stop_child("/bot/a")
        caught = await attempt(lambda: runtime.restart_child("/bot/a"))
        await trio.sleep(1000)
        seen = states(runtime)

    assert isinstance(caught, Exception)
    assert caught.__cause__ is error
    assert seen == {"a": "stopped", "b": "running"}
    assert probe.starts["a"] == 2


async def test_s12_deleted_child_is_a_stranger(probe: Probe) -> None:
    """Its name is free, and whoever takes it begins at the first incarnation with a clean count."""
    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:
        probe.crash("a")
        await settle()
        await runtime.stop_child("/bot/a")
        await runtime.delete_child("/bot/a")
        await runtime.start_child("/bot", probe.child("a"))
        seen = node(runtime, "/bot/a")

    assert seen is not None
    assert (seen.state, seen.failures, seen.restarts) == ("running", 0, 0)


async def test_sticky_stop_survives_everything_but_a_hand(probe: Probe) -> None:
    """Neither time nor siblings bring back what an operator stopped."""
    probe.plan("b", *[Script(lives=1, ends=BoomError)] * 20)
    tree = Supervisor("bot", probe.children("a b"), strategy="one_for_all", intensity=100)

    async with opened(tree) as runtime:
        await runtime.stop_child("/bot/a")
        await trio.sleep(10_000)
        seen = states(runtime)

    assert seen == {"a": "stopped", "b": "running"}
    assert probe.starts["a"] == 1


async def test_stop_child_of_a_starting_dynamic_child_answers_both_callers(probe: Probe) -> None:
    """The start's caller learns that it was stopped, the stop's caller that it is down."""
    probe.plan("a", Script(start_takes=20))
    answers: list[object] = []

    async with opened(Supervisor("bot", probe.children("b"))) as runtime:

        async def start() -> None:
            answers.append(await attempt(lambda: runtime.start_child("/bot", probe.child("a"))))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(start)
            await trio.sleep(5)
            await runtime.stop_child("/bot/a")
        ended = trio.current_time()
        seen = states(runtime)

    assert len(answers) == 1
    assert isinstance(answers[0], DuennaError)
    assert ended == 5
    assert seen in ({"a": "stopped", "b": "running"}, {"b": "running"})
    assert probe.log[-2:] == ["!a", "-b"]


@pytest.mark.parametrize(
    ("restart", "expected"), [("permanent", "running"), ("transient", "finished"), ("temporary", "absent")]
)
async def test_context_stop_is_a_normal_end(restart: Any, expected: str) -> None:
    """`context.stop()` is as if `run()` had returned."""
    async with opened(Supervisor("bot", [Child("a", Suicide, restart=restart, backoff=NOW)])) as runtime:
        runtime.ref("/bot/a").tell("now")
        await settle()
        seen = state(runtime, "/bot/a")

    assert seen == expected


@pytest.mark.parametrize("second", ["restart_child", "delete_child", "suspend"])
async def test_call_while_a_child_is_stopping_is_answered(probe: Probe, second: str) -> None:
    """Carried out after the stop or refused; never a second incarnation beside the first."""
    probe.plan("a", Script(stop_takes=5))
    answers: list[object] = []

    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:

        async def again() -> None:
            await trio.sleep(1)
            answers.append(await attempt(lambda: getattr(runtime, second)("/bot/a")))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(again)
            await runtime.stop_child("/bot/a")
        await settle()
        seen = states(runtime)

    assert len(answers) == 1
    assert not isinstance(answers[0], Exception) or isinstance(answers[0], ChildStateError)
    assert seen["b"] == "running"
    assert probe.overlaps == []


async def test_stop_while_a_restart_by_hand_is_under_way(probe: Probe) -> None:
    """The later call wins: what was stopped last stays down; both are answered."""
    probe.plan("a", Script(stop_takes=5))
    answers: list[object] = []

    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:

        async def restart() -> None:
            answers.append(await attempt(lambda: runtime.restart_child("/bot/a")))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(restart)
            await trio.sleep(1)
            await runtime.stop_child("/bot/a")
        await trio.sleep(10)
        seen = states(runtime)

    assert isinstance(answers[0], DuennaError)
    assert seen == {"a": "stopped", "b": "running"}
    assert probe.starts["a"] == 1


async def test_many_restarts_at_once_are_all_answered(probe: Probe) -> None:
    """Any number of operators may restart one child at once."""
    probe.always("a", Script(start_takes=1, stop_takes=1))
    answers: list[object] = []

    async with opened(Supervisor("bot", probe.children("a b"), intensity=0)) as runtime:

        async def restart() -> None:
            answers.append(await attempt(lambda: runtime.restart_child("/bot/a")))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(restart)
                await trio.sleep(0.75)
        await trio.sleep(50)
        seen = states(runtime)

    assert len(answers) == 5
    assert all(not isinstance(answer, Exception) or isinstance(answer, ChildStateError) for answer in answers)
    assert seen == {"a": "running", "b": "running"}
    assert probe.overlaps == []
