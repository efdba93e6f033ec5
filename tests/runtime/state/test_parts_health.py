"""What is wrong with the state is an issue of the bot's health, and is announced, for as long as it is wrong."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import trio
import trio.testing

from duenna import Actor, Child, open_runtime, persistent
from duenna.error_events import HealthChanged
from duenna.state import Part

from .kit import DurableStore, bot
from .lives import Lives
from .test_parts_operator import LossyStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from trio.testing import MockClock

    from duenna import EventStream, Runtime
    from duenna.events import Event

STATE = "/system/persistence"


@attrs.define
class Loose(Actor):
    """Holds what it is told."""

    held: Any = persistent(default=None)

    def receive(self, message: Any) -> None:
        self.held = message


@asynccontextmanager
async def running(store: DurableStore) -> AsyncGenerator[tuple[Runtime, EventStream]]:
    async with open_runtime(bot(Child("loose", Loose)), log_level=None, state=store, watchdog=None) as runtime:
        with runtime.events(HealthChanged) as stream:
            await trio.testing.wait_all_tasks_blocked()
            yield runtime, stream


def told(stream: EventStream) -> list[tuple[str, str, str]]:
    return [(event.service, event.health, event.why) for event in stream.drain() if isinstance(event, HealthChanged)]


async def test_a_state_that_is_well_is_no_service(autojump_clock: MockClock) -> None:
    async with running(DurableStore()) as (runtime, _):
        report = runtime.health()

        assert (report.overall, report.issues) == ("healthy", ())
        assert STATE not in report.services


async def test_what_is_not_durable_is_an_issue_until_it_is(autojump_clock: MockClock) -> None:
    store = DurableStore()
    async with running(store) as (runtime, stream):
        store.refuses = "no space left on device"
        runtime.ref("/bot/loose").tell(1)
        runtime.state.save_soon()
        await trio.sleep(0.1)

        report = runtime.health()
        assert report.overall == "degraded"
        assert report.services[STATE] == "degraded"
        (issue,) = report.issues
        assert issue.startswith("what is saved is not durable: ")
        assert "no space left on device" in issue
        assert told(stream) == [(STATE, "degraded", issue), ("", "degraded", f"{STATE} {issue}")]

        store.refuses = ""
        await trio.sleep(10)
        assert (runtime.health().overall, runtime.health().issues) == ("healthy", ())
        assert [each[:2] for each in told(stream)] == [(STATE, "operational"), ("", "healthy")]


def test_lost_state_is_an_issue_until_somebody_has_looked() -> None:
    """It was found before anything ran, and is announced all the same."""
    lives = Lives()
    lives.store = LossyStore()
    heard: list[Event] = []

    async def body(runtime: Runtime) -> list[tuple[str, tuple[str, ...]]]:
        await trio.testing.wait_all_tasks_blocked()
        before = runtime.health()
        runtime.state.reconciled("ann")
        await trio.testing.wait_all_tasks_blocked()
        after = runtime.health()
        return [(before.overall, before.issues), (after.overall, after.issues)]

    issue = "state was lost: no trading until runtime.state.reconciled()"
    assert lives.live(body, hear=[HealthChanged], heard=heard) == [("degraded", (issue,)), ("healthy", ())]
    assert [(event.service, event.health, event.why) for event in heard if isinstance(event, HealthChanged)] == [
        (STATE, "degraded", issue),
        ("", "degraded", f"{STATE} {issue}"),
        (STATE, "operational", ""),
        ("", "healthy", ""),
    ]


async def test_an_actor_that_cannot_be_saved_is_an_issue_until_it_can(autojump_clock: MockClock) -> None:
    async with running(DurableStore()) as (runtime, stream):
        runtime.ref("/bot/loose").tell({1, 2})
        await trio.testing.wait_all_tasks_blocked()
        await runtime.state.save(force=True)
        await trio.testing.wait_all_tasks_blocked()

        (issue,) = runtime.health().issues
        assert issue.startswith("/bot/loose cannot be saved: ")
        assert told(stream)[0][:2] == (STATE, "degraded")

        runtime.ref("/bot/loose").tell([1, 2])
        await trio.testing.wait_all_tasks_blocked()
        await runtime.state.save(force=True)
        await trio.testing.wait_all_tasks_blocked()
        assert runtime.health().issues == ()
        assert (STATE, "operational") in [each[:2] for each in told(stream)]


async def test_if_nobody_saves_that_is_told_beside_it(autojump_clock: MockClock) -> None:
    store = DurableStore()
    async with running(store) as (runtime, _):
        store.refuses = "no space left on device"
        runtime.ref("/bot/loose").tell(1)
        runtime.state.save_soon()
        await trio.sleep(0.1)
        await runtime.stop_child(STATE)

        report = runtime.health()
        assert report.services[STATE] == "unavailable"
        assert [issue.partition(":")[0] for issue in report.issues] == [
            "what is saved is not durable",
            "nothing is saved",
            f"{STATE} was stopped by hand",
        ]
        store.refuses = ""
        await runtime.restart_child(STATE)


async def test_a_part_that_cannot_be_saved_is_an_issue_until_it_can(autojump_clock: MockClock) -> None:
    values: list[Any] = [object()]
    async with running(DurableStore()) as (runtime, _):
        runtime.state.add(Part(name="mine", type=object, dump=lambda: values[0], load=lambda _: None))
        await runtime.state.save(force=True)
        (issue,) = runtime.health().issues
        assert issue.startswith("mine cannot be saved: part mine: ")

        values[0] = 1
        await runtime.state.save(force=True)
        assert runtime.health().issues == ()
