"""Patterns over the names of types."""

from __future__ import annotations

import pytest

from duenna.machines.type_patterns import TypeIndex


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("ReadTimeout", "httpx.ReadTimeout", True),
        ("ReadTimeout", "ReadTimeout", True),
        ("ReadTimeout", "httpx.OtherReadTimeout", False),
        ("httpx.ReadTimeout", "httpx.ReadTimeout", True),
        ("httpx.ReadTimeout", "httpcore.ReadTimeout", False),
        ("httpx.*", "httpx._exceptions.ReadTimeout", True),
        ("google.cloud.*", "google.cloud.x.Error", True),
        ("google.cloud.*", "google.api.Error", False),
        ("httpx.*", "httpx2.ReadTimeout", False),
        ("*Timeout*", "lib.ReadTimeoutError", True),
        ("*Timeout*", "timeouts.Other", False),
        ("influxdb*.*", "influxdb_client.rest.ApiException", True),
        ("influxdb*.*", "other.ApiException", False),
        ("Client?Error", "ClientXError", True),
    ],
)
def test_a_name_fits(pattern: str, name: str, expected: bool) -> None:
    assert TypeIndex({pattern: 1}).met([name]) == int(expected)


def test_the_bits_of_all_names_are_put_together() -> None:
    index = TypeIndex({"OSError": 0b001, "*Timeout": 0b010, "httpx.*": 0b100})

    assert index.met(["httpx.ReadTimeout", "OSError"]) == 0b111
