"""The mirror: a snapshot, and what follows it, or the wish to begin again."""

from __future__ import annotations

from typing import Any

import pytest

from duenna_actors.top.mirror import Mirror, OutOfStepError


def snapshot(tick: int = 1) -> dict[str, Any]:
    header = {"id": tick, "now": 100.0, "at": 1_000.0, "overall": "healthy"}
    return {"header": header, "rows": [row("/bot"), row("/bot/a"), row("/bot/b")]}


def row(path: str, state: str = "running") -> dict[str, Any]:
    return {"path": path, "state": state}


def delta(base: int = 1, **changes: Any) -> dict[str, Any]:
    return {"base": base, "header": {"id": base + 1, "now": 101.0, "at": 1_001.0}, "rows": [], **changes}


def begun() -> Mirror:
    mirror = Mirror()
    mirror.take("snapshot", snapshot(), 5.0)
    return mirror


def test_a_delta_changes_what_it_names() -> None:
    mirror = begun()

    mirror.take("delta", delta(rows=[row("/bot/a", "backoff")]), 6.0)

    assert (mirror.rows["/bot/a"]["state"], mirror.rows["/bot/b"]["state"]) == ("backoff", "running")
    assert (mirror.header["id"], mirror.header["overall"], mirror.seen_at) == (2, "healthy", 6.0)


def test_an_order_moves_adds_and_removes() -> None:
    mirror = begun()

    mirror.take("delta", delta(rows=[row("/bot/c")], order=["/bot", "/bot/c", "/bot/a"]), 6.0)

    assert (mirror.order, "/bot/b" in mirror.rows) == (["/bot", "/bot/c", "/bot/a"], False)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("delta", delta(base=7)),
        ("delta", {"base": 1}),
        ("delta", delta(order=["/bot/unknown"])),
        ("delta", [1]),
        ("snapshot", {}),
        ("snapshot", None),
        ("events", 3),
    ],
)
def test_what_does_not_follow_or_makes_no_sense_changes_nothing(kind: str, data: Any) -> None:
    mirror = begun()

    with pytest.raises(OutOfStepError):
        mirror.take(kind, data, 6.0)

    assert (mirror.header["id"], mirror.order, mirror.seen_at) == (1, ["/bot", "/bot/a", "/bot/b"], 5.0)


def test_a_delta_before_a_snapshot_is_out_of_step() -> None:
    with pytest.raises(OutOfStepError):
        Mirror().take("delta", delta(), 1.0)


def test_events_are_kept_up_to_a_bound_and_losses_counted() -> None:
    mirror = begun()

    mirror.take("events", [{"id": number} for number in range(1_200)], 6.0)
    mirror.take("dropped", {"events": 7, "frames": 1}, 6.0)
    mirror.take("of a newer bot", {}, 6.0)

    assert (len(mirror.events), mirror.events[-1], mirror.missed) == (1_000, {"id": 1_199}, 7)


def test_the_bots_time_goes_on_between_two_frames() -> None:
    mirror = begun()

    assert (mirror.now(7.5), mirror.age(7.5), mirror.wall(90.0)) == (102.5, 2.5, 990.0)
