"""The words of classification: what is known of an error, and the verdict on it.

An error is judged by values alone (`Facts`), so that the same rules serve a live exception,
a line of a log and a record of a corpus, and so that no library must be installed for its
errors to be known: types are names here.
"""

from enum import StrEnum
from typing import Final

import msgspec


class Severity(StrEnum):
    """How bad an error is for the bot.

    LOW: one call refused, no lasting effect. MEDIUM: degraded, recovery by itself is expected.
    HIGH: a function is lost until something slower acts. CRITICAL: trading must stop now.
    """

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"

    @property
    def rank(self) -> int:
        """0 for LOW to 3 for CRITICAL, to compare by: the texts themselves sort otherwise."""
        return _RANKS[self]


_RANKS: Final = {Severity.LOW: 0, Severity.MEDIUM: 1, Severity.HIGH: 2, Severity.CRITICAL: 3}


class Category(StrEnum):
    """What an error is about, that is, who can do something about it."""

    NETWORK = "NETWORK"
    API = "API"
    RATE_LIMIT = "RATE_LIMIT"
    AUTH = "AUTH"
    DATA = "DATA"
    EXCHANGE = "EXCHANGE"
    DATABASE = "DATABASE"
    STRATEGY = "STRATEGY"
    MEMORY = "MEMORY"
    CONFIGURATION = "CONFIGURATION"
    SYSTEM = "SYSTEM"


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One exception of a chain, as values.

    Attributes:
        type: Its type with the module, such as `httpx.ConnectError`; built-in ones without.
        message: Its text, bounded and without secrets.
        bases: The names of its base classes in the same form, nearest first, without `Exception`,
            `BaseException` and `object`; empty if they are not known.
        status: HTTP status, None if it has none.
        code: The far end's own code, as text.
        sqlstate: SQLSTATE of a database error, five characters.
        errno: The system's error number.
        close_code: Close code of a websocket.
        retry_after: Seconds that the far end asked to be left alone.
        outcome_unknown: What the error itself says of its outcome; None: nothing.
    """

    type: str
    message: str = ""
    bases: tuple[str, ...] = ()
    status: int | None = None
    code: str | None = None
    sqlstate: str | None = None
    errno: int | None = None
    close_code: int | None = None
    retry_after: float | None = None
    outcome_unknown: bool | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a verdict may depend on.

    Attributes:
        links: The error, then its causes and its groups' members, outermost first; at least
            one, at most 32.
        origin: The kind of code that raised it: `rest`, `order`, `ws_feed`, `database`,
            `strategy`, `config`, `runtime`; empty if that is not known.
    """

    links: tuple[Link, ...]
    origin: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What an error means.

    Attributes:
        category: What it is about.
        severity: How bad it is.
        transient: Whether the same call, made again after a wait, may succeed although nobody
            changed anything.
        outcome_unknown: Whether the call may have taken effect: ask before it is made again.
        retry_after: Seconds to leave the far end alone, None if it does not say.
        rule: Name of the rule that decided the category.
    """

    category: Category
    severity: Severity
    transient: bool
    outcome_unknown: bool = False
    retry_after: float | None = None
    rule: str = ""

    @property
    def needs_a_hand(self) -> bool:
        """Whether trying again is useless until somebody changed a key or a setting."""
        return self.category in _BY_HAND and not self.transient


_BY_HAND: Final = frozenset({Category.AUTH, Category.CONFIGURATION})

_ORIGINS: Final = {
    "api": "rest",
    "balance": "rest",
    "rest": "rest",
    "order": "order",
    "orders": "order",
    "websocket": "ws_feed",
    "feed": "ws_feed",
    "ws_feed": "ws_feed",
    "database": "database",
    "strategy": "strategy",
    "config": "config",
    "settings": "config",
    "runtime": "runtime",
}


def origin_of(kind: str) -> str:
    """Return the origin that an actor of *kind* (`Actor.kind`) stands for, empty for kinds of the user's own."""
    return _ORIGINS.get(kind, "")
