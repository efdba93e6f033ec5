"""Suspend holds the mailbox; resume lets it go."""

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from duenna import (
    Actor,
    Backoff,
    ChildResumed,
    ChildStateError,
    ChildSuspended,
    Context,
    Mailbox,
    MailboxFullError,
    Supervisor,
    UnknownPathError,
)

from .support import AsyncPuppet, Puppet, Recorder, bot, caught, child, nap, node, settle, timed


async def test_suspended_actor_keeps_its_messages(autojump_clock: MockClock) -> None:
    """Messages told while suspended wait, and come in order at the resume."""
    got: list[int] = []
    async with bot(child("a", lambda: Recorder(got))) as runtime:
        await runtime.suspend("/bot/a")
        for number in range(3):
            runtime.ref("/bot/a").tell(number)
        await trio.sleep(10)
        before = list(got)

        await runtime.resume("/bot/a")
        await settle()

    assert (before, got) == ([], [0, 1, 2])


async def test_suspension_is_visible(autojump_clock: MockClock) -> None:
    """The tree says "suspended" while a running child is, and the flag goes with it."""
    async with bot(child("a", Puppet)) as runtime:
        await runtime.suspend("/bot/a")
        held = node(runtime, "/bot/a")
        await runtime.resume("/bot/a")
        free = node(runtime, "/bot/a")

    assert (held.state, held.suspended) == ("suspended", True)
    assert (free.state, free.suspended) == ("running", False)


async def test_suspend_and_resume_are_events(autojump_clock: MockClock) -> None:
    """Each is one event."""
    async with bot(child("a", Puppet)) as runtime:
        with runtime.events(ChildSuspended, ChildResumed) as stream:
            await runtime.suspend("/bot/a")
            await runtime.resume("/bot/a")
            events = await caught(stream)

    assert [(type(event), event.path) for event in events] == [(ChildSuspended, "/bot/a"), (ChildResumed, "/bot/a")]


async def test_message_under_way_is_finished(autojump_clock: MockClock) -> None:
    """Suspending does not interrupt the handler that runs; it holds the next message."""
    done: list[float] = []

    async def work(_: Actor) -> None:
        await trio.sleep(2)
        done.append(trio.current_time())

    async with bot(child("a", AsyncPuppet)) as runtime:
        runtime.ref("/bot/a").tell(work)
        runtime.ref("/bot/a").tell(work)
        await settle()
        await runtime.suspend("/bot/a")
        await trio.sleep(10)
        held = list(done)
        await runtime.resume("/bot/a")
        await trio.sleep(5)

    assert (held, done) == ([2.0], [2.0, 12.0])


async def test_run_goes_on_and_may_wait_for_the_resume(autojump_clock: MockClock) -> None:
    """`run` is not stopped: it asks `is_suspended`, and `resumed()` waits for the resume."""
    log: list[tuple[str, float]] = []

    @attrs.define
    class Poller(Actor):
        async def run(self) -> None:
            while True:
                await trio.sleep(1)
                if self.context.is_suspended:
                    log.append(("held", trio.current_time()))
                    await self.context.resumed()
                    log.append(("resumed", trio.current_time()))

    async with bot(child("a", Poller)) as runtime:
        await runtime.suspend("/bot/a")
        await trio.sleep(4)
        await runtime.resume("/bot/a")
        await settle()

    assert log == [("held", 1.0), ("resumed", 4.0)]


async def test_resumed_returns_at_once_when_not_suspended(autojump_clock: MockClock) -> None:
    """`await context.resumed()` does not wait for an actor that is not suspended."""
    times: list[float] = []

    async def poll(context: Context) -> None:
        await context.resumed()
        times.append(trio.current_time())
        await trio.sleep_forever()

    async with bot(child("a", poll)):
        await trio.sleep(1)

    assert times == [0.0]


async def test_function_actor_gets_no_messages_while_suspended(autojump_clock: MockClock) -> None:
    """`messages()` holds back too."""
    got: list[Any] = []

    async def serve(context: Context) -> None:
        async for message in context.messages():
            got.append((message, trio.current_time()))  # noqa: PERF401

    async with bot(child("a", serve)) as runtime:
        await settle()
        await runtime.suspend("/bot/a")
        runtime.ref("/bot/a").tell("held")
        await trio.sleep(3)
        await runtime.resume("/bot/a")
        await settle()

    assert got == [("held", 3.0)]


async def test_suspended_mailbox_overflows_by_its_rule(autojump_clock: MockClock) -> None:
    """A suspended actor's mailbox is as bounded as any."""
    async with bot(child("a", lambda: Recorder([]), mailbox=Mailbox(capacity=1))) as runtime:
        await runtime.suspend("/bot/a")
        runtime.ref("/bot/a").tell(1)

        with pytest.raises(MailboxFullError):
            runtime.ref("/bot/a").tell(2)


async def test_suspended_actor_can_be_stopped(autojump_clock: MockClock) -> None:
    """Stop passes a held mailbox; what waited there is dead letters."""
    async with bot(child("a", lambda: Recorder([]))) as runtime:
        await runtime.suspend("/bot/a")
        runtime.ref("/bot/a").tell(1)

        _, took = await timed(runtime.stop_child("/bot/a"))

        assert took == 0.0
        assert (node(runtime, "/bot/a").state, runtime.dead_letters) == ("stopped", 1)


async def test_suspending_one_does_not_hold_another(autojump_clock: MockClock) -> None:
    """A suspended cell does not stop its supervisor's dispatcher."""
    got: list[int] = []
    async with bot(child("a", Puppet), child("b", lambda: Recorder(got))) as runtime:
        await runtime.suspend("/bot/a")
        runtime.ref("/bot/a").tell(lambda _: None)
        runtime.ref("/bot/b").tell(1)
        await settle()

    assert got == [1]


async def test_suspend_of_what_does_not_run_is_refused(autojump_clock: MockClock) -> None:
    """A stopped child has nothing to suspend: `ChildStateError`, which names the state and the operation."""
    async with bot(child("a", Puppet)) as runtime:
        await runtime.stop_child("/bot/a")

        with pytest.raises(ChildStateError, match=r"(?=.*/bot/a)(?=.*stopped)(?=.*suspend)") as refused:
            await runtime.suspend("/bot/a")

    assert (refused.value.path, refused.value.state, refused.value.operation) == ("/bot/a", "stopped", "suspend")


@pytest.mark.parametrize("operation", ["suspend", "resume"])
async def test_unknown_path_is_refused(autojump_clock: MockClock, operation: str) -> None:
    """There is no such child: `UnknownPathError`."""
    async with bot(child("a", Puppet)) as runtime:
        with pytest.raises(UnknownPathError, match=r"/bot/nobody"):
            await getattr(runtime, operation)("/bot/nobody")


async def test_suspending_twice_needs_one_resume(autojump_clock: MockClock) -> None:
    """Double use: suspension is a state, not a count."""
    got: list[int] = []
    async with bot(child("a", lambda: Recorder(got))) as runtime:
        for _ in range(2):
            try:
                await runtime.suspend("/bot/a")
            except ChildStateError:
                continue
        runtime.ref("/bot/a").tell(1)
        await runtime.resume("/bot/a")
        await settle()

    assert got == [1]


async def test_inline_ask_does_not_pass_a_suspension(autojump_clock: MockClock) -> None:
    """An idle suspended actor with a sync handler is not served inline."""
    got: list[Any] = []
    async with bot(child("a", lambda: Recorder(got)), child("b", AsyncPuppet)) as runtime:
        await runtime.suspend("/bot/a")
        with trio.move_on_after(3):
            await runtime.ref("/bot/a").ask("question", timeout=60)
        await runtime.ref("/bot/b").ask(nap(1))

        assert got == []


async def test_suspension_outlives_a_restart(autojump_clock: MockClock) -> None:
    """An operator's suspension is his to end: a crash of the body, and the restart after it, do not."""
    got: list[Any] = []

    @attrs.define
    class Fragile(Actor):
        async def run(self) -> None:
            await trio.sleep(1 if self.context.incarnation == 1 else 1_000)
            raise ValueError

        def receive(self, message: object) -> None:
            got.append(message)

    async with bot(child("a", Fragile, backoff=Backoff.none())) as runtime:
        await runtime.suspend("/bot/a")
        runtime.ref("/bot/a").tell("held")
        await trio.sleep(5)
        restarted, held = node(runtime, "/bot/a"), list(got)
        await runtime.resume("/bot/a")
        await settle()

    assert (restarted.incarnation, restarted.suspended, held) == (2, True, [])
    assert got == ["held"]


async def test_suspending_a_supervisor_holds_all_below_it(autojump_clock: MockClock) -> None:
    """`suspend` of a supervisor suspends its children, and theirs; `resume` lets them all go."""
    got: list[Any] = []
    sub = Supervisor(
        "sub", [child("a", lambda: Recorder(got)), Supervisor("deep", [child("b", lambda: Recorder(got))])]
    )
    async with bot(sub, child("c", lambda: Recorder(got))) as runtime:
        await runtime.suspend("/bot/sub")
        for path in ("/bot/sub/a", "/bot/sub/deep/b", "/bot/c"):
            runtime.ref(path).tell(path)
        await settle()
        held = list(got)
        await runtime.resume("/bot/sub")
        await settle()

    assert held == ["/bot/c"]
    assert sorted(got) == ["/bot/c", "/bot/sub/a", "/bot/sub/deep/b"]
