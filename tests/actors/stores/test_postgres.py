"""The store in a PostgreSQL database: who owns it, what damage does to it, and connections that are lost."""

from __future__ import annotations

import importlib
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from duenna import secrets
from duenna.storage import (
    Change,
    Damage,
    Loss,
    StateFormatError,
    StateLockedError,
    StateUnreadableError,
    StateWriteError,
)
from duenna_actors import MissingExtraError
from duenna_actors.stores import PostgresStore

from .kit import A, B, C, entry, fill, held, put
from .postgres_server import PASSWORD, PrivateServer
from .proxy import Proxy, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator


class Operator:
    """A connection of somebody else's to the same database."""

    def __init__(self, dsn: str) -> None:
        self.connection: Any = importlib.import_module("psycopg").connect(dsn, autocommit=True)

    def do(self, *statements: str) -> None:
        for statement in statements:
            self.connection.execute(statement)

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self.connection.execute(question).fetchall()
        return rows

    def cut_others_off(self) -> int:
        """End all connections but this one; return how many there were, when they have ended."""
        count = len(
            self.ask(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        assert self.tables() is not None
        return count

    def tables(self) -> list[str]:
        return [name for (name,) in self.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")]


@pytest.fixture
def operator(postgres_dsn: str) -> Iterator[Operator]:
    operator = Operator(postgres_dsn)
    yield operator
    operator.connection.close()


@pytest.fixture
def store(postgres_dsn: str) -> PostgresStore:
    return PostgresStore(postgres_dsn, lock_within=0.05)


def opened(dsn: str, **options: Any) -> PostgresStore:
    """Open a store that holds one entry."""
    store = PostgresStore(dsn, lock_within=0.05, **options)
    store.open()
    store.commit([put(A, 1)], 1.0)
    return store


# -- what is where ---------------------------------------------------------------------


def test_a_row_an_entry_that_people_can_read(store: PostgresStore, operator: Operator) -> None:
    store.open()
    assert operator.tables() == [], "opening makes nothing"
    store.commit([Change(A, entry(3, money=True)), put("part:a\\b\0c", 1)], 9.0)

    assert operator.tables() == ["duenna_state", "duenna_state_meta"]
    assert operator.ask("SELECT key, kind, schema, version, at, money FROM duenna_state ORDER BY key") == [
        (A, "Ledger", 2, 3, 1_764_000_003.125, True),
        (r"part:a\\b\0c", "Ledger", 2, 1, 1_764_000_001.125, False),
    ]
    assert operator.ask("SELECT format, seq, saved_at, clean, rows FROM duenna_state_meta") == [(1, 1, 9.0, False, 2)]
    store.close(10.0, is_clean=True)
    assert operator.ask("SELECT clean FROM duenna_state_meta") == [(True,)]


def test_two_names_are_two_states(postgres_dsn: str) -> None:
    fill(PostgresStore(postgres_dsn, name="one"), put(A, 1))
    one, select = PostgresStore(postgres_dsn, name="one"), PostgresStore(postgres_dsn, name="select")

    assert dict(one.open().entries) == {A: entry(1)}
    assert dict(select.open().entries) == {}
    select.commit([put(B, 1)], 1.0)
    for store in (one, select):
        store.close(2.0, is_clean=True)


@pytest.mark.parametrize("name", ["", "State", "1st", "a b", 'a"b', "a" * 49, "état", 7])
def test_the_name_must_be_an_identifier(name: Any) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(
        ValueError,
        match=rf"^PostgresStore: name must be 1 to 48 of a-z, 0-9 and _, no digit first, got {re.escape(repr(name))}$",
    ):
        PostgresStore("dbname=bot", name=name)


def test_the_password_is_never_told() -> None:
    pytest.importorskip("psycopg")
    store = PostgresStore("host=db.example dbname=bot user=me password=hunter2222", name="state")

    assert store.name == "postgres state at db.example/bot"
    assert "hunter2222" not in repr(store)
    assert secrets.redact("is it hunter2222?") == "is it ***?"
    with pytest.raises(ValueError, match=r"^PostgresStore: dsn cannot be read by libpq; it is not shown, for the pass"):
        PostgresStore("password=hunter3333 hunter4444")


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(
        MissingExtraError,
        match=r'^PostgresStore needs an extra that is not installed: pip install "duenna\[postgres\]"$',
    ):
        PostgresStore("dbname=bot")


def test_commits_wait_for_the_servers_disk(postgres_dsn: str) -> None:
    """Whatever the user or the address says."""
    store = opened(f"{postgres_dsn} options='-c synchronous_commit=off'")

    with store._session.transaction() as connection:
        assert connection.execute("SHOW synchronous_commit").fetchall() == [("on",)]
    store.close(1.0, is_clean=True)


# -- who owns it -----------------------------------------------------------------------


def test_the_owner_is_named(postgres_dsn: str, store: PostgresStore) -> None:
    owner = opened(postgres_dsn)

    with pytest.raises(
        StateLockedError,
        match=rf"^the state in {re.escape(store.name)} is in use by process {os.getpid()} on \S+, "
        r"connected since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: one at a time may write it$",
    ):
        store.open()
    with pytest.raises(StateLockedError, match=r" is in use by this very store, which is open: "):
        owner.open()
    owner.close(2.0, is_clean=True)

    assert held(store) == {A: entry(1)}


def test_an_owner_whose_connection_was_lost_goes_on(postgres_dsn: str, operator: Operator) -> None:
    owner = opened(postgres_dsn)
    assert operator.cut_others_off() == 1

    assert owner.commit([put(A, 2)], 2.0) == 2
    assert operator.cut_others_off() == 1
    owner.close(3.0, is_clean=True)

    store = PostgresStore(postgres_dsn)
    loaded = store.open()
    assert (dict(loaded.entries), loaded.was_clean) == ({A: entry(2)}, True)
    store.close(4.0, is_clean=True)


def test_an_owner_that_was_superseded_overwrites_nothing(
    postgres_dsn: str, store: PostgresStore, operator: Operator
) -> None:
    """It is told who has the state now; and when that one has gone, that somebody wrote."""
    owner = opened(postgres_dsn)
    operator.cut_others_off()
    store.open()

    with pytest.raises(
        StateWriteError, match=rf"^commit 2 may not be in .*: the state in .* in use by process {os.getpid()} "
    ):
        owner.commit([put(A, 7)], 2.0)
    store.commit([put(B, 1)], 2.0)
    store.close(2.0, is_clean=True)

    for _ in range(2):
        with pytest.raises(
            StateWriteError,
            match=r"^commit 2 may not be in .*: it holds commit 2 of owner [0-9a-f]{8}, and not commit 1 of owner "
            r"[0-9a-f]{8}: somebody else wrote; nothing was changed$",
        ):
            owner.commit([put(A, 7)], 3.0)
    with pytest.raises(StateWriteError, match=r"^the mark of an orderly end may not be in "):
        owner.close(4.0, is_clean=True)
    assert held(store) == {A: entry(1), B: entry(1)}


def test_an_owner_that_was_superseded_by_one_that_wrote_nothing_goes_on(
    postgres_dsn: str, store: PostgresStore, operator: Operator
) -> None:
    owner = opened(postgres_dsn)
    operator.cut_others_off()
    held(store)

    assert owner.commit([put(A, 2)], 2.0) == 2
    owner.close(2.0, is_clean=True)


def test_a_state_that_went_back_is_not_gone_on_with(postgres_dsn: str, operator: Operator) -> None:
    """The server failed over to one that had not heard of the last commit."""
    owner = opened(postgres_dsn)
    operator.do("CREATE TABLE earlier AS SELECT * FROM duenna_state_meta")
    owner.commit([put(A, 2)], 2.0)
    operator.do("DELETE FROM duenna_state_meta", "INSERT INTO duenna_state_meta SELECT * FROM earlier")

    with pytest.raises(StateWriteError, match=r": it holds commit 1 of owner (\w+), and not commit 2 of owner \1: "):
        owner.commit([put(A, 3)], 3.0)
    owner.close(3.0, is_clean=False)


# -- damage ----------------------------------------------------------------------------


def damages_of(store: PostgresStore) -> tuple[dict[str, object], tuple[Damage, ...]]:
    loaded = store.open()
    store.close(0.0, is_clean=True)
    return dict(loaded.entries), loaded.damages


def test_a_malformed_row_is_reported_and_kept(store: PostgresStore, operator: Operator) -> None:
    fill(store, put(A, 1), put(B, 1), put("part:a\\b", 1))
    operator.do(r"UPDATE duenna_state SET data = '\x80' WHERE key LIKE 'part:%'")
    damages = tuple(
        Damage(f"row {key} of duenna_state", "its checksum is wrong", Loss.ACKNOWLEDGED, "duenna_state_corrupt")
        for key in (B, "part:a\\b")
    )

    for _ in range(2):
        entries, found = damages_of(store)
        assert entries == {A: entry(1)}
        assert set(found) >= set(damages), "an orderly end without a commit does not hide it"
    store.open()
    assert store.commit([put(B, 7)], 9.0) == 4
    store.commit([put(A, 2)], 9.0)
    store.close(9.0, is_clean=True)

    assert damages_of(store) == ({A: entry(2), B: entry(7)}, ())
    assert operator.ask("SELECT key, data FROM duenna_state_corrupt ORDER BY key") == [
        (r"part:a\\b", b"\x80"),
        (B, b"\x80"),
    ]


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DELETE FROM duenna_state WHERE key = 'part:guards'", "holds 1 of 2 rows"),
        ("DELETE FROM duenna_state_meta", "duenna_state_meta is empty"),
        ("UPDATE duenna_state_meta SET rows = 1", "the row of duenna_state_meta is malformed: its checksum is wrong"),
        ("DROP TABLE duenna_state", "duenna_state is gone"),
        ("DROP TABLE duenna_state_meta", "duenna_state_meta is gone"),
    ],
)
def test_what_somebody_did_to_the_tables_is_noticed(
    store: PostgresStore, operator: Operator, statement: str, what: str
) -> None:
    fill(store, put(A, 1), put(B, 1))
    operator.do(statement)

    loaded = store.open()
    assert [(damage.what, damage.loss) for damage in loaded.damages] == [(what, Loss.ACKNOWLEDGED)]
    store.commit([put(C, 1)], 3.0)
    store.close(3.0, is_clean=True)

    assert damages_of(store) == (dict(loaded.entries) | {C: entry(1)}, ())


def test_a_later_format_is_refused_and_left_alone(store: PostgresStore, operator: Operator) -> None:
    fill(store, put(A, 1))
    operator.do("ALTER TABLE duenna_state RENAME COLUMN data TO blob", "UPDATE duenna_state_meta SET format = 2")

    for _ in range(2):
        with pytest.raises(
            StateFormatError,
            match=r"^duenna_state_meta in postgres .* has format 2, this program reads formats up to 1: ",
        ):
            store.open()

    operator.do("UPDATE duenna_state_meta SET format = 1", "ALTER TABLE duenna_state RENAME COLUMN blob TO data")
    assert held(store) == {A: entry(1)}


def test_what_the_server_refuses_to_give_is_not_taken_for_empty(store: PostgresStore, operator: Operator) -> None:
    fill(store, put(A, 1))
    operator.do("ALTER TABLE duenna_state RENAME COLUMN data TO blob")

    with pytest.raises(
        StateUnreadableError,
        match=r'^table duenna_state in postgres .* cannot be read: column "data" does not exist .*; nothing was ch',
    ):
        store.open()


# -- trouble while it is open ----------------------------------------------------------


def test_a_commit_that_is_refused_changes_nothing(postgres_dsn: str, operator: Operator) -> None:
    store = opened(postgres_dsn)
    operator.do("ALTER TABLE duenna_state ADD CHECK (version < 10)")

    for bad in (put(B, 11), Change("actor:\ud800", entry(1)), Change(C, entry(2**64))):
        with pytest.raises(StateWriteError, match=r"^commit 2 may not be in "):
            store.commit([put(C, 1), bad], 2.0)

    assert store.commit([put(B, 2)], 2.0) == 2
    store.close(3.0, is_clean=True)
    assert held(PostgresStore(postgres_dsn)) == {A: entry(1), B: entry(2)}


def test_nothing_is_written_to_a_store_that_is_not_open(store: PostgresStore) -> None:
    with pytest.raises(StateWriteError, match=r"^commit 1 may not be in postgres .*: it is not open$"):
        store.commit([put(A, 1)], 1.0)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy(5432) as proxy:
        yield proxy


def through(proxy: Proxy, dsn: str) -> str:
    return dsn.replace("port=5432", f"port={proxy.port}") + " sslmode=disable"


@pytest.mark.parametrize("trouble", [Trouble.CUT_BEFORE_COMMIT, Trouble.CUT_AFTER_COMMIT, Trouble.SILENT_COMMIT])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_commit_whose_answer_was_lost_is_an_error_and_may_be_given_again(
    postgres_dsn: str, proxy: Proxy, trouble: Trouble, is_first: bool
) -> None:
    """Carried out or not, the next one finds out; the changes are set, not added to."""
    is_silent = trouble is Trouble.SILENT_COMMIT
    store = PostgresStore(through(proxy, postgres_dsn), answer_within=0.3 if is_silent else 30.0)
    store.open()
    done = 0 if is_first else store.commit([put(C, 1)], 1.0)
    proxy.trouble = trouble
    why = "no answer within 0.3 s$" if is_silent else ""
    with pytest.raises(StateWriteError, match=rf"^commit {done + 1} may not be in .*: {why}"):
        store.commit([put(A, 1), Change(C, None)], 2.0)
    proxy.trouble = Trouble.NONE
    was_done = trouble is not Trouble.CUT_BEFORE_COMMIT

    assert store.commit([put(A, 2), Change(C, None), put(B, 1)], 3.0) == done + 1 + was_done

    assert store.commit([put(B, 2)], 3.0) == done + 2 + was_done
    store.close(4.0, is_clean=True)
    assert held(PostgresStore(postgres_dsn)) == {A: entry(2), B: entry(2)}


def test_a_commit_that_was_carried_out_after_all_does_not_pass_for_somebody_elses(
    postgres_dsn: str, proxy: Proxy
) -> None:
    """Nor do its changes need to be given again for what is there to add up."""
    store = PostgresStore(through(proxy, postgres_dsn))
    store.open()
    proxy.trouble = Trouble.CUT_AFTER_COMMIT
    with pytest.raises(StateWriteError):
        store.commit([put(A, 1)], 2.0)
    proxy.trouble = Trouble.NONE

    store.close(4.0, is_clean=False)
    loaded = store.open()

    assert (dict(loaded.entries), loaded.damages) == ({A: entry(1)}, ())
    store.close(4.0, is_clean=False)


def test_a_connection_of_ours_that_the_server_still_has_does_not_lock_us_out(postgres_dsn: str, proxy: Proxy) -> None:
    """The network forgot it; the server would keep the lock for it until it noticed."""
    store = PostgresStore(through(proxy, postgres_dsn), lock_within=30.0)
    store.open()
    store.commit([put(A, 1)], 1.0)
    proxy.trouble = Trouble.VANISH
    with pytest.raises(StateWriteError, match=r"^commit 2 may not be in "):
        store.commit([put(A, 2)], 2.0)
    proxy.trouble = Trouble.NONE

    assert store.commit([put(A, 2)], 2.0) == 2
    store.close(3.0, is_clean=True)


def test_a_connection_on_which_nothing_is_said_is_given_up(postgres_dsn: str, proxy: Proxy) -> None:
    """The connection was forgotten somewhere; over another one the server is there."""
    store = PostgresStore(through(proxy, postgres_dsn), answer_within=0.3)
    store.open()
    store.commit([put(A, 1)], 1.0)
    proxy.forget()

    assert store.commit([put(A, 2)], 2.0) == 2
    store.close(3.0, is_clean=True)


# -- a server of our own ---------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[PrivateServer]:
    pytest.importorskip("psycopg")
    with PrivateServer() as server:
        yield server


@pytest.mark.integration
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_the_state_outlives_the_servers_restart(server: PrivateServer, mode: str) -> None:
    """Also a crash of it; the owner does not even notice."""
    store = PostgresStore(server.dsn, name=f"state_{mode}")
    store.open()
    store.commit([put(A, 1), put(B, 1)], 1.0)
    server.stop(mode)
    server.start()

    assert store.commit([put(A, 2)], 2.0) == 2
    server.stop("fast")
    with pytest.raises(StateWriteError, match=r"^commit 3 may not be in .*: .*[Cc]onnection"):
        store.commit([put(C, 1)], 3.0)
    server.start()
    assert store.commit([put(C, 2)], 3.0) == 3
    store.close(4.0, is_clean=True)

    other = PostgresStore(server.dsn, name=f"state_{mode}")
    loaded = other.open()
    assert (dict(loaded.entries), loaded.was_clean) == ({A: entry(2), B: entry(1), C: entry(2)}, True)
    other.close(5.0, is_clean=True)


@pytest.mark.integration
def test_a_server_that_cannot_be_had_is_not_taken_for_empty(server: PrivateServer) -> None:
    store = PostgresStore(server.dsn)
    server.stop("fast")
    try:
        with pytest.raises(
            StateUnreadableError,
            match=r"^table duenna_state in postgres duenna_state at 127\.0\.0\.1/postgres cannot be read: .*refused",
        ) as caught:
            store.open()
    finally:
        server.start()

    assert PASSWORD not in str(caught.value)


@pytest.mark.integration
def test_a_wrong_password_is_told_and_not_shown(server: PrivateServer) -> None:
    store = PostgresStore(server.dsn_with("staple battery wrong"))

    with pytest.raises(StateUnreadableError, match=r'password authentication failed for user "bot"') as caught:
        store.open()

    assert "staple" not in f"{caught.value} {caught.value.__cause__} {store!r} {store.name}"
