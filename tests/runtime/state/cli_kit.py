"""States on disk that the tests of `duenna state` look at and change, and the command itself."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from duenna.cli import main
from duenna.state import _edit_cli, _look_cli
from duenna.state.work import INTENT, OPERATION
from duenna.storage import Change, Entry, FileStore, read_state

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NOW = 1_772_366_400.0  # 2026-03-01T12:00:00Z
SAVED = NOW - 5.0
VERB = EntryPoint("state", "duenna.state_cli:register", "duenna.commands")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a state that is not there yet, `state` below the present one; the time stands still."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_look_cli, "wall_time", lambda: NOW)
    monkeypatch.setattr(_edit_cli, "wall_time", lambda: NOW)
    return tmp_path / "state"


def duenna(*arguments: str) -> int:
    """Run `duenna state` with *arguments*; return its exit status."""
    try:
        return main(["state", *arguments], verbs=[VERB])
    except SystemExit as exc:
        return int(exc.code or 0)


def entry(values: object, kind: str = "Ledger", *, ago: float = 60.0, money: bool = False, schema: int = 1) -> Entry:
    """Return an entry that was taken *ago* seconds before now, with *values*, or bytes as they are."""
    data = values if isinstance(values, bytes) else msgspec.msgpack.encode(values)
    return Entry(kind=kind, schema=schema, version=7, at=NOW - ago, data=data, money=money)


def work(name: str = "backfill", kind: str = OPERATION, **arguments: Any) -> Entry:
    """Return an operation, or an intent, that is under way."""
    progress = {"index": 1200} if kind == OPERATION else {}
    return entry({"id": "7f3a", "name": name, "arguments": arguments, "progress": progress, "began_at": NOW - 90}, kind)


def a_bot() -> dict[str, Entry]:
    """Return what a bot may have stored."""
    return {
        "actor:/bot/ledger": entry({"fills": 4}),
        "actor:/bot/ledger/page": entry({"lines": ["a"]}, "Page"),
        "actor:/bot/ledgers": entry({}, "Shelf", ago=86_400 * 3),
        "actor:/bot/positions": entry({"held": {"BTCUSDT": 1.5}}, "Positions", money=True),
        "work:/bot/ledger#7f3a-2-1": work(symbol="BTCUSDT"),
        "work:/bot/orders#7f3a-2-2": work("order", INTENT, symbol="BTCUSDT"),
        "part:stops": entry({"/bot/ledger/page": NOW, "/bot/other": NOW}, "stops"),
        "part:alerts:/bot/ledger": entry({"sent": 2}, "alerts"),
        "aside:/bot/ledger#1764000000.125": entry({"fills": 3}, ago=86_400 * 40),
        "note:life": entry({"number": 3}, "life"),
    }


def store(
    folder: Path,
    *commits: Mapping[str, Entry | None],
    is_clean: bool = True,
    at: float = SAVED,
    compacts: bool = False,
) -> None:
    """Have *commits* made in *folder* by a bot, which ends in order or crashes."""
    owner = FileStore(str(folder))
    owner.open()
    for number, commit in enumerate(commits):
        owner.commit([Change(key, value) for key, value in commit.items()], at)
        if compacts and not number:
            owner.compact(at)
    owner.close(at, is_clean=is_clean)


def own(folder: Path) -> FileStore:
    """Have the state in *folder* as a bot that runs now has it."""
    owner = FileStore(str(folder), wall_time=lambda: NOW)
    owner.open()
    return owner


def stored(folder: Path) -> dict[str, Entry]:
    """Return what is in *folder*."""
    loaded = read_state(folder)
    assert not loaded.damages
    return dict(loaded.entries)


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return the bytes and the time of every file in *folder*."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def flip(path: Path, offset: int) -> None:
    """Flip a bit of *path* at *offset*; negative: from its end."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)
