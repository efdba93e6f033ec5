"""What the tests of work in progress share: an actor whose body a test writes, and what is in a store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import outcome
import trio

from duenna import Actor, Child, open_runtime, persistent
from duenna.state.work import UnfinishedWork, read_work
from duenna.storage.entries import split_key

from .kit import bot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duenna.storage import Entry

    from .kit import DurableStore

PATH = "/bot/worker"


@attrs.define
class Worker(Actor):
    """Does what a test says, in its body; counts what it does."""

    body: Callable[[Worker], Awaitable[Any]]
    total: int = persistent(default=0)
    is_done: bool = persistent(default=False)
    anything: Any = persistent(default=None)

    async def run(self) -> None:
        await self.body(self)
        await trio.sleep_forever()

    def receive(self, message: object) -> int:
        return self.total


def worker(body: Callable[[Worker], Awaitable[Any]], **options: Any) -> Child:
    """Return the spec of a worker that does *body*, and then nothing more."""
    return Child("worker", lambda: Worker(body), **options)


async def work(store: DurableStore, body: Callable[[Worker], Awaitable[Any]], **options: Any) -> None:
    """Run a bot whose worker does *body*, until that has ended; then stop it in order, and raise what it raised."""
    results: list[outcome.Outcome[Any]] = []
    ended = trio.Event()

    async def until_the_end(self: Worker) -> None:
        results.append(await outcome.acapture(body, self))
        ended.set()
        await trio.sleep_forever()

    async with open_runtime(bot(worker(until_the_end, **options)), state=store, log_level=None):
        await ended.wait()
    results[0].unwrap()


def kept(entries: Mapping[str, Entry]) -> list[UnfinishedWork]:
    """Return the unfinished work among *entries*."""
    found = [read_work(key, entry) for key, entry in entries.items() if split_key(key)[0] == "work"]
    return sorted(found, key=lambda each: each.began_at)


def fields(entries: Mapping[str, Entry], path: str = PATH) -> dict[str, Any]:
    """Return the fields of the actor at *path* among *entries*."""
    entry = entries.get(f"actor:{path}")
    found: dict[str, Any] = {} if entry is None else msgspec.msgpack.decode(entry.data)
    return found


def moments(store: DurableStore) -> list[dict[str, Entry]]:
    """Return what was in *store* after each of its commits: what the next process finds if this one is killed then."""
    found: list[dict[str, Entry]] = [{}]
    for changes in store.commits:
        entries = dict(found[-1])
        for change in changes:
            if change.entry is None:
                entries.pop(change.key, None)
            else:
                entries[change.key] = change.entry
        found.append(entries)
    return found
