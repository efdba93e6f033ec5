"""The demo is killed while it trades, and started again: what was told stands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

TRADE = re.compile(r"(bought|sold) ([\d.]+) (\w+) at")
LIVES = 2


def duenna(*arguments: str) -> list[str]:
    """Return the command line of a verb."""
    return [sys.executable, "-c", "from duenna.cli import main; raise SystemExit(main())", *arguments]


def killed_after(trades: int, folder: Path) -> list[str]:
    """Run the demo until it has told of so many trades; kill it, and return what it printed."""
    command = duenna("demo", "--state", str(folder), "--no-faults", "--seconds", "600", "--symbols", "BTCUSDT,ETHUSDT")
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # our own
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            trades -= TRADE.search(line) is not None
            if trades == 0:
                break
        process.kill()
    return lines


def book(folder: Path) -> dict[str, Any]:
    """Return what is stored of the book of positions."""
    command = duenna("state", "show", str(folder), "/bot/trading/book", "--json")
    shown = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # our own
    fields: dict[str, Any] = json.loads(shown.stdout)["entries"]["actor:/bot/trading/book"]["values"]
    return fields


@pytest.mark.slow
def test_positions_survive_kill_9(tmp_path: Path) -> None:
    """Every trade that was told is in the state; the next life goes on with it and says so in three lines."""
    folder, fills = tmp_path / "state", 0
    held: dict[str, float] = {}
    for life in range(LIVES):
        lines = killed_after(2, folder)
        found = [line for line in lines if "/system/persistence" in line]
        told = [match for line in lines if (match := TRADE.search(line))]
        for match in told:
            verb, quantity, symbol = match.groups()
            held[symbol] = float(quantity) if verb == "bought" else 0.0

        assert len(found) == (3 if life else 0)
        if life:
            assert "restored 1 actor" in found[0]
            assert "s old; the last process ended without a stop in order" in found[1]
            assert "nothing to resume" in found[2]
        stored = book(folder)
        fills += len(told)
        # a trade may have been saved in the moment of the kill, and not told any more
        assert stored["fills"] - fills in range(life + 2)
        if stored["fills"] == fills:
            assert {symbol: quantity for symbol, quantity in stored["held"].items() if quantity} == {
                symbol: quantity for symbol, quantity in held.items() if quantity
            }
        fills, held = stored["fills"], stored["held"]
