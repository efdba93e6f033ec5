"""The health of services and of the whole, from what is known of each."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines import health
from duenna.machines.breaker import BreakerState
from duenna.machines.health import (
    Announced,
    Change,
    ChildFacts,
    LinkFacts,
    Overall,
    Service,
    ServiceStatus,
    Tally,
)
from duenna.machines.lifecycle import ChildState
from duenna.machines.link import UP, ConnectionState

PATH = "/bot/kraken"
C = ChildState
L = ConnectionState
UP_, SLOW, DOWN = ServiceStatus.OPERATIONAL, ServiceStatus.DEGRADED, ServiceStatus.UNAVAILABLE


def judged(state: ChildState, link: LinkFacts | None = None, **facts: object) -> Service:
    service = health.child(ChildFacts(path=PATH, state=state, link=link, **facts))  # type: ignore[arg-type]
    assert service is not None
    assert service.name == PATH
    return service


# -- children --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "facts", "status", "why"),
    [
        (C.RUNNING, {}, UP_, ""),
        (C.RUNNING, {"error": "it was long ago"}, UP_, ""),
        (C.RUNNING, {"is_suspended": True}, DOWN, "is suspended by hand"),
        (C.PENDING, {}, SLOW, "is pending"),
        (C.STARTING, {}, SLOW, "is starting"),
        (C.STOPPING, {}, SLOW, "is stopping"),
        (C.STOPPED, {"error": "refused"}, DOWN, "was stopped by hand"),
        (C.BACKOFF, {"error": "refused"}, DOWN, "is in backoff: refused"),
        (
            C.BACKOFF,
            {"error": "refused", "failures": 1, "max_failures": 3},
            DOWN,
            "is in backoff: refused; 2 of 3 attempts left",
        ),
        (C.BACKOFF, {"failures": 4, "max_failures": 3}, DOWN, "is in backoff; 0 of 3 attempts left"),
        (C.FAILED, {"error": "refused"}, DOWN, "is parked, manual intervention required: refused"),
        (C.FAILED, {"is_suspended": True}, DOWN, "is parked, manual intervention required"),
        (C.PENDING, {"above": C.BACKOFF}, DOWN, "is down with its supervisor, which is in backoff"),
        (C.STOPPED, {"above": C.FAILED}, DOWN, "was stopped by hand"),
        (C.PENDING, {"above": C.FAILED}, DOWN, "is down with its supervisor, which is parked"),
        (C.PENDING, {"above": C.STOPPED}, DOWN, "was stopped by hand"),
    ],
)
def test_a_child_without_a_link(state: ChildState, facts: dict[str, object], status: ServiceStatus, why: str) -> None:
    service = judged(state, None, **facts)

    assert (service.status, service.why, service.is_connection) == (status, why, False)


@pytest.mark.parametrize("state", [C.FINISHED, C.REMOVED])
def test_what_has_done_its_work_is_no_service(state: ChildState) -> None:
    assert health.child(ChildFacts(path=PATH, state=state)) is None


@pytest.mark.parametrize(
    ("link", "status", "why"),
    [
        (LinkFacts(state=L.OPERATIONAL), UP_, ""),
        (LinkFacts(state=L.DEGRADED, why="check passed after 6.0 s"), SLOW, "is degraded: check passed after 6.0 s"),
        (LinkFacts(state=L.CONNECTING), SLOW, "is connecting"),
        (LinkFacts(state=L.CONNECTING, is_new=False), DOWN, "was lost, and is connecting again"),
        (
            LinkFacts(state=L.CONNECTING, is_new=False, why="reset"),
            DOWN,
            "was lost, and is connecting again: reset",
        ),
        (LinkFacts(state=L.CLOSED), SLOW, "is closed"),
        (
            LinkFacts(state=L.RECOVERING, why="11 checks", attempt=1, attempts=3, lasted=299.9),
            DOWN,
            "is recovering (restart 1 of 3): 11 checks",
        ),
        (
            LinkFacts(state=L.RECOVERING, why="11 checks", attempt=1, attempts=3, lasted=300.0),
            DOWN,
            "has been recovering for 300 s (restart 1 of 3): 11 checks",
        ),
        (
            LinkFacts(state=L.COOLDOWN, why="dead", attempt=1, attempts=3),
            DOWN,
            "is in cooldown: dead; 2 of 3 attempts left",
        ),
        (LinkFacts(state=L.COOLDOWN, why="dead"), DOWN, "is in cooldown: dead"),
        (LinkFacts(state=L.FAILED, why="dead"), DOWN, "has failed, manual intervention required: dead"),
    ],
)
def test_a_connection_that_runs(link: LinkFacts, status: ServiceStatus, why: str) -> None:
    service = judged(C.RUNNING, link)

    assert (service.status, service.why, service.is_connection) == (status, why, True)


def test_a_connection_that_waits_for_its_restart_is_in_cooldown() -> None:
    link = LinkFacts(state=L.COOLDOWN, why="refused")

    service = judged(C.BACKOFF, link, error="connection refused", failures=1, max_failures=3)

    assert service.why == "is in cooldown: connection refused; 2 of 3 attempts left"


@pytest.mark.parametrize(
    ("service", "flags"),
    [
        (judged(C.FAILED), (True, True, False)),
        (judged(C.RUNNING, LinkFacts(state=L.FAILED)), (True, True, False)),
        (judged(C.STOPPED), (True, False, True)),
        (judged(C.RUNNING, is_suspended=True), (True, False, True)),
        (judged(C.STARTING), (False, False, False)),
        (judged(C.RUNNING, LinkFacts(state=L.CONNECTING)), (False, False, False)),
        (judged(C.RUNNING, LinkFacts(state=L.CONNECTING, is_new=False)), (True, False, False)),
        (judged(C.BACKOFF), (True, False, False)),
    ],
)
def test_what_is_settled_needs_a_hand_and_is_by_hand(service: Service, flags: tuple[bool, bool, bool]) -> None:
    assert (service.is_settled, service.needs_a_hand, service.is_by_hand) == flags


@given(
    st.builds(
        ChildFacts,
        path=st.just(PATH),
        state=st.sampled_from(ChildState),
        is_suspended=st.booleans(),
        above=st.sampled_from([None, C.BACKOFF, C.FAILED, C.STOPPED]),
        error=st.sampled_from(["", "refused"]),
        failures=st.integers(0, 9),
        max_failures=st.none() | st.integers(0, 5),
        link=st.none()
        | st.builds(LinkFacts, state=st.sampled_from(L), is_new=st.booleans(), attempt=st.integers(0, 5)),
    )
)
def test_only_what_works_is_without_a_sentence(facts: ChildFacts) -> None:
    """Operational is a running actor whose link, if it has one, is up; everything else says why it is not."""
    service = health.child(facts)
    if service is None:
        assert facts.state in {C.FINISHED, C.REMOVED}
        return
    works = facts.state is C.RUNNING and not facts.is_suspended and facts.above is None
    works = works and (facts.link is None or facts.link.state is L.OPERATIONAL)
    assert (service.status is UP_) is works
    assert bool(service.why) is not works
    assert service.is_connection is (facts.link is not None)
    assert not (service.needs_a_hand and service.is_by_hand)
    if facts.link is not None and service.status is not DOWN and service.is_settled:
        assert facts.link.state in UP


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (C.FAILED, "is parked with all below it, manual intervention required: gave up"),
        (C.BACKOFF, "gave up and is in backoff: gave up"),
        (C.RUNNING, None),
        (C.STOPPED, None),
    ],
)
def test_a_supervisor_is_a_service_only_while_it_is_down(state: ChildState, why: str | None) -> None:
    service = health.supervisor("/bot/feeds", state, "gave up")

    assert (None if service is None else service.why) == why
    assert service is None or service.needs_a_hand is (state is C.FAILED)


@pytest.mark.parametrize(
    ("state", "guard_health", "status", "why"),
    [
        (BreakerState.CLOSED, "ok", UP_, ""),
        (BreakerState.DISABLED, "ok", UP_, ""),
        (BreakerState.CLOSED, "degraded", SLOW, "is answered for by fallbacks: HTTP 503"),
        (BreakerState.CLOSED, "unavailable", DOWN, "is unavailable, and so are its fallbacks: HTTP 503"),
        (BreakerState.HALF_OPEN, "degraded", SLOW, "has a half-open breaker, which lets only probes through: HTTP 503"),
        (BreakerState.OPEN, "degraded", DOWN, "has an open breaker: HTTP 503"),
        (BreakerState.FORCED_OPEN, "ok", DOWN, "has a breaker that was opened by hand"),
    ],
)
def test_a_guard(state: BreakerState, guard_health: str, status: ServiceStatus, why: str) -> None:
    service = health.guard("orders", state, guard_health, "HTTP 503")

    assert (service.name, service.status, service.why) == ("orders", status, why)
    assert service.is_by_hand is (state is BreakerState.FORCED_OPEN)


def test_sentences_do_without_an_error() -> None:
    assert health.guard("orders", BreakerState.OPEN, "ok").why == "has an open breaker"
    assert judged(C.BACKOFF).why == "is in backoff"


# -- the whole -------------------------------------------------------------------------

FINE = Service("/bot/a")
LINK = Service("/bot/link", is_connection=True)
LOST = Service("/bot/lost", DOWN, "is in cooldown", is_connection=True)
SLOW_LINK = Service("/bot/slow", SLOW, "is degraded", is_connection=True)
SUSPENDED = Service("/bot/held", DOWN, "is suspended by hand", is_connection=True, is_by_hand=True)
PARKED = Service("/bot/parked", DOWN, "is parked", needs_a_hand=True)
WAITING = Service("/bot/waiting", DOWN, "is in backoff")


@pytest.mark.parametrize(
    ("services", "is_erring", "overall"),
    [
        ([], False, Overall.HEALTHY),
        ([FINE, LINK], False, Overall.HEALTHY),
        ([FINE, LINK], True, Overall.DEGRADED),
        ([LINK, LOST], False, Overall.DEGRADED),
        ([FINE, LOST], False, Overall.UNHEALTHY),
        ([LOST, SLOW_LINK], False, Overall.DEGRADED),
        ([WAITING], False, Overall.DEGRADED),
        ([LINK, PARKED], False, Overall.UNHEALTHY),
        ([SUSPENDED], False, Overall.DEGRADED),
        ([SUSPENDED, LOST], False, Overall.UNHEALTHY),
        ([SUSPENDED, LINK], False, Overall.DEGRADED),
    ],
)
def test_the_whole(services: list[Service], is_erring: bool, overall: Overall) -> None:
    tally = Tally()
    for service in services:
        tally.add(service)

    assert tally.overall(is_erring=is_erring) is overall


@given(st.lists(st.sampled_from([FINE, LINK, LOST, SLOW_LINK, SUSPENDED, PARKED, WAITING])))
def test_what_is_removed_does_not_count(services: list[Service]) -> None:
    tally = Tally()
    for service in services:
        tally.add(service)
    for service in services:
        tally.remove(service)

    assert tally.overall() is Overall.HEALTHY


# -- announcements ---------------------------------------------------------------------


def test_a_service_counts_as_operational_until_it_was_announced() -> None:
    """A bot that starts well announces nothing; one whose exchange is down does."""
    announced = Announced()

    assert announced.judge(LINK.name, LINK) is None
    assert announced.judge(LOST.name, LOST) == Change(LOST.name, UP_, DOWN, "is in cooldown")


def test_a_status_is_announced_once() -> None:
    announced = Announced()
    announced.judge(LOST.name, LOST)

    assert announced.judge(LOST.name, attrs.evolve(LOST, why="is recovering")) is None
    assert announced.judge(LOST.name, attrs.evolve(LOST, status=UP_, why="")) == Change(LOST.name, DOWN, UP_, "")


def test_what_is_not_settled_keeps_its_status() -> None:
    """A start, or a link that is renewed on purpose, is no alarm."""
    announced = Announced()
    announced.judge(LOST.name, LOST)

    assert announced.judge(LOST.name, attrs.evolve(LOST, status=SLOW, is_settled=False)) is None
    assert announced.judge(LOST.name, attrs.evolve(LOST, status=SLOW)) == Change(LOST.name, DOWN, SLOW, LOST.why)


def test_what_is_gone_is_no_trouble_any_more() -> None:
    announced = Announced()
    announced.judge(LOST.name, LOST)
    announced.judge(LINK.name, LINK)

    assert announced.judge(LOST.name, None) == Change(LOST.name, DOWN, UP_, "is gone")
    assert announced.judge(LINK.name, None) is None
    assert len(announced) == 0
    assert announced.judge_all() is None


def test_the_whole_is_announced_when_it_changes() -> None:
    announced = Announced()
    announced.judge(LINK.name, LINK)
    assert announced.judge_all() is None

    announced.judge(PARKED.name, PARKED)
    assert (announced.judge_all(), announced.overall) == (Overall.HEALTHY, Overall.UNHEALTHY)
    assert announced.judge_all(is_erring=True) is None

    announced.judge(PARKED.name, None)
    assert (announced.judge_all(is_erring=True), announced.overall) == (Overall.UNHEALTHY, Overall.DEGRADED)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.none()
            | st.builds(
                Service,
                name=st.just(""),
                status=st.sampled_from(ServiceStatus),
                is_connection=st.booleans(),
                is_settled=st.booleans(),
                needs_a_hand=st.booleans(),
                is_by_hand=st.booleans(),
            ).filter(lambda each: each.status is DOWN or not each.needs_a_hand),
        )
    )
)
def test_announcements_are_a_chain_and_the_whole_is_that_of_all(steps: list[tuple[str, Service | None]]) -> None:
    """Each change begins where the one before ended, and the counts are those of a fresh look."""
    announced, status, settled = Announced(), dict.fromkeys("abc", UP_), dict[str, Service]()
    for name, service in steps:
        change = announced.judge(name, service)
        if service is None:
            settled.pop(name, None)
        elif service.is_settled:
            settled[name] = service
        if change is not None:
            assert change.previous is status[name]
            assert change.status is not change.previous
            status[name] = change.status
    fresh = Tally()
    for service in settled.values():
        fresh.add(service)
    announced.judge_all()

    assert announced.overall is fresh.overall()
    assert {name: service.status for name, service in settled.items() if service.status is not UP_} == {
        name: found for name, found in status.items() if found is not UP_
    }
    assert set(announced.names) <= set(settled)
