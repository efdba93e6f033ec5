"""docs/test-a-bot.md keeps its word: its bot breaks, its fix helps, and its regression tests tell the two apart."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "test-a-bot.md").read_text()
FILES = dict(re.findall(r"^```\w+ title=([\w.]+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
FIX = dict(re.findall(r"^```diff\n-(.*\n)\+(.*\n)```$", PAGE, re.MULTILINE))

pytestmark = pytest.mark.slow


def written(home: Path) -> Path:
    """Write down the files of the page."""
    for name, text in FILES.items():
        (home / name).write_text(text)
    return home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return written(tmp_path)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Run the page's test on the page's bot, as it is."""
    home = written(tmp_path_factory.mktemp("broken"))
    return home, pytest_of(home, "test_collector.py")


def run(home: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    # In CI pytest repeats whole messages in its summary: the page shows what a person sees.
    environment = {name: value for name, value in os.environ.items() if name not in {"CI", "BUILD_NUMBER"}}
    return subprocess.run(  # noqa: S603 - our own interpreter, the page's own files
        command, cwd=home, env=environment, capture_output=True, text=True, check=False
    )


def mend(home: Path) -> None:
    bot = home / "collector.py"
    for before, after in FIX.items():
        assert before in bot.read_text()
        bot.write_text(bot.read_text().replace(before, after))


def pytest_of(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(home, "pytest", "-q", "-p", "no:cacheprovider", "--world-traces=traces", *arguments)


def test_the_bot_breaks_and_one_fault_is_enough(broken: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _, told = broken

    assert told.returncode == 1, told.stdout
    for line in ("seed 0 broke: ", "again:   pytest ", "trace:   traces/", "faults:  ", "shrunk:  pytest "):
        assert f"\n{line}" in told.stdout
        assert f"\n{line}" in PAGE
    assert "shrunk to 1 in" in told.stdout


def test_the_shrunk_plan_breaks_it_in_the_same_way(broken: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    home, told = broken
    (command,) = re.findall(r"^shrunk:  pytest (.+)$", told.stdout, re.MULTILINE)

    again = pytest_of(home, *command.split(), "--world-shrink=0")

    assert "(staleness)" in told.stdout
    assert "(staleness)" in again.stdout


def test_the_fix_helps(home: Path) -> None:
    mend(home)

    told = pytest_of(home, "--world-seeds=5")

    assert told.returncode == 0, told.stdout


def test_each_regression_test_fails_without_it(home: Path) -> None:
    told = pytest_of(home, "test_regressions.py", "--world-seeds=1", "--world-shrink=0")

    assert told.returncode == 1, told.stdout
    assert f"{len(re.findall('^def test_', FILES['test_regressions.py'], re.MULTILINE))} failed in " in told.stdout
