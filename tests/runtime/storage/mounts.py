"""File systems of a test's own, where root may mount them."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def needs(what: str, *tools: str) -> None:
    """Skip the test, saying that *what* was not tried, unless this is root and has *tools*."""
    missing = [tool for tool in ("mount", "umount", *tools) if shutil.which(tool) is None]
    if os.geteuid() != 0:
        pytest.skip(f"{what} not tried: only root may mount")
    if missing:
        pytest.skip(f"{what} not tried: there is no {', '.join(missing)}")


@contextmanager
def mounted(what: str, point: Path, *options: str) -> Iterator[Path]:
    """Mount at *point*, with the *options* of ``mount``; skip the test, as `needs` does, if the machine refuses."""
    point.mkdir()
    done = subprocess.run(["mount", *options, str(point)], check=False, capture_output=True, text=True)  # noqa: S603, S607
    if done.returncode != 0:
        pytest.skip(f"{what} not tried: {' '.join(done.stderr.split())}")
    try:
        yield point
    finally:
        # Of a test that failed, something may still be open there.
        subprocess.run(["umount", "--lazy", str(point)], check=True)  # noqa: S603, S607


def remount(point: Path, option: str) -> None:
    """Mount what is at *point* anew, with *option*: `ro` or `rw`."""
    subprocess.run(["mount", "-o", f"remount,{option}", str(point)], check=True)  # noqa: S603, S607


def make_image(path: Path, size: int) -> None:
    """Make a file of *size* bytes with an empty ext4 in it."""
    with path.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0", str(path)], check=True, capture_output=True)  # noqa: S603, S607
