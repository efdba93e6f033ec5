"""What became of a save, and how the state does: values for people and consoles."""

import msgspec


class SaveReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one save.

    Attributes:
        seq: The store's last commit, counted from 1; 0: there was never anything to save.
        changed: Entries that were not as they were at the last save.
        size: Their bytes.
        duration: Seconds, from its beginning until all was durable.
        busy: Actors that were in the middle of a message: each is taken when that is handled.
        failed: What could not be encoded: why, by path. What was saved of these before stands.
    """

    seq: int
    changed: int
    size: int
    duration: float
    busy: tuple[str, ...] = ()
    failed: dict[str, str] = {}


class StateStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the state does at one moment.

    Attributes:
        store: Where it is.
        is_durable: Whether that outlives the process.
        problem: Why what was saved last is in memory only, empty if it is durable.
        since: When that began, in seconds of trio's clock; None: it is durable.
        seq: The store's last commit.
        waiting: Changes that are not durable yet.
        entries: How many there are.
        size: Their bytes.
        saved_at: When the last commit was made, in seconds since 1970; None: never.
        is_reconciling: Whether state was lost, and nobody has yet said that what is there is right.
        damages: What could not be read at the start, a sentence each.
        aside: What was set aside, by path.
        failed: What could not be encoded at the last save: why, by path.
        lag: Of a store that copies to a remote one: in words, empty if there is none.
    """

    store: str
    is_durable: bool
    problem: str
    since: float | None
    seq: int
    waiting: int
    entries: int
    size: int
    saved_at: float | None
    is_reconciling: bool
    damages: tuple[str, ...]
    aside: tuple[str, ...]
    failed: dict[str, str]
    lag: str = ""


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What an incarnation began with, from ``context.restored``.

    Attributes:
        version: How often it had been saved.
        at: When it was taken, in seconds since 1970.
        age: How many seconds before the start that was; at least 0.
        is_new_process: Whether an earlier process saved it.
    """

    version: int
    at: float
    age: float
    is_new_process: bool
