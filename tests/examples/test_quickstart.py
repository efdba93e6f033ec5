"""The first bot that a newcomer sees."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from runpy import run_path

import trio

from duenna import ChildState, open_runtime

EXAMPLE = Path(__file__).parents[2] / "examples" / "quickstart.py"


async def test_the_trader_never_notices(autojump_clock: trio.testing.MockClock) -> None:
    bot = run_path(str(EXAMPLE), run_name="quickstart")["bot"]
    async with open_runtime(bot, seed=1, log_level=None) as runtime:
        await trio.sleep(300)

        tree = runtime.tree()

    assert tree.find("/bot/trader").state == ChildState.RUNNING
    assert tree.find("/bot/trader").restarts == 0
    assert tree.find("/bot/trader").mailbox.received > 200
    assert tree.find("/bot/feeds/btc").restarts > 5


def test_it_runs_until_it_is_interrupted() -> None:
    process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own file
        [sys.executable, str(EXAMPLE)], stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "runtime started" in line:
            break
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=30)

    assert process.returncode == 0, log
    assert "stop report: SIGINT" in log


def test_it_is_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 40
