"""Says what becomes of operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from duenna.state.work import call_text
from duenna.state.work_events import OperationBegan, OperationFailed, OperationFinished, OperationLeft, OperationResumed

if TYPE_CHECKING:
    from duenna.state._works import Begun
    from duenna.state.state import State
    from duenna.state.work import WorkRecord


def tell_began(state: State, path: str, begun: Begun) -> None:
    """Post that an operation of *path* has *begun*, or was resumed."""
    record, now = begun.record, state.now()
    if begun.is_new:
        if state.wants(OperationBegan):
            state.post(OperationBegan(time=now, path=path, id=record.id, work=_call(record)))
    elif state.wants(OperationResumed):
        state.post(
            OperationResumed(
                time=now,
                path=path,
                id=record.id,
                work=_so_far(record),
                attempts=record.attempts,
                age=_age(state, record),
                error=begun.error,
            )
        )


def tell_finished(state: State, path: str, record: WorkRecord, *, was_abandoned: bool) -> None:
    """Post that an operation of *path* is over."""
    if state.wants(OperationFinished):
        state.post(
            OperationFinished(
                time=state.now(),
                path=path,
                id=record.id,
                work=_call(record),
                attempts=record.attempts,
                duration=_age(state, record),
                was_abandoned=was_abandoned,
            )
        )


def tell_failed(state: State, path: str, record: WorkRecord, error: str) -> None:
    """Post that an operation of *path* raised *error*."""
    if state.wants(OperationFailed):
        state.post(
            OperationFailed(
                time=state.now(),
                path=path,
                id=record.id,
                work=_so_far(record),
                attempts=record.attempts,
                error=error,
            )
        )


def tell_left(state: State, path: str, record: WorkRecord, *, was_cancelled: bool) -> None:
    """Post that an operation of *path* stays unfinished."""
    if state.wants(OperationLeft):
        told = OperationLeft(
            time=state.now(), path=path, id=record.id, work=_so_far(record), was_cancelled=was_cancelled
        )
        state.post(told)


def _call(record: WorkRecord) -> str:
    return call_text(record.name, record.arguments)


def _so_far(record: WorkRecord) -> str:
    return msgspec.structs.replace(record, error="", attempts=1).text()


def _age(state: State, record: WorkRecord) -> float:
    return max(0.0, state.wall() - record.began_at)
