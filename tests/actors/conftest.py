"""What the tests of actors share: a demo that goes through its faults while the other tests run."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import attrs
import pytest

from tests.actors.demo.program import demo

if TYPE_CHECKING:
    from collections.abc import Iterator


@attrs.frozen
class Faulty:
    """A demo that was started for as long as its first two faults take.

    Attributes:
        process: It.
        begun: What it has printed until it was over its first fault.
    """

    process: subprocess.Popen[str]
    begun: str


@pytest.fixture(scope="session")
def faulty() -> Iterator[Faulty]:
    """Give the demo once it is over its first fault: a busy machine could make that too short to be seen."""
    with demo("--seconds", "26") as process:
        assert process.stdout is not None
        begun: list[str] = []
        for line in process.stdout:
            begun.append(line)
            if "network_retry -> ok after" in line:
                break
        yield Faulty(process, "".join(begun))
        process.kill()


@pytest.fixture(scope="session", autouse=True)
def _start_early(request: pytest.FixtureRequest) -> None:
    """Start it before the first test, if one of those to come is about it: half a minute is not waited for."""
    if any("faulty" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("faulty")
