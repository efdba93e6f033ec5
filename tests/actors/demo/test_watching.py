"""`duenna demo --console`: the address is printed, and the faults are seen there while they happen."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.actors.demo import program

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

ADDRESS = re.compile(r"the console: (http://127\.0\.0\.1:\d+)/#token=(\S+)")


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "run"
    monkeypatch.setitem(program.ENVIRONMENT, "DUENNA_RUN_DIR", str(folder))
    return folder


@pytest.fixture
def watched(run_folder: Path) -> Iterator[subprocess.Popen[str]]:
    with program.demo("--console", "0", "--seconds", "60") as process:
        yield process
        process.kill()


def address(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Return the URL and the token that the demo prints."""
    assert process.stdout is not None
    for line in process.stdout:
        found = ADDRESS.match(line)
        if found:
            return found[1], found[2]
    pytest.fail("the demo ended without an address")


def stream(url: str, token: str) -> Any:
    request = urllib.request.Request(f"{url}/api/v1/live", headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    return contextlib.closing(urllib.request.urlopen(request, timeout=30))  # noqa: S310 - it is ours


@pytest.mark.slow
def test_a_fault_is_seen_on_the_console_while_it_happens(watched: subprocess.Popen[str], run_folder: Path) -> None:
    """The first one strikes three seconds after the start, and is told with the error, the verdict and the action."""
    url, token = address(watched)
    told = ""

    with stream(url, token) as answer:
        for line in answer:
            told += line.decode()
            if "network_retry" in told and "FeedClosedError" in told:
                break

    assert told.startswith("event: snapshot")
    assert [path.name for path in run_folder.glob("*.json")] == ["bot.json"]
    assert json.loads((run_folder / "bot.json").read_text())["url"] == url
    watched.send_signal(signal.SIGINT)
    out, errors = watched.communicate(timeout=30)
    assert watched.returncode == 0, out + errors
    assert list(run_folder.glob("*.json")) == []


@pytest.mark.slow
def test_a_port_in_use_costs_the_page_and_not_the_demo(run_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with program.demo("--console", str(port), "--seconds", "4", "--no-faults") as process:
            out, errors = process.communicate(timeout=60)

    assert process.returncode == 0, out + errors
    assert out.splitlines()[-1] == "every connection operational"
    assert str(port) in out
    assert not ADDRESS.search(out)
