"""What the end of a child means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.verdict import AutoShutdown, Fate, RestartType, ends_supervisor, fate


@pytest.mark.parametrize(
    ("restart", "after_return", "after_crash"),
    [
        (RestartType.PERMANENT, Fate.RESTART, Fate.RESTART),
        (RestartType.TRANSIENT, Fate.FINISH, Fate.RESTART),
        (RestartType.TEMPORARY, Fate.REMOVE, Fate.REMOVE),
    ],
)
def test_the_restart_type_decides(restart: RestartType, after_return: Fate, after_crash: Fate) -> None:
    """C11-C15."""
    assert (fate(restart, crashed=False), fate(restart, crashed=True)) == (after_return, after_crash)


@pytest.mark.parametrize(
    ("rule", "others_alive", "ends"),
    [
        (AutoShutdown.NEVER, [], False),
        (AutoShutdown.NEVER, [False], False),
        (AutoShutdown.ANY, [], True),
        (AutoShutdown.ANY, [True, True], True),
        (AutoShutdown.ALL, [], True),
        (AutoShutdown.ALL, [False, False], True),
        (AutoShutdown.ALL, [False, True], False),
    ],
)
def test_the_end_of_a_significant_child_may_end_its_supervisor(
    rule: AutoShutdown, others_alive: list[bool], ends: bool
) -> None:
    """C65. `any`: the first one does; `all`: the last one."""
    assert ends_supervisor(rule, others_alive=others_alive) is ends


@given(st.lists(st.booleans()))
def test_a_stricter_rule_ends_it_no_sooner(others_alive: list[bool]) -> None:
    never, everyone, anyone = (
        ends_supervisor(AutoShutdown(rule), others_alive=others_alive) for rule in ("never", "all", "any")
    )

    assert never <= everyone <= anyone
