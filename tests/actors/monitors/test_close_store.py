"""Every store of pending closes gives back what it was given; the one on disk through the end of a process."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
import trio

from duenna_actors.monitors import (
    CloseStore,
    CloseStoreDamagedError,
    FileCloseStore,
    MemoryCloseStore,
    PendingClose,
    Position,
    PositionMonitor,
    Threshold,
)

from .kit import Account, FileLikeStore, bot, position

if TYPE_CHECKING:
    from pathlib import Path

BIG = position(3, price="60000.10", entry_price=Decimal("59999.9"))
FIRST, SECOND = PendingClose(position=BIG, order_id="a"), PendingClose(position=position(-4, "ETHUSDT"), order_id="b")


@pytest.fixture(params=["memory", "fake", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> CloseStore:
    if request.param == "file":
        return FileCloseStore(tmp_path / "state" / "closes.json")
    return MemoryCloseStore() if request.param == "memory" else FileLikeStore()


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


async def test_what_was_saved_last_is_loaded(store: CloseStore) -> None:
    assert list(await store.load()) == []
    await store.save([FIRST])
    await store.save([FIRST, SECOND])
    assert list(await store.load()) == [FIRST, SECOND]
    await store.save([])
    assert list(await store.load()) == []


async def test_it_outlives_the_process_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "closes.json"
    await FileCloseStore(path).save([FIRST])
    assert list(await FileCloseStore(path).load()) == [FIRST]
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["closes.json"]


async def test_a_file_cut_anywhere_is_set_aside_and_told(tmp_path: Path) -> None:
    """Never half of it, and never nothing in silence: the first load says so, the next begins anew."""
    path = tmp_path / "closes.json"
    store = FileCloseStore(path)
    await store.save([FIRST])
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CloseStoreDamagedError, match=r"^pending closes cannot be read, corrupt file set aside as "):
            await store.load()
        assert list(await store.load()) == []
    assert (tmp_path / "closes.json.corrupt").read_bytes() == whole[:-1]


async def test_a_file_of_a_later_version_is_not_guessed_at(tmp_path: Path) -> None:
    path = tmp_path / "closes.json"
    path.write_bytes(b'{"version": 2, "closes": []}')
    with pytest.raises(CloseStoreDamagedError, match=r"version 2, 1 is known$"):
        await FileCloseStore(path).load()


async def test_what_cannot_be_written_leaves_what_was(tmp_path: Path) -> None:
    path = tmp_path / "closes.json"
    store = FileCloseStore(path)
    await store.save([FIRST])
    (tmp_path / "closes.json.tmp").mkdir()
    with pytest.raises(IsADirectoryError):
        await store.save([SECOND])
    assert list(await store.load()) == [FIRST]


async def test_another_process_goes_on_with_the_orders_on_disk(tmp_path: Path) -> None:
    """The order was carried out, its answer lost, and the process ended: the next one asks for the same order."""
    account = Account(answers=[(ConnectionError("cut off"), True)])
    account.hold(BIG)
    for _ in range(2):
        async with bot() as running:
            await running.start(
                "positions",
                lambda: PositionMonitor(
                    account, Threshold(quantity=2), store=FileCloseStore(tmp_path / "closes.json"), check_every=0.01
                ),
            )
            sent = len(account.sent)
            with trio.fail_after(10):
                while len(account.sent) == sent:  # noqa: ASYNC110  # an account tells nobody
                    await trio.sleep(0.001)
        account.hold(Position(symbol="BTCUSDT", quantity=Decimal(3), price=Decimal(1)))

    (first, second, *_) = account.sent
    assert second == ("BTCUSDT", first[1], True)
    assert list(account.orders) == [first[1]]
