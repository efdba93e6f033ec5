"""Which action answers an error, in which order, and whether anything is done without a hand."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.classification import Category, Severity, Verdict
from duenna.machines.recovery_plan import MOST_ACTIONS, Conditions, RecoveryPlan, is_automatic


@attrs.frozen
class Switched:
    auto_recovery_enabled: bool = True
    trade_engine_auto_restart: bool = True
    database_auto_reconnect: bool = True


@attrs.frozen
class Changed:
    enabled: bool | None = None
    priority: int | None = None


def verdict(category: Category = Category.NETWORK, severity: Severity = Severity.MEDIUM) -> Verdict:
    return Verdict(category=category, severity=severity, transient=True)


# -- without a hand --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "automatic"),
    [
        (Switched(), {"api": True, "trade_engine": True, "database": True}),
        (Switched(auto_recovery_enabled=False), {"api": False, "trade_engine": False, "database": False}),
        (Switched(trade_engine_auto_restart=False), {"api": True, "trade_engine": False, "database": True}),
        (Switched(database_auto_reconnect=False), {"api": True, "trade_engine": True, "database": False}),
    ],
)
def test_each_switch_is_for_its_own_kind(settings: Switched, automatic: dict[str, bool]) -> None:
    assert {kind: is_automatic(settings, kind) for kind in automatic} == automatic


# -- conditions ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "category", "severity", "kind", "hold"),
    [
        (Conditions(), Category.DATA, Severity.LOW, "", True),
        (Conditions(categories=[Category.DATA]), Category.DATA, Severity.LOW, "", True),
        (Conditions(categories=["DATA", "API"]), Category.NETWORK, Severity.LOW, "", False),
        (Conditions(categories="DATA"), Category.DATA, Severity.LOW, "", True),
        (Conditions(min_severity=Severity.HIGH), Category.DATA, Severity.MEDIUM, "", False),
        (Conditions(min_severity=Severity.HIGH), Category.DATA, Severity.HIGH, "", True),
        (Conditions(min_severity=Severity.HIGH), Category.DATA, Severity.CRITICAL, "", True),
        (Conditions(kinds=["api"]), Category.DATA, Severity.LOW, "api", True),
        (Conditions(kinds="api"), Category.DATA, Severity.LOW, "balance", False),
        (Conditions(transient=True), Category.DATA, Severity.LOW, "", True),
        (Conditions(transient=False), Category.DATA, Severity.LOW, "", False),
    ],
)
def test_all_conditions_that_are_given_must_hold(
    conditions: Conditions, category: Category, severity: Severity, kind: str, hold: bool
) -> None:
    assert conditions.hold(verdict(category, severity), kind) is hold


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"categories": 5}, TypeError, "Conditions: a collection is needed, got 5"),
        ({"categories": ["NETWROK"]}, ValueError, "Conditions: categories must be one of 'NETWORK', "),
        ({"min_severity": "BAD"}, ValueError, "Conditions: min_severity must be one of 'LOW', 'MEDIUM', "),
        ({"kinds": [1]}, TypeError, "Conditions: kinds must be texts, got 1"),
        ({"transient": 1}, TypeError, "Conditions: transient must be True or False, got 1"),
    ],
)
def test_conditions_that_can_never_hold_are_refused(
    given: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        Conditions(**given)

    assert str(caught.value).startswith(message)


def test_texts_become_what_they_stand_for() -> None:
    conditions = Conditions(categories=["EXCHANGE"], min_severity="HIGH")  # type: ignore[arg-type]

    assert conditions.hold(verdict(Category.EXCHANGE, Severity.CRITICAL), "")


# -- the order -------------------------------------------------------------------------


def plan(**priorities: int) -> RecoveryPlan:
    made = RecoveryPlan()
    for name, priority in priorities.items():
        made.add(name, priority=priority, enabled=True)
    return made


def test_the_lowest_number_comes_first_and_among_equals_the_one_that_was_there_first() -> None:
    assert plan(late=9, first=1, second=1, zero=0).order() == ("zero", "first", "second", "late")


def test_settings_change_priority_and_whether_an_action_runs_and_take_it_back() -> None:
    made = plan(a=1, b=2)

    made.configure({"a": Changed(enabled=False), "b": Changed(priority=0)})
    changed = made.order(), made.is_enabled("a"), made.priority("b")
    made.configure({})

    assert changed == (("b", "a"), False, 0)
    assert (made.order(), made.is_enabled("a"), made.priority("b")) == (("a", "b"), True, 2)


def test_a_hand_stands_above_the_settings_until_these_change() -> None:
    made = plan(a=1)
    made.configure({"a": Changed(enabled=False)})

    made.switch("a", enabled=True)
    made.configure({"a": Changed(enabled=False, priority=5)})
    by_hand = made.is_enabled("a")
    made.configure({"a": Changed(enabled=True)})
    made.configure({"a": Changed(enabled=False)})

    assert by_hand
    assert not made.is_enabled("a")


def test_an_action_that_is_made_disabled_can_be_enabled() -> None:
    made = RecoveryPlan()
    made.add("a", priority=1, enabled=False)
    before = made.is_enabled("a")

    made.switch("a", enabled=True)

    assert (before, made.is_enabled("a")) == (False, True)


def test_settings_for_an_action_that_is_not_there_change_nothing_at_all() -> None:
    made = plan(network_retry=1, other=2)

    with pytest.raises(ValueError, match="network_rety") as caught:
        made.configure({"other": Changed(enabled=False), "network_rety": Changed(enabled=False)})

    assert str(caught.value) == (
        "recovery_actions: there is no recovery action 'network_rety', did you mean 'network_retry': "
        "there is network_retry, other"
    )
    assert made.is_enabled("other")


def test_a_name_like_no_other_gets_no_suggestion() -> None:
    with pytest.raises(ValueError, match=r"^there is no recovery action 'zzz': there is none$"):
        RecoveryPlan().remove("zzz")


def test_a_name_is_taken_until_it_is_removed() -> None:
    made = plan(a=1)
    with pytest.raises(ValueError, match=r"^recovery action 'a' is there already: remove it first$"):
        made.add("a", priority=1, enabled=True)

    made.remove("a")

    assert "a" not in made
    assert not made.is_enabled("a")
    made.add("a", priority=1, enabled=True)
    assert "a" in made


def test_there_is_a_most() -> None:
    made = plan(**{f"a{number}": 1 for number in range(MOST_ACTIONS)})

    with pytest.raises(ValueError, match=r"^recovery holds at most 1000 actions, 'one more' is one more$"):
        made.add("one more", priority=1, enabled=True)


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.integers(0, 5), max_size=8), st.data())
def test_the_order_has_every_action_once_and_never_a_higher_number_first(
    priorities: dict[str, int], data: st.DataObject
) -> None:
    made = plan(**priorities)
    overrides = data.draw(st.dictionaries(st.sampled_from(sorted(priorities) or ["x"]), st.integers(0, 5)))
    made.configure({name: Changed(priority=value) for name, value in overrides.items() if name in priorities})

    order = made.order()

    assert sorted(order) == sorted(priorities)
    numbers = [made.priority(name) for name in order]
    assert numbers == sorted(numbers)
