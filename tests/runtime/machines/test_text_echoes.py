"""What of a text only repeats the request is left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.text_echoes import without_echoes
from duenna.machines.text_patterns import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("insufficient balance", "insufficient balance"),
        (
            'leverage not modified (ErrCode: 110043).\nRequest → POST https://x/v5/position: {"symbol": "BTCUSDT"}.',
            "leverage not modified err code 110043",
        ),
        (
            "Client error '404 Not Found' for url 'https://x/order'\nFor more information check: https://y/404",
            "client error 404 not found",
        ),
        ("no such table\n(Background on this error at: https://sqlalche.me/e/14/e3q8)", "no such table"),
        ("Table does not exist.\nStack trace:\n0. DB::Exception::Exception", "table does not exist"),
        (
            (
                "(404)\nReason: Not Found\nHTTP response headers: HTTPHeaderDict({'Content-Type': 'x'})\n"
                "HTTP response body: order not found"
            ),
            "404 reason not found order not found",
        ),
        ("(404)\nHTTP response headers: HTTPHeaderDict({})", "404"),
        ("(404)\nHTTP response body: order not found", "404 order not found"),
        ("400 Bad Request: price too low", "400 price too low"),
        ("Bad Request", "bad request"),
        (
            (
                "HTTPSConnectionPool(host='api.x', port=443): Max retries exceeded with url: /order?symbol=X "
                "(Caused by ResponseError('too many 429 error responses'))"
            ),
            "https max retries exceeded response error too many 429 error responses",
        ),
        ("HTTPConnectionPool(host='x', port=80): Read timed out.", "http read timed out"),
        ("HTTPSConnectionPool(", "https"),
        ('{"code":"40018","msg":"Invalid IP","requestTime":1695808949356}', "code 40018 invalid ip"),
        (
            '{"id":8,"method":"private/get-open-orders","code":42901,"message":"TOO_MANY_REQUESTS"}',
            "id 8 code 42901 too many requests",
        ),
        (
            '{"timestamp":"2024-01-02T03:04:05Z","status":404,"error":"Not Found","path":"/api/v3/order"}',
            "status 404 error not found",
        ),
        ("{'serverTime': 17, 'msg': 'request timestamp expired'}", "request timestamp expired"),
        ('{"timestamp":"is required"}', "timestamp is required"),
        (" for url alone", "for url alone"),
        ("\nRequest alone", "request alone"),
    ],
)
def test_what_is_left(text: str, expected: str) -> None:
    """The answer is; the request, headers, moments, paths and the keys that only say `message` are not."""
    assert words(without_echoes(text)) == expected


@given(st.text(alphabet="\n'\":{}, abcmethodpahtimsgReqstBody/0159→ ()", max_size=300))
def test_nothing_is_added(text: str) -> None:
    """Whatever the text: no word comes in that no part of it had."""
    assert len(without_echoes(text)) <= len(text) + 1


@pytest.mark.parametrize("piece", ['"time', '"method":"/', "ConnectionPool(", "HTTP response headers:", "\nRequest "])
def test_long_texts_take_no_longer_than_they_are(piece: str) -> None:
    """Each form that is looked for, 1,000 times over, is done with."""
    assert without_echoes(piece * 1_000) is not None
