"""Asking one who crashes, restarts or is down (C84, C85)."""

from typing import Any

import attrs
import pytest
import trio

from duenna import (
    Actor,
    ActorDiedError,
    AskTimeoutError,
    Backoff,
    Child,
    Supervisor,
)

from .probe import BoomError
from .support import attempt, opened, servant, settle


async def test_c84_ask_that_crashes_the_actor_fails_at_once() -> None:
    """The asker gets ActorDiedError with the crash as its cause, not a timeout."""
    async with opened(Supervisor("bot", [servant([])])) as runtime:
        outcome = await attempt(lambda: runtime.ref("/bot/a").ask("crash"))
        told = trio.current_time()

    assert isinstance(outcome, ActorDiedError)
    assert isinstance(outcome.__cause__, BoomError)
    assert told == 0


async def test_c84_ask_in_flight_fails_when_the_actor_is_stopped() -> None:
    """Whatever ends the handler, its asker is told at once."""
    answers: list[object] = []

    async with opened(Supervisor("bot", [servant([])])) as runtime:

        async def ask() -> None:
            answers.append(await attempt(lambda: runtime.ref("/bot/a").ask(100.0, timeout=1000)))
            answers.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.sleep(5)
            await runtime.stop_child("/bot/a")

    assert isinstance(answers[0], ActorDiedError)
    assert answers[1] == 5


async def test_c85_ask_to_a_restarting_actor_waits() -> None:
    """By default it waits in the mailbox, up to its timeout."""
    async with opened(Supervisor("bot", [servant([], backoff=Backoff.steps(3))])) as runtime:
        ref = runtime.ref("/bot/a")
        ref.tell("crash")
        await settle()
        answer = await ref.ask("hello", timeout=5)
        answered = trio.current_time()
        ref.tell("crash")
        await settle()
        late = await attempt(lambda: ref.ask("hello", timeout=1))

    assert (answer, answered) == ("hello", 3)
    assert isinstance(late, AskTimeoutError)


async def test_c85_ask_can_fail_fast() -> None:
    """`wait=False`: an actor that does not run right now is an ActorDiedError."""
    async with opened(Supervisor("bot", [servant([], backoff=Backoff.steps(3))])) as runtime:
        ref = runtime.ref("/bot/a")
        ref.tell("crash")
        await settle()
        outcome = await attempt(lambda: ref.ask("hello", timeout=5, wait=False))
        told = trio.current_time()

    assert isinstance(outcome, ActorDiedError)
    assert told == 0


@pytest.mark.parametrize("how", ["stopped", "finished", "parked", "deleted"])
async def test_c84_ask_to_one_who_is_down_fails_at_once(how: str) -> None:
    """Nobody waits for an answer that cannot come."""
    options: dict[str, Any] = {"max_failures": 0, "on_give_up": "park"} if how == "parked" else {}
    log: list[object] = []

    @attrs.define
    class Ender(Actor):
        def receive(self, message: str) -> str:
            if message == "crash":
                raise BoomError
            self.context.stop()
            return message

    tree = Supervisor("bot", [Child("a", Ender, restart="transient", **options), servant(log, "b")])

    async with opened(tree) as runtime:
        ref = runtime.ref("/bot/a")
        match how:
            case "parked":
                ref.tell("crash")
            case "finished":
                ref.tell("end")
            case _:
                await runtime.stop_child("/bot/a")
        await settle()
        if how == "deleted":
            await runtime.delete_child("/bot/a")
        outcome = await attempt(lambda: ref.ask("hello"))
        told = trio.current_time()

    assert isinstance(outcome, ActorDiedError)
    assert told == 0
