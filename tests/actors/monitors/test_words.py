"""Each event is one line, for a person; and the docs say what the code does."""

from __future__ import annotations

import inspect
import re
from decimal import Decimal
from math import inf
from pathlib import Path
from typing import Any

import pytest

from duenna.events import Event
from duenna_actors import monitors
from duenna_actors.monitors import (
    EngineState,
    MemoryLevel,
    MemoryMonitor,
    MemoryPressure,
    MemoryRelieved,
    MemoryStep,
    PositionBreached,
    PositionBreachEnded,
    PositionClosed,
    PositionCloseFailed,
    PositionClosing,
    PositionMonitor,
    PositionsFresh,
    PositionsStale,
    TradeEngineCoordinator,
    TradingChanged,
    TradingSettingsChanged,
)
from duenna_actors.monitors._growth import MOST_SAMPLES

PAGE = (Path(__file__).parents[3] / "docs" / "monitors.md").read_text()
MIB = 1 << 20
AT: dict[str, Any] = {"time": 0.0, "path": "/bot/x"}
BTC: dict[str, Any] = AT | {"position": "BTCUSDT", "symbol": "BTCUSDT"}
HIGH: dict[str, Any] = AT | {"pressure": MemoryLevel.HIGH, "size": 3 * MIB, "limit": 2 * MIB}


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            MemoryPressure(**HIGH, step=MemoryStep.RESTART, target="/bot/strategy"),
            "memory pressure high: 3.0 MiB resident of 2.0 MiB: restart /bot/strategy",
        ),
        (
            MemoryPressure(**HIGH, step=MemoryStep.NOTICE, growth=1.5 * MIB),
            "memory pressure high: 3.0 MiB resident of 2.0 MiB, +1.5 MiB a minute: notice",
        ),
        (
            MemoryRelieved(**AT, size=MIB, limit=2 * MIB, lasted=60.0),
            "memory pressure over after 60.0 s: 1.0 MiB resident of 2.0 MiB",
        ),
        (
            PositionBreached(**BTC, quantity=Decimal(-3), why="quantity 3 is more than 2"),
            "position BTCUSDT of -3: quantity 3 is more than 2",
        ),
        (PositionBreachEnded(**BTC), "position BTCUSDT is within its threshold again"),
        (
            PositionClosing(**BTC, order_id="close-1", quantity=Decimal(3), may_exist=False),
            "closing position BTCUSDT of 3 with order close-1",
        ),
        (
            PositionClosing(**BTC, order_id="close-1", quantity=Decimal(3), may_exist=True),
            "closing position BTCUSDT of 3 with order close-1, which may have been sent before",
        ),
        (PositionClosed(**BTC, order_id="close-1"), "position BTCUSDT was closed with order close-1"),
        (
            PositionCloseFailed(**BTC, order_id="close-1", outcome_unknown=True, failures=2, error="OSError: cut"),
            "position BTCUSDT was not closed (failure 2, outcome unknown): OSError: cut",
        ),
        (
            PositionCloseFailed(**BTC, order_id="close-1", outcome_unknown=False, failures=1, error="OSError: cut"),
            "position BTCUSDT was not closed (failure 1): OSError: cut",
        ),
        (
            PositionsStale(**AT, age=31.0, max_age=30.0),
            "positions are 31.0 s old, more than 30.0 s: nothing is enforced",
        ),
        (PositionsFresh(**AT), "positions are known again"),
        (
            TradingChanged(**AT, previous=EngineState.RUNNING, state=EngineState.PAUSED, reasons=("a", "b")),
            "trade engine running -> paused: a; b",
        ),
        (
            TradingChanged(**AT, previous=EngineState.PAUSED, state=EngineState.RUNNING, reasons=()),
            "trade engine paused -> running",
        ),
        (
            TradingSettingsChanged(**AT, is_given=False, why="volatile"),
            "trade engine uses others than it was given: volatile",
        ),
        (TradingSettingsChanged(**AT, is_given=True, why=""), "trade engine uses those it was given"),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, Event) else "",
)
def test_an_event_is_one_line(event: Event, line: str) -> None:
    assert event.text() == line


@pytest.mark.parametrize("actor", [MemoryMonitor, PositionMonitor, TradeEngineCoordinator])
def test_the_options_in_the_docs_are_those_of_the_code(actor: type) -> None:
    _, _, after = PAGE.partition(f"<!-- options: {actor.__name__} -->\n")
    table = after.partition("\n\n")[0]
    written = dict(re.findall(r"^\| `(\w+)` \| (?:`(.+?)`|) *\|", table, re.MULTILINE))
    parameters = list(inspect.signature(actor).parameters.values())

    assert list(written) == [parameter.name for parameter in parameters]
    names = vars(monitors) | {"inf": inf}
    for parameter in parameters:
        default = written[parameter.name]
        if parameter.default is inspect.Parameter.empty:
            assert default == ""
        elif callable(parameter.default):
            assert default == f"{parameter.default.__name__}"
        else:
            assert eval(default, dict(names)) == parameter.default  # noqa: S307 - our own page


def test_every_event_and_message_is_in_the_docs() -> None:
    told = [name for name, value in vars(monitors).items() if isinstance(value, type) and name != "PositionEvent"]
    assert [name for name in told if f"`{name}" not in PAGE] == []


def test_the_longest_window_is_as_documented() -> None:
    assert f"{MOST_SAMPLES - 1} times `check_every`" in PAGE
