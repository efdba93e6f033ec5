"""`duenna state prune` and `migrate`: what they were told and nothing else, or nothing at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna import Child, open_runtime
from duenna.state._chosen import moved, path_of
from duenna.storage import read_state

from .cli_kit import NOW, SAVED, a_bot, duenna, entry, files, flip, folder, own, store, stored
from .kit import Ledger, bot

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

__all__ = ["folder"]

Captured = pytest.CaptureFixture[str]

OF_LEDGER = {
    "actor:/bot/ledger",
    "actor:/bot/ledger/page",
    "aside:/bot/ledger#1764000000.125",
    "part:alerts:/bot/ledger",
    "work:/bot/ledger#7f3a-2-1",
}


def refused(capsys: Captured, *arguments: str, status: int = 2) -> str:
    """Return the one line that is said of *arguments*."""
    assert duenna(*arguments) == status
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    return line


# -- prune -------------------------------------------------------------------


def test_prune_removes_a_path_and_all_below_it(folder: Path, capsys: Captured) -> None:
    store(folder, a_bot())

    assert duenna("prune", "state", "/bot/ledger") == 0

    assert stored(folder) == {key: value for key, value in a_bot().items() if key not in OF_LEDGER}
    *table, last = capsys.readouterr().out.splitlines()
    assert {line.split(" ")[0] for line in table} == {"key", *OF_LEDGER}
    assert last == "5 entries removed"


@pytest.mark.parametrize("is_clean", [False, True])
def test_prune_leaves_age_and_end_of_the_state_as_they_were(is_clean: bool, folder: Path) -> None:
    """The next start must not take an old state for a fresh one, nor a crash for an orderly end."""
    store(folder, a_bot(), is_clean=is_clean)

    duenna("prune", "state", "/bot/ledger")

    loaded = read_state(folder)
    assert (loaded.was_clean, loaded.saved_at) == (is_clean, SAVED)


def test_prune_of_what_was_set_aside_leaves_the_rest(folder: Path, capsys: Captured) -> None:
    store(folder, a_bot())

    assert duenna("prune", "state", "/bot/ledger", "--aside") == 0

    assert a_bot().keys() - stored(folder).keys() == {"aside:/bot/ledger#1764000000.125"}
    assert capsys.readouterr().out.endswith("\n1 entry removed\n")


def test_prune_of_all_that_was_set_aside_long_ago(folder: Path, capsys: Captured) -> None:
    old = {"aside:/bot/a#1.000": entry({}, ago=86_400 * 30), "aside:/bot/b#2.000": entry({}, ago=86_400 * 31)}
    new = {"aside:/bot/c#3.000": entry({}, ago=86_400 * 30 - 1), "actor:/bot/a": entry({}, ago=86_400 * 60)}
    store(folder, {**old, **new})

    assert duenna("prune", "state", "--aside", "--older-than", "30d") == 0

    assert stored(folder) == new


@pytest.mark.parametrize("age", ["259200s", "4320min", "4320m", "72h", "3d", "2.5d"])
def test_ages_have_units(age: str, folder: Path) -> None:
    store(folder, a_bot())

    assert duenna("prune", "state", "/bot/ledgers", "--older-than", age) == 0


def test_a_dry_run_only_says_what_would_go(folder: Path, capsys: Captured) -> None:
    """It works while the bot runs, too."""
    store(folder, a_bot())
    owner = own(folder)
    before = files(folder)

    assert duenna("prune", "state", "/bot/ledger*", "--dry-run") == 0

    assert capsys.readouterr().out.endswith("\n6 entries would be removed\n")
    assert files(folder) == before
    owner.close(NOW, is_clean=True)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        pytest.param([], "a PATH is needed, or --aside for all that was set aside", id="nothing"),
        pytest.param(["/bot/nobody"], "nothing is stored of /bot/nobody", id="a path of nobody"),
        pytest.param(
            ["/bot/ledger", "/bot/nobody"], "nothing is stored of /bot/nobody", id="a path of nobody beside another"
        ),
        pytest.param(["/bot/l"], "nothing is stored of /bot/l", id="the beginning of a name"),
        pytest.param(["note:life"], "nothing is stored of note:life", id="what the state says of itself"),
        pytest.param(
            ["/bot/ledger", "--older-than", "41d"],
            "nothing is stored of /bot/ledger that is 3.5424e+06 s old or older",
            id="nothing so old",
        ),
        pytest.param(
            ["/bot/positions", "--aside"],
            "nothing is stored of /bot/positions that was set aside",
            id="nothing that was set aside",
        ),
        pytest.param(
            ["--aside", "--older-than", "41d"],
            "nothing is stored that was set aside and is 3.5424e+06 s old or older",
            id="nothing that was set aside so long ago",
        ),
        pytest.param(
            ["/bot"],
            "actor:/bot/positions, work:/bot/orders#7f3a-2-2: money, or an intent whose effect may be out, goes with "
            "--money only; nothing was removed",
            id="money",
        ),
        pytest.param(
            ["ledger"],
            "a path such as /bot/ledger, a pattern, or a key such as part:guards is needed, got 'ledger'",
            id="no path",
        ),
    ],
)
def test_prune_removes_all_that_it_was_told_or_nothing(
    arguments: list[str], line: str, folder: Path, capsys: Captured
) -> None:
    store(folder, a_bot())
    before = files(folder)

    assert refused(capsys, "prune", "state", *arguments) == f"duenna state prune: {line}"

    assert files(folder) == before


def test_money_is_removed_on_purpose(folder: Path) -> None:
    store(folder, a_bot())

    assert duenna("prune", "state", "/bot", "--money") == 0

    assert set(stored(folder)) == {"part:stops", "note:life"}


@pytest.mark.parametrize("age", ["3", "d", "-3d", "3y", "1e3s", "inf s", "9" * 400 + "d", ""])
def test_what_is_no_age_is_refused(age: str, folder: Path, capsys: Captured) -> None:
    assert duenna("prune", "state", "/bot", f"--older-than={age}") == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == (
        "duenna state prune: error: argument --older-than: an age such as 90s, 15min, 12h or 30d is needed, "
        f"got {age!r}"
    )


# -- who has it, and what is wrong with it -----------------------------------


@pytest.mark.parametrize("arguments", [["prune", "state", "/bot/ledger"], ["migrate", "state"]])
def test_a_state_in_use_is_not_changed(arguments: list[str], folder: Path, capsys: Captured) -> None:
    store(folder, a_bot())
    owner = own(folder)
    said = (folder / "LOCK").read_text()
    before = files(folder)

    line = refused(capsys, *arguments)

    assert said.startswith(f"process {os.getpid()} on ")
    assert line == (f"duenna state {arguments[0]}: the state in state is in use by {said}: one at a time may write it")
    assert files(folder) == before
    owner.close(NOW, is_clean=True)


@pytest.mark.parametrize(
    "arguments", [["prune", "state", "/bot/ledger"], ["migrate", "state"], ["migrate", "state", "--to", "new"]]
)
def test_a_state_with_a_loss_is_not_changed(arguments: list[str], folder: Path, capsys: Captured) -> None:
    """The next commit covers the loss up, and a bot that would have held its trading back would trade."""
    store(folder, a_bot(), is_clean=False)
    flip(folder / "jour-00000001.bin", 60)
    before = files(folder)

    line = refused(capsys, *arguments, status=1)

    assert line.startswith(
        f"duenna state {arguments[0]}: the state in state is not changed, for some of it is lost: jour-"
    )
    assert line.endswith(
        "ACKNOWLEDGED STATE IS LOST. Start the bot with it first: "
        "it holds its trading until somebody has said what is right"
    )
    assert files(folder) == before
    assert not (folder.parent / "new").exists()


def test_a_damage_that_costs_nothing_is_told(folder: Path, capsys: Captured) -> None:
    store(folder, a_bot(), is_clean=False, compacts=True)
    flip(folder / "snap-00000002.bin", 60)

    assert duenna("prune", "state", "/bot/ledger") == 0

    assert capsys.readouterr().err.startswith("duenna state prune: damaged: snap-00000002.bin: ")
    assert (folder / "snap-00000002.bin.corrupt").exists()


# -- migrate -----------------------------------------------------------------


def test_migrate_writes_everything_anew(folder: Path, capsys: Captured) -> None:
    store(folder, a_bot(), compacts=True)
    before = files(folder)

    assert duenna("migrate", "state") == 0

    assert capsys.readouterr().out == "10 entries written to state, generation 5\n"
    assert stored(folder) == a_bot()
    assert read_state(folder).source == "snap-00000005.bin"
    assert before.items() <= files(folder).items()  # those of before are kept, as the store's rule says
    assert (read_state(folder).was_clean, read_state(folder).saved_at) == (True, SAVED)


def test_migrate_of_a_state_with_nothing_in_it(folder: Path, capsys: Captured) -> None:
    store(folder, {"actor:/bot/a": entry({})}, {"actor:/bot/a": None})

    assert duenna("migrate", "state") == 0
    assert duenna("migrate", "state", "--to", "new") == 0

    assert stored(folder) == stored(folder.parent / "new") == {}


@pytest.mark.parametrize("is_clean", [False, True])
def test_migrate_to_another_folder_leaves_this_one_as_it_is(is_clean: bool, folder: Path, capsys: Captured) -> None:
    store(folder, a_bot(), is_clean=is_clean)
    before = files(folder)

    assert duenna("migrate", "state", "--to", "new/state") == 0

    new = read_state("new/state")
    assert capsys.readouterr().out == "10 entries written to new/state, generation 2\n"
    assert (dict(new.entries), new.was_clean, new.saved_at) == (a_bot(), is_clean, SAVED)
    assert files(folder) == before


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("state", "--to must be another directory than DIR, got 'state'"),
        ("./state/../state", "--to must be another directory than DIR, got './state/../state'"),
        ("other", "--to must be without a state, there is one in 'other'"),
        ("file", "--to must be a directory, 'file' is none"),
    ],
)
def test_migrate_overwrites_no_state(target: str, line: str, folder: Path, capsys: Captured) -> None:
    store(folder, a_bot())
    store(folder.parent / "other", {"actor:/bot/a": entry({})})
    (folder.parent / "file").write_text("")

    assert refused(capsys, "migrate", "state", "--to", target) == f"duenna state migrate: {line}"
    assert stored(folder) == a_bot()
    assert set(stored(folder.parent / "other")) == {"actor:/bot/a"}


def test_a_path_moves_with_all_that_belongs_to_it(folder: Path, capsys: Captured) -> None:
    store(folder, a_bot())

    assert duenna("migrate", "state", "--move", "/bot/ledger=/shop/books/main") == 0

    assert capsys.readouterr().out.startswith("/bot/ledger is /shop/books/main now\n10 entries written to state")
    bot, now = a_bot(), stored(folder)
    stops = now.pop("part:stops")
    del bot["part:stops"]
    assert now == {
        key.replace("/bot/ledger", "/shop/books/main", 1) if key in OF_LEDGER else key: bot[key] for key in bot
    }
    assert msgspec.msgpack.decode(stops.data) == {"/shop/books/main/page": NOW, "/bot/other": NOW}
    assert stops.version == 8


def test_moves_are_made_one_after_the_other(folder: Path) -> None:
    store(folder, {"actor:/bot/a": entry({"of": "a"}), "actor:/bot/b": entry({"of": "b"})})

    assert duenna("migrate", "state", "--move=/bot/a=/bot/x", "--move=/bot/b=/bot/a", "--move=/bot/x=/bot/b") == 0

    assert stored(folder) == {"actor:/bot/a": entry({"of": "b"}), "actor:/bot/b": entry({"of": "a"})}


def test_a_path_may_move_below_itself_and_up(folder: Path) -> None:
    store(folder, {"actor:/bot/a": entry({}), "actor:/bot/a/b": entry({})})

    assert duenna("migrate", "state", "--move=/bot=/all/bot", "--move=/all/bot/a=/all/bot/a/old") == 0

    assert set(stored(folder)) == {"actor:/all/bot/a/old", "actor:/all/bot/a/old/b"}


@pytest.mark.parametrize(
    ("move", "line"),
    [
        ("/bot/nobody=/bot/new", "nothing is stored of /bot/nobody, so it cannot be moved to /bot/new"),
        ("/bot/led=/bot/new", "nothing is stored of /bot/led, so it cannot be moved to /bot/new"),
        (
            "/bot/ledger=/bot/ledgers",
            "/bot/ledger cannot be moved to /bot/ledgers: actor:/bot/ledgers is there, prune it first",
        ),
        ("/bot/ledgers=/bot", "/bot/ledgers cannot be moved to /bot: actor:/bot/ledger is there, prune it first"),
        ("/bot/ledger/page=/bot/orders", "/bot/ledger/page cannot be moved to /bot/orders: work:/bot/orders#7f3a-2-2 "),
    ],
)
def test_a_move_overwrites_nothing(move: str, line: str, folder: Path, capsys: Captured) -> None:
    store(folder, a_bot())
    before = files(folder)

    assert refused(capsys, "migrate", "state", "--move", move).startswith(f"duenna state migrate: {line}")
    assert files(folder) == before


def test_what_was_set_aside_of_a_path_does_not_keep_another_from_moving_there(folder: Path) -> None:
    store(folder, {"actor:/bot/a": entry({"of": "a"}), "aside:/bot/b#1.000": entry({"of": "b"})})

    assert duenna("migrate", "state", "--move=/bot/a=/bot/b") == 0

    assert set(stored(folder)) == {"actor:/bot/b", "aside:/bot/b#1.000"}


@pytest.mark.parametrize(
    "move", ["", "=", "/bot", "/bot=", "=/bot", "/bot=/bot", "bot=/new", "/bot=new", "/a//b=/c", "/=/a", "/a/..=/b"]
)
def test_what_is_no_move_is_refused(move: str, folder: Path, capsys: Captured) -> None:
    assert duenna("migrate", "state", f"--move={move}") == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "duenna state migrate: error: argument --move: two different paths such as /bot/old=/bot/new are needed, "
        f"got {move!r}"
    )


async def test_a_bot_whose_tree_has_changed_finds_what_was_moved(folder: Path, autojump_clock: MockClock) -> None:
    before, after = (bot(Child(name, Ledger), Child(f"{name}-2", Ledger)) for name in ("ledger", "book"))
    async with open_runtime(before, state=folder, log_level=None) as runtime:
        await runtime.ref("/bot/ledger").ask("fill")
        await runtime.stop_child("/bot/ledger-2")

    assert duenna("migrate", "state", "--move=/bot/ledger=/bot/book", "--move=/bot/ledger-2=/bot/book-2") == 0

    async with open_runtime(after, state=folder, log_level=None) as runtime:
        assert await runtime.ref("/bot/book").ask("fills") == 1
        assert runtime.tree("/bot/book-2").state == "stopped"
        assert runtime.state.loaded.was_clean


async def test_a_bot_begins_clean_with_what_was_pruned(folder: Path, autojump_clock: MockClock) -> None:
    async with open_runtime(bot(Child("ledger", Ledger)), state=folder, log_level=None) as runtime:
        await runtime.ref("/bot/ledger").ask("fill")

    assert duenna("prune", "state", "/bot/ledger") == 0

    async with open_runtime(bot(Child("ledger", Ledger)), state=folder, log_level=None) as runtime:
        assert await runtime.ref("/bot/ledger").ask("restored") is None
        assert runtime.state.loaded.was_clean


# -- whose an entry is -------------------------------------------------------


@attrs.frozen
class Owned:
    """A key of each namespace, and the path that it belongs to."""

    key: str
    kind: str
    path: str


NAMES = st.text("ab#: *[", min_size=1, max_size=3).filter(lambda name: name not in {".", ".."})
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(lambda names: "".join(f"/{name}" for name in names))
WORKING = st.sampled_from(["operation", "intent"])
KEYS = st.one_of(
    st.builds(lambda path: Owned(f"actor:{path}", "Ledger", path), PATHS),
    st.builds(lambda path, kind: Owned(f"work:{path}#7f3a-2-1", kind, path), PATHS, WORKING),
    st.builds(lambda path: Owned(f"part:alerts:{path}", "alerts", path), PATHS),
    st.builds(lambda path: Owned(f"aside:{path}#1764000000.125", "Ledger", path), PATHS),
    st.builds(lambda path, kind: Owned(f"aside:{path}#7f3a-2-1#1764000000.125", kind, path), PATHS, WORKING),
    st.builds(lambda path: Owned(f"aside:alerts:{path}#1764000000.125", "alerts", path), PATHS),
    st.just(Owned("part:guards", "guards", "")),
    st.just(Owned("note:life", "life", "")),
    st.just(Owned("aside:guards#1764000000.125", "guards", "")),
)


@given(KEYS)
def test_the_path_of_every_key_is_known(owned: Owned) -> None:
    assert path_of(owned.key, owned.kind) == owned.path


@given(KEYS, PATHS)
def test_what_has_moved_can_be_moved_back(owned: Owned, new: str) -> None:
    there = moved(owned.key, owned.kind, owned.path, new) if owned.path else None

    if there is None:
        assert not owned.path
    else:
        assert path_of(there, owned.kind) == new
        assert moved(there, owned.kind, new, owned.path) == owned.key
