"""Factories that fail, and generators that are left open (C79, C80)."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
import trio

from duenna import (
    Actor,
    Child,
    Context,
    StartFailedError,
    Supervisor,
)

from .probe import NOW, BoomError, Probe
from .support import attempt, node, opened, serve, settle, states


class Oddity:
    """Something that is no actor."""


def make_oddity() -> Any:
    """Make something that is no actor."""
    return Oddity()


def raising_factory() -> Actor:
    """Raise at once."""
    raise BoomError("factory")


async def make_slowly() -> Actor:
    """Make an actor, in an `async def` that was meant as a factory."""
    return Actor()


def make_coroutine() -> Any:
    """Forget an `await`."""
    return make_slowly()


FACTORIES: dict[str, Any] = {
    "raises": raising_factory,
    "makes no actor": make_oddity,
    "makes None": lambda: None,
    "makes a coroutine": make_coroutine,
}


@pytest.mark.parametrize("factory", FACTORIES)
async def test_c79_factory_that_fails_is_a_failed_start_at_boot(probe: Probe, factory: str) -> None:
    """It is the child that failed to start, not the supervisor that crashed."""
    tree = Supervisor("bot", [*probe.children("a b"), Child("c", FACTORIES[factory], ready="manual")])

    with pytest.raises(StartFailedError) as caught:
        await serve(tree)

    assert caught.value.path == "/bot/c"
    assert probe.log == ["+a", "+b", "-b", "-a"]


async def test_c79_factory_that_fails_in_a_restart_is_a_failed_start(actors: Probe) -> None:
    """It is counted and retried like one."""
    calls: list[int] = []

    def moody() -> Actor:
        calls.append(len(calls))
        if len(calls) in {2, 3}:
            raise BoomError("factory")
        return actors.make("a")

    async with opened(Supervisor("bot", [Child("a", moody, backoff=NOW), actors.child("b")], intensity=3)) as runtime:
        actors.crash("a")
        await settle()
        seen = node(runtime, "/bot/a")

    assert seen is not None
    assert (seen.state, seen.failures) == ("running", 3)
    assert len(calls) == 4
    assert actors.starts["b"] == 1


async def test_c79_dynamic_child_with_a_bad_factory(probe: Probe) -> None:
    """Told to its caller, and nothing is left."""
    async with opened(Supervisor("bot", probe.children("a"), intensity=0)) as runtime:
        caught = await attempt(lambda: runtime.start_child("/bot", Child("c", raising_factory)))
        seen = states(runtime)

    assert isinstance(caught, StartFailedError)
    assert isinstance(caught.__cause__, BoomError)
    assert seen == {"a": "running"}


async def test_c80_async_generator_is_closed_when_its_child_is_stopped() -> None:
    """Clean-up of generators runs before the child counts as ended."""
    steps: list[str] = []

    async def source() -> AsyncGenerator[int, None]:
        try:
            while True:
                yield 1
                await trio.sleep(1)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.5)
            steps.append("closed")

    async def consumer(context: Context) -> None:
        del context
        try:
            async with aclosing(source()) as numbers:
                async for _ in numbers:
                    steps.append("got")  # noqa: PERF401  # each as it comes
        finally:
            steps.append("ended")

    async with opened(Supervisor("bot", [Child("a", consumer)])) as runtime:
        await trio.sleep(1.5)
        await runtime.stop_child("/bot/a")
        stopped = trio.current_time()

    assert steps == ["got", "got", "closed", "ended"]
    assert stopped == 2
