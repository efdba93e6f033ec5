"""The console on a simulated network: unmodified, on virtual time, and the same for a seed."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import trio

from duenna import Actor, Child, Supervisor
from duenna.faults import Reset
from duenna.testing import Scenario, World
from duenna_actors.console import GetConsole, console
from tests.actors.console.support import CONSOLE, Sse

if TYPE_CHECKING:
    from pathlib import Path

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
URL = "http://bot:3000"
SECRET = "0123456789abcdef"  # noqa: S105


class Idle(Actor):
    """Does nothing."""


def scenario(folder: Path) -> Scenario:
    tokens = folder / "tokens"
    tokens.write_text(f"anna operate {SECRET}\n")
    tokens.chmod(0o600)
    child = console(socket=False, host="0.0.0.0", port=3000, hosts=["bot"], token_file=tokens, notify=False)  # noqa: S104
    return Scenario(tree=Supervisor("bot", [Child("idle", Idle)]), system=(child,))


def lived(seed: int, folder: Path) -> tuple[list[Any], World]:
    """Have an operator look at a bot from another machine, lose the line, and come back; return what he saw."""
    world = World(seed)
    given = scenario(folder)

    async def main() -> list[Any]:
        seen: list[Any] = []
        async with world.open_runtime(given) as runtime:
            seen.append((await runtime.ref(CONSOLE).ask(GetConsole())).url)
            with world.host("laptop").here():
                headers = {"authorization": f"Bearer {SECRET}"}
                async with httpx2.AsyncClient(base_url=URL, headers=headers, verify=NO_TLS, timeout=10.0) as http:
                    seen.append((await http.get("/api/v1/whoami")).json())
                    asked = await http.post("/api/v1/actors/bot/idle/restart", json={"reason": "to see it"})
                    seen.append(asked.status_code)
                    async with await trio.open_tcp_stream("bot", 3000) as line:
                        stream = Sse(line)
                        await stream.ask("/api/v1/live", {"host": "bot", **headers})
                        seen.append((await anext(stream))[0])
                        world.strike(Reset(), "bot")
                        with pytest.raises(trio.BrokenResourceError):
                            await stream.until("what never comes")
                    seen.append((await http.get("/livez")).status_code)
                    await trio.sleep(60.0)
                    seen.append((await http.get("/api/v1/snapshot")).json()["rows"][-1]["incarnation"])
        seen.append(trio.current_time())
        return seen

    return world.run(main), world


def test_it_runs_on_a_simulated_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUENNA_RUN_DIR", str(tmp_path))

    seen, world = lived(1, tmp_path)

    url, identity, status, first, alive, incarnation, _ = seen
    assert url == "http://0.0.0.0:3000"
    assert identity == {"name": "anna", "role": "operate", "bot": "bot"}
    assert (status, first, alive, incarnation) == (202, "snapshot", 200, 2)
    assert world.leaks == []
    assert world.network.open_sockets() == []
    assert not (tmp_path / "bot.json").exists()


def test_a_seed_repeats_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUENNA_RUN_DIR", str(tmp_path))

    assert lived(2, tmp_path)[0] == lived(2, tmp_path)[0]
