"""What is written down of work in progress: operations, and intents of effects that must not happen twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from duenna.secrets import redact_to
from duenna.state._plain import shown
from duenna.storage.entries import split_key

if TYPE_CHECKING:
    from duenna.storage import Entry

OPERATION: Final = "operation"
INTENT: Final = "intent"

SCHEMA: Final = 1
"""Version of `WorkRecord`."""

_LONGEST: Final = 200


class WorkRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One operation or intent that is not finished.

    Attributes:
        id: Its id, made before anything was done, and unlike any other of this state.
        name: What it is called.
        arguments: What it is about: plain values.
        progress: How far it has got; empty for an intent.
        began_at: When it was first begun, in seconds since 1970.
        attempts: How often it was begun or resumed, at least 1.
        error: How the last attempt ended, empty if nobody knows.
    """

    id: str
    name: str
    arguments: dict[str, Any]
    progress: dict[str, Any] = {}
    began_at: float
    attempts: int = 1
    error: str = ""

    def text(self) -> str:
        """Return it in words: `backfill(symbol='BTCUSDT') at index=1200`."""
        at = f" at {shown(self.progress)}" if self.progress else ""
        tries = f", begun {self.attempts} times" if self.attempts > 1 else ""
        error = f", failed last: {self.error}" if self.error else ""
        return redact_to(f"{call_text(self.name, self.arguments)}{at}{tries}{error}", _LONGEST)


class UnfinishedWork(WorkRecord, frozen=True, kw_only=True):
    """One operation or intent that is not finished, and whose it is.

    Attributes:
        path: Its actor.
        kind: `operation` or `intent`.
    """

    path: str
    kind: str

    def text(self) -> str:
        """Return it in words: `/bot/feed backfill(symbol='BTCUSDT') at index=1200`."""
        what = "intent " if self.kind == INTENT else ""
        return f"{self.path} {what}{super().text()}"


def call_text(name: str, arguments: dict[str, Any]) -> str:
    """Return *name* and *arguments* in words: `backfill(symbol='BTCUSDT')`."""
    return redact_to(f"{name}({shown(arguments)})", _LONGEST)


def owner_of(key: str) -> tuple[str, str]:
    """Return the path of the actor whose work is stored under *key*, and the work's id."""
    path, _, number = split_key(key)[1].rpartition("#")
    return path, number


def read_work(key: str, entry: Entry) -> UnfinishedWork:
    """Return what *entry* holds.

    Raises:
        ValueError: It cannot be read, or is of a later version.
    """
    path, _ = owner_of(key)
    if entry.schema > SCHEMA:
        raise ValueError(f"the {entry.kind} {key} is of schema {entry.schema}, this program knows it up to {SCHEMA}")
    try:
        found = msgspec.msgpack.decode(entry.data, type=WorkRecord)
    except msgspec.MsgspecError as error:
        raise ValueError(f"the {entry.kind} {key} cannot be read: {error}") from error
    return UnfinishedWork(path=path, kind=entry.kind, **msgspec.structs.asdict(found))


def describe_work(key: str, entry: Entry) -> str:
    """Return what *entry* is about, in words, with the path of its actor."""
    try:
        return read_work(key, entry).text()
    except ValueError as error:
        return f"{owner_of(key)[0]} {error}"
