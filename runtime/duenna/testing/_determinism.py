"""Everything that makes a run repeat itself, around one ``trio.run``."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

from duenna.testing import _presence
from duenna.testing._audit import audit as audit_calls
from duenna.testing._chance import patch_chance
from duenna.testing._collector import collect_by
from duenna.testing._disk import Disk
from duenna.testing._forbidden import patch_forbidden
from duenna.testing._imports import patch_imports
from duenna.testing._patches import Patches
from duenna.testing._sqlite import patch_sqlite
from duenna.testing._threads import patch_threads
from duenna.testing._times import patch_times

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from duenna.testing._clock import WorldClock
    from duenna.testing._leaks import Leak


@contextmanager
def deterministic(
    seed: int,
    clock: WorldClock,
    wall: Callable[[], float],
    *,
    disk: Disk | None = None,
    on_leak: Callable[[Leak], None],
    audit: bool = False,
) -> Generator[None]:
    """Let everything that this thread does meanwhile depend on *seed* alone.

    Trio's scheduler, the clocks of `time` and `datetime` (in UTC), the system's chance and that
    of `random`, worker threads, SQLite's files and when garbage is collected. What would be real
    all the same raises `WorldLeakError`. Other threads of the process see nothing of it,
    but for the time zone. Everything is put back at the end.

    Args:
        seed: Any whole number.
        clock: The one that ``trio.run`` is given.
        wall: Gives the time of day, in unix seconds.
        disk: The faults of the disk; None: it has none.
        on_leak: Told of every leak, once for each line of code.
        audit: Also tell, by *on_leak*, of real functions that are called by copies no world can
            replace, such as default arguments; several times slower.

    Raises:
        RuntimeError: A world runs in this process already: they would share modules and scheduler.
    """
    tempfile.gettempdir()  # it tries folders with names by chance, once in a process
    _presence.take(seed)
    patches = Patches()
    try:
        here = _presence.Presence(seed, clock, wall, disk if disk is not None else Disk(), on_leak)
        patches.on_undo(lambda: _presence.enter(None))
        _patch_scheduler(patches, here)
        patch_times(patches)
        patch_chance(patches, here)
        patch_threads(patches)
        patch_forbidden(patches)
        patch_sqlite(patches)
        patch_imports(patches)
        patches.copies()
        _presence.enter(here)
        collect_by(clock, patches)
        if audit:
            audit_calls(here, patches)
        yield
    finally:
        try:
            patches.undo()
        finally:
            _presence.enter(None)
            _presence.give_back()


def _patch_scheduler(patches: Patches, here: _presence.Presence) -> None:
    """Have trio shuffle tasks by the seed. Importing hypothesis alone sets the flag, so it may be set already."""
    run = trio._core._run  # noqa: SLF001  # nothing public sets the seed
    state = run._r.getstate()  # noqa: SLF001
    patches.attribute(run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
    patches.on_undo(lambda: run._r.setstate(state))  # noqa: SLF001
    run._r.seed(f"{here.seed}:scheduler")  # noqa: SLF001
