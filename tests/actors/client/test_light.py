"""A verb that only speaks to a bot starts at once: it imports the standard library, and of that not much."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.actors.client.support import environment

if TYPE_CHECKING:
    from tests.actors.client.support import Bot

HEAVY = {
    "asyncio",
    "attrs",
    "attr",
    "concurrent",
    "dataclasses",
    "duenna._names",
    "duenna_actors._names",
    "hypercorn",
    "importlib.metadata",
    "inspect",
    "loguru",
    "msgspec",
    "pathlib",
    "prometheus_client",
    "starlette",
    "subprocess",
    "trio",
}
PROGRAM = """
import sys
from duenna.cli import main
try:
    status = main(sys.argv[1:])
except SystemExit as end:
    status = end.code
print(*sorted(sys.modules), file=sys.stderr)
sys.exit(status)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("tree",),
        ("status",),
        ("health",),
        ("events",),
        ("restart", "worker", "--dry-run"),
        ("console",),
        ("completion", "bash", "--line", "duenna restart "),
        ("tree", "--help"),
    ],
    ids=" ".join,
)
def test_a_verb_imports_neither_the_runtime_nor_a_library(arguments: tuple[str, ...], ill: Bot) -> None:
    before = modules("pass")

    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment(DUENNA_RUN_DIR=str(ill.folder)),
    )

    assert done.returncode in {0, 1}, done.stderr
    assert (set(done.stderr.split()) - before) & HEAVY == set()


def modules(program: str) -> set[str]:
    """Return what is imported anyway, by whatever the installation adds to every process."""
    text = f"{program}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - our own
    return set(done.stdout.split())
