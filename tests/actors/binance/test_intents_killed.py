"""Orders under intents, by a bot that is killed: each is at the exchange once, however often it was tried."""

from __future__ import annotations

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from duenna_actors.sandbox import LostAnswers, open_sandbox

from .client_kit import LIKE_THE_EXCHANGE, orders_of, until

if TYPE_CHECKING:
    from duenna_actors.sandbox import Sandbox

PROGRAM = Path(__file__).parent / "programs" / "buyer.py"
ORDERS = 3
LIVES = [
    ("0", "stored", 0),  # the intent is durable, the order was not sent
    ("0", "answered", 1),  # filled, and nothing of that is durable
    ("0", "noted", 1),
    ("1", "filled", 2),  # filled at the exchange, and the answer is still out
    ("1", "stored", 2),
    ("2", "answered", 3),
]


async def live(sandbox: Sandbox, state: Path, number: str = "", moment: str = "") -> trio.Process:
    """Run the bot until it ends, or dies at that moment of order *number*."""
    command = [sys.executable, str(PROGRAM), sandbox.url, str(state), str(ORDERS), number, moment]
    before = len(orders_of(sandbox))
    async with trio.open_nursery() as nursery:
        if moment == "filled":
            sandbox.faults.inject(LostAnswers(mode="silence", count=1))
        run = partial(trio.run_process, command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        process: trio.Process = await nursery.start(run)
        if moment == "filled":
            with trio.fail_after(60):
                await until(lambda: len(orders_of(sandbox)) > before)
            process.kill()
    return process


@pytest.mark.slow
async def test_each_order_is_placed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exchange fills what is sent twice a second time, as the real one does with orders that are not open."""
    async with open_sandbox(symbols=["BTCUSDT"], seed=1, settings=LIKE_THE_EXCHANGE) as sandbox:
        for number, moment, orders in LIVES:
            process = await live(sandbox, tmp_path, number, moment)
            assert process.returncode == -signal.SIGKILL, (number, moment)
            assert len(orders_of(sandbox)) == orders, (number, moment)
        process = await live(sandbox, tmp_path)
        placed = orders_of(sandbox)

    assert process.returncode == 0
    assert len(placed) == len({order.client_id for order in placed}) == ORDERS
    assert [order.status for order in placed] == ["FILLED"] * ORDERS
    with capsys.disabled():
        sys.stdout.write(
            f"\n  intents: killed {len(LIVES)} times around the effect, {ORDERS} of {ORDERS} orders there, once each\n"
        )
