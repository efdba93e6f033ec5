"""Rules 20 and 26: errors go their whole way once, recoveries and alerts come in pairs, and a hand is waited for."""

from __future__ import annotations

from typing import Any, Self

import attrs

from duenna.testing.invariants import AlertPairs, ByHand, ErrorsOnce, RecoveriesTold

from .support import Story

END: dict[str, Any] = {"lines": 0, "waiting": 0, "lost": 0}
CLASSIFIER = "/system/classifier"


@attrs.define
class Tale(Story):
    """A story of errors."""

    def begin(self, *, has_records: bool = True, cooldown: float | None = 300.0, group_wait: float = 10.0) -> Self:
        return self.add("errors_begin", has_records=has_records, cooldown=cooldown, group_wait=group_wait)

    def sent(self, number: int = 1, source: str = "crash", repeats: int | None = None, *, hand: bool = False) -> Self:
        fields: dict[str, Any] = {"number": number, "source": source, "repeats": repeats, "needs_a_hand": hand}
        return self.add("error_sent", "/bot/a", 1, **fields)

    def counted(self, number: int, total: int, repeated: int = 0) -> Self:
        return self.add("error_counted", "/bot/a", number=number, total=total, repeated=repeated)

    def judged(self, number: int = 1) -> Self:
        return self.add("error_classified", "/bot/a", report={"id": number})

    def error(self, number: int = 1, total: int = 1) -> Self:
        """Tell the whole way of an error that was reported."""
        self.sent(number, "report").counted(number, total).add("error_logged", "/bot/a", number=number)
        return self.judged(number)

    def end(self, total: int = 0, lines: int | None = None, steps: int = 0, **categories: int) -> Self:
        errors = END | {"lines": total if lines is None else lines}
        known = categories or ({"DATA": total} if total else {})
        return self.add("errors_end", total=total, categories=known, errors=errors, recovery=END | {"lines": steps})

    def line(self, status: str, attempt: int = 1, action: str = "restart") -> Self:
        return self.add("recovery_logged", "/bot/a", action=action, status=status, attempt=attempt)

    def told(self, status: str, attempt: int = 1, attempts: int = 3, action: str = "restart") -> Self:
        fields: dict[str, Any] = {"action": action, "status": status, "attempt": attempt, "attempts": attempts}
        return self.add("recovery_attempted", "/bot/a", **fields)

    def step(self, status: str, attempt: int = 1, attempts: int = 3, action: str = "restart") -> Self:
        return self.line(status, attempt, action).told(status, attempt, attempts, action)

    def raised(self, id_: str = "x-1", kind: str = "k", target: str = "t") -> Self:
        return self.add("alert_raised", "/bot/a", kind=kind, target=target, id=id_)

    def over(self, id_: str = "x-1", kind: str = "k", target: str = "t", duration: float = 1e9) -> Self:
        return self.add("alert_resolved", "/bot/a", kind=kind, target=target, id=id_, duration=duration)


def short(found: list[str]) -> list[str]:
    """Leave out which rule, when, and where."""
    return [one.split(": ", 2)[2] for one in found]


# -- errors_once -------------------------------------------------------------------


def once(tale: Story) -> list[str]:
    return short(tale.found(ErrorsOnce()))


def test_the_way_of_an_error_is_right() -> None:
    tale = Tale().begin().sent().crash("/bot/a").counted(1, 1).add("error_logged", "/bot/a", number=1).judged()
    tale.sent(2, "report", repeats=1).counted(2, 1, 1).judged(2)
    tale.sent(3, "report").counted(3, 2, 1).add("error_logged", "/bot/a", number=3).judged(3).end(2)

    assert once(tale) == []


def test_nothing_is_asked_of_a_trace_that_does_not_tell_of_errors() -> None:
    assert once(Tale().crash("/bot/a").judged(7)) == []


def test_a_crash_without_a_report_is_found() -> None:
    assert once(Tale().begin().crash("/bot/a")) == ["it ended with OSError: gone, and nobody has reported it"]


def test_one_that_is_stopped_or_ends_in_order_needs_none() -> None:
    assert once(Tale().begin().stop("/bot/a").crash("/bot/b", reason="normal").end()) == []


def test_a_report_of_no_crash_is_found() -> None:
    tale = Tale().begin().sent().counted(1, 1).add("error_logged", "/bot/a", number=1).judged().end(1)

    assert once(tale) == ["a crash was reported (record 2, 0.000 s), and it has not ended"]


def test_a_report_of_an_orderly_end_is_found() -> None:
    tale = Tale().begin(has_records=False).sent().crash("/bot/a", reason="normal").counted(1, 1).judged()

    assert once(tale) == ["a crash was reported (record 2, 0.000 s), and it ended in order"]


def test_two_reports_of_a_crash_are_found() -> None:
    tale = Tale().begin(has_records=False).sent(1).sent(2, repeats=1).crash("/bot/a")
    tale.counted(1, 1).judged(1).counted(2, 1, 1).judged(2)

    assert once(tale) == ["the crash of incarnation 1 is reported again (record 2, 0.000 s)"]


def test_a_number_that_is_given_twice_is_found() -> None:
    tale = Tale().begin().error(1).error(1, 2).end(2)

    assert once(tale) == ["report 1 comes after report 1: one number for two reports"]


def test_a_report_that_is_lost_is_found() -> None:
    tale = Tale().begin().sent(1, "report").sent(2, "report").end()

    assert once(tale) == ["2 reports got lost, and 0 are excused; the first was never judged (record 2, 0.000 s)"]


def test_what_is_known_to_be_lost_is_excused() -> None:
    tale = Tale().begin()
    for number in range(1, 5):
        tale.sent(number, "report")
    tale.add("message_dropped", CLASSIFIER, message_type="ErrorReport", policy="drop_oldest", count=1)
    tale.add("dead_letter", CLASSIFIER, message_type="ErrorReport", why="it has ended", count=2)
    tale.add("error_sent", CLASSIFIER, 1, number=5, source="crash", repeats=None).crash(CLASSIFIER)
    tale.counted(5, 1).add("error_logged", CLASSIFIER, number=5).judged(5).end(1)

    assert once(tale) == []


def test_what_others_lost_excuses_nothing() -> None:
    tale = Tale().begin().sent(1, "report")
    tale.add("dead_letter", "/bot/a", message_type="ErrorReport", why="x", count=2)
    tale.add("dead_letter", CLASSIFIER, message_type="str", why="x", count=2).end()

    assert len(once(tale)) == 1


def test_a_verdict_on_nothing_and_a_second_one_are_found() -> None:
    tale = Tale().begin(has_records=False).judged(4).sent(5, "report").judged(5).judged(5).counted(5, 1).end(1, 0)

    assert once(tale) == [
        "report 4 is judged, and was never sent, or is done with",
        "report 5 is judged a second time (record 3, 0.000 s)",
    ]


def test_an_error_that_counts_for_two_is_found() -> None:
    tale = Tale().begin().error(1, 2).error(2, 3).end(3, lines=2)

    assert once(tale) == ["2 errors and 0 repetitions are counted, there were 1 and 0"]


def test_a_repetition_that_counts_is_found() -> None:
    tale = Tale().begin().error().sent(2, "report", repeats=1).counted(2, 2).judged(2).end(2, lines=1)

    assert once(tale) == ["2 errors and 0 repetitions are counted, there were 1 and 1"]


def test_a_count_of_nothing_and_a_second_one_are_found() -> None:
    tale = Tale().begin(has_records=False).counted(1, 1).sent(2, "report").counted(2, 2).counted(2, 3).judged(2)

    assert once(tale.end(3, 0)) == [
        "report 1 is counted, and was never sent, or is counted already",
        "report 2 is counted, and was never sent, or is counted already",
    ]


def test_counts_may_begin_anew() -> None:
    assert once(Tale().begin().error().add("errors_cleared").error(2, 1).end(1, lines=2)) == []


def test_an_error_without_a_line_is_found() -> None:
    tale = Tale().begin().sent(1, "report").counted(1, 1).judged().end(1, lines=0)

    assert once(tale) == ["report 1 has no line in the error log (record 2, 0.000 s)"]


def test_lines_of_nothing_of_repetitions_and_twice_are_found() -> None:
    tale = Tale().begin().add("error_logged", "/bot/a", number=3).sent(4, "report", repeats=3)
    tale.add("error_logged", "/bot/a", number=4).add("error_logged", "/bot/a", number=4)
    tale.counted(4, 0, 1).judged(4).end(0, lines=3)

    assert once(tale) == [
        "report 3 gets a line, and was never sent, or has one",
        "report 4 repeats report 3 and gets a line",
        "report 4 gets a line, and was never sent, or has one",
    ]


def test_lines_that_wait_or_are_lost_are_accounted_for() -> None:
    tale = Tale().begin().error(1, 1).error(2, 2).error(3, 3)
    tale.add("errors_end", total=3, categories={"DATA": 3}, errors={"lines": 1, "waiting": 1, "lost": 1})

    assert once(tale) == []


def test_numbers_that_do_not_add_up_in_the_end_are_found() -> None:
    assert once(Tale().begin().error().end(1, lines=0, DATA=2)) == [
        "1 errors were counted, the tracker has 1, its categories 2",
        "1 errors were to be written, the error log has {'lines': 0, 'waiting': 0, 'lost': 0}",
    ]


def test_the_next_runtime_begins_anew() -> None:
    assert once(Tale().begin().error().end(1).begin().error().end(1)) == []


# -- recoveries_told ---------------------------------------------------------------


def recoveries(tale: Story) -> list[str]:
    return short(tale.found(RecoveriesTold()))


def test_a_recovery_that_is_told_in_order_is_right() -> None:
    tale = Tale().begin().step("started").step("failed").step("started", 2).step("success", 2).end(steps=4)

    assert recoveries(tale) == []


def test_without_a_recovery_log_no_line_is_missed() -> None:
    assert recoveries(Tale().begin(has_records=False).told("started").told("success")) == []


def test_an_event_without_a_line_is_found() -> None:
    assert recoveries(Tale().begin().told("started")) == [
        "/bot/a: restart started, attempt 1 is told, and has no line in the recovery log: there is none"
    ]


def test_an_event_with_another_line_is_found() -> None:
    assert recoveries(Tale().begin().line("failed").told("started")) == [
        (
            "/bot/a: restart started, attempt 1 is told, and has no line in the recovery log: "
            "the line is /bot/a: restart failed, attempt 1 (record 2, 0.000 s)"
        )
    ]


def test_a_line_without_an_event_is_found() -> None:
    tale = Tale().begin().line("started").step("started").line("success").end(steps=3)

    assert recoveries(tale) == [
        "/bot/a: restart started, attempt 1 has a line (record 2, 0.000 s), and no event",
        "/bot/a: restart success, attempt 1 has a line (record 5, 0.000 s), and no event",
    ]


def test_lines_that_never_reached_the_disk_are_found() -> None:
    assert recoveries(Tale().begin().step("started").end(steps=0)) == [
        "1 steps were to be written, the recovery log has {'lines': 0, 'waiting': 0, 'lost': 0}"
    ]


def test_an_end_without_a_beginning_is_found() -> None:
    tale = Tale().begin().step("started").step("success").step("failed")

    assert recoveries(tale) == ["restart ends in failed, and had not begun"]


def test_an_action_of_ones_own_may_end_before_it_said_that_it_began() -> None:
    assert recoveries(Tale().begin().step("failed", action="page_somebody")) == []


def test_an_attempt_too_many_is_found() -> None:
    assert recoveries(Tale().begin().step("started", 4, 3)) == ["restart is at attempt 4, and may make 3"]
    assert recoveries(Tale().begin().step("started", 4, 0)) == []


def test_a_park_that_nobody_tells_is_found() -> None:
    tale = Tale().begin().add("child_parked", "/bot/a").at(1.0).end()

    assert recoveries(tale) == ["it was parked (record 2, 0.000 s), and nobody said that its recovery gave up"]
    assert len(recoveries(Tale().begin().add("child_parked", "/bot/a"))) == 1


def test_a_park_that_is_told_is_right() -> None:
    assert recoveries(Tale().begin().add("child_parked", "/bot/a").step("gave_up", 3).at(9.0).end(steps=1)) == []


def test_who_tells_may_be_down() -> None:
    for excuse in (
        Tale().begin().crash(CLASSIFIER),
        Tale().begin().crash("/system/recovery"),
        Tale().begin().add("message_dropped", CLASSIFIER),
        Tale().begin().add("events_lost", "/"),
        Tale().begin().add("runtime_stopping", "/"),
    ):
        assert recoveries(excuse.add("child_parked", "/bot/a").step("success").at(9.0).end(steps=1)) == []
    other = Tale().begin().crash("/bot/b").add("message_dropped", "/bot/b").add("child_parked", "/bot/a").at(1.0)
    assert len(recoveries(other.end())) == 1


def test_the_runtimes_own_are_not_recovered() -> None:
    assert recoveries(Tale().begin().add("child_parked", "/system/records").at(9.0).end()) == []


# -- alert_pairs -------------------------------------------------------------------


def pairs(tale: Story, bound: float = 60.0, cooldown: float | None = None) -> list[str]:
    return short(tale.found(AlertPairs(bound, cooldown)))


def test_alerts_that_come_in_pairs_are_right() -> None:
    tale = Tale().begin().at(10.0).raised().at(50.0).over(duration=50.0).at(300.0).raised("x-2")

    assert pairs(tale.raised("y-3", target="other").at(400.0).over("x-2")) == []


def test_an_alert_within_the_cooldown_is_found() -> None:
    tale = Tale().begin().raised().over().at(289.0).raised("x-2")

    assert pairs(tale) == [
        "alert k of t: it is raised 289.000 s after the one before (record 2, 0.000 s), within its cooldown of 300.0 s"
    ]


def test_the_cooldown_may_be_said() -> None:
    tale = Tale().begin().raised().over().at(100.0).raised("x-2")

    assert pairs(tale, cooldown=110.0) == []
    assert len(pairs(tale, cooldown=111.0)) == 1


def test_the_shorter_of_two_cooldowns_counts_between_them() -> None:
    tale = Tale().begin().raised().over().add("alert_settings", cooldown=60.0, group_wait=5.0)
    tale.at(55.0).raised("x-2").over("x-2").add("alert_settings", cooldown=600.0, group_wait=5.0)
    tale.at(110.0).raised("x-3").over("x-3").at(700.0).raised("x-4")

    assert short(tale.found(AlertPairs(60.0))) == [
        (
            "alert k of t: it is raised 590.000 s after the one before (record 8, 110.000 s), "
            "within its cooldown of 600.0 s"
        )
    ]


def test_an_alert_that_is_raised_twice_is_found() -> None:
    assert pairs(Tale().begin().raised().at(900.0).raised("x-2")) == [
        "alert k of t: it is raised, and is open (record 2, 0.000 s)"
    ]


def test_an_end_without_a_beginning_and_a_second_end_are_found() -> None:
    text = "alert k of t: it is resolved, and was not raised, or is resolved already"

    assert pairs(Tale().begin().over()) == [text]
    assert pairs(Tale().begin().raised().over().over()) == [text]


def test_the_end_of_another_is_found() -> None:
    assert pairs(Tale().begin().raised().over("x-2")) == [
        "alert k of t: x-2 is resolved, and x-1 is open (record 2, 0.000 s)"
    ]


def test_a_duration_that_is_too_short_is_found() -> None:
    assert pairs(Tale().begin().raised().at(50.0).over(duration=49.0)) == [
        "alert k of t: it lasted longer than 49.0 s (record 2, 0.000 s)"
    ]


def test_an_alert_that_outlives_its_reason_is_found() -> None:
    parked = Tale().begin().add("child_parked", "/bot/a").raised(kind="child_parked", target="/bot/a")
    parked.at(10.0).add("child_started", "/bot/a", 2).at(80.0).add("unknown")

    assert pairs(parked) == [
        "alert child_parked of /bot/a is not resolved, and what it is about was over at 10.000 s (record 3, 0.000 s)"
    ]


def breaker(state: str, tale: Tale) -> Tale:
    return tale.add("breaker_changed", "/bot/a", guard="g", state=state)


def test_an_open_breaker_keeps_its_alert() -> None:
    tale = breaker("open", Tale().begin()).raised(kind="breaker_open", target="g")

    assert pairs(breaker("half_open", tale).at(1e4).add("unknown")) == []
    assert len(pairs(breaker("closed", tale).at(2e4).add("unknown"))) == 1
    assert pairs(breaker("open", tale).at(3e4).add("unknown")) == []


def test_what_was_over_before_it_was_told_must_end_too() -> None:
    tale = Tale().begin().add("child_parked", "/bot/a").add("child_removed", "/bot/a").at(10.0)
    tale.raised(kind="child_parked", target="/bot/a").at(100.0)

    assert len(pairs(tale.add("unknown"))) == 1
    assert pairs(tale.over(kind="child_parked", target="/bot/a").at(200.0).add("unknown")) == []


def test_the_stop_ends_all_questions() -> None:
    tale = Tale().begin().raised(kind="child_parked", target="/bot/a").at(5.0).add("runtime_stopping", "/")

    assert pairs(tale.at(1e4).add("unknown")) == []


def test_an_alerter_that_crashed_begins_anew() -> None:
    tale = Tale().begin().raised().crash("/system/alerts/alerter").raised("x-1").over()

    assert pairs(tale) == []


# -- by_hand -----------------------------------------------------------------------


def by_hand(tale: Story) -> list[str]:
    return short(tale.found(ByHand()))


def parked(unpark_after: float | None = None) -> Tale:
    tale = Tale().bot("a").start("/bot", "/bot/a").sent(hand=True).crash("/bot/a")
    return tale.add("child_parked", "/bot/a", failures=1, reason="x", unpark_after=unpark_after)


def test_a_restart_after_an_error_that_needs_a_hand_is_found() -> None:
    tale = Tale().bot("a").start("/bot", "/bot/a").sent(hand=True).crash("/bot/a").retry("/bot/a")

    assert by_hand(tale) == ["it will be started again, and its error (record 7, 0.000 s) needs a hand"]


def test_other_errors_may_be_tried_again() -> None:
    tale = Tale().bot("a").start("/bot", "/bot/a").sent(hand=True).sent(2).crash("/bot/a").retry("/bot/a")

    assert by_hand(tale.start("/bot/a", incarnation=2)) == []


def test_what_was_only_reported_parks_nobody() -> None:
    assert by_hand(Tale().bot("a").start("/bot", "/bot/a").sent(1, "report", hand=True).retry("/bot/a")) == []


def test_a_park_that_ends_by_itself_is_found() -> None:
    assert by_hand(parked(60.0)) == ["it is parked for 60.0 s alone, and its error (record 7, 0.000 s) needs a hand"]


def test_a_start_without_a_hand_is_found() -> None:
    assert by_hand(parked().at(9.0).start("/bot/a", incarnation=2)) == [
        "it is started, and nobody has done it by hand since it was parked (record 9, 0.000 s)"
    ]


def test_a_hand_or_its_supervisor_may_start_it() -> None:
    assert by_hand(parked().add("command", "/bot/a", verb="restart_child").start("/bot/a", incarnation=2)) == []
    assert by_hand(parked().crash("/bot").start("/bot", "/bot/a", incarnation=2)) == []


def test_another_of_its_name_is_another() -> None:
    assert by_hand(parked().add("child_removed", "/bot/a").worker("/bot/a").start("/bot/a")) == []
