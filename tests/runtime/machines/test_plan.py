"""Who is stopped and started together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.plan import Strategy, first_affected


@pytest.mark.parametrize(
    ("strategy", "trigger", "first"),
    [
        (Strategy.ONE_FOR_ALL, 0, 0),
        (Strategy.ONE_FOR_ALL, 3, 0),
        (Strategy.REST_FOR_ONE, 0, 0),
        (Strategy.REST_FOR_ONE, 3, 3),
    ],
)
def test_where_the_group_of_a_child_begins(strategy: Strategy, trigger: int, first: int) -> None:
    """C21, C22. All of them, or the child and those after it."""
    assert first_affected(strategy, trigger) == first


@given(st.sampled_from([Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE]), st.integers(0, 100), st.integers(0, 100))
def test_of_two_groups_one_covers_the_other(strategy: Strategy, one: int, other: int) -> None:
    """Groups are suffixes of the start order that hold their trigger, so a new sweep may take an old one's place."""
    begin, begin_other = first_affected(strategy, one), first_affected(strategy, other)

    assert begin <= one
    assert min(begin, begin_other) == first_affected(strategy, min(one, other))
