"""What work may be told: plain values, none of them secret, and each comes back as it was."""

from __future__ import annotations

import math
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.secrets import Secret
from duenna.state._plain import copied, identity

EXPECTED = "None, a bool, int, float, str, bytes, or a list or dict of these"
NAMES = st.text("abcdefgh_", min_size=1, max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=8)


class Side(StrEnum):
    BUY = "BUY"


def kinds(value: Any) -> Any:
    """Return *value* in words, for 1, 1.0 and True are equal, and so are 0.0 and -0.0."""
    if isinstance(value, list):
        return [kinds(item) for item in value]
    if isinstance(value, dict):
        return {name: kinds(item) for name, item in value.items()}
    return repr(value)


@given(st.dictionaries(NAMES, VALUES))
def test_plain_values_come_back_as_they_were(values: dict[str, Any]) -> None:
    copy = copied("owner", "argument", values)

    assert kinds(copy) == kinds(values)
    assert kinds(msgspec.msgpack.decode(msgspec.msgpack.encode(copy))) == kinds(values)


@given(st.dictionaries(NAMES, VALUES), st.dictionaries(NAMES, VALUES))
def test_values_have_one_identity_if_they_are_the_same_and_two_if_not(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert identity(one) == identity(dict(reversed(one.items())))
    assert (identity(one) == identity(other)) == (kinds(one) == kinds(other))


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (1, True), (0, None), ("1", 1), ("a", b"a"), ([], {}), (0.0, -0.0)]
)
def test_values_that_only_look_alike_are_two(one: object, other: object) -> None:
    assert identity({"value": one}) != identity({"value": other})


def test_a_copy_is_nobody_elses() -> None:
    given = {"symbols": ["BTCUSDT"]}

    copy = copied("owner", "argument", given)
    given["symbols"].append("ETHUSDT")

    assert copy == {"symbols": ["BTCUSDT"]}


def test_nan_and_infinity_are_plain() -> None:
    copy = copied("owner", "argument", {"a": math.nan, "b": math.inf})

    assert math.isnan(copy["a"])
    assert copy["b"] == math.inf


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"quantity": Decimal("0.1")}, r"argument quantity must be " + EXPECTED + r", got Decimal\('0.1'\)"),
        ({"side": Side.BUY}, "argument side must be .*, got <Side.BUY: 'BUY'>"),
        ({"pair": ("a", "b")}, r"argument pair must be .*, got \('a', 'b'\)"),
        ({"ids": {1}}, r"argument ids must be .*, got \{1\}"),
        ({"orders": [{"price": object}]}, r"argument orders\[0\]\['price'\] must be .*, got <class 'object'>"),
        ({"levels": {1: 2}}, r"the keys of argument levels must be str, got 1"),
    ],
)
def test_what_is_not_plain_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=f"^operation backfill: {message}$"):
        copied("operation backfill", "argument", values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"index": 2**63}, "progress index must fit into 64 bits, got 9223372036854775808"),
        ({"index": -(2**63) - 1}, "progress index must fit into 64 bits, got -9223372036854775809"),
        ({"text": "\ud800"}, r"progress text must be text of whole characters, got '\\ud800'"),
        ({"a": {"\udfff": 1}}, r"progress a\['\\udfff'\] must be text of whole characters, got '\\udfff'"),
        ({"api_key": "x"}, r"progress api_key has the name of a secret: secrets are never stored, got \*\*\*"),
        ({"login": [{"password": "x"}]}, r"progress login\[0\]\['password'\] has the name of a secret: .*, got \*\*\*"),
    ],
)  # fmt: skip
def test_what_is_out_of_range_or_secret_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^operation backfill: {message}$"):
        copied("operation backfill", "progress", values)


def test_the_refusal_does_not_show_a_secret() -> None:
    with pytest.raises(TypeError, match=r", got \*\*\*$"):
        copied("intent order", "argument", {"with": Secret("correct horse battery")})
    with pytest.raises(TypeError, match=r", got \('\*\*\*',\)$"):
        copied("intent order", "argument", {"with": ("correct horse battery",)})


def test_values_may_be_16_deep_and_no_deeper() -> None:
    value: list[Any] = []
    for _ in range(15):
        value = [value]

    assert copied("owner", "argument", {"value": value}) == {"value": value}
    with pytest.raises(ValueError, match=r"^owner: argument value(\[0\]){16} must have at most 16 lists and dicts"):
        copied("owner", "argument", {"value": [value]})
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValueError, match=r"must have at most 16 lists and dicts inside of each other$"):
        copied("owner", "argument", {"value": endless})
