"""Say in the output of the tests what a green dot does not: how many cases ran."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def tell(capsys: pytest.CaptureFixture[str], line: str) -> None:
    """Write *line* past pytest's capturing."""
    with capsys.disabled():
        sys.stdout.write(f"\n  {line}\n")
