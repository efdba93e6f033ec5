"""Live with a store of files, one process a life: `python lives.py`, then an order a line (JSON of `Order`).

Each order gets a process of its own, forked from this one so that nothing has to be imported again. It says
on standard output, each line at once:

    PID 123
    RECOVERED 17 <sha256>       the state that was found, of commit 17
    TRY 18                      before a commit
    ACK 18                      after it
    FAILED 18 <why>             instead; its changes are given again with those of the next
    UNTIDY 18 <why>            it could not compact, or leave the mark of the end
    REFUSED <why>               instead of RECOVERED
    CLOSED 41                   the end, in order; syncs that were made
    EXIT 0                      of the process: what ``waitpid`` says
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from typing import TYPE_CHECKING

import attrs
import msgspec

from duenna.storage import Change, FileStore, OsFs, StateError, StateWriteError
from tests.runtime.storage.programs.numbered import changes_of, digest, number_in

if TYPE_CHECKING:
    from collections.abc import Callable


class Order(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a life is to do.

    Attributes:
        directory: Where the state is.
        commits: How many to make; 0: it goes on until it is killed.
        compact_every: Commits between one compaction and the next; 0: there is none.
        kill_before: The how many-th call that changes the disk is never made: the process kills itself; 0: it lives.
        skip_syncs: Whether no sync is ever made: what a wrong store does.
        environ: What to add to the environment.
    """

    directory: str
    commits: int = 0
    compact_every: int = 0
    kill_before: int = 0
    skip_syncs: bool = False
    environ: dict[str, str] = {}


@attrs.frozen
class WatchedFs(OsFs):
    """The real disk, with a process that may end before any call that changes it."""

    order: Order
    made: Counter[str] = attrs.field(factory=Counter[str])

    def _change(self) -> None:
        self.made["changes"] += 1
        if self.made["changes"] == self.order.kill_before:
            os.kill(os.getpid(), signal.SIGKILL)

    def create(self, path: str) -> int:
        self._change()
        return super().create(path)

    def write(self, file: int, data: bytes | memoryview) -> int:
        self._change()
        return super().write(file, data)

    def sync(self, file: int) -> None:
        self._change()
        self.made["syncs"] += 1
        if not self.order.skip_syncs:
            super().sync(file)

    def replace(self, source: str, target: str) -> None:
        self._change()
        super().replace(source, target)

    def remove(self, path: str) -> None:
        self._change()
        super().remove(path)

    def sync_directory(self, directory: str) -> None:
        self._change()
        self.made["syncs"] += 1
        if not self.order.skip_syncs:
            super().sync_directory(directory)


def say(line: str) -> None:
    """Write *line* with one call, so that it is out whatever happens next."""
    os.write(1, f"{line}\n".encode())


def live(order: Order) -> None:
    """Carry out *order*."""
    say(f"PID {os.getpid()}")
    disk = WatchedFs(order)
    store = FileStore(order.directory, fs=disk, keep=2)
    try:
        loaded = store.open()
    except StateError as exc:
        say(f"REFUSED {exc}")
        return
    number = number_in(loaded.entries)
    say(f"RECOVERED {number} {digest(loaded.entries)}")
    end = number + order.commits if order.commits else sys.maxsize
    pending: dict[str, Change] = {}
    while number < end:
        number += 1
        pending |= {change.key: change for change in changes_of(number)}
        say(f"TRY {number}")
        try:
            store.commit(tuple(pending.values()), float(number))
            pending.clear()
            say(f"ACK {number}")
        except StateWriteError as exc:
            say(f"FAILED {number} {exc}")
        if order.compact_every and number % order.compact_every == 0:
            _compact(store, number)
    try:
        store.close(float(number), is_clean=True)
    except StateWriteError as exc:
        say(f"UNTIDY {number} {exc}")
    say(f"CLOSED {disk.made['syncs']}")


def _compact(store: FileStore, number: int) -> None:
    try:
        store.compact(float(number))
    except StateWriteError as exc:
        say(f"UNTIDY {number} {exc}")


def fork(work: Callable[[Order], None], order: Order) -> None:
    """Carry out *order* in a process of its own, and say how that ended."""
    process = os.fork()
    if process == 0:
        os.environ.update(order.environ)
        status = 1
        try:
            work(order)
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    say(f"EXIT {os.waitpid(process, 0)[1]}")


def main() -> None:
    """Carry out the orders, one after the other."""
    for line in sys.stdin:
        fork(live, msgspec.json.decode(line, type=Order))


if __name__ == "__main__":
    main()
