"""The buffer of accepted writes: order, bounds, and what is counted."""

from __future__ import annotations

from typing import Any, cast

import pytest

from duenna_actors._writes import Overflow, WriteBuffer
from duenna_actors.database_messages import Write, WriteBufferFullError, WriteDroppedError


class Asker:
    """Stands for the reply to one ask."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.is_open = is_open
        self.got: list[object] = []

    def send(self, value: object) -> None:
        self.got.append(value)

    def fail(self, error: Exception) -> None:
        self.got.append(error)


def write(number: int = 0) -> Write:
    return Write("INSERT INTO t VALUES (?)", (number,))


def accept(buffer: WriteBuffer, count: int, asker: Asker | None = None) -> None:
    for number in range(count):
        buffer.accept(write(number), cast("Any", asker))


def numbers(buffer: WriteBuffer, most: int = 100) -> list[int]:
    return [pending.number for pending in buffer.take(most)]


def test_writes_keep_their_order_and_stay_until_they_are_committed() -> None:
    buffer = WriteBuffer()
    accept(buffer, 3)

    assert numbers(buffer, 2) == [1, 2]
    assert len(buffer) == 3
    buffer.committed(2)

    assert numbers(buffer) == [3]
    assert (buffer.accepted, buffer.written) == (3, 2)


def test_a_batch_that_failed_is_taken_again() -> None:
    buffer = WriteBuffer()
    accept(buffer, 2)
    buffer.take(2)
    buffer.put_back()

    assert numbers(buffer) == [1, 2]


def test_a_full_buffer_keeps_what_it_accepted() -> None:
    buffer = WriteBuffer(2)
    accept(buffer, 2)

    with pytest.raises(
        WriteBufferFullError, match=r"^write refused: the buffer holds 2 writes, and they all wait for the database$"
    ):
        accept(buffer, 1)
    assert numbers(buffer) == [1, 2]
    assert (buffer.accepted, buffer.refused, buffer.dropped) == (2, 1, 0)


def test_or_it_gives_up_the_oldest() -> None:
    buffer = WriteBuffer(2, Overflow.DROP_OLDEST)
    asker = Asker()
    accept(buffer, 1, asker)

    accept(buffer, 3)

    assert numbers(buffer) == [3, 4]
    assert (buffer.accepted, buffer.refused, buffer.dropped) == (4, 0, 2)
    assert isinstance(asker.got[0], WriteDroppedError)


def test_what_is_being_written_is_never_dropped() -> None:
    """It may be in the database already: it would be counted as lost and be there."""
    buffer = WriteBuffer(3, Overflow.DROP_OLDEST)
    accept(buffer, 3)
    buffer.take(2)

    accept(buffer, 1)

    buffer.committed(2)
    assert numbers(buffer) == [4]
    assert buffer.dropped == 1


def test_when_everything_is_being_written_the_new_one_is_refused() -> None:
    buffer = WriteBuffer(2, Overflow.DROP_OLDEST)
    accept(buffer, 2)
    buffer.take(2)

    with pytest.raises(WriteBufferFullError):
        accept(buffer, 1)


def test_an_asker_learns_that_it_is_committed() -> None:
    buffer = WriteBuffer()
    asker, gone = Asker(), Asker(is_open=False)
    accept(buffer, 1, asker)
    accept(buffer, 1, gone)

    buffer.committed(2)

    assert (asker.got, gone.got) == ([1], [])


def test_a_rejected_write_makes_way() -> None:
    buffer = WriteBuffer()
    asker = Asker()
    accept(buffer, 1, asker)
    accept(buffer, 1)
    error = ValueError("no such column")

    buffer.reject(1, error)

    assert asker.got == [error]
    assert numbers(buffer) == [2]
    assert (buffer.rejected, buffer.written) == (1, 0)


def test_only_the_oldest_can_be_rejected() -> None:
    buffer = WriteBuffer()
    accept(buffer, 2)

    with pytest.raises(ValueError, match=r"^write 2 is not the oldest in the buffer$"):
        buffer.reject(2, ValueError())


def test_the_askers_of_an_incarnation_that_ended_are_forgotten() -> None:
    buffer = WriteBuffer()
    asker = Asker()
    accept(buffer, 1, asker)

    buffer.forget_askers()
    buffer.committed(1)

    assert asker.got == []
    assert buffer.written == 1


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_buffer_holds_something(capacity: int) -> None:
    with pytest.raises(ValueError, match="must be >= 1"):
        WriteBuffer(capacity)


@pytest.mark.parametrize("sql", ["", "  ", "COMMIT", "commit;", "ROLLBACK TO x", "begin immediate", "SAVEPOINT a"])
def test_a_write_must_not_end_the_transaction_it_is_in(sql: str) -> None:
    with pytest.raises(ValueError, match="must be one statement inside a transaction"):
        Write(sql)
