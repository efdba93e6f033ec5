"""A small bot whose every request is guarded, and an exchange that has bad times, over the virtual network."""

import json
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, cast
from urllib.parse import parse_qs

import attrs
import httpx2
import trio
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.utils import wrap_app

from duenna import Actor, Child, Supervisor
from duenna.faults import Service
from duenna.guards import Breaker, Bulkhead, Fallback, Guard, RateLimit, RejectedError, Retry
from duenna.machines.backoff import Backoff
from duenna.testing import Scenario, Violation, World
from duenna.testing.trace import Record

SYMBOLS = ("BTC", "ETH", "SOL")
MOODS = ("busy", "down", "slow", "garbled")
URL = "http://exchange"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@attrs.define(eq=False)
class Exchange:
    """Tells prices, takes orders, and is at times too busy, down, slow, or not itself.

    Attributes:
        world: Where orders are recorded.
        moods: What is wrong with it at the moment.
        orders: The ids of those that it took.
    """

    world: World
    moods: dict[str, None] = attrs.field(factory=dict[str, None])
    orders: dict[str, None] = attrs.field(factory=dict[str, None])

    def join(self) -> None:
        """Serve on a host of its own, and offer its moods to random plans."""
        self.world.serve("exchange", self.serve)
        offers = [Service(name=mood) for mood in MOODS]
        self.world.on_service_fault("exchange", self.strike, offers=offers)

    def strike(self, fault: Service, duration: float | None) -> bool:
        """Be in a bad mood for a while."""
        self.moods[fault.name] = None
        trio.lowlevel.spawn_system_task(self._recover, fault.name, 30.0 if duration is None else duration)
        return False

    async def _recover(self, mood: str, duration: float) -> None:
        await trio.sleep(duration)
        self.moods.pop(mood, None)

    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Serve HTTP."""
        config = Config()
        config.errorlog = config.accesslog = None

        async def handle(stream: trio.SocketStream) -> None:
            app = wrap_app(cast("Any", self), config.wsgi_max_body_size, None)
            await TCPServer(app, config, WorkerContext(None), {}, cast("Any", stream)).run()

        listeners = await trio.open_tcp_listeners(80)
        task_status.started()
        await trio.serve_listeners(handle, listeners)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request, as an ASGI application does."""
        if scope["type"] != "http":
            return
        await receive()
        if "slow" in self.moods:
            await trio.sleep(4.0)
        status, headers, body = self._answer(scope)
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, scope: Any) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        if "busy" in self.moods:
            return 429, [(b"retry-after", b"3")], b"{}"
        if scope["method"] == "POST":
            self.orders[query["id"]] = None
            self.world.record("order_received", intent=query["intent"], client_order_id=query["id"])
        if "down" in self.moods:  # its backend is, and has the order nevertheless
            return 503, [], b"{}"
        if "garbled" in self.moods:
            return 200, [], b"<html>"
        if scope["path"] == "/price":
            return 200, [], b'{"price": 1.0}'
        return 200, [], json.dumps({"is_there": query["id"] in self.orders}).encode()


def patient(guard: str, **policies: Any) -> Guard:
    """Make a guard for reads."""
    retry = Retry(4, backoff=Backoff.exponential(0.5, maximum=5.0))
    breaker = Breaker(window=10, open_for=5.0, growth=2.0, probes=2, slow_call=5.0)
    return Guard(guard, retry=retry, breaker=breaker, attempt_timeout=3.0, deadline=30.0, **policies)


@attrs.define(eq=False)
class Client:
    """The exchange, as the bot sees it: all guards of one host share a gate."""

    http: httpx2.AsyncClient
    gate: RateLimit

    def guard(self, name: str, **policies: Any) -> Guard:
        """Return the guard of one kind of request."""
        return patient(name, rate_limit=self.gate, **policies)

    async def fetch(self, method: str, path: str, **params: str) -> Any:
        """Make a request, and read the answer."""
        response = await self.http.request(method, f"{URL}{path}", params=params)
        response.raise_for_status()
        return response.json()


@attrs.define(eq=False)
class Poller(Actor):
    """Asks for a price every two seconds."""

    symbol: str
    gate: RateLimit

    async def run(self) -> None:
        """Poll for ever."""
        async with httpx2.AsyncClient(verify=NO_TLS, timeout=10.0) as http:
            client = Client(http, self.gate)
            guard = client.guard("prices", bulkhead=Bulkhead(2, max_wait=2.0), fallback=Fallback.last_good(20.0))
            while True:
                with suppress(httpx2.HTTPError, ValueError, RejectedError, TimeoutError):  # the guard has told of it
                    await guard.call(client.fetch, "GET", "/price", symbol=self.symbol)
                await trio.sleep(2.0)


@attrs.define(eq=False)
class Trader(Actor):
    """Places an order every fifteen seconds; never sends one again of which it does not know what became."""

    gate: RateLimit
    number: int = 0

    async def run(self) -> None:
        """Trade for ever."""
        retry = Retry(3, backoff=Backoff.steps(1.0))
        guard = Guard("orders", retry=retry, rate_limit=self.gate, deadline=20.0, idempotent=False)
        async with httpx2.AsyncClient(verify=NO_TLS, timeout=3.0) as http:
            client = Client(http, self.gate)
            while True:
                await self._order(guard, client)
                await trio.sleep(15.0)

    async def _order(self, guard: Guard, client: Client) -> None:
        self.number += 1
        intent = f"{self.context.incarnation}.{self.number}"
        order = {"intent": intent, "id": f"{intent}-{self.context.runtime.rng.getrandbits(32)}"}
        try:
            await guard.call(client.fetch, "POST", "/order", **order)
        except RejectedError:
            pass  # it was not sent
        except (httpx2.HTTPError, ValueError, TimeoutError):
            await self._look(client, order["id"])

    async def _look(self, client: Client, order: str) -> None:
        """Find out what became of it."""
        guard = client.guard("lookups")
        for _ in range(3):
            try:
                await guard.call(client.fetch, "GET", "/order", id=order)
            except (httpx2.HTTPError, ValueError, RejectedError, TimeoutError):
                await trio.sleep(5.0)
            else:
                break


@attrs.define(eq=False)
class OneOrder:
    """What was meant as one order reaches the exchange under one id, and once."""

    name = "one_order"
    kinds = frozenset({"order_received"})
    _orders: dict[str, str] = attrs.field(factory=dict[str, str])

    def apply(self, record: Record) -> Iterable[Violation]:
        """Look at an order."""
        intent, order = record.fields["intent"], record.fields["client_order_id"]
        before = self._orders.get(intent)
        self._orders[intent] = order
        if before is None:
            return ()
        text = f"order {intent} is there {'twice' if before == order else f'as {order} and as {before}'}"
        return (Violation(self.name, record.t, record.seq, "exchange", text),)

    def finish(self, end: float) -> Iterable[Violation]:
        """Find nothing: each order was looked at when it came."""
        return ()


def scenario(world: World) -> Scenario:
    """Make the bot and its exchange."""
    Exchange(world).join()
    gate = RateLimit(20.0, per=10.0, burst=4.0, max_wait=2.0, name="exchange")
    pollers = [Child(f"poll_{symbol}", _made(Poller, symbol, gate)) for symbol in SYMBOLS]
    tree = Supervisor("bot", [*pollers, Child("trader", _made(Trader, gate))], intensity=100, period=60.0)
    return Scenario(tree=tree, checkers=(OneOrder(),), every=30.0, bound=60.0)


def _made(kind: Callable[..., Actor], *args: Any) -> Callable[[], Actor]:
    return lambda: kind(*args)
