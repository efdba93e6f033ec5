"""The bot of the demo, as a program of its own."""

from __future__ import annotations

import ast
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import trio

import duenna_actors.demo.bot
from duenna_actors.demo.bot import Pace
from duenna_actors.sandbox import SandboxSettings, open_sandbox

EXAMPLE = Path(__file__).parents[2] / "examples" / "trading_bot.py"


def definitions(source: str) -> dict[str, str]:
    """Return what *source* defines and sets, by name."""
    found: dict[str, str] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = ast.dump(node)
        elif isinstance(node, ast.Assign):
            found[ast.dump(node.targets[0])] = ast.dump(node)
    return found


def test_it_is_the_bot_that_the_demo_runs() -> None:
    shipped = definitions(Path(str(duenna_actors.demo.bot.__file__)).read_text())
    example = definitions(EXAMPLE.read_text())

    example.pop("main")
    assert example == shipped


async def test_it_trades_on_an_exchange_and_stops_in_order(tmp_path: Path) -> None:
    database, settings = tmp_path / "fills.db", SandboxSettings()
    environment = os.environ | {"API_KEY": settings.api_key, "API_SECRET": settings.api_secret}
    async with open_sandbox(settings=settings) as sandbox, trio.open_nursery() as nursery:
        command = [sys.executable, str(EXAMPLE), "--url", sandbox.url, "--database", str(database)]
        run = partial(trio.run_process, command, stderr=subprocess.PIPE, env=environment, cwd=tmp_path)
        process: trio.Process = await nursery.start(run)
        assert process.stderr is not None
        log, wanted = b"", {b"balance connecting -> operational", b"websocket connecting -> operational"}
        with trio.fail_after(60):
            async for part in process.stderr:
                log += part
                if all(text in log for text in wanted) and count(database):
                    break
            process.send_signal(signal.SIGINT)
            async for part in process.stderr:
                log += part
            await process.wait()

    assert process.returncode == 0, log
    assert b"stop report: SIGINT" in log


def count(database: Path) -> int:
    """Return how many means have been written down."""
    if not database.exists():
        return 0
    with closing(sqlite3.connect(database)) as found:
        try:
            return int(found.execute("SELECT count(*) FROM means").fetchone()[0])
        except sqlite3.OperationalError:  # the table is not there yet
            return 0


def test_a_pace_holds_times_that_make_sense() -> None:
    with pytest.raises(ValueError, match=r"^check_every must be > 0 seconds and finite, got 0\.0$"):
        Pace(check_every=0.0)
    with pytest.raises(ValueError, match=r"^stale_after must be > 0 seconds and finite, got inf$"):
        Pace(stale_after=float("inf"))
    with pytest.raises(ValueError, match=r"^oldest_balance must be > balance_every \(30\.0\), got 30\.0$"):
        Pace(oldest_balance=30.0)


def test_the_worst_outage_is_made_of_what_the_pace_says() -> None:
    """Detection 15 + 5 + 15, disconnection 3, backoff 30, handshake 10, first data 15."""
    assert Pace().worst_outage == 93.0
