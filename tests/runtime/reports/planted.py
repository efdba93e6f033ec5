"""Secrets, each planted in an error in another way, and a look for any of them in what comes out.

For every test of an output: raise what `PLANTED` makes, collect the output as text, and assert
`leaks(text) == []`. Inside `registered()`, those are known too that have neither name nor looks.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

import attrs

from duenna.secrets import Secret, register, unregister

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = 8


@attrs.frozen
class Plant:
    """One secret, and the error that it is in.

    Attributes:
        where: In which way it is in there.
        secret: What must not come out, not even in part.
        make: Makes the error, causes and all, raised.
        is_registered: Whether it is known by its value only.
    """

    where: str
    secret: str
    make: Callable[[], BaseException]
    is_registered: bool = False


def made_up(name: str, length: int = 40) -> str:
    """Return a secret of letters and digits that belongs to *name*."""
    digest = hashlib.sha512(name.encode()).digest()
    return base64.b64encode(digest).decode().replace("+", "x").replace("/", "Y").replace("=", "")[:length]


def raised(error: BaseException) -> BaseException:
    """Return *error* as it is once it was raised."""
    try:
        raise error  # noqa: TRY301  # its traceback is what this is for
    except BaseException as exc:  # noqa: BLE001  # it is what was raised
        return exc


@attrs.define
class Settings:
    """Settings whose `repr` shows everything, as those of most programs do."""

    name: str
    api_key: str
    apiSecret: str  # noqa: N815  # spelt as exchanges do
    limit: int = 5


class AuthRefusedError(Exception):
    """An error whose text is made when it is read."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key

    def __str__(self) -> str:
        return f"refused: {{'key': '{self.key}', 'nonce': 17}}"


def raised_value(text: str) -> Exception:
    """Return a `ValueError` as it is once it was raised."""
    error = ValueError(text)
    raised(error)
    return error


def _says(text: str) -> Callable[[], BaseException]:
    return lambda: raised_value(text)


def _plants() -> Iterator[Plant]:
    texts: dict[str, Callable[[str], str]] = {
        "repr of a dict": lambda it: f"bad call {{'symbol': 'BTCUSDT', 'api_key': '{it}', 'limit': 5}}",
        "JSON": lambda it: json.dumps({"op": "login", "args": [{"apiKey": it, "timestamp": 5}]}),
        "JSON in JSON": lambda it: json.dumps({"body": json.dumps({"inner": json.dumps({"secret": it, "b": 1})})}),
        "repr of settings": lambda it: f"cannot use {Settings('bot', it, it)}",
        "address of a database": lambda it: f"cannot connect to postgresql://bot:{it}/x@db.host:5432/bot",
        "address of a cache": lambda it: f"redis://:{it}@cache:6379/0 refused",
        "query of a signed request": lambda it: f"GET https://x.com/o?symbol=A&timestamp=1&signature={it}&x=1: 400",
        "bearer": lambda it: f"sent Authorization: Bearer {it}\r\nHost: x",
        "basic, in a command": lambda it: f"curl -H 'Authorization: Basic {it}' https://x.com",
        "scheme without a header": lambda it: f"proxy said no to Bearer {it} today",
        "pairs of headers": lambda it: repr([(b"host", b"x"), (b"X-MBX-APIKEY", it.encode())]),
        "headers of OKX": lambda it: repr({"OK-ACCESS-KEY": it, "OK-ACCESS-SIGN": it, "OK-ACCESS-PASSPHRASE": it}),
        "headers of KuCoin": lambda it: f"KC-API-KEY: {it}\nKC-API-SIGN: {it}\nKC-API-PASSPHRASE: {it}\n",
        "cookies": lambda it: f"Cookie: theme=dark; sid={it}; other={it}",
        "PEM": lambda it: f"bad key -----BEGIN EC PRIVATE KEY-----\n{it}\n{it}\n-----END EC PRIVATE KEY----- in file",
        "PEM in a line": lambda it: repr(f"-----BEGIN PRIVATE KEY-----\n{it}\n-----END PRIVATE KEY-----\n"),
        "web token": lambda it: f"refused eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib3QifQ.{it} by server",
        "address of Telegram": lambda it: f"POST https://api.telegram.org/bot123456789:{it}/sendMessage: 404",
        "address of Slack": lambda it: f"POST https://hooks.slack.com/services/T00000000/B00000000/{it}: 410",
        "address of Discord": lambda it: f"https://discord.com/api/webhooks/1234/{it} gone",
        "stream of a listen key": lambda it: f"cannot open wss://fstream.binance.com/ws/{it}{it}",
        "listen key": lambda it: f'PUT answered {{"listenKey":"{it}"}}',
        "URL-encoded JSON": lambda it: "POST /x?data=" + quote(json.dumps({"secret": it, "n": 1}), safe=""),
        "repr of bytes": lambda it: repr(f"POST /o HTTP/1.1\r\napi-sign: {it}\r\nContent-Length: 5".encode()),
        "HTML": lambda it: f"<pre>{{&quot;passphrase&quot;:&quot;{it}&quot;}}</pre>",
        "words of a DSN": lambda it: f"host=db user=bot password={it} dbname=bot",
        "assignment": lambda it: f"BINANCE_API_SECRET={it}\nOTHER=1",
        "subscript": lambda it: f"config['private_key'] = '{it}'",
        "annotated default": lambda it: f"api_secret: str = '{it}'",
        "prose": lambda it: f"Invalid API key {it} provided",
        "option": lambda it: f"duenna --api-secret {it} --verbose",
        "login of a socket": lambda it: json.dumps({"op": "auth", "args": [it, 1659761931230, it]}),
        "tag": lambda it: f"<login><password>{it}</password></login>",
        "quoted quote": lambda it: f'password="a\\"{it}" was wrong',
        "several lines": lambda it: f"login failed\n  api_key:\n    '{it}'\n  user: bot",
        "another script": lambda it: f"пароль неверен: password='пароль{it}ключ' (код 5)",
    }
    for where, text in texts.items():
        secret = made_up(where)
        yield Plant(where, secret, _says(text(secret)))
    hexed = hashlib.sha256(b"private key").hexdigest()
    yield Plant("key of a wallet", hexed, _says(f"cannot sign with private_key=0x{hexed}"))
    words = "abandon ability absent abstract absurd access"
    yield Plant("mnemonic", words, _says(f"mnemonic: {words} accident account"))
    yield Plant("key of AWS", "AKIAIOSFODNN7EXAMPLE", _says("SignatureDoesNotMatch for AKIAIOSFODNN7EXAMPLE"))
    yield from _in_odd_places()
    yield from _by_value()


def _in_odd_places() -> Iterator[Plant]:
    wraps: dict[str, Callable[[str], BaseException]] = {
        "cause": _as_cause,
        "context": _as_context,
        "group": _in_groups,
        "cause of a member": _as_cause_of_a_member,
    }
    for where, wrap in wraps.items():
        secret = made_up(where)
        yield Plant(where, secret, partial(wrap, f"api_key={secret}"))
    for where, before, after in (
        ("cut at the end of a report", 470, 100),
        ("cut at the end of the window", 4070, 10_000),
        ("ten megabytes", 300, 10_000_000),
    ):
        secret = made_up(where, 60)
        yield Plant(where, secret, _says("." * before + f" https://u:{secret}@host " + "." * after))
    secret = made_up("made when read")
    yield Plant("made when read", secret, lambda: raised(AuthRefusedError(secret)))
    key = made_up("missing key")
    yield Plant("missing key", key, lambda: raised(KeyError(f"token={key}")))
    code = made_up("code of an error")
    yield Plant("code of an error", code, lambda: raised(_with(OSError(5, f"secret={code}"), code=f"token={code}")))


def _by_value() -> Iterator[Plant]:
    texts: dict[str, Callable[[str], str]] = {
        "by value": lambda it: f"{it} is not welcome here",
        "by value, in a path": lambda it: f"GET /users/{quote(it, safe='')}/orders: 404",
        "by value, in base64": lambda it: "sent " + base64.b64encode(f"me:{it}".encode()).decode(),
        "by value, at the cut": lambda it: "." * 4_060 + it + "." * 200,
    }
    for where, text in texts.items():
        secret = made_up(where)[:20] + "/+ " + made_up(where)[20:]
        yield Plant(where, secret, _says(text(secret)), is_registered=True)
    wrapped = made_up("wrapped")
    yield Plant("wrapped", wrapped, lambda: raised(ValueError(f"{Secret(wrapped)!r} {Secret(wrapped)} {wrapped}")))


def _with(error: BaseException, **attributes: object) -> BaseException:
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


def _as_cause(text: str) -> Exception:
    error = RuntimeError("failed")
    error.__cause__ = raised_value(text)
    raised(error)
    return error


def _as_context(text: str) -> BaseException:
    try:
        try:
            raise ValueError(text)
        finally:
            raise RuntimeError("while cleaning up")
    except RuntimeError as error:
        return error


def _in_groups(text: str) -> BaseException:
    inner = ExceptionGroup("inner", [OSError("no"), raised_value(text)])
    return raised(ExceptionGroup("outer", [inner, TypeError("x")]))


def _as_cause_of_a_member(text: str) -> BaseException:
    return raised(ExceptionGroup(f"failed: {text}", [_as_cause(text)]))


PLANTED = tuple(_plants())


def context_of_secrets() -> tuple[dict[str, object], list[str]]:
    """Return what a reporter might add, and the secrets in it."""
    secrets = [made_up(f"context {number}") for number in range(6)]
    return {
        "api_key": secrets[0],
        "headers": {"Authorization": f"Bearer {secrets[1]}", "Host": "x"},
        "settings": Settings("bot", secrets[2], secrets[2]),
        "call": f"GET /x?signature={secrets[3]}",
        "error": ValueError(f"secret={secrets[4]}"),
        f"token={secrets[5]}": "a key of its own",
        "symbol": "BTCUSDT",
    }, secrets


@contextmanager
def registered() -> Iterator[None]:
    """Have the secrets registered that are known by their value only."""
    values = [plant.secret for plant in PLANTED if plant.is_registered]
    for value in values:
        register(value)
    yield
    for value in values:
        unregister(value)


def pieces(secret: str) -> set[str]:
    """Return every piece of *secret* that would be a leak."""
    return {secret[at : at + _PIECE] for at in range(len(secret) - _PIECE + 1)}


def leaks(text: str, secrets: list[str] | None = None) -> list[str]:
    """Return the places from which something is in *text*: empty is what it should be."""
    planted = {secret: secret for secret in secrets} if secrets is not None else _SECRETS
    return [where for where, secret in planted.items() if any(piece in text for piece in pieces(secret))]


_SECRETS = {plant.where: plant.secret for plant in PLANTED}
