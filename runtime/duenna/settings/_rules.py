"""The user's rules of classification: whether they are any.

Whether those that are disabled exist is seen where they are used: the program may have rules of its own.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from duenna.machines.rules import Rule, check_together, rule_from


def wrong_rules(rules: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Say what is wrong with each of *rules*, or with all of them together."""
    made: list[Rule] = []
    for number, rule in enumerate(rules, 1):
        try:
            made.append(rule_from(rule, number=number))
        except ValueError as error:
            yield f"has a wrong rule: {error}"
    if len(made) == len(rules) > 0:
        try:
            check_together(made)
        except ValueError as error:
            yield f"has a wrong rule: {error}"
