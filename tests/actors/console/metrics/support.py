"""What the tests of metrics share: a bot with a meter, the samples of a page, and promtool."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from prometheus_client import parser as plain
from prometheus_client.openmetrics import parser as openmetrics

from duenna import Actor, Child, Connection, Freshness, Runtime, Supervisor, open_runtime
from duenna_actors.console.metrics.exposition import Exposition, exposition
from duenna_actors.console.metrics.meter import Meter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

WALL = 1_700_000_000.0
"""The time of day at second 0 of the virtual clock."""

OPENMETRICS = "application/openmetrics-text;version=1.0.0"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@attrs.define
class Memory:
    """What outlives the console, as far as metrics need it."""

    meter: Meter = attrs.field(factory=Meter)


@attrs.frozen
class Measured:
    """A bot whose metrics are read."""

    runtime: Runtime
    meter: Meter
    exposition: Exposition

    def samples(self, accept: str = "") -> Samples:
        """Return what a scrape finds."""
        return samples(self.exposition(accept)[0])

    def value(self, name: str, **labels: str) -> float:
        """Return one sample."""
        return self.samples()[name, frozenset(labels.items())]

    def all(self, name: str) -> dict[tuple[str, ...], float]:
        """Return all samples of a name, by their labels' values in the order of the labels' names."""
        return {
            tuple(value for _, value in sorted(labels)): number
            for (found, labels), number in self.samples().items()
            if found == name
        }


def samples(page: bytes) -> Samples:
    """Return the samples of a page in either format; each set of labels is there once."""
    text = page.decode()
    parser: Any = openmetrics if text.endswith("# EOF\n") else plain
    parse = parser.text_string_to_metric_families
    found: Samples = {}
    for family in parse(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


@asynccontextmanager
async def measured(tree: Supervisor | None = None, **options: Any) -> AsyncGenerator[Measured]:
    """Run *tree* on a virtual clock, and count from its beginning on."""
    memory = Memory()
    first = Child("first", lambda: _First(memory.meter))
    options["system"] = [first, *options.get("system", ())]
    async with open_runtime(tree or Supervisor("bot"), log_level=None, seed=1, **options) as runtime:
        runtime.state.wall = lambda: WALL + runtime.now()
        yield Measured(runtime, memory.meter, exposition(runtime, memory))


class _First(Actor):
    """Has a meter count before anything of the bot has started."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def started(self) -> None:
        self._meter.attach(self.context.runtime)


class Crasher(Actor):
    """Crashes with the message that it is sent."""

    def receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        return message


class Line(Connection):
    """A feed: connects while it is allowed to, and has data when it is told."""

    kind = "websocket"
    check_interval = 1e6

    def __init__(self, switch: Switch) -> None:
        self.switch = switch

    async def connect(self) -> None:
        if self.switch.error is not None:
            raise self.switch.error

    async def session(self) -> None:
        await self.switch.broken()

    def freshness(self) -> Freshness:
        return Freshness(self.switch.at, self.switch.expect_every)


@attrs.define(eq=False)
class Switch:
    """How a `Line` does."""

    error: Exception | None = None
    at: float | None = None
    expect_every: float | None = 5.0
    _cut: trio.Event = attrs.field(factory=trio.Event)

    async def broken(self) -> None:
        """Wait until somebody cuts the line, and raise what he did it with."""
        self._cut = trio.Event()
        await self._cut.wait()
        if self.error is not None:
            raise self.error

    def cut(self, error: Exception) -> None:
        """Break the line with *error*, for as long as it stands."""
        self.error = error
        self._cut.set()


def promtool() -> str:
    """Return the path of promtool; without one the test is skipped, or fails where CI=true."""
    for found in (os.environ.get("PROMTOOL"), shutil.which("promtool"), "/usr/bin/promtool"):
        if found and os.access(found, os.X_OK):
            return found
    why = "no promtool: set PROMTOOL, or install the package prometheus"
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def run_promtool(arguments: Sequence[str], stdin: bytes = b"") -> tuple[int, str]:
    """Return the status and the output of promtool."""
    command = [promtool(), *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)  # noqa: S603
    return done.returncode, (done.stdout + done.stderr).decode()
