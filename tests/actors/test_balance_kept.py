"""The last balance outlives the process, and is as old as it is: nobody trades on it as if it were fresh."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
import trio

from duenna import Actor, Child, Supervisor
from duenna_actors.balance import Balance, BalanceChanged, BalanceMonitor, BalanceReading, GetBalances
from tests.runtime.state.lives import Lives

if TYPE_CHECKING:
    from duenna import Runtime

FUNDS = {"USDT": Balance(Decimal("10000.10"), Decimal("9999.5"))}


Answer = dict[str, Balance] | None


class Scripted(BalanceMonitor):
    """Reads what it is told; None: it fails."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("ear")
        self.answer = answer

    async def fetch(self) -> dict[str, Balance]:
        if self.answer is None:
            raise OSError("down")
        return self.answer


class Ear(Actor):
    """Keeps what was published."""

    heard: list[BalanceChanged]

    def __init__(self, heard: list[BalanceChanged]) -> None:
        self.heard = heard

    def started(self) -> None:
        self.context.subscribe(BalanceChanged)

    def receive(self, message: BalanceChanged) -> None:
        self.heard.append(message)


def bot(answer: Answer, heard: list[BalanceChanged] | None = None) -> Supervisor:
    ear = Child("ear", lambda: Ear([] if heard is None else heard))
    return Supervisor("bot", [ear, Child("balance", lambda: Scripted(answer))], intensity=1000)


async def reading(runtime: Runtime) -> BalanceReading:
    found = await runtime.ref("/bot/balance").ask(GetBalances())
    assert isinstance(found, BalanceReading)
    return found


def lived() -> tuple[Lives, float]:
    """Return a bot whose last process has read its balance, and how old that was when it ended."""
    lives = Lives()

    async def reads(runtime: Runtime) -> float:
        await trio.sleep(25.0)
        return (await reading(runtime)).age or 0.0

    return lives, lives.live(reads, bot(FUNDS))


def test_it_is_known_with_its_real_age() -> None:
    lives, age = lived()
    assert age > 1.0
    lives.later(100.0)

    async def body(runtime: Runtime) -> tuple[BalanceReading, float]:
        await trio.sleep(3.0)
        return await reading(runtime), trio.current_time()

    found, now = lives.live(body, bot(None))
    assert found.balances == FUNDS
    assert found.age == pytest.approx(age + 100.0 + now)


def test_a_wall_clock_that_was_set_back_makes_it_no_fresher_than_it_was() -> None:
    lives, age = lived()
    lives.later(-1e6)

    async def body(runtime: Runtime) -> tuple[BalanceReading, float]:
        return await reading(runtime), trio.current_time()

    found, now = lives.live(body, bot(None))
    assert found.balances == FUNDS
    assert found.age == pytest.approx(age + now)


@pytest.mark.parametrize("now", [FUNDS, {"USDT": Balance(Decimal(1), Decimal(1))}], ids=["same", "other"])
def test_the_first_reading_of_a_process_is_told_whatever_the_last_one_knew(now: dict[str, Balance]) -> None:
    lives, _ = lived()
    heard: list[BalanceChanged] = []

    async def body(runtime: Runtime) -> BalanceReading:
        await trio.sleep(25.0)
        return await reading(runtime)

    assert lives.live(body, bot(now, heard)).balances == now
    assert heard == [BalanceChanged(now, now)]


def test_what_went_while_nobody_looked_is_gone() -> None:
    lives, _ = lived()

    async def body(runtime: Runtime) -> BalanceReading:
        await trio.sleep(1.0)
        return await reading(runtime)

    assert lives.live(body, bot({})).balances == {}


def test_what_was_never_read_is_not_known() -> None:
    lives = Lives()

    assert [lives.live(reading, bot(None)), lives.live(reading, bot(None))] == [BalanceReading({}, None)] * 2
