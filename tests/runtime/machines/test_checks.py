"""The checks of options: what passes, what is refused, and that the message names thing, value and rule."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines import checks

if TYPE_CHECKING:
    from collections.abc import Callable


class Colour(StrEnum):
    """Something to choose from."""

    RED = "red"
    GREEN = "green"


def refusal(check: Callable[..., object], *arguments: Any, **options: Any) -> str:
    """Return how *check* refuses: the error's type and text."""
    with pytest.raises((TypeError, ValueError)) as caught:
        check(*arguments, **options)
    return f"{caught.type.__name__}: {caught.value}"


@pytest.mark.parametrize("value", [0, -1, 1.5, math.inf, -math.inf, 10**15])
def test_a_number_is_returned_as_a_float(value: float) -> None:
    number = checks.number("pump", "speed", value)

    assert number == value
    assert type(number) is float


@pytest.mark.parametrize("value", ["1", None, True, 1j, [1]])
def test_what_is_no_number_is_a_type_error(value: object) -> None:
    assert refusal(checks.number, "pump", "speed", value) == f"TypeError: pump: speed must be a number, got {value!r}"


def test_nan_is_no_number() -> None:
    assert refusal(checks.number, "pump", "speed", math.nan) == "ValueError: pump: speed must be a number, got nan"


def test_a_whole_number_may_be_too_large() -> None:
    assert refusal(checks.number, "pump", "speed", 10**400) == "ValueError: pump: speed is too large for a float"


@pytest.mark.parametrize(
    ("value", "options", "why"),
    [
        (0, {}, None),
        (2, {}, None),
        (math.inf, {}, None),
        (0.1, {"zero": False, "inf": False}, None),
        (-0.1, {}, "ValueError: pump: rest must be >= 0 seconds, got -0.1"),
        (-math.inf, {}, "ValueError: pump: rest must be >= 0 seconds, got -inf"),
        (-1, {"zero": False}, "ValueError: pump: rest must be > 0 seconds, got -1"),
        (0, {"zero": False}, "ValueError: pump: rest must be > 0 seconds, got 0"),
        (math.inf, {"inf": False}, "ValueError: pump: rest must be a finite number of seconds, got inf"),
        (math.nan, {}, "ValueError: pump: rest must be a number, got nan"),
        ("1s", {}, "TypeError: pump: rest must be a number, got '1s'"),
    ],
)
def test_durations(value: Any, options: dict[str, bool], why: str | None) -> None:
    if why is None:
        assert checks.duration("pump", "rest", value, **options) == value
    else:
        assert refusal(checks.duration, "pump", "rest", value, **options) == why


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (1, None),
        (7, None),
        (0, "ValueError: pump: strokes must be >= 1, got 0"),
        (-3, "ValueError: pump: strokes must be >= 1, got -3"),
        (1.0, "TypeError: pump: strokes must be a whole number, got 1.0"),
        (True, "TypeError: pump: strokes must be a whole number, got True"),
        (None, "TypeError: pump: strokes must be a whole number, got None"),
    ],
)
def test_counts(value: object, why: str | None) -> None:
    if why is None:
        assert checks.count("pump", "strokes", value, least=1) == value
    else:
        assert refusal(checks.count, "pump", "strokes", value, least=1) == why


@pytest.mark.parametrize("value", [True, False])
def test_a_flag_is_returned(value: bool) -> None:
    assert checks.flag("pump", "is_on", value) is value


@pytest.mark.parametrize("value", [1, 0, None, "yes"])
def test_what_is_merely_true_is_no_flag(value: object) -> None:
    assert refusal(checks.flag, "pump", "is_on", value) == (
        f"TypeError: pump: is_on must be True or False, got {value!r}"
    )


@pytest.mark.parametrize("value", ["red", Colour.RED])
def test_a_choice_is_made_by_text_or_by_member(value: str) -> None:
    assert checks.choice("pump", "colour", value, Colour) is Colour.RED


@pytest.mark.parametrize("value", ["RED", "", None, 3, [], {}])
def test_another_choice_is_refused_with_those_that_there_are(value: object) -> None:
    assert refusal(checks.choice, "pump", "colour", value, Colour) == (
        f"ValueError: pump: colour must be one of 'red', 'green', got {value!r}"
    )


@pytest.mark.parametrize("value", ["btc", "BTC-USDT", "two words", "...", "ß", "a.b"])
def test_a_name_may_be_any_printable_text(value: str) -> None:
    assert checks.name("Child", value) is value


@pytest.mark.parametrize("value", ["", ".", "..", "a/b", "/", "a\n", "\x00", "\x7f"])
def test_a_name_that_would_break_a_path_is_refused(value: str) -> None:
    assert refusal(checks.name, "Child", value) == (
        f"ValueError: Child: name must be printable, not empty, without '/' and not '.' or '..', got {value!r}"
    )


@pytest.mark.parametrize("value", [None, 1, b"btc", ["btc"]])
def test_a_name_must_be_text(value: object) -> None:
    assert refusal(checks.name, "Child", value) == f"TypeError: Child: name must be a str, got {value!r}"


@given(st.floats() | st.integers(-(10**300), 10**300), st.booleans(), st.booleans())
def test_a_duration_that_passes_can_be_waited_for(value: float, zero: bool, inf: bool) -> None:
    try:
        seconds = checks.duration("pump", "rest", value, zero=zero, inf=inf)
    except ValueError:
        assert not value >= 0 or (value == 0 and not zero) or (value == math.inf and not inf)
    else:
        assert 0 <= seconds <= math.inf
        assert seconds > 0 or zero
        assert seconds < math.inf or inf


@given(st.text("ab ./\n\x00é", max_size=6))
def test_a_name_that_passes_is_one_part_of_a_path(value: str) -> None:
    try:
        checks.name("Child", value)
    except ValueError:
        return
    assert f"/bot/{value}".split("/") == ["", "bot", value]
    assert value not in {".", ".."}
