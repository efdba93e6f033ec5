"""`/system/persistence`: saves what has changed, and makes it durable, off the event loop."""

from typing import TYPE_CHECKING, Any, ClassVar, Final

import attrs
import trio

from duenna.actor import Actor
from duenna.machines.backoff import Backoff
from duenna.spec import Child
from duenna.state.events import GenerationWritten
from duenna.state.export import exporter_of
from duenna.storage import StateError

if TYPE_CHECKING:
    from duenna.settings import Settings
    from duenna.state.export import Exporter
    from duenna.state.state import State

SHUTDOWN: Final = 10.0
"""Seconds that the last save may take."""

LAST_TRIES: Final = 3
"""How often the last save is tried if the store fails: one that failed once often takes the next."""


@attrs.define(eq=False)
class Persistence(Actor):
    """The one writer of a runtime's state. What waits outlives it: the next incarnation goes on with it."""

    kind: ClassVar[str] = "persistence"

    state: "State"
    _exporter: "Exporter | None" = attrs.field(default=None, init=False)

    async def run(self) -> None:
        """Write what waits, and begin a save whenever one is due."""
        self.state.commits.is_held = False
        unfollow = self.context.runtime.on_settings(self._follow)
        self._exporter = exporter_of(self.state, self.context.runtime)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, name=f"{self.context.path} (writer)")
                nursery.start_soon(self._save, name=f"{self.context.path} (saves)")
                if self._exporter is not None:
                    nursery.start_soon(self._exporter.run, self._not_exported, name=f"{self.context.path} (export)")
        finally:
            unfollow()

    async def stopping(self, reason: Any) -> None:
        """Save for the last time, if the stop is in order; what crashed is started again, and goes on."""
        if isinstance(reason, Exception):
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write_once)
            await self._save_last()
            if self._exporter is not None:
                await self._exporter.write_last(self._not_exported)
            nursery.cancel_scope.cancel("all is durable, or cannot be")
        self.state.commits.is_held = True

    async def _save_last(self) -> None:
        rounds, commits = self.state.rounds, self.state.commits
        for _ in range(LAST_TRIES):
            await rounds.last()
            if not commits.waiting:
                break

    async def _write(self) -> None:
        state = self.state
        while True:
            await state.commits.until_waiting()
            batch = await state.write()
            if batch.error is not None:
                await trio.sleep(state.commits.retry_in)
            elif state.store.wants_compacting:
                await self._compact()

    async def _write_once(self) -> None:
        state = self.state
        while True:
            await state.commits.until_waiting()
            batch = await state.write()
            if batch.error is not None:
                await trio.sleep(state.commits.retry_in)

    async def _compact(self) -> None:
        state = self.state
        try:
            done = await state.compact()
        except StateError as error:
            self.context.report(error, hook="compact")
            return
        if done is not None and state.wants(GenerationWritten):
            self.context.post(
                GenerationWritten(
                    time=self.context.now(),
                    path=self.context.path,
                    store=state.store.name,
                    generation=done.generation,
                    entries=done.entries,
                    size=done.size,
                )
            )

    async def _save(self) -> None:
        state, runtime = self.state, self.context.runtime
        if not state.store.is_durable:
            await state.captures.has_any.wait()  # until then there is nothing that anybody could miss
        while True:
            due = await state.rounds.next(runtime.settings.error_handling.state_save_interval)
            await state.rounds.carry_out(due)
            if self._exporter is not None:
                self._exporter.saved()

    def _not_exported(self, error: Exception) -> None:
        self.context.report(error, hook="export")

    def _follow(self, before: "Settings", now: "Settings") -> None:
        if before.error_handling.state_save_interval != now.error_handling.state_save_interval:
            self.state.save_soon()  # the next wait is as long as they say now


def persistence_child(state: "State") -> Child:
    """Return the spec of the one writer of *state*; it is never given up."""
    return Child(
        "persistence",
        lambda: Persistence(state),
        backoff=Backoff.exponential(0.1, maximum=1.0, jitter="none"),
        shutdown=SHUTDOWN,
    )
