"""`duenna state show`, `verify` and `export`: all of a state, readable, and nothing of it touched."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import os
import stat
import struct
import zlib
from typing import TYPE_CHECKING

import msgspec
import pytest

from duenna.storage import Change, read_state

from .cli_kit import SAVED, a_bot, duenna, entry, files, flip, folder, own, store, work

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["folder"]

Captured = pytest.CaptureFixture[str]


def test_show_lists_what_is_stored(folder: Path, capsys: Captured) -> None:
    store(folder, a_bot())

    assert duenna("show", "state") == 0

    assert capsys.readouterr() == (
        """\
state: commit 1, 10 entries, 1.2 KiB
saved 2026-03-01T11:59:55.000000Z, 5.0 s ago; closed in order

key                               kind       schema  version      age  size  remark
actor:/bot/ledger                 Ledger          1        7  1.0 min   8 B
actor:/bot/ledger/page            Page            1        7  1.0 min  10 B
actor:/bot/ledgers                Shelf           1        7    3.0 d   1 B
actor:/bot/positions              Positions       1        7  1.0 min  24 B  money
work:/bot/ledger#7f3a-2-1         operation       1        7  1.0 min  86 B  backfill(symbol='BTCUSDT') at index=1200
work:/bot/orders#7f3a-2-2         intent          1        7  1.0 min  74 B  order(symbol='BTCUSDT')
part:alerts:/bot/ledger           alerts          1        7  1.0 min   7 B
part:stops                        stops           1        7  1.0 min  47 B
aside:/bot/ledger#1764000000.125  Ledger          1        7   40.0 d   8 B
""",
        "",
    )


def test_show_of_a_path_prints_the_values_of_it_and_of_all_below(folder: Path, capsys: Captured) -> None:
    store(folder, a_bot())

    assert duenna("show", "state", "/bot/ledger/page") == 0

    assert capsys.readouterr().out == (
        """\
key                     kind  schema  version      age  size  remark
actor:/bot/ledger/page  Page       1        7  1.0 min  10 B

actor:/bot/ledger/page
{
  "lines": [
    "a"
  ]
}
"""
    )


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        pytest.param(
            "/bot/ledger",
            [
                "actor:/bot/ledger",
                "actor:/bot/ledger/page",
                "aside:/bot/ledger#1764000000.125",
                "part:alerts:/bot/ledger",
                "work:/bot/ledger#7f3a-2-1",
            ],
            id="a path",
        ),
        pytest.param("/bot/*/page", ["actor:/bot/ledger/page"], id="a pattern"),
        pytest.param("/bot/ledger[s]", ["actor:/bot/ledgers"], id="a pattern of letters"),
        pytest.param("part:stops", ["part:stops"], id="a key"),
        pytest.param("note:life", ["note:life"], id="the key of a note"),
    ],
)
def test_what_is_shown_may_be_named_in_several_ways(
    wanted: str, keys: list[str], folder: Path, capsys: Captured
) -> None:
    store(folder, a_bot())

    assert duenna("show", "state", wanted, "--json") == 0

    assert list(json.loads(capsys.readouterr().out)["entries"]) == keys


def test_show_as_json_has_everything_but_the_values(folder: Path, capsys: Captured) -> None:
    store(folder, {"actor:/bot/ledger": entry({"fills": 4}, money=True, schema=2)}, is_clean=False)

    assert duenna("show", "state", "--json") == 0

    document = json.loads(capsys.readouterr().out)
    size = document.pop("size")
    assert size == (folder / "jour-00000001.bin").stat().st_size
    assert document == {
        "store": "state",
        "commit": 1,
        "saved_at": "2026-03-01T11:59:55.000000Z",
        "age": 5.0,
        "was_clean": False,
        "in_use_by": None,
        "source": "1 journal",
        "damages": [],
        "entries": {
            "actor:/bot/ledger": {
                "path": "/bot/ledger",
                "kind": "Ledger",
                "schema": 2,
                "version": 7,
                "saved_at": "2026-03-01T11:59:00.000000Z",
                "age": 60.0,
                "size": 8,
                "money": True,
            }
        },
    }


def test_the_state_of_a_base_directory_is_found(folder: Path, capsys: Captured) -> None:
    store(folder / "data" / "state", a_bot())

    assert duenna("show", "state") == 0

    assert capsys.readouterr().out.startswith("state/data/state: commit 1, 10 entries")


def test_a_state_with_nothing_in_it_says_so(folder: Path, capsys: Captured) -> None:
    store(folder, {"note:life": entry({}, "life")}, is_clean=False)

    assert duenna("show", "state") == 0

    _, saved, _, table = capsys.readouterr().out.splitlines()
    assert saved.endswith("; not closed in order: its last owner crashed, or was killed")
    assert table == "nothing is stored"


def test_who_has_the_state_is_named(folder: Path, capsys: Captured) -> None:
    owner = own(folder)
    owner.commit([Change("actor:/bot/ledger", entry({"fills": 1}))], SAVED)

    duenna("show", "state")
    said = (folder / "LOCK").read_text()
    owner.close(SAVED, is_clean=True)
    duenna("show", "state")

    first, second = [line for line in capsys.readouterr().out.splitlines() if line.startswith("saved")]
    assert said.startswith(f"process {os.getpid()} on ")
    assert first.endswith(f"; in use by {said}")
    assert second.endswith("; closed in order")


def test_a_lock_that_a_dead_process_left_is_nobodys(folder: Path, capsys: Captured) -> None:
    store(folder, a_bot())
    (folder / "LOCK").write_text(f"process {os.getpid()} on here, since 2026-03-01T11:00:00+00:00")

    duenna("show", "state")

    assert capsys.readouterr().out.splitlines()[1].endswith("; closed in order")


# -- values ------------------------------------------------------------------


def test_every_value_that_can_be_stored_can_be_read(folder: Path, capsys: Captured) -> None:
    """What JSON has no word for has one that says what it is."""
    moment = dt.datetime(2026, 3, 1, 11, 0, 0, 250_000, tzinfo=dt.UTC)
    values = {
        "nothing": None,
        "numbers": [1, -(2**63), 2**64 - 1, 0.5, math.nan, math.inf, -math.inf],
        "bytes": b"\x00\xff",
        "time": moment,
        "extension": msgspec.msgpack.Ext(5, b"\x01"),
        "keys": {1: "a", 1.5: "b", None: "c", (1, "x"): "d", b"\x00": "e"},
        "two keys that would be one": {1: "a", "1": "b"},
        "letters": "\u00e4 \u20ac \U0001f600 \x1b[2J \x9b2J \u2028",
    }
    store(folder, {"actor:/bot/ledger": entry(values)})

    duenna("show", "state", "/bot/ledger")

    printed = capsys.readouterr().out.partition("actor:/bot/ledger\n{")[2]
    assert "\x1b" not in printed
    assert "\x9b" not in printed
    assert json.loads("{" + printed) == {
        "nothing": None,
        "numbers": [1, -(2**63), 2**64 - 1, 0.5, "nan", "inf", "-inf"],
        "bytes": {"base64": "AP8="},
        "time": "2026-03-01T11:00:00.250000Z",
        "extension": {"extension": 5, "base64": "AQ=="},
        "keys": {"1": "a", "1.5": "b", "null": "c", '[1, "x"]': "d", '{"base64": "AA=="}': "e"},
        "two keys that would be one": [["1", "a"], ["1", "b"]],
        "letters": "\u00e4 \u20ac \U0001f600 \x1b[2J \x9b2J \u2028",
    }


def test_secrets_are_not_shown(folder: Path, capsys: Captured) -> None:
    secret = "k7Fq0Zp1xWabc123"  # noqa: S105  # nobody's
    values = {
        "api_key": secret,
        "password": {"of": [secret]},
        "keys": ["name", secret],
        "key": secret.encode(),
        "dsn": f"postgresql://bot:{secret}@db/bot",
        "passphrase": None,
        "note": "nothing",
    }
    store(folder, {"actor:/bot/ledger": entry(values), "work:/bot/ledger#1": work(api_key=secret)})

    for arguments in (
        ["show", "state"],
        ["show", "state", "/bot"],
        ["show", "state", "/bot", "--json"],
        ["export", "state"],
    ):
        duenna(*arguments)
    printed = capsys.readouterr().out
    duenna("show", "state", "actor:/bot/ledger", "--json")

    assert secret not in printed
    assert base64.b64encode(secret.encode()).decode() not in printed
    shown = json.loads(capsys.readouterr().out)["entries"]["actor:/bot/ledger"]["values"]
    assert shown == {
        "api_key": "***",
        "password": "***",
        "keys": ["name", "***"],
        "key": {"base64": "***"},
        "dsn": "postgresql://bot:***@db/bot",
        "passphrase": None,
        "note": "nothing",
    }


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"\xc1", "1 bytes that are no MessagePack: ", id="no such type"),
        pytest.param(b"", "0 bytes that are no MessagePack: ", id="nothing"),
        pytest.param(b"\xa1\xff", "2 bytes that are no MessagePack: ", id="no UTF-8"),
        pytest.param(b"\x91" * 100_000 + b"\x01", "100001 bytes that are no MessagePack: ", id="bottomless"),
        pytest.param(b"\x91" * 150 + b"\x01", "", id="deep"),
    ],
)
def test_what_cannot_be_read_is_told_in_its_place(data: bytes, why: str, folder: Path, capsys: Captured) -> None:
    store(folder, {"actor:/bot/bad": entry(data), "actor:/bot/good": entry({"fills": 4})})

    assert duenna("show", "state", "/bot", "--json") == 0

    entries = json.loads(capsys.readouterr().out)["entries"]
    assert entries["actor:/bot/good"]["values"] == {"fills": 4}
    bad = entries["actor:/bot/bad"]["values"]
    if why:
        assert bad["unreadable"].startswith(why)
    else:
        while isinstance(bad, list):
            (bad,) = bad
        assert bad == {"unreadable": "it lies deeper than 100 levels"}
    assert duenna("verify", "state") == (1 if why else 0)
    assert ("damaged: actor:/bot/bad: " in capsys.readouterr().out) is bool(why)


def test_names_cannot_forge_lines_or_move_the_cursor(folder: Path, capsys: Captured) -> None:
    store(folder, {"actor:/bot/a\nactor:/bot/b\x1b[2J": entry({}, "Led\rger")})

    duenna("show", "state")
    duenna("show", "state", "/bot")

    printed = capsys.readouterr().out
    assert "\nactor:/bot/b" not in printed
    assert not {"\x1b", "\r"} & set(printed)
    assert "actor:/bot/a actor:/bot/b\\x1b[2J  Led ger" in printed


# -- verify ------------------------------------------------------------------


def test_verify_says_what_every_file_is(folder: Path, capsys: Captured) -> None:
    store(folder, a_bot(), {"actor:/bot/ledgers": None}, compacts=True)
    (folder / "snap-00000009.bin.tmp").write_bytes(b"begun")

    assert duenna("verify", "state") == 0

    _, _, _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ", 1)[0] for line in lines[1:5]] == [
        "jour-00000001.bin",
        "snap-00000002.bin",
        "jour-00000003.bin",
        "snap-00000009.bin.tmp",
    ]
    assert [line.rpartition("  ")[2] for line in lines[1:5]] == ["ok", "ok", "ok", "not used: was never finished"]
    assert lines[-2:] == ["a start would read snap-00000002.bin and 1 journal: 9 entries as of commit 2", "all is well"]


def damage_a_fallback(folder: Path) -> None:
    flip(folder / "jour-00000001.bin", 200)


def damage_the_snapshot(folder: Path) -> None:
    flip(folder / "snap-00000002.bin", 200)


def lose_a_journal(folder: Path) -> None:
    flip(folder / "snap-00000002.bin", 200)
    (folder / "jour-00000001.bin").unlink()


def cut_the_end(folder: Path) -> None:
    path = folder / "jour-00000003.bin"
    path.write_bytes(path.read_bytes()[:-4])


@pytest.mark.parametrize(
    ("damage", "cost"),
    [
        pytest.param(damage_the_snapshot, "nothing is lost", id="of what is in the journals, too"),
        pytest.param(lose_a_journal, "ACKNOWLEDGED STATE IS LOST", id="of what is nowhere else"),
        pytest.param(
            cut_the_end,
            "as a write under way is left by a crash; nothing acknowledged is known to be lost",
            id="of the end",
        ),
    ],
)
def test_verify_says_what_a_damage_costs(
    damage: Callable[[Path], None], cost: str, folder: Path, capsys: Captured
) -> None:
    commits = a_bot(), {"actor:/bot/ledger": entry({"fills": 5})}, {"actor:/bot/ledgers": None}
    store(folder, *commits, is_clean=False, compacts=True)
    damage(folder)
    first, *_ = read_state(folder).damages

    assert duenna("verify", "state") == 1

    lines = capsys.readouterr().out.splitlines()
    assert f"damaged: {first.where}: {first.what}; {cost}" in lines
    assert "DAMAGED: " in next(line for line in lines if line.startswith(first.where))
    assert lines[-1].endswith(" damaged")
    assert duenna("show", "state") == ("ACKNOWLEDGED" in cost)


def test_verify_finds_what_only_matters_when_something_else_fails(folder: Path, capsys: Captured) -> None:
    """Damage in a fallback is silent until it is needed: a start would not notice."""
    store(folder, a_bot(), compacts=True)
    store(folder, {"actor:/bot/ledgers": None}, compacts=True)
    oldest, newest = sorted(folder.glob("snap-*"))
    flip(oldest, -3)

    assert duenna("show", "state") == 0
    assert duenna("verify", "state") == 1

    assert f"a start would read {newest.name}: 9 entries" in capsys.readouterr().out


def test_what_the_owner_is_writing_is_no_damage(folder: Path, capsys: Captured) -> None:
    owner = own(folder)
    owner.commit([Change("actor:/bot/ledger", entry({"fills": 1}))], SAVED)
    with (folder / "jour-00000001.bin").open("ab") as journal:
        journal.write(b"half of a rec")

    while_it_runs = duenna("verify", "state"), duenna("show", "state")
    owner._unlock()  # as a kill leaves it
    when_it_is_dead = duenna("verify", "state")

    assert (while_it_runs, when_it_is_dead) == ((0, 0), 1)
    assert "ok, its end is being written: " in capsys.readouterr().out


def test_looking_changes_nothing(folder: Path, capsys: Captured) -> None:
    store(folder, a_bot(), {"actor:/bot/ledgers": None}, is_clean=False, compacts=True)
    damage_the_snapshot(folder)
    cut_the_end(folder)
    before = files(folder)

    duenna("show", "state")
    duenna("show", "state", "/bot", "--json")
    duenna("verify", "state")
    duenna("export", "state")
    duenna("prune", "state", "/bot/ledger", "--dry-run")

    assert files(folder) == before


# -- export ------------------------------------------------------------------


def test_export_has_everything(folder: Path, capsys: Captured) -> None:
    store(folder, a_bot())

    assert duenna("export", "state") == 0

    document = json.loads(capsys.readouterr().out)
    assert (document["exported_at"], document["store"]) == ("2026-03-01T12:00:00.000000Z", "state")
    assert {key: shown["values"] for key, shown in document["entries"].items()} == {
        key: msgspec.msgpack.decode(value.data) for key, value in a_bot().items()
    }


def test_export_replaces_a_file_as_a_whole(folder: Path, capsys: Captured) -> None:
    store(folder, a_bot())
    target = folder.parent / "all.json"
    target.write_text("from before")

    assert duenna("export", "state", "--output", "all.json") == 0
    duenna("export", "state")

    assert capsys.readouterr() == (target.read_text(), "")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(path.name for path in folder.parent.iterdir()) == ["all.json", "state"]


def test_export_of_a_damaged_state_says_so(folder: Path, capsys: Captured) -> None:
    store(folder, a_bot(), compacts=True)
    lose_a_journal(folder)

    assert duenna("export", "state", "--output", "all.json") == 1

    lost = json.loads((folder.parent / "all.json").read_text())["damages"]
    assert {damage["loss"] for damage in lost} == {"acknowledged"}
    assert capsys.readouterr().err.splitlines() == [
        f"duenna state export: {damage['where']}: {damage['what']}; ACKNOWLEDGED STATE IS LOST" for damage in lost
    ]


# -- wrong input -------------------------------------------------------------


def refused(capsys: Captured, *arguments: str) -> str:
    """Return the one line that is said of *arguments*, which are wrong."""
    assert duenna(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    return line


LOOKING = ["show", "verify", "export"]
CHANGING = ["migrate"]


@pytest.mark.parametrize("verb", [*LOOKING, *CHANGING])
def test_what_is_no_state_is_one_line(verb: str, folder: Path, capsys: Captured) -> None:
    (folder / "empty").mkdir(parents=True)
    (folder / "file").write_text("a file")

    assert [refused(capsys, verb, name) for name in ("state/none", "state/file", "state/empty", "state/file/x")] == [
        f"duenna state {verb}: there is no directory 'state/none'",
        f"duenna state {verb}: 'state/file' is no directory: the state is a folder of files, such as data/state",
        f"duenna state {verb}: there is no state in 'state/empty', nor in data/state below it",
        f"duenna state {verb}: 'state/file/x' is no directory: the state is a folder of files, such as data/state",
    ]
    assert list((folder / "empty").iterdir()) == []


@pytest.mark.parametrize("verb", [*LOOKING, *CHANGING])
def test_a_later_format_is_refused(verb: str, folder: Path, capsys: Captured) -> None:
    store(folder, a_bot())
    path = folder / "jour-00000001.bin"
    data = bytearray(path.read_bytes())
    struct.pack_into("<H", data, 8, 2)
    struct.pack_into("<I", data, 12, zlib.crc32(data[:12]))
    path.write_bytes(data)
    before = files(folder)

    line = refused(capsys, verb, "state")

    assert line == (
        f"duenna state {verb}: jour-00000001.bin in state has format 2, this program reads formats up to 1: "
        "start a later version of duenna, or point this one at another folder"
    )
    assert files(folder) == before


@pytest.mark.parametrize("verb", [*LOOKING, *CHANGING])
def test_a_file_that_cannot_be_read_is_one_line(verb: str, folder: Path, capsys: Captured) -> None:
    store(folder, a_bot())
    (folder / "snap-00000007.bin").mkdir()

    line = refused(capsys, verb, "state")

    assert line.startswith(f"duenna state {verb}: snap-00000007.bin in state cannot be read: Is a directory (")
    assert line.endswith("state/snap-00000007.bin); nothing was changed, and nothing starts without it")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["show", "state", "/bot/nobody"], "show: nothing is stored of /bot/nobody in state"),
        (["show", "state", "part:nothing"], "show: nothing is stored of part:nothing in state"),
        (
            ["show", "state", "bot"],
            "show: a path such as /bot/ledger, a pattern, or a key such as part:guards is needed, got 'bot'",
        ),
        (
            ["show", "state", "/bot/"],
            "show: a path such as /bot/ledger, a pattern, or a key such as part:guards is needed, got '/bot/'",
        ),
        (
            ["export", "state", "--output", "none/all.json"],
            "export: --output must be in a directory that is there, got ",
        ),
        (["export", "state", "--output", "."], "export: --output must be a file, '.' is a directory"),
        (
            ["export", "state", "--output", "state/jour-00000001.bin"],
            "export: --output must not be in the folder of the state itself, got 'state/jour-00000001.bin'",
        ),
    ],
)
def test_a_wrong_argument_is_one_line(arguments: list[str], line: str, folder: Path, capsys: Captured) -> None:
    store(folder, a_bot())
    before = files(folder)

    assert refused(capsys, *arguments).startswith(f"duenna state {line}")
    assert files(folder) == before


@pytest.mark.parametrize("arguments", [[], ["show"], ["show", ""], ["show", "a\0b"], ["verify", "state", "--fast"]])
def test_arguments_that_argparse_refuses(arguments: list[str], folder: Path, capsys: Captured) -> None:
    assert duenna(*arguments) == 2
    assert capsys.readouterr().err.startswith("usage: duenna ")
