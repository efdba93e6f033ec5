"""What a type's name says beyond doubt, and when nobody knows what became of an order."""

from typing import Any, Final

from duenna.machines.classification import Category, Severity
from duenna.machines.rules import Rule, Where

_AUTH: Final[dict[str, Any]] = {"category": Category.AUTH, "severity": Severity.HIGH, "transient": False}
_REFUSED: Final[dict[str, Any]] = {"category": Category.EXCHANGE, "severity": Severity.LOW, "transient": False}
_CLOSED: Final[dict[str, Any]] = {"category": Category.EXCHANGE, "severity": Severity.HIGH, "transient": True}
_BUSY: Final[dict[str, Any]] = {"category": Category.EXCHANGE, "severity": Severity.MEDIUM, "transient": True}
_WRONG: Final[dict[str, Any]] = {"category": Category.API, "severity": Severity.LOW, "transient": False}
_GARBLED: Final[dict[str, Any]] = {"category": Category.DATA, "severity": Severity.MEDIUM, "transient": True}
_UNFIT: Final[dict[str, Any]] = {"category": Category.DATA, "severity": Severity.HIGH, "transient": False}
_UNKNOWN: Final[dict[str, Any]] = {
    "category": Category.EXCHANGE,
    "severity": Severity.CRITICAL,
    "transient": False,
    "outcome_unknown": True,
}

# What an error itself says of its outcome, whatever else it may be.
SAID: Final = (
    # Who says that a hand is needed is right, whatever it is about; alone, it is about this program.
    Rule(name="hand/needed", types=("ManualInterventionError",), severity=Severity.HIGH, transient=False),
    Rule(name="hand/alone", types=("ManualInterventionError",), where=Where.ROOT, category=Category.SYSTEM),
    Rule(name="outcome/known", unknown=False, outcome_unknown=False),
    Rule(name="outcome/said", unknown=True, severity=Severity.CRITICAL, transient=False, outcome_unknown=True),
)

# Before anything else that concerns an exchange: what may have happened must be asked for, never tried again.
OUTCOMES: Final = (
    Rule(
        name="outcome/text",
        texts=(
            (
                "execution|send|order|outcome|result|transaction status|outcome|result unknown|uncertain|"
                "undetermined|unclear|indeterminate "
                "!symbol|not-found|invalid"
            ),
            "status|outcome|result unknown|uncertain timeout|timed|execution|backend",
            "does-not|doesnt indicate success|failure",
            (
                "may|might have executed|succeeded|filled|been|gone|accepted|reached order|request|transaction|"
                "placed|executed|processed"
            ),
            "match|matching|order|execution delayed !data|market-data|quote|update",
            "request-exception",
            "unknown whether|if order|request|transaction|executed",
            "check|query|verify order status|state timeout|timed|unknown|later",
            "not-in-the-chain|not-mined|still-pending|time-exhausted after|seconds|blocks|confirmation",
        ),
        origins=("order", "rest", ""),
        **_UNKNOWN,
    ),
    Rule(
        name="outcome/timeout",
        origins=("order",),
        types=(
            "ReadTimeout",
            "ReadTimeoutError",
            "WriteTimeout",
            "RequestTimeout",
            "*TimeoutError",
            "Timeout",
            "TimeExhausted",
            "socket.timeout",
            "TooSlowError",
            "RemoteProtocolError",
            "ReadError",
            "WriteError",
            "RemoteDisconnected",
            "ServerDisconnectedError",
            "ServerTimeoutError",
            "IncompleteRead*",
            "ClientPayloadError",
            "ChunkedEncodingError",
            "ConnectionResetError",
            "BrokenPipeError",
            "ConnectionClosed*",
            "urllib3.exceptions.ProtocolError",
            "ApiTimeoutError",
        ),
        texts=(
            (
                "timeout|timed|time|remote|server|disconnect*|incomplete|read|write|reset|broken|closed|protocol|"
                "error !connect|connecting|connection-to"
            ),
        ),
        **_UNKNOWN,
    ),
    Rule(
        name="outcome/order-text",
        origins=("order",),
        texts=(
            (
                "timed-out|time-out|timeout|timedout|gateway-timeout !connect|connecting|connection-to|nonce|recv|"
                "timestamp|force|inforce"
            ),
            "disconnected|aborted|reset connection|server|remote|peer|without !connecting",
        ),
        **_UNKNOWN,
    ),
    Rule(name="outcome/order-status", origins=("order",), statuses=(408, 502, 504, 524), **_UNKNOWN),
)

_FROM_CCXT = "ccxt.base.errors."


# The order is that of the hierarchy, classes before their bases: OperationFailed and NetworkError are those of many.
def _ccxt(*names: str) -> tuple[str, ...]:
    return tuple(f"{_FROM_CCXT}{name}" for name in names)


_CCXT: Final = (
    Rule(
        name="ccxt/liquidation",
        types=(f"{_FROM_CCXT}*",),
        texts=(
            (
                "liquidating|liquidated|in-liquidation|ongoing-liquidation|undergoing-liquidation|under-liquidation|"
                "liquidation-in-progress|liquidation-process|in-liq|"
                "liquidation-mode|liquidation-ongoing|in-bankruptcy|be-liquidated|is-liquidated !price|frequent|"
                "would|may|could|lead|not-liquidated|subaccount-has|other-user|possible"
            ),
        ),
        category=Category.EXCHANGE,
        severity=Severity.CRITICAL,
        transient=False,
    ),
    Rule(
        name="ccxt/locked",
        types=_ccxt("PermissionDenied", "AuthenticationError", "AccountNotEnabled", "ManualInteractionNeeded"),
        texts=(
            (
                "lock*|freeze|frozen|suspend*|disabled|blocked|banned admin|account|user|trading|platform|withdraw "
                "!ip|region|country|"
                "location|key|apikey|restricted"
            ),
        ),
        category=Category.AUTH,
        severity=Severity.CRITICAL,
        transient=False,
    ),
    Rule(
        name="ccxt/credentials-missing",
        types=_ccxt("AuthenticationError", "ArgumentsRequired"),
        texts=("requires credential", "requires apikey|secret|password|uid|privatekey|walletaddress|token credential"),
        category=Category.CONFIGURATION,
        severity=Severity.HIGH,
        transient=False,
    ),
    Rule(name="ccxt/proxy", types=_ccxt("InvalidProxySettings"), category=Category.CONFIGURATION),
    Rule(name="ccxt/checksum", types=_ccxt("ChecksumError", "BadResponse", "NullResponse"), **_GARBLED),
    Rule(
        name="ccxt/nonce", types=_ccxt("InvalidNonce"), category=Category.AUTH, severity=Severity.MEDIUM, transient=True
    ),
    Rule(
        name="ccxt/suspended",
        types=_ccxt("AccountSuspended"),
        category=Category.AUTH,
        severity=Severity.CRITICAL,
        transient=False,
    ),
    Rule(
        name="ccxt/access",
        types=_ccxt("AuthenticationError", "PermissionDenied", "AccountNotEnabled", "RestrictedLocation"),
        **_AUTH,
    ),
    Rule(name="ccxt/hand", types=_ccxt("ManualInteractionNeeded"), **_AUTH),
    Rule(name="ccxt/rate", types=_ccxt("RateLimitExceeded", "DDoSProtection"), category=Category.RATE_LIMIT),
    Rule(name="ccxt/maintenance", types=_ccxt("OnMaintenance"), **_CLOSED),
    Rule(
        name="ccxt/funds",
        types=_ccxt("InsufficientFunds"),
        category=Category.EXCHANGE,
        severity=Severity.MEDIUM,
        transient=False,
    ),
    Rule(
        name="ccxt/market-closed",
        types=_ccxt("MarketClosed", "ContractUnavailable"),
        category=Category.EXCHANGE,
        severity=Severity.HIGH,
    ),
    Rule(name="ccxt/pending", types=_ccxt("CancelPending", "AddressPending"), **_BUSY),
    Rule(
        name="ccxt/refused",
        types=_ccxt(
            "InvalidOrder",
            "OrderNotFound",
            "OrderNotCached",
            "OrderImmediatelyFillable",
            "OrderNotFillable",
            "DuplicateOrderId",
            "OperationRejected",
            "NoChange",
            "MarginModeAlreadySet",
        ),
        **_REFUSED,
    ),
    Rule(
        name="ccxt/request",
        types=_ccxt("BadRequest", "BadSymbol", "ArgumentsRequired", "InvalidAddress", "UnsubscribeError"),
        **_WRONG,
    ),
    Rule(
        name="ccxt/not-supported",
        types=_ccxt("NotSupported"),
        category=Category.API,
        severity=Severity.MEDIUM,
        transient=False,
    ),
    Rule(
        name="ccxt/blocked",
        types=_ccxt("ExchangeNotAvailable", "NetworkError"),
        statuses=(401, 403, 451),
        **_AUTH,
    ),
    Rule(
        name="ccxt/server-error",
        types=_ccxt("ExchangeNotAvailable"),
        origins=("rest", "ws_feed", ""),
        category=Category.API,
        severity=Severity.MEDIUM,
        transient=True,
    ),
    Rule(name="ccxt/unavailable", types=_ccxt("ExchangeNotAvailable", "ExchangeClosedByUser"), **_BUSY),
    Rule(
        name="ccxt/timeout-answer",
        types=_ccxt("RequestTimeout"),
        statuses=("4xx", "5xx"),
        category=Category.API,
        severity=Severity.MEDIUM,
        transient=True,
    ),
    Rule(
        name="ccxt/timeout-code",
        types=_ccxt("RequestTimeout"),
        codes=("*",),
        category=Category.API,
        severity=Severity.MEDIUM,
        transient=True,
    ),
    Rule(name="ccxt/network", types=_ccxt("RequestTimeout", "NetworkError"), category=Category.NETWORK),
    Rule(name="ccxt/later", types=_ccxt("OperationFailed"), **_BUSY),
    Rule(name="telegram/request", types=("telegram.error.BadRequest",), **_WRONG),
    Rule(name="network/named", types=("*NetworkError", "*NetworkException"), category=Category.NETWORK),
)

RULES: Final = (
    *_CCXT,
    Rule(
        name="data/schema",
        types=(
            "msgspec.ValidationError",
            "pydantic.*",
            "pydantic_core.*",
            "marshmallow.*",
            "jsonschema.*",
            "fastjsonschema.*",
            "cattrs.*",
            "dacite.*",
            "cerberus.*",
            "schema.*",
            "typeguard.*",
            "beartype.*",
            "trafaret.*",
            "mashumaro.*",
            "attrs.exceptions.*",
        ),
        **_UNFIT,
    ),
    Rule(
        name="data/garbled",
        types=(
            "JSONDecodeError",
            "msgspec.DecodeError",
            "orjson.*",
            "simdjson.*",
            "*SimdjsonError",
            "ujson.*",
            "rapidjson.*",
            "UnicodeDecodeError",
            "zlib.error",
            "zstandard.*",
            "brotli.*",
            "lz4.*",
            "gzip.*",
            "binascii.Error",
            "struct.error",
            "csv.Error",
            "_csv.Error",
            "xml.*",
            "lxml.*",
            "msgpack.*",
            "cbor2.*",
            "DecodingError",
            "ContentDecodingError",
            "google.protobuf.*",
            "avro.*",
            "fastavro.*",
            "DecodeError",
            "*ParseError",
            "*ParserError",
            "EOFError",
            "*DecodeError",
            "*DecodeException",
            "*BadChecksum*",
            "*Checksum*",
            "*Sequence*Number*",
            "*SequenceGap*",
            "*OutOfSync*",
            "*Stale*",
            "ApiDataError",
            "BadFrameError",
            "ijson.*",
            "pyarrow.*",
            "bz2.*",
            "_lzma.*",
            "lzma.*",
            "flatbuffers.*",
            "capnp.*",
            "*InvalidSnapshot*",
        ),
        **_GARBLED,
    ),
    Rule(
        name="api/redirects",
        types=("TooManyRedirects",),
        category=Category.API,
        severity=Severity.MEDIUM,
        transient=False,
    ),
    Rule(
        name="api/page-server-error",
        types=("ContentTypeError", "ConnectionRejected"),
        statuses=("5xx",),
        category=Category.API,
        severity=Severity.MEDIUM,
        transient=True,
    ),
    Rule(
        name="api/page",
        types=("ContentTypeError", "ConnectionRejected", "InvalidStatus*", "WSServerHandshakeError"),
        statuses=("2xx", "3xx"),
        category=Category.API,
        severity=Severity.MEDIUM,
        transient=False,
    ),
    Rule(name="exchange/maintenance-type", types=("*Maintenance*",), **_CLOSED),
    Rule(
        name="auth/late",
        types=("*Unauthorized*", "*AuthenticationError", "*Forbidden*"),
        texts=(
            "timestamp|nonce|recvwindow|clock",
            "request|signature|message expired !key|token|session|apikey|jwt",
        ),
        category=Category.AUTH,
        severity=Severity.MEDIUM,
        transient=True,
    ),
    Rule(
        name="auth/login",
        types=(
            "LoginFailure",
            "InvalidToken",
            "InvalidKey",
            "telegram.error.Forbidden",
            "discord.errors.Forbidden",
            "*ForbiddenError",
            "*AuthenticationError",
            "*AuthenticationFailed",
            "*Unauthorized*",
            "*UnauthenticatedError",
        ),
        **_AUTH,
    ),
    Rule(
        name="chain/reverted",
        types=("ContractLogicError", "ContractCustomError", "ContractPanicError", "TransactionFailed"),
        **_REFUSED,
    ),
    Rule(
        name="rate/type",
        types=(
            "*RateLimit*",
            "*SlowConsumer*",
            "*TooManyRequests*",
            "*RetryAfter*",
            "*Throttl*",
            "*QuotaExceeded*",
            "*FloodWait*",
            "FloodControl*",
            "ApiRateLimitError",
            "ThrottledError",
            "RateLimitedError",
        ),
        category=Category.RATE_LIMIT,
    ),
)
