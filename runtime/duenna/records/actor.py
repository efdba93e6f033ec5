"""`/system/records`: writes what waits, in a worker thread, and goes on whatever the disk does."""

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

import attrs
import trio

from duenna._off_loop import is_virtual, off_the_loop
from duenna.actor import Actor
from duenna.machines.backoff import Backoff
from duenna.records.dates import until_midnight
from duenna.records.events import RecordsFailed, RecordsResumed
from duenna.records.retention import sweep
from duenna.records.writer import BATCH_LINES

if TYPE_CHECKING:
    from duenna.records.records import Records
    from duenna.records.writer import Batch, Log

RETRY: Final = Backoff.exponential(1.0, maximum=60.0, jitter="none")
"""The waits between two tries to write a log."""

_A_MOMENT = 1.0  # past midnight, so that a clock that is corrected by little is past it too


@attrs.define(eq=False)
class RecordsActor(Actor):
    """Writes the logs of `Records`. They outlive it: what waits is written by the next incarnation."""

    kind: ClassVar[str] = "records"

    records: "Records"

    async def run(self) -> None:
        """Write each log as its lines come, and remove old files now and after each midnight."""
        self.records.post = self.context.post
        async with trio.open_nursery() as nursery:
            for log in self.records.logs:
                nursery.start_soon(self._serve, log, name=f"{self.context.path} ({log.name})")
            nursery.start_soon(self._sweep_daily, name=f"{self.context.path} (retention)")

    async def stopping(self, reason: Any) -> None:
        """Write what still waits; a disk that does not take it now will not be asked again."""
        del reason
        async with trio.open_nursery() as nursery:
            for log in self.records.logs:
                nursery.start_soon(self._drain, log)

    async def _serve(self, log: "Log") -> None:
        failed = 0
        while True:
            await log.until_waiting()
            if await self._write(log):
                failed = 0
            else:
                failed += 1
                await trio.sleep(RETRY.delay(failed))

    async def _drain(self, log: "Log") -> None:
        try:
            while log.waiting and await self._write(log):
                pass
        finally:
            if log.waiting:  # the disk failed, or the time is up
                batch = log.batch()
                self._post_failed(log, batch, log.error or "its time to stop is over")

    # -- writing ---------------------------------------------------------------

    async def _write(self, log: "Log") -> bool:
        """Write one batch; return whether that went well."""
        batch = log.batch()
        async with trio.open_nursery() as nursery:
            if not is_virtual():  # there a write takes no time
                nursery.start_soon(self._tell_when_slow, log, batch)
            await off_the_loop(batch.write, log.limiter)
            nursery.cancel_scope.cancel("it is written, or it failed")
        done = log.settle(batch)
        if done:
            self._well(log)
        else:
            self._failed(log, batch, str(batch.error) or type(batch.error).__name__)
        return done

    async def _tell_when_slow(self, log: "Log", batch: "Batch") -> None:
        await trio.sleep(self.records.slow_after)
        self._failed(log, batch, f"the disk has not answered for {self.records.slow_after:g} s")

    def _failed(self, log: "Log", batch: "Batch", error: str) -> None:
        log.begin_failing(self.context.now())
        if error != log.error:
            log.error = error
            self._post_failed(log, batch, error)

    def _well(self, log: "Log") -> None:
        log.error = ""
        if log.failing_since is None or log.waiting > BATCH_LINES:  # it has still to catch up
            return
        now, since = self.context.now(), log.failing_since
        log.failing_since = None
        lost = log.lost - log.lost_before
        self.context.post(
            RecordsResumed(time=now, path=self.context.path, log=log.name, duration=now - since, lost=lost)
        )

    def _post_failed(self, log: "Log", batch: "Batch", error: str) -> None:
        self.context.post(
            RecordsFailed(
                time=self.context.now(),
                path=self.context.path,
                log=log.name,
                file=str(log.folder / batch.file),
                error=error,
                waiting=log.waiting,
                lost=log.lost,
            )
        )

    # -- retention -------------------------------------------------------------

    async def _sweep_daily(self) -> None:
        records = self.records
        while True:
            changed = records.retention_changed = trio.Event()
            keep = records.retention_days
            if keep is None:
                await changed.wait()
                continue
            now = records.wall()
            for log in records.logs:
                swept = await off_the_loop(partial(sweep, log.folder, log.pattern, keep, now), records.sweeper)
                records.removed += len(swept.removed)
                if swept.errors:
                    self.context.report(swept.errors[0], log=log.name, files_not_removed=len(swept.errors))
            with trio.move_on_after(until_midnight(records.wall()) + _A_MOMENT):
                await changed.wait()
