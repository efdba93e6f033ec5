"""The example of the five scenarios: each ends as it should, and is one line. Its output is in docs/errors.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from runpy import run_path

import pytest
import trio
import trio.testing

from duenna import open_runtime
from duenna.incidents import Chain, Outcome, incident_log
from duenna.machines.classification import Category

EXAMPLE = Path(__file__).parents[2] / "examples" / "error_handling.py"
README = Path(__file__).parents[2] / "README.md"
PAGE = Path(__file__).parents[2] / "docs" / "errors.md"


@pytest.fixture(scope="module")
def told() -> dict[str, Chain]:
    """Each incident of a run, by the name of its actor."""
    names = run_path(str(EXAMPLE), run_name="example")
    incidents: list[Chain] = []

    async def main() -> None:
        async with open_runtime(names["bot"], system=[incident_log(incidents.append)], log_level=None):
            await trio.sleep(names["END"])

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert len(incidents) == 5
    return {chain.path.rpartition("/")[2]: chain for chain in incidents}


@pytest.mark.parametrize(
    ("actor", "category", "actions", "end"),
    [
        ("market", Category.RATE_LIMIT, ["restart", "rate_limit_wait"], (1, Outcome.RECOVERED, 20.0)),
        ("feed", Category.NETWORK, ["network_retry"], (2, Outcome.RECOVERED, 40.0)),
        ("prices", Category.DATA, ["data_fallback"], (3, Outcome.RECOVERED, 0.0)),
        ("journal", Category.DATABASE, ["restart"], (2, Outcome.RECOVERED, 40.0)),
        ("strategy", Category.STRATEGY, ["restart"], (4, Outcome.GAVE_UP, 35.0)),
    ],
)
def test_each_scenario_is_one_incident_with_its_verdict_action_outcome_and_time(
    told: dict[str, Chain], actor: str, category: Category, actions: list[str], end: tuple[int, Outcome, float]
) -> None:
    chain = told[actor]

    assert [verdict.category for verdict in chain.verdicts] == [category]
    assert [action.name for action in chain.actions] == actions
    assert (chain.errors, chain.outcome, chain.took) == end


def test_as_a_program_it_prints_what_the_page_shows() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(  # noqa: S603 - our own interpreter, our own file
        [sys.executable, str(EXAMPLE)], capture_output=True, text=True, check=False, env=environment
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert f"\n```text\n{done.stdout}```\n" in PAGE.read_text()
    shown = [line for line in README.read_text().splitlines() if re.match(r"\d\d:\d\d  /bot/", line)]
    assert len(shown) == 3
    assert set(shown) <= set(done.stdout.splitlines())


def test_a_newcomer_can_read_it_in_one_sitting() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 180
