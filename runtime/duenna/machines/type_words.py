"""What the name of an exception's type adds to the words of its text."""

from typing import Final

from duenna.machines.text_patterns import words

PLAIN: Final = "@plain"
"""Stands for a type whose name says nothing of the world."""

_PLAIN_TYPES: Final = frozenset(
    {
        "ValueError",
        "KeyError",
        "TypeError",
        "IndexError",
        "LookupError",
        "AttributeError",
        "NameError",
        "AssertionError",
        "ArithmeticError",
        "RuntimeError",
        "OSError",
        "PermissionError",
    }
)
_SAYS_NOTHING: Final = frozenset(
    {"exception", "error", "api", "rpc", "client", "http", "request", "response", "inactive"}
)
_SAYS_LITTLE: Final = frozenset({"invalid", "bad", "failed", "unknown"})


def words_of_type(name: str) -> str:
    """Return the words of a type's *name* that mean something, after `@` and its package if it has one.

    The value of a `ValueError` is no price and the key of a `KeyError` no secret: such types are
    `@plain`. Of a library's `InvalidRequestError`, whatever the venue answered, nothing is left.
    """
    package, dot, _ = name.partition(".")
    last = name.rpartition(".")[2]
    told = [word for word in words(last).split() if word not in _SAYS_NOTHING]
    if last in _PLAIN_TYPES:
        told = [PLAIN]
    elif len(told) == 1 and told[0] in _SAYS_LITTLE:
        told = []
    return " ".join([f"@{package}", *told] if dot else told)
