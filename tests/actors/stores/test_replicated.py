"""A local store and a remote one that comes after it: what is sent when, and which of them is gone on from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duenna import Backoff
from duenna.storage import (
    Change,
    Damage,
    Entry,
    FileStore,
    Loss,
    MemoryStore,
    StateLockedError,
    StateUnreadableError,
    StateWriteError,
)
from duenna_actors.stores import Lag, PostgresStore, ReplicatedStore, SqliteStore

from .kit import A, B, C, entry, fill, held, put
from .proxy import Proxy
from .remote import Remote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from duenna.storage import Store

LONG = 60.0
"""Seconds that a test may wait for what happens at once."""


class Owner:
    """A replicated store of the test's, the time of day, and what its local store should hold."""

    def __init__(self, local: Store, remote: Store, **options: Any) -> None:
        self.now = 1000.0
        defaults: dict[str, Any] = {"retry": Backoff.none(), "close_within": LONG}
        self.store = ReplicatedStore(local, remote, wall=lambda: self.now, **(defaults | options))
        self.entries: dict[str, Entry] = {}

    def open(self) -> Any:
        loaded = self.store.open()
        self.entries = dict(loaded.entries)
        return loaded

    def commit(self, *changes: Change) -> int:
        for change in changes:
            if change.entry is None:
                self.entries.pop(change.key, None)
            else:
                self.entries[change.key] = change.entry
        return self.store.commit(changes, self.now)

    def close(self, *, is_clean: bool = True) -> None:
        self.store.close(self.now, is_clean=is_clean)


@pytest.fixture
def remote() -> Iterator[Remote]:
    remote = Remote()
    yield remote
    remote.is_up.set()  # no thread stays behind


@pytest.fixture
def local() -> MemoryStore:
    return MemoryStore("near")


def own(entries: dict[str, Entry]) -> dict[str, Entry]:
    """Return *entries* without the note of how far a store is."""
    return {key: entry for key, entry in entries.items() if key != "note:replica"}


# -- what is sent ----------------------------------------------------------------------


def test_what_is_committed_comes_to_the_remote_store(local: MemoryStore, remote: Remote) -> None:
    owner = Owner(local, remote)
    owner.open()
    assert owner.store.name == "near, replicated to far"
    owner.commit(put(A, 1), put(B, 1))
    owner.commit(put(A, 2), Change(B, None))

    assert owner.store.catch_up(LONG)
    assert remote.entries == owner.entries == {A: entry(2)}
    assert owner.store.lag == Lag()
    owner.close()
    assert remote.ends == [True]


def test_a_remote_store_that_hangs_holds_nothing_up(local: MemoryStore, remote: Remote) -> None:
    """Neither a commit nor the end; what it is sent when it is back is the last of everything, once."""
    owner = Owner(local, remote, close_within=0.0)
    owner.open()
    owner.commit(put(A, 1))
    assert owner.store.catch_up(LONG)
    remote.is_up.clear()
    owner.commit(put(A, 2))
    assert remote.is_waiting.wait(LONG)
    for version in range(3, 100):
        owner.now += 1
        owner.commit(put(A, version), put(B, version))
    owner.now += 5

    lag = owner.store.lag
    assert (lag.commits, lag.seconds, lag.keys, lag.is_behind) == (98, 102.0, 5, True)
    assert lag.size < 200, "the last of each"
    assert not owner.store.catch_up(0.0)
    owner.close()
    assert own(held(local)) == owner.entries
    remote.is_up.set()
    assert owner.store._replica is not None
    owner.store._replica._thread.join(LONG)
    assert remote.ends == [False], "it was let go, and not as if all were there"
    assert owner.store.lag.commits == 97


def test_what_waited_is_sent_at_once(local: MemoryStore, remote: Remote) -> None:
    owner = Owner(local, remote)
    owner.open()
    owner.commit(put(A, 1))
    assert owner.store.catch_up(LONG)
    remote.is_up.clear()
    owner.commit(put(A, 2))
    assert remote.is_waiting.wait(LONG)
    for version in range(3, 100):
        owner.commit(put(A, version), put(B, version))
    remote.is_up.set()

    owner.close()

    assert [len(changes) for changes in remote.commits[1:]] == [2, 3]
    assert remote.entries == owner.entries
    assert remote.ends == [True]


def test_a_remote_store_that_is_down_is_tried_again(local: MemoryStore, remote: Remote) -> None:
    fill(local, put(A, 0))
    remote.troubles.extend(["down"] * 3)
    owner = Owner(local, remote)
    owner.open()

    owner.commit(put(A, 1))
    assert owner.store.catch_up(LONG)
    remote.troubles.extend(["down"] * 3)
    owner.commit(put(A, 2))
    assert owner.store.catch_up(LONG)

    assert remote.entries == {A: entry(2)}
    assert owner.store.lag == Lag()
    owner.close()


def test_why_it_is_behind_is_told(local: MemoryStore, remote: Remote) -> None:
    """And the wait for another attempt does not hold the end up."""
    fill(local, put(A, 0))
    remote.troubles.extend(["down"] * 2)
    owner = Owner(local, remote, retry=Backoff.steps(0.0, 3600.0))
    owner.open()
    owner.commit(put(A, 1))
    replica = owner.store._replica
    assert replica is not None
    with replica._changed:
        assert replica._changed.wait_for(lambda: not remote.troubles and replica.lag().last_error, LONG)

    owner.now += 7
    assert owner.store.lag == Lag(
        commits=1,
        seconds=7.0,
        is_resyncing=True,
        last_error="the table in far cannot be read: connection refused; "
        "nothing was changed, and nothing starts without it",
    )
    owner.close()
    assert remote.ends == [True], "the end is a last attempt"


def test_too_many_keys_become_one_comparison(local: MemoryStore, remote: Remote) -> None:
    """Keys that come and go would otherwise pile up for as long as the remote store is away."""
    owner = Owner(local, remote, most_keys=10)
    owner.open()
    owner.commit(put(A, 1), put("work:0", 1))
    assert owner.store.catch_up(LONG)
    remote.is_up.clear()
    owner.commit(put(B, 1))
    assert remote.is_waiting.wait(LONG)
    for number in range(1, 100):
        owner.commit(put(f"work:{number}", 1), Change(f"work:{number - 1}", None))

    lag = owner.store.lag
    assert (lag.is_resyncing, lag.keys, lag.commits) == (True, 2, 100)
    remote.is_up.set()
    assert owner.store.catch_up(LONG)

    assert remote.entries == owner.entries == {A: entry(1), B: entry(1), "work:99": entry(1)}
    assert {change.key for change in remote.commits[-1]} == {"work:0", "work:99", "note:replica"}
    owner.close()


def test_what_was_done_though_it_seemed_to_fail_is_not_forgotten(local: MemoryStore, remote: Remote) -> None:
    """The answer was lost, then the key: the whole is compared with what the remote store may hold."""
    fill(local, put(A, 1))
    owner = Owner(local, remote, most_keys=2, retry=Backoff.steps(3600.0))
    owner.open()
    owner.commit(put(A, 2))
    assert owner.store.catch_up(LONG)
    remote.troubles.append("lost")
    owner.commit(put(B, 1))
    replica = owner.store._replica
    assert replica is not None
    with replica._changed:
        assert replica._changed.wait_for(lambda: replica.lag().last_error, LONG)
    assert remote.entries == {A: entry(2), B: entry(1)}

    owner.commit(Change(B, None), put(C, 1), put("x", 1))
    assert owner.store.lag.is_resyncing
    owner.close()

    assert remote.entries == owner.entries == {A: entry(2), C: entry(1), "x": entry(1)}


def test_the_next_life_sends_only_what_differs(local: MemoryStore, remote: Remote) -> None:
    """The last one ended before all was sent."""
    owner = Owner(local, remote)
    owner.open()
    owner.commit(put(A, 1), put(B, 1))
    owner.close()
    fill(local, put(A, 2), Change(B, None), put(C, 1), put("note:other", 1), Change("note:other", None))

    owner = Owner(local, remote)
    owner.open()
    assert owner.store.catch_up(LONG)

    assert remote.entries == owner.entries == {A: entry(2), C: entry(1)}
    assert {change.key for change in remote.commits[-1]} == {A, B, C}
    owner.close()


COMMITS = st.dictionaries(st.sampled_from([A, B, C, "x", "y", "z"]), st.none() | st.integers(1, 9), min_size=1)
TROUBLES = st.lists(st.sampled_from(["", "", "down", "lost"]), max_size=6)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives=st.lists(st.tuples(st.lists(COMMITS, max_size=8), TROUBLES, st.integers(1, 6)), max_size=4))
def test_in_the_end_both_hold_the_same(lives: list[tuple[list[dict[str, int | None]], list[str], int]]) -> None:
    """Whatever failed, and whatever was done though it seemed to fail; and on the way, only what was so."""
    local, remote = MemoryStore("near"), Remote()
    fill(local, put(A, 1))
    history: list[dict[str, Entry]] = [{A: entry(1)}]
    for commits, troubles, most_keys in lives:
        remote.troubles.extend(troubles)
        owner = Owner(local, remote, most_keys=most_keys)
        owner.open()
        for changes in commits:
            owner.commit(*(Change(key, None if value is None else entry(value)) for key, value in changes.items()))
            history.append(dict(owner.entries))
        owner.close()
    owner = Owner(local, remote)
    owner.open()
    owner.commit(put(A, 1))

    assert owner.store.catch_up(LONG)

    assert remote.entries == owner.entries
    assert all(state in [*history, owner.entries] for state in remote.states)
    owner.close()


# -- which is gone on from -------------------------------------------------------------


def replicated(local: Store, remote: Remote, *changes: Change) -> None:
    """Live once: commit *changes*, one at a time, and end when both hold them."""
    owner = Owner(local, remote)
    owner.open()
    for change in changes:
        owner.commit(change)
    assert owner.store.catch_up(LONG)
    owner.close()


def test_a_machine_that_has_no_state_takes_the_remote_one(local: MemoryStore, remote: Remote) -> None:
    replicated(MemoryStore("another machine's"), remote, put(A, 1), put(B, 1))

    owner = Owner(local, remote)
    loaded = owner.open()

    assert owner.entries == {A: entry(1), B: entry(1)}
    assert (loaded.existed, loaded.is_complete, loaded.source) == (True, True, "memory instead of near")
    assert loaded.damages == (Damage("near", "has no state: read from far, which may be behind", Loss.NOTHING),)
    assert owner.commit(put(A, 2)) == loaded.seq + 1 == 1
    assert owner.store.catch_up(LONG)
    owner.close()
    assert held(Owner(local, Remote()).store) == remote.entries == {A: entry(2), B: entry(1)}


def test_what_a_machine_without_state_takes_over_may_be_behind(local: MemoryStore, remote: Remote) -> None:
    """Nobody closed it in order, so nobody knows."""
    replicated(MemoryStore(), remote, put(A, 1))
    remote.memory._was_clean = False

    loaded = Owner(local, remote).open()

    assert [damage.loss for damage in loaded.damages] == [Loss.UNKNOWN]


def test_without_either_there_is_no_state(local: MemoryStore, remote: Remote) -> None:
    loaded = Owner(local, remote).open()

    assert (dict(loaded.entries), loaded.existed, loaded.damages) == ({}, False, ())


def test_no_state_is_begun_while_nobody_knows_whether_there_is_one(local: MemoryStore, remote: Remote) -> None:
    remote.troubles.append("down")
    owner = Owner(local, remote)

    with pytest.raises(StateUnreadableError, match=r"^the table in far cannot be read: connection refused; "):
        owner.open()

    assert held(local) == {}, "it was let go"
    assert not owner.open().existed


def test_a_state_that_somebody_else_has_is_not_begun_here(local: MemoryStore, remote: Remote) -> None:
    remote.memory.open()

    with pytest.raises(StateLockedError, match=r"^the state in far is in use by another runtime of this process: "):
        Owner(local, remote).open()


def test_a_local_state_does_not_wait_for_the_remote_one(local: MemoryStore, remote: Remote) -> None:
    fill(local, put(A, 1))
    remote.is_up.clear()
    owner = Owner(local, remote, close_within=0.0)

    assert dict(owner.open().entries) == {A: entry(1)}

    owner.commit(put(A, 2))
    owner.close()


def damaged_sqlite(tmp_path: Path, remote: Remote, *changes: Change) -> SqliteStore:
    """Replicate *changes*, and lose the row of *B* from the local store."""
    store = SqliteStore(tmp_path / "state.db")
    replicated(store, remote, *changes)
    connection = __import__("sqlite3").connect(tmp_path / "state.db")
    connection.execute("DELETE FROM duenna_state WHERE key = 'part:guards'")
    connection.commit()
    connection.close()
    return store


def test_a_damaged_state_is_replaced_by_the_remote_one(tmp_path: Path, remote: Remote) -> None:
    local = damaged_sqlite(tmp_path, remote, put(A, 1), put(B, 1), put(A, 2))
    owner = Owner(local, remote)

    loaded = owner.open()

    assert owner.entries == {A: entry(2), B: entry(1)}
    assert not loaded.is_complete, "what was lost here is for somebody to look at all the same"
    assert [damage.what for damage in loaded.damages] == [
        "holds 2 of 3 rows",
        "lacks what was acknowledged: read from far, which may be behind",
    ]
    owner.commit(put(C, 1))
    owner.close()
    assert held(Owner(local, Remote()).store) == {A: entry(2), B: entry(1), C: entry(1)}


def test_a_damaged_state_is_better_than_one_that_is_behind(tmp_path: Path, remote: Remote) -> None:
    behind = Remote()
    local = SqliteStore(tmp_path / "state.db")
    replicated(local, behind, put(A, 1))
    behind.memory, copy = MemoryStore("far"), behind.memory
    replicated(local, Remote(), put(B, 1))
    behind.memory = copy
    damaged_sqlite(tmp_path, Remote(), put(A, 2))
    owner = Owner(local, behind)

    loaded = owner.open()

    assert owner.entries == {A: entry(2)}
    assert [damage.what for damage in loaded.damages] == ["holds 2 of 3 rows"]
    assert owner.store.catch_up(LONG)
    assert behind.entries == {A: entry(2)}
    owner.close()


def test_a_damaged_state_starts_when_the_remote_store_is_down(tmp_path: Path, remote: Remote) -> None:
    local = damaged_sqlite(tmp_path, remote, put(A, 1), put(B, 1))
    remote.troubles.append("down")
    owner = Owner(local, remote)

    loaded = owner.open()

    assert owner.entries == {A: entry(1)}
    assert [(damage.where, damage.loss) for damage in loaded.damages] == [
        ("state.db", Loss.ACKNOWLEDGED),
        ("far", Loss.NOTHING),
    ]
    owner.close()


def test_a_remote_state_that_is_ahead_is_not_overwritten(local: MemoryStore, remote: Remote) -> None:
    """Somebody put the local one back from a backup."""
    replicated(local, remote, put(A, 1))
    backup = dict(local._entries)
    replicated(local, remote, put(A, 2), put(A, 3))
    local._entries = backup
    owner = Owner(local, remote)
    owner.open()
    owner.commit(put(B, 1))
    owner.close()

    assert remote.entries == {A: entry(3)}
    lag = owner.store.lag
    assert (lag.is_refused, lag.is_behind) == (True, True)
    assert lag.last_error == ("far is ahead, at commit 3 of the state of which 1 are known here: it is not overwritten")
    assert remote.ends[-1] is False


@pytest.mark.parametrize("is_replicated", [True, False])
def test_another_state_is_not_overwritten(local: MemoryStore, remote: Remote, is_replicated: bool) -> None:
    fill(local, put(A, 1))
    if is_replicated:
        replicated(MemoryStore("another bot's"), remote, put(A, 7))
    else:
        fill(remote, put(A, 7))
    owner = Owner(local, remote)
    owner.open()
    owner.commit(put(B, 1))
    owner.close()

    assert remote.entries == {A: entry(7)}
    assert owner.store.lag.last_error == "far holds another state, which is not overwritten"


def test_a_commit_that_the_local_store_refused_is_not_sent(tmp_path: Path, remote: Remote) -> None:
    owner = Owner(SqliteStore(tmp_path / "state.db"), remote)
    owner.open()
    owner.commit(put(A, 1))

    with pytest.raises(StateWriteError):
        owner.store.commit([Change("\ud800", entry(1))], 1.0)
    owner.close()

    assert remote.entries == {A: entry(1)}
    assert [change.entry.version for change in remote.commits[-1] if change.key == "note:replica" and change.entry] == [
        1
    ]


def test_nothing_is_written_to_a_store_that_is_not_open(local: MemoryStore, remote: Remote) -> None:
    with pytest.raises(StateWriteError, match=r"^a commit may not be in near, replicated to far: it is not open$"):
        ReplicatedStore(local, remote).commit([put(A, 1)], 1.0)


# -- a real server ---------------------------------------------------------------------


def test_a_server_that_goes_away_and_comes_back_gets_everything(tmp_path: Path, postgres_dsn: str) -> None:
    with Proxy(5432) as proxy:
        dsn = postgres_dsn.replace("port=5432", f"port={proxy.port}") + " sslmode=disable"
        local = FileStore(str(tmp_path / "state"))
        owner = Owner(local, PostgresStore(dsn), retry=Backoff.steps(0.001))
        owner.open()
        owner.commit(put(A, 1), put(B, 1))
        assert owner.store.catch_up(LONG)
        proxy.shut()
        for version in range(2, 50):
            owner.commit(put(A, version))
        owner.commit(Change(B, None))
        assert not owner.store.catch_up(0.0)
        proxy.let_through()
        assert owner.store.catch_up(LONG)
        owner.close()

        remote = held(PostgresStore(postgres_dsn))
        assert remote.pop("note:replica").version == 50
        assert remote == owner.entries == {A: entry(49)}
