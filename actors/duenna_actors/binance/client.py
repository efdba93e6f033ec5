"""Binance USD-M futures' REST interface as an actor that looks after every request."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import msgspec
import trio

from duenna.connection import ConnectionLostError, ConnectionState
from duenna.guards import BulkheadFullError
from duenna_actors._http import ApiRequest
from duenna_actors._kept import kept
from duenna_actors.api_errors import ApiStatusError
from duenna_actors.binance.calls import Call, Message
from duenna_actors.binance.desk import OrderDesk
from duenna_actors.binance.gated import GatedApi
from duenna_actors.binance.guards import BREAKER, READS, ExchangeGuards, NobodyWaitsError
from duenna_actors.binance.journal import Fate, OrderJournal, SentOrder
from duenna_actors.binance.order_calls import CancelAllOrders, CancelOrder, QueryOrder
from duenna_actors.binance.order_errors import OrderNotPlacedError, OrderOutcomeUnknownError
from duenna_actors.binance.order_line import OrderLine
from duenna_actors.binance.orders import (
    CLIENT_ID,
    ORDER_PATH,
    MakeOrderId,
    Order,
    OrderFound,
    PlaceOrder,
    make_client_order_id,
)
from duenna_actors.binance.requests import Requests
from duenna_actors.binance.spelling import parse_symbol
from duenna_actors.binance.weights import WEIGHT_LIMIT, Gate

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna import Reply
    from duenna.guards import Breaker, Retry
    from duenna_actors.binance.desk import Leave

R = TypeVar("R")

_URL = "https://fapi.binance.com"
_TESTNET = "https://testnet.binancefuture.com"
_ORDER_LANES = 4
_LONGEST_PREFIX = 13  # what the rest of an id leaves of 36
_UNKNOWN_ORDER = -2011
_TAKEN: Any = (Message, ApiRequest)
_CANCELS = (CancelOrder, CancelAllOrders)
_LOOK_EVERY = 60.0
_CUT_OFF = "the connection was closed during the request"
_RECONCILING = "state was lost: until runtime.state.reconciled() only orders that reduce a position are sent"


class BinanceClient(GatedApi, Requests):
    """Binance USD-M futures: market data as checked rows, and orders that are placed once.

    Ask it the messages of `duenna_actors.binance`, through `Binance` or by hand, or call its
    methods if you hold it. Requests run side by side, those for orders in lanes of their own.
    Each endpoint has a guard: `binance_ohlcv`, `binance_oi`, `binance_funding`,
    `binance_liquidations`, `binance_trader_ratio`, `binance_depth`, `binance_account`,
    `binance_cancels`, `binance_orders`. All share the gates of their host, which know what the
    exchange has counted, and how long it wants to be left alone. What they know, the breakers
    and what became of orders outlive this actor's restarts.

    An `ApiRequest` is sent as it is, once, weighed at the gate like the others.

    It is restarted when its checks have failed for a minute, not sooner: until then, requests
    that are tried again may still succeed. A ban is no reason at all.
    """

    kind: ClassVar[str] = "binance"

    max_check_failures: int | None = 11

    def __init__(
        self,
        base_url: str | None = None,
        *,
        testnet: bool = False,
        name: str | None = None,
        retry: Retry = READS,
        breaker: Breaker = BREAKER,
        weight_limit: float = WEIGHT_LIMIT,
        max_pending: int = 100,
        max_in_flight: int = 10,
        settle_within: float = 60.0,
        id_prefix: str = "duenna",
        **options: Any,
    ) -> None:
        """Describe the client.

        Args:
            base_url: Another exchange than Binance's own, such as a sandbox.
            testnet: Binance's testnet, where money is none.
            name: The first part of the guards' names; None: `binance`, or `binance_testnet`.
                Two exchanges in one process need two.
            retry: Of everything but new orders.
            breaker: Of each guard; that of the first incarnation holds.
            weight_limit: Request weight that the exchange allows in a minute, 240 or more.
            max_pending: Messages under way, retries included, at least 1; one more is refused
                with `BulkheadFullError`. As many for new orders again; cancelling is never refused.
            max_in_flight: Requests under way at once, at least 1, beside 4 for new orders, 4 that
                look for them, and 4 that cancel.
            settle_within: Seconds for which an order is looked for whose outcome is unknown; then
                once a minute.
            id_prefix: What client order ids begin with, 13 letters, digits and `.:/_-` at most.
            options: Those of `BinanceApi`: ``api_key``, ``api_secret``, ``timeout``, ``clock``...

        Raises:
            ValueError: A number is out of range, or a name is none.
        """
        for what, number in (("max_pending", max_pending), ("max_in_flight", max_in_flight)):
            if number < 1:
                message = f"{what} must be >= 1, got {number}"
                raise ValueError(message)
        if not settle_within > 0:
            message = f"settle_within must be > 0 seconds, got {settle_within}"
            raise ValueError(message)
        if len(id_prefix) > _LONGEST_PREFIX or not CLIENT_ID.fullmatch(id_prefix):
            message = f"id_prefix must be 1 to {_LONGEST_PREFIX} letters, digits and .:/_-, got {id_prefix!r}"
            raise ValueError(message)
        super().__init__(
            base_url or (_TESTNET if testnet else _URL),
            name=name or ("binance_testnet" if testnet else "binance"),
            weight_limit=weight_limit,
            max_in_flight=max_in_flight + 3 * _ORDER_LANES,  # new ones, questions about them, cancels
            **options,
        )
        self._retry, self._breaker = retry, breaker
        self._max_pending = max_pending
        self._settle_within = settle_within
        self._id_prefix = id_prefix
        self._pending = {True: 0, False: 0}  # messages under way, by whether they are new orders
        self._lanes = trio.CapacityLimiter(max_in_flight)
        self._guards: ExchangeGuards | None = None
        self._desk: OrderDesk | None = None

    async def connect(self) -> None:
        """Make the pool, and find what earlier incarnations have learnt."""
        await super().connect()
        runtime, name = self.context.runtime, self.exchange_name
        self._guards = kept(
            runtime,
            (ExchangeGuards, self._origin, name),
            lambda: ExchangeGuards(name, self.gates, self._retry, self._breaker),
        )
        self._guards.retry_with(self._retry)
        self._desk = OrderDesk(
            OrderLine(self, self._guards, _ORDER_LANES),
            self._journal,
            rng=self.context.rng,
            receive_window=self._receive_window,
            settle_within=self._settle_within,
        )

    async def session(self) -> None:
        """Find out what became of the orders that nobody looks for: an earlier incarnation's, and those given up."""
        for entry in self._journal.orphans():
            self.background(self._settle, entry)
        while True:
            await trio.sleep(_LOOK_EVERY)
            for entry in self._journal.orphans():
                with suppress(OrderOutcomeUnknownError):
                    await self._find(entry, within=0.0)

    async def check(self) -> None:
        """Ask for the exchange's time; not while it wants to be left alone: that is no reason to be down."""
        if not self.gates.blocked_for:
            await super().check()

    def check_soon(self) -> None:
        """Have the link checked now, unless the last check has failed: then the next one is near, and they count."""
        if self.state is ConnectionState.OPERATIONAL:
            super().check_soon()

    def prepare(self, request: ApiRequest) -> ApiRequest:
        """Return *request* with the time and the signature; an order leaves right after that.

        Raises:
            OrderNotPlacedError: It must not leave any more.
        """
        if request.path == ORDER_PATH and request.method == "POST":
            name = str(request.params.get("newClientOrderId"))
            _ready(self._desk).leaves(name, self.exchange_time)
        return super().prepare(request)

    # -- answering ---------------------------------------------------------------------

    async def receive(self, message: Any) -> Any:
        """Answer the messages of `duenna_actors.binance`, `ApiRequest` and `GetApiStatus`."""
        if isinstance(message, MakeOrderId):
            return self._make_id()
        if not isinstance(message, _TAKEN):
            return await super().receive(message)
        reply = self.context.defer_reply()
        message = self._named(message)
        is_order = isinstance(message, PlaceOrder)
        if self._pending[is_order] >= self._max_pending and not isinstance(message, _CANCELS):
            full = BulkheadFullError(self.exchange_name, self._max_pending)
            reply.fail(self._unknown(message, str(full), full) or full)
            return None
        try:
            await self.until_up()
        except trio.Cancelled:
            reply.fail(self._cut_off(message))
            raise
        if reply.is_open:
            self._admit(message, reply)
        else:
            self.context.report(NobodyWaitsError(self.exchange_name), message=type(message).__name__)
            self._publish_absent(message)
        return None

    def _admit(self, message: Any, reply: Reply) -> None:
        """Have *message* performed; an order is known from now on to whoever cancels it."""
        try:
            leave = self._leave(message, lambda: reply.is_open) if isinstance(message, PlaceOrder) else None
        except (ValueError, OrderNotPlacedError, OrderOutcomeUnknownError) as error:
            reply.fail(error)
        else:
            if not isinstance(message, _CANCELS):
                self._pending[leave is not None] += 1
            self.background(self._serve, message, reply, leave)

    async def _serve(self, message: Any, reply: Reply, leave: Leave | None) -> None:
        try:
            if leave is None:
                value = await self._perform(message, lambda: reply.is_open)
            else:
                value = await _ready(self._desk).carry_out(leave)
        except Exception as error:  # noqa: BLE001  # a request that fails is its asker's business, whatever it is
            self._failed(message, reply, error)
        except trio.Cancelled:
            reply.fail(self._cut_off(message))
            raise
        else:
            if isinstance(message, PlaceOrder) and not reply.is_open:
                self.context.publish(OrderFound(message.client_order_id, value))
            else:
                reply.send(value)
        finally:
            if not isinstance(message, _CANCELS):
                self._pending[leave is not None] -= 1

    def _failed(self, message: Any, reply: Reply, error: Exception) -> None:
        if reply.is_open or not isinstance(message, (PlaceOrder, *_CANCELS)):
            reply.fail(error)
            return
        self.context.report(error)
        self._publish_absent(message)

    def _publish_absent(self, message: Any) -> None:
        """Publish that an order is not there whose asker has gone, if that is certain."""
        if not isinstance(message, PlaceOrder):
            return
        entry = self._journal.get(message.client_order_id)
        is_certain = not message.may_exist if entry is None else entry.fate is Fate.NOT_SENT and not entry.is_busy
        if is_certain:
            self.context.publish(OrderFound(message.client_order_id, None))

    def _cut_off(self, message: Any) -> Exception:
        """Return what an asker is told whose request was cut off by the end of the connection."""
        if not isinstance(message, PlaceOrder):
            return ConnectionLostError(_CUT_OFF)
        known = OrderNotPlacedError(message.client_order_id, message.symbol, _CUT_OFF)
        return self._unknown(message, _CUT_OFF) or known

    def _unknown(self, message: Any, why: str, cause: Exception | None = None) -> OrderOutcomeUnknownError | None:
        """Return what the asker of a refused order is told that may be there, by an earlier try; else None."""
        if not isinstance(message, PlaceOrder):
            return None
        entry = self._journal.get(message.client_order_id)
        is_ours = entry is not None and entry.is_of(message) and (entry.is_busy or entry.fate is not Fate.NOT_SENT)
        if not is_ours and not message.may_exist:
            return None
        error = OrderOutcomeUnknownError(message.client_order_id, message.symbol, why)
        error.__cause__ = cause
        return error

    async def _settle(self, entry: SentOrder) -> None:
        try:
            await self._find(entry)
        except OrderOutcomeUnknownError as error:
            self.context.report(error)

    async def _find(self, entry: SentOrder, *, within: float | None = None) -> None:
        order = await _ready(self._desk).settle(entry, within=within)
        self.context.publish(OrderFound(entry.order.client_order_id, order))

    @property
    def _journal(self) -> OrderJournal:
        """What is known of this account's orders, before the first connect and after the last one too."""
        return kept(self.context.runtime, (OrderJournal, self._origin, self._secret), OrderJournal)

    # -- performing --------------------------------------------------------------------

    async def perform(self, message: Message[R]) -> R:
        """Have the exchange do what *message* says, and return the answer.

        Raises:
            ApiError: It could not be had; `ApiDataError`: it makes no sense.
            RejectedError: The guard has refused it: the breaker, or the gate.
            OrderOutcomeUnknownError: An order may be at the exchange. After any other error
                it is not.
            OrderNotPlacedError: An order was not sent in time, or did not arrive.
            ValueError: The exchange has nothing of that kind.
        """
        return cast("R", await self._perform(message, _always))

    async def _perform(self, message: Any, is_wanted: Callable[[], bool]) -> Any:
        match message:
            case PlaceOrder():
                return await _ready(self._desk).carry_out(self._leave(self._named(message), is_wanted))
            case CancelOrder():
                return await self._cancel(message, is_wanted)
            case CancelAllOrders():
                return await self._cancel_all(message, is_wanted)
            case ApiRequest():
                await self.take(message)
                async with self._lanes:
                    if not is_wanted():  # an order whose sender has given up must not go out late
                        raise NobodyWaitsError(self.exchange_name)
                    return await self.fetch(message)
            case _:
                return await self._guarded(message, is_wanted)

    async def _guarded(self, call: Call[R], is_wanted: Callable[[], bool]) -> R:
        guard = _ready(self._guards).of(call)
        return await guard.call(self._attempt, call, call.request(), is_wanted)

    async def _attempt(self, call: Call[R], request: ApiRequest, is_wanted: Callable[[], bool]) -> R:
        if not is_wanted():
            raise NobodyWaitsError(self.exchange_name)
        async with nullcontext() if call.gate is Gate.URGENT else self._lanes:
            return await self.ask(call, request)

    async def _cancel(self, message: CancelOrder, is_wanted: Callable[[], bool]) -> Order:
        if not await _ready(self._desk).withdraw(message.client_order_id):
            raise OrderNotPlacedError(message.client_order_id or "", message.symbol, "it is not at the exchange")
        try:
            return await self._guarded(message, is_wanted)
        except ApiStatusError as error:
            if error.code != _UNKNOWN_ORDER:
                raise
            name, number = message.client_order_id, message.order_id
            question = QueryOrder(symbol=message.symbol, client_order_id=name, order_id=number)
            order = await self._guarded(question, is_wanted)
            if order.is_open:
                raise
            return order

    async def _cancel_all(self, message: CancelAllOrders, is_wanted: Callable[[], bool]) -> None:
        late = _ready(self._desk).withdraw_all(parse_symbol(message.symbol))
        await self._guarded(message, is_wanted)
        errors: dict[str, Exception] = {}
        async with trio.open_nursery() as nursery:
            for entry in late:
                nursery.start_soon(self._cancel_late, entry, is_wanted, errors)
        failed = [errors[name] for entry in late if (name := entry.order.client_order_id) in errors]
        unknown = [error for error in failed if isinstance(error, OrderOutcomeUnknownError)]
        if failed:
            raise (unknown or failed)[0]

    async def _cancel_late(self, entry: SentOrder, is_wanted: Callable[[], bool], errors: dict[str, Exception]) -> None:
        """Cancel an order that may have arrived after all were cancelled; what fails stops none of the others."""
        try:
            order = await _ready(self._desk).settle(entry)
            if order is not None and order.is_open:
                await self._cancel(CancelOrder(symbol=order.symbol, order_id=order.order_id), is_wanted)
        except Exception as error:  # noqa: BLE001  # told when all have been tried
            errors[entry.order.client_order_id] = error

    def _leave(self, order: PlaceOrder, is_wanted: Callable[[], bool]) -> Leave:
        if not self._secret:
            raise ValueError("an order must be signed: give BinanceClient an api_key and an api_secret")
        if self.context.runtime.state.is_reconciling and not order.reduce_only:
            known = OrderNotPlacedError(order.client_order_id, order.symbol, _RECONCILING)
            raise self._unknown(order, _RECONCILING) or known
        return _ready(self._desk).accept(order, is_wanted)

    def _named(self, message: Any) -> Any:
        """Return *message*; an order with an id, and with the time at which its leave ends."""
        if not isinstance(message, PlaceOrder):
            return message
        ends = min(message.send_until, trio.current_time() + message.send_within)
        name = message.client_order_id or self._make_id()
        return msgspec.structs.replace(message, client_order_id=name, send_until=ends)

    def _make_id(self) -> str:
        return make_client_order_id(self.context.rng, self.exchange_time, self._id_prefix)


def _always() -> bool:
    return True


def _ready(part: R | None) -> R:
    if part is None:
        raise ConnectionLostError("the client is not connected yet")
    return part
