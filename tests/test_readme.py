"""What README.md shows is true: its bot runs, and its commands are the ones that the project has."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio
import trio.testing

from duenna import Child, ChildState, Context, Supervisor, open_runtime
from duenna.testing import fresh_guards
from duenna_actors.console import ConsoleAddress, GetConsole

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def load_bot() -> dict[str, Any]:
    """Run the README's program as an import would: up to ``if __name__ == "__main__"``."""
    return load(BLOCKS[0])


def load(program: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(program, "README.md", "exec"), names)  # noqa: S102 - our own program
    return names


async def test_the_bot_survives_its_feed(autojump_clock: trio.testing.MockClock) -> None:
    bot = load_bot()["bot"]
    async with open_runtime(bot, seed=1, log_level=None) as runtime:
        await trio.sleep(600)

        ledger, btc = runtime.tree("/bot/ledger"), runtime.tree("/bot/feeds/btc")

    assert ledger.state == ChildState.RUNNING
    assert ledger.restarts == 0
    assert ledger.mailbox.received > 300
    assert btc.restarts > 10


async def test_the_guard_does_what_it_says(autojump_clock: trio.testing.MockClock) -> None:
    """Tried four times, each cut off after 5 s; then the last good price, until the breaker saves the trouble."""
    with fresh_guards():
        names = load(BLOCKS[1])
        asked: list[float] = []

        async def ask_the_exchange(symbol: str) -> float:
            asked.append(trio.current_time())
            if len(asked) > 1:
                await trio.sleep_forever()
            return 100.0

        names["ask_the_exchange"] = ask_the_exchange
        price = names["price"]

        assert [await price("BTCUSDT") for _ in range(3)] == [100.0, 100.0, 100.0]
        assert len(asked) == 1 + 5
        assert names["prices"].state == "open"
        assert names["prices"].health == "degraded"


def test_the_console_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUENNA_RUN_DIR", str(tmp_path / "run"))
    main = load(BLOCKS[2].replace("port=3000", "port=0"))["main"]
    found: list[ConsoleAddress] = []

    async def visit(context: Context) -> None:
        found.append(await context.lookup("/system/console").ask(GetConsole(), timeout=30.0))
        await context.runtime.stop()

    main(Supervisor("bot", [Child("visitor", visit)]))

    assert (found[0].url or "").startswith("http://127.0.0.1:")
    assert found[0].socket == str(tmp_path / "run" / "bot.sock")


async def test_the_positions_outlive_the_process(autojump_clock: trio.testing.MockClock, tmp_path: Path) -> None:
    names = load(BLOCKS[3])
    bot = Supervisor("bot", [Child("positions", names["Positions"])])
    held = []

    for _ in range(3):
        async with open_runtime(bot, state=tmp_path, log_level=None) as runtime:
            held.append(await runtime.ref("/bot/positions").ask(("BTCUSDT", 1.5)))

    assert held == [1.5, 3.0, 4.5]


def test_the_bot_is_short() -> None:
    assert len([line for line in BLOCKS[0].splitlines() if line]) <= 25


def test_each_command_is_marked_and_installs_an_extra_that_exists() -> None:
    commands = dict(re.findall(r"^<!-- command: (\w+) -->\n```\n(.+)\n```$", README, re.MULTILINE))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    assert commands.keys() == {"demo", "tests"}
    for command in commands.values():
        (extra,) = re.findall(r'"\.\[(\w+)\]"', command)
        assert extra in extras
