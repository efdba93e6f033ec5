"""Exceptions: groups, and what is fatal (C68 to C71, W3, W12)."""

from contextlib import nullcontext
from typing import Any

import pytest
import trio

from duenna import (
    Backoff,
    Child,
    ChildExited,
    CleanupFailed,
    Context,
    GaveUpError,
    Supervisor,
)

from .probe import NOW, BoomError, Probe, Script
from .support import node, opened, serve, settle, states, watching


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
    probe.plan("b", Script(stop_error=fatal()))

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


CRASH = Script(lives=1, ends=BoomError)
FATAL_PHASES: dict[str, dict[str, list[Script]]] = {
    "start of a restart": {"b": [CRASH, Script(start_takes=1, start_error=KeyboardInterrupt)]},
    "start of a group": {
        "a": [CRASH],
        "b": [Script(), Script(start_error=KeyboardInterrupt)],
    },
    "stop of a group": {"a": [CRASH], "b": [Script(stop_error=KeyboardInterrupt())]},
    "while a sibling stops": {
        "a": [CRASH],
        "b": [Script(lives=2, ends=KeyboardInterrupt)],
        "c": [Script(stop_takes=3)],
    },
    "while a sibling starts": {
        "b": [Script(lives=2, ends=KeyboardInterrupt)],
        "c": [CRASH, Script(start_takes=10)],
    },
    "while a sibling is in backoff": {
        "b": [Script(lives=2, ends=KeyboardInterrupt)],
        "d": [CRASH],
    },
}


UNMET = {  # there the incarnation that would raise is replaced before it does, or its successor never comes
    ("one_for_one", "start of a group"),
    ("one_for_all", "while a sibling starts"),
    ("one_for_all", "while a sibling is in backoff"),
}


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
@pytest.mark.parametrize("phase", FATAL_PHASES)
async def test_c70_keyboard_interrupt_in_every_phase(probe: Probe, strategy: Any, phase: str) -> None:
    """Whatever the supervisor is at, the runtime ends with the bare KeyboardInterrupt and leaves nobody behind."""
    for name, scripts in FATAL_PHASES[phase].items():
        probe.plan(name, *scripts)
    children = [*probe.children("a b c"), probe.child("d", backoff=Backoff.steps(5))]
    tree = Supervisor("bot", children, strategy=strategy)
    is_met = (strategy, phase) not in UNMET

    with pytest.raises(KeyboardInterrupt) if is_met else nullcontext():
        await serve(tree, 4)

    assert sum(probe.alive.values()) == 0
    assert probe.overlaps == []
