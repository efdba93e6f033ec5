"""Rules as data: what they may say, and what is refused with which words."""

from __future__ import annotations

import errno
from typing import Any

import attrs
import pytest

from duenna.machines.classification import Category, Severity
from duenna.machines.rules import EFFECTS, MOST_RULES, Rule, Where, merged, rule_from, rules_from

NAMES = "names of types such as 'httpx.ReadTimeout' or 'httpx.*'"
FIELDS = [field.name for field in attrs.fields(Rule)]


def test_single_values_and_lists_become_tuples() -> None:
    given: dict[str, Any] = {
        "name": "mine",
        "types": "httpx.*",
        "statuses": [429, "5xx", "500-599"],
        "codes": [-1021, "-11*", "50000..50099"],
        "errnos": ["ECONNREFUSED", 5],
        "close_codes": ["1006", 1012, "4000..4099"],
        "categories": "API",
        "where": "root",
        "severity": "HIGH",
        "retry_after": 5,
    }

    rule = rule_from(given)

    assert rule.types == ("httpx.*",)
    assert rule.statuses == (429, "5xx", "500-599")
    assert rule.codes == ("-1021", "-11*", "50000..50099")
    assert rule.errnos == (errno.ECONNREFUSED, 5)
    assert rule.close_codes == (1006, 1012, "4000..4099")
    assert rule.categories == (Category.API,)
    assert rule.where is Where.ROOT
    assert rule.severity is Severity.HIGH
    assert rule.retry_after == 5.0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": ""}, "rule: name must be a text that is not empty, got ''"),
        ({"name": 5}, "rule: name must be a text that is not empty, got 5"),
        ({}, f"rule 'x': one of {', '.join(EFFECTS)} must be given: it decides nothing"),
        ({"types": {"a": 1}}, "rule 'x': types must be a list of values, got {'a': 1}"),
        ({"types": True}, "rule 'x': types must be a list of values, got True"),
        ({"types": [5]}, "rule 'x': types must be texts, got 5"),
        (
            {"types": ["a b"]},
            "rule 'x': types must be names of types such as 'httpx.ReadTimeout' or 'httpx.*', got 'a b'",
        ),
        ({"statuses": [42]}, "rule 'x': statuses must be 100 to 599, '5xx' or '500-599', got 42"),
        ({"statuses": [True]}, "rule 'x': statuses must be 100 to 599, '5xx' or '500-599', got True"),
        ({"statuses": ["500-400"]}, "rule 'x': statuses must be a range with the smaller status first, got '500-400'"),
        ({"codes": [1.5]}, "rule 'x': codes must be codes such as -1021, '-11*' or '50000..50099', got 1.5"),
        ({"codes": ["5..1"]}, "rule 'x': codes must be a range with the smaller code first, got '5..1'"),
        (
            {"sqlstates": ["4"]},
            "rule 'x': sqlstates must be five characters, such as '40P01', or a beginning, such as '08*', got '4'",
        ),
        ({"errnos": ["ENOSUCH"]}, "rule 'x': errnos must be numbers or names such as 'ECONNREFUSED', got 'ENOSUCH'"),
        ({"errnos": [True]}, "rule 'x': errnos must be numbers or names such as 'ECONNREFUSED', got True"),
        ({"close_codes": [99]}, "rule 'x': close_codes must be 1000 to 4999, or a range such as '4000..4099', got 99"),
        (
            {"close_codes": ["x"]},
            "rule 'x': close_codes must be 1000 to 4999, or a range such as '4000..4099', got 'x'",
        ),
        (
            {"close_codes": [1.5]},
            "rule 'x': close_codes must be 1000 to 4999, or a range such as '4000..4099', got 1.5",
        ),
        (
            {"texts": ["(a+)+"]},
            (
                "rule 'x': texts must be words in lower case, joined by '-', parted by '|', "
                "a stem ending in '*', got '(a+)+'"
            ),
        ),
        ({"origins": [1]}, "rule 'x': origins must be texts, got 1"),
        ({"where": "inner"}, "rule 'x': where must be one of any, outermost, root, got 'inner'"),
        ({"severity": "BAD"}, "rule 'x': severity must be one of LOW, MEDIUM, HIGH, CRITICAL, got 'BAD'"),
        ({"transient": "yes"}, "rule 'x': transient must be true or false, got 'yes'"),
        ({"enabled": None}, "rule 'x': enabled must be true or false, got None"),
        ({"retry_after": "5"}, "rule 'x': retry_after must be a number of seconds, got '5'"),
        ({"retry_after": True}, "rule 'x': retry_after must be a number of seconds, got True"),
        ({"retry_after": 0}, "rule 'x': retry_after must be seconds > 0 and finite, got 0"),
        (
            {"categories": ["API"], "category": "API"},
            "rule 'x': category must not be given beside categories: it is decided already",
        ),
        ({"serverity": "LOW"}, "rule 'x': there is no field 'serverity', did you mean 'severity'?"),
        (
            {"types": ["y" * 90 + " "]},
            f"rule 'x': types must be {NAMES}, got '{'y' * 76}...",
        ),
    ],
)
def test_a_wrong_rule_is_refused(fields: dict[str, Any], message: str) -> None:
    """The message names the rule, the field, the value and what it must be."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        rule_from({"name": "x", **fields})

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (5, "rules must be a list of mappings, got 5"),
        ("ab", "rules must be a list of mappings, got 'ab'"),
        ({"rule": []}, "rules must be a list, or a mapping with the one key 'rules', got {'rule': []}"),
        ([5], "rule 1 must be a mapping with a name, got 5"),
        ([{"severity": "LOW"}], "rule 1: name must be a text that is not empty, got nothing"),
        ([{"zzz": 1}], f"rule 1: there is no field 'zzz'; there are {', '.join(FIELDS)}"),
        (
            [{"name": "a", "severity": "LOW"}, {"name": "a", "severity": "LOW"}],
            "rule 'a': each name must stand there once, got it twice",
        ),
    ],
)  # fmt: skip
def test_a_wrong_list_is_refused(data: object, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        rules_from(data)

    assert str(caught.value) == message


def test_a_list_may_stand_under_its_key() -> None:
    one = {"name": "a", "severity": "LOW"}

    assert rules_from({"rules": [one]}) == rules_from([one]) == (Rule(name="a", severity=Severity.LOW),)


def test_wrong_types_in_code_are_type_errors() -> None:
    wrong: Any = 5.0
    with pytest.raises(TypeError, match=r"^rule 'a': types must be a list of values, got 5\.0$"):
        Rule(name="a", types=wrong)


def test_own_rules_come_first_and_replace_those_of_their_name() -> None:
    table = (
        Rule(name="a", severity=Severity.LOW),
        Rule(name="b", severity=Severity.LOW),
        Rule(name="c", severity=Severity.LOW),
    )
    own = (
        Rule(name="b", severity=Severity.HIGH),
        Rule(name="c", enabled=False),
        Rule(name="d", severity=Severity.HIGH),
    )

    assert [(rule.name, rule.severity) for rule in merged(own, table)] == [
        ("b", Severity.HIGH),
        ("d", Severity.HIGH),
        ("a", Severity.LOW),
    ]


@pytest.mark.parametrize(("name", "hint"), [("aple", ", did you mean 'apple' or 'apply'?"), ("zzz", "")])
def test_what_is_not_there_cannot_be_disabled(name: str, hint: str) -> None:
    """A rule that was renamed is not silently in force again."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        merged(
            (Rule(name=name, enabled=False),), [Rule(name=each, severity=Severity.LOW) for each in ("apply", "apple")]
        )

    assert str(caught.value) == f"rule {name!r}: enabled is false, but there is no such rule in the table{hint}"


def test_rules_of_ones_own_are_bounded() -> None:
    own = [Rule(name=f"r{number}", severity=Severity.LOW) for number in range(MOST_RULES + 1)]

    assert len(merged(own[1:], own[:1])) == MOST_RULES + 1
    with pytest.raises(ValueError, match=r"^rules of one's own must be at most 1000, got 1001$"):
        merged(own, ())
