"""Names with secrets under them, and values that look like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.secret_names import Hiding, hiding, is_no_value, looks_like_a_token, looks_random

NAMES = {
    Hiding.VALUE: [
        *["api_key", "apiKey", "API-KEY", "APIKEY", "x-mbx-apikey", "OK-ACCESS-KEY", "OK-ACCESS-SIGN", "API-Sign"],
        *["OK-ACCESS-PASSPHRASE", "KC-API-SIGN", "apiSecret", "secret", "client_secret", "BINANCE_API_SECRET", "pwd"],
        *["secretKey", "privateKey", "password", "db_password_2", "passwd", "signature", "X-Amz-Signature", "jwt"],
        *["listenKey", "access_token", "bot_token", "X-Auth-Token", "csrfToken", "session_id", "api_key_value"],
        *["aws_secret_access_key", "AWS_SESSION_TOKEN", "credentials", "webhook_url", "oldPassword", "passwordHash"],
    ],
    Hiding.LINE: ["Authorization", "proxy-authorization", "Cookie", "Set-Cookie", "mnemonic", "seed_phrase"],
    Hiding.TOKEN: ["token", "base_token", "pass"],
    Hiding.RANDOM: ["key", "sign", "routing_key", "tokens", "seed", "auth", "webhook", "sig"],
    Hiding.NOTHING: [
        *[
            "",
            "5",
            "token_id",
            "tokenId",
            "max_tokens",
            "public_key",
            "primary key",
            "cache_key",
            "monkey",
            "secretary",
        ],
        *["signature_type", "passed", "keys_seen", "price", "symbol", "author", "session", "phrase", "value"],
    ],
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in NAMES.items() for name in names])
def test_a_name_is_judged_by_its_words(kind: Hiding, name: str) -> None:
    assert hiding(name) is kind


RANDOM = [
    *["S3cr3tVALUE99xyzABC", "0123456789abcdef0123", "8b0a3c1e-1f2d-4c3b-9a8f-0123456789ab", "aBcDeFgHiJkLmNoP"],
    *["close_15m.dXNlcjpwYXNzd29yZA==1234", "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"],
]
PLAIN = [
    *["", "close_15m", "BTCUSDT_1m_20240101", "20240101T000000Z", "abcdefghijklmnopqrst", "1700000000000", "BTCUSDT"],
    *["normalized_close_price", "Administrator", "12345678901234567890", "-", "x" * 1000],
]


@pytest.mark.parametrize("value", RANDOM)
def test_a_key_looks_random(value: str) -> None:
    assert looks_random(value)


@pytest.mark.parametrize("value", PLAIN)
def test_a_word_a_number_and_a_date_do_not(value: str) -> None:
    assert not looks_random(value)


@pytest.mark.parametrize(
    ("value", "in_prose", "structured"),
    [
        ("S3cr3tVALUE99xyzABC", True, True),
        ("supersecret", False, True),
        ("identifier", False, True),
        ("a" * 20, True, True),
        ("abc12345", True, True),
        ("hunter2", False, True),
        ("USDC", False, False),
        ("abc", False, False),
        ("7132170498172971321704981729", False, False),
        ("0x" + "a1" * 20, False, False),
    ],
)
def test_what_looks_like_a_token(value: str, in_prose: bool, structured: bool) -> None:
    assert looks_like_a_token(value, in_prose=True) is in_prose
    assert looks_like_a_token(value, in_prose=False) is structured


@pytest.mark.parametrize(
    ("value", "in_prose", "structured"),
    [("", True, True), ("None", True, True), ("expired.", True, False), ("hunter2", False, False)],
)
def test_what_is_no_value(value: str, in_prose: bool, structured: bool) -> None:
    assert is_no_value(value, in_prose=True) is in_prose
    assert is_no_value(value, in_prose=False) is structured


@given(st.text())
def test_every_name_has_an_answer(name: str) -> None:
    assert hiding(name) in Hiding
