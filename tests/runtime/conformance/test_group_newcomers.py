"""Children that are added while their group, or the boot, is on its way (C30, W6)."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from duenna import (
    Backoff,
    Child,
    Context,
    DuennaError,
    Supervisor,
)

from .probe import Flavour, Probe, Script
from .support import ALL_UP, GROUPS, attempt, opened, settle, state, states


@GROUPS
async def test_dynamic_child_added_while_its_group_is_down(probe: Probe, strategy: Any) -> None:
    """Added during the group's backoff it runs once, last in the order, when all is over."""
    tree = Supervisor("bot", probe.children("a b", backoff=Backoff.steps(10)), strategy=strategy)

    async with opened(tree) as runtime:
        probe.crash("a")
        await trio.sleep(5)
        await runtime.start_child("/bot", probe.child("c"))
        await trio.sleep(50)
        seen = states(runtime)
        probe.forget()

    assert seen == ALL_UP
    assert probe.overlaps == []
    assert probe.log == ["-c", "-b", "-a"]


async def test_child_that_adds_a_sibling_while_the_boot_goes_on() -> None:
    """A call to one's own supervisor during its boot is answered, and the new child is the last in the order."""
    probe = Probe(Flavour.TASK)
    probe.plan("b", Script(start_takes=5))

    async def parent(context: Context) -> None:
        await context.runtime.start_child("/bot", probe.child("d"))
        await trio.sleep_forever()

    async with opened(Supervisor("bot", [Child("a", parent), *probe.children("b c")])) as runtime:
        await trio.sleep(100)
        seen = states(runtime)
        probe.forget()

    assert seen == {**ALL_UP, "d": "running"}
    assert probe.log == ["-d", "-c", "-b"]


@GROUPS
@pytest.mark.parametrize("restart", ["permanent", "temporary"])
async def test_dynamic_start_is_overtaken_by_its_group(probe: Probe, strategy: Any, restart: Any) -> None:
    """A newcomer is a member while it starts: its start is begun again, or, a temporary one, gone and told so."""
    probe.plan("n", Script(start_takes=5), Script(start_takes=5))
    answers: list[object] = []

    async with opened(Supervisor("bot", probe.children("a b"), strategy=strategy)) as runtime:

        async def start() -> None:
            answers.append(await attempt(lambda: runtime.start_child("/bot", probe.child("n", restart=restart))))
            answers.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(start)
            await trio.sleep(2)
            probe.crash("a")
            await trio.sleep(50)
        seen = state(runtime, "/bot/n")

    if restart == "temporary":
        assert isinstance(answers[0], DuennaError)
        assert (answers[1], seen) == (2, "absent")
    else:
        assert not isinstance(answers[0], Exception)
        assert (answers[1], seen) == (7, "running")
    assert probe.overlaps == []


@GROUPS
async def test_call_into_a_branch_whose_turn_has_not_come(probe: Probe, strategy: Any) -> None:
    """A branch that waits for its group has no child to restart; every caller is answered, stopped or not."""
    branch = Supervisor("grown", probe.children("x"))
    tree = Supervisor("bot", probe.children("a", backoff=Backoff.steps(10)), strategy=strategy)
    answers: dict[str, object] = {}

    async with opened(tree) as runtime:

        async def make(name: str, call: Callable[[], Awaitable[object]]) -> None:
            answers[name] = await attempt(call)

        async with trio.open_nursery() as nursery:
            probe.crash("a")
            await trio.sleep(5)
            nursery.start_soon(make, "start", lambda: runtime.start_child("/bot", branch))
            await settle()
            nursery.start_soon(make, "restart", lambda: runtime.restart_child("/bot/grown/x"))
            await settle()
            nursery.start_soon(make, "stop", lambda: runtime.stop_child("/bot/grown"))
            await trio.sleep(50)
            answered = set(answers)
            nursery.cancel_scope.cancel()

    assert answered == {"start", "restart", "stop"}
    assert isinstance(answers["start"], DuennaError)
    assert isinstance(answers["restart"], DuennaError)
    assert answers["stop"] is None
    assert probe.starts["x"] == 0
