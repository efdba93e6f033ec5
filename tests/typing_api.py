"""Typed uses of the public surface: checked by mypy and pyright, never run.

What stands here must go on type-checking in a user's bot; ``assert_type`` pins the answers that are promised.
"""

from __future__ import annotations

from functools import partial
from typing import Any, assert_type

import attrs
import msgspec

import duenna
from duenna import (
    Actor,
    Backoff,
    Child,
    ChildRestarting,
    Connection,
    Context,
    Down,
    Mailbox,
    Ref,
    Reply,
    Runtime,
    StopReport,
    Supervisor,
    Timer,
    TreeNode,
)


class Fill(msgspec.Struct, frozen=True):
    size: float


class HowMany(msgspec.Struct, frozen=True):
    pass


@attrs.define
class Ledger(Actor):
    """A handler may narrow its message and its answer."""

    fills: int = 0

    def started(self) -> None:
        assert_type(self.context, Context)
        assert_type(self.context.ref, Ref)
        self.context.watch("/bot/feed")

    def receive(self, message: Fill | HowMany | Down) -> int | None:
        match message:
            case Fill():
                self.fills += 1
            case HowMany():
                return self.fills
            case Down():
                assert_type(message.path, str)
        return None


class Poller(Actor):
    """Every hook may be async, and an actor need not be an attrs class."""

    async def started(self) -> None:
        assert_type(self.context.tell_every(1.0, Fill(1.0)), Timer)

    async def receive(self, message: object) -> Reply:
        return self.context.defer_reply()

    async def run(self) -> None:
        await self.context.stop_requested.wait()

    async def stopping(self, reason: object) -> None:
        self.context.log.info("stopping: {}", reason)


class Feed(Connection):
    async def connect(self) -> None:
        self.check_every = 10.0

    async def session(self) -> None:
        self.context.publish(Fill(1.0))


async def poll(context: Context) -> None:
    context.subscribe(Fill)
    async for message in context.messages():
        assert_type(message, Any)
        context.reply(None)


async def poll_symbol(symbol: str, context: Context) -> None:
    context.log.info(symbol)


tree = Supervisor(
    "bot",
    strategy="rest_for_one",
    intensity=10,
    period=60.0,
    children=[
        Child("ledger", Ledger, mailbox=Mailbox(capacity=10, overflow="drop_oldest")),
        Child("restored", lambda: Ledger(fills=3), restart="transient", backoff=Backoff.steps(10, 30, 60)),
        Child("partial", partial(Ledger, fills=3), max_failures=3, on_give_up="park", unpark_after=None),
        Child("feed", Feed, mailbox=Mailbox.latest(key=type), backoff=Backoff.exponential(1.0, jitter="full")),
        Child("poll", poll, ready="manual", shutdown=float("inf")),
        Child("poll-btc", partial(poll_symbol, "BTCUSDT")),
        Supervisor("empty", auto_shutdown="any"),
    ],
)


async def use(runtime: Runtime) -> None:
    ref = await runtime.start_child("/bot", Child("late", Poller))
    assert_type(ref, Ref)
    assert_type(await runtime.start_children("/bot", [Child("later", Poller)]), list[Ref])
    ref.tell(Fill(1.0))
    await ref.send(Fill(1.0))
    assert_type(await ref.ask(HowMany(), timeout=1.0, wait=False), Any)
    assert_type(await runtime.restart_child("/bot/late"), Any)
    assert_type(runtime.tree(), TreeNode)
    assert_type(runtime.tree("/bot").children, tuple[TreeNode, ...])
    assert_type(runtime.tree().mailbox.dropped, int)
    with runtime.events(ChildRestarting, capacity=10) as events:
        async for event in events:
            assert_type(event.path, str)


async def embed() -> None:
    async with duenna.open_runtime(tree, seed=1, log_level=None, watchdog=None) as runtime:
        assert_type(runtime, Runtime)
        await use(runtime)


def run_it() -> None:
    assert_type(duenna.run(tree, log_level="DEBUG"), StopReport)
