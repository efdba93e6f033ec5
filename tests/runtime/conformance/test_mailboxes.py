"""Mailboxes under supervision (C87 to C89)."""

from typing import Any

import pytest
import trio

from duenna import (
    Actor,
    Backoff,
    Child,
    Down,
    Mailbox,
    MailboxFullError,
    MessageDropped,
    Supervisor,
)

from .probe import NOW, BoomError, Probe
from .support import node, opened, servant, settle, watching


async def test_c87_mailbox_survives_a_restart_and_the_poison_does_not() -> None:
    """What waits is served by the next incarnation, in order; the message that crashed it is gone."""
    log: list[object] = []

    async with opened(Supervisor("bot", [servant(log, backoff=Backoff.steps(10))])) as runtime:
        ref = runtime.ref("/bot/a")
        for message in ("one", "crash", "two", "three"):
            ref.tell(message)
        await trio.sleep(5)
        ref.tell("four")
        before = list(log)
        await trio.sleep(10)
        seen = node(runtime, "/bot/a")

    assert before == ["one"]
    assert log == ["one", "two", "three", "four"]
    assert seen is not None
    assert seen.incarnation == 2


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_c87_mailbox_survives_a_group_restart(strategy: Any) -> None:
    """A bystander's mailbox is kept too."""
    log: list[object] = []
    tree = Supervisor("bot", [servant([], "a", backoff=Backoff.steps(10)), servant(log, "b")], strategy=strategy)

    async with opened(tree) as runtime:
        runtime.ref("/bot/a").tell("crash")
        await trio.sleep(5)
        runtime.ref("/bot/b").tell("meanwhile")
        before = list(log)
        await trio.sleep(10)

    assert before == []
    assert log == ["meanwhile"]


async def test_c87_mailbox_of_a_function_survives_its_restart(probe: Probe) -> None:
    """What a function has not taken is there for its successor."""
    log: list[object] = []

    async def taker(context: Any) -> None:
        async for message in context.messages():
            log.append(message)
            if message == "crash":
                raise BoomError

    async with opened(Supervisor("bot", [Child("t", taker, backoff=NOW), probe.child("a")])) as runtime:
        for message in ("one", "crash", "two"):
            runtime.ref("/bot/t").tell(message)
        await settle()

    assert log == ["one", "crash", "two"]


async def test_c87_messages_of_a_stopped_child_are_dead_letters() -> None:
    """An operator's stop ends the mailbox: what is in it and what comes later is counted."""
    log: list[object] = []

    async with opened(Supervisor("bot", [servant(log)])) as runtime:
        ref = runtime.ref("/bot/a")
        for message in (100.0, "one", "two"):
            ref.tell(message)
        await settle()
        await runtime.stop_child("/bot/a")
        left = runtime.dead_letters
        ref.tell("three")
        later = runtime.dead_letters
        await runtime.restart_child("/bot/a")
        await settle()

    assert (left, later) == (2, 3)
    assert log == []


async def test_c88_full_mailbox_follows_its_rule() -> None:
    """fail, drop_newest, drop_oldest, latest(key): each drop is counted and visible."""
    logs: dict[str, list[object]] = {"fail": [], "drop_newest": [], "drop_oldest": [], "latest": []}
    boxes = {
        "fail": Mailbox(capacity=2, overflow="fail"),
        "drop_newest": Mailbox(capacity=2, overflow="drop_newest"),
        "drop_oldest": Mailbox(capacity=2, overflow="drop_oldest"),
        "latest": Mailbox.latest(key=lambda message: str(message)[0], capacity=2),
    }
    children = [servant(logs[name], name, mailbox=box) for name, box in boxes.items()]

    async with opened(Supervisor("bot", children)) as runtime:
        refused: list[str] = []
        async with watching(runtime, MessageDropped) as seen:
            for name in boxes:
                await runtime.suspend(f"/bot/{name}")
                for message in ("a1", "b1", "a2", "c1"):
                    try:
                        runtime.ref(f"/bot/{name}").tell(message)
                    except MailboxFullError:
                        refused.append(f"{name} {message}")
                await runtime.resume(f"/bot/{name}")
            await settle()
        drops = {name: found.mailbox.dropped for name in boxes if (found := node(runtime, f"/bot/{name}"))}

    assert refused == ["fail a2", "fail c1"]
    assert logs["fail"] == ["a1", "b1"]
    assert logs["drop_newest"] == ["a1", "b1"]
    assert logs["drop_oldest"] == ["a2", "c1"]
    assert logs["latest"] in (["a2", "c1"], ["b1", "c1"])
    assert (drops["drop_newest"], drops["drop_oldest"]) == (2, 2)
    assert {event.path for event in seen} >= {"/bot/drop_newest", "/bot/drop_oldest"}


async def test_c88_send_waits_for_room() -> None:
    """The blocking rule is `send`'s."""
    log: list[object] = []

    async with opened(Supervisor("bot", [servant(log, mailbox=Mailbox(capacity=1))])) as runtime:
        ref = runtime.ref("/bot/a")
        ref.tell(3.0)
        await settle()
        ref.tell("one")
        await ref.send("two")
        sent = trio.current_time()
        await settle()

    assert sent == 3
    assert log == [3.0, "one", "two"]


@pytest.mark.parametrize("operation", ["stop_child", "restart_child", "suspend"])
async def test_c89_control_passes_a_full_mailbox(operation: str) -> None:
    """Stop, restart and status never queue behind messages."""
    log: list[object] = []

    async with opened(Supervisor("bot", [servant(log, mailbox=Mailbox(capacity=2))])) as runtime:
        ref = runtime.ref("/bot/a")
        ref.tell(1000.0)
        await settle()
        ref.tell("one")
        ref.tell("two")
        depth = [found.mailbox.depth for found in [node(runtime, "/bot/a")] if found]
        await getattr(runtime, operation)("/bot/a")
        answered = trio.current_time()

    assert depth == [2]
    assert answered == 0


async def test_c89_down_passes_a_full_mailbox(probe: Probe) -> None:
    """A death notice is never lost for want of room."""
    got: list[object] = []

    class Watcher(Actor):
        async def receive(self, message: object) -> None:
            if message == "watch":
                self.context.watch("/bot/a")
                await trio.sleep(10)
            elif isinstance(message, Down):
                got.append(message.path)

    tree = Supervisor("bot", [probe.child("a"), Child("w", Watcher, mailbox=Mailbox(capacity=1))])

    async with opened(tree) as runtime:
        runtime.ref("/bot/w").tell("watch")
        await settle()
        runtime.ref("/bot/w").tell("filler")
        probe.crash("a")
        await trio.sleep(20)

    assert got == ["/bot/a"]
