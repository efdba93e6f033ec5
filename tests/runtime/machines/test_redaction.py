"""What is hidden, and what is left alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duenna.machines import redaction
from duenna.machines.redaction import HIDDEN, hide, is_suspicious

S = "S3cr3tVALUE99xyzABC"
"""A secret."""
ADDRESS = "0x" + "a1" * 20

HIDES = [
    # (a text, what is left of it)
    (f"api_key='{S}'", "api_key='***'"),
    (f"Invalid API-key '{S}', IP, or permissions", "Invalid API-key '***', IP, or permissions"),
    (f"api_key%253D{S}", "api_key%253D***"),
    (f"%2522apiKey%2522%253A%2522{S}%2522", "%2522apiKey%2522%253A%2522***%2522"),
    (f"api_key&#61;{S}", "api_key&#61;***"),
    (f'{{"apiKey": "{S}", "x": 1}}', '{"apiKey": "***", "x": 1}'),
    (f"apiSecret={S}&a=1", "apiSecret=***&a=1"),
    (f"API key: {S}", "API key: ***"),
    (f"seed  phrase: {S} a b", "seed  phrase: ***"),
    (f"the  API key = {S}", "the  API key = ***"),
    (f"api_key => {S}", "api_key => ***"),
    (f"secret\uff1a{S}", "secret\uff1a***"),
    (f"token={S},", "token=***,"),
    (f"secret={S}, b=1", "secret=***, b=1"),
    ("secret=a,b=1", "secret=***,b=1"),
    ("secret=a,b;c", "secret=***;c"),
    ("secret=a)b", "secret=***"),
    ("secret=a)", "secret=***)"),
    ("secret=a\\b", "secret=***"),
    (f"secret=\n  {S}", "secret=\n  ***"),
    (f"pass={S}", "pass=***"),
    ("pw=hunter2", "pw=***"),
    ("password: 'hunter2'", "password: '***'"),
    ("password='it\\'s {S}' b", "password='***' b"),
    ('password="a\\"b" c', 'password="***" c'),
    ("password='never closed", "password='***"),
    ("password='ends\\", "password='***"),
    ('password="""a"b""" c', 'password="""***""" c'),
    ("password=`a`", "password=`***`"),
    (f"api_key: str = '{S}'", "api_key: str = '***'"),
    (f"api_key: str | None = '{S}'", "api_key: str | None = '***'"),
    (f"config['api_key'] = '{S}'", "config['api_key'] = '***'"),
    (f"secret=b'{S}'", "secret=b'***'"),
    (f"secret=Secret('{S}'), a=1", "secret=***, a=1"),
    (f"secret=pkg.Secret('{S}'), a=1", "secret=***, a=1"),
    (f"secrets=['{S}', \"b]\"], a=1", "secrets=***, a=1"),
    ("secret=(1, 2), a=1", "secret=***, a=1"),
    ("secret=('never closed", "secret=***"),
    (f"secret=<Secret {S}>, a=1", "secret=***, a=1"),
    (f"auth=('user', '{S}')", "auth=***"),
    (f'"{{\\"secret\\": \\"{S}\\"}}"', '"{\\"secret\\": \\"***\\"}"'),
    ('{\\"secret\\": \\"a\\\\\\"b\\", \\"c\\": 1}', '{\\"secret\\": \\"***\\", \\"c\\": 1}'),
    (f'\\"secret\\": \\"{S}', '\\"secret\\": \\"***'),
    (f"%22secret%22%3A%22{S}%22%7D", "%22secret%22%3A%22***%22%7D"),
    (f"%2Ckey%3D{S}1234", "%2Ckey%3D***"),
    (f"&quot;secret&quot;:&quot;{S}&quot;", "&quot;secret&quot;:&quot;***&quot;"),
    (f"\\u0022secret\\u0022:\\u0022{S}\\u0022", "\\u0022secret\\u0022:\\u0022***\\u0022"),
    (f"b'a\\nkey={S}12'", "b'a\\nkey=***'"),
    (f'{{"name":"apiKey","value":"{S}"}}', '{"name":"apiKey","value":"***"}'),
    (f"<password>{S}</password>", "<password>***</password>"),
    # headers
    (f"Authorization: Bearer {S}\r\nHost: x", "Authorization: ***\r\nHost: x"),
    (f"{{'Authorization': 'Bearer {S}'}}", "{'Authorization': '***'}"),
    (f"X-MBX-APIKEY: {S}", "X-MBX-APIKEY: ***"),
    (f"OK-ACCESS-SIGN={S}", "OK-ACCESS-SIGN=***"),
    (f"Cookie: a=b; c={S}", "Cookie: ***"),
    (f"[(b'X-MBX-APIKEY', b'{S}'), (b'a', b'b')]", "[(b'X-MBX-APIKEY', b'***'), (b'a', b'b')]"),
    (f"[['X-MBX-APIKEY', '{S}']]", "[['X-MBX-APIKEY', '***']]"),
    (f"('X-MBX-APIKEY', '{S}", "('X-MBX-APIKEY', '***"),
    (f"Bearer {S}", "Bearer ***"),
    ("Basic dXNlcjpwYXNz", "Basic ***"),
    (f"Bearer%20{S}", "Bearer%20***"),
    (f"AUTH PLAIN {S}", "AUTH PLAIN ***"),
    (f"access_token=Bearer {S}", "access_token=***"),
    # as the next word
    (f"Invalid API key {S} given", "Invalid API key *** given"),
    (f"password is {S}", "password is ***"),
    ("--api-secret abc --x", "--api-secret *** --x"),
    # names that do not suffice
    (f"key={S}1234", "key=***"),
    (f"'key': '{S}1234'", "'key': '***'"),
    ("token=superdupersecret", "token=***"),
    (f"sign={S}", "sign=***"),
    # addresses
    (f"https://user:{S}@host/x", "https://user:***@host/x"),
    ("postgres://u:p@a/ss?w#d@host/x", "postgres://u:***@host/x"),
    (f"redis://:{S}@h", "redis://:***@h"),
    ("https://user:12345@host", "https://user:***@host"),
    (f"https://u:{S}", "https://u:***"),
    (f"https://u:{S}... and more", "https://u:*** and more"),
    (f"https://{S}1234@host", "https://***@host"),
    (f"postgres%3A%2F%2Fu%3A{S}%40h", "postgres%3A%2F%2Fu%3A***%40h"),
    ("a://b:c d://e:f@g", "a://b:c d://e:***@g"),
    # looks
    (f"-----BEGIN RSA PRIVATE KEY-----\n{S}\n-----END RSA PRIVATE KEY----- x", "*** x"),
    (f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{S}", "***"),
    (f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.{S} x", "*** x"),
    ("AKIAIOSFODNN7EXAMPLE x ASIAIOSFODNN7EXAMPLE", "*** x ***"),
    (f"xoxb-12345-{S} ghp_{S} sk-proj-{S} sk-{S}1 sk_live_{S}", "*** *** *** *** ***"),
    (f"glpat-{S} xapp-{S} github_pat_{S} AIza{S}{S}", "*** *** *** ***"),
    ("gho_a1b2c3d4e5 ghu_a1b2c3d4e5 ghs_a1b2c3d4e5 ghr_a1b2c3d4e5 rk_test_a1b2c3d4", "*** *** *** *** ***"),
    (f"https://api.telegram.org/bot123456:{S}/send", "https://api.telegram.org/bot***/send"),
    ("to 123456789:AAabcdefghijklmnopqrstuvwxyz", "to ***"),
    (f"https://hooks.slack.com/services/T/B/{S}, x", "https://hooks.slack.com/services/***, x"),
    (f"https://discord.com/api/webhooks/12/{S}", "https://discord.com/api/webhooks/12/***"),
    ("wss://x.com/ws/" + "aB3" * 21, "wss://x.com/ws/***"),
    ("wss://x.com/stream?streams=" + "aB3" * 21, "wss://x.com/stream?streams=***"),
    (f'{{"op":"auth","args":["{S}",16]}}', '{"op":"auth","args":***}'),
    # letters whose small form is longer
    (f"\u0130stanbul API_KEY={S}", "\u0130stanbul API_KEY=***"),
]

LEAVES = [
    "",
    "key error: 'close_15m'",
    "token id invalid",
    "keyword argument 'key'",
    "unexpected key 'close_15m', wanted 'open'",
    "price=101.5",
    "KeyError: 'api_key'",
    "missing keys: ['api_key', 'secret']",
    "('api_key', 'secret')",
    "('api_key', 5)",
    "api_key, 'x'",
    "API-key format invalid.",
    "Signature for this request is not valid.",
    'binance requires "apiKey" credential',
    'password authentication failed for user "bot"',
    "token: expired",
    "api key: invalid",
    "secret=None",
    "secret=",
    "secret=''",
    "unexpected token: identifier",
    "Unexpected token: '}'",
    "unexpected token 'abc' in JSON",
    "key=close_15m",
    "'key': 'close_15m_ma'",
    "key (required)",
    "auth=(user, x)",
    "token_id=71321704981729",
    "max_tokens=4096",
    "token=USDC",
    "pass: 3, fail: 2",
    f"'token': '{ADDRESS}'",
    "https://host:8080/a@b",
    "wss://s:9443/ws/btcusdt@trade",
    "https://medium.com/@me",
    "https://me@host",
    "http://a:b and more",
    'duplicate key value violates unique constraint "pk"',
    "Key (id)=(5) already exists",
    "basic authentication failed",
    "bearer token expired",
    "signature mismatch",
    "sign=-1",
    "public_key=ABCDEF1234567890abcdef",
    "EAPI:Invalid key",
    "monkey=5",
    "secretary: Bob",
    "Object missing required field `api_key` - at `$.x`",
    "f() got an unexpected keyword argument 'token'",
    "--api-key --verbose",
    "--key abc",
    "a secret > b",
    "task-list risk-adjusted_return",
    "the key ",
    "password",
    "password 'x' is wrong",
    "x session closed",
    "\\key",
    HIDDEN,
    "api_key=***",
    "api_key='***'",
    "password is ***",
    "api_key ***",
    "('X-MBX-APIKEY', '***')",
]


@pytest.mark.parametrize(("text", "left"), HIDES)
def test_a_secret_is_hidden_and_its_name_stays(text: str, left: str) -> None:
    assert hide(text) == left


@pytest.mark.parametrize("text", LEAVES)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert hide(text) == text


PIECES = [
    *[
        "api_key",
        "secret",
        "token",
        "password",
        "Authorization",
        " Bearer ",
        "Basic ",
        "=",
        ": ",
        "'",
        '"',
        "\\",
        "\\'",
    ],
    *['\\"', "://", "@", "user", ":", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "eyJhbGciOi", "."],
    *["***", "abc123DEF456ghi789", "(", ")", "[", "]", "{", "}", ",", ";", "&", "%22", "%3A", "\n", " ", "/bot123:"],
    *["hooks.slack.com/services/", "AKIA1234567890ABCDEF", "\u0130", "key", "sign", "auth", "b'", "--", "&quot;", "<"],
    *[">", "mnemonic", "word", "%40", "%3A%2F%2F", "is ", "%", "_", "-", "cookie: ", "host", "8080", "/", "...", "str"],
]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=25).map("".join)


@given(texts)
@settings(max_examples=500)
def test_twice_is_once(text: str) -> None:
    hidden = hide(text)

    assert hide(hidden) == hidden


@given(st.text())
@settings(max_examples=300)
def test_what_is_not_suspicious_is_the_same_object(text: str) -> None:
    if not is_suspicious(text):
        assert hide(text) is text


@pytest.mark.parametrize(("text", "left"), HIDES)
def test_whatever_is_hidden_was_suspicious(text: str, left: str) -> None:
    """The quick look never spares a text that the long one would change."""
    assert is_suspicious(text)


@given(
    name=st.sampled_from(["api_key", "apiSecret", "X-MBX-APIKEY", "password", "OK-ACCESS-PASSPHRASE", "listenKey"]),
    value=st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=8, max_size=80),
    form=st.sampled_from(
        ["{}={}", "'{}': '{}'", '"{}":"{}"', "a, {}='{}', b", "?x=1&{}={}&y=2", "({}={})", "{}: '{}'"]
    ),
    around=st.text(st.sampled_from("xyz .\n"), max_size=20),
)
def test_no_value_of_a_secret_name_survives(name: str, value: str, form: str, around: str) -> None:
    hidden = hide(f"{around} {form.format(name, value)} {around}")

    assert value not in hidden or value.lower() in {"undefined", "required"}
    assert name in hidden


def test_a_text_that_does_not_come_to_rest_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redacting twice is redacting once whatever the patterns do."""
    monkeypatch.setattr(redaction, "_known", lambda text: text + "=")

    assert hide("key") == HIDDEN


@pytest.mark.parametrize(
    "piece",
    [
        *PIECES,
        *["token ", "aaaaaaa=", "://a:", "key,", "password='\\'", "api_key=(", "token=,a", "eyJhbGciOi.", "auth=('"],
        *["%3A%2F%2Fa%3A", "[b'key', ", "key" + " " * 50, "\\\\'", "sk-", 'key=\\"', "token=%22", "cookie" + "a" * 100],
        *['secret=["', "secret=(')", "xox-", "12345678:AA", '"op":"auth","args":', "https://a:b@"],
    ],
)
def test_the_work_grows_with_the_length_and_no_faster(piece: str) -> None:
    """Counted in processor time of this thread, with much room: a text 8 times as long may take 40 times as long."""

    def cost(length: int) -> float:
        text = (piece * (length // len(piece) + 1))[:length]
        times: list[float] = []
        for _ in range(2):
            begin = time.thread_time()
            hide(text)
            times.append(time.thread_time() - begin)
        return min(times)

    short = max(cost(1_000), 0.0002)

    assert cost(8_000) < 40 * short
