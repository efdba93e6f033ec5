"""A secret is known in whatever form it is written."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.secret_forms import SHORTEST, forms

if TYPE_CHECKING:
    from collections.abc import Callable

secrets = st.text(min_size=SHORTEST, max_size=60)
FORMS: dict[str, Callable[[str], str]] = {
    "itself": str,
    "repr": lambda value: repr(value)[1:-1],
    "JSON": lambda value: json.dumps(value)[1:-1],
    "JSON of all letters": lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    "a part of a path": lambda value: quote(value, safe=""),
    "a path": quote,
    "a query": quote_plus,
}


@pytest.mark.parametrize("form", FORMS)
@given(value=secrets.filter(lambda value: value.isprintable()))
def test_a_form_is_among_them(form: str, value: str) -> None:
    assert FORMS[form](value) in forms(value)


@given(value=secrets, before=st.binary(max_size=5), after=st.binary(max_size=5))
def test_it_is_known_in_base64_between_whatever_it_stands(value: str, before: bytes, after: bytes) -> None:
    whole = before + value.encode() + after

    assert any(form in base64.b64encode(whole).decode() for form in forms(value))
    assert any(form in base64.urlsafe_b64encode(whole).decode() for form in forms(value))


@given(st.text(st.characters()))
def test_no_form_is_short_enough_to_occur_by_chance(value: str) -> None:
    assert all(len(form) >= SHORTEST for form in forms(value))


def test_the_long_lines_of_a_value_count_as_well() -> None:
    assert {"a" * 16, "b" * 16} <= forms("a" * 16 + "\nshort\n" + "b" * 16)
