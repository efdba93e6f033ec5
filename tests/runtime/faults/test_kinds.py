"""A fault is data that makes sense, or it cannot be made."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given

from duenna.faults import (
    INSTANT,
    KINDS,
    AnyFault,
    Bandwidth,
    ClockStep,
    Crash,
    DatabaseSlow,
    Fault,
    FileFault,
    FlipByte,
    HalfOpen,
    Latency,
    Loss,
    MachineFault,
    NetworkFault,
    Service,
    Stall,
    Suspend,
    Truncate,
    kind_of,
)
from tests.runtime.faults.strategies import faults

INF, NAN = math.inf, math.nan
BUILT_IN = "the name of a built-in exception that can be made from a text"
DIRECTIONS = "one of from, to, both"

REFUSED: list[tuple[type[Fault], dict[str, Any], str]] = [
    (Latency, {"extra": -1.0}, "latency: extra must be >= 0 seconds, got -1.0"),
    (Latency, {"extra": INF}, "latency: extra must be a finite number of seconds, got inf"),
    (Latency, {"jitter": NAN}, "latency: jitter must be a number, got nan"),
    (Bandwidth, {"bytes_per_second": 0}, "bandwidth: bytes_per_second must be > 0, got 0"),
    (Bandwidth, {"bytes_per_second": INF}, "bandwidth: bytes_per_second must be > 0 and finite, got inf"),
    (Loss, {"rate": 0.0}, "loss: rate must be > 0 and < 1, got 0.0"),
    (Loss, {"rate": 1.0}, "loss: rate must be > 0 and < 1, got 1.0"),
    (Stall, {"direction": "up"}, f"stall: direction must be {DIRECTIONS}, got 'up'"),
    (Stall, {"direction": ["to"]}, f"stall: direction must be {DIRECTIONS}, got ['to']"),
    (Truncate, {"keep": 1.0}, "truncate: keep must be >= 0 and < 1, got 1.0"),
    (Truncate, {"keep": -0.1}, "truncate: keep must be >= 0 and < 1, got -0.1"),
    (Truncate, {"count": 0}, "truncate: count must be >= 1, got 0"),
    (FlipByte, {"count": -1}, "flip_byte: count must be >= 1, got -1"),
    (FlipByte, {"count": 2**64}, "flip_byte: count must be less than 2**64, got 18446744073709551616"),
    (DatabaseSlow, {"delay": 0.0}, "database_slow: delay must be > 0 seconds, got 0.0"),
    (ClockStep, {"offset": 0.0}, "clock_step: offset must be other than 0 seconds, got 0.0"),
    (ClockStep, {"offset": -INF}, "clock_step: offset must be finite, got -inf"),
    (Suspend, {"length": 0}, "suspend: length must be > 0 seconds, got 0"),
    (Crash, {"error": "KeyboardInterrupt"}, f"crash: error must be {BUILT_IN}, got 'KeyboardInterrupt'"),
    (Crash, {"error": "UnicodeDecodeError"}, f"crash: error must be {BUILT_IN}, got 'UnicodeDecodeError'"),
    (Crash, {"error": "print"}, f"crash: error must be {BUILT_IN}, got 'print'"),
    (Crash, {"text": "\ud800"}, "crash: text must be a text, got '\\ud800'"),
    (Service, {"name": ""}, "service: name must be a text that is not empty, got ''"),
    (Service, {"name": "x", "params": {"a": [INF]}}, "service: params['a'][0] must be a value that JSON has, got inf"),
    (
        Service,
        {"name": "x", "params": {"a": 2**64}},
        f"service: params['a'] must be a value that JSON has, got {2**64}",
    ),
    (Service, {"name": "x", "params": {"a": (1,)}}, "service: params['a'] must be a value that JSON has, got (1,)"),
    (Service, {"name": "x", "params": {1: 2}}, "service: params must have texts as keys, got 1"),
]

WRONG_TYPE: list[tuple[type[Fault], dict[str, Any], str]] = [
    (Latency, {"extra": "1"}, "latency: extra must be a number, got '1'"),
    (Latency, {"extra": True}, "latency: extra must be a number, got True"),
    (Truncate, {"count": 1.0}, "truncate: count must be a whole number, got 1.0"),
    (Crash, {"error": 3}, "crash: error must be a str, got 3"),
    (Service, {"name": None}, "service: name must be a str, got None"),
    (Service, {"name": "x", "params": []}, "service: params must be a dict, got []"),
]


@pytest.mark.parametrize(("kind", "fields", "says"), REFUSED, ids=[says for _, _, says in REFUSED])
def test_a_value_out_of_range_is_refused(kind: type[Fault], fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        kind(**fields)

    assert str(caught.value) == says


@pytest.mark.parametrize(("kind", "fields", "says"), WRONG_TYPE, ids=[says for _, _, says in WRONG_TYPE])
def test_a_value_of_the_wrong_type_is_refused(kind: type[Fault], fields: dict[str, Any], says: str) -> None:
    with pytest.raises(TypeError) as caught:
        kind(**fields)

    assert str(caught.value) == says


def test_params_that_contain_themselves_are_refused() -> None:
    params: dict[str, Any] = {}
    params["again"] = params

    with pytest.raises(ValueError, match=r"^service: params must be at most 16 deep, got more$"):
        Service(name="mute", params=params)


def test_a_measure_is_a_float_whatever_it_was_given_as() -> None:
    """The same plan from YAML, JSON and code must leave the same trace."""
    assert msgspec.json.encode(Latency(extra=2)) == b'{"kind":"latency","extra":2.0,"jitter":0.0}'
    assert msgspec.json.encode(Bandwidth(bytes_per_second=9)) == b'{"kind":"bandwidth","bytes_per_second":9.0}'


def test_each_kind_is_known_by_the_name_it_has_in_files() -> None:
    assert {name: kind.__struct_config__.tag for name, kind in KINDS.items()} == {name: name for name in KINDS}
    assert kind_of(HalfOpen()) == "half_open"


def test_every_kind_strikes_the_network_a_file_the_machine_an_actor_or_a_service() -> None:
    groups = (NetworkFault, FileFault, MachineFault, Crash, Service)

    assert [sum(issubclass(kind, group) for group in groups) for kind in KINDS.values()] == [1] * len(KINDS)


def test_the_instant_kinds_are_kinds() -> None:
    assert set(INSTANT) <= set(KINDS.values())


@given(fault=faults)
def test_a_fault_survives_json(fault: AnyFault) -> None:
    assert msgspec.json.decode(msgspec.json.encode(fault), type=AnyFault) == fault
