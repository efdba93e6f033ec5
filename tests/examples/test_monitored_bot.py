"""The bot with the three monitors, through an hour with outages, on virtual time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from runpy import run_path

import trio

from duenna import ChildState, open_runtime
from duenna.testing import fresh_guards
from duenna_actors.monitors import EngineState, PositionClosed, TradingChanged

EXAMPLE = Path(__file__).parents[2] / "examples" / "monitored_bot.py"


async def test_it_trades_only_while_the_exchange_is_there(autojump_clock: trio.testing.MockClock) -> None:
    example = run_path(str(EXAMPLE), run_name="monitored_bot")
    exchange = example["Exchange"]()
    largest = 0
    with fresh_guards():
        async with open_runtime(example["monitored_bot"](exchange), seed=1, log_level=None) as runtime:
            with runtime.events(TradingChanged, PositionClosed, capacity=100_000) as events:
                for _ in range(3_600):
                    await trio.sleep(1)
                    largest = max(largest, exchange.held)
                found = list(events.drain())
            tree = runtime.tree()

    moves = [event.state for event in found if isinstance(event, TradingChanged)]
    closes = [event for event in found if isinstance(event, PositionClosed)]
    assert moves.count(EngineState.RUNNING) > 5
    assert moves.count(EngineState.PAUSED) > 5
    assert len(closes) > 100
    assert largest <= 10
    assert {child.state for child in tree.children} <= {ChildState.RUNNING, ChildState.BACKOFF}
    assert tree.find("/bot/positions").restarts == tree.find("/bot/coordinator").restarts == 0


def test_it_runs_until_it_is_interrupted() -> None:
    process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own file
        [sys.executable, str(EXAMPLE)], stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "paused -> running" in line:
            break
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=30)

    assert process.returncode == 0, log
    assert "stop report: SIGINT" in log
