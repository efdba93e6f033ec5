"""Where `duenna state export` is told to write, by somebody who may write anywhere."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from .cli_kit import a_bot, duenna, folder, store

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

__all__ = ["folder"]


def test_a_pipe_or_a_device_is_not_replaced_by_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Root may rename a file to /dev/null, and everything on the machine that writes there fills it."""
    store(folder, a_bot())
    os.mkfifo("pipe")

    assert duenna("export", "state", "--output", "pipe") == 2

    assert capsys.readouterr().err == ("duenna state export: --output must be a file, 'pipe' is a device or a pipe\n")
    assert not folder.with_name("pipe").is_file()
    assert sorted(path.name for path in folder.parent.iterdir()) == ["pipe", "state"]


def test_of_a_link_the_file_that_it_names_is_replaced(folder: Path) -> None:
    """/dev/stdout is such a link, and it must stay one."""
    store(folder, a_bot())
    target, link = folder.with_name("all.json"), folder.with_name("link")
    target.write_text("an old one")
    link.symlink_to(target)

    assert duenna("export", "state", "--output", "link") == 0

    assert link.is_symlink()
    assert "actor:/bot/ledger" in json.loads(target.read_text())["entries"]


def test_a_link_into_the_state_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(folder, a_bot())
    folder.with_name("link").symlink_to(folder / "jour-00000001.bin")

    assert duenna("export", "state", "--output", "link") == 2
    assert capsys.readouterr().err == (
        "duenna state export: --output must not be in the folder of the state itself, got 'link'\n"
    )
