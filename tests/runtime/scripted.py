"""A connection whose hooks do what a test says, on a runtime of its own."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
import trio

from duenna import Backoff, Child, Runtime, Supervisor, open_runtime
from duenna.connection import Connection, ConnectionChanged, ConnectionState
from duenna.events import Event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from duenna.settings import Settings

E = TypeVar("E", bound=Event)
PATH = "/bot/link"


class Journal:
    """What happened to all incarnations of one connection, with the virtual time."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, str]] = []
        self.latest: Scripted | None = None

    def note(self, what: str) -> None:
        self.calls.append((trio.current_time(), what))

    @property
    def names(self) -> list[str]:
        return [what for _, what in self.calls]

    def times(self, what: str) -> list[float]:
        return [time for time, name in self.calls if name == what]

    def connection(self) -> Scripted:
        assert self.latest is not None
        return self.latest


@pytest.fixture
def journal() -> Journal:
    return Journal()


class Scripted(Connection):
    """A connection whose hooks note that they were called, and then do what the test says."""

    def __init__(self, journal: Journal, **hooks: Callable[..., Awaitable[Any]] | float) -> None:
        self.journal = journal
        self.hooks = {name: hook for name, hook in hooks.items() if callable(hook)}
        for name, value in hooks.items():
            if not callable(value):
                setattr(self, name, value)
        journal.latest = self

    async def connect(self) -> None:
        self.journal.note("connect")
        await self._do("connect")

    async def check(self) -> None:
        self.journal.note("check")
        await self._do("check")

    async def session(self) -> None:
        await self._do("session", trio.sleep_forever)

    async def recover(self, error: Exception) -> None:
        self.journal.note(f"recover {error}")
        if "recover" not in self.hooks:
            await super().recover(error)
        await self._do("recover")

    async def close(self) -> None:
        self.journal.note("close")
        await self._do("close")

    async def receive(self, message: Any) -> Any:
        match message:
            case "state":
                return self.state
            case "until up":
                await self.until_up()
                return trio.current_time()
            case "check soon":
                self.check_soon()
            case _:
                pass
        return None

    async def _do(self, name: str, default: Callable[[], Awaitable[Any]] | None = None) -> Any:
        hook = self.hooks.get(name, default)
        return None if hook is None else await hook()


class Seen:
    """The events so far."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._events: list[Event] = []

    def of(self, kind: type[E]) -> list[E]:
        self._events.extend(self._stream.drain())
        return [event for event in self._events if isinstance(event, kind)]

    async def becomes(self, state: ConnectionState) -> None:
        """Wait until the connection moves to *state*."""
        async for event in self._stream:
            self._events.append(event)
            if isinstance(event, ConnectionChanged) and event.state is state:
                return

    @property
    def moves(self) -> list[str]:
        return [f"{event.previous} -> {event.state}" for event in self.of(ConnectionChanged)]


@asynccontextmanager
async def running(
    journal: Journal, *, child: dict[str, Any] | None = None, settings: Settings | None = None, **hooks: Any
) -> AsyncIterator[tuple[Runtime, Seen]]:
    spec = Child("link", lambda: Scripted(journal, **hooks), backoff=Backoff.steps(5.0), **(child or {}))
    bot = Supervisor("bot", intensity=1000, period=1.0)
    async with open_runtime(bot, log_level=None, settings=settings) as runtime:
        with runtime.events() as events:
            await runtime.start_child("/bot", spec)
            yield runtime, Seen(events)


def raises(error: Exception) -> Callable[[], Awaitable[None]]:
    async def hook() -> None:
        raise error

    return hook


def sleeps(*seconds: float) -> Callable[[], Awaitable[None]]:
    """Sleep so long, call after call; the last for ever."""
    left = list(seconds)

    async def hook() -> None:
        await trio.sleep(left.pop(0) if len(left) > 1 else left[0])

    return hook


def in_turn(*steps: Exception | None) -> Callable[[], Awaitable[None]]:
    """Do one step a call: raise it, or nothing; the last one for ever."""
    left = list(steps)

    async def hook() -> None:
        step = left.pop(0) if len(left) > 1 else left[0]
        if step is not None:
            raise step

    return hook
