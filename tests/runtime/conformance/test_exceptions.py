"""Exceptions: what is a crash, what is fatal, what is only noise (C68 to C80, W1, W3, W8, W12, W14)."""

import contextvars
import traceback
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
import trio
from loguru import logger

from duenna import (
    Actor,
    Child,
    ChildExited,
    CleanupFailed,
    Context,
    GaveUpError,
    StartFailedError,
    Supervisor,
    open_runtime,
)

from .probe import NOW, BoomError, Probe, Script, attempt, node, opened, serve, settle, states, watching


class FatalError(BaseException):
    """An exception that is no `Exception`."""


async def own_nursery(context: Context) -> None:
    """Crash with two errors at once, in the first incarnation."""

    async def bad_value() -> None:
        raise ValueError("the value")

    async def bad_key() -> None:
        raise KeyError("the key")

    if context.incarnation == 1:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bad_value)
            nursery.start_soon(bad_key)
    await trio.sleep_forever()


async def test_c68_exception_group_is_one_crash() -> None:
    """A group out of the child's own nursery is one crash and one restart; the report has both leaves."""
    tree = Supervisor("bot", [Child("a", own_nursery, backoff=NOW)], intensity=1)

    async with opened(tree) as runtime, watching(runtime, ChildExited) as seen:
        await settle()
        shown = node(runtime, "/bot/a")
        reasons = [event.reason for event in seen]

    assert shown is not None
    assert (shown.state, shown.incarnation, shown.restarts) == ("running", 2, 1)
    assert shown.last_error is not None
    assert "the value" in shown.last_error
    assert "the key" in shown.last_error
    assert len(reasons) <= 1  # the stream may have been opened after the crash


async def test_c68_exception_group_raised_in_a_handler(probe: Probe) -> None:
    """The same for any flavour that raises a group."""
    group = ExceptionGroup("both", [ValueError("the value"), KeyError("the key")])

    async with opened(Supervisor("bot", probe.children("a b"), intensity=1)) as runtime:
        async with watching(runtime, ChildExited) as seen:
            probe.crash("a", group)
            await settle()
        shown = states(runtime)

    assert shown == {"a": "running", "b": "running"}
    assert probe.starts == {"a": 2, "b": 1}
    assert len(seen) == 1
    assert "ValueError" in seen[0].reason
    assert "KeyError" in seen[0].reason


async def test_c68_giving_up_on_a_group_keeps_it_as_the_cause(probe: Probe) -> None:
    """W12: what a user catches is the bare GaveUpError; the group is its cause."""
    group = ExceptionGroup("both", [ValueError("the value"), KeyError("the key")])
    probe.plan("a", Script(lives=1, ends=group))

    with pytest.raises(GaveUpError) as caught:
        await serve(Supervisor("bot", probe.children("a"), intensity=0))

    cause = caught.value.__cause__
    assert isinstance(cause, ExceptionGroup)
    assert [type(leaf) for leaf in cause.exceptions] == [ValueError, KeyError]


async def test_c68_group_with_a_cancelled_leaf_is_its_errors() -> None:
    """W3: outside the child's scope its own Cancelled has left the group."""

    async def parting(context: Context) -> None:
        async def at_cancel() -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise KeyError("the key")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(at_cancel)

    async with opened(Supervisor("bot", [Child("a", parting, backoff=NOW)], intensity=0)) as runtime:
        async with watching(runtime, CleanupFailed) as seen:
            await runtime.stop_child("/bot/a")
        shown = states(runtime)

    assert shown == {"a": "stopped"}
    assert [("KeyError" in event.error, "Cancelled" in event.error) for event in seen] == [(True, False)]


@pytest.mark.parametrize("fatal", [KeyboardInterrupt, SystemExit, FatalError, GeneratorExit])
async def test_c70_c71_c80_fatal_exception_ends_the_runtime_in_order(probe: Probe, fatal: type[BaseException]) -> None:
    """What is no `Exception` is no crash: nobody is restarted, siblings stop in reverse, it leaves as it is."""
    probe.plan("b", Script(lives=1, ends=fatal))

    with pytest.raises(fatal):
        await serve(Supervisor("bot", probe.children("a b c")))

    assert [line for line in probe.log if line not in {"+b", "-b"}] == ["+a", "+c", "-c", "-a"]
    assert probe.starts["b"] == 1


@pytest.mark.parametrize("fatal", [KeyboardInterrupt, SystemExit])
async def test_c70_c71_fatal_exception_in_a_deep_branch(probe: Probe, fatal: type[BaseException]) -> None:
    """Its own branch ends first, then the rest in reverse; no supervisor on the way restarts anything."""
    probe.plan("c", Script(lives=1, ends=fatal))
    low = Supervisor("low", probe.children("b c"))
    tree = Supervisor("bot", [probe.child("a"), Supervisor("middle", [low]), probe.child("d")])

    with pytest.raises(fatal):
        await serve(tree)

    assert [line for line in probe.log if line not in {"+c", "-c"}] == ["+a", "+b", "+d", "-b", "-d", "-a"]
    assert probe.starts == {"a": 1, "b": 1, "c": 1, "d": 1}


@pytest.mark.parametrize("fatal", [KeyboardInterrupt, SystemExit])
async def test_c70_c71_fatal_exception_at_boot(probe: Probe, fatal: type[BaseException]) -> None:
    """Ctrl-C during a start is no failed start."""
    probe.plan("c", Script(start_takes=1, start_error=fatal))

    with pytest.raises(fatal):
        await serve(Supervisor("bot", probe.children("a b c d")))

    assert probe.log == ["+a", "+b", "!c", "-b", "-a"]


@pytest.mark.parametrize("fatal", [KeyboardInterrupt, SystemExit])
async def test_c70_c71_fatal_exception_in_cleanup(probe: Probe, fatal: type[BaseException]) -> None:
    """The others still stop in reverse."""
    probe.plan("b", Script(stop_error=fatal()))  # type: ignore[arg-type]

    with pytest.raises(fatal):
        await serve(Supervisor("bot", probe.children("a b c")), 1)

    assert probe.log[3:] == ["-c", "-b", "-a"]


async def test_c70_group_with_a_fatal_leaf_is_fatal(probe: Probe) -> None:
    """W3: a BaseExceptionGroup is not a crash."""
    group = BaseExceptionGroup("mixed", [ValueError("x"), KeyboardInterrupt()])
    probe.plan("b", Script(lives=1, ends=group))

    with pytest.raises(BaseException) as caught:  # noqa: PT011  # which of the two shapes is open
        await serve(Supervisor("bot", probe.children("a b c")))

    assert isinstance(caught.value, (KeyboardInterrupt, BaseExceptionGroup))
    assert not isinstance(caught.value, Exception)
    assert probe.starts == {"a": 1, "b": 1, "c": 1}
    assert [line for line in probe.log if line not in {"+b", "-b"}] == ["+a", "+c", "-c", "-a"]


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
