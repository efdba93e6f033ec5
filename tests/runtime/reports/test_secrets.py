"""Secrets that are known by value, and text that is cut."""

from __future__ import annotations

import base64
import pickle
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.guards.errors import BadResultError, in_words
from duenna.secrets import HIDDEN, Secret, is_secret_name, redact, redact_to, register, unregister
from duenna_actors.api import ApiConnection, ApiStatusError
from duenna_actors.binance_api import BinanceApi
from tests.runtime.reports.planted import pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUE = "correct horse/battery+staple"


@pytest.fixture
def known() -> Iterator[str]:
    """Have a value registered that has no looks."""
    register(VALUE)
    yield VALUE
    unregister(VALUE)


def test_a_registered_value_is_hidden_wherever_it_occurs(known: str) -> None:
    assert redact(f"a{known}b {known}") == "a***b ***"
    assert redact(f"/x/{quote(known, safe='')}/y") == "/x/***/y"
    assert known not in redact(repr(known)) + redact(f"{known}".encode().decode())
    assert redact("x " + base64.b64encode(known.encode()).decode() + " y") == "x *** y"


def test_what_is_registered_twice_is_unregistered_twice() -> None:
    register(b"swordfish")
    register("swordfish")
    unregister("swordfish")
    assert redact("swordfish") == HIDDEN

    unregister(b"swordfish")
    assert redact("swordfish") == "swordfish"

    unregister("swordfish")


@pytest.mark.parametrize("value", ["", "abc", "12345"])
def test_a_short_value_is_passed_over(value: str) -> None:
    register(value)

    assert redact(f"x {value} y") == f"x {value} y"


@pytest.mark.parametrize("name", ["secret", "password", "api_secret", "Authorization"])
def test_the_name_of_a_secret_is_no_secret(name: str) -> None:
    """Were the names hidden, what stands under them would not be known for a secret any more."""
    register(name)

    assert redact(f'{{"{name}": "f00l-0f-5ecrets"}}') == f'{{"{name}": "***"}}'


def test_a_value_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^value must be a str or bytes, got int$"):
        register(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^value must be a str or bytes, got NoneType$"):
        unregister(None)  # type: ignore[arg-type]


def test_a_thousand_values_are_kept_those_that_were_registered_last() -> None:
    values = [f"value-{number}-of-many" for number in range(1_001)]
    for value in values[:2]:
        register(value)
    register(values[0])  # once more: it is younger now
    for value in values[2:]:
        register(value)

    assert redact(f"{values[0]} {values[1]} {values[-1]}") == f"*** {values[1]} ***"

    for value in [*values, values[0]]:
        unregister(value)
    assert redact(values[-1]) == values[-1]


@given(st.text(max_size=200), st.text(min_size=6, max_size=10))
def test_twice_is_once_with_registered_values_too(text: str, value: str) -> None:
    register(value)
    try:
        hidden = redact(f"{text}{value}{text}")
        assert redact(hidden) == hidden
        assert value not in hidden or value in HIDDEN
    finally:
        unregister(value)


def test_a_value_that_eats_its_own_stars_ends_hidden() -> None:
    """Replaced, it gives itself again for as often as anyone likes."""
    register("a***a***")
    try:
        assert redact("a***" * 2000) == redact(redact("a***" * 2000))
    finally:
        unregister("a***a***")


FORMS = ["{} is it", "api_key={} x", "https://u:{}@h x", "{{'secret': '{}'}}", "-----BEGIN PRIVATE KEY-----\n{}\n"]


@given(
    before=st.one_of(st.integers(450, 520), st.integers(3_900, 4_200)),
    after=st.sampled_from([0, 10, 600, 5_000]),
    form=st.sampled_from(FORMS),
)
def test_a_secret_is_not_shown_in_part_wherever_the_text_is_cut(before: int, after: int, form: str) -> None:
    value = "Zq8Wk2Rt5Yp1Lm7Nx3Vb9Hd4"
    register(value)
    try:
        short = redact_to("." * before + " " + form.format(value) + "." * after)
    finally:
        unregister(value)

    assert len(short) <= 500
    assert not [piece for piece in pieces(value) if piece in short]


@given(
    st.sampled_from(FORMS[1:]),
    st.sampled_from(["", "-----BEGIN PRIVATE KEY-----\n" + "x" * 3_000 + "-----END PRIVATE KEY----- "]),
)
def test_the_end_of_the_window_is_not_shown_when_what_is_before_it_shrinks(form: str, before: str) -> None:
    value = "Zq8Wk2Rt5Yp1Lm7Nx3Vb9Hd4" * 10
    short = redact_to(before + "." * (3_980 - len(before)) + " " + form.format(value) + "." * 5_000, 2_000)

    assert not [piece for piece in pieces(value) if piece in short]


def test_what_fits_is_not_cut() -> None:
    assert redact_to("x" * 500) == "x" * 500
    assert redact_to("x" * 501) == "x" * 497 + "..."
    assert redact_to("x" * 100_000, 10) == "xxxxxxx..."


def test_connections_register_what_they_log_in_with() -> None:
    made_of = {"Authorization": "Bearer k7Fq0Zp1xW", "X-MBX-APIKEY": "a1B2c3D4e5", "Accept": "application/json"}
    ApiConnection("https://x.com", headers=made_of)
    BinanceApi("https://x.com", api_key="b1B2c3D4e5", api_secret="c1B2c3D4e5")  # noqa: S106  # it opens nothing

    shown = redact("k7Fq0Zp1xW a1B2c3D4e5 application/json b1B2c3D4e5 c1B2c3D4e5")

    assert shown == "*** *** application/json *** ***"
    for value in ("k7Fq0Zp1xW", "a1B2c3D4e5", "b1B2c3D4e5", "c1B2c3D4e5"):
        unregister(value)


def test_what_a_guard_and_an_exchange_repeat_is_clean_before_it_is_cut() -> None:
    answer = ApiStatusError("GET", "/x", "said 400", status=400, body=b"x" * 180 + b' {"apiKey":"k7Fq0Zp1xW8vN2"}')

    assert answer.body == "x" * 180 + ' {"apiKey":"***"}'
    assert in_words((ValueError, "api_key=k7Fq0Zp1xW8vN2")) == "ValueError: api_key=***"
    assert str(BadResultError("x", {"secret": "k7Fq0Zp1xW8vN2"})).endswith("{'secret': '***'}")


def test_which_names_are_hidden_as_a_whole() -> None:
    assert [name for name in ("api_key", "Cookie", "token", "key", "symbol") if is_secret_name(name)] == [
        *["api_key", "Cookie", "token"]
    ]


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret("open sesame, please")

    assert (repr(secret), str(secret), f"{secret:>30}", f"{[secret]}") == (HIDDEN, HIDDEN, HIDDEN, "[***]")
    assert secret.reveal() == "open sesame, please"
    assert redact("open sesame, please") == HIDDEN


def test_a_secret_is_equal_to_its_like_alone() -> None:
    assert Secret("open sesame") == Secret("open sesame") != Secret("close sesame")
    assert Secret("open sesame") != "open sesame"
    assert len({Secret("open sesame"), Secret("open sesame")}) == 1
    assert (bool(Secret("")), bool(Secret("x"))) == (False, True)


def test_a_secret_does_not_leave_the_process() -> None:
    with pytest.raises(TypeError, match=r"^a Secret cannot be pickled, it would leave the process$"):
        pickle.dumps(Secret("open sesame"))
    with pytest.raises(TypeError, match=r"^value must be a str, got int$"):
        Secret(5)  # type: ignore[arg-type]
