"""Death watch (C91)."""

from typing import Any

import attrs
import pytest
import trio

from duenna import (
    Actor,
    Child,
    Down,
    Supervisor,
)

from .probe import BoomError, Probe
from .support import opened, settle, state


@attrs.define
class Watcher(Actor):
    """Watches as told and keeps the notices."""

    notices: list[tuple[float, str, int, object]]

    def receive(self, message: object) -> None:
        match message:
            case Down():
                self.notices.append((trio.current_time(), message.path, message.incarnation, message.reason))
            case ("watch", str(path)):
                self.context.watch(path)
            case ("unwatch", str(path)):
                self.context.unwatch(path)


def watched(probe: Probe, notices: list[tuple[float, str, int, object]], **options: Any) -> Supervisor:
    """Make a tree of a watcher and a child."""
    return Supervisor("bot", [Child("w", lambda: Watcher(notices)), probe.child("a", **options)])


async def test_c91_watcher_is_told_once_per_watch(probe: Probe) -> None:
    """One `Down` for the incarnation's end, restarted or not; the successor is not watched."""
    notices: list[tuple[float, str, int, object]] = []
    error = BoomError("x")

    async with opened(watched(probe, notices)) as runtime:
        runtime.ref("/bot/w").tell(("watch", "/bot/a"))
        await settle()
        await trio.sleep(2)
        probe.crash("a", error)
        await trio.sleep(2)
        probe.crash("a")
        await settle()

    assert notices == [(2, "/bot/a", 1, error)]


async def test_c91_watch_again_for_the_successor(probe: Probe) -> None:
    """Each watch is one notice."""
    notices: list[tuple[float, str, int, object]] = []

    async with opened(watched(probe, notices)) as runtime:
        for _ in range(3):
            runtime.ref("/bot/w").tell(("watch", "/bot/a"))
            await settle()
            probe.end("a")
            await settle()

    assert [(incarnation, reason) for _, _, incarnation, reason in notices] == [
        (1, "normal"),
        (2, "normal"),
        (3, "normal"),
    ]


async def test_c91_watching_twice_is_one_notice(probe: Probe) -> None:
    """The same watcher and target are one watch."""
    notices: list[tuple[float, str, int, object]] = []

    async with opened(watched(probe, notices)) as runtime:
        for _ in range(3):
            runtime.ref("/bot/w").tell(("watch", "/bot/a"))
        await settle()
        probe.crash("a")
        await settle()

    assert len(notices) == 1


async def test_c91_unwatch_delivers_nothing(probe: Probe) -> None:
    """Before the end it cancels the notice, after the end it does nothing."""
    notices: list[tuple[float, str, int, object]] = []

    async with opened(watched(probe, notices)) as runtime:
        watcher = runtime.ref("/bot/w")
        watcher.tell(("watch", "/bot/a"))
        watcher.tell(("unwatch", "/bot/a"))
        await settle()
        probe.crash("a")
        await settle()
        watcher.tell(("unwatch", "/bot/a"))
        await settle()
        seen = state(runtime, "/bot/w")

    assert notices == []
    assert seen == "running"


async def test_c91_operator_stop_is_an_end_too(probe: Probe) -> None:
    """The reason is `"shutdown"`."""
    notices: list[tuple[float, str, int, object]] = []

    async with opened(watched(probe, notices)) as runtime:
        runtime.ref("/bot/w").tell(("watch", "/bot/a"))
        await settle()
        await runtime.stop_child("/bot/a")
        await settle()

    assert notices == [(0, "/bot/a", 1, "shutdown")]


async def test_c91_watch_of_one_who_is_down_is_answered_at_once(probe: Probe) -> None:
    """Its reason is `"noproc"`."""
    notices: list[tuple[float, str, int, object]] = []

    async with opened(watched(probe, notices)) as runtime:
        await runtime.stop_child("/bot/a")
        runtime.ref("/bot/w").tell(("watch", "/bot/a"))
        await settle()

    assert [(path, reason) for _, path, _, reason in notices] == [("/bot/a", "noproc")]


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_c91_bystander_of_a_group_is_reported(probe: Probe, strategy: Any) -> None:
    """A member that is stopped with its group has ended, for its watchers too."""
    notices: list[tuple[float, str, int, object]] = []
    inner = Supervisor("sub", probe.children("a b"), strategy=strategy)
    tree = Supervisor("bot", [Child("w", lambda: Watcher(notices)), inner])

    async with opened(tree) as runtime:
        runtime.ref("/bot/w").tell(("watch", "/bot/sub/b"))
        await settle()
        probe.crash("a")
        await settle()

    assert [(path, incarnation, reason) for _, path, incarnation, reason in notices] == [("/bot/sub/b", 1, "shutdown")]
