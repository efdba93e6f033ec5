"""A bot that all tests of the command look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.actors.client.support import Bot, running_bot

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def ill() -> Iterator[Bot]:
    """A bot with a parked actor, an open breaker, and hostile text in its errors."""
    with running_bot("ill") as bot:
        yield bot


@pytest.fixture(scope="package")
def well() -> Iterator[Bot]:
    """A bot that is well, whose worker is restarted now and then."""
    with running_bot("well") as bot:
        yield bot


@pytest.fixture
def doomed() -> Iterator[Bot]:
    """A bot of one's own, to end."""
    with running_bot("doomed") as bot:
        yield bot
