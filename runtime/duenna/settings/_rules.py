"""The user's rules of classification: whether they are any."""

from collections.abc import Iterator, Sequence
from typing import Any

from duenna.machines.rules import Rule, merged, rule_from


def wrong_rules(rules: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Say what is wrong with each of *rules*, or with all of them together."""
    made: list[Rule] = []
    for number, rule in enumerate(rules, 1):
        try:
            made.append(rule_from(rule, number=number))
        except ValueError as error:
            yield f"has a wrong rule: {error}"
    if len(made) == len(rules) > 0:
        from duenna.machines.rule_table import STANDARD  # noqa: PLC0415 - a large table, and few have rules of their own

        try:
            merged(made, STANDARD)
        except ValueError as error:
            yield f"has a wrong rule: {error}"
