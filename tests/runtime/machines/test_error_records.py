"""Errors as records: what is read, and what is refused."""

from __future__ import annotations

import pytest

from duenna.machines.classification import Facts, Link
from duenna.machines.error_records import facts_from_record, parse_link


def test_a_record_is_facts() -> None:
    record = {
        "id": "e1",
        "exception_type": "httpx.ConnectError",
        "message": "down",
        "cause": "httpcore.ConnectError: down",
        "http_status": "503",
        "code": 7,
        "retry_after": "2",
        "origin": "rest",
        "category": "DATA",
    }

    assert facts_from_record(record) == Facts(
        links=(
            Link(type="httpx.ConnectError", message="down", status=503, code="7", retry_after=2.0),
            Link(type="httpcore.ConnectError", message="down"),
        ),
        origin="rest",
    )


@pytest.mark.parametrize(
    "record",
    [{}, dict.fromkeys(("exception_type", "message", "cause", "http_status", "code", "retry_after", "origin"))],
)
def test_every_field_may_be_missing_or_null(record: dict[str, None]) -> None:
    assert facts_from_record(record) == Facts(links=(Link(type="Exception"),))


def test_empty_texts_are_as_good_as_none() -> None:
    assert facts_from_record({"http_status": "", "code": "", "retry_after": "", "cause": ""}) == Facts(
        links=(Link(type="Exception"),)
    )


def test_the_code_of_a_postgres_driver_is_an_sqlstate() -> None:
    facts = facts_from_record({"exception_type": "psycopg.errors.DeadlockDetected", "code": "40P01"})

    assert facts.links[0].sqlstate == "40P01"
    assert facts_from_record({"exception_type": "Other", "code": "40P01"}).links[0].sqlstate is None


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "a record must be an object, got []"),
        ({"message": 5}, "message must be a text or null, got 5"),
        ({"exception_type": ["x" * 100]}, f"exception_type must be a text or null, got ['{'x' * 75}..."),
        ({"http_status": 42}, "http_status must be a whole number from 100 to 599 or null, got 42"),
        ({"http_status": True}, "http_status must be a whole number from 100 to 599 or null, got True"),
        ({"http_status": "9999"}, "http_status must be a whole number from 100 to 599 or null, got '9999'"),
        ({"http_status": 200.0}, "http_status must be a whole number from 100 to 599 or null, got 200.0"),
        ({"code": 1.5}, "code must be a text, a whole number or null, got 1.5"),
        ({"code": False}, "code must be a text, a whole number or null, got False"),
        ({"retry_after": -1}, "retry_after must be a number of seconds of at least 0 or null, got -1"),
        ({"retry_after": "soon"}, "retry_after must be a number of seconds of at least 0 or null, got 'soon'"),
        ({"retry_after": True}, "retry_after must be a number of seconds of at least 0 or null, got True"),
        (
            {"retry_after": 10**400},
            f"retry_after must be a number of seconds of at least 0 or null, got 1{'0' * 76}...",
        ),
        ({"retry_after": []}, "retry_after must be a number of seconds of at least 0 or null, got []"),
    ],
)
def test_what_is_no_record_is_refused(record: object, message: str) -> None:
    """The message names the field, what it must be and what was there."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        facts_from_record(record)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("httpx.ReadTimeout: timed out", "httpx.ReadTimeout", "timed out"),
        ("httpcore.ReadTimeout: ", "httpcore.ReadTimeout", ""),
        ("KeyError", "KeyError", ""),
        ("the socket is gone: for good", "Exception", "the socket is gone: for good"),
        ("", "Exception", ""),
    ],
)
def test_a_line_is_a_type_and_a_text(text: str, kind: str, message: str) -> None:
    assert parse_link(text) == Link(type=kind, message=message)
