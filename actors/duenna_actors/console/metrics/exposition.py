"""The answer to a scrape, in the format that the scraper asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs
import trio

from duenna_actors._extras import need
from duenna_actors.console.metrics.collector import Collector
from duenna_actors.console.metrics.family import page

if TYPE_CHECKING:
    from duenna import Runtime
    from duenna_actors.console.metrics.meter import Meter

_PLAIN: Final = "text/plain; version=0.0.4; charset=utf-8"
_OPENMETRICS: Final = "application/openmetrics-text"
_STRETCH: Final = 0.001  # seconds that it works without letting others work


class Memory(Protocol):
    """What outlives the console's restarts."""

    meter: Meter


@attrs.define(eq=False)
class Exposition:
    """Answers scrapes.

    Attributes:
        collector: Looks at the bot.
    """

    collector: Collector
    _choose: Callable[[str], tuple[Any, str]]
    _turn: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    def __call__(self, accept: str = "") -> tuple[bytes, str]:
        """Return the page and its content type for an ``Accept`` header, without letting others run."""
        kind = self._kind(accept)
        return page(self.collector.families(), openmetrics=kind.startswith(_OPENMETRICS)), kind

    async def scrape(self, accept: str = "") -> tuple[bytes, str]:
        """Return the same, a millisecond at a time: a page of a thousand actors takes many of them.

        Of several at a time, one after the other: they share what is remembered. Cancelled, it has done nothing.
        """
        async with self._turn:
            return await self._scrape(self._kind(accept))

    async def _scrape(self, kind: str) -> tuple[bytes, str]:
        work = self.collector.work()
        await trio.lowlevel.checkpoint()
        began = trio.current_time()
        while True:
            try:
                next(work)
            except StopIteration as end:
                return page(end.value, openmetrics=kind.startswith(_OPENMETRICS)), kind
            if trio.current_time() - began > _STRETCH:
                await trio.lowlevel.checkpoint()
                began = trio.current_time()

    def _kind(self, accept: str) -> str:
        try:
            return self._choose(accept)[1]
        except Exception:  # noqa: BLE001  # what asks may ask for anything
            return _PLAIN


def exposition(runtime: Runtime, memory: Memory) -> Exposition:
    """Return what answers the scrapes of *runtime*, which the meter of *memory* counts for.

    Raises:
        MissingExtraError: `prometheus_client` is not installed.
    """
    client = need("prometheus_client", what="GET /metrics", extra="console").exposition
    memory.meter.attach(runtime)
    return Exposition(Collector(runtime, memory.meter), client.choose_encoder)
