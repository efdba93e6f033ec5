"""The local exchange as a supervised child, and the thief of its faults: what it does to the database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import msgspec
import trio

from duenna.wallclock import WallTime
from duenna_actors.demo.bot import Exchange
from duenna_actors.demo.events import FaultEnded, FaultInjected
from duenna_actors.demo.faults import tell
from duenna_actors.sandbox import (
    DatabaseLost,
    FaultChanged,
    HalfOpen,
    RateLimited,
    SandboxSettings,
    Scheduled,
    open_sandbox,
)

if TYPE_CHECKING:
    from duenna import Context


@attrs.define
class DatabaseThief:
    """Takes a database file away, with a folder in its place so that no new one can be made; gives it back.

    Attributes:
        path: The file.
    """

    path: Path
    _has_it: bool = attrs.field(default=False, init=False)

    @property
    def hidden(self) -> Path:
        """Where the file is meanwhile."""
        return self.path.with_name(f"{self.path.name}.taken")

    def take(self) -> None:
        """Take it, if it is there, and nothing lies where it would go."""
        if not self._has_it and self.path.is_file() and not self.hidden.exists():
            self.path.rename(self.hidden)
            self._has_it = True
            self.path.mkdir()

    def give_back(self) -> None:
        """Put it back, if it was taken."""
        if self._has_it:
            if self.path.is_dir():
                self.path.rmdir()
            self.hidden.rename(self.path)
            self._has_it = False


@attrs.define
class LocalExchange:
    """The sandbox on a port of its own choice, the same after a restart; ready when it listens.

    Attributes:
        address: Where it is; filled in when that is known.
        symbols: Its contracts.
        seed: Of its prices.
        faults: Its faults, by the time since the first start.
        thief: Who carries out `DatabaseLost`; None if nobody may.
        wall_time: Gives the date.
    """

    address: Exchange
    symbols: Sequence[str]
    seed: int
    faults: Sequence[Scheduled]
    thief: DatabaseThief | None
    wall_time: WallTime
    _port: int = attrs.field(default=0, init=False)
    _began: float | None = attrs.field(default=None, init=False)

    async def serve(self, context: Context) -> None:
        """Run the exchange: a function actor."""
        now = context.now()
        self._began = now if self._began is None else self._began
        settings = SandboxSettings()

        def on_fault(change: FaultChanged) -> None:
            self._on_fault(context, change)

        try:
            async with open_sandbox(
                symbols=self.symbols,
                seed=self.seed,
                port=self._port,
                wall_clock=self.wall_time,
                schedule=self._still_to_come(now - self._began),
                settings=settings,
                on_fault=on_fault,
            ) as sandbox:
                self._port = sandbox.port
                self.address.rest, self.address.streams = sandbox.url, sandbox.ws_url
                self.address.key, self.address.secret = settings.api_key, settings.api_secret
                context.log.info("a local exchange at {}", sandbox.url)
                context.ready()
                await trio.sleep_forever()
        finally:
            if self.thief is not None:
                self.thief.give_back()

    def _still_to_come(self, elapsed: float) -> list[Scheduled]:
        return [msgspec.structs.replace(each, at=each.at - elapsed) for each in self.faults if each.at >= elapsed]

    def _on_fault(self, context: Context, change: FaultChanged) -> None:
        fault, what, now = change.fault, tell(change.fault), context.now()
        is_begin = change.change == "injected"
        if is_begin:
            duration = None if isinstance(fault, _ITS_OWN_TIME) else change.duration
            context.post(FaultInjected(time=now, path=context.path, what=what, duration=duration))
        elif not isinstance(fault, HalfOpen):  # its victims stay dead
            context.post(FaultEnded(time=now, path=context.path, what=what))
        if isinstance(fault, DatabaseLost) and self.thief is not None:
            (self.thief.take if is_begin else self.thief.give_back)()


_ITS_OWN_TIME = (HalfOpen, RateLimited)  # one lasts as long as its victims live, the other names its time
