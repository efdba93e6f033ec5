"""`runtime.incident_files`: takes incidents at once, and has them written by and by."""

import zlib
from collections import deque
from collections.abc import Iterable
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import msgspec
import trio
from loguru import logger

from duenna._off_loop import off_the_loop
from duenna._text import describe
from duenna.errors import DuennaError, StoppedError
from duenna.incident_files.document import IncidentSummary, Summary, Trigger
from duenna.incident_files.events import IncidentFileFailed, IncidentFileTaken
from duenna.incident_files.folder import file_of, listed, prune, store
from duenna.incident_files.look import Look, look_at
from duenna.incident_files.making import Maker, encoded
from duenna.incident_files.recorder import Recorder
from duenna.machines.backoff import Backoff
from duenna.machines.incident_storm import IncidentStorm
from duenna.records.dates import moment, timestamp
from duenna.secrets import redact_to
from duenna.wallclock import WallTime, wall_time

if TYPE_CHECKING:
    import os

    from duenna._runtime import Runtime
    from duenna.events import Event

FOLDER: Final = "incidents"
"""Where the files are, below the base directory."""

IN_MEMORY: Final = 20
"""Incidents that stay in memory, the last ones."""

SLOW_AFTER: Final = 10.0
"""Seconds after which a disk that does not answer counts as failing."""

_RETRY: Final = Backoff.exponential(1.0, maximum=60.0, jitter="none")
_SHOWN: Final = 5


class UnknownIncidentError(DuennaError, LookupError):
    """There is no such incident, or none any more.

    Attributes:
        id: What was looked for.
    """

    def __init__(self, id: str, known: str = "") -> None:  # noqa: A002  # the word for it
        """Say that there is none of this *id*."""
        there_is = f", there is {known}" if known else ", there is none at all"
        super().__init__(f"no such incident: {id!r}{there_is}")
        self.id = id


@attrs.define(eq=False)
class _Incident:
    """One that is in memory: what was seen, until the document is made of it."""

    summary: IncidentSummary
    skipped: int
    look: Look | None
    _packed: bytes = b""

    def json(self) -> bytes:
        """Return the document; slow the first time, and called in a thread."""
        look, brief = self.look, self.summary
        if look is None:
            return zlib.decompress(self._packed)
        head = Summary(
            id=brief.id,
            at=brief.at,
            timestamp=timestamp(brief.at),
            trigger=brief.trigger,
            path=brief.path,
            reason=brief.reason,
            by=brief.by,
            skipped=self.skipped,
        )
        data = encoded(Maker(look, head).document())
        self._packed, self.look = zlib.compress(data, 1), None
        self.summary = msgspec.structs.replace(self.summary, size=len(data))
        return data

    def store(self, folder: Path) -> list[str]:
        """Write the file if it is not written yet; return the ids of the files that had to go for it."""
        if not self.summary.file:
            file = store(folder, self.summary.id, self.json())
            self.summary = msgspec.structs.replace(self.summary, file=str(file))
        return prune(folder)


class IncidentFiles:
    """The incidents of one runtime. The last 20 are in memory, the last 50 in files if there is a base directory.

    Attributes:
        folder: Where the files are; None: there are none.
        recorder: The last events.
        wall: The wall clock.
    """

    def __init__(
        self, runtime: "Runtime", directory: "str | os.PathLike[str] | None", *, wall: WallTime = wall_time
    ) -> None:
        """Listen to *runtime* from now on, and write to `incidents` in *directory*, if there is one."""
        self.folder = None if directory is None else Path(directory, FOLDER)
        self.wall = wall
        self.recorder = Recorder.of(runtime, self._heard)
        self._runtime = runtime
        self._storm = IncidentStorm()
        self._kept: dict[str, _Incident] = {}
        self._waiting: deque[_Incident] = deque(maxlen=IN_MEMORY)
        self._on_disk: dict[str, IncidentSummary] = {}
        self._nursery: trio.Nursery | None = None
        self._writer = trio.CapacityLimiter(1)
        self._is_writing = False
        self._error = ""
        self._numbers = count(1)

    def take(self, reason: str, path: str = "/", *, by: str = "") -> IncidentSummary:
        """Take an incident of what is now, for *reason*; its file is written soon.

        Args:
            reason: For a person; without secrets and cut at 500 characters, as *by* is.
            path: Whom it is about; `/`: the bot as a whole.
            by: Who asks.

        Raises:
            StoppedError: The runtime has ended.
            TypeError: An argument is no text.
            UnknownPathError: There is no such child.
        """
        for name, value in (("reason", reason), ("path", path), ("by", by)):
            given: object = value
            if not isinstance(given, str):
                raise TypeError(f"incident_files: {name} must be a str, got {given!r}")
        if self._runtime.is_over:
            raise StoppedError(path)
        if path != "/":
            self._runtime.ref(path)
        return self._take(Trigger.REQUEST, path, reason, by)

    def list(self) -> tuple[IncidentSummary, ...]:
        """Return the incidents that can be read, newest first: those in memory, and those in files."""
        found = self._on_disk | {number: incident.summary for number, incident in self._kept.items()}
        return tuple(sorted(found.values(), key=lambda each: (each.at, each.id), reverse=True))

    async def read(self, id: str) -> bytes:  # noqa: A002  # the word for it
        """Return the document of an incident, JSON; made or read in a thread.

        Raises:
            OSError: Its file cannot be read.
            UnknownIncidentError: There is none of this *id*, or none any more.
        """
        incident, summary = self._kept.get(id), self._on_disk.get(id)
        if incident is not None:
            return await off_the_loop(incident.json)
        if summary is not None:
            try:
                return await off_the_loop(Path(summary.file).read_bytes)
            except FileNotFoundError:
                self._on_disk.pop(id, None)
        known = [each.id for each in self.list()]
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        raise UnknownIncidentError(id, ", ".join(known[:_SHOWN]) + more)

    # -- taking ----------------------------------------------------------------

    def _heard(self, trigger: Trigger, event: "Event") -> None:
        """Take an incident by itself, unless there were too many."""
        try:
            is_the_end = trigger is Trigger.GAVE_UP and event.path.count("/") == 1  # of a root: there is no later one
            if self._storm.admits(event.time, event.path) or is_the_end:
                self._take(trigger, event.path, event.text(), "")
        except Exception as exc:  # noqa: BLE001  # whatever it is, the supervisor that posts the event goes on
            logger.error("{}: no incident file could be taken: {}", event.path, describe(exc))

    def _take(self, trigger: Trigger, path: str, reason: str, by: str) -> IncidentSummary:
        at = self.wall()
        number = f"{moment(at):%Y%m%dT%H%M%SZ}-{next(self._numbers) % 10_000:04d}"
        summary = IncidentSummary(
            id=number, at=at, path=redact_to(path), reason=redact_to(reason), trigger=str(trigger), by=redact_to(by)
        )
        look = look_at(self._runtime, self.recorder.events, path)
        incident = self._kept[number] = _Incident(summary, self._storm.told(), look)
        if len(self._kept) > IN_MEMORY:
            del self._kept[next(iter(self._kept))]
        if self.folder is not None:
            self._waiting.append(incident)
            self._write_soon()
        return summary

    # -- writing ---------------------------------------------------------------

    async def open(self) -> None:
        """Find what earlier processes left; before the first incident, so that none gets the number of another."""
        if self.folder is not None:
            with trio.move_on_after(SLOW_AFTER):
                found, number = await off_the_loop(partial(listed, self.folder), self._writer)
                self._on_disk = {each.id: each for each in found}
                self._numbers = count(number)

    def begin(self, nursery: trio.Nursery) -> None:
        """Write in tasks of *nursery* from now on."""
        self._nursery = nursery

    def _write_soon(self) -> None:
        """Have a task write what waits: there is none while nothing does, and the runtime does not end before it."""
        if self._nursery is None or self._is_writing:
            return
        try:
            self._nursery.start_soon(self._write_all, name="duenna (incident files)")
        except RuntimeError:  # the runtime has all but ended: it stays in memory
            return
        self._is_writing = True

    async def _write_all(self) -> None:
        try:
            failed = 0
            while self._waiting:
                if await self._write(self._waiting[0]):
                    failed = 0
                elif not self._runtime.stopping.is_set():
                    failed += 1
                    with trio.move_on_after(_RETRY.delay(failed)):
                        await self._runtime.stopping.wait()
                    continue
                self._waiting.popleft()
        finally:
            self._is_writing = False

    async def _write(self, incident: _Incident) -> bool:
        """Write one file; return whether that went well. It is not given up when all else is cancelled."""
        assert self.folder is not None  # noqa: S101  # there is no task without
        error = f"the disk has not answered for {SLOW_AFTER:g} s"
        with trio.CancelScope(shield=True, deadline=trio.current_time() + SLOW_AFTER):
            try:
                gone = await off_the_loop(partial(incident.store, self.folder), self._writer)
            except Exception as exc:  # noqa: BLE001  # whatever it is, it stays in memory, and the bot goes on
                error = (exc.strerror if isinstance(exc, OSError) else "") or describe(exc)
            else:
                self._written(incident, gone)
                return True
        self._failed(incident, redact_to(error))
        return False

    def _written(self, incident: _Incident, gone: Iterable[str]) -> None:
        summary, bus = incident.summary, self._runtime.bus
        self._error = ""
        self._on_disk[summary.id] = summary
        for number in gone:
            self._on_disk.pop(number, None)
        if bus.wants(IncidentFileTaken):
            bus.post(
                IncidentFileTaken(
                    time=self._runtime.now(),
                    path=summary.path,
                    id=summary.id,
                    file=summary.file,
                    trigger=summary.trigger,
                    reason=summary.reason,
                )
            )

    def _failed(self, incident: _Incident, error: str) -> None:
        if error == self._error:
            return
        assert self.folder is not None  # noqa: S101  # there is no task without
        self._error, summary, bus = error, incident.summary, self._runtime.bus
        if bus.wants(IncidentFileFailed):
            bus.post(
                IncidentFileFailed(
                    time=self._runtime.now(),
                    path=summary.path,
                    id=summary.id,
                    file=str(file_of(self.folder, summary.id)),
                    error=error,
                    waiting=len(self._waiting),
                )
            )
