"""Boot: who starts when, and what a boot that fails leaves behind (C1 to C10, S1, S2, W5, W12, W15)."""

import math
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio

from duenna import (
    Actor,
    Backoff,
    Child,
    ChildStateError,
    Context,
    StartFailedError,
    Supervisor,
    UnknownPathError,
)

from .probe import NOW, BoomError, Flavour, Probe, Script, attempt, causes, opened, serve, settle, state, states


async def idle(context: Context) -> None:
    """Do nothing for ever."""
    del context
    await trio.sleep_forever()


async def test_c01_children_start_in_the_order_of_the_list(probe: Probe) -> None:
    """The order of the list is the order of the starts, whatever the names."""
    tree = Supervisor("bot", probe.children("c7 c3 c10"))

    async with opened(tree):
        booted = list(probe.log)

    assert booted == ["+c7", "+c3", "+c10"]


async def test_c01_a_child_waits_until_the_one_before_it_is_ready(probe: Probe) -> None:
    """Child k+1 does not begin to start before child k is ready."""
    for name, takes in (("c7", 2), ("c3", 1), ("c10", 3)):
        probe.plan(name, Script(start_takes=takes))
    tree = Supervisor("bot", probe.children("c7 c3 c10"))

    async with opened(tree):
        booted = [(mark.time, mark.sign + mark.name) for mark in probe.marks]

    assert booted == [(0, "~c7"), (2, "+c7"), (2, "~c3"), (3, "+c3"), (3, "~c10"), (6, "+c10")]


async def test_c01_the_body_begins_when_the_whole_tree_is_ready(probe: Probe) -> None:
    """`open_runtime` yields once the last child is ready, and every child then runs."""
    probe.plan("b", Script(start_takes=7))
    tree = Supervisor("bot", [probe.child("a"), Supervisor("sub", [probe.child("b")])])

    async with opened(tree) as runtime:
        began, seen = trio.current_time(), states(runtime)

    assert began == 7
    assert seen == {"a": "running", "sub": "running", "b": "running"}


async def test_c01_a_nested_supervisor_is_ready_when_its_own_boot_is_over(probe: Probe) -> None:
    """W15: a supervisor's children start where it stands in the order, before its later siblings."""
    probe.plan("c", Script(start_takes=5))
    sub = Supervisor("sub", probe.children("b c"))
    tree = Supervisor("bot", [probe.child("a"), sub, probe.child("d")])

    async with opened(tree):
        booted = list(probe.timed)

    assert booted == [(0, "+a"), (0, "+b"), (5, "+c"), (5, "+d")]


async def test_c01_a_supervisor_has_no_start_timeout(probe: Probe) -> None:
    """A supervisor's boot may take longer than any one child's start timeout of 30 s."""
    for name in ("a", "b", "c"):
        probe.plan(name, Script(start_takes=25))
    tree = Supervisor("bot", [Supervisor("sub", probe.children("a b c"))])

    async with opened(tree):
        booted = list(probe.timed)

    assert booted == [(25, "+a"), (50, "+b"), (75, "+c")]


async def test_an_empty_supervisor_boots() -> None:
    """A supervisor without children is ready at once."""
    tree = Supervisor("bot", [Supervisor("sub")])

    async with opened(tree) as runtime:
        seen = states(runtime)

    assert seen == {"sub": "running"}


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
async def test_c02_failed_start_ends_the_boot(probe: Probe, restart: Any) -> None:
    """A failed start stops those that started in reverse and is never tried again, whatever the restart type (S1)."""
    error = BoomError("no")
    probe.plan("c", Script(start_error=error))
    tree = Supervisor("bot", probe.children("a b c d", restart=restart), intensity=100)

    with pytest.raises(StartFailedError) as caught:
        await serve(tree)

    assert probe.log == ["+a", "+b", "!c", "-b", "-a"]
    assert probe.starts["c"] == 1
    assert caught.value.path == "/bot/c"
    assert caught.value.__cause__ is error


async def test_c02_failed_boot_waits_for_no_backoff(probe: Probe) -> None:
    """A boot failure is the supervisor's failure at once: neither backoff nor parking comes in."""
    probe.always("b", Script(start_error=BoomError))
    tree = Supervisor("bot", probe.children("a b", backoff=Backoff.steps(10), max_failures=5, on_give_up="park"))

    with pytest.raises(StartFailedError):
        await serve(tree)

    assert probe.timed == [(0, "+a"), (0, "!b"), (0, "-a")]


async def test_c02_cleanup_of_a_failed_boot_is_sequential(probe: Probe) -> None:
    """Those that started are stopped one after the other, each to its end."""
    for name in ("a", "b"):
        probe.plan(name, Script(stop_takes=2))
    probe.plan("c", Script(start_error=BoomError))
    tree = Supervisor("bot", probe.children("a b c"))

    with pytest.raises(StartFailedError):
        await serve(tree)

    assert probe.timed == [(0, "+a"), (0, "+b"), (0, "!c"), (2, "-b"), (4, "-a")]


async def test_c02_cleanup_that_raises_does_not_hide_the_failed_start(probe: Probe) -> None:
    """The error of a boot is the failed start, even when a child's clean-up raises on the way down."""
    error = BoomError("no")
    probe.plan("b", Script(stop_error=ValueError("cleanup")))
    probe.plan("c", Script(start_error=error))
    tree = Supervisor("bot", probe.children("a b c"))

    with pytest.raises(StartFailedError) as caught:
        await serve(tree)

    assert caught.value.__cause__ is error
    assert probe.log == ["+a", "+b", "!c", "-b", "-a"]


async def test_c02_failed_boot_of_a_nested_supervisor_is_a_start_error_of_its_parent(probe: Probe) -> None:
    """S1: a supervisor whose boot fails has failed to start, so its parent's boot fails with it."""
    error = BoomError("no")
    probe.plan("c", Script(start_error=error))
    sub = Supervisor("sub", probe.children("b c"), intensity=100)
    tree = Supervisor("bot", [probe.child("a"), sub, probe.child("d")], intensity=100)

    with pytest.raises(StartFailedError) as caught:
        await serve(tree)

    assert probe.log == ["+a", "+b", "!c", "-b", "-a"]
    assert causes(caught.value)[-1] is error


async def test_c03_return_before_ready_is_a_failed_start() -> None:
    """A child that returns before it is ready has failed to start; the cause says so."""
    probe = Probe(Flavour.FUNCTION)

    async def hasty(context: Context) -> None:
        del context

    children = [*probe.children("a b"), Child("c", hasty, ready="manual"), probe.child("d")]

    with pytest.raises(StartFailedError) as caught:
        await serve(Supervisor("bot", children))

    assert probe.log == ["+a", "+b", "-b", "-a"]
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert "returned before it was ready" in str(caught.value.__cause__)


async def test_c04_start_that_hangs_is_cancelled_at_its_start_timeout(probe: Probe) -> None:
    """At `start_timeout` the start is cancelled, and the boot fails with TooSlowError as its cause."""
    probe.plan("c", Script(start_takes=math.inf))
    tree = Supervisor("bot", probe.children("a b c d", start_timeout=3))

    with pytest.raises(StartFailedError) as caught:
        await serve(tree)

    assert probe.timed == [(0, "+a"), (0, "+b"), (3, "!c"), (3, "-b"), (3, "-a")]
    assert isinstance(caught.value.__cause__, trio.TooSlowError)


async def test_c04_the_default_start_timeout_is_thirty_seconds(probe: Probe) -> None:
    """A child has 30 s to become ready."""
    probe.plan("a", Script(start_takes=math.inf))

    with pytest.raises(StartFailedError):
        await serve(Supervisor("bot", probe.children("a")))

    assert probe.timed == [(30, "!a")]


async def test_c04_start_timeout_ends_with_readiness(probe: Probe) -> None:
    """Once ready, a child may run for longer than its start timeout."""
    probe.plan("a", Script(start_takes=2))
    tree = Supervisor("bot", probe.children("a", start_timeout=3), intensity=0)

    await serve(tree, 100)

    assert probe.timed == [(2, "+a"), (102, "-a")]


async def test_c04_infinite_start_timeout_waits(probe: Probe) -> None:
    """`start_timeout=inf` never cuts a start."""
    probe.plan("a", Script(start_takes=100_000))

    await serve(Supervisor("bot", probe.children("a", start_timeout=math.inf)), 1)

    assert probe.log == ["+a", "-a"]


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


def test_c07_duplicate_name_is_refused() -> None:
    """Two children of one name are refused when the supervisor is made."""
    children = [Child("a", idle), Child("b", idle), Child("a", idle)]

    with pytest.raises(ValueError, match=r"'a'"):
        Supervisor("bot", children)


def test_c07_supervisor_and_child_share_one_set_of_names() -> None:
    """A sub-supervisor's name counts like any other child's."""
    children: list[Child | Supervisor] = [Child("a", idle), Supervisor("a")]

    with pytest.raises(ValueError, match=r"'a'"):
        Supervisor("bot", children)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Child("a", idle, restart="sometimes"), ValueError),
        (lambda: Child("a", idle, shutdown=-1.0), ValueError),
        (lambda: Child("a", idle, shutdown=math.nan), ValueError),
        (lambda: Child("a", idle, drain=-1.0), ValueError),
        (lambda: Child("a", idle, start_timeout=-1.0), ValueError),
        (lambda: Child("a", idle, start_timeout=0.0), ValueError),
        (lambda: Child("a", idle, reset_after=-1.0), ValueError),
        (lambda: Child("a", idle, unpark_after=-1.0), ValueError),
        (lambda: Child("a", idle, max_failures=-1), ValueError),
        (lambda: Child("a", idle, on_give_up="cry"), ValueError),
        (lambda: Child("a", idle, ready="soon"), ValueError),
        (lambda: Child("a", idle, significant=True), ValueError),
        (lambda: Child("a", idle, significant=True, restart="permanent"), ValueError),
        (lambda: Child("a", 5), TypeError),  # type: ignore[arg-type]
        (lambda: Child("", idle), ValueError),
        (lambda: Child("a/b", idle), ValueError),
        (lambda: Child("..", idle), ValueError),
        (lambda: Child(5, idle), TypeError),  # type: ignore[arg-type]
        (lambda: Child("a", Actor()), TypeError),  # type: ignore[arg-type]
        (lambda: Supervisor("s", strategy="one_for_none"), ValueError),
        (lambda: Supervisor("s", intensity=-1), ValueError),
        (lambda: Supervisor("s", period=0.0), ValueError),
        (lambda: Supervisor("s", period=math.nan), ValueError),
        (lambda: Supervisor("s", auto_shutdown="some"), ValueError),
        (lambda: Supervisor("s", significant=True), ValueError),
        (lambda: Supervisor("s", [Child("a", idle, significant=True, restart="transient")]), ValueError),
        (lambda: Supervisor("s", [Supervisor("t", significant=True, restart="transient")]), ValueError),
        (lambda: Supervisor("s", [idle]), TypeError),  # type: ignore[list-item]
        (lambda: Supervisor("s", [Actor()]), TypeError),  # type: ignore[list-item]
        (Backoff.steps, ValueError),
        (lambda: Backoff.steps(1, -1), ValueError),
        (lambda: Backoff.exponential(1.0, jitter="some"), ValueError),
        (lambda: Backoff.exponential(-1.0), ValueError),
    ],
)
def test_c08_bad_spec_is_refused_when_it_is_made(make: Callable[[], object], error: type[Exception]) -> None:
    """Wrong use raises at construction, before anything starts."""
    with pytest.raises(error, match=r".+"):
        make()


@pytest.mark.parametrize("restart", ["transient", "temporary"])
@pytest.mark.parametrize("rule", ["any", "all"])
def test_c08_significant_child_needs_an_auto_shutdown(restart: Any, rule: Any) -> None:
    """A significant transient or temporary child is allowed under `any` and `all`."""
    child = Child("a", idle, significant=True, restart=restart)

    tree = Supervisor("s", [child], auto_shutdown=rule)

    assert tree.auto_shutdown == rule


async def test_c08_significant_is_refused_for_a_dynamic_child_too(probe: Probe) -> None:
    """`start_child` checks what the constructor checks."""
    spec = probe.child("a", significant=True, restart="transient")

    async with opened(Supervisor("bot")) as runtime:
        refusal = await attempt(lambda: runtime.start_child("/bot", spec))
        absent = state(runtime, "/bot/a")

    assert isinstance(refusal, ValueError)
    assert absent == "absent"
    assert probe.log == []


async def test_c10_cancel_during_boot_stops_in_reverse(probe: Probe) -> None:
    """A cancelled boot stops what started, in reverse, and Cancelled passes on."""
    probe.plan("c", Script(start_takes=10))
    tree = Supervisor("bot", probe.children("a b c d"))

    with trio.move_on_after(5) as scope:
        await serve(tree)

    assert scope.cancelled_caught
    assert probe.timed == [(0, "+a"), (0, "+b"), (5, "!c"), (5, "-b"), (5, "-a")]


async def test_c10_cancel_during_boot_lets_cleanup_finish(probe: Probe) -> None:
    """W2: clean-up is shielded from a cancel of the surroundings."""
    for name in ("a", "b"):
        probe.plan(name, Script(stop_takes=2))
    probe.plan("c", Script(start_takes=10))
    tree = Supervisor("bot", probe.children("a b c"))

    with trio.move_on_after(5) as scope:
        await serve(tree)

    assert scope.cancelled_caught
    assert probe.timed == [(0, "+a"), (0, "+b"), (5, "!c"), (7, "-b"), (9, "-a")]


async def test_c10_cancel_before_boot_starts_nothing_that_it_does_not_stop(probe: Probe) -> None:
    """A scope that is cancelled already leaves no child behind."""
    tree = Supervisor("bot", probe.children("a b"))

    with trio.CancelScope() as scope:
        scope.cancel()
        await serve(tree)

    assert scope.cancelled_caught
    assert sum(probe.alive.values()) == 0


async def test_c10_cancel_during_the_boot_of_a_nested_supervisor(probe: Probe) -> None:
    """The reverse order holds across levels."""
    probe.plan("c", Script(start_takes=10))
    sub = Supervisor("sub", probe.children("b c"))
    tree = Supervisor("bot", [probe.child("a"), sub])

    with trio.move_on_after(5) as scope:
        await serve(tree)

    assert scope.cancelled_caught
    assert probe.timed == [(0, "+a"), (0, "+b"), (5, "!c"), (5, "-b"), (5, "-a")]


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


async def test_w12_boot_failure_of_a_deep_tree_is_no_group(probe: Probe) -> None:
    """W12: whatever the depth, the error of a boot is one bare StartFailedError."""
    error = BoomError("deep")
    probe.plan("leaf", Script(start_error=error))
    tree = Supervisor("leaf-parent", probe.children("leaf"))
    for level in range(5):
        tree = Supervisor(f"level{level}", [tree])

    caught = await attempt(lambda: serve(tree))

    assert isinstance(caught, StartFailedError)
    assert causes(caught)[-1] is error


async def test_stop_during_boot_ends_in_reverse() -> None:
    """`runtime.stop()` from a child while a later one still boots: the boot is given up, in reverse order."""
    probe = Probe(Flavour.TASK)
    probe.plan("c", Script(start_takes=10))

    @attrs.define
    class Stopper(Actor):
        async def run(self) -> None:
            await trio.sleep(5)
            await self.context.runtime.stop()

    tree = Supervisor("bot", [Child("stopper", Stopper), *probe.children("a c d")])

    await attempt(lambda: serve(tree, 1))

    assert probe.timed[:3] == [(0, "+a"), (5, "!c"), (5, "-a")]
    assert "+d" not in probe.log
    assert sum(probe.alive.values()) == 0
