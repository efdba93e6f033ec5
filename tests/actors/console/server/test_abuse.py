"""Clients that misbehave: the bot does not notice, and the console is as it was."""

from __future__ import annotations

import gc
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest
import trio

from duenna import Actor, Child
from duenna.events import ChildExited, ErrorReported, Event
from duenna_actors.console import Limits
from tests.actors.console.server.storm import abuse, send_malformed
from tests.actors.console.support import CONSOLE, Running, running_console, small_tree

HASTY = Limits(head=0.5, body=0.5, ping=0.5)
"""What is half sent is not waited for as long as usual."""


@attrs.define(eq=False)
class Ticker(Actor):
    """Counts how often it was told to, and is told a hundred times a second."""

    ticks: int = 0

    def started(self) -> None:
        self.context.tell_every(0.01, "tick")

    def receive(self, message: Any) -> int:
        if message == "tick":
            self.ticks += 1
        return self.ticks


def open_files() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def incarnation(running: Running, path: str) -> int:
    return running.runtime.tree(path).incarnation


async def ticks(running: Running) -> int:
    return int(await running.runtime.ref("/bot/ticker").ask("how many", timeout=60.0))


async def until_no_more_files_than(count: int) -> None:
    while open_files() > count:
        await trio.lowlevel.checkpoint()


async def assert_alive(running: Running, heard: list[Event]) -> None:
    """The bot ticks, nothing ended or was reported, and the console serves who is honest."""
    before = await ticks(running)
    while await ticks(running) < before + 3:
        await trio.lowlevel.checkpoint()
    assert heard == []
    assert incarnation(running, CONSOLE) == incarnation(running, "/bot/ticker") == 1
    for unix in (False, True):
        async with running.client("operate", unix=unix) as http:
            assert (await http.get("/api/v1/whoami")).json()["role"] == "operate"
            header = (await http.get("/api/v1/snapshot")).json()["header"]
        assert header["errors"]["total"] == 0
        assert header["overall"] == "healthy"


@pytest.mark.parametrize("unix", [False, True])
async def test_260_connections_that_misbehave_are_nothing_to_the_bot(unix: bool) -> None:
    chance = Random(7)  # noqa: S311
    async with running_console(small_tree(Child("ticker", Ticker)), limits=HASTY) as running:
        await running.get("/api/v1/whoami")
        with running.runtime.events(ChildExited, ErrorReported) as events:
            files = open_files()
            with trio.fail_after(60.0):
                await abuse(running, chance, 260, unix=unix)
                await until_no_more_files_than(files)
            await assert_alive(running, list(events.drain()))


@pytest.mark.slow
async def test_10_000_malformed_requests_change_nothing() -> None:
    async with running_console(small_tree(Child("ticker", Ticker)), limits=HASTY) as running:
        await running.get("/api/v1/whoami")
        tree = running.runtime.tree()
        with running.runtime.events(ChildExited, ErrorReported) as events:
            files = open_files()
            with trio.fail_after(100.0):
                answered = await send_malformed(running, Random(7), 10_000)  # noqa: S311
                await until_no_more_files_than(files)
            await assert_alive(running, list(events.drain()))
        assert answered > 5_000
        assert [child.name for child in running.runtime.tree().children] == [child.name for child in tree.children]
