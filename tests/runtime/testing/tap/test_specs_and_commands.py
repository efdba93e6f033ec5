"""Specs and operators' commands are recorded always; and who has no tap, pays nothing."""

import pytest
from trio.testing import MockClock

from duenna import Backoff, Mailbox, Runtime, Supervisor
from duenna._cell import Cell
from duenna._dispatcher import Dispatcher
from duenna._manager import Manager
from duenna._node import Node
from duenna.context import Context
from duenna.errors import ChildStateError
from tests.runtime.messaging.support import Puppet, bot, child, crash, settle

from .support import Entry, tapped

both = pytest.mark.parametrize("messages", [False, True])


@both
async def test_every_child_has_a_spec_record(autojump_clock: MockClock, messages: bool) -> None:
    """Parents before children, in start order, before anything else."""
    box = Mailbox(7, "drop_oldest")
    inner = Supervisor("inner", [child("b", Puppet, mailbox=box, shutdown=float("inf"))], strategy="one_for_all")
    async with tapped(child("a", Puppet), inner, messages=messages) as (_, book):
        pass

    assert [(entry.kind, entry.path) for entry in book.entries[:4]] == [
        ("spec", "/bot"),
        ("spec", "/bot/a"),
        ("spec", "/bot/inner"),
        ("spec", "/bot/inner/b"),
    ]
    assert book.of("spec")[0].fields["children"] == ["a", "inner"]
    assert book.of("spec")[2].fields["strategy"] == "one_for_all"
    assert book.of("spec")[3].fields == {
        "role": "worker",
        "restart": "permanent",
        "significant": False,
        "max_failures": None,
        "on_give_up": "escalate",
        "unpark_after": 300.0,
        "reset_after": 60.0,
        "max_backoff": 0.0,
        "shutdown": None,
        "drain": 0.0,
        "start_timeout": 30.0,
        "capacity": 7,
        "overflow": "drop_oldest",
        "is_reconnecting": False,
    }


@pytest.mark.parametrize(
    ("backoff", "longest"),
    [
        (Backoff.none(), 0.0),
        (Backoff.steps(1, 5, 2), 5.0),
        (Backoff.exponential(1.0, maximum=9.0), 9.0),
        (Backoff(initial=1.0), None),
    ],
)
async def test_a_spec_record_says_how_long_a_restart_may_take(
    autojump_clock: MockClock, backoff: Backoff, longest: float | None
) -> None:
    async with tapped(child("a", Puppet, backoff=backoff)) as (_, book):
        pass

    assert book.of("spec")[1].fields["max_backoff"] == longest


@both
async def test_children_that_are_added_later_are_tapped_too(autojump_clock: MockClock, messages: bool) -> None:
    """Also those of a supervisor that is added, and of one that was restarted."""
    async with tapped(Supervisor("inner"), messages=messages) as (runtime, book):
        await runtime.start_child("/bot/inner", Supervisor("deep", [child("a", Puppet)]))
        await runtime.restart_child("/bot/inner")
        await runtime.start_child("/bot/inner", child("b", Puppet))
        runtime.ref("/bot/inner/b").tell(crash())
        await settle()

    assert [(entry.kind, entry.path) for entry in book.of("spec", "command")][2:] == [
        ("command", "/bot/inner/deep"),
        ("spec", "/bot/inner/deep"),
        ("spec", "/bot/inner/deep/a"),
        ("command", "/bot/inner"),
        ("command", "/bot/inner/b"),
        ("spec", "/bot/inner/b"),
    ]
    assert len(book.of("sent")) == messages


async def test_a_command_is_recorded_with_its_verb(autojump_clock: MockClock) -> None:
    """Refused or not."""
    async with tapped(child("a", Puppet)) as (runtime, book):
        with pytest.raises(ChildStateError):
            await runtime.delete_child("/bot/a")
        await runtime.suspend("/bot/a")
        await runtime.resume("/bot/a")
        await runtime.restart_child("/bot/a")
        await runtime.stop_child("/bot/a")
        await runtime.delete_child("/bot/a")

    assert book.of("command") == [
        Entry("command", "/bot/a", incarnation, {"verb": verb})
        for incarnation, verb in [
            (1, "delete_child"),
            (1, "suspend"),
            (1, "resume"),
            (1, "restart_child"),
            (2, "stop_child"),
            (2, "delete_child"),
        ]
    ]


async def test_a_runtime_without_a_tap_has_only_the_kernels_own_classes(autojump_clock: MockClock) -> None:
    """The tap is in the objects of one runtime, not in the kernel: beside it, and after it, all is plain."""
    plain = [Node, Cell, Dispatcher, Manager, Context]
    async with tapped(child("a", Puppet)), bot(child("a", Puppet)) as runtime:
        beside = classes_of(runtime)
    async with bot(child("a", Puppet)) as runtime:
        after = classes_of(runtime)

    assert beside == plain
    assert after == plain


async def test_with_specs_alone_messages_are_not_touched(autojump_clock: MockClock) -> None:
    """No class of a cell, a dispatcher or a context is changed, so no message costs more."""
    async with tapped(child("a", Puppet), messages=False) as (runtime, book):
        runtime.ref("/bot/a").tell(lambda _: None)
        await settle()
        kinds = classes_of(runtime)

    assert kinds[1:3] == [Cell, Dispatcher]
    assert kinds[4] is Context
    assert {entry.kind for entry in book.entries} == {"spec", "errors_begin", "errors_end"}


async def test_nothing_is_recorded_after_the_end(autojump_clock: MockClock) -> None:
    async with tapped(child("a", Puppet)) as (runtime, book):
        ref = runtime.ref("/bot/a")
    before = len(book.entries)

    ref.tell("too late")

    assert len(book.entries) == before


def classes_of(runtime: Runtime) -> list[type]:
    """Give the classes of what handles a message."""
    root = runtime.roots[-1]
    cell = root.children["a"]
    return [type(root), type(cell), type(root.dispatcher), type(root.manager), type(cell.context)]
