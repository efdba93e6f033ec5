"""The exchange as a whole, on literal times."""

import pytest

from duenna_actors.sandbox._errors import ApiError
from duenna_actors.sandbox._exchange import Exchange, _looks
from duenna_actors.sandbox._limits import Admitted, Banned, Limited
from duenna_actors.sandbox._orders import OrderRequest
from duenna_actors.sandbox.settings import SandboxSettings
from tests.actors.sandbox.support import seeded

START = 1_700_000_000.0


def exchange(seed: int = 1) -> Exchange:
    return Exchange.build(["BTCUSDT", "ETHUSDT"], SandboxSettings(), seeded(seed), START)


def test_a_seed_is_a_market() -> None:
    def prices(seed: int) -> list[float]:
        built = exchange(seed)
        return [built.market(name).mid(START + 100.0) for name in built.symbols]

    assert prices(1) == prices(1)
    assert prices(1) != prices(2)
    btc, eth = prices(1)
    assert btc / 6_500_000 != pytest.approx(eth / 320_000, rel=1e-9)


def test_looks_are_every_tick_or_spread_evenly() -> None:
    assert list(_looks(5, 5)) == []
    assert list(_looks(5, 4)) == []
    assert list(_looks(5, 8)) == [6, 7, 8]
    assert list(_looks(0, 600)) == list(range(1, 601))
    far = list(_looks(0, 100_000))
    assert far[-1] == 100_000
    assert len(far) <= 600
    assert min(far) > 0


def rest(built: Exchange, age: float = 0.0) -> OrderRequest:
    """Make a buy that rests a little below the market."""
    bid = built.market("BTCUSDT").quote(built.tick_at(START + age)).bid
    return OrderRequest("BTCUSDT", "BUY", "LIMIT", 10, bid - 600)


def test_resting_orders_fill_at_the_tick_that_crosses_them() -> None:
    """However seldom one looks: the fill has the time of its tick, not of the look."""
    often, seldom = exchange(), exchange()
    fills = []
    for built, step in ((often, 1), (seldom, 500)):
        built.place(rest(built), START)
        changes = []
        for tick in range(0, 3_000, step):
            changes += built.match(START + 0.2 * tick)
            if changes:
                break
        fills.append([(change.order.updated_ms, change.fill) for change in changes])

    assert fills[0]
    assert fills[0] == fills[1]


def test_placing_an_order_first_fills_the_others() -> None:
    built = exchange()
    built.place(rest(built), START)
    crossed = next(
        age
        for age in range(10_000)
        if built.market("BTCUSDT").quote(built.tick_at(START + age)).ask <= rest(built).price
    )

    earlier, own = built.place(rest(built, crossed + 1.0), START + crossed + 1.0)

    assert [change.order.number for change in earlier] == [1]
    assert own[0].order.number == 2


def test_the_balance_counts_what_is_tied_up() -> None:
    built = exchange()
    built.place(OrderRequest("BTCUSDT", "BUY", "MARKET", 1_000), START)
    row = built.balance(START, 7)

    assert row["asset"] == "USDT"
    assert float(row["balance"]) < 10_000.0
    assert float(row["availableBalance"]) == pytest.approx(10_000.0 - 65_000.0 / 20, rel=0.02)
    assert row["updateTime"] == 7


def test_each_address_has_a_weight_of_its_own() -> None:
    built = exchange()

    assert built.weigh("a", 2_400, START) == Admitted(2_400)
    assert isinstance(built.weigh("a", 1, START), Limited)
    assert built.weigh("b", 1, START) == Admitted(1)
    assert built.used_weight("a", START) == 2_400


def test_an_exhausted_exchange_refuses_addresses_that_it_never_saw() -> None:
    built = exchange()
    built.exhaust(START, retry_after=5.0, patience=0, ban=60.0)

    verdict = built.weigh("new", 1, START + 1.0)
    assert isinstance(verdict, Banned)
    assert built.refusal_of(verdict).text == (
        "Way too much request weight used; IP banned until 1700000061000. "
        "Please use the websocket for live updates to avoid bans."
    )
    built.pardon()
    assert built.weigh("new", 1, START + 1.0) == Admitted(1)
    assert built.weigh("newer", 1, START + 1.0) == Admitted(1)


def test_addresses_are_forgotten_before_they_are_too_many() -> None:
    built = exchange()
    for number in range(1_500):
        built.weigh(str(number), 1, START)
        built.may_connect(str(number), START)

    assert len(built._weights) == len(built._connects) == 1_000


def test_orders_are_counted() -> None:
    built = exchange()
    for _ in range(300):
        built.count_order(START)

    with pytest.raises(ApiError, match=r"^-1015: Too many new orders; current limit is 300 orders per 10 SECOND\.$"):
        built.count_order(START)
    assert built.order_counts(START) == (300, 300)
    assert built.order_counts(START + 30.0) == (0, 300)


def test_websockets_are_counted() -> None:
    built = exchange()

    assert all(built.may_connect("a", START) for _ in range(300))
    assert not built.may_connect("a", START)
    assert built.may_connect("b", START)
    assert built.may_connect("a", START + 301.0)
