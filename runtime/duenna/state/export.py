"""`system_state.json` beside the state: what a person wants to see of it, written after saves and never read."""

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec
import trio

from duenna._off_loop import off_the_loop
from duenna.records.dates import timestamp
from duenna.secrets import redact
from duenna.state._chosen import path_of
from duenna.state._documents import dated, entry_row
from duenna.state._readable import packed, readable, text_of, unpacked
from duenna.state.work import INTENT, OPERATION
from duenna.storage import FileStore
from duenna.storage.entries import ACTOR, PART, WORK, key_of, split_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from duenna._runtime import Runtime
    from duenna.settings import Settings
    from duenna.state.report import StateStatus
    from duenna.state.state import State
    from duenna.storage import Entry, Fs

NAME: Final = "system_state.json"

NOTE: Final = "for people; duenna never reads this file"

MOST_SHOWN: Final = 512 * 1024
"""Bytes of one entry whose values are shown; of a larger one, `duenna state show` shows them."""

MOST_IN_ALL: Final = 1024 * 1024
"""The same, of all entries."""

_SHARE: Final = 20.0
"""How many times as long as an export took none is made after it: it is a convenience, and the bot has work to do."""

_LEFT_OUT: Final = "left_out"
_LAST_PATIENCE: Final = 1.0
_GOOD: Final = key_of(PART, "data")


@attrs.frozen
class Moment:
    """What is exported, as it was at one moment; nothing of it changes any more.

    Attributes:
        at: When that was, in seconds since 1970.
        entries: All that is stored, by key.
        caches: The fields of running actors that can be rebuilt, by path.
        settings: Those in force.
        status: How the state does.
    """

    at: float
    entries: "Mapping[str, Entry]"
    caches: "Mapping[str, tuple[str, ...]]"
    settings: "Settings"
    status: "StateStatus"

    def document(self) -> dict[str, object]:
        """Return it as values that JSON has."""
        budget = _Budget()
        return {
            "note": NOTE,
            "exported_at": timestamp(self.at),
            "state": _status(self.status, self.at),
            "operations": [self._work(key, entry) for key, entry in self._of(WORK) if entry.kind == OPERATION],
            "intents": [self._work(key, entry) for key, entry in self._of(WORK) if entry.kind == INTENT],
            "actors": {redact(split_key(key)[1]): entry_row(entry, self.at) for key, entry in self._of(ACTOR)},
            "cached_data": {"fields": self._cached(budget), "last_good": self._good(budget)},
            "settings": packed(self.settings),
        }

    def _of(self, space: str) -> "Iterable[tuple[str, Entry]]":
        return sorted((key, entry) for key, entry in self.entries.items() if split_key(key)[0] == space)

    def _work(self, key: str, entry: "Entry") -> dict[str, object]:
        known = _map(unpacked(entry.data))
        began = known.pop("began_at", None)
        return {
            "path": redact(path_of(key, entry.kind)),
            **known,
            "began_at": timestamp(began) if isinstance(began, int | float) else began,
            **dated(entry.at, self.at),
        }

    def _cached(self, budget: "_Budget") -> dict[str, object]:
        shown: dict[str, object] = {}
        for path, names in sorted(self.caches.items()):
            entry = self.entries.get(key_of(ACTOR, path))
            if entry is not None:
                values = budget.values(entry)
                fields = {name: values[name] for name in names if name in values} or values
                shown[redact(path)] = {**dated(entry.at, self.at), "values": fields}
        return shown

    def _good(self, budget: "_Budget") -> dict[str, object]:
        entry = self.entries.get(_GOOD)
        if entry is None:
            return {}
        values = budget.values(entry)
        if _LEFT_OUT in values:
            return values
        return {source: self._known(_map(known)) for source, known in values.items()}

    def _known(self, known: dict[str, Any]) -> dict[str, object]:
        at = known.get("at")
        return {"value": known.get("value"), **dated(at, self.at)} if isinstance(at, int | float) else known


class _Budget:
    """How many bytes may still be shown."""

    def __init__(self) -> None:
        self._left = MOST_IN_ALL

    def values(self, entry: "Entry") -> dict[str, Any]:
        """Return the values of *entry*, if there is room for them."""
        size = len(entry.data)
        if size > MOST_SHOWN or size > self._left:
            return {_LEFT_OUT: f"{size} bytes, which duenna state show has"}
        self._left -= size
        return _map(unpacked(entry.data))


def _map(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {"values": value}
    known: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
    return known


def _status(status: "StateStatus", at: float) -> dict[str, object]:
    known: dict[str, object] = msgspec.to_builtins(status)
    for name in ("seq", "saved_at", "since"):  # the last is a time of a clock that nobody else has
        del known[name]
    shown = {name: readable(value, name) for name, value in known.items()}
    return {**shown, "commit": status.seq, **dated(status.saved_at, at)}


@attrs.define(eq=False)
class Exporter:
    """Writes `system_state.json` for one runtime, in a thread, after saves that have changed something.

    It is replaced as a whole, and readable by its owner alone. Nothing waits for it, and it is not
    made durable: after a power cut it may be missing or empty.
    """

    _state: "State"
    _runtime: "Runtime"
    _folder: str
    _fs: "Fs"
    _seq: int = attrs.field(init=False)
    _news: trio.Event = attrs.field(factory=trio.Event, init=False)
    _is_failing: bool = attrs.field(default=False, init=False)
    _limiter: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(1), init=False)

    def __attrs_post_init__(self) -> None:
        """Begin with what is stored: until something was saved, nothing is written."""
        self._seq = self._state.seq

    async def run(self, report: "Callable[[Exception], object]") -> None:
        """Write whenever a save has changed something; *report* hears of the first failure of several."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            began = trio.current_time()
            await self.write(report)
            await trio.sleep((trio.current_time() - began) * _SHARE)

    def saved(self) -> None:
        """Note that a save is over."""
        if self._is_due:
            self._news.set()

    async def write(self, report: "Callable[[Exception], object]") -> None:
        """Write it now, if a save has changed something; *report* hears of the first failure of several."""
        if not self._is_due:
            return
        state = self._state
        self._seq = state.seq
        moment = Moment(
            at=state.wall(),
            entries=dict(state.entries),
            caches=state.captures.caches(),
            settings=self._runtime.settings,
            status=state.status(),
        )
        try:
            await off_the_loop(partial(self._replace, moment), self._limiter)
        except Exception as error:  # noqa: BLE001  # whatever it is, the bot goes on without this file
            if not self._is_failing:
                self._is_failing = True
                report(error)
        else:
            self._is_failing = False

    async def write_last(self, report: "Callable[[Exception], object]") -> None:
        """Do as ``write`` at the end of the runtime, for a second at most."""
        with trio.move_on_after(_LAST_PATIENCE):
            await self.write(report)

    @property
    def _is_due(self) -> bool:
        return self._state.seq != self._seq and not self._state.problem  # a full disk has better uses

    def _replace(self, moment: Moment) -> None:
        target, fs = f"{self._folder}/{NAME}", self._fs
        rest = memoryview(text_of(moment.document()))
        try:
            file = fs.create(f"{target}.tmp")
            try:
                while rest:
                    rest = rest[fs.write(file, rest) :]
            finally:
                fs.close(file)
            fs.replace(f"{target}.tmp", target)
        except OSError:
            with suppress(OSError):
                fs.remove(f"{target}.tmp")
            raise


def exporter_of(state: "State", runtime: "Runtime") -> Exporter | None:
    """Return what exports *state*, None if it is not kept in a folder."""
    store: object = state.store
    if not isinstance(store, FileStore):
        store = getattr(store, "local", None)  # of a store that copies to a remote one
    return Exporter(state, runtime, store.directory, store.fs) if isinstance(store, FileStore) else None
