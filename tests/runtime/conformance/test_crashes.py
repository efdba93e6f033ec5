"""Crashes of every kind, and what must not come of them (C74 to C77, W1, W11, W14)."""

import contextvars
import traceback

import pytest
import trio
from loguru import logger

from duenna import (
    Actor,
    Child,
    Context,
    GaveUpError,
    Supervisor,
    open_runtime,
)

from .probe import NOW, BoomError, Probe, Script
from .support import node, opened, serve, settle, states


async def test_c74_exit_of_a_replaced_incarnation_is_ignored(probe: Probe) -> None:
    """A crash and a restart by hand in one tick are never two successors at once."""
    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:
        probe.crash("a")
        await runtime.restart_child("/bot/a")
        await trio.sleep(10)
        seen, alive = states(runtime), probe.alive["a"]

    assert seen == {"a": "running", "b": "running"}
    assert alive == 1
    assert probe.overlaps == []
    assert probe.starts["a"] in {2, 3}


async def test_c74_old_timers_do_not_reach_the_new_incarnation() -> None:
    """W11: timers die with their incarnation."""
    got: list[tuple[int, object]] = []

    class Ticker(Actor):
        def started(self) -> None:
            self.context.tell_after(10, f"from {self.context.incarnation}")

        def receive(self, message: str) -> None:
            if message == "crash":
                raise BoomError
            got.append((self.context.incarnation, message))

    async with opened(Supervisor("bot", [Child("a", Ticker, backoff=NOW)])) as runtime:
        await trio.sleep(5)
        runtime.ref("/bot/a").tell("crash")
        await trio.sleep(50)

    assert got == [(2, "from 2")]


@pytest.mark.parametrize(
    "error", [RecursionError, MemoryError, AssertionError, StopIteration, StopAsyncIteration, OSError]
)
async def test_c76_any_exception_is_a_crash(probe: Probe, error: type[Exception]) -> None:
    """Every subclass of Exception takes the crash path."""
    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:
        probe.crash("a", error("x"))
        await settle()
        seen = states(runtime)

    assert seen == {"a": "running", "b": "running"}
    assert probe.starts == {"a": 2, "b": 1}


async def test_c76_real_recursion_is_a_crash() -> None:
    """A handler that recurses without end crashes its actor and nothing else."""

    class Deep(Actor):
        def receive(self, message: str) -> None:
            self.receive(message)

    async with opened(Supervisor("bot", [Child("a", Deep, backoff=NOW)])) as runtime:
        runtime.ref("/bot/a").tell("dive")
        await settle()
        seen = node(runtime, "/bot/a")

    assert seen is not None
    assert (seen.state, seen.incarnation) == ("running", 2)


async def test_c76_exception_whose_text_raises_is_a_crash(probe: Probe) -> None:
    """Reports must not fail on a foreign exception's `__str__`."""

    class NastyError(Exception):
        def __str__(self) -> str:
            raise ValueError("no text")

    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:
        probe.crash("a", NastyError())
        await settle()
        seen = states(runtime)

    assert seen == {"a": "running", "b": "running"}
    assert probe.starts["a"] == 2


async def test_c77_observer_that_raises_harms_nobody(probe: Probe) -> None:
    """A log sink that raises is the sink's affair: supervision goes on."""

    def bad_sink(message: object) -> None:
        raise RuntimeError("sink")

    sink = logger.add(bad_sink, level="DEBUG", catch=False)
    try:
        tree = Supervisor("bot", probe.children("a b"))
        async with open_runtime(tree, seed=1, log_level="DEBUG", watchdog=None) as runtime:
            probe.crash("a")
            await settle()
            seen = states(runtime)
    finally:
        logger.remove(sink)

    assert seen == {"a": "running", "b": "running"}
    assert probe.starts == {"a": 2, "b": 1}


async def test_c77_event_reader_that_is_slow_or_gone_harms_nobody(probe: Probe) -> None:
    """A subscription nobody reads loses its oldest events; supervision does not wait for it."""
    tree = Supervisor("bot", probe.children("a b"), intensity=1_000)

    async with opened(tree) as runtime:
        stream = runtime.events(capacity=5)
        for _ in range(100):
            probe.crash("a")
            await settle()
        seen = states(runtime)
        stream.close()

    assert seen == {"a": "running", "b": "running"}
    assert probe.starts["a"] == 101


async def test_w01_crash_never_reaches_a_sibling(probe: Probe) -> None:
    """A thousand crashes of one child, and its sibling never notices."""
    probe.plan("a", *[Script(lives=1, ends=BoomError)] * 100)

    async with opened(Supervisor("bot", probe.children("a b"), intensity=1000)):
        await trio.sleep(200)

    assert probe.starts == {"a": 101, "b": 1}
    assert probe.times("-", "b") == [200]


async def test_w14_children_do_not_see_their_starters_context(probe: Probe) -> None:
    """A child lives in its supervisor's context, not in that of whoever called `start_child`."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    seen: list[str] = []

    async def curious(context: Context) -> None:
        del context
        seen.append(variable.get())
        await trio.sleep_forever()

    class Curious(Actor):
        def started(self) -> None:
            seen.append(variable.get())

        def receive(self, message: str) -> None:
            seen.append(variable.get())
            variable.set(message)

    async with opened(Supervisor("bot", probe.children("a"))) as runtime:
        variable.set("the caller's")
        await runtime.start_child("/bot", Child("function", curious))
        one = await runtime.start_child("/bot", Child("one", Curious))
        two = await runtime.start_child("/bot", Child("two", Curious))
        one.tell("one's")
        two.tell("two's")
        await settle()

    assert seen == ["unset"] * 5


async def test_crash_report_shows_the_users_frames(probe: Probe) -> None:
    """The exception that a supervisor gives up with still has the traceback of the user's code."""
    probe.plan("a", Script(lives=1, ends=BoomError))

    with pytest.raises(GaveUpError) as caught:
        await serve(Supervisor("bot", probe.children("a"), intensity=0))

    assert caught.value.__cause__ is not None
    assert "probe.py" in "".join(traceback.format_tb(caught.value.__cause__.__traceback__))
