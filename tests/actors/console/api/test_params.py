"""Reading queries and bodies: what is refused, and what the refusal says."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from duenna_actors.console.api.params import NoQuery, read_body, read_query
from duenna_actors.console.api.problems import ProblemError


class Query(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    days: Annotated[int, Meta(ge=1, le=90)] = 7
    since: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    is_dry: bool = False
    status: Literal["", "success", "failed"] = ""
    name: Annotated[str, Meta(max_length=3)] = ""


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    service: Annotated[str, Meta(min_length=1, max_length=5)]
    force: bool = False
    matchers: Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(max_length=2)] = ()


def refusal(pairs: list[tuple[str, str]], kind: type[msgspec.Struct] = Query) -> ProblemError:
    with pytest.raises(ProblemError) as caught:
        read_query(kind, pairs)
    return caught.value


def body_refusal(body: bytes) -> ProblemError:
    with pytest.raises(ProblemError) as caught:
        read_body(Body, body)
    return caught.value


@pytest.mark.parametrize(("text", "days"), [("1", 1), ("90", 90), ("7", 7)])
def test_a_number_in_range_is_taken(text: str, days: int) -> None:
    """Both ends are included."""
    assert read_query(Query, [("days", text)]).days == days


@pytest.mark.parametrize("text", ["0", "91", "-1", "", " 5", "+5", "1_0", "٣", "x", "1e2", "9" * 5000, "\x00", "7\n"])
def test_another_number_is_refused_with_its_range(text: str) -> None:
    """The field, what it may be, and what it was."""
    refused = refusal([("days", text)])

    assert refused.status == 422
    assert refused.detail.startswith("parameter days must be a whole number from 1 to 90, got ")
    assert len(refused.detail) < 300
    assert refused.extra["field"] == "days"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("since", "nan", "a number from 0 to 1e+09"),
        ("since", "inf", "a number from 0 to 1e+09"),
        ("since", "1e400", "a number from 0 to 1e+09"),
        ("since", "-0.1", "a number from 0 to 1e+09"),
        ("is_dry", "yes", "true or false"),
        ("status", "SUCCESS", "one of failed, success"),
        ("name", "abcd", "a text of 0 to 3 characters"),
    ],
)
def test_each_kind_says_what_it_may_be(name: str, text: str, expected: str) -> None:
    assert refusal([(name, text)]).detail == f"parameter {name} must be {expected}, got {text!r}"


def test_an_unknown_parameter_is_refused_with_the_known_ones() -> None:
    """A misspelt filter that is left out would show everything."""
    refused = refusal([("dayz", "1")])

    assert refused.detail == "parameter 'dayz' is not known; known are days, since, is_dry, status, name"
    assert refused.extra == {"field": "dayz", "names": ["days"]}


def test_where_there_are_no_parameters_that_is_said() -> None:
    assert refusal([("x", "")], NoQuery).detail == "parameter 'x' is not known; there are none here"


def test_a_parameter_that_comes_twice_is_refused() -> None:
    """Whoever sends two means something that the answer would not be."""
    assert refusal([("days", "1"), ("days", "2")]).detail == "parameter days must be there once, got '2'"


@pytest.mark.parametrize("name", ["a`b", "a - at `$.days`", "\x00", "\n", "x" * 10_000, "é", "$.days"])
def test_a_hostile_name_is_quoted_and_bounded(name: str) -> None:
    refused = refusal([(name, "1")])

    assert refused.status == 422
    assert len(refused.detail) < 400
    assert "\x00" not in refused.detail
    assert "\n" not in refused.detail


def test_a_body_is_taken() -> None:
    assert read_body(Body, b'{"service":"db","force":true}') == Body(service="db", force=True)


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"", 422, "field service is needed: a text of 1 to 5 characters"),
        (b"{}", 422, "field service is needed: a text of 1 to 5 characters"),
        (b"[1]", 422, "the body must be a JSON object, got [1]"),
        (b"null", 422, "the body must be a JSON object, got None"),
        (b'{"service":""}', 422, "field service must be a text of 1 to 5 characters, got ''"),
        (b'{"service":"longer"}', 422, "field service must be a text of 1 to 5 characters, got 'longer'"),
        (b'{"service":7}', 422, "field service must be a text of 1 to 5 characters, got 7"),
        (b'{"service":"a","force":"true"}', 422, "field force must be true or false, got 'true'"),
        (b'{"service":"a","force":1}', 422, "field force must be true or false, got 1"),
        (b'{"service":"a","x":1}', 422, "field 'x' is not known; known are service, force, matchers"),
        (b'{"service":"a","matchers":["",""]}', 422, "field matchers[0] must be `str` of length >= 1, got ['', '']"),
    ],
)
def test_another_body_is_refused(body: bytes, status: int, detail: str) -> None:
    refused = body_refusal(body)

    assert (refused.status, refused.detail) == (status, detail)


@pytest.mark.parametrize(
    "body", [b"{", b"\xff", b'"\xed\xa0\x80"', b"[" * 60_000, b'{"a":NaN}', b'{"a":1e999}', b"1" * 5000, b"\x00", b"''"]
)
def test_what_is_no_json_is_unreadable(body: bytes) -> None:
    """No body makes an error of another kind."""
    refused = body_refusal(body)

    assert refused.status in {400, 422}
    assert refused.detail.startswith("the body must be a JSON object")
    assert len(refused.detail) < 400


def test_every_refusal_is_a_problem() -> None:
    response = body_refusal(b"{").response()
    told: Any = msgspec.json.decode(bytes(response.body))

    assert response.media_type == "application/problem+json"
    assert told["status"] == response.status_code == 400
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["duenna-api-version"] == "1"
