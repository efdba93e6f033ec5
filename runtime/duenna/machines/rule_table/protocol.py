"""Answers by their numbers: HTTP statuses, JSON-RPC and gRPC codes, families of exchanges' codes."""

from typing import Any, Final

from duenna.machines.classification import Category, Severity
from duenna.machines.rules import Rule

_AUTH: Final[dict[str, Any]] = {"category": Category.AUTH, "severity": Severity.HIGH, "transient": False}
_CLOCK: Final[dict[str, Any]] = {"category": Category.AUTH, "severity": Severity.MEDIUM, "transient": True}
_REFUSED: Final[dict[str, Any]] = {"category": Category.EXCHANGE, "severity": Severity.LOW, "transient": False}
_FUNDS: Final[dict[str, Any]] = {"category": Category.EXCHANGE, "severity": Severity.MEDIUM, "transient": False}
_CLOSED: Final[dict[str, Any]] = {"category": Category.EXCHANGE, "severity": Severity.HIGH, "transient": True}
_BUSY: Final[dict[str, Any]] = {"category": Category.EXCHANGE, "severity": Severity.MEDIUM, "transient": True}
_WRONG: Final[dict[str, Any]] = {"category": Category.API, "severity": Severity.LOW, "transient": False}
_GONE: Final[dict[str, Any]] = {"category": Category.API, "severity": Severity.MEDIUM, "transient": False}
_FAILED: Final[dict[str, Any]] = {"category": Category.API, "severity": Severity.MEDIUM, "transient": True}
_LOST: Final[dict[str, Any]] = {"category": Category.NETWORK, "severity": Severity.MEDIUM, "transient": True}

_PAGE = ("html|doctype|nginx|cloudflare|cloudfront|akamai",)
_OF_GRPC = ("*RpcError", "grpc.*", "grpclib.*", "google.api_core.*", "grpcio.*")

_GRPC = (
    Rule(name="grpc/lost", types=_OF_GRPC, codes=("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"), **_LOST),
    Rule(name="grpc/key", types=_OF_GRPC, codes=("UNAUTHENTICATED", "PERMISSION_DENIED"), **_AUTH),
    Rule(name="grpc/rate", types=_OF_GRPC, codes=("RESOURCE_EXHAUSTED",), category=Category.RATE_LIMIT),
    Rule(
        name="grpc/request",
        types=_OF_GRPC,
        codes=("INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "OUT_OF_RANGE"),
        **_WRONG,
    ),
    Rule(name="grpc/method", types=_OF_GRPC, codes=("UNIMPLEMENTED",), **_GONE),
    Rule(name="grpc/failed", types=_OF_GRPC, codes=("INTERNAL", "UNKNOWN", "ABORTED"), **_FAILED),
    Rule(name="grpc/data", types=_OF_GRPC, codes=("DATA_LOSS",), category=Category.DATA),
)

# Statuses that mean one thing whatever the text says.
FIRST: Final = (
    Rule(
        name="status/teapot",
        statuses=(418,),
        category=Category.RATE_LIMIT,
        severity=Severity.CRITICAL,
        transient=True,
    ),
    Rule(name="status/too-many", statuses=(429, 509, 529), category=Category.RATE_LIMIT),
    Rule(name="status/too-early", statuses=(425,), **_CLOSED),
)

STATUSES: Final = (
    Rule(
        name="status/unauthorized-clock",
        statuses=(401, 403),
        texts=("nonce|timestamp|recvwindow|clock", "recv-window"),
        **_CLOCK,
    ),
    Rule(
        name="status/denied-for",
        statuses=(401, 403),
        texts=(
            (
                "role|roles|scope|scopes|permission*|apikey|key|signature|credential*|whitelist*|allowlist*|ip|login|"
                "token|passphrase|unauthori* !rate|limit|requests|exceed*|banned|balance|insufficient|order|"
                "listen|listenkey"
            ),
        ),
        **_AUTH,
    ),
    Rule(name="status/geo", statuses=(407, 451, 511), **_AUTH),
    Rule(name="page/denied", statuses=(401, 403), texts=_PAGE, **_AUTH),
    Rule(name="page/failed", statuses=("5xx",), texts=_PAGE, **_FAILED),
    Rule(
        name="page/failed-text",
        texts=(
            (
                "html|doctype|nginx 502|503|504|500|520|521|522|524|bad-gateway|gateway-timeout|service-unavailable|"
                "temporarily"
            ),
        ),
        origins=("rest", "ws_feed", ""),
        **_FAILED,
    ),
    *_GRPC,
    Rule(name="code/rpc-method", codes=(-32601,), **_GONE),
    Rule(name="code/rpc-parse", codes=(-32700,), **_WRONG),
)

_BINANCE = ("binance|@binance|@binance_common|aster|asterdex|@unicorn_binance_rest_api",)
_OKX = ("okx|okex|@okx|myokx|okxus",)
_BYBIT = ("bybit|@pybit|@bybit",)
_KUCOIN = ("kucoin|kucoinfutures|@kucoin|@kucoin_universal_sdk",)
_BITGET = ("bitget|@bitget|@pybitget",)
_DERIBIT = ("deribit|@deribit",)
_BITFINEX = ("bitfinex|bitfinex2|@bitfinex|@bfxapi",)

CODES: Final = (
    Rule(name="code/binance-clock", texts=_BINANCE, codes=(-1021,), **_CLOCK),
    Rule(
        name="code/binance-listen-key",
        texts=_BINANCE,
        codes=(-1125,),
        category=Category.AUTH,
        severity=Severity.MEDIUM,
        transient=False,
    ),
    Rule(name="code/binance-rate", texts=_BINANCE, codes=(-1003, -1015, -1034, -2018), category=Category.RATE_LIMIT),
    Rule(name="code/binance-key", texts=_BINANCE, codes=(-1002, -1022, -1099, -2014, -2015, -2017, -4109), **_AUTH),
    Rule(name="code/binance-busy", texts=_BINANCE, codes=(-1008,), **_BUSY),
    Rule(name="code/binance-closed", texts=_BINANCE, codes=(-1016,), **_CLOSED),
    Rule(name="code/binance-internal", texts=_BINANCE, codes=(-1000, -1001), **_FAILED),
    Rule(name="code/binance-not-supported", texts=_BINANCE, codes=(-1020,), **_GONE),
    Rule(name="code/binance-funds", texts=_BINANCE, codes=(-2018, -2019, -3006, -3041, -4050, -4051), **_FUNDS),
    Rule(name="code/binance-combination", texts=_BINANCE, codes=(-1013, -1014), **_REFUSED),
    Rule(name="code/binance-request", texts=_BINANCE, codes=("-1199..-1009",), **_WRONG),
    Rule(
        name="code/binance-order",
        texts=_BINANCE,
        codes=("-2013..-2010", "-2028..-2016", "-5041..-5020", "-4999..-4000"),
        **_REFUSED,
    ),
    Rule(
        name="code/okx-key",
        texts=_OKX,
        codes=("50100..50101", "50103..50114", "50118..50123", "60005", "60007", "60009", "60011", "60024", "60032"),
        **_AUTH,
    ),
    Rule(name="code/okx-clock", texts=_OKX, codes=("50102", "60006"), **_CLOCK),
    Rule(name="code/okx-order", texts=_OKX, codes=("51000..51999",), **_REFUSED),
    Rule(name="code/okx-request", texts=_OKX, codes=("50000..50099", "52000..59999", "60012..60031"), **_WRONG),
    Rule(
        name="code/bybit-key",
        texts=_BYBIT,
        codes=("10003", "10004", "10005", "10007..10010", "33004", "10024", "10027", "10029"),
        **_AUTH,
    ),
    Rule(name="code/bybit-rate", texts=_BYBIT, codes=("10006", "10018", "10429"), category=Category.RATE_LIMIT),
    Rule(name="code/bybit-clock", texts=_BYBIT, codes=("10002",), **_CLOCK),
    Rule(name="code/bybit-server", texts=_BYBIT, codes=("10000", "10016"), **_FAILED),
    Rule(
        name="code/bybit-funds",
        texts=_BYBIT,
        codes=(
            "110004",
            "110006",
            "110007",
            "110012",
            "110014",
            "110044",
            "110045",
            "110051..110053",
            "170131",
            "170033",
            "175003",
        ),
        **_FUNDS,
    ),
    Rule(
        name="code/bybit-order",
        texts=_BYBIT,
        codes=("110000..110999", "170000..170999", "30000..30099", "130000..140099"),
        **_REFUSED,
    ),
    Rule(name="code/bybit-request", texts=_BYBIT, codes=("10001", "10014", "10017"), **_WRONG),
    Rule(name="code/kucoin-key", texts=_KUCOIN, codes=("400001", "400003..400007", "411100", "400500"), **_AUTH),
    Rule(name="code/kucoin-clock", texts=_KUCOIN, codes=("400002",), **_CLOCK),
    Rule(name="code/kucoin-rate", texts=_KUCOIN, codes=("429000", "200002"), category=Category.RATE_LIMIT),
    Rule(name="code/kucoin-funds", texts=_KUCOIN, codes=("200004", "300003", "130203"), **_FUNDS),
    Rule(
        name="code/kucoin-order",
        texts=_KUCOIN,
        codes=("200000..200999", "300000..300999", "600000..600999"),
        **_REFUSED,
    ),
    Rule(name="code/kucoin-server", texts=_KUCOIN, codes=("500000",), **_FAILED),
    Rule(
        name="code/bitget-key",
        texts=_BITGET,
        codes=("40001..40006", "40009", "40011..40014", "40016", "40018", "40037", "30011..30014"),
        **_AUTH,
    ),
    Rule(name="code/bitget-clock", texts=_BITGET, codes=("40005", "40008"), **_CLOCK),
    Rule(name="code/bitget-funds", texts=_BITGET, codes=("43012", "40754", "40762"), **_FUNDS),
    Rule(
        name="code/bitget-order",
        texts=_BITGET,
        codes=("43000..43999", "45000..45999", "40700..40999", "22000..22999"),
        **_REFUSED,
    ),
    Rule(name="code/bitget-request", texts=_BITGET, codes=("40000..40499",), **_WRONG),
    Rule(name="code/deribit-key", texts=_DERIBIT, codes=("10000", "9999", "10018..10022", "12000..13999"), **_AUTH),
    Rule(name="code/deribit-order", texts=_DERIBIT, codes=("10002..10046",), **_REFUSED),
    Rule(name="code/deribit-request", texts=_DERIBIT, codes=("11000..11099",), **_WRONG),
    Rule(name="code/bitfinex-key", texts=_BITFINEX, codes=("10100..10199",), **_AUTH),
    Rule(name="code/bitfinex-request", texts=_BITFINEX, codes=("10000..10099", "10200..10999"), **_WRONG),
    Rule(name="code/bitfinex-rate", texts=_BITFINEX, codes=("11010", "10305"), category=Category.RATE_LIMIT),
    Rule(
        name="code/bitfinex-restart",
        texts=_BITFINEX,
        codes=("20051",),
        category=Category.NETWORK,
        severity=Severity.LOW,
        transient=True,
    ),
    Rule(name="code/bitfinex-maintenance", texts=_BITFINEX, codes=("20060", "20061"), **_CLOSED),
    Rule(name="code/kraken-key", codes=("EAPI:*",), **_AUTH),
    Rule(name="code/kraken-busy", codes=("EService:*",), **_BUSY),
    Rule(name="code/kraken-order", codes=("EOrder:*", "ETrade:*"), **_REFUSED),
    Rule(name="code/kraken-request", codes=("EGeneral:*", "EQuery:*", "EFunding:*"), **_WRONG),
    Rule(name="code/key-family", codes=("AUTH_*", "auth_*", "AUTH-*", "auth-*", "api-signature*", "apikey*"), **_AUTH),
    Rule(name="code/order-family", codes=("ORDER_*", "order_*", "ORDER-*", "order-*"), **_REFUSED),
    Rule(name="code/rpc-request", codes=(-32600, -32602), **_WRONG),
    Rule(name="code/rpc-rate", codes=(-32005,), category=Category.RATE_LIMIT),
    Rule(name="code/rpc-internal", codes=(-32603,), **_FAILED),
    Rule(
        name="code/failed",
        codes=("INTERNAL", "UNKNOWN", "INTERNAL_ERROR", "INTERNAL_SERVER_ERROR", "SERVER_ERROR"),
        **_FAILED,
    ),
)

_STATUS_ERRORS = (
    "HTTPStatusError",
    "HTTPError",
    "ClientResponseError",
    "WSServerHandshakeError",
    "InvalidStatus*",
    "ConnectionRejected",
    "WebSocketBadStatus*",
    "ApiStatusError",
    "FeedHandshakeError",
)


def _families(prefix: str, types: tuple[str, ...] = ()) -> tuple[Rule, ...]:
    """Return the rules of the families of statuses, for all errors or for *types* alone."""
    return (
        Rule(name=f"{prefix}/denied", types=types, statuses=(401, 402, 403), **_AUTH),
        Rule(name=f"{prefix}/timeout", types=types, statuses=(408,), **_FAILED),
        Rule(name=f"{prefix}/gone", types=types, statuses=("3xx", 410, 426, 501, 505), **_GONE),
        Rule(name=f"{prefix}/request", types=types, statuses=("4xx",), **_WRONG),
        Rule(name=f"{prefix}/server", types=types, statuses=("5xx",), **_FAILED),
    )


# A library that only knows the status gives the URL as its text, whose words say nothing.
PLAIN: Final = _families("plain-status", _STATUS_ERRORS)

FAMILIES: Final = (
    *_families("status"),
    Rule(name="status/page", statuses=("2xx",), texts=("html|doctype|cloudflare|mimetype|content-type",), **_GONE),
)
