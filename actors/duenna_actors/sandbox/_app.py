"""From a request to its answer, with everything that can go wrong in between."""

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import attrs
import msgspec
import trio
from loguru import logger

from duenna.wallclock import WallTime
from duenna_actors.sandbox import _errors as errors
from duenna_actors.sandbox._connections import Links
from duenna_actors.sandbox._control import Control
from duenna_actors.sandbox._errors import ApiError, Refusal
from duenna_actors.sandbox._exchange import Exchange
from duenna_actors.sandbox._faultline import Faults
from duenna_actors.sandbox._frames import PAGE, broken_body
from duenna_actors.sandbox._http import Request, Response
from duenna_actors.sandbox._hub import Hub
from duenna_actors.sandbox._limits import Admitted
from duenna_actors.sandbox._orders import OrderChanged
from duenna_actors.sandbox._params import Params, parse_pairs
from duenna_actors.sandbox._rest_market import Call
from duenna_actors.sandbox._routes import ROUTES, Route
from duenna_actors.sandbox._symbols import write_e8
from duenna_actors.sandbox.faults import (
    ClockDrift,
    GarbledAnswers,
    HttpFailure,
    LostAnswers,
    SlowAnswers,
    StaleSnapshot,
)

HTML = "text/html"
_ENCODE = msgspec.json.encode


@attrs.define(eq=False, repr=False)
class App:
    """The REST interface.

    Attributes:
        exchange: What it is the interface of.
        hub: Where the private stream is told of orders.
        faults: What may come between.
        wall_time: The time of day.
        links: The open connections.
        random: The jitter of slow answers.
        wake: Called when there may be something new to watch for.
        requests: Requests answered so far.
        failures: Requests that ended in an error of the sandbox's own.
    """

    exchange: Exchange
    hub: Hub
    faults: Faults
    wall_time: WallTime
    links: Links
    random: Random
    wake: Callable[[], None]
    requests: int = attrs.field(default=0, init=False)
    failures: int = attrs.field(default=0, init=False)
    _control: Control = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._control = Control(self.faults, self.state)

    @property
    def stamp(self) -> int:
        """The time that the exchange believes it is, in unix milliseconds."""
        drift = self.faults.holds(ClockDrift)
        return round((self.wall_time() + (drift.offset if drift else 0.0)) * 1_000)

    async def respond(self, request: Request, address: str) -> Response:
        """Answer a request of an address."""
        if request.path.startswith("/sandbox"):
            return self._control.respond(request)
        self.requests += 1
        where = _where(request)
        failure = self.faults.strike(HttpFailure, **where)
        if failure is not None:
            return _failed(failure)
        response = self._answer(request, address)
        lost = self.faults.strike(LostAnswers, **where)
        if lost is not None:
            response = _lost(lost, response)
        slow = self.faults.strike(SlowAnswers, **where)
        if slow is not None:
            await trio.sleep(slow.latency + slow.jitter * self.random.random())
        broken = self.faults.strike(GarbledAnswers, **where)
        return response if broken is None else _broken(broken, response)

    def publish(self, changes: Iterable[OrderChanged]) -> None:
        """Tell the private stream what happened to orders."""
        key = self.exchange.listen_keys.current
        if key is None or not self.hub.has_listeners(key):
            return
        for event in self.exchange.user_events(changes, self.wall_time(), self.stamp):
            symbol = event["o"]["s"] if "o" in event else event["a"]["P"][0]["s"]
            self.hub.publish(key, event["e"], symbol, event)

    def state(self) -> dict[str, Any]:
        """Return what there is to see, ready for JSON."""
        now = self.wall_time()
        exchange = self.exchange
        return {
            "uptime": round(self.faults.now, 3),
            "serverTime": self.stamp,
            "prices": {
                name: symbol.write_price(exchange.market(name).mid(now)) for name, symbol in exchange.symbols.items()
            },
            "connections": len(self.links),
            "websockets": [
                {"path": session.path, "streams": session.subscriptions} for session in self.links.sessions()
            ],
            "streams": self.hub.counts(),
            "messages": self.hub.delivered,
            "requests": self.requests,
            "failures": self.failures + self.links.crashes,
            "openOrders": len(exchange.desk.open),
            "balance": write_e8(exchange.desk.account.wallet),
            "faults": self.faults.active,
        }

    def _answer(self, request: Request, address: str) -> Response:
        now = self.wall_time()
        headers: list[tuple[str, str]] = []
        try:
            route = _find(request)
            params = parse_pairs(request.query, _form(request))
            verdict = self.exchange.weigh(address, route.weight(params), now)
            headers.append(("X-MBX-USED-WEIGHT-1M", str(verdict.used)))
            if not isinstance(verdict, Admitted):
                headers.append(("Retry-After", str(max(1, -int(-verdict.retry_after // 1)))))
                refusal = self.exchange.refusal_of(verdict)
                return refused(refusal, headers)
            answer = self._carry_out(route, request, params, now)
        except ApiError as error:
            return refused(error.refusal, headers)
        except Exception:  # noqa: BLE001 - an error of the sandbox is the exchange's -1000
            self.failures += 1
            logger.exception("the sandbox failed to answer {} {}", request.method, request.path)
            return refused(errors.INTERNAL, headers)
        if route.security != "none":
            self.wake()
        if route.is_order:
            short, long = self.exchange.order_counts(now)
            headers += [("X-MBX-ORDER-COUNT-10S", str(short)), ("X-MBX-ORDER-COUNT-1M", str(long))]
        return Response(200, _ENCODE(answer), tuple(headers))

    def _carry_out(self, route: Route, request: Request, params: dict[str, str], now: float) -> object:
        stamp = self.stamp
        if route.security != "none":
            self.exchange.credentials.check_key(request.headers.get("x-mbx-apikey"))
        if route.security == "signed":
            self.exchange.credentials.check_signature(params, (request.query, _form(request)), stamp)
        return route.answer(
            Call(
                exchange=self.exchange,
                params=Params(params, self.exchange.symbols),
                now=now,
                stamp=stamp,
                snapshot_age=self._snapshot_age,
                publish=self.publish,
                end_listen_key=self.links.end_stream,
            )
        )

    def _snapshot_age(self, symbol: str) -> float:
        fault = self.faults.strike(StaleSnapshot, symbol=symbol)
        return fault.age if fault else 0.0


def page(status: int, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """Answer with a page of HTML, as what stands in front of an exchange does."""
    return Response(status, PAGE, headers, HTML)


def refused(refusal: Refusal, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """Answer with the exchange's own error."""
    return Response(refusal.status, _ENCODE({"code": refusal.code, "msg": refusal.text}), tuple(headers))


def _find(request: Request) -> Route:
    methods = ROUTES.get(request.path)
    if methods is None:
        raise ApiError(errors.no_route(request.method, request.path, 404))
    if request.method not in methods:
        raise ApiError(errors.no_route(request.method, request.path, 405))
    return methods[request.method]


def _form(request: Request) -> str:
    return "" if request.method == "GET" else request.body.decode("utf-8", "replace")


def _where(request: Request) -> dict[str, str]:
    try:
        params = parse_pairs(request.query, _form(request))
    except ApiError:
        params = {}
    return {"path": request.path, "method": request.method, "symbol": params.get("symbol", "")}


def _failed(fault: HttpFailure) -> Response:
    return page(fault.status) if fault.is_html else refused(Refusal(fault.code, fault.text, fault.status))


def _lost(fault: LostAnswers, response: Response) -> Response:
    if fault.mode == "timeout":
        return refused(errors.TIMEOUT, response.headers)
    return attrs.evolve(response, fate="silence" if fault.mode == "silence" else "dropped")


def _broken(fault: GarbledAnswers, response: Response) -> Response:
    match fault.mode:
        case "html":
            return page(200, response.headers)
        case "cut":
            return attrs.evolve(response, fate="cut")
        case mode:
            return attrs.evolve(response, body=broken_body(response.body, mode))
