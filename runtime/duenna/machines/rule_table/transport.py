"""The path between hosts: names, TCP, TLS, timeouts, the end of a websocket."""

from typing import Any, Final

from duenna.machines.classification import Category, Severity
from duenna.machines.rules import Rule, Where

_LOST: Final[dict[str, Any]] = {"category": Category.NETWORK, "severity": Severity.MEDIUM, "transient": True}
_WRONG: Final[dict[str, Any]] = {"category": Category.NETWORK, "severity": Severity.HIGH, "transient": False}
_ORDERLY: Final[dict[str, Any]] = {"category": Category.NETWORK, "severity": Severity.LOW, "transient": True}
_SLOW: Final[dict[str, Any]] = {"category": Category.RATE_LIMIT, "severity": Severity.HIGH, "transient": True}
_DENIED: Final[dict[str, Any]] = {"category": Category.AUTH, "severity": Severity.HIGH, "transient": False}

# The text of a close frame says more than its code; 1008 is what exchanges send to whom they throw out.
_OWN_CODES = ("3000..4999",)
CLOSED: Final = (
    Rule(
        name="closed/slow",
        close_codes=("1000..4999",),
        texts=(
            "slow|lagging|behind consumer|client|reader|subscriber|connection",
            "too-many|rate-limit|throttl*|frequent*|flood|quota",
            "rate|request|requests|messages|msg limit|exceed* !size|payload|big",
            "limit exceed*|reached !message|frame|payload|bytes|size",
        ),
        **_SLOW,
    ),
    Rule(
        name="closed/denied",
        close_codes=("1008", "3000..4999"),
        texts=(
            "unauthori*|unauthenticated|forbidden|not-authenticated|not-authorized|denied|not-allowed",
            (
                "auth*|login|token|key|signature|sign|credential*|apikey|jwt|listen-key|session invalid|fail*|error|"
                "expired|"
                "missing|required|bad|wrong|incorrect|timeout"
            ),
            "permission|ip|geo|region|country restrict*|denied|block*|not|banned",
        ),
        **_DENIED,
    ),
    Rule(name="closed/code-denied", close_codes=(3000, 3003, 4401, 4403), **_DENIED),
    Rule(name="closed/code-slow", close_codes=(1008, 4029, 4429), **_SLOW),
    Rule(name="closed/orderly", close_codes=(1000, 1001, 1012), **_ORDERLY),
    Rule(name="closed/protocol", close_codes=(1002, 1003, 1007, 1009, 1010, 1015), **_WRONG),
    Rule(name="closed/restart", close_codes=_OWN_CODES, texts=("restart*|maintenance|upgrade|going-away",), **_ORDERLY),
    Rule(name="closed/other", close_codes=(1005, 1006, 1011, 1013, 1014, "3000..4999"), **_LOST),
)

_TOO_BIG = Rule(name="network/too-big", types=("PayloadTooBig", "*MessageTooBig*", "*FrameTooLarge*"), **_WRONG)

# Also as words: many libraries give the text of the lower layer and nothing else.
_TLS = (
    # httpx on trio says nothing at all when it is TLS that fails, and gives the reason four links down.
    Rule(
        name="tls/silent",
        types=("httpx.ConnectError", "httpx2.ConnectError"),
        texts=("@silent",),
        where=Where.OUTERMOST,
        **_WRONG,
    ),
    Rule(
        name="tls/certificate",
        types=("*CertVerification*", "*CertificateError", "ClientConnectorCertificateError"),
        **_WRONG,
    ),
    Rule(
        name="tls/text",
        texts=(
            (
                "certificate|cert verify|expired|required|unknown|mismatch|self-signed|hostname|issuer|invalid|"
                "revoked|untrusted"
            ),
            (
                "ssl wrong-version|handshake-failure|protocol-version|unsupported-protocol|no-shared|unknown-ca|"
                "bad-certificate"
            ),
            "tlsv1|tlsv13|sslv3|tls alert !eof|close",
            "ssl alert !eof|close",
            "hostname doesnt-match|mismatch",
        ),
        origins=("", "rest", "order", "ws_feed"),
        **_WRONG,
    ),
)

TYPES: Final = (
    *_TLS,
    _TOO_BIG,
    Rule(
        name="network/errno",
        errnos=(
            "ECONNREFUSED",
            "ECONNRESET",
            "ECONNABORTED",
            "EPIPE",
            "ENETUNREACH",
            "ENETDOWN",
            "ENETRESET",
            "EHOSTUNREACH",
            "EHOSTDOWN",
            "ETIMEDOUT",
            "ENOTCONN",
            "ESHUTDOWN",
            "EADDRNOTAVAIL",
            -2,
            -3,
            -4,
            -5,
            11001,
            10054,
            10060,
            10061,
            10053,
        ),
        **_LOST,
    ),
    Rule(
        name="network/type",
        types=(
            "socket.*",
            "ConnectionRefusedError",
            "ConnectionResetError",
            "ConnectionAbortedError",
            "BrokenPipeError",
            "ConnectError",
            "ConnectTimeout",
            "ConnectTimeoutError",
            "ReadTimeout",
            "ReadTimeoutError",
            "WriteTimeout",
            "ReadError",
            "WriteError",
            "CloseError",
            "RemoteProtocolError",
            "LocalProtocolError",
            "ProxyError",
            "ProxyConnectionError",
            "ProxyTimeoutError",
            "requests.exceptions.ConnectionError",
            "requests.exceptions.Timeout",
            "requests.exceptions.SSLError",
            "ChunkedEncodingError",
            "RemoteDisconnected",
            "IncompleteRead",
            "BadStatusLine",
            "LineTooLong",
            "ResponseNotReady",
            "urllib3.exceptions.MaxRetryError",
            "NewConnectionError",
            "NameResolutionError",
            "ProtocolError",
            "TimeoutStateError",
            "ServerDisconnectedError",
            "ServerConnectionError",
            "ClientConnect*Error",
            "ClientConnectionError",
            "ClientOSError",
            "ClientPayloadError",
            "ServerTimeoutError",
            "SocketTimeoutError",
            "ConnectionTimeoutError",
            "ConnectionTimeout",
            "TooSlowError",
            "IncompleteReadError",
            "trio.BrokenResourceError",
            "trio.ClosedResourceError",
            "trio.EndOfChannel",
            "anyio.BrokenResourceError",
            "anyio.ClosedResourceError",
            "anyio.EndOfStream",
            "ConnectionClosed*",
            "WebSocketConnectionClosed*",
            "WebSocketTimeout*",
            "WebSocketAddress*",
            "WebSocketProtocol*",
            "websockets.exceptions.InvalidMessage",
            "websockets.exceptions.InvalidUpgrade",
            "websockets.exceptions.NegotiationError",
            "websockets.exceptions.AbortHandshake",
            "*WebsocketClosed",
            "*WebsocketUnableToConnect",
            "ExhaustedRetries",
            "SSLEOFError",
            "SSLZeroReturnError",
            "SSLWantReadError",
            "KafkaConnectionError",
            "KafkaTimeoutError",
            "NoBrokersAvailable",
            "NodeNotReadyError",
            "ProviderConnectionError",
            "PersistentConnectionError",
            "dns.*",
            "aiodns.*",
            "pycares.*",
            "nats.errors.*Connection*",
            "nats.errors.TimeoutError",
            "zmq.error.Again",
            "pika.exceptions.*Connection*",
            "amqp.exceptions.*Connection*",
            "telegram.error.TimedOut",
            "ApiTransportError",
            "ApiTimeoutError",
            "FeedClosedError",
            "AskTimeoutError",
            "AttemptTimeoutError",
            "DeadlineExceededError",
        ),
        category=Category.NETWORK,
    ),
)

# What is left when nobody knows the type and no exchange's vocabulary fits.
REST: Final = (
    Rule(
        name="network/text",
        texts=(
            (
                "connect*|socket|session|stream|websocket|ws|host|peer|remote|server|transport|link lost|closed|"
                "close|closing|reset|refused|"
                "aborted|terminated|broken|dropped|disconnect*|unreachable|down|eof"
            ),
            (
                "connect*|resolve|resolving|reach|handshake|ping|pong|heartbeat|keepalive|keep-alive fail*|error|"
                "unable|cannot|cant|could|timeout|"
                "timed-out|missed|lost|not-received|no !currency|symbol"
            ),
            "timed-out|time-out|timeout|timedout",
            (
                "not-connected|disconnect*|reconnect*|econn*|enotfound|etimedout|eai|dns|getaddrinfo|gaierror|"
                "name-resolution"
            ),
            "network|proxy|tunnel|socket error|fail*|unreachable|unavailable|issue|problem",
            "no-route|no-response|empty-reply|unexpected-eof|eof-occurred",
            "deadline exceeded",
        ),
        category=Category.NETWORK,
    ),
    Rule(
        name="network/family",
        types=(
            "*Timeout*",
            "*TimedOut*",
            "*ConnectionError",
            "*ConnectError",
            "*ConnectException",
            "*ConnectionException",
            "*Connection*Error",
            "*NetworkError",
            "*NetworkException",
            "*TransportError",
            "*Disconnect*",
            "*SocketError*",
            "SSLError",
            "aiohttp.client_exceptions.*",
            "websockets.*",
            "websocket.*",
            "trio_websocket.*",
            "wsproto.*",
            "urllib.error.*",
            "telegram.error.NetworkError",
            "duenna.connection_errors.*",
            "UnavailableError",
            "CircuitOpenError",
            "h11.*",
            "h2.*",
            "httpx.*",
            "httpx2.*",
            "httpcore.*",
            "httpcore2.*",
            "requests.*",
            "urllib3.*",
            "http.client.*",
            "curl_cffi.*",
            "pycurl.*",
            "aiokafka.*",
            "kafka.*",
            "confluent_kafka.*",
            "cimpl.*",
            "nats.*",
            "pika.*",
            "zmq.*",
            "asyncio.*",
            "anyio.*",
            "trio.*",
        ),
        category=Category.NETWORK,
    ),
    Rule(
        name="network/orderly",
        categories=(Category.NETWORK,),
        types=("ConnectionClosedOK",),
        severity=Severity.LOW,
        transient=True,
    ),
    Rule(
        name="network/announced",
        categories=(Category.NETWORK,),
        texts=(
            "restart* server|service|node|soon|please|reconnect !unexpected*",
            "upgrade|upgrading|maintenance|deploy*|rolling reconnect|closed|closing|close|soon",
            "going-away|normal-closure|closed-normally|normally-closed|goaway|go-away",
            "stopping|shutting-down|shutdown reconnect|server|service",
        ),
        severity=Severity.LOW,
        transient=True,
    ),
)
