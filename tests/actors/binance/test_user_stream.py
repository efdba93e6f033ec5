"""The private stream against the sandbox: a key that lives, events that come once, and gaps that are told."""

from __future__ import annotations

from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna import Child, ChildExited, ErrorReported, Mailbox, Supervisor
from duenna.faults import Service, Suspend
from duenna.testing import World
from duenna_actors.api import ApiRateLimitError, ApiRequest
from duenna_actors.binance import (
    AccountUpdate,
    BinanceUserStream,
    ListenKeyLost,
    ListenKeyRenewed,
    OrderTradeUpdate,
    OtherUserEvent,
    UserStreamLost,
    UserStreamRestored,
)
from duenna_actors.binance.user_events import UserEvents
from duenna_actors.binance_api import BinanceApi
from duenna_actors.feed import FeedRotated
from duenna_actors.feed_protocol import Data, ShuttingDown
from duenna_actors.sandbox import (
    CloseSockets,
    Fault,
    GarbledFrames,
    HttpFailure,
    ListenKeyExpired,
    RepeatedEvents,
    Sandbox,
    SandboxSettings,
    ServerShutdown,
    open_sandbox,
)
from duenna_actors.sandbox.service import SandboxService
from tests.actors.support import Bot, Inbox, Seen, bot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from duenna import Context

PUBLISHED = (OrderTradeUpdate, AccountUpdate, OtherUserEvent, UserStreamRestored, UserStreamLost)
LISTEN_KEY = "/fapi/v1/listenKey"


class User:
    """A bot with a private stream, and an API connection to trade with."""

    def __init__(self, sandbox: Sandbox, running: Bot, inbox: Inbox, streams: str) -> None:
        self.sandbox = sandbox
        self.bot = running
        self.seen = running.seen
        self.inbox = inbox
        self.streams = streams
        self.made = 0

    async def start(self, **options: Any) -> UserStreamRestored:
        """Start the stream; return what it says at first."""

        def make() -> BinanceUserStream:
            stream = BinanceUserStream(**({"api": "api", "base_url": self.streams} | options))
            stream.min_session = 0.0
            return stream

        await self.bot.start("user", make)
        return await self.restored()

    async def restored(self) -> UserStreamRestored:
        message = await self.inbox.next(UserStreamRestored)
        assert isinstance(message, UserStreamRestored)
        return message

    async def buy(self, client_order_id: str = "", quantity: str = "0.010") -> None:
        params: dict[str, Any] = {
            "symbol": "BTCUSDT",
            "side": "BUY" if self.made % 2 == 0 else "SELL",
            "type": "MARKET",
            "quantity": quantity,
            "newClientOrderId": client_order_id or f"order-{self.made}",
        }
        self.made += 1
        await self.bot.ref("api").ask(ApiRequest(method="POST", path="/fapi/v1/order", params=params, is_signed=True))

    async def order(self) -> OrderTradeUpdate:
        message = await self.inbox.next(OrderTradeUpdate)
        assert isinstance(message, OrderTradeUpdate)
        return message

    def inject(self, fault: Fault, duration: float | None = None) -> int:
        return self.sandbox.faults.inject(fault, duration)


@asynccontextmanager
async def user(**settings: Any) -> AsyncIterator[User]:
    given = SandboxSettings(**({"tick": 0.05, "connects_per_5_minutes": 10_000} | settings))
    async with open_sandbox(symbols=["BTCUSDT"], seed=1, settings=given) as sandbox, bot() as running:
        inbox = Inbox()
        key, secret = given.api_key, given.api_secret
        await running.start("api", partial(BinanceApi, sandbox.url, api_key=key, api_secret=secret))
        await running.runtime.start_child("/bot", inbox.spec("inbox", *PUBLISHED))
        yield User(sandbox, running, inbox, sandbox.ws_url)


# -- events ----------------------------------------------------------------------------


async def test_what_happens_to_an_order_is_told_and_typed() -> None:
    async with user() as here:
        await here.start()
        await here.buy("mine", "0.020")

        new, fill = await here.order(), await here.order()
        account = await here.inbox.next(AccountUpdate)

        assert (new.order.execution, new.order.status, new.order.client_order_id) == ("NEW", "NEW", "mine")
        order = fill.order
        assert (order.execution, order.status, order.side, order.symbol) == ("TRADE", "FILLED", "BUY", "BTCUSDT")
        assert order.quantity == order.filled_quantity == Decimal("0.020")
        assert order.last_price == order.average_price > 0
        assert not order.is_maker
        wallet = Decimal(here.sandbox.state()["balance"])
        (balance,), (position,) = account.account.balances, account.account.positions
        assert (balance.asset, balance.wallet, balance.wallet - 10_000) == ("USDT", wallet, -order.fee)
        assert (position.symbol, position.quantity) == ("BTCUSDT", Decimal("0.020"))
        assert account.account.reason == "ORDER"


async def test_an_event_that_comes_twice_is_told_once() -> None:
    async with user() as here:
        await here.start()
        here.inject(RepeatedEvents(stream="ORDER_TRADE_UPDATE"))
        here.inject(RepeatedEvents(stream="ACCOUNT_UPDATE", after=0))

        for _ in range(5):
            await here.buy()
        events = [await here.inbox.next() for _ in range(15)]
        await here.buy()

        assert len(set(events)) == 15
        assert (await here.order()).order.client_order_id == "order-5"


async def test_a_frame_that_makes_no_sense_is_reported_and_so_is_since_when_events_are_missing() -> None:
    """Otherwise a fill is lost, and nobody ever asks for it."""
    async with user() as here:
        await here.start(overlap=0.0)
        await here.buy("first")
        await here.order()
        newest = (await here.inbox.next(AccountUpdate)).event_time_ms
        here.inject(GarbledFrames(mode="truncated", count=1))

        await here.buy("second")

        await here.seen.next(ErrorReported, lambda event: "BadFrameError" in event.error)
        assert await here.inbox.next() == UserStreamRestored(newest, "an event could not be read")
        assert (await here.order()).order.execution == "TRADE"
        assert here.seen.of(ChildExited) == []


async def test_an_event_whose_shape_has_changed_is_handed_on_as_it_is_after_a_warning() -> None:
    async with user() as here:
        await here.start(overlap=0.0)
        session = next(iter(here.sandbox._app.links.sessions()))

        session.say(b'{"e":"ORDER_TRADE_UPDATE","E":7,"o":{"s":"BTCUSDT","z":""}}')

        assert (await here.restored()).why == "an event could not be read"
        event = await here.inbox.next(OtherUserEvent)
        assert (event.kind, event.event_time_ms, event.data["o"]) == (
            "ORDER_TRADE_UPDATE",
            7,
            {"s": "BTCUSDT", "z": ""},
        )
        await here.seen.next(ErrorReported, lambda event: "BadFrameError" in event.error)


@pytest.mark.parametrize("wrap", ["?", '{"stream":"key","data":?}'], ids=["raw", "combined"])
def test_an_event_of_another_kind_is_handed_on_as_it_is(wrap: str) -> None:
    body = '{"e":"MARGIN_CALL","E":1587727187525,"cw":"3.16812045","p":[]}'

    (found,) = UserEvents().decode(wrap.replace("?", body))

    assert isinstance(found, Data)
    assert isinstance(found.message, OtherUserEvent)
    assert (found.message.kind, found.message.event_time_ms) == ("MARGIN_CALL", 1587727187525)
    assert found.message.data["cw"] == "3.16812045"


def test_a_notice_of_shutdown_is_one_here_too() -> None:
    assert UserEvents().decode('{"e":"serverShutdown","E":1}') == (ShuttingDown(),)


@pytest.mark.parametrize("frame", ["{}", "[]", "<html>", '{"e":"ORDER_TRADE_UPDATE","E":1,"o":{}}'])
def test_what_is_no_event_is_a_bad_frame(frame: str) -> None:
    with pytest.raises(ValueError, match=r"event|Expected|malformed|required|invalid"):
        UserEvents().decode(frame)


def test_an_order_as_the_exchange_documents_it() -> None:
    """Fields that the sandbox does not have, and those that are missing at times, do no harm."""
    frame = (
        '{"e":"ORDER_TRADE_UPDATE","E":1568879465651,"T":1568879465650,"o":{"s":"BTCUSDT","c":"TEST","S":"SELL",'
        '"o":"TRAILING_STOP_MARKET","f":"GTC","q":"0.001","p":"0","ap":"0","sp":"7103.04","x":"NEW","X":"NEW",'
        '"i":8886774,"l":"0","z":"0","L":"0","T":1568879465650,"t":0,"b":"0","a":"9.91","m":false,"R":false,'
        '"wt":"CONTRACT_PRICE","ot":"TRAILING_STOP_MARKET","ps":"LONG","cp":false,"AP":"7476.89","cr":"5.0",'
        '"pP":false,"si":0,"ss":0,"rp":"0","V":"EXPIRE_TAKER","pm":"OPPONENT","gtd":0}}'
    )

    (found,) = UserEvents().decode(frame)

    assert isinstance(found, Data)
    order = found.message.order
    assert (order.stop_price, order.fee_asset, order.position_side) == (Decimal("7103.04"), None, "LONG")


# -- gaps ------------------------------------------------------------------------------


async def test_before_the_first_connect_everything_is_unknown() -> None:
    async with user() as here:
        assert await here.start() == UserStreamRestored(None, "first connect")


async def test_a_lost_websocket_is_told_and_so_is_since_when_events_are_missing() -> None:
    async with user() as here:
        await here.start(overlap=0.0)
        await here.buy()
        before = (await here.order()).event_time_ms

        here.inject(CloseSockets(path="/private*", code=1006))
        assert await here.inbox.next(UserStreamLost) == UserStreamLost("the websocket was lost")
        restored = await here.restored()

        assert restored.why == "the websocket was lost"
        assert restored.since_ms is not None
        assert before <= restored.since_ms <= before + 5000
        assert len(here.seen.of(ChildExited)) == 1
        await here.buy()
        assert (await here.order()).order.client_order_id == "order-1"


async def test_it_looks_back_further_than_it_must() -> None:
    async with user() as here:
        await here.start(overlap=3600.0)
        await here.buy()
        now = (await here.order()).event_time_ms

        here.inject(CloseSockets(path="/private*"))

        since = (await here.restored()).since_ms
        assert since is not None
        assert now - 3_601_000 < since < now - 3_590_000


async def test_a_rest_interface_that_is_down_is_waited_for() -> None:
    async with user() as here:
        failing = here.inject(HttpFailure(path=LISTEN_KEY))
        with trio.move_on_after(0.3):
            await here.start()
        assert all("ApiStatusError" in event.reason for event in here.seen.of(ChildExited))
        assert here.seen.of(ChildExited)

        here.sandbox.faults.clear(failing)

        assert (await here.restored()).why == "first connect"


async def test_what_a_full_mailbox_refuses_is_made_up_for_once_there_is_room() -> None:
    """The consumer does not know what it has not got."""
    got: list[Any] = []
    wake = trio.Event()

    async def busy(context: Context) -> None:
        await wake.wait()
        async for message in context.messages():
            got.append(message)  # noqa: PERF401  # each as it comes

    async with user() as here:
        await here.bot.runtime.start_child("/bot", Child("busy", busy, mailbox=Mailbox(2)))
        await here.bot.start(
            "user", partial(BinanceUserStream, api="api", base_url=here.streams, to="busy", overlap=0.0)
        )
        for number in range(3):
            await here.buy(f"order-{number}")
        await here.seen.next(ErrorReported, lambda event: "MailboxFullError" in event.error)

        wake.set()
        while len(got) < 3:  # noqa: ASYNC110
            await trio.sleep(0.05)

        first, new, restored = got
        assert isinstance(first, UserStreamRestored)
        assert isinstance(new, OrderTradeUpdate)
        assert isinstance(restored, UserStreamRestored)
        assert restored.why == "events could not be told"
        assert new.event_time_ms <= (restored.since_ms or 0) < new.event_time_ms + 1000
        await here.buy()
        while len(got) < 6:  # noqa: ASYNC110
            await trio.sleep(0.05)
        assert [type(message) for message in got[3:]] == [OrderTradeUpdate, OrderTradeUpdate, AccountUpdate]


# -- the listen key --------------------------------------------------------------------


async def test_a_key_that_expired_costs_a_new_one_and_a_new_websocket_and_no_crash() -> None:
    async with user() as here:
        await here.start(overlap=0.0)
        await here.buy()
        before = (await here.order()).event_time_ms
        key = here.sandbox._app.exchange.listen_keys.current

        here.inject(ListenKeyExpired())
        lost = await here.inbox.next(UserStreamLost)
        restored = await here.restored()

        assert lost.why == restored.why == "listen key lost: the exchange says that it has expired"
        assert restored.since_ms is not None
        assert before <= restored.since_ms
        assert here.sandbox._app.exchange.listen_keys.current != key
        assert [event.why for event in here.seen.of(ListenKeyLost)] == ["the exchange says that it has expired"]
        assert here.seen.of(ChildExited) == []
        await here.buy()
        assert (await here.order()).order.client_order_id == "order-1"


async def test_a_key_that_died_in_silence_is_noticed_at_its_renewal() -> None:
    """Another program of the same account may have closed it."""
    async with user() as here:
        await here.start(renew_every=0.3, overlap=0.0)
        renewed = await here.seen.next(ListenKeyRenewed)
        here.sandbox._app.exchange.listen_keys.close()

        restored = await here.restored()

        assert restored.why == "listen key lost: the exchange knows it no more (-1125)"
        assert renewed.time > 0
        assert here.seen.of(ChildExited) == []
        await here.buy()
        await here.order()


async def test_another_key_at_the_renewal_is_as_good_as_none() -> None:
    async with user() as here:
        await here.start(renew_every=0.3)
        here.sandbox._app.exchange.listen_keys.close()
        here.sandbox._app.exchange.listen_keys.issue(0.0)
        here.sandbox._app.exchange.listen_keys.expires = inf

        assert (await here.restored()).why == "listen key lost: the exchange has another one"


async def test_a_key_that_dies_at_once_is_a_crash_with_backoff() -> None:
    """Asking for key after key without a pause would be a storm."""
    async with user() as here:
        await here.bot.start("user", partial(BinanceUserStream, api="api", base_url=here.streams))
        await here.restored()

        here.inject(ListenKeyExpired())
        exited = await here.seen.next(ChildExited)

        assert "before the 1.0 s it must last" in exited.reason


async def test_the_end_of_another_key_is_none_of_ours() -> None:
    async with user() as here:
        await here.start()
        session = next(iter(here.sandbox._app.links.sessions()))
        session.say(b'{"e":"listenKeyExpired","E":1,"listenKey":"of somebody else"}')

        await here.buy()

        await here.order()
        assert here.seen.of(ListenKeyLost) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"renew_every": 0.0}, r"^BinanceUserStream: renew_every must be > 0"),
        ({"renew_every": 3600.0}, r"^BinanceUserStream: renew_every must be < key_lifetime \(3600.0 s\), got 3600.0$"),
    ],
)
def test_a_renewal_that_would_come_too_late_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BinanceUserStream(api="api", **options)


# -- changes of the websocket ----------------------------------------------------------


async def test_a_server_that_shuts_down_loses_nothing() -> None:
    async with user() as here:
        await here.start(first_data_within=0.3)
        here.inject(ServerShutdown(notice=5.0))
        while not here.seen.of(FeedRotated):
            await here.buy()
            await trio.sleep(0.02)
        await here.buy("last")
        await trio.sleep(0.2)

        assert told_once(here) >= here.made
        assert here.seen.of(ChildExited) == []


def told_once(here: User) -> int:
    """Check that all orders and all their fills were told in order, once, without a break; return how many fills."""
    events = here.inbox.drain()
    orders = [event.order for event in events if isinstance(event, OrderTradeUpdate)]
    created = [order.client_order_id for order in orders if order.execution == "NEW"]
    fills = [order.trade_id for order in orders if order.execution == "TRADE"]
    assert created[:-1] == [f"order-{number}" for number in range(here.made - 1)]
    assert fills == list(range(1, len(fills) + 1))
    assert orders[-1].client_order_id == created[-1]
    assert len([event for event in events if isinstance(event, AccountUpdate)]) == len(fills)
    assert [event for event in events if isinstance(event, UserStreamLost | UserStreamRestored)] == []
    return len(fills)


# -- hours and days, in a simulated world ----------------------------------------------


def in_a_world(body: Callable[[User, World], Awaitable[None]], **options: Any) -> None:
    """Run *body* beside a private stream in a simulated world, which must have nothing to object to."""
    assert world_of(body, **options).violations() == ()


def world_of(body: Callable[[User, World], Awaitable[None]], **options: Any) -> World:
    """Run *body* beside a private stream in a simulated world."""
    world = World(1)
    settings = SandboxSettings(tick=60.0)
    service = SandboxService(["BTCUSDT"], seed=1, wall_time=world.true_time, settings=settings)
    service.join(world, "exchange")

    def api() -> BinanceApi:
        key, secret = settings.api_key, settings.api_secret
        made = BinanceApi("http://exchange", api_key=key, api_secret=secret, wall_time=world.wall_time)
        made.check_every = inf
        return made

    async def main() -> None:
        inbox = Inbox()
        tree = Supervisor("bot", [Child("api", api), inbox.spec("inbox", *PUBLISHED)], intensity=100_000, period=1.0)
        async with world.open_runtime(tree) as runtime:
            with runtime.events(capacity=100_000) as stream:
                assert service.sandbox is not None
                here = User(service.sandbox, Bot(runtime, Seen(stream)), inbox, "ws://exchange")
                await here.start(**({"wall_time": world.wall_time, "ping_every": 600.0} | options))
                await body(here, world)

    world.run(main)
    return world


def test_a_key_is_renewed_every_half_hour_and_never_dies() -> None:
    async def body(here: User, world: World) -> None:
        await trio.sleep(5 * 3600.0)
        renewed = [event.time for event in here.seen.of(ListenKeyRenewed)]
        assert renewed == [pytest.approx(1800.0 * number, abs=2.0) for number in range(1, 10)]
        assert here.seen.of(ListenKeyLost) == []
        assert here.seen.of(ChildExited) == []
        await here.buy()
        await here.order()

        world.strike(Service(name="http_failure", params={"path": LISTEN_KEY, "method": "PUT"}), "exchange", 1000.0)
        await trio.sleep(3500.0)  # a failure is measured from the last renewal, not from the first key
        assert here.seen.of(ListenKeyLost) == []
        assert here.seen.of(ChildExited) == []

    in_a_world(body)


def test_a_day_and_a_half_without_a_gap_or_a_duplicate() -> None:
    """The exchange cuts a websocket off after 24 hours; it is changed before that, while orders come."""

    async def body(here: User, world: World) -> None:
        for _ in range(36 * 6):
            await trio.sleep(600.0)
            await here.buy()
        await trio.sleep(1.0)
        assert told_once(here) >= 36 * 6
        (rotated,) = here.seen.of(FeedRotated)
        assert rotated.why == "planned"
        assert rotated.age < 86_400.0
        assert here.seen.of(ChildExited) == []

    in_a_world(body)


def test_orders_that_come_while_the_websocket_is_changed_are_told_once() -> None:
    async def body(here: User, world: World) -> None:
        for _ in range(600):
            await trio.sleep(0.5)
            await here.buy()
        await trio.sleep(1.0)
        assert told_once(here) >= 600
        assert len(here.seen.of(FeedRotated)) > 5

    in_a_world(body, rotate_every=20.0)


def test_a_renewal_that_fails_is_tried_again_every_minute_until_the_key_must_be_dead() -> None:
    async def body(here: User, world: World) -> None:
        world.strike(Service(name="http_failure", params={"path": LISTEN_KEY, "method": "PUT"}), "exchange")
        await trio.sleep(3100.0)
        failed = [event.time for event in here.seen.of(ErrorReported) if event.details == {"hook": "keep alive"}]
        assert failed == [pytest.approx(1800.0 + 60.0 * number, abs=10.0) for number in range(21)]
        (lost,) = here.seen.of(ListenKeyLost)
        assert lost.why == "it was not renewed for 3000 s"
        assert lost.time == pytest.approx(3000.0, abs=10.0)
        assert (await here.restored()).why == "listen key lost: it was not renewed for 3000 s"
        assert here.seen.of(ChildExited) == []

    in_a_world(body, key_lifetime=3000.0)


def test_hours_in_which_the_machine_slept_are_among_those_to_look_into() -> None:
    """The monotonic clock stood still, the date went on: by it, all was well until a moment ago."""

    async def body(here: User, world: World) -> None:
        await trio.sleep(100.0)
        slept_from = world.wall_time()
        world.strike(Suspend(length=7200.0), "*")
        await trio.sleep(0.1)
        assert world.wall_time() - slept_from >= 7200.0

        await here.inbox.next(UserStreamLost)
        since_ms = (await here.restored()).since_ms

        assert since_ms is not None
        assert slept_from - 60.0 < since_ms / 1000 <= slept_from

    in_a_world(body, ping_every=20.0)


def test_the_end_of_a_key_that_cannot_be_renewed_is_met_exactly() -> None:
    """A moment too early, and it would be tried again and again within that moment."""
    opened: list[float] = []
    ended: list[float] = []

    async def body(here: User, world: World) -> None:
        await here.bot.runtime.stop_child("/bot/user")
        here.inbox.drain()

        async def no_renewal(method: str) -> str:
            if method == "PUT":
                ended.append(trio.current_time())
                raise ApiRateLimitError("PUT", LISTEN_KEY, "banned", status=418, retry_after=86_400.0)
            opened.append(trio.current_time())
            request = ApiRequest(method="POST", path=LISTEN_KEY)
            return str((await here.bot.ref("api").ask(request)).data["listenKey"])

        options: dict[str, Any] = {"base_url": here.streams, "wall_time": world.wall_time, "ping_every": 600.0}
        await here.bot.start("other", partial(BinanceUserStream, api=no_renewal, key_lifetime=3000.0, **options))
        await trio.sleep(10 * 3003.0)
        assert [event.path for event in here.seen.of(ChildExited)] == ["/bot/user"]

    rules = {violation.checker for violation in world_of(body).violations()}

    assert rules <= {"explained"}  # no fault of the world's is why keys are not renewed
    assert len(opened) == 11
    assert ended[1::2] == [pytest.approx(begun + 3000.0, abs=1e-9) for begun in opened[:10]]
    assert ended[::2] == [pytest.approx(begun + 1800.0, abs=1.0) for begun in opened[:10]]


def test_a_ban_for_a_day_does_not_hide_that_the_key_must_be_dead() -> None:
    """Nobody would know that fills are not told any more."""

    async def body(here: User, world: World) -> None:
        until = (world.wall_time() + 86_400.0) * 1000
        ban = {"status": 418, "code": -1003, "text": f"Way too many requests; IP banned until {until:.0f}."}
        world.strike(
            Service(name="http_failure", params={"path": LISTEN_KEY, "method": "PUT", "count": 1} | ban), "exchange"
        )
        await trio.sleep(3100.0)
        failed = [event.time for event in here.seen.of(ErrorReported) if event.details == {"hook": "keep alive"}]
        (lost,) = here.seen.of(ListenKeyLost)
        assert failed == [pytest.approx(1800.0, abs=2.0), lost.time]
        assert lost.why == "it was not renewed for 3000 s"
        assert lost.time == pytest.approx(3000.0, abs=0.5)
        assert (await here.inbox.next(UserStreamLost)).why == "listen key lost: it was not renewed for 3000 s"

    in_a_world(body, key_lifetime=3000.0)
