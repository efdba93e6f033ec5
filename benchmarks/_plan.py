"""What is measured, what it is compared with, and the floors that the project set itself.

A job is one worker's measure, written ``side:measure``. The jobs of one `Measure` take turns, sample by sample, so that
a machine that slows down slows all of them; a row of the table compares one job of duenna with one of each other side.
"""

from collections.abc import Mapping

import attrs

FLOOR_MACHINE_CHECKPOINT = 2.97e-6
"""Seconds that a trio checkpoint took on the machine where the absolute floors were set."""

CHECKPOINT = "trio:checkpoint"


@attrs.frozen
class Measure:
    """Jobs that take turns.

    Attributes:
        name: Its name for ``--only``.
        jobs: Operations per sample, by job.
        rounds: Samples of each job at most.
        fresh: Every sample in a process of its own, without a warm-up: for measures of memory.
        is_long: Left out by ``--quick``.
    """

    name: str
    jobs: Mapping[str, int]
    rounds: int = 100
    fresh: bool = False
    is_long: bool = False


@attrs.frozen
class AtLeast:
    """Floor: so many times as fast as another side."""

    side: str
    ratio: float


@attrs.frozen
class AtMost:
    """Floor: no more than so many seconds (or bytes) for each operation."""

    limit: float


@attrs.frozen
class Row:
    """One line of the table.

    Attributes:
        title: What the reader sees.
        measure: Name of the measure.
        own: duenna's job.
        unit: Unit in which it is shown.
        metric: Which of the job's metrics.
        trio: Raw trio's job; empty if there is none.
        peers: The peers that it is compared with.
        floors: The floors to be beaten; none for a line that only informs.
    """

    title: str
    measure: str
    own: str
    unit: str = "us"
    metric: str = "seconds"
    trio: str = ""
    peers: tuple[str, ...] = ()
    floors: tuple[AtLeast | AtMost, ...] = ()

    def jobs(self) -> dict[str, str]:
        """Return the other sides' jobs by side."""
        return ({"trio": self.trio} if self.trio else {}) | {peer.partition(":")[0]: peer for peer in self.peers}


MEASURES = (
    Measure(
        "tell",
        {
            "duenna:tell_async": 60_000,
            "trio:tell": 10_000,
            "duenna:tell_sync": 60_000,
            "trio:tell_batched": 60_000,
            "duenna:send": 10_000,
            "asyncio:tell": 40_000,
            "pykka:tell": 10_000,
            "triotp:tell": 3_000,
        },
    ),
    Measure(
        "ask",
        {
            "duenna:ask_inline": 20_000,
            "trio:ask": 5_000,
            "duenna:ask_async": 8_000,
            "trio:ask_busy": 4_000,
            "duenna:ask_busy": 8_000,
            "asyncio:ask": 8_000,
            "pykka:ask": 2_000,
            "triotp:ask": 1_500,
        },
    ),
    Measure("chain", {"duenna:chain_sync": 1_000, "trio:chain": 100, "duenna:chain_async": 1_000}),
    Measure("fan_out", {"duenna:fan_out_sync": 100, "trio:fan_out": 10, "duenna:fan_out_async": 100}),
    Measure(
        "spawn",
        {
            "duenna:spawn": 100_000,
            "trio:spawn": 20_000,
            CHECKPOINT: 30_000,
            "asyncio:spawn": 20_000,
            "pykka:spawn": 1_000,
            "triotp:spawn": 5_000,
        },
        rounds=3,
        fresh=True,
    ),
    Measure("million", {"duenna:spawn": 1_000_000}, rounds=1, fresh=True, is_long=True),
    Measure("crash", {"duenna:crash": 5_000, "trio:crash": 3_000, CHECKPOINT: 30_000, "triotp:crash": 500}),
    Measure("one_for_all", {"duenna:one_for_all": 10_000, "trio:one_for_all": 10_000, CHECKPOINT: 30_000}, rounds=5),
    Measure(
        "timers",
        {"duenna:timers": 100_000, "trio:timers": 20_000, CHECKPOINT: 30_000, "asyncio:timers": 100_000},
        rounds=3,
    ),
)

ROWS = (
    Row(
        "tell, async handler",
        "tell",
        "duenna:tell_async",
        trio="trio:tell",
        peers=("triotp:tell", "pykka:tell", "asyncio:tell"),
        floors=(AtLeast("trio", 12), AtLeast("triotp", 20)),
    ),
    Row("tell, sync handler", "tell", "duenna:tell_sync", trio="trio:tell"),
    Row("tell, against send_nowait in bursts", "tell", "duenna:tell_async", trio="trio:tell_batched"),
    Row("send, awaited for each message", "tell", "duenna:send", trio="trio:tell"),
    Row(
        "ask, idle actor, sync handler",
        "ask",
        "duenna:ask_inline",
        trio="trio:ask",
        peers=("triotp:ask", "pykka:ask", "asyncio:ask"),
        floors=(AtLeast("trio", 3.5),),
    ),
    Row(
        "ask through the mailbox, async handler",
        "ask",
        "duenna:ask_async",
        trio="trio:ask",
        peers=("triotp:ask", "pykka:ask", "asyncio:ask"),
        floors=(AtLeast("trio", 1.4),),
    ),
    Row(
        "ask through the mailbox, busy actor",
        "ask",
        "duenna:ask_busy",
        trio="trio:ask_busy",
        floors=(AtLeast("trio", 1.4),),
    ),
    Row(
        "chain of 100, sync, a hop",
        "chain",
        "duenna:chain_sync",
        trio="trio:chain",
        floors=(AtLeast("trio", 10),),
    ),
    Row(
        "chain of 100, async, a hop",
        "chain",
        "duenna:chain_async",
        trio="trio:chain",
        floors=(AtLeast("trio", 10),),
    ),
    Row(
        "fan-out to 1,000, sync, a delivery",
        "fan_out",
        "duenna:fan_out_sync",
        trio="trio:fan_out",
        floors=(AtLeast("trio", 14),),
    ),
    Row(
        "fan-out to 1,000, async, a delivery",
        "fan_out",
        "duenna:fan_out_async",
        trio="trio:fan_out",
        floors=(AtLeast("trio", 12),),
    ),
    Row(
        "idle actor of 100,000, its spec included",
        "spawn",
        "duenna:spawn",
        "bytes",
        metric="bytes",
        trio="trio:spawn",
        peers=("triotp:spawn", "pykka:spawn", "asyncio:spawn"),
        floors=(AtMost(600),),
    ),
    Row(
        "spawn, start_children of 100,000",
        "spawn",
        "duenna:spawn",
        trio="trio:spawn",
        peers=("triotp:spawn", "pykka:spawn", "asyncio:spawn"),
        floors=(AtMost(5e-6),),
    ),
    Row("spawn, making the specs too", "spawn", "duenna:spawn", metric="with_specs", trio=""),
    Row("1,000,000 supervised actors, whole process", "million", "duenna:spawn", "GB", "peak", floors=(AtMost(0.7e9),)),
    Row(
        "crash to restarted, a cell",
        "crash",
        "duenna:crash",
        trio="trio:crash",
        peers=("triotp:crash",),
        floors=(AtMost(20e-6),),
    ),
    Row("crash to the next crash", "crash", "duenna:crash", metric="cycle", trio="trio:crash"),
    Row(
        "one_for_all of 10,000 quiet cells",
        "one_for_all",
        "duenna:one_for_all",
        "ms",
        trio="trio:one_for_all",
        floors=(AtMost(50e-3),),
    ),
    Row(
        "timer of 100,000, arm and fire",
        "timers",
        "duenna:timers",
        trio="trio:timers",
        peers=("asyncio:timers",),
        floors=(AtMost(2e-6),),
    ),
)
