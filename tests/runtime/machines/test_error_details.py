"""The numbers that stand in an error's text."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.classification import Link
from duenna.machines.error_details import complete


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Client error '429 Too Many Requests' for url 'http://x'", {"status": 429}),
        ("404 Client Error: Not Found for url: https://x", {"status": 404}),
        ("502, message='Bad Gateway', url='x'", {"status": 502}),
        ("(403, ((b'content-length', b'9'),), b'Forbidden')", {"status": 403}),
        ("Handshake status 504 Gateway Time-out", {"status": 504}),
        ("PolyApiException[status_code=400, error_message=x]", {"status": 400}),
        ("HTTP Error 403: Forbidden", {"status": 403}),
        ("(Caused by ResponseError('too many 429 error responses'))", {"status": 429}),
        ("server rejected WebSocket connection: HTTP 502", {"status": 502}),
        ("<html><head><title>503 Service</title>", {"status": 503}),
        ("[Errno 111] Connection refused", {"errno": 111}),
        ("[Errno -2] Name or service not known", {"errno": -2}),
        ("(Caused by SSLError(OSError(24, 'Too many open files')))", {"errno": 24}),
        ("SSLCertVerificationError(1, '[SSL: X]')", {}),
        ("received 1008 (policy violation); then sent 1008", {"close_code": 1008}),
        ("sent 1011 (internal error) keepalive; no close frame received", {"close_code": 1011}),
        ("closing code 1006", {"close_code": 1006}),
        ("Close code = 1006 msg", {"code": "1006", "close_code": 1006}),
        ("CloseReason<code=1013, name=TRY_AGAIN_LATER, reason=x>", {"code": "1013", "close_code": 1013}),
        ("APIError(code=-1021): Timestamp", {"code": "-1021"}),
        ('okx {"code":"50011","msg":"x"}', {"code": "50011"}),
        ('bybit {"retCode":10003}', {"code": "10003"}),
        ("(ErrCode: 10006) (ErrTime: x)", {"code": "10006"}),
        ('gate {"label":"INVALID_KEY"}', {"code": "INVALID_KEY"}),
        ("['EAPI:Invalid nonce']", {"code": "EAPI:Invalid nonce"}),
        ("KucoinAPIException 400100: symbol", {"code": "400100"}),
        ("status = StatusCode.UNAVAILABLE", {"code": "UNAVAILABLE"}),
        ("SQLSTATE: 40P01", {"sqlstate": "40P01"}),
        ("SQLSTATE", {}),
        ("Flood control exceeded. Retry in 23 seconds", {"retry_after": 23.0}),
        ("try again in 1.5 s", {"retry_after": 1.5}),
        ("retry in 250 ms", {}),
        ("(429, ((b'retry-after', b'7'),), b'')", {"status": 429, "retry_after": 7.0}),
        ("please retry", {}),
        ("nothing to see", {}),
        ("", {}),
    ],
)
def test_a_text_tells(text: str, expected: dict[str, Any]) -> None:
    assert complete(Link(type="E", message=text)) == Link(type="E", message=text, **expected)


def test_what_is_known_is_not_read_again() -> None:
    known = Link(
        type="E",
        message="HTTP 500, code=-1, [Errno 5], closing code 1006, SQLSTATE 40001, retry after 9",
        status=429,
        code="1",
        errno=111,
        close_code=1000,
        sqlstate="08006",
        retry_after=1.0,
    )

    assert complete(known) is known


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5_000_000,
        "Error(" * 2_000_000,
        "code=" * 2_000_000,
        "E" * 10_000_000,
        "retry after " * 1_000_000,
        "1" * 10_000_000,
    ],
    ids=["brackets", "errors", "codes", "letters", "retries", "digits"],
)
def test_a_huge_text_is_read_in_part(text: str) -> None:
    """Only its beginning counts, so that 10 MB cost what 1,000 characters cost."""
    whole = complete(Link(type="E", message=text))
    beginning = complete(Link(type="E", message=text[:1_000]))

    assert msgspec.structs.replace(whole, message="") == msgspec.structs.replace(beginning, message="")


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    link = complete(Link(type="E", message=text))

    assert link.status is None or 100 <= link.status <= 599
    assert link.close_code is None or 1000 <= link.close_code <= 4999
