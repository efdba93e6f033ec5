"""What is wrong in this process or on this machine: settings, strategies, the system."""

from typing import Final

from duenna.machines.classification import Category, Severity
from duenna.machines.rule_table import memory
from duenna.machines.rules import Rule, Where

_CONFIGURATION: Final = (
    Rule(
        name="configuration/origin",
        origins=("config",),
        category=Category.CONFIGURATION,
        severity=Severity.HIGH,
        transient=False,
    ),
    Rule(
        name="configuration/type",
        types=(
            "ModuleNotFoundError",
            "UnsupportedProtocol",
            "MissingSchema",
            "InvalidSchema",
            "InvalidURL",
            "InvalidUrl",
            "InvalidURI",
            "LocationParseError",
            "InvalidProxyURL",
            "InvalidProxySettings",
            "URLSchemeUnknown",
            "ProxySchemeUnknown",
            "NonHttpUrlClientError",
            "tomllib.*",
            "tomli.*",
            "toml.*",
            "configparser.*",
            "yaml.*",
            "ruamel.yaml.*",
            "omegaconf.*",
            "hydra.*",
            "dynaconf.*",
            "decouple.*",
            "environs.*",
            "dotenv.*",
            "pydantic_settings.*",
            "argparse.*",
            "click.*",
            "zoneinfo.*",
            "pkg_resources.*",
            "importlib.metadata.*",
            "voluptuous.*",
            "*ConfigError",
            "*ConfigException",
            "*ConfigurationError",
            "*ConfigurationException",
            "*ConfigurationErrors",
            "ImproperlyConfigured",
            "ConfigValidationError",
            "*SettingsError",
            "*RegionException",
            "MissingExtraError",
            "MissingCredentials*",
        ),
        category=Category.CONFIGURATION,
        severity=Severity.HIGH,
        transient=False,
    ),
    Rule(
        name="configuration/text",
        texts=(
            "no-module-named",
            "not-installed install|please|required",
            "shared-object|dll-load cannot|failed",
            "environment|env variable|var missing|set|unset|defined|required|found !process",
            (
                "config|configuration|settings file|key|section missing|invalid|corrupt*|not-found|unknown|parse "
                "!page|role"
            ),
            "loading|load|parse|read config*|settings|dotenv !markets|server",
            "missing|without|no|unknown|invalid|unsupported scheme|schema url|uri|supplied|http",
            "isnt|not|no valid-uri|valid-url|connection-adapters|host-supplied",
            "requires credential*|apikey|secret|privatekey|walletaddress !permission",
            "requires api key|secret credential|argument|parameter|credential !permission|http",
            "key|credentials|secret is-needed|are-needed|needed-to",
            "no-time-zone|unknown-timezone|unknown-time-zone",
            "conflicting proxy",
            "conflicting settings|config*",
        ),
        origins=("", "rest", "order", "ws_feed", "runtime"),
        category=Category.CONFIGURATION,
        severity=Severity.HIGH,
        transient=False,
    ),
)

_STRATEGY: Final = (
    Rule(
        name="strategy/too-little-data",
        origins=("strategy",),
        types=("StatisticsError",),
        category=Category.STRATEGY,
        severity=Severity.MEDIUM,
        transient=False,
    ),
    Rule(
        name="strategy/empty-data",
        origins=("strategy",),
        texts=(
            "empty sequence|iterable|slice|mean|array|dataframe|data|series|deque|list|input|arg|argument !ambiguous",
            "no-objects concatenate",
            "zero-size|size-zero",
            "at-least point*|points|observation*|sample*|rows|values|bars|candles|periods|data",
            (
                "not-enough|insufficient|too-few|enough data|points|candle*|bars|history|samples|observations|rows|"
                "warmup"
            ),
            "0-samples|zero-samples|0-sample",
            "no-data|no-candles|no-columns",
        ),
        category=Category.STRATEGY,
        severity=Severity.MEDIUM,
        transient=False,
    ),
    Rule(
        name="strategy/origin",
        origins=("strategy",),
        category=Category.STRATEGY,
        severity=Severity.HIGH,
        transient=False,
    ),
    Rule(
        name="strategy/type",
        types=(
            "StrategyError",
            "*Strategy*Error",
            "pandas.*",
            "numpy.*",
            "polars.*",
            "talib.*",
            "pandas_ta.*",
            "sklearn.*",
            "scipy.*",
            "statsmodels.*",
            "torch.*",
            "tensorflow.*",
            "keras.*",
            "xgboost.*",
            "lightgbm.*",
            "catboost.*",
            "_catboost.*",
            "statistics.*",
            "backtrader.*",
            "vectorbt.*",
            "numba.*",
            "jesse.*",
        ),
        category=Category.STRATEGY,
        severity=Severity.HIGH,
        transient=False,
    ),
)

_SYSTEM: Final = (
    Rule(
        name="system/descriptors",
        errnos=("EMFILE", "ENFILE"),
        category=Category.SYSTEM,
        severity=Severity.HIGH,
        transient=True,
    ),
    Rule(
        name="system/again",
        errnos=("EAGAIN", "EINTR", "ENOLCK"),
        origins=("runtime",),
        category=Category.SYSTEM,
        severity=Severity.HIGH,
        transient=True,
    ),
    Rule(
        name="system/descriptors-text",
        texts=("too-many open-files", "too-many-open-files"),
        category=Category.SYSTEM,
        severity=Severity.HIGH,
        transient=True,
    ),
    Rule(
        name="system/disk",
        errnos=("ENOSPC", "EDQUOT", "EROFS", "EIO", "EUCLEAN"),
        category=Category.SYSTEM,
        severity=Severity.CRITICAL,
        transient=False,
    ),
    Rule(
        name="system/disk-text",
        texts=(
            "no-space left|device",
            "disk full|quota|failure !order",
            "read-only file-system|filesystem",
            "input-output-error|i-o-error",
            "filesystem corrupt*|full|read-only",
        ),
        category=Category.SYSTEM,
        severity=Severity.CRITICAL,
        transient=False,
    ),
    Rule(
        name="system/origin",
        origins=("runtime",),
        category=Category.SYSTEM,
        severity=Severity.HIGH,
        transient=False,
    ),
    Rule(
        name="system/type",
        types=(
            "FileNotFoundError",
            "FileExistsError",
            "IsADirectoryError",
            "NotADirectoryError",
            "PermissionError",
            "ChildProcessError",
            "ProcessLookupError",
            "BlockingIOError",
            "subprocess.*",
            "multiprocessing.*",
            "concurrent.futures.process.*",
            "BrokenExecutor",
            "BrokenProcessPool",
            "BrokenThreadPool",
            "PicklingError",
            "UnpicklingError",
            "SystemExit",
            "SystemError",
            "InvalidStateError",
            "BusyResourceError",
            "ReadLoopClosed",
            "CannotSendRequest",
            "RunFinishedError",
            "NoEventLoopError",
            "trio.RunFinishedError",
            "TrioInternalError",
        ),
        category=Category.SYSTEM,
        severity=Severity.HIGH,
        transient=False,
    ),
    # A file's; a library whose errors are OSErrors, such as requests, gives a far end's answer.
    Rule(
        name="system/denied",
        types=("OSError",),
        texts=(
            (
                "permission-denied|access-denied|access-is-denied|not-permitted !status|http|api|@requests|@aiohttp|"
                "@urllib|@urllib3|@websocket|@websockets|@curl_cffi|@http"
            ),
        ),
        where=Where.OUTERMOST,
        category=Category.SYSTEM,
        severity=Severity.HIGH,
        transient=False,
    ),
    Rule(
        name="system/text",
        texts=(
            "event-loop closed|running|different|stopped|attached",
            "running event-loop|loop",
            (
                "read-loop|session|client|transport|writer closed|closing !order|account|position|market|trade|"
                "trading|server|remote|by"
            ),
            "cannot-write closing-transport|transport",
            "start-new-thread|start-new-process|start-thread",
            "cannot-schedule|schedule-new futures",
            "task destroyed|never-retrieved|never-awaited",
            "different-loop|different-event-loop",
            "pickle|unpickle object|local|attribute|module",
            "address-already-in-use|already-in-use port|address",
            "async-context|sync-context|main-thread",
            "process terminated|died|exited|crashed !message|order",
            "thread|coroutine|generator already|never|running",
            "changed-size during-iteration",
        ),
        category=Category.SYSTEM,
        severity=Severity.HIGH,
        transient=False,
    ),
)

_CODE_ERRORS: Final = (
    "LookupError",
    "KeyError",
    "IndexError",
    "TypeError",
    "AttributeError",
    "ZeroDivisionError",
    "ArithmeticError",
    "NameError",
    "UnboundLocalError",
    "decimal.*",
    "_decimal.*",
    "RecursionError",
    "SyntaxError",
)

# The outermost alone: a lookup that failed is the context of many an error that has nothing to do with it.
_DATA: Final = Rule(
    name="data/code",
    types=_CODE_ERRORS,
    origins=("rest", "ws_feed", "order"),
    where=Where.OUTERMOST,
    category=Category.DATA,
    severity=Severity.HIGH,
    transient=False,
)

# In an actor of no special kind they are its own; "no attribute 'sign'" is nobody's signature.
_OWN: Final = Rule(
    name="strategy/code-error",
    types=_CODE_ERRORS,
    origins=("",),
    where=Where.OUTERMOST,
    category=Category.STRATEGY,
    severity=Severity.HIGH,
    transient=False,
)

_VALUE: Final = Rule(
    name="data/value-text",
    types=("ValueError", "AssertionError", "LookupError"),
    texts=(
        "invalid-literal|could-not-convert|cannot-convert",
        "values-to-unpack|value-to-unpack",
        "not-in-list|substring-not-found|time-data|isoformat-string",
        "dictionary-update-sequence|chr-arg|embedded-null|year-is-out-of-range|out-of-range-float",
    ),
    origins=("rest", "ws_feed", "order"),
    where=Where.OUTERMOST,
    category=Category.DATA,
    severity=Severity.HIGH,
    transient=False,
)

RULES: Final = (*_SYSTEM[:3], *memory.BUFFERS, *_CONFIGURATION[:2], *_STRATEGY, *_SYSTEM[3:7], _DATA, _VALUE, _OWN)
TEXTS: Final = (_CONFIGURATION[2], *_SYSTEM[7:])


REST: Final = (
    Rule(
        name="data/value",
        types=(*_CODE_ERRORS, "ValueError", "AssertionError", "StopIteration"),
        origins=("rest", "ws_feed", "order"),
        category=Category.DATA,
        severity=Severity.HIGH,
        transient=False,
    ),
    Rule(
        name="strategy/code",
        types=(*_CODE_ERRORS, "ValueError", "AssertionError", "StopIteration", "NotImplementedError"),
        category=Category.STRATEGY,
        severity=Severity.HIGH,
        transient=False,
    ),
    Rule(
        name="system/os",
        types=("OSError", "duenna.errors.*"),
        category=Category.SYSTEM,
        severity=Severity.HIGH,
        transient=False,
    ),
)
