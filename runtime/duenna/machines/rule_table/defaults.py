"""What follows from the category, and from where an error comes if nothing else is known."""

from typing import Final

from duenna.machines.classification import Category, Severity
from duenna.machines.rules import Rule

_RATE = (Category.RATE_LIMIT,)

RULES: Final = (
    Rule(name="origin/order", origins=("order",), category=Category.EXCHANGE, severity=Severity.LOW, transient=False),
    Rule(name="origin/rest", origins=("rest",), category=Category.API, severity=Severity.LOW, transient=False),
    Rule(name="origin/feed", origins=("ws_feed",), category=Category.NETWORK),
    Rule(
        name="rate/banned",
        categories=_RATE,
        texts=("banned|ban ip|request*|rate|limit|temporar*|until|minutes|exceed* !country|region", "rate-limit-ban"),
        severity=Severity.CRITICAL,
    ),
    Rule(name="rate/locked-out", categories=_RATE, texts=("lockout|locked-out",), severity=Severity.HIGH),
    Rule(name="rate/denied", categories=_RATE, statuses=(403,), severity=Severity.HIGH),
    Rule(
        name="rate/connections",
        categories=_RATE,
        texts=(
            "too-many connection|connections|attempts",
            "connection|connections|login attempts|limit|exceed*|many|frequent",
        ),
        severity=Severity.HIGH,
    ),
    Rule(
        name="rate/ddos",
        categories=_RATE,
        types=("ccxt.base.errors.DDoSProtection",),
        statuses=(429,),
        severity=Severity.MEDIUM,
    ),
    Rule(name="rate/lockout", categories=_RATE, types=("ccxt.base.errors.DDoSProtection",), severity=Severity.HIGH),
    Rule(
        name="rate/ccxt",
        categories=_RATE,
        types=("ccxt.base.errors.RateLimitExceeded",),
        statuses=(429,),
        severity=Severity.MEDIUM,
    ),
    Rule(name="rate/feed", categories=_RATE, origins=("ws_feed",), severity=Severity.HIGH),
    Rule(name="default/rate", categories=_RATE, severity=Severity.MEDIUM, transient=True),
    Rule(
        name="default/network",
        categories=(Category.NETWORK,),
        severity=Severity.MEDIUM,
        transient=True,
    ),
    Rule(name="default/api", categories=(Category.API,), statuses=("5xx",), severity=Severity.MEDIUM, transient=True),
    Rule(
        name="default/api-timeout",
        categories=(Category.API,),
        texts=("timeout|timed-out|time-out",),
        severity=Severity.MEDIUM,
        transient=True,
    ),
    Rule(name="default/api-refused", categories=(Category.API,), severity=Severity.LOW, transient=False),
    Rule(name="default/data", categories=(Category.DATA,), severity=Severity.MEDIUM, transient=True),
    Rule(name="default/exchange", categories=(Category.EXCHANGE,), severity=Severity.LOW, transient=False),
    Rule(
        name="default/lasting",
        categories=(Category.AUTH, Category.CONFIGURATION, Category.STRATEGY, Category.SYSTEM, Category.DATABASE),
        severity=Severity.HIGH,
        transient=False,
    ),
    Rule(name="default/memory", categories=(Category.MEMORY,), severity=Severity.CRITICAL, transient=False),
    Rule(
        name="default/unknown",
        category=Category.SYSTEM,
        severity=Severity.HIGH,
        transient=False,
    ),
    Rule(name="default/outcome", outcome_unknown=False),
)
