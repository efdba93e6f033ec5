"""What the end of a child means."""

from __future__ import annotations

import pytest

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
        (AutoShutdown.NEVER, False, False),
        (AutoShutdown.NEVER, True, False),
        (AutoShutdown.ANY, False, True),
        (AutoShutdown.ANY, True, True),
        (AutoShutdown.ALL, False, True),
        (AutoShutdown.ALL, True, False),
    ],
)
def test_the_end_of_a_significant_child_may_end_its_supervisor(
    rule: AutoShutdown, others_alive: bool, ends: bool
) -> None:
    """C65. `any`: the first one does; `all`: the last one."""
    assert ends_supervisor(rule, others_alive=others_alive) is ends


@pytest.mark.parametrize("others_alive", [False, True])
def test_a_stricter_rule_ends_it_no_sooner(others_alive: bool) -> None:
    """What ends a supervisor under `all` does so under `any`; under `never`, nothing does."""
    never, everyone, anyone = (
        ends_supervisor(AutoShutdown(rule), others_alive=others_alive) for rule in ("never", "all", "any")
    )

    assert never <= everyone <= anyone
