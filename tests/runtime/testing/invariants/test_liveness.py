"""Rule 17: who is to run for ever runs again, and feeds have data again, within the bound after the last fault."""

from __future__ import annotations

import pytest

from duenna.testing.invariants import FreshFeeds, Liveness

from .support import Story


def running(**options: str) -> Story:
    story = Story().supervisor("/bot", "a").worker("/bot/a", **options)
    return story.start("/bot/a").add("runtime_started", "/")


def test_a_quick_restart_is_right() -> None:
    story = running().at(50.0).crash("/bot/a").at(149.0).start("/bot/a", incarnation=2).at(900.0).add("world_end")

    assert story.found(Liveness(100.0)) == []


def test_one_that_stays_down_is_found() -> None:
    assert running().at(50.0).crash("/bot/a").at(151.0).add("runtime_stopping", "/").found(Liveness(100.0)) == [
        (
            "liveness: 151.000 s, record 7, /bot/a: it is down since 50.000 s (record 6, 50.000 s), "
            "with no fault for 101.000 s: it should run again within 100.0 s"
        )
    ]


def test_one_that_comes_back_too_late_is_found() -> None:
    story = running().at(50.0).crash("/bot/a").at(200.0).start("/bot/a", incarnation=2)

    assert len(story.found(Liveness(100.0))) == 1


def test_an_outage_is_told_once() -> None:
    story = running().at(50.0).crash("/bot/a").at(200.0).fault().at(201.0).fault_over().at(900.0).fault(2)

    assert len(story.found(Liveness(100.0))) == 1


def test_a_silence_is_told_once() -> None:
    story = feed().at(200.0).fault().at(201.0).fault_over().at(900.0).fault(2)

    assert len(story.found(FreshFeeds(100.0))) == 1


def test_one_that_never_becomes_ready_is_found() -> None:
    story = running().at(50.0).crash("/bot/a").at(60.0).add("child_starting", "/bot/a", 2).at(151.0)

    assert len(story.add("runtime_stopping", "/").found(Liveness(100.0))) == 1


def test_the_end_of_the_trace_is_looked_at() -> None:
    assert running().at(50.0).crash("/bot/a").at(151.0).add("spec", "/x").found(Liveness(100.0)) == [
        (
            "liveness: 151.000 s, at the end, /bot/a: it is down since 50.000 s (record 6, 50.000 s), "
            "with no fault for 101.000 s: it should run again within 100.0 s"
        )
    ]


def test_the_time_of_a_fault_does_not_count() -> None:
    story = running().at(50.0).fault().crash("/bot/a").at(500.0).fault_over().at(599.0).start("/bot/a", incarnation=2)

    assert story.found(Liveness(100.0)) == []


def test_after_a_fault_it_counts() -> None:
    story = running().at(50.0).fault().crash("/bot/a").at(500.0).fault_over().at(601.0).fault(2)

    assert "with no fault for 101.000 s" in story.found(Liveness(100.0))[0]


def test_an_instant_fault_is_over_at_once() -> None:
    story = running().at(50.0).fault(duration=None, kind="half_open").crash("/bot/a").at(151.0)

    assert len(story.add("runtime_stopping", "/").found(Liveness(100.0))) == 1


def test_a_fault_to_the_end_is_never_over() -> None:
    story = running().at(50.0).fault(duration=None, kind="partition").crash("/bot/a").at(900.0)

    assert story.add("runtime_stopping", "/").found(Liveness(100.0)) == []


@pytest.mark.parametrize(("restart", "reason"), [("transient", "normal"), ("temporary", "OSError")])
def test_who_may_end_is_not_missed(restart: str, reason: str) -> None:
    story = running(restart=restart).crash("/bot/a", reason=reason).at(900.0).add("runtime_stopping", "/")

    assert story.found(Liveness(100.0)) == []


def test_a_transient_one_that_crashed_is_missed() -> None:
    story = running(restart="transient").crash("/bot/a").at(900.0).add("runtime_stopping", "/")

    assert len(story.found(Liveness(100.0))) == 1


def test_who_was_stopped_by_an_operator_is_not_missed() -> None:
    story = running().stop("/bot/a").add("child_stopped", "/bot/a").at(900.0).add("runtime_stopping", "/")

    assert story.found(Liveness(100.0)) == []


def test_who_was_stopped_and_is_started_has_the_bound_to_be_ready() -> None:
    story = running().stop("/bot/a").add("child_stopped", "/bot/a").at(900.0).add("child_starting", "/bot/a", 2)

    assert len(story.at(1001.0).add("runtime_stopping", "/").found(Liveness(100.0))) == 1


@pytest.mark.parametrize(("unpark_after", "until", "count"), [(300.0, 399.0, 0), (300.0, 401.0, 1), (None, 9e9, 0)])
def test_who_is_parked_is_missed_after_its_time(unpark_after: float | None, until: float, count: int) -> None:
    story = running().crash("/bot/a").add("child_parked", "/bot/a", unpark_after=unpark_after).at(until)

    assert len(story.add("runtime_stopping", "/").found(Liveness(100.0))) == count


def test_who_is_told_to_wait_is_missed_after_that() -> None:
    """Its own backoff is never longer than 60 s."""
    story = running().crash("/bot/a").retry("/bot/a", delay=600.0).at(699.0).fault().at(700.0).fault_over()

    assert story.found(Liveness(100.0)) == []
    assert len(running().crash("/bot/a").retry("/bot/a", delay=60.0).at(101.0).fault().found(Liveness(100.0))) == 1


def test_the_supervisor_is_to_blame_not_the_child() -> None:
    story = Story().supervisor("/bot", "s").supervisor("/bot/s", "a").worker("/bot/s/a")
    story.add("child_starting", "/bot/s", 1).start("/bot/s/a").add("child_started", "/bot/s", 1)
    story.at(1.0).stop("/bot/s/a").crash("/bot/s").at(500.0).add("child_starting", "/bot/s", 2)
    story.at(501.0).start("/bot/s/a", incarnation=2).add("child_started", "/bot/s", 2)

    assert [text.split()[5] for text in story.found(Liveness(100.0))] == ["/bot/s:"]


def feed() -> Story:
    return running().at(10.0).add("data", "/bot/a")


def test_a_feed_with_data_is_right() -> None:
    assert feed().at(110.0).add("data", "/bot/a").at(200.0).add("runtime_stopping", "/").found(FreshFeeds(100.0)) == []


def test_a_feed_that_fell_silent_is_found() -> None:
    assert feed().at(111.0).add("runtime_stopping", "/").found(FreshFeeds(100.0)) == [
        (
            "fresh_feeds: 111.000 s, record 7, /bot/a: it has no data since 10.000 s (record 6), with no fault for "
            "101.000 s: it should have data again within 100.0 s"
        )
    ]


def test_data_that_comes_too_late_is_found() -> None:
    assert len(feed().at(111.0).add("data", "/bot/a").found(FreshFeeds(100.0))) == 1


def test_a_feed_is_not_blamed_during_a_fault() -> None:
    assert feed().at(20.0).fault().at(900.0).fault_over().at(990.0).add("data", "/bot/a").found(FreshFeeds(100.0)) == []


@pytest.mark.parametrize("kind", ["child_stopped", "child_suspended", "child_removed"])
def test_a_feed_that_is_held_is_not_blamed(kind: str) -> None:
    assert feed().add(kind, "/bot/a").at(900.0).add("runtime_stopping", "/").found(FreshFeeds(100.0)) == []


def test_a_feed_that_is_served_again_has_the_bound_for_new_data() -> None:
    story = feed().add("child_suspended", "/bot/a").at(900.0).add("child_resumed", "/bot/a").at(1001.0)

    assert len(story.add("runtime_stopping", "/").found(FreshFeeds(100.0))) == 1


def test_a_feed_below_a_supervisor_that_is_stopped_is_not_blamed() -> None:
    story = Story().at(10.0).add("data", "/bot/s/a").add("child_stopped", "/bot/s").at(900.0)

    assert story.add("runtime_stopping", "/").found(FreshFeeds(100.0)) == []


def test_a_temporary_feed_may_end() -> None:
    story = running(restart="temporary").at(10.0).add("data", "/bot/a").crash("/bot/a").at(900.0)

    assert story.add("runtime_stopping", "/").found(FreshFeeds(100.0)) == []
