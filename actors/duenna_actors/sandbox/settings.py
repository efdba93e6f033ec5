"""What a sandbox can be set to."""

import msgspec

_SHORTEST_TICK = 0.001
_POSITIVE = (
    "stream_speed",
    "leverage",
    "book_levels",
    "weight_limit",
    "ban",
    "orders_per_10s",
    "orders_per_minute",
    "ping_interval",
    "pong_timeout",
    "max_age",
    "messages_per_second",
    "max_streams",
    "connects_per_5_minutes",
    "max_connections",
    "send_buffer_bytes",
    "listen_key_lifetime",
    "idle_timeout",
    "request_timeout",
    "close_timeout",
)


class SandboxSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The exchange's rules. The defaults are those of Binance USD-M futures where that has a rule.

    Attributes:
        tick: Time between two changes of the market, in seconds. 0.001 or more.
        stream_speed: So many times as often as their names say events of streams come: more than 1 for whoever wants
            many of them in little time. Never more often than the market changes.
        book_levels: Levels on each side of a book.
        liquidations_per_minute: Forced orders per contract, on average. 0 for none.
        api_key: The account's key.
        api_secret: What its requests are signed with.
        balance: What the account starts with, in whole USDT.
        leverage: Notional that one USDT of margin carries.
        maker_fee: In millionths.
        taker_fee: In millionths.
        weight_limit: Request weight per minute and address.
        patience: Requests answered with 429 before the ban.
        ban: Length of the first ban, in seconds.
        orders_per_10s: Orders in 10 seconds.
        orders_per_minute: Orders in a minute.
        ping_interval: Time between two pings to a websocket, in seconds.
        pong_timeout: How long a pong may take, in seconds.
        max_age: When a websocket is closed for its age, in seconds.
        messages_per_second: What a websocket may send, pings and pongs counted.
        max_streams: Streams of one websocket.
        connects_per_5_minutes: Websockets that one address may open.
        max_connections: Connections of all kinds at one time; one more is reset.
        send_buffer_bytes: What may wait for a client that does not read; above it the client is disconnected.
        remember_client_ids: Refuse a client order id for as long as its order is remembered, closed or not. The
            exchange itself compares with open orders only: a market order that is sent twice is filled twice.
        listen_key_lifetime: In seconds.
        strict_streams: Refuse unknown streams, streams of another path and dead listen keys. The exchange itself
            accepts them and never sends anything.
        idle_timeout: How long a connection may be silent between two requests, in seconds.
        request_timeout: How long a request may take to arrive and its answer to be taken, in seconds.
        close_timeout: How long the close handshake of a websocket may take, in seconds.
    """

    tick: float = 0.2
    stream_speed: float = 1.0
    book_levels: int = 20
    liquidations_per_minute: float = 3.0
    api_key: str = "sandbox-key"
    api_secret: str = "sandbox-secret"  # noqa: S105 - it opens nothing but a toy, and is printed on purpose
    balance: int = 10_000
    leverage: int = 20
    maker_fee: int = 200
    taker_fee: int = 500
    weight_limit: int = 2_400
    patience: int = 10
    ban: float = 120.0
    orders_per_10s: int = 300
    orders_per_minute: int = 1_200
    ping_interval: float = 180.0
    pong_timeout: float = 600.0
    max_age: float = 86_400.0
    messages_per_second: int = 10
    max_streams: int = 1_024
    connects_per_5_minutes: int = 300
    max_connections: int = 1_000
    send_buffer_bytes: int = 8 * 1024 * 1024
    remember_client_ids: bool = True
    listen_key_lifetime: float = 3_600.0
    strict_streams: bool = True
    idle_timeout: float = 75.0
    request_timeout: float = 30.0
    close_timeout: float = 3.0

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")
        for name in ("liquidations_per_minute", "balance", "maker_fee", "taker_fee", "patience"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be >= 0, got {getattr(self, name)}")
        if self.tick < _SHORTEST_TICK:
            raise ValueError(f"tick must be >= {_SHORTEST_TICK} seconds, got {self.tick}")
        if not self.api_key or not self.api_secret:
            raise ValueError("api_key and api_secret must not be empty")
