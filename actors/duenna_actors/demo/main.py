"""The demo put together: exchange, bot and observers, one run, and what is printed at its end."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import duenna
from duenna import Child, GaveUpError, StartFailedError, StopReport, Supervisor
from duenna.storage import StateError
from duenna.wallclock import WallTime, wall_time
from duenna_actors.demo.bot import Exchange, Pace, trading_bot
from duenna_actors.demo.exchange import DatabaseThief, LocalExchange
from duenna_actors.demo.faults import plan
from duenna_actors.demo.observers import Show
from duenna_actors.demo.report import Statistics, table, verdict
from duenna_actors.demo.screen import Screen, discard_output
from duenna_actors.sandbox import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Generator

    import trio

    from duenna_actors.demo.options import Options

WELL, GAVE_UP, NOT_OPERATIONAL = 0, 1, 3

QUICK = Pace(
    check_every=1.0,
    balance_every=2.0,
    oldest_balance=10.0,
    candles_every=5.0,
    request_timeout=2.0,
    first_data_within=3.0,
    stale_after=3.0,
    ack_timeout=3.0,
    connect_timeout=5.0,
    longest_backoff=3.0,
)
"""Everything is soon noticed and soon tried again: a minute is short."""


def demo(options: Options, *, clock: trio.abc.Clock | None = None, now: WallTime = wall_time) -> int:
    """Run the demo, print what became of it, and return the exit status."""
    screen = Screen(sys.stdout)
    statistics = Statistics()
    show = Show(statistics, None if options.is_quiet else screen, options.seconds)
    report, trouble = None, ""
    with _database(options) as (database, thief), screen.logging("ERROR" if options.is_quiet else "INFO"):
        exchange = _exchange_of(options)
        local = [] if options.rest else [_local(options, exchange, thief, now)]
        tree = trading_bot(exchange, options.symbols, str(database), pace=QUICK, now=now)
        try:
            report = duenna.run(
                tree,
                system=[*show.before(), *_watching(options, screen), *local, *show.after()],
                seed=options.seed,
                log_level=None,
                state=options.state,
                clock=clock,
            )
        except (GaveUpError, StartFailedError, StateError) as error:
            trouble = str(error)
    _tell_the_end(screen, statistics, report, trouble)
    if screen.is_broken:
        discard_output()
    return _status(statistics, report, is_unseen=screen.is_broken)


def _status(statistics: Statistics, report: StopReport | None, *, is_unseen: bool) -> int:
    if report is None:
        return GAVE_UP
    if report.reason.startswith("SIG") or is_unseen:  # interrupted in the middle of a fault: that is no failure
        return WELL
    return NOT_OPERATIONAL if statistics.not_operational() or not statistics.connections else WELL


def _tell_the_end(screen: Screen, statistics: Statistics, report: StopReport | None, trouble: str) -> None:
    screen.block(table(statistics))
    restarts = sum(record.restarts for record in statistics.connections.values())
    told = f"{statistics.duration:.0f} s, {statistics.faults} faults, {restarts} restarts of connections"
    if report is not None:
        screen.write(f"{told}; {_manner(report)}\n{verdict(statistics)}\n")
    else:
        screen.write(f"{told}\n")
        print(f"duenna demo: gave up: {trouble}", file=sys.stderr)


def _manner(report: StopReport) -> str:
    why = f" after {report.reason}" if report.reason.startswith("SIG") else ""
    late = f", late: {', '.join(report.overran)}" if report.overran else ""
    errors = f", cleanup failed: {'; '.join(report.cleanup_errors)}" if report.cleanup_errors else ""
    return f"stopped{why} in {report.duration:.1f} s{late}{errors}"


def _watching(options: Options, screen: Screen) -> list[Child | Supervisor]:
    if options.console is None:
        return []
    from duenna_actors.demo.watching import watching  # noqa: PLC0415  # its libraries take a while, and memory

    return watching(screen, options.console)


def _local(options: Options, exchange: Exchange, thief: DatabaseThief | None, now: WallTime) -> Child:
    chance = Random(options.seed)  # noqa: S311 - faults need no cryptography
    faults = plan(options.seconds, options.symbols, chance, with_database=thief is not None)
    local = LocalExchange(exchange, options.symbols, options.seed, faults if options.has_faults else [], thief, now)
    return Child("exchange", local.serve, ready="manual")


def _exchange_of(options: Options) -> Exchange:
    """Return the exchange that was named; nothing yet for the local one, which fills it in when it listens."""
    exchange = Exchange(options.rest, options.streams)
    if options.rest and _is_here(options.rest):  # a sandbox
        exchange.key, exchange.secret = SandboxSettings().api_key, SandboxSettings().api_secret
    elif options.rest:
        exchange.key = os.environ.get("DUENNA_DEMO_KEY", "")
        exchange.secret = os.environ.get("DUENNA_DEMO_SECRET", "")
    return exchange


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def _database(options: Options) -> Generator[tuple[Path, DatabaseThief | None]]:
    """Give the file for the fills, and who may take it away: nobody, if it is somebody's own."""
    if options.database is None:
        with tempfile.TemporaryDirectory(prefix="duenna-demo-") as folder:
            path = Path(folder) / "fills.sqlite3"
            yield path, DatabaseThief(path)
    elif options.database.exists():
        yield options.database, None
    else:
        thief = DatabaseThief(options.database)
        try:
            yield options.database, thief
        finally:
            thief.give_back()
