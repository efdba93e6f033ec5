"""Fixtures of the tests of recovery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .kit import Recorder, logged

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def lines() -> Iterator[list[tuple[str, str]]]:
    """Give the log's lines as level and text."""
    yield from logged()


@pytest.fixture
def recorder() -> Recorder:
    """Give a recorder of events."""
    return Recorder()
