"""The built-in rules, in the order in which they are asked.

First what is told by where the error was raised (memory, databases, settings, strategies, this
process), then what a type, a code or a status says beyond doubt, then the vocabulary of exchanges,
then what is left; at the end what follows from the category alone. The order within is that of the
categories' definitions: quota before identity before trade before protocol before data before path.
"""

from typing import Final

from duenna.machines.rule_table import database, defaults, local, memory, protocol, transport, typed, vocabulary
from duenna.machines.rules import Rule

STANDARD: Final[tuple[Rule, ...]] = (
    *typed.SAID,
    *memory.ALLOCATOR,
    *database.RULES,
    *transport.CLOSED,
    *local.RULES,
    *protocol.FIRST,
    *typed.OUTCOMES,
    *transport.TYPES,
    *typed.RULES,
    *protocol.STATUSES,
    *protocol.PLAIN,
    *local.TEXTS,
    *vocabulary.RULES,
    *protocol.CODES,
    *protocol.FAMILIES,
    *transport.REST,
    *local.REST,
    *database.SEVERITIES,
    *defaults.RULES,
)
"""All of them, the first one asked first."""

__all__ = ["STANDARD"]
