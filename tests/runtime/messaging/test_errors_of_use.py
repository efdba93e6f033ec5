"""Errors of use: raised when the spec is made or at the call; the message names the thing, the value and the rule."""

import math
import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from duenna import Actor, Backoff, Child, ChildStateError, Mailbox, Supervisor, UnknownPathError, open_runtime

from .support import AsyncPuppet, Puppet, Recorder, bot, child, node

# Type checkers would refuse what these tests do wrong on purpose.
AnyChild: Any = Child
AnySupervisor: Any = Supervisor
AnyMailbox: Any = Mailbox
AnyBackoff: Any = Backoff


async def generator(_: object) -> AsyncIterator[int]:
    yield 1


BAD_SPECS: list[tuple[str, Callable[[], object], type[Exception], list[str]]] = [
    ("instance", lambda: AnyChild("a", Puppet()), TypeError, ["a", "Puppet", "factory"]),
    ("no callable", lambda: AnyChild("a", 7), TypeError, ["7"]),
    ("none", lambda: AnyChild("a", None), TypeError, ["None"]),
    ("other class", lambda: AnyChild("a", dict), TypeError, ["dict", "Actor"]),
    ("generator", lambda: AnyChild("a", generator), TypeError, ["generator"]),
    ("empty name", lambda: AnyChild("", Puppet), ValueError, ["name", "''"]),
    ("slash", lambda: AnyChild("a/b", Puppet), ValueError, ["name", "a/b", "/"]),
    ("dot", lambda: AnyChild(".", Puppet), ValueError, ["name", "."]),
    ("dots", lambda: AnyChild("..", Puppet), ValueError, ["name", ".."]),
    ("name type", lambda: AnyChild(7, Puppet), TypeError, ["name", "7"]),
    ("restart", lambda: AnyChild("a", Puppet, restart="always"), ValueError, ["restart", "always", "permanent"]),
    ("shutdown", lambda: AnyChild("a", Puppet, shutdown=-1.0), ValueError, ["shutdown", "-1.0", "0"]),
    ("shutdown nan", lambda: AnyChild("a", Puppet, shutdown=math.nan), ValueError, ["shutdown", "nan"]),
    ("drain", lambda: AnyChild("a", Puppet, drain=-0.5), ValueError, ["drain", "-0.5", "0"]),
    ("start_timeout", lambda: AnyChild("a", Puppet, start_timeout=0.0), ValueError, ["start_timeout", "0"]),
    ("reset_after", lambda: AnyChild("a", Puppet, reset_after=-1.0), ValueError, ["reset_after", "-1.0"]),
    ("unpark_after", lambda: AnyChild("a", Puppet, unpark_after=-1.0), ValueError, ["unpark_after", "-1.0"]),
    ("max_failures", lambda: AnyChild("a", Puppet, max_failures=-1), ValueError, ["max_failures", "-1"]),
    ("on_give_up", lambda: AnyChild("a", Puppet, on_give_up="cry"), ValueError, ["on_give_up", "cry", "park"]),
    ("ready", lambda: AnyChild("a", Puppet, ready="maybe"), ValueError, ["ready", "maybe", "manual"]),
    ("significant", lambda: AnyChild("a", Puppet, significant=True), ValueError, ["significant", "permanent"]),
    ("backoff type", lambda: AnyChild("a", Puppet, backoff=5.0), TypeError, ["backoff", "5.0"]),
    ("mailbox type", lambda: AnyChild("a", Puppet, mailbox=10), TypeError, ["mailbox", "10"]),
    ("time type", lambda: AnyChild("a", Puppet, shutdown="5"), TypeError, ["shutdown", "'5'"]),
    ("duplicate", lambda: AnySupervisor("s", [child("a", Puppet), child("a", Puppet)]), ValueError, ["s", "a"]),
    ("no child", lambda: AnySupervisor("s", [Puppet]), TypeError, ["Puppet", "Child"]),
    ("strategy", lambda: AnySupervisor("s", strategy="all"), ValueError, ["strategy", "all", "one_for_all"]),
    ("intensity", lambda: AnySupervisor("s", intensity=-1), ValueError, ["intensity", "-1", "0"]),
    ("period", lambda: AnySupervisor("s", period=0.0), ValueError, ["period", "0"]),
    ("period nan", lambda: AnySupervisor("s", period=math.nan), ValueError, ["period", "nan"]),
    (
        "auto_shutdown",
        lambda: AnySupervisor("s", auto_shutdown="maybe"),
        ValueError,
        ["auto_shutdown", "maybe", "never"],
    ),
    (
        "significant under never",
        lambda: AnySupervisor("s", [child("a", Puppet, restart="transient", significant=True)]),
        ValueError,
        ["a", "significant", "never"],
    ),
    ("supervisor significant", lambda: AnySupervisor("s", significant=True), ValueError, ["significant", "permanent"]),
    ("capacity", lambda: AnyMailbox(capacity=0), ValueError, ["capacity", "0", "1"]),
    ("capacity type", lambda: AnyMailbox(capacity=1.5), TypeError, ["capacity", "1.5"]),
    ("overflow", lambda: AnyMailbox(overflow="block"), ValueError, ["overflow", "block", "drop_oldest"]),
    ("key", lambda: AnyMailbox.latest(key="symbol"), TypeError, ["key", "symbol"]),
    ("no steps", AnyBackoff.steps, ValueError, ["steps"]),
    ("negative step", lambda: AnyBackoff.steps(1, -2), ValueError, ["-2"]),
    ("initial", lambda: AnyBackoff.exponential(-1.0), ValueError, ["initial", "-1.0"]),
    ("factor", lambda: AnyBackoff.exponential(1.0, factor=0.5), ValueError, ["factor", "0.5"]),
    ("maximum", lambda: AnyBackoff.exponential(5.0, maximum=1.0), ValueError, ["maximum", "1.0", "5.0"]),
    ("jitter", lambda: AnyBackoff.exponential(1.0, jitter="some"), ValueError, ["jitter", "some", "equal"]),
]


@pytest.mark.parametrize(("make", "error", "parts"), [pytest.param(*case[1:], id=case[0]) for case in BAD_SPECS])
def test_bad_spec_is_refused_when_it_is_made(
    make: Callable[[], object], error: type[Exception], parts: list[str]
) -> None:
    """Specs are validated when made: TypeError or ValueError, and a message to act on."""
    with pytest.raises(error) as refused:
        make()

    assert [part for part in parts if part not in str(refused.value)] == []


def test_message_of_use_errors_follows_the_house_style() -> None:
    """Lower case, no full stop."""
    for name, make, error, _ in BAD_SPECS:
        with pytest.raises(error) as refused:
            make()
        assert not str(refused.value).endswith("."), name


def test_specs_are_frozen() -> None:
    """A spec cannot be changed after its validation."""
    for spec, field in ((Child("a", Puppet), "name"), (Supervisor("s"), "strategy"), (Mailbox(), "capacity")):
        with pytest.raises(AttributeError):
            setattr(spec, field, "other")


def test_edges_are_allowed() -> None:
    """0 and infinity are times like others where the rule says >= 0."""
    Child("a", Puppet, shutdown=0.0, drain=0.0, reset_after=0.0, max_failures=0, unpark_after=0.0)
    Child("a", Puppet, shutdown=math.inf, start_timeout=math.inf, drain=math.inf, reset_after=math.inf)
    Supervisor("s", intensity=0, period=math.inf)
    Mailbox(capacity=1)
    Backoff.exponential(0.0)


@pytest.mark.parametrize("path", ["", "/", "bot", "/bot/nobody", "/nobody", "/bot/a/below", "//bot", "/bot/"])
async def test_unknown_path_is_refused_by_every_operation(autojump_clock: MockClock, path: str) -> None:
    """An unknown path raises `UnknownPathError` with the path, whatever the operation."""
    async with bot(child("a", Puppet)) as runtime:
        operations: list[Callable[[], Any]] = [
            lambda: runtime.stop_child(path),
            lambda: runtime.restart_child(path),
            lambda: runtime.delete_child(path),
            lambda: runtime.suspend(path),
            lambda: runtime.resume(path),
            lambda: runtime.start_child(path, child("b", Puppet)),
            lambda: runtime.start_children(path, [child("b", Puppet)]),
        ]
        with pytest.raises(UnknownPathError):
            runtime.ref(path)
        with pytest.raises(UnknownPathError):
            runtime.tree(path)
        for operation in operations:
            with pytest.raises(UnknownPathError) as refused:
                await operation()
            assert refused.value.path == path


@pytest.mark.parametrize("timeout", [-1.0, math.nan])
async def test_ask_with_a_bad_timeout_is_refused(autojump_clock: MockClock, timeout: float) -> None:
    """A timeout is >= 0 seconds; nothing is sent when it is not."""
    got: list[object] = []
    async with bot(child("a", lambda: Recorder(got))) as runtime:
        with pytest.raises(ValueError, match=rf"(?=.*timeout)(?=.*{timeout})"):
            await runtime.ref("/bot/a").ask("question", timeout=timeout)

    assert got == []


@pytest.mark.parametrize(
    ("arm", "parts"),
    [
        pytest.param(lambda context: context.tell_after(-1.0, "x"), ["delay", "-1.0"], id="negative delay"),
        pytest.param(lambda context: context.tell_after(math.nan, "x"), ["delay", "nan"], id="nan delay"),
        pytest.param(lambda context: context.tell_every(0.0, "x"), ["period", "0"], id="zero period"),
        pytest.param(lambda context: context.tell_every(-1.0, "x"), ["period", "-1.0"], id="negative period"),
        pytest.param(lambda context: context.tell_every(math.nan, "x"), ["period", "nan"], id="nan period"),
    ],
)
async def test_timer_with_a_bad_time_is_refused(autojump_clock: MockClock, arm: Any, parts: list[str]) -> None:
    """A delay is >= 0, a period > 0 seconds."""

    def probe(actor: Actor) -> str:
        with pytest.raises(ValueError) as refused:  # noqa: PT011  # the parts are looked up below
            arm(actor.context)
        return str(refused.value)

    async with bot(child("a", Puppet)) as runtime:
        text = await runtime.ref("/bot/a").ask(probe)

    assert [part for part in parts if part not in text] == []


async def test_starting_a_name_that_is_taken_is_refused(autojump_clock: MockClock) -> None:
    """C43, S12: a second child of one name is refused, running or not, and the first goes on."""
    async with bot(child("a", Puppet)) as runtime:
        with pytest.raises((ChildStateError, ValueError), match=r"/bot/a|'a'"):
            await runtime.start_child("/bot", child("a", AsyncPuppet))

        assert node(runtime, "/bot/a").state == "running"
        assert await runtime.ref("/bot/a").ask(lambda _: "still there") == "still there"


async def test_starting_a_child_of_a_worker_is_refused(autojump_clock: MockClock) -> None:
    """Only a supervisor has children: the error names the path."""
    async with bot(child("a", Puppet)) as runtime:
        with pytest.raises((UnknownPathError, ChildStateError, TypeError, ValueError), match=r"/bot/a"):
            await runtime.start_child("/bot/a", child("b", Puppet))


async def test_start_child_without_a_spec_is_refused(autojump_clock: MockClock) -> None:
    """An actor class is no spec."""
    wrong: Any = Puppet
    async with bot(child("a", Puppet)) as runtime:
        with pytest.raises(TypeError, match=r"Child"):
            await runtime.start_child("/bot", wrong)


async def test_duplicate_names_in_bulk_start_nothing(autojump_clock: MockClock) -> None:
    """`start_children` with a name twice is refused before anything starts."""
    async with bot(child("a", Puppet)) as runtime:
        with pytest.raises((ChildStateError, ValueError)):
            await runtime.start_children("/bot", [child("b", Puppet), child("c", Puppet), child("b", Puppet)])

        assert [one.name for one in runtime.tree().children] == ["a"]


async def test_deleting_what_runs_is_refused(autojump_clock: MockClock) -> None:
    """S12: a running child is stopped before it is deleted; the error says what it is and what was asked."""
    async with bot(child("a", Puppet)) as runtime:
        with pytest.raises(ChildStateError, match=r"(?=.*/bot/a)(?=.*running)(?=.*delete)") as refused:
            await runtime.delete_child("/bot/a")

    assert (refused.value.state, refused.value.operation[:6]) == ("running", "delete")


@pytest.mark.parametrize("root", [Child("a", Puppet), Puppet, None, "bot"], ids=["child", "class", "none", "text"])
async def test_root_is_a_supervisor(autojump_clock: MockClock, root: Any) -> None:
    """The tree's root is a `Supervisor`: anything else is a TypeError."""
    with pytest.raises(TypeError, match=r"Supervisor"):
        async with open_runtime(root, log_level=None, watchdog=None):
            pass


async def test_bad_log_level_is_refused(autojump_clock: MockClock) -> None:
    """A log level that loguru does not know is a ValueError that names it."""
    with pytest.raises(ValueError, match=r"LOUD"):
        async with open_runtime(Supervisor("bot"), log_level="LOUD", watchdog=None):
            pass


async def test_bad_watchdog_is_refused(autojump_clock: MockClock) -> None:
    """The watchdog's patience is > 0 seconds, or None."""
    with pytest.raises(ValueError, match=r"(?=.*watchdog)(?=.*-1)"):
        async with open_runtime(Supervisor("bot"), log_level=None, watchdog=-1.0):
            pass


async def test_event_stream_with_a_bad_capacity_is_refused(autojump_clock: MockClock) -> None:
    """A stream holds at least one event; what is asked for must be event types."""
    wrong: Any = Puppet
    async with bot(child("a", Puppet)) as runtime:
        with pytest.raises(ValueError, match=r"(?=.*capacity)(?=.*0)"):
            runtime.events(capacity=0)
        with pytest.raises(TypeError, match=r"Puppet"):
            runtime.events(wrong)


async def test_subscribe_to_what_is_no_type_is_refused(autojump_clock: MockClock) -> None:
    """Subscriptions are to types."""
    wrong: Any = "Price"

    def probe(actor: Actor) -> str:
        with pytest.raises(TypeError, match=r"Price"):
            actor.context.subscribe(wrong)
        return "refused"

    async with bot(child("a", Puppet)) as runtime:
        assert await runtime.ref("/bot/a").ask(probe) == "refused"


@pytest.mark.parametrize(
    ("call", "error", "part"),
    [
        pytest.param(lambda context: context.messages(), RuntimeError, "messages", id="messages of a class"),
        pytest.param(lambda context: context.tell_after(1.0, "x", to="/bot/a"), TypeError, "/bot/a", id="to a path"),
        pytest.param(lambda context: context.tell_every(1.0, "x", to=7), TypeError, "7", id="to a number"),
        pytest.param(lambda context: context.tell_after("1", "x"), TypeError, "'1'", id="delay of text"),
        pytest.param(lambda context: context.watch(7), TypeError, "7", id="watch of a number"),
        pytest.param(lambda context: context.report("text"), TypeError, "text", id="report of text"),
    ],
)
async def test_wrong_call_of_the_context_is_refused(
    autojump_clock: MockClock, call: Any, error: type[Exception], part: str
) -> None:
    """What cannot work is refused where it is called, not when it comes due; the actor may go on."""

    def probe(actor: Actor) -> str:
        with pytest.raises(error) as refused:
            call(actor.context)
        return str(refused.value)

    async with bot(child("a", Puppet)) as runtime:
        text = await runtime.ref("/bot/a").ask(probe)
        await trio.sleep(2)

        assert part in text
        assert node(runtime, "/bot/a").restarts == 0


@pytest.mark.parametrize("wrong", [lambda: None, "text"], ids=["plain function", "text"])
async def test_wrong_background_task_is_an_error_of_the_actor(autojump_clock: MockClock, wrong: Any) -> None:
    """`start_soon` needs an async function: another is refused at the call, or crashes the actor, never the bot."""

    def probe(actor: Actor) -> None:
        with suppress(TypeError):
            actor.context.start_soon(wrong)

    async with bot(child("a", Puppet), child("b", Puppet)) as runtime:
        runtime.ref("/bot/a").tell(probe)
        await trio.sleep(1)

        assert node(runtime, "/bot/a").state == "running"
        assert node(runtime, "/bot/b").restarts == 0


@pytest.mark.parametrize("path", [None, 7, b"/bot/a"], ids=repr)
async def test_path_that_is_no_text_is_refused(autojump_clock: MockClock, path: Any) -> None:
    """A path is text: anything else is refused at the call, with the value."""
    async with bot(child("a", Puppet)) as runtime:
        for operation in (runtime.suspend, runtime.stop_child):
            with pytest.raises((TypeError, UnknownPathError), match=re.escape(repr(path))):
                await operation(path)
        with pytest.raises((TypeError, UnknownPathError), match=re.escape(repr(path))):
            runtime.ref(path)
