"""Faults as data, and which of them hold."""

from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna_actors.sandbox import faults as module
from duenna_actors.sandbox._board import FaultBoard
from duenna_actors.sandbox.faults import (
    Burst,
    ClockDrift,
    CloseSockets,
    ConnectionsRefused,
    Fault,
    HttpFailure,
    Mute,
    RateLimited,
    SlowAnswers,
    StaleEvents,
    UpgradeRefused,
    kind_of,
)
from duenna_actors.sandbox.schedule import Scheduled, parse_schedule
from tests.actors.sandbox.support import seeded

KINDS: tuple[type[Fault], ...] = get_args(Fault)


def board(*schedule: Scheduled) -> FaultBoard:
    return FaultBoard(seeded(1), list(schedule))


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_can_be_written_and_read(kind: type[Fault]) -> None:
    fault = kind()

    assert msgspec.json.decode(msgspec.json.encode(fault), type=Fault) == fault
    assert kind_of(fault) == msgspec.to_builtins(fault)["kind"]


def test_all_kinds_are_public() -> None:
    assert {kind.__name__ for kind in KINDS} <= set(module.__all__)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mute(probability=0.0), "mute: probability must be > 0 and <= 1, got 0.0"),
        (lambda: Mute(count=0), "mute: count must be >= 1 or null, got 0"),
        (lambda: StaleEvents(age=-1.0), "stale_events: age must be >= 0 and finite, got -1.0"),
        (lambda: SlowAnswers(latency=-5), "slow_answers: latency must be >= 0 and finite, got -5"),
        (lambda: SlowAnswers(latency=float("nan")), "slow_answers: latency must be >= 0 and finite, got nan"),
        (
            lambda: CloseSockets(code=1005),
            "close_sockets: code must be 1000, 1001, 1006, 1008, 1009, 1011 to 1014 or 3000 to 4999, got 1005",
        ),
        (lambda: CloseSockets(reason="x" * 121), f"close_sockets: reason must be 120 bytes at most, got '{'x' * 121}'"),
        (lambda: Burst(messages=0), "burst: messages must be 1 to 100000, got 0"),
        (lambda: UpgradeRefused(status=101), "upgrade_refused: status must be 200 to 599, got 101"),
        (lambda: HttpFailure(status=200), "http_failure: status must be 400 to 599, got 200"),
        (lambda: RateLimited(patience=-1), "rate_limited: patience must be >= 0 and finite, got -1"),
        (lambda: ClockDrift(offset=0.0), "clock_drift: offset must be finite and not 0 seconds, got 0.0"),
        (
            lambda: ConnectionsRefused(count=2),
            "connections_refused: count must be null, for it holds or does not, got 2",
        ),
    ],
)  # fmt: skip
def test_a_fault_that_makes_no_sense_is_refused(make: type[Fault], message: str) -> None:
    with pytest.raises(ValueError, match=r"^") as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "schedule: Expected `array`, got `object`"),
        ('[{"at": 1, "fault": {"kind": "mut"}}]', "schedule: Invalid value 'mut' - at `$[0].fault.kind`"),
        (
            '[{"at": 1, "fault": {"kind": "mute", "x": 1}}]',
            "schedule: Object contains unknown field `x` - at `$[0].fault`",
        ),
        (
            '[{"at": -1, "fault": {"kind": "mute"}}]',
            "schedule: at must be >= 0 seconds and finite, got -1.0 - at `$[0]`",
        ),
        (
            '[{"at": 1, "fault": {"kind": "mute"}, "duration": 0}]',
            "schedule: duration must be > 0 seconds and finite, or null, got 0.0 - at `$[0]`",
        ),
        (
            '[{"at": 1, "fault": {"kind": "burst"}, "duration": 1}]',
            "schedule: burst happens in an instant and takes no duration, got 1.0 - at `$[0]`",
        ),
        (
            '[{"at": 1, "fault": {"kind": "rate_limited"}, "duration": 1}]',
            "schedule: rate_limited lasts its retry_after and takes no duration, got 1.0 - at `$[0]`",
        ),
    ],
)
def test_a_wrong_schedule_says_where(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"^schedule: ") as caught:
        parse_schedule(text)
    assert str(caught.value) == message


def test_a_schedule_that_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^schedule: JSON is malformed"):
        parse_schedule("nope")


def test_a_schedule_is_read() -> None:
    text = '[{"at": 10, "fault": {"kind": "mute", "symbol": "BTC*"}, "duration": 20}]'

    assert parse_schedule(text) == [Scheduled(10.0, Mute(symbol="BTC*"), 20.0)]


def test_a_fault_strikes_what_its_globs_fit() -> None:
    faults = board()
    faults.inject(Mute(symbol="BTC*", stream="*@depth*"), 0.0)

    assert faults.strike(Mute, 1.0, symbol="BTCUSDT", stream="btcusdt@depth@100ms")
    assert not faults.strike(Mute, 1.0, symbol="ETHUSDT", stream="ethusdt@depth@100ms")
    assert not faults.strike(Mute, 1.0, symbol="BTCUSDT", stream="btcusdt@aggTrade")
    assert not faults.strike(StaleEvents, 1.0, symbol="BTCUSDT", stream="btcusdt@depth@100ms")


def test_case_does_not_matter() -> None:
    faults = board()
    faults.inject(Mute(symbol="btcusdt", stream="BTCUSDT@AGGTRADE"), 0.0)

    assert faults.strike(Mute, 1.0, symbol="BTCUSDT", stream="btcusdt@aggTrade")


def test_a_fault_is_spent_after_its_count() -> None:
    faults = board()
    faults.inject(Mute(count=2), 0.0)

    assert [faults.strike(Mute, 1.0) is not None for _ in range(3)] == [True, True, False]
    assert faults.active() == ()
    assert [change.change for change in faults.advance(1.0)] == ["spent"]


def test_a_fault_that_is_spent_lets_the_next_one_strike() -> None:
    faults = board()
    faults.inject(Mute(symbol="A", count=1), 0.0)
    faults.inject(Mute(count=1), 0.0)

    assert [faults.strike(Mute, 1.0, symbol="A") is not None for _ in range(3)] == [True, True, False]


def test_chance_is_asked_each_time() -> None:
    faults = board()
    faults.inject(Mute(probability=0.25), 0.0)
    struck = sum(faults.strike(Mute, 1.0) is not None for _ in range(10_000))

    assert struck == pytest.approx(2_500, rel=0.05)
    assert faults.active()[0].strikes == struck


def test_holding_is_not_striking() -> None:
    faults = board()
    faults.inject(Mute(count=1), 0.0)

    assert all(faults.holds(Mute, 1.0) for _ in range(5))
    assert faults.strike(Mute, 1.0)
    assert not faults.holds(Mute, 1.0)


def test_a_fault_ends_at_its_time() -> None:
    faults = board()
    faults.inject(Mute(), 10.0, duration=5.0)

    assert faults.strike(Mute, 14.9)
    assert not faults.strike(Mute, 15.0)
    assert faults.next_at() == 15.0
    assert [(change.change, change.at) for change in faults.advance(20.0)] == [("expired", 15.0)]
    assert faults.next_at() is None


def test_faults_are_cleared_by_number_by_kind_and_all() -> None:
    faults = board()
    first = faults.inject(Mute(), 0.0).number
    faults.inject(Mute(symbol="X"), 0.0)
    faults.inject(SlowAnswers(), 0.0)

    assert [change.number for change in faults.clear(1.0, number=first)] == [first]
    assert len(faults.clear(1.0, kind=Mute)) == 1
    assert len(faults.clear(1.0)) == 1
    assert faults.clear(1.0) == []
    assert faults.is_quiet


def test_instant_faults_are_over_at_once() -> None:
    faults = board()
    change = faults.inject(CloseSockets(), 3.0)

    assert (change.change, change.at) == ("injected", 3.0)
    assert faults.active() == ()
    with pytest.raises(ValueError, match=r"^close_sockets happens in an instant and takes no duration, got 1\.0$"):
        faults.inject(CloseSockets(), 3.0, 1.0)


def test_a_rate_limit_lasts_its_retry_after() -> None:
    faults = board()
    faults.inject(RateLimited(retry_after=7.0), 3.0)

    assert faults.active()[0].until == 10.0


def test_a_schedule_comes_in_the_order_of_time_ends_included() -> None:
    faults = board(Scheduled(5.0, SlowAnswers()), Scheduled(1.0, Mute(), 3.0), Scheduled(1.0, StaleEvents(), 9.0))

    changes = faults.advance(6.0)

    assert [(kind_of(change.fault), change.change, change.at) for change in changes] == [
        ("mute", "injected", 1.0),
        ("stale_events", "injected", 1.0),
        ("mute", "expired", 4.0),
        ("slow_answers", "injected", 5.0),
    ]
    assert faults.next_at() == 10.0


@given(
    st.lists(st.tuples(st.floats(0.0, 100.0), st.one_of(st.none(), st.floats(0.01, 50.0))), max_size=20),
    st.lists(st.floats(0.0, 200.0), max_size=10),
)
def test_every_scheduled_fault_begins_and_ends_once(plan: list[tuple[float, float | None]], looks: list[float]) -> None:
    faults = board(*(Scheduled(at, Mute(), duration) for at, duration in plan))
    changes = [change for look in [*sorted(looks), 500.0] for change in faults.advance(look)]

    begun = [change.number for change in changes if change.change == "injected"]
    ended = [change.number for change in changes if change.change == "expired"]
    assert sorted(begun) == list(range(1, len(plan) + 1))
    assert len(ended) == len(set(ended)) == sum(duration is not None for _, duration in plan)
    assert [change.at for change in changes] == sorted(change.at for change in changes)
