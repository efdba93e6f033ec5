"""Measure what the console costs: how late the loop answers under load; and that it costs nothing with no viewer.

Usage: ``python benchmarks/console.py [--actors 1000] [--events 10000] [--viewers 20] [--seconds 20]``. A bot of 1,000
actors that all get messages, 10,000 events a second on the bus, 20 viewers over real sockets, one of which reads
slowly. The exit status is 1 if a floor is missed: loop lag p99 <= 20 ms, slices p99 <= 5 ms, memory that does not grow
in the second half, a slow viewer that is told, and no tick with no viewer. The first row, with no viewer, is there to
compare with: it shows what of the lag is the machine's and the load's own, and softens no floor.
"""

import argparse
import gc
import json
import os
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

import attrs
import trio

import duenna
from duenna import Actor, Child, Event, Runtime, Supervisor
from duenna_actors.console import ConsoleAddress, GetConsole, console
from duenna_actors.console.view.hub import Hub

LAG_P99 = 0.020
SLICE_P99 = 0.005
GROWTH = 8.0
"""MiB that the second half of the load may add."""

_BURST = 0.01
_BEAT = 0.005
_SLOW = 0.5
_SOME = 2
_LONGEST = 10.0


class Happened(Event, frozen=True):
    """An event of the load."""

    what: str

    def text(self) -> str:
        """Return the log line."""
        return f"{self.what} happened, and this is what it looks like in words"


class Busy(Actor):
    """Counts what it gets."""

    def __init__(self) -> None:
        """Begin at 0."""
        self.count = 0

    def receive(self, message: object) -> None:  # noqa: ARG002  # it only counts
        """Count the message."""
        self.count += 1


def tree(actors: int) -> Supervisor:
    """Return a bot of so many actors, 50 to a supervisor."""
    groups = [
        Supervisor(
            f"group{first // 50}", [Child(f"a{number}", Busy) for number in range(first, min(first + 50, actors))]
        )
        for first in range(0, actors, 50)
    ]
    return Supervisor("bot", groups)


@attrs.define
class Load:
    """What the bot does while it is watched."""

    runtime: Runtime
    events: int
    lags: list[float] = attrs.field(factory=list[float])

    async def run(self) -> None:
        """Post events in bursts, and give each actor ten messages a second."""
        refs = [self.runtime.ref(node.path) for node in self.runtime.tree().walk() if node.kind != "supervisor"]
        paths = [ref.path for ref in refs]
        post, per_burst = self.runtime.bus.post, max(1, round(self.events * _BURST))
        messages = max(1, round(len(refs) * 10 * _BURST))
        turn, due = 0, trio.current_time()
        while True:
            now = trio.current_time()
            for number in range(per_burst):
                post(Happened(time=now, path=paths[(turn + number) % len(paths)], what="a thing"))
            for number in range(messages):
                refs[(turn + number) % len(refs)].tell(number)
            turn += per_burst
            due = max(due + _BURST, now)
            await trio.sleep_until(due)

    async def beat(self) -> None:
        """Note how late the loop answers."""
        while True:
            due = trio.current_time() + _BEAT
            await trio.sleep_until(due)
            self.lags.append(trio.current_time() - due)


class Seen(TypedDict):
    """What the viewers got."""

    size: int
    quick: int
    slow: list[dict[str, int]]


def watch(port: int, token: str, count: int) -> None:
    """Be *count* viewers, the last of which reads slowly, until standard input ends; then print what they got."""
    selector, request = selectors.DefaultSelector(), _REQUEST.format(token).encode()
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    last, text = sockets[-1], bytearray()
    for each in sockets:
        each.sendall(request)
        if count == 1 or each is not last:
            selector.register(each, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    size, wholes, is_over, due = 0, 0, False, time.monotonic()
    while not is_over:
        for key, _ in selector.select(_SLOW):
            if isinstance(key.fileobj, socket.socket):
                data = key.fileobj.recv(1 << 20)
                size += len(data)
                wholes += data.count(b"event: snapshot")
            else:
                is_over = True
        if count > 1 and time.monotonic() >= due:
            due = time.monotonic() + _SLOW
            text += last.recv(4096)
    last.settimeout(3.0)
    due = time.monotonic() + _LONGEST
    with suppress(OSError):  # it reads what there is, and then what it is told
        while count > 1 and not _LOST.search(text) and time.monotonic() < due:
            text += last.recv(1 << 20)
    slow = [json.loads(found) for found in _LOST.findall(text)]
    print(json.dumps({"size": size, "quick": wholes, "slow": slow}))


_LOST = re.compile(rb'event: dropped\ndata: ({"events":\d+,"frames":[1-9]\d*})')
_REQUEST = "GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n"


async def watchers(runtime: Runtime, count: int) -> trio.Process:
    """Start so many viewers in a process of their own."""
    address: ConsoleAddress = await runtime.ref("/system/console").ask(GetConsole(), timeout=30.0)
    lines = (await trio.Path(address.token_file).read_text(encoding="utf-8")).splitlines()
    token = next(line.split()[2] for line in lines if line.startswith("view "))
    port = str(address.url).rpartition(":")[2].strip("/")
    command = [sys.executable, __file__, "--watch", port, token, str(count)]
    return await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


async def stop(process: trio.Process) -> Seen:
    """End the viewers, and return what they got."""
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise RuntimeError("the process of the viewers has no pipes")
    await stdin.aclose()
    found: Seen = json.loads(b"".join([piece async for piece in stdout]))
    await process.wait()
    return found


def the_hub() -> Hub:
    """Return the hub of the one console that runs."""
    return next(each for each in gc.get_objects() if isinstance(each, Hub) and not each.desk.runtime.is_over)


def resident() -> float:
    """Return the resident memory of the process, in MiB."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096 / 2**20


def share(values: list[float], part: float) -> float:
    """Return the quantile *part* of *values*."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * part))] if ranked else 0.0


@attrs.define(kw_only=True)
class Result:
    """What one run measured."""

    viewers: int
    lags: list[float]
    ticks: int
    work: float
    slices: list[float]
    interval: float
    first: float
    half: float
    last: float
    cpu: float
    seen: Seen

    def line(self) -> str:
        """Return the row of the table."""
        size = self.seen["size"] / 2**20
        lost = sum(each["frames"] for each in self.seen["slow"])
        return (
            f"{self.viewers:>7} {self.ticks:>6} {self.interval:>8.1f} {self.cpu * 100:>6.1f} {self.work * 1000:>9.2f} "
            f"{share(self.slices, 0.5) * 1000:>10.2f} {share(self.slices, 0.99) * 1000:>9.2f} "
            f"{share(self.lags, 0.5) * 1000:>8.2f} {share(self.lags, 0.99) * 1000:>8.2f} {max(self.lags) * 1000:>8.2f} "
            f"{self.first:>7.1f} {self.half:>7.1f} {self.last:>7.1f} {size:>7.1f} {lost:>10}"
        )


HEAD = (
    "viewers  ticks interval   cpu%   ms/tick  slice p50 slice p99  lag p50  lag p99  lag max"
    "  MiB at    half     end MiB out  slow lost"
)


async def run(actors: int, events: int, count: int, seconds: float) -> Result:
    """Run one load with so many viewers."""
    system = [console(port=0, socket=False)]
    async with (
        duenna.open_runtime(tree(actors), system=system, log_level=None) as runtime,
        trio.open_nursery() as nursery,
    ):
        await runtime.ref("/system/console").ask(GetConsole(), timeout=30.0)
        load = Load(runtime, events)
        process = await watchers(runtime, count) if count else None
        hub = the_hub()
        nursery.start_soon(load.run)
        longest: list[float] = []
        for slices in (hub.desk.slices, hub.slices):
            slices.on_slice = longest.append
        await trio.sleep(seconds / 4)
        gc.collect()
        hub.work = 0.0
        ticks, began, first = hub.ticks, time.process_time(), resident()
        nursery.start_soon(load.beat)
        longest.clear()
        await trio.sleep(seconds / 2)
        half = resident()
        await trio.sleep(seconds / 2)
        result = Result(
            viewers=count,
            lags=list(load.lags),
            ticks=hub.ticks - ticks,
            work=hub.work / max(1, hub.ticks - ticks),
            slices=list(longest),
            interval=hub.interval,
            first=first,
            half=half,
            last=resident(),
            cpu=(time.process_time() - began) / seconds,
            seen=Seen(size=0, quick=0, slow=[]),
        )
        if process is not None:
            result.seen = await stop(process)
        nursery.cancel_scope.cancel()
    return result


def missed(result: Result) -> list[str]:
    """Return the floors that *result* missed."""
    floors: list[tuple[bool, str]] = [
        (share(result.lags, 0.99) <= LAG_P99, f"loop lag p99 is above {LAG_P99 * 1000:.0f} ms"),
        (share(result.slices, 0.99) <= SLICE_P99, f"slices p99 are above {SLICE_P99 * 1000:.0f} ms"),
        (result.last - result.half <= GROWTH, f"memory grew by more than {GROWTH:.0f} MiB in the second half"),
        (bool(result.viewers) or result.ticks == 0, "there were ticks with no viewer"),
        (result.viewers < _SOME or bool(result.seen["slow"]), "the slow viewer was not told what it missed"),
    ]
    return [f"{result.viewers} viewers: {what}" for holds, what in floors if not holds]


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; return 1 if a floor was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actors", type=int, default=1000)
    parser.add_argument("--events", type=int, default=10_000, help="a second, on the bus")
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--watch", nargs=3, metavar=("PORT", "TOKEN", "COUNT"), help="be the viewers")
    given = parser.parse_args(arguments)
    if given.watch:
        watch(int(given.watch[0]), given.watch[1], int(given.watch[2]))
        return 0
    os.environ["DUENNA_RUN_DIR"] = tempfile.mkdtemp()
    print(f"{given.actors} actors, {given.events} events/s, {given.actors * 10} messages/s")
    print(HEAD)
    failures: list[str] = []
    results: list[Result] = []
    for count in (0, 1, given.viewers):
        results.append(trio.run(run, given.actors, given.events, count, given.seconds))
        print(results[-1].line())
        failures += missed(results[-1])
    quiet, full = (share(result.lags, 0.99) * 1000 for result in (results[0], results[-1]))
    floor = LAG_P99 * 1000
    print(f"loop lag p99: {full:.1f} ms with {given.viewers} viewers, {quiet:.1f} ms with none; floor {floor:.0f} ms")
    for failure in failures:
        print(f"MISSED: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
