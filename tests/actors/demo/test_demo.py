"""`duenna demo`, as a process of its own."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from tests.actors.demo.program import PROGRAM, demo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.actors.conftest import Faulty


@attrs.frozen
class Demos:
    """Demos that take some seconds each, and take them at the same time.

    Attributes:
        quiet: Without faults; it ends by itself.
        database: What it writes.
        long: With faults, until it is stopped.
        alone: Without an exchange.
    """

    quiet: subprocess.Popen[str]
    database: Path
    long: subprocess.Popen[str]
    alone: subprocess.Popen[str]


@pytest.fixture(scope="module", autouse=True)
def demos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demos]:
    """Give them, started before the first test."""
    database = tmp_path_factory.mktemp("demo") / "fills.db"
    with (
        demo("--seconds", "6", "--no-faults", "--database", str(database)) as quiet,
        demo("--seconds", "60") as long,
        demo("--seconds", "2", "--quiet", "--url", "http://127.0.0.1:9") as alone,
    ):
        yield Demos(quiet, database, long, alone)
        for process in (quiet, long, alone):
            process.kill()


def test_it_ends_by_itself_with_every_connection_operational(demos: Demos) -> None:
    process = demos.quiet
    out, errors = process.communicate(timeout=60)

    assert process.returncode == 0, out + errors
    assert out.splitlines()[-1] == "every connection operational"
    assert "└── trading" in out
    assert errors == ""
    for path in ("database", "api", "balance", "feeds/btcusdt", "feeds/ethusdt"):
        assert f"\n/bot/{path} " in out
    with closing(sqlite3.connect(demos.database)) as found:
        assert found.execute("SELECT count(*) FROM means").fetchone()[0] > 0


@pytest.mark.slow
def test_faults_are_seen_and_survived(faulty: Faulty) -> None:
    """One of the websocket, which costs a restart, and one of a symbol, which does not."""
    out, errors = faulty.process.communicate(timeout=90)
    out = faulty.begun + out

    assert faulty.process.returncode == 0, out + errors
    assert out.splitlines()[-1] == "every connection operational"
    order = [
        "every child has started",
        ">>> 1 websocket closed with code 1006",
        " -> NETWORK/MEDIUM transient -> network_retry -> ok after ",
        ">>> mute symbol: no data of ETHUSDT",
        "◐ degraded",
        "<<< over: mute symbol",
        "StaleFeedError: ",
        " -> ok by itself after ",
        "longest outage",
    ]
    place = 0
    for text in order:
        place = out.index(text, place)
    chains = [line for line in out.splitlines() if "FeedClosedError" in line and " -> " in line]
    assert len(chains) == 1  # one incident, one line: error, verdict, action, outcome, time to recover
    assert re.fullmatch(
        r" *\d+\.\d  INFO     /bot/feeds/(btc|eth)usdt    FeedClosedError: websocket closed by the far end: code 1006"
        r" -> NETWORK/MEDIUM transient -> network_retry -> ok after \d+\.\d s",
        chains[0],
    )


def test_an_interrupt_is_an_orderly_stop(demos: Demos) -> None:
    process = demos.long
    assert process.stdout is not None
    for line in process.stdout:
        if ">>> " in line:
            break
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)

    assert process.returncode == 0, out + errors
    assert "stopped after SIGINT in" in out
    assert "longest outage" in out


def test_an_exchange_that_is_not_there_is_said_at_the_end(demos: Demos) -> None:
    process = demos.alone
    out, errors = process.communicate(timeout=60)

    assert process.returncode == 3, out + errors
    assert out.splitlines()[-1].startswith("not operational: /bot/api (")
    assert out.startswith("connection ")


def test_a_wrong_option_is_one_line() -> None:
    process = demo("--seconds", "-1")
    out, errors = process.communicate(timeout=60)

    assert process.returncode == 2
    assert (out, errors) == ("", "duenna demo: --seconds must be a number > 0 and <= 86400, got '-1'\n")


def test_a_reader_that_leaves_ends_it() -> None:
    process = demo("--seconds", "60", "--no-faults")
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_missing_library_is_told_by_its_extra() -> None:
    program = PROGRAM.replace("import argparse, sys", "import argparse, sys; sys.modules['httpx2'] = None")
    process = demo("--seconds", "1", program=program)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert 'ImportError: the demo needs httpx2: pip install "duenna[demo]"' in errors  # `duenna` prints the text alone


GIVES_UP = """
import sys
from duenna import Child, Supervisor
from duenna_actors.demo import main, options
async def crash(context):
    raise ValueError("too much")
main.trading_bot = lambda *_, **__: Supervisor("bot", [Child("strategy", crash)], intensity=0)
import argparse
parser = argparse.ArgumentParser()
options.add_options(parser)
sys.exit(main.demo(options.read_options(parser.parse_args())))
"""


def test_giving_up_is_status_1_and_says_why() -> None:
    process = demo("--seconds", "30", program=GIVES_UP)
    out, errors = process.communicate(timeout=60)

    assert process.returncode == 1, out + errors
    assert errors.startswith("duenna demo: gave up: ")
    assert "ValueError: too much" in out + errors
