"""What was saved comes back as it was, whatever its type; and a slice at a time it is the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duenna.fields import _limits
from duenna.fields._output import Output
from duenna.fields._parts import Part
from tests.runtime.fields.kit import actor_class, actor_with, all_slices, codec, spelt, typed_values


@st.composite
def typed_and_valued(draw: st.DrawFn) -> tuple[Any, Any]:
    """Draw a type, and a value of it."""
    hint, values = draw(typed_values)
    return hint, draw(values)


@given(typed_and_valued())
def test_a_value_comes_back_as_it_was(typed: tuple[Any, Any]) -> None:
    hint, value = typed
    actor = actor_with(hint, value)
    restored = actor_class(hint, default=None, converter=lambda value: value)()

    codec(restored).restore(restored, 1, codec(actor).encode(actor))

    assert spelt(restored.value) == spelt(value)


@pytest.fixture(params=[1, 3, 8])
def limit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make small values large, so that what is sliced is small enough to be made in large numbers."""
    monkeypatch.setattr(_limits, "LARGE", request.param)
    monkeypatch.setattr(_limits, "SLICE", 4 * request.param)


@pytest.mark.usefixtures("limit")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed_and_valued())
def test_a_value_can_be_sliced(typed: tuple[Any, Any]) -> None:
    """What fails in slices is encoded at once by a codec, which would hide it."""
    hint, value = typed
    output = Output()

    for _ in Part(hint, {}).slices(value, output):
        pass

    assert codec(actor_with(hint, value)).encode(actor_with(hint, value)) == b"\x81\xa5value" + output.value()


@pytest.mark.usefixtures("limit")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed_and_valued(), st.booleans(), st.booleans())
def test_slices_amount_to_the_same_bytes(typed: tuple[Any, Any], is_held: bool, is_read_back: bool) -> None:
    actor = actor_with(*typed)

    data, _ = all_slices(actor, is_held=is_held, is_read_back=is_read_back)

    assert data == codec(actor).encode(actor, is_read_back=not is_read_back)
