"""Which faults strike when, and how they are told. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from duenna.faults import Service
from duenna_actors.sandbox.faults import (
    Burst,
    ClockDrift,
    ClosedAfterOpen,
    CloseSockets,
    ConnectionsRefused,
    ConnectionsReset,
    DatabaseLost,
    Fault,
    GarbledAnswers,
    GarbledFrames,
    HalfOpen,
    HttpFailure,
    LostAnswers,
    Mute,
    RateLimited,
    ServerShutdown,
    SlowAnswers,
    StaleEvents,
    UpgradeRefused,
    kind_of,
)
from duenna_actors.sandbox.schedule import Scheduled
from duenna_actors.sandbox.service import sandbox_fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

CALM = 12.0
"""Seconds at the end of a run in which nothing fails any more, so that all can be well again."""

_ROUND = 48.0


def plan(seconds: float, symbols: Sequence[str], rng: Random, *, with_database: bool = True) -> list[Scheduled]:
    """Return the faults of a run of *seconds*: a fixed round first, then the same kinds with chance in them.

    The first minute is always the same. No fault lasts into the last `CALM` seconds.
    """
    planned: list[Scheduled] = []
    start = 0.0
    while start < seconds - CALM:
        is_first = start == 0.0
        for at, fault, duration in _round(symbols if is_first else rng.sample(symbols, len(symbols))):
            begins = start + at + (0.0 if is_first else rng.uniform(0.0, 1.0))
            ends = begins + (duration or (fault.retry_after if isinstance(fault, RateLimited) else 0.0))
            if ends <= seconds - CALM and (with_database or not isinstance(fault, DatabaseLost)):
                planned.append(Scheduled(begins, fault, duration))
        start += _ROUND
    return sorted(planned, key=lambda each: each.at)


def _round(symbols: Sequence[str]) -> list[tuple[float, Fault, float | None]]:
    first, last = symbols[0], symbols[-1]
    return [
        (3.0, CloseSockets(code=1006, count=1), None),
        (7.0, Mute(symbol=last), 4.5),
        (13.0, HttpFailure(status=503), 4.0),
        (20.0, DatabaseLost(), 3.0),
        (21.0, HalfOpen(path="/market*"), 0.5),
        (29.5, GarbledFrames(symbol=first, count=3), None),
        (31.0, RateLimited(retry_after=4.0, patience=1_000), None),
        (37.0, ConnectionsRefused(), 3.0),
        (42.5, CloseSockets(code=1000, reason="bye"), None),
        (44.0, SlowAnswers(latency=5.0), 3.0),
    ]


def tell(fault: Fault) -> str:
    """Say what *fault* does."""
    if isinstance(fault, CloseSockets):
        which = "every websocket" if fault.count is None else f"{fault.count} websocket{'s' * (fault.count > 1)}"
        return f"{which} closed with code {fault.code}"
    words = _WORDS.get(type(fault), kind_of(fault).replace("_", " "))
    return words.format_map(msgspec.structs.asdict(fault))


_WORDS: dict[type[Fault], str] = {
    Mute: "mute symbol: no data of {symbol}, all else looks well",
    HalfOpen: "mute sockets: open websockets stay open and get nothing any more, no data, no pong",
    HttpFailure: "HTTP {status} to every request",
    RateLimited: "HTTP 429 to every request, Retry-After {retry_after:g} s",
    SlowAnswers: "slow answers: every request takes {latency:g} s",
    ConnectionsRefused: "the exchange is gone: connections refused",
    DatabaseLost: "the database file is gone",
    StaleEvents: "old events: {age:g} s",
    GarbledFrames: "garbage: {count} messages of {symbol}, {mode}",
    Burst: "a burst of {messages} messages",
    ServerShutdown: "the exchange says that it will shut down, and does in {notice:g} s",
    UpgradeRefused: "websockets refused with status {status}",
    ClosedAfterOpen: "websockets closed {after:g} s after they are opened, code {code}",
    LostAnswers: "lost answers: {mode}",
    GarbledAnswers: "garbled answers: {mode}",
    ClockDrift: "the clock of the exchange is {offset:+g} s off",
    ConnectionsReset: "connections reset as they are made",
}


def tell_planned(fault: Mapping[str, Any], target: str) -> str:
    """Say what a fault of a plan does, given as it stands in a trace, and to whom."""
    kind = str(fault["kind"])
    if kind == "service":
        return tell(sandbox_fault(Service(name=fault["name"], params=fault["params"]))[0])
    words = _PLANNED.get(kind, kind.replace("_", " "))
    return words.format_map({**fault, "target": target.rpartition("/")[2]})


_PLANNED = {
    "latency": "slow network: {extra:.1f} s more each way",
    "bandwidth": "narrow network: {bytes_per_second:,.0f} bytes/s",
    "loss": "lossy network: {rate:.0%} of all packets",
    "partition": "no network: nothing comes through",
    "stall": "open connections stall",
    "half_open": "open connections are dead, but nobody says so",
    "reset": "every connection reset",
    "refuse": "connections refused",
    "truncate": "a connection is cut off in the middle of a packet",
    "flip_byte": "a flipped byte",
    "name_not_found": "no such name in DNS",
    "tls_failure": "TLS fails",
    "database_lost": "the database file is gone",
    "database_slow": "the database takes {delay:.1f} s longer",
    "disk_full": "the disk is full",
    "clock_step": "the clock of the machine jumps by {offset:+.1f} s",
    "suspend": "the machine sleeps for {length:.0f} s",
    "crash": "{target} crashes with {error}",
}
