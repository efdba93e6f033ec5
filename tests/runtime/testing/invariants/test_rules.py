"""All rules together."""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path
from typing import Any

import attrs
import pytest

from duenna.testing.invariants import BOUND, Checker, check, standard
from duenna.testing.trace import Record

from .support import Story

PAGE = Path(__file__).parents[4] / "docs" / "invariants.md"
ROW = re.compile(r"^\| \d+ \| `(\w+)` \|", re.MULTILINE)


def names(checkers: tuple[Checker, ...]) -> list[str]:
    return [checker.name for checker in checkers]


def test_every_rule_has_a_name_of_its_own() -> None:
    assert len(set(names(standard()))) == len(standard())


def test_the_page_lists_every_rule() -> None:
    assert sorted(ROW.findall(PAGE.read_text())) == sorted(names(standard()))


def test_the_rules_are_fresh_each_time() -> None:
    assert all(one is not other for one, other in zip(standard(), standard(), strict=True))


def test_actors_may_crash_on_purpose() -> None:
    assert set(names(standard())) - set(names(standard(explained=False))) == {"explained"}


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan")])
def test_the_bound_is_checked(bad: float) -> None:
    with pytest.raises(ValueError, match=r"^standard: bound must be "):
        standard(bound=bad)
    with pytest.raises(ValueError, match=r"^standard: max_age must be "):
        standard(max_age=bad)


def test_a_feed_may_be_silent_for_the_bound_unless_something_else_is_said() -> None:
    story = Story().add("connection_changed", "/bot/f", state="operational").add("data", "/bot/f").at(BOUND)
    story.add("data", "/bot/f")

    assert story.found(*standard()) == []
    assert len(story.found(*standard(max_age=BOUND / 2))) == 1


def test_every_rule_bears_a_trace_of_strangers() -> None:
    """A trace that begins in the middle, without specs, with records that lack their fields."""
    kinds = sorted({kind for checker in standard() for kind in checker.kinds} | {"unknown"})
    records = [Record(float(seq), seq, kind, "/bot/a/b") for seq, kind in enumerate(kinds, 1)]

    assert list(check(records, standard())) is not None


def weight(thing: Any) -> int:
    """Count what *thing*, a checker, keeps, with all that is in it."""
    if attrs.has(type(thing)):
        return sum(weight(getattr(thing, field.name)) for field in attrs.fields(type(thing)))
    if isinstance(thing, dict):
        return len(thing) + sum(weight(one) for one in thing.values())
    return len(thing) if isinstance(thing, list | deque) else 0


def churn(story: Story, number: int) -> None:
    """Tell the whole life of a temporary child, with everything that a checker could keep of it."""
    path, watch = f"/bot/t{number}", {"number": number, "target": f"/bot/t{number}", "target_incarnation": 1}
    story.at(story.t + 0.5).add("command", path, verb="start_child").worker(path, restart="temporary").start(path)
    story.add("watch", "/bot/w", 1, **watch).add("child_suspended", path).add("child_resumed", path)
    story.letter("sent", 1, path, length=1).letter("received", 1, path).letter("handled", 1, path, outcome="stashed")
    story.letter("redelivered", 1, path).add("timer", path, 1, to=path).add("data", path)
    story.add("connection_changed", path, state="operational").crash(path, reason="normal")
    story.add("down", "/bot/w", 1, **watch).add("down_received", "/bot/w", 1, **watch)
    story.letter("dead_letter", 1, path).add("child_removed", path)
    story.guarded("call_begun", number).tries(number).moves("closed", "open", "failures", open_for=5.0)
    story.moves("open", "half_open", "waited").guarded("attempt_begun", number, 2)
    story.plans(number, budget={"name": "g", "ratio": 0.1, "cap": 10.0, "free": 1})
    story.guarded("hedge_planned", number, 1).guarded("attempt_refused", number, 2).guarded("call_ended", number)
    story.crash("/bot/w", number).retry("/bot/w", failures=1).start("/bot/w", incarnation=number + 1)


def test_nothing_is_kept_of_what_is_gone() -> None:
    weights: list[list[int]] = []
    for lives in (200, 400):
        story = Story().bot("w", "z").start("/bot/w", "/bot/z")
        for number in range(1, lives + 1):
            churn(story, number)
        checkers = standard()
        for record in story.records:
            for checker in checkers:
                if not checker.kinds or record.kind in checker.kinds:
                    list(checker.apply(record))
        weights.append([weight(checker) for checker in checkers])

    assert all(late <= early + 70 for early, late in zip(*weights, strict=True))  # a heap may hold some that are gone


def test_violations_come_in_the_order_of_the_records() -> None:
    story = Story().crash("/bot/a").at(5.0).add("error_reported", "/bot/a", error="x").at(1.0).crash("/bot/b")

    found = list(check(story.records, standard()))

    assert [one.seq for one in found] == sorted(one.seq for one in found)
    assert len({one.checker for one in found}) > 1
