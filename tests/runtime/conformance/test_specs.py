"""Specs: what is refused when it is made (C7, C8)."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import trio

from duenna import (
    Actor,
    Backoff,
    Child,
    Context,
    Supervisor,
)

from .probe import Probe
from .support import attempt, opened, state


async def idle(context: Context) -> None:
    """Do nothing for ever."""
    del context
    await trio.sleep_forever()


def test_c07_duplicate_name_is_refused() -> None:
    """Two children of one name are refused when the supervisor is made."""
    children = [Child("a", idle), Child("b", idle), Child("a", idle)]

    with pytest.raises(ValueError, match=r"'a'"):
        Supervisor("bot", children)


def test_c07_supervisor_and_child_share_one_set_of_names() -> None:
    """A sub-supervisor's name counts like any other child's."""
    children: list[Child | Supervisor] = [Child("a", idle), Supervisor("a")]

    with pytest.raises(ValueError, match=r"'a'"):
        Supervisor("bot", children)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Child("a", idle, restart="sometimes"), ValueError),
        (lambda: Child("a", idle, shutdown=-1.0), ValueError),
        (lambda: Child("a", idle, shutdown=math.nan), ValueError),
        (lambda: Child("a", idle, drain=-1.0), ValueError),
        (lambda: Child("a", idle, start_timeout=-1.0), ValueError),
        (lambda: Child("a", idle, start_timeout=0.0), ValueError),
        (lambda: Child("a", idle, reset_after=-1.0), ValueError),
        (lambda: Child("a", idle, unpark_after=-1.0), ValueError),
        (lambda: Child("a", idle, max_failures=-1), ValueError),
        (lambda: Child("a", idle, on_give_up="cry"), ValueError),
        (lambda: Child("a", idle, ready="soon"), ValueError),
        (lambda: Child("a", idle, significant=True), ValueError),
        (lambda: Child("a", idle, significant=True, restart="permanent"), ValueError),
        (lambda: Child("a", 5), TypeError),  # type: ignore[arg-type]
        (lambda: Child("", idle), ValueError),
        (lambda: Child("a/b", idle), ValueError),
        (lambda: Child("..", idle), ValueError),
        (lambda: Child(5, idle), TypeError),  # type: ignore[arg-type]
        (lambda: Child("a", Actor()), TypeError),  # type: ignore[arg-type]
        (lambda: Supervisor("s", strategy="one_for_none"), ValueError),
        (lambda: Supervisor("s", intensity=-1), ValueError),
        (lambda: Supervisor("s", period=0.0), ValueError),
        (lambda: Supervisor("s", period=math.nan), ValueError),
        (lambda: Supervisor("s", auto_shutdown="some"), ValueError),
        (lambda: Supervisor("s", significant=True), ValueError),
        (lambda: Supervisor("s", [Child("a", idle, significant=True, restart="transient")]), ValueError),
        (lambda: Supervisor("s", [Supervisor("t", significant=True, restart="transient")]), ValueError),
        (lambda: Supervisor("s", [idle]), TypeError),  # type: ignore[list-item]
        (lambda: Supervisor("s", [Actor()]), TypeError),  # type: ignore[list-item]
        (Backoff.steps, ValueError),
        (lambda: Backoff.steps(1, -1), ValueError),
        (lambda: Backoff.exponential(1.0, jitter="some"), ValueError),
        (lambda: Backoff.exponential(-1.0), ValueError),
    ],
)
def test_c08_bad_spec_is_refused_when_it_is_made(make: Callable[[], object], error: type[Exception]) -> None:
    """Wrong use raises at construction, before anything starts."""
    with pytest.raises(error, match=r".+"):
        make()


@pytest.mark.parametrize("restart", ["transient", "temporary"])
@pytest.mark.parametrize("rule", ["any", "all"])
def test_c08_significant_child_needs_an_auto_shutdown(restart: Any, rule: Any) -> None:
    """A significant transient or temporary child is allowed under `any` and `all`."""
    child = Child("a", idle, significant=True, restart=restart)

    tree = Supervisor("s", [child], auto_shutdown=rule)

    assert tree.auto_shutdown == rule


async def test_c08_significant_is_refused_for_a_dynamic_child_too(probe: Probe) -> None:
    """`start_child` checks what the constructor checks."""
    spec = probe.child("a", significant=True, restart="transient")

    async with opened(Supervisor("bot")) as runtime:
        refusal = await attempt(lambda: runtime.start_child("/bot", spec))
        absent = state(runtime, "/bot/a")

    assert isinstance(refusal, ValueError)
    assert absent == "absent"
    assert probe.log == []
