"""Children that are added later, and what it means to be ready (C6, S12, W5)."""

import math

import pytest
import trio

from duenna import (
    Actor,
    Child,
    ChildStateError,
    Context,
    StartFailedError,
    Supervisor,
    UnknownPathError,
)

from .probe import NOW, BoomError, Flavour, Probe, Script
from .support import attempt, opened, settle, state, states


async def test_c06_ready_value_of_a_function_reaches_who_started_it() -> None:
    """`ready(value)`: `start_child` gives it in the ref's `ready_value`, `restart_child` returns it."""
    probe = Probe(Flavour.FUNCTION)
    probe.plan("a", Script(ready_value=41), Script(ready_value=42))

    async with opened(Supervisor("bot")) as runtime:
        ref = await runtime.start_child("/bot", probe.child("a"))
        first = ref.ready_value
        second = await runtime.restart_child("/bot/a")

    assert (first, second) == (41, 42)


async def test_c06_ready_value_of_a_class_reaches_who_started_it() -> None:
    """A class actor under `ready="manual"` gives its value by `context.ready(value)` too."""

    class Valued(Actor):
        async def run(self) -> None:
            self.context.ready(f"value {self.context.incarnation}")
            await trio.sleep_forever()

    async with opened(Supervisor("bot")) as runtime:
        ref = await runtime.start_child("/bot", Child("a", Valued, ready="manual"))
        first = ref.ready_value
        second = await runtime.restart_child("/bot/a")

    assert (first, second) == ("value 1", "value 2")


async def test_c06_a_second_ready_does_nothing() -> None:
    """Only the first call of `ready` counts; under `ready="auto"` none does."""

    async def eager(context: Context) -> None:
        context.ready(1)
        context.ready(2)
        await trio.sleep_forever()

    async with opened(Supervisor("bot")) as runtime:
        manual = await runtime.start_child("/bot", Child("manual", eager, ready="manual"))
        auto = await runtime.start_child("/bot", Child("auto", eager))
        await settle()
        values = manual.ready_value, auto.ready_value

    assert values == (1, None)


async def test_w05_crash_at_the_first_instruction_of_an_auto_function_is_a_restart() -> None:
    """Under `ready="auto"` a function is ready before its first instruction: its crash is no boot failure."""
    starts: list[int] = []

    async def fragile(context: Context) -> None:
        starts.append(context.incarnation)
        if len(starts) == 1:
            raise BoomError
        await trio.sleep_forever()

    async with opened(Supervisor("bot", [Child("a", fragile, backoff=NOW)])) as runtime:
        await settle()
        seen = state(runtime, "/bot/a")

    assert starts == [1, 2]
    assert seen == "running"


async def test_w05_crash_right_after_ready_is_a_restart(probe: Probe) -> None:
    """Once ready, a crash belongs to the running tree, even in the same tick."""
    probe.plan("a", Script(lives=0, ends=BoomError))

    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:
        await settle()
        seen = states(runtime)

    assert seen == {"a": "running", "b": "running"}
    assert probe.starts == {"a": 2, "b": 1}


async def test_w05_crash_of_an_early_child_while_a_later_one_boots(probe: Probe) -> None:
    """A crash during the boot of a later child is a crash, not a failed boot."""
    probe.plan("a", Script(lives=1, ends=BoomError))
    probe.plan("b", Script(start_takes=5))

    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:
        await settle()
        seen, booted = states(runtime), trio.current_time()

    assert booted == 5
    assert seen == {"a": "running", "b": "running"}
    assert probe.overlaps == []


async def test_w05_caller_of_start_child_can_leave_at_once(probe: Probe) -> None:
    """W5: a cancelled `start_child` returns at the instant of the cancel, whatever the child does."""
    probe.plan("a", Script(start_takes=10, stop_takes=1, stubborn=1))

    async with opened(Supervisor("bot", probe.children("b"))) as runtime:
        with trio.move_on_after(5) as scope:
            await runtime.start_child("/bot", probe.child("a"))
        left = trio.current_time()
        await trio.sleep(100)
        others = state(runtime, "/bot/b")

    assert scope.cancelled_caught
    assert left == 5
    assert others == "running"
    assert sum(probe.alive.values()) == 0
    assert probe.overlaps == []


async def test_s12_failed_start_of_a_dynamic_child_leaves_nothing(probe: Probe) -> None:
    """S12: a dynamic child that fails to start raises to its caller; its spec is not kept; nothing is counted."""
    error = BoomError("no")
    probe.plan("b", Script(start_error=error))

    async with opened(Supervisor("bot", probe.children("a"), intensity=0)) as runtime:
        caught = await attempt(lambda: runtime.start_child("/bot", probe.child("b")))
        after_failure = states(runtime)
        await runtime.start_child("/bot", probe.child("b"))
        after_success = states(runtime)

    assert isinstance(caught, StartFailedError)
    assert (caught.path, caught.__cause__) == ("/bot/b", error)
    assert after_failure == {"a": "running"}
    assert after_success == {"a": "running", "b": "running"}


async def test_s12_dynamic_child_that_hangs_is_cut_at_its_start_timeout(probe: Probe) -> None:
    """The start timeout holds for dynamic children; the caller is told."""
    probe.plan("b", Script(start_takes=math.inf))

    async with opened(Supervisor("bot", probe.children("a"), intensity=0)) as runtime:
        caught = await attempt(lambda: runtime.start_child("/bot", probe.child("b", start_timeout=3)))
        told = trio.current_time()
        seen = states(runtime)

    assert isinstance(caught, StartFailedError)
    assert isinstance(caught.__cause__, trio.TooSlowError)
    assert told == 3
    assert seen == {"a": "running"}


async def test_s12_dynamic_supervisor_boots_its_children(probe: Probe) -> None:
    """A supervisor can be started like any other child; its failed boot leaves nothing."""
    good = Supervisor("good", probe.children("a b"))
    bad = Supervisor("bad", probe.children("c d"))
    probe.plan("d", Script(start_error=BoomError))

    async with opened(Supervisor("bot")) as runtime:
        await runtime.start_child("/bot", good)
        caught = await attempt(lambda: runtime.start_child("/bot", bad))
        seen = states(runtime)

    assert isinstance(caught, StartFailedError)
    assert seen == {"good": "running", "a": "running", "b": "running"}
    assert probe.log == ["+a", "+b", "+c", "!d", "-c", "-b", "-a"]


async def test_start_children_keeps_the_order_of_the_list(probe: Probe) -> None:
    """A batch starts side by side; its order is that of the list, and the stop is the reverse."""
    async with opened(Supervisor("bot", probe.children("z"))) as runtime:
        refs = await runtime.start_children("/bot", probe.children("c a b"))
        paths = [ref.path for ref in refs]

    assert paths == ["/bot/c", "/bot/a", "/bot/b"]
    assert sorted(probe.log[:4]) == ["+a", "+b", "+c", "+z"]
    assert probe.log[4:] == ["-b", "-a", "-c", "-z"]


@pytest.mark.parametrize("names", ["b a", "b c b"])
async def test_start_children_refuses_a_taken_name_before_anything_starts(probe: Probe, names: str) -> None:
    """A name that is taken, or twice in the batch, is refused as a whole."""
    async with opened(Supervisor("bot", probe.children("a"))) as runtime:
        refusal = await attempt(lambda: runtime.start_children("/bot", probe.children(names)))
        seen = states(runtime)

    assert isinstance(refusal, (ChildStateError, ValueError))
    assert seen == {"a": "running"}
    assert probe.log == ["+a", "-a"]


async def test_start_child_under_an_unknown_parent_is_refused(probe: Probe) -> None:
    """Only a supervisor that is there can be a parent."""
    async with opened(Supervisor("bot", probe.children("a"))) as runtime:
        unknown = await attempt(lambda: runtime.start_child("/bot/nobody", probe.child("b")))
        childless = await attempt(lambda: runtime.start_child("/bot/a", probe.child("b")))

    assert isinstance(unknown, UnknownPathError)
    assert isinstance(childless, Exception)
    assert probe.log == ["+a", "-a"]
