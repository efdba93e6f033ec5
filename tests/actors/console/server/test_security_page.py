"""docs/console-security.md is true: its lines of curl run, and its limits are those of the code."""

from __future__ import annotations

import os
import re
from pathlib import Path

import attrs
import pytest
import trio

from duenna import Actor, Child, Supervisor, open_runtime
from duenna_actors.console import Limits, console
from tests.actors.console.support import running

PAGE = (Path(__file__).parents[4] / "docs" / "console-security.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
ANSWERS = ('"overall":"healthy"', '"affected":["/polybot/kraken"]', '"action":"restart"', '"status":"pass"', "event: ")


class Kraken(Actor):
    """Stands for a feed."""


@pytest.mark.parametrize(("block", "answer"), list(zip(BLOCKS, ANSWERS, strict=True)))
async def test_the_lines_of_curl_run(block: str, answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("DUENNA_RUN_DIR", raising=False)
    tree = Supervisor("polybot", [Child("kraken", Kraken)])
    async with open_runtime(tree, system=[console(port=0)], log_level=None) as runtime:
        found = await running(runtime)
        await runtime.restart_child("/polybot/kraken")  # so that there is an event
        script = block.replace(":3000", f":{found.port}")

        done = await trio.run_process(
            ["bash", "-euc", script], capture_stdout=True, capture_stderr=True, check=False, env=dict(os.environ)
        )

    assert (done.returncode, done.stderr) == (0, b"")
    assert answer in done.stdout.decode()


def test_the_limits_are_those_of_the_code() -> None:
    table = dict(re.findall(r"^\| `(\w+)` \| `([\d.]+)` \|", PAGE, re.MULTILINE))

    assert table == {field.name: str(field.default) for field in attrs.fields(Limits)}
