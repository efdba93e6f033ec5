"""What `guards.py` measures, who takes part, and the goals that the project set itself.

A subject is one line of a table: the guard in one of its forms, a peer, or a call without either. It takes part in the
columns that it has a job for.
"""

from collections.abc import Mapping

import attrs
from _plan import Measure

GUARD = "guard"
BARE = "bare"
CHECKPOINT = "guard:failed.trio.checkpoint"

REQUIREMENTS = (
    "aiobreaker==1.2.0",
    "circuitbreaker==2.1.3",
    "hyx==0.0.2",
    "purgatory==3.0.1",
    "pybreaker==1.4.1",
    "pyresilience==0.4.1",
    "stamina==26.1.0",
    "tenacity==9.2.1",
)
"""The peers, to which comes the trio that duenna runs on."""


@attrs.frozen
class Subject:
    """One line of a table.

    Attributes:
        name: Of its jobs.
        title: What the reader sees.
        size: Calls per sample.
        columns: Where it takes part.
        is_single: Whether it is a peer with one policy, which a goal may compare with.
        side: Whose worker has the jobs.
    """

    name: str
    title: str
    size: int
    columns: tuple[str, ...]
    is_single: bool = False
    side: str = "guard"

    def job(self, topic: str, column: str) -> str:
        """Return its job for *topic* in *column*."""
        return f"{self.side}:{topic}.{column}.{self.name}"


@attrs.frozen
class Topic:
    """One table.

    Attributes:
        name: Of its jobs.
        title: What the reader sees.
        columns: Where the calls run.
        subjects: Its lines.
        extra: Jobs that are measured beside, with the calls of a sample.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    subjects: tuple[Subject, ...]
    extra: Mapping[str, int] = {}

    def measure(self, column: str) -> Measure:
        """Return the jobs of one column, which take turns."""
        jobs = {each.job(self.name, column): each.size for each in self.subjects if column in each.columns}
        return Measure(f"{self.name}.{column}", jobs | dict(self.extra))


@attrs.frozen
class Ratio:
    """Goal: the guard takes at most so many times what the quickest peer of one policy takes."""

    topic: str
    column: str
    most: float


@attrs.frozen
class Extra:
    """Goal: the guard takes at most so many seconds more than the bare call."""

    topic: str
    column: str
    most: float


SYNC, TRIO, ASYNCIO = "sync", "trio", "asyncio"
EVERYWHERE = (SYNC, TRIO, ASYNCIO)
ASYNC = (TRIO, ASYNCIO)


def _peers(*rows: tuple[str, str, int, tuple[str, ...]], is_single: bool) -> tuple[Subject, ...]:
    return tuple(Subject(*row, is_single=is_single, side="policies") for row in rows)


_SUCCESS = (
    Subject(BARE, "the bare call", 200_000, EVERYWHERE),
    Subject("wrapper", "an empty wrapper with *args, **kwargs", 200_000, EVERYWHERE),
    Subject(GUARD, 'Guard("x"): retry, breaker window, counters', 200_000, EVERYWHERE),
    Subject("guard, any arguments", "  of a function with *args, **kwargs", 200_000, EVERYWHERE),
    Subject("guard.call", 'Guard("x").call(...), call_sync(...)', 100_000, EVERYWHERE),
    Subject("last_good", "  with fallback=Fallback.last_good(60)", 30_000, EVERYWHERE),
    Subject("bulkhead", "  with bulkhead=10", 30_000, EVERYWHERE),
    Subject("deadline", "  with deadline=10", 20_000, EVERYWHERE),
    Subject("attempt_timeout", "  with attempt_timeout=1", 20_000, ASYNC),
    *_peers(
        ("circuitbreaker", "circuitbreaker: breaker", 50_000, EVERYWHERE),
        ("pybreaker", "pybreaker: breaker", 30_000, (SYNC,)),
        ("aiobreaker", "aiobreaker: breaker", 30_000, EVERYWHERE),
        ("purgatory", "purgatory: breaker", 30_000, EVERYWHERE),
        ("hyx", "hyx: breaker", 50_000, ASYNC),
        ("pyresilience", "pyresilience: breaker", 30_000, EVERYWHERE),
        ("hyx retry", "hyx: retry", 50_000, ASYNC),
        ("pyresilience retry", "pyresilience: retry", 30_000, EVERYWHERE),
        ("stamina", "stamina: retry", 5_000, EVERYWHERE),
        ("tenacity", "tenacity: retry", 5_000, EVERYWHERE),
        is_single=True,
    ),
    *_peers(
        ("hyx both", "hyx: retry and breaker", 30_000, ASYNC),
        ("pyresilience both", "pyresilience: retry and breaker", 20_000, EVERYWHERE),
        ("stamina + circuitbreaker", "stamina round circuitbreaker", 5_000, EVERYWHERE),
        is_single=False,
    ),
)
_BREAKERS = _peers(
    ("circuitbreaker", "circuitbreaker", 30_000, (SYNC, TRIO)),
    ("pybreaker", "pybreaker", 20_000, (SYNC,)),
    ("aiobreaker", "aiobreaker", 20_000, (SYNC, TRIO)),
    ("purgatory", "purgatory", 20_000, (SYNC, TRIO)),
    ("hyx", "hyx", 20_000, (TRIO,)),
    ("pyresilience", "pyresilience", 20_000, (SYNC, TRIO)),
    is_single=True,
)

TOPICS = (
    Topic("success", "A call that succeeds", EVERYWHERE, _SUCCESS),
    Topic(
        "rejected",
        "A rejection by an open breaker",
        (SYNC, TRIO),
        (Subject(GUARD, 'Guard("x"), retry and all', 30_000, (SYNC, TRIO)), *_BREAKERS),
    ),
    Topic(
        "failed",
        "A failure that the breaker counts (3 of them, then a success, and so on)",
        (SYNC, TRIO),
        (
            Subject(BARE, "the bare call", 100_000, (SYNC, TRIO)),
            Subject(GUARD, 'Guard("x", retry=None)', 30_000, (SYNC, TRIO)),
            Subject("guard, not retried", 'Guard("x"), of a kind that is not tried again', 30_000, (SYNC, TRIO)),
            Subject("guard, retried", 'Guard("x"), tried again at once', 20_000, (TRIO,)),
            *_BREAKERS,
        ),
        {CHECKPOINT: 20_000},
    ),
)
GOALS: tuple[Ratio | Extra, ...] = (
    Ratio("success", SYNC, 0.35),
    Ratio("success", TRIO, 0.35),
    Ratio("rejected", SYNC, 1.0),
    Ratio("rejected", TRIO, 1.0),
    Extra("failed", SYNC, 2e-6),
    Extra("failed", TRIO, 2e-6),
)
