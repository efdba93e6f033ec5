"""The paper account and its orders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna_actors.sandbox import _errors as errors
from duenna_actors.sandbox._account import Account
from duenna_actors.sandbox._book import Book
from duenna_actors.sandbox._desk import OrderDesk
from duenna_actors.sandbox._errors import ApiError
from duenna_actors.sandbox._orders import OrderRequest, OrderType, Side, TimeInForce
from duenna_actors.sandbox._symbols import find_symbols

SYMBOLS = find_symbols(["BTCUSDT", "ETHUSDT"], 0)
BTC = SYMBOLS["BTCUSDT"]
E8 = 10**8
WALLET = 1_000_000 * E8


def book(bid: int = 6_500_000, offered: int = 1_000, levels: int = 3, gap: int = 100) -> Book:
    """Make a book of levels of *offered* each, *gap* apart, the best ask a gap above the best bid."""
    return Book(
        update=1,
        bids={bid - gap * level: offered for level in range(levels)},
        asks={bid + gap * (level + 1): offered for level in range(levels)},
    )


def desk(wallet: int = WALLET, leverage: int = 20) -> OrderDesk:
    return OrderDesk(SYMBOLS, Account(wallet, leverage))


def market(side: Side, quantity: int, client_id: str = "", *, reduce_only: bool = False) -> OrderRequest:
    return OrderRequest("BTCUSDT", side, "MARKET", quantity, client_id=client_id, reduce_only=reduce_only)


def limit(side: Side, quantity: int, price: int, time_in_force: TimeInForce = "GTC") -> OrderRequest:
    return OrderRequest("BTCUSDT", side, "LIMIT", quantity, price, time_in_force)


def check(paper: OrderDesk, fills: list[tuple[int, int]], start: int = WALLET) -> None:
    """Check the account's invariant against (signed quantity, signed notional) of every fill."""
    account = paper.account
    assert account.wallet == start + account.realized - account.fees
    assert sum(notional for _, notional in fills) + account.realized == sum(
        position.cost for position in account.positions.values()
    )
    held = sum(position.quantity for position in account.positions.values())
    assert held == sum(quantity for quantity, _ in fills)


def test_a_market_order_takes_the_levels_from_the_best_on() -> None:
    paper = desk()

    changes = paper.place(market("BUY", 1_500), book(), 7)

    assert [change.execution for change in changes] == ["NEW", "TRADE", "TRADE"]
    assert [(change.fill.price, change.fill.quantity) for change in changes if change.fill] == [
        (6_500_100, 1_000),
        (6_500_200, 500),
    ]
    assert [change.order.status for change in changes] == ["NEW", "PARTIALLY_FILLED", "FILLED"]
    assert paper.open == {}
    assert paper.account.position("BTCUSDT").quantity == 1_500


def test_what_the_book_cannot_give_expires() -> None:
    changes = desk().place(market("SELL", 3_500), book(), 7)

    assert [change.execution for change in changes] == ["NEW", "TRADE", "TRADE", "TRADE", "EXPIRED"]
    assert changes[-1].order.filled == 3_000


def test_a_taker_pays_his_fee() -> None:
    """0.05 % of 65001.00 for one coin."""
    paper = desk()

    changes = paper.place(market("BUY", 1_000), book(), 7)

    assert changes[1].fill is not None
    assert changes[1].fill.fee == 3_250_050_000
    assert paper.account.wallet == WALLET - 3_250_050_000


def test_closing_realises_what_the_price_has_moved() -> None:
    paper = desk()
    paper.place(market("BUY", 1_000), book(6_500_000), 7)

    changes = paper.place(market("SELL", 400), book(6_600_100), 8)

    assert changes[1].fill is not None
    assert changes[1].fill.realized == 1_000 * E8 * 4 // 10
    assert paper.account.position("BTCUSDT").quantity == 600


def test_an_order_can_turn_a_position_round() -> None:
    paper = desk()
    paper.place(market("BUY", 1_000), book(), 7)

    paper.place(market("SELL", 1_500), book(offered=2_000), 8)

    position = paper.account.position("BTCUSDT")
    assert position.quantity == -500
    assert position.cost == -BTC.notional(6_500_000, 500)
    assert position.gain(BTC.notional(6_400_000, 500)) == 500 * E8


def test_a_limit_order_rests_until_the_price_crosses_it() -> None:
    paper = desk()
    placed = paper.place(limit("BUY", 1_000, 6_490_000), book(), 7)

    assert [change.execution for change in placed] == ["NEW"]
    assert paper.match("BTCUSDT", book(), 8) == []

    filled = paper.match("BTCUSDT", book(6_489_900), 9)

    assert [(change.execution, change.order.status) for change in filled] == [("TRADE", "FILLED")]
    assert filled[0].fill is not None
    assert (filled[0].fill.price, filled[0].fill.is_maker) == (6_490_000, True)
    assert paper.open == {}


def test_a_resting_order_gets_no_more_than_the_book_offers() -> None:
    paper = desk()
    paper.place(limit("SELL", 2_500, 6_510_000), book(), 7)

    first = paper.match("BTCUSDT", book(6_510_000, offered=1_000), 8)
    second = paper.match("BTCUSDT", book(6_510_000, offered=2_000), 9)

    assert [change.order.status for change in first] == ["PARTIALLY_FILLED"]
    assert [change.order.status for change in second] == ["FILLED"]


def test_a_limit_order_takes_what_crosses_it_and_rests() -> None:
    paper = desk()

    changes = paper.place(limit("BUY", 1_500, 6_500_100), book(), 7)

    assert [change.order.status for change in changes] == ["NEW", "PARTIALLY_FILLED"]
    assert [order.remaining for order in paper.resting("BTCUSDT")] == [500]
    assert paper.resting("ETHUSDT") == []


@pytest.mark.parametrize(
    ("time_in_force", "quantity", "filled", "status"),
    [("IOC", 1_500, 1_000, "EXPIRED"), ("FOK", 1_500, 0, "EXPIRED"), ("FOK", 1_000, 1_000, "FILLED")],
)
def test_an_order_in_a_hurry_does_not_rest(time_in_force: TimeInForce, quantity: int, filled: int, status: str) -> None:
    paper = desk()

    changes = paper.place(limit("BUY", quantity, 6_500_100, time_in_force), book(), 7)

    assert (changes[-1].order.filled, changes[-1].order.status) == (filled, status)
    assert paper.open == {}


def test_orders_of_another_contract_are_left_alone() -> None:
    paper = desk()
    paper.place(limit("BUY", 1_000, 6_400_000), book(), 7)

    assert paper.match("ETHUSDT", book(100), 8) == []


def refusal_of(paper: OrderDesk, request: OrderRequest) -> errors.Refusal:
    with pytest.raises(ApiError) as caught:
        paper.place(request, book(), 9)
    return caught.value.refusal


def test_a_client_id_is_used_once() -> None:
    """-4116, whether the first order is still open or long filled: a retry must not buy twice."""
    paper = desk()
    paper.place(market("BUY", 1_000, "mine"), book(), 7)

    assert refusal_of(paper, market("BUY", 1_000, "mine")) == errors.DUPLICATE_CLIENT_ID
    assert paper.account.position("BTCUSDT").quantity == 1_000


def test_the_exchange_makes_an_id_that_no_client_has_used() -> None:
    paper = desk()
    paper.place(market("BUY", 10, "sandbox_2"), book(), 7)

    assert paper.place(market("BUY", 10), book(), 7)[0].order.client_id == "sandbox_2_"


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (limit("BUY", 1_000, 6_500_100, "GTX"), errors.NOT_A_MAKER),
        (market("BUY", 1_000, reduce_only=True), errors.REDUCE_ONLY_REJECTED),
        (limit("BUY", 1, 100), errors.TOO_SMALL),
        (limit("BUY", 10**9, 6_400_000), errors.NO_MARGIN),
    ],
)
def test_an_order_that_breaks_a_rule_changes_nothing(request_: OrderRequest, refusal: errors.Refusal) -> None:
    paper = desk()

    assert refusal_of(paper, request_) == refusal
    assert paper.open == {}
    check(paper, [])


def test_margin_is_tied_up_by_orders_and_positions() -> None:
    """10,000 at 20x carries 200,000: three coins, not four."""
    paper = desk(10_000 * E8)
    paper.place(market("BUY", 1_000), book(), 7)
    paper.place(limit("BUY", 1_000, 6_490_000), book(), 7)

    assert paper.used() == BTC.notional(6_500_100, 1_000) // 20 + BTC.notional(6_490_000, 1_000) // 20
    assert refusal_of(paper, market("BUY", 2_000)) == errors.NO_MARGIN
    assert paper.place(market("SELL", 1_000), book(), 8)[-1].order.status == "FILLED"


def test_a_reduce_only_order_never_opens() -> None:
    paper = desk()
    paper.place(market("BUY", 1_000), book(), 7)
    resting = OrderRequest("BTCUSDT", "SELL", "LIMIT", 1_000, 6_600_000, reduce_only=True)
    paper.place(resting, book(), 7)
    paper.place(market("SELL", 600), book(), 8)

    crossed = paper.match("BTCUSDT", book(6_600_000, offered=5_000), 9)
    after = paper.match("BTCUSDT", book(6_600_000, offered=5_000), 10)

    assert [change.order.filled for change in crossed] == [400]
    assert [change.execution for change in after] == ["EXPIRED"]
    assert paper.account.position("BTCUSDT").quantity == 0


def test_an_open_order_can_be_cancelled_once() -> None:
    paper = desk()
    number = paper.place(limit("BUY", 1_000, 6_400_000), book(), 7)[0].order.number

    changed = paper.cancel("BTCUSDT", number, None, 8)

    assert (changed.execution, changed.order.status) == ("CANCELED", "CANCELED")
    with pytest.raises(ApiError, match=r"^-2011: Unknown order sent\.$"):
        paper.cancel("BTCUSDT", number, None, 9)
    with pytest.raises(ApiError, match=r"^-2011: Unknown order sent\.$"):
        paper.cancel("BTCUSDT", None, "never", 9)


def test_an_order_is_found_by_either_id_and_by_its_contract() -> None:
    paper = desk()
    order = paper.place(market("BUY", 1_000, "mine"), book(), 7)[-1].order

    assert paper.find("BTCUSDT", order.number, None) == order
    assert paper.find("BTCUSDT", None, "mine") == order
    assert paper.find("ETHUSDT", order.number, None) is None
    assert paper.find("BTCUSDT", 99, None) is None


def test_no_more_than_200_orders_of_a_contract_are_open() -> None:
    paper = desk(10**9 * E8)
    for _ in range(200):
        paper.place(limit("BUY", 1, 6_400_000), book(), 7)

    assert refusal_of(paper, limit("BUY", 1, 6_400_000)) == errors.TOO_MANY_OPEN


def test_the_oldest_closed_orders_are_forgotten() -> None:
    paper = desk()
    for number in range(1_001):
        paper.place(market("BUY" if number % 2 else "SELL", 10), book(), 7)

    assert paper.find("BTCUSDT", 1, None) is None
    assert paper.find("BTCUSDT", 2, None) is not None
    assert paper.find("BTCUSDT", None, "sandbox_1") is None


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["BUY", "SELL"]),
        st.sampled_from(["MARKET", "LIMIT", "CANCEL"]),
        st.integers(1, 4_000),
        st.integers(-50, 50),
        st.sampled_from(["GTC", "IOC", "FOK", "GTX"]),
        st.booleans(),
        st.integers(-300, 300),
    ),
    max_size=40,
)


@given(STEPS)
def test_money_is_neither_made_nor_lost(
    steps: list[tuple[Side, OrderType | str, int, int, TimeInForce, bool, int]],
) -> None:
    """Whatever is ordered and wherever the price goes: the wallet is what was there, plus profits, minus fees."""
    paper = desk()
    fills: list[tuple[int, int]] = []
    bid = 6_500_000
    for side, kind, quantity, away, time_in_force, reduce_only, drift in steps:
        bid += drift * 10
        now = book(bid)
        changes = paper.match("BTCUSDT", now, 1)
        try:
            if kind == "CANCEL":
                changes.append(paper.cancel("BTCUSDT", quantity % 20, None, 2))
            elif kind == "MARKET":
                changes += paper.place(market(side, quantity, reduce_only=reduce_only), now, 2)
            else:
                changes += paper.place(limit(side, quantity, bid + away * 10, time_in_force), now, 2)
        except ApiError:
            pass
        for change in changes:
            if change.fill:
                sign = 1 if change.order.request.side == "BUY" else -1
                notional = BTC.notional(change.fill.price, change.fill.quantity)
                fills.append((sign * change.fill.quantity, sign * notional))
        check(paper, fills)
        for order in paper.resting():
            assert order.is_open
            assert 0 <= order.filled < order.request.quantity
