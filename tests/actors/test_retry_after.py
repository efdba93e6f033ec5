"""How long a server wants to be left alone."""

from __future__ import annotations

import pytest

from duenna_actors._rate_gate import RateGate
from duenna_actors._retry_after import retry_after

NOW = 1_659_761_900.0


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({}, b"", None),
        ({"retry-after": "7"}, b"", 7.0),
        ({"retry-after": " 2.5 "}, b"", 2.5),
        ({"retry-after": "Sat, 06 Aug 2022 04:58:40 GMT"}, b"", 20.0),
        ({"retry-after": "Sat, 06 Aug 2022 00:00:00 GMT"}, b"", None),
        ({"retry-after": "soon"}, b"", None),
        ({"retry-after": "0"}, b"", None),
        ({"retry-after": "-5"}, b"", None),
        ({"retry-after": "\u00b2"}, b"", None),
        ({}, b'{"code":-1003,"msg":"Way too much; IP banned until 1659761931230."}', 31.23),
        ({}, b"banned until 1659761930", 30.0),
        ({}, b"banned until 1559761931230", None),
        ({"retry-after": "120"}, b"banned until 1659761931230", 120.0),
        ({"retry-after": "2"}, b"banned until 1659761931230", 31.23),
        ({"retry-after": "999999999"}, b"", 7 * 86_400.0),
    ],
)
def test_the_longest_time_that_is_named_counts(headers: dict[str, str], body: bytes, seconds: float | None) -> None:
    found = retry_after(headers, body, NOW)

    assert found == (seconds if seconds is None else pytest.approx(seconds))


def test_a_gate_is_open_at_first() -> None:
    assert RateGate().wait(0.0) == 0.0


def test_a_closed_gate_opens_when_the_time_is_over() -> None:
    gate = RateGate()

    gate.close(100.0, 20.0, 429)

    assert gate.wait(105.0) == 15.0
    assert gate.wait(120.0) == 0.0


def test_a_shorter_ban_does_not_end_a_longer_one() -> None:
    gate = RateGate()
    gate.close(100.0, 500.0, 418)

    gate.close(101.0, 1.0, 429)

    assert gate.wait(101.0) == 499.0
    assert gate.status == 418
