"""What all tests of the console share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from duenna.testing import fresh_guards

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _fresh_guards() -> Iterator[None]:
    """Let each bot have guards of its own: those of a name are one in a process, and stay as they were left."""
    with fresh_guards():
        yield
