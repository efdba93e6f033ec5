"""What outlives the actor's restarts, and what runs beside it for the runtime's whole life."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio
from loguru import logger

from duenna.secrets import redact
from duenna_actors.console.api.operations import Operations
from duenna_actors.console.metrics.heartbeat import heartbeat
from duenna_actors.console.metrics.notify import notify
from duenna_actors.console.view.memory import ConsoleMemory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from duenna import Runtime
    from duenna_actors.console.server.options import Options


@attrs.define(eq=False)
class Shared:
    """Made once, by ``console(...)``, and filled anew for each runtime that it is used in.

    Attributes:
        memory: What happened.
        operations: What operators have begun.
    """

    memory: ConsoleMemory = attrs.field(init=False)
    operations: Operations = attrs.field(init=False)
    _accompanied: Any = attrs.field(default=None, init=False)

    def begin(self, runtime: Runtime, options: Options) -> None:
        """Listen to *runtime*, and have its watchers told that it lives; does nothing the second time.

        Systemd and the dead man's switch are told from here, not from the actor: a console that
        is parked, since its port is in use, must not get the bot killed.
        """
        if self._accompanied is not runtime:
            self._accompanied = runtime
            self.memory, self.operations = ConsoleMemory(), Operations(options.wall_time)
            self.memory.attach(runtime)
            trio.lowlevel.spawn_system_task(_accompany, runtime, options, name="duenna (signs of life)")


async def _accompany(runtime: Runtime, options: Options) -> None:
    async with trio.open_nursery() as nursery:
        if options.notify:
            nursery.start_soon(_harmless, "systemd", partial(notify, runtime))
        if options.heartbeat_url is not None:
            beat = partial(heartbeat, runtime, options.heartbeat_url, every=options.heartbeat_every)
            nursery.start_soon(_harmless, "the heartbeat", beat)
        await runtime.stopped.wait()
        nursery.cancel_scope.cancel()


async def _harmless(what: str, tell: Callable[[], Awaitable[None]]) -> None:
    """Run *tell* for as long as it goes well: what a system task raises would end the whole process."""
    try:
        await tell()
    except Exception as exc:  # noqa: BLE001  # whatever it is, whoever waits for the signs raises the alarm
        logger.error("{} is told nothing any more: {}", what, redact(f"{type(exc).__name__}: {exc}"))
