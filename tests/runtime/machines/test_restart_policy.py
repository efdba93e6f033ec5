"""What an error adds to the wait before a restart."""

from __future__ import annotations

import pytest

from duenna.machines.classification import Category, Severity, Verdict, origin_of
from duenna.machines.restart_policy import RATE_LIMIT_FLOOR, floor


def verdict(category: Category, *, transient: bool = True, retry_after: float | None = None) -> Verdict:
    return Verdict(category=category, severity=Severity.MEDIUM, transient=transient, retry_after=retry_after)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (verdict(Category.NETWORK), 0.0),
        (verdict(Category.NETWORK, retry_after=3.0), 3.0),
        (verdict(Category.RATE_LIMIT), RATE_LIMIT_FLOOR),
        (verdict(Category.RATE_LIMIT, retry_after=3.0), 3.0),
        (verdict(Category.RATE_LIMIT, retry_after=0.0), 0.0),
    ],
)
def test_far_end_says_how_long_it_is_left_alone(given: Verdict, seconds: float) -> None:
    """What it says counts, be it little; a rate limit that says nothing is given a moment."""
    assert floor(given) == seconds


@pytest.mark.parametrize(
    ("category", "transient", "needs"),
    [
        (Category.AUTH, False, True),
        (Category.AUTH, True, False),
        (Category.CONFIGURATION, False, True),
        (Category.CONFIGURATION, True, False),
        (Category.STRATEGY, False, False),
        (Category.DATABASE, False, False),
    ],
)
def test_only_keys_and_settings_need_a_hand(category: Category, transient: bool, needs: bool) -> None:
    """A clock that is off is of the same category as a wrong key, and passes."""
    assert verdict(category, transient=transient).needs_a_hand == needs


def test_severities_are_compared_by_rank() -> None:
    """The texts of severities sort otherwise."""
    assert sorted(Severity, key=lambda severity: severity.rank) == ["LOW", "MEDIUM", "HIGH", "CRITICAL"]


@pytest.mark.parametrize(
    ("kind", "origin"),
    [("api", "rest"), ("websocket", "ws_feed"), ("database", "database"), ("strategy", "strategy"), ("mine", "")],
)
def test_kind_of_actor_says_where_an_error_is_from(kind: str, origin: str) -> None:
    assert origin_of(kind) == origin
