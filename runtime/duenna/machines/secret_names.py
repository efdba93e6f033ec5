"""Which names have a secret for their value, and which values look like one.

A name is judged by its words, not by its letters, so that ``token_id``, ``max_tokens`` and
``key`` are what they are. Where a name alone does not decide (``key``, ``token``), the value
has a say: keys of an API are random, keys of a table are not.
"""

import re
from enum import Enum, auto
from functools import lru_cache
from typing import Final


class Hiding(Enum):
    """What of a value is a secret, going by the name that it stands under."""

    NOTHING = auto()
    VALUE = auto()
    """The value, whatever it is."""
    LINE = auto()
    """Everything to the end of the line, as with headers of several parts."""
    TOKEN = auto()
    """The value, unless it looks like a word, a number, a currency or a contract's address."""
    RANDOM = auto()
    """The value, if it looks random."""


_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SUFFIXES: Final = frozenset(
    {"value", "string", "str", "text", "raw", "bytes", "hex", "hash", "plain", "old", "new", "current", "previous"}
)
_SECRET_ENDS: Final = (
    "secret",
    "secrets",
    "secretkey",
    "apikey",
    "apikeys",
    "accesskey",
    "accesskeyid",
    "privatekey",
    "privatekeys",
    "privkey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "sessionkey",
    "listenkey",
    "sshkey",
    "hmackey",
    "authkey",
    "deploykey",
    "passphrase",
    "password",
    "passwords",
    "passwd",
    "passcode",
    "pwd",
    "signature",
    "signatures",
    "apisign",
    "accesssign",
    "jwt",
    "credential",
    "credentials",
    "sessionid",
    "webhookurl",
)
_LINE_ENDS: Final = (
    "authorization",
    "cookie",
    "cookies",
    "mnemonic",
    "mnemonics",
    "seedphrase",
    "recoveryphrase",
    "backupphrase",
    "mnemonicphrase",
)
_TOKENS: Final = re.compile(
    r"(?:access|auth|oauth|refresh|bot|session|csrf|xsrf|security|bearer|api|secret|login|slack|telegram|github|gitlab|"
    r"push|personal|app|webhook|device|admin|vault|listen|jwt|id)tokens?$"
)
_PUBLIC: Final = frozenset(
    {"public", "primary", "foreign", "partition", "sort", "cache", "group", "idempotency", "unique", "object"}
)
_EXACT: Final = {"pass": Hiding.TOKEN, "pw": Hiding.VALUE, "token": Hiding.TOKEN, "tokens": Hiding.RANDOM}
_RANDOM_LAST: Final = frozenset({"key", "keys", "sign", "sig", "hmac", "auth", "seed", "webhook"})


@lru_cache(maxsize=2048)
def hiding(name: str) -> Hiding:
    """Return what of the value under *name* is a secret; *name* is in any spelling: `apiKey`, `OK-ACCESS-SIGN`."""
    words = [word.lower() for word in _WORDS.findall(name)]
    while len(words) > 1 and words[-1] in _SUFFIXES:
        words.pop()
    if not words:
        return Hiding.NOTHING
    joined, last = "".join(words), words[-1]
    if exact := _EXACT.get(joined):
        return exact
    if joined.endswith(_SECRET_ENDS) or _TOKENS.search(joined):
        return Hiding.VALUE
    if joined.endswith(_LINE_ENDS):
        return Hiding.LINE
    if joined.endswith("token"):
        return Hiding.TOKEN
    is_random = last in _RANDOM_LAST and _PUBLIC.isdisjoint(words)
    return Hiding.RANDOM if is_random else Hiding.NOTHING


_RUN: Final = re.compile(r"[A-Za-z0-9+/=]{12,}")
_UUID: Final = re.compile(r"(?i)(?<![0-9a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TURN: Final = re.compile(r"[a-z][A-Z]")
_LOOKED_AT: Final = 256
_DIGITS: Final = 2
_LETTERS: Final = 4
_TURNS: Final = 3


def looks_random(value: str) -> bool:
    """Return whether *value* looks like a key: a run of letters and digits in no order; a UUID is one, too."""
    value = value[:_LOOKED_AT]
    return _UUID.search(value) is not None or any(map(_is_mixed, _RUN.findall(value)))


def _is_mixed(run: str) -> bool:
    digits = sum(map(str.isdigit, run))
    letters = sum(map(str.isalpha, run))
    return letters >= _LETTERS and (digits >= _DIGITS or len(_TURN.findall(run)) >= _TURNS)


_PLAIN_TOKEN: Final = re.compile(r"\d+|0[xX][0-9a-fA-F]{40}|[A-Z]{1,12}|.{0,5}", re.DOTALL)
_LONG_TOKEN: Final = 20
_SHORT_TOKEN: Final = 8


def looks_like_a_token(value: str, *, in_prose: bool) -> bool:
    """Return whether *value* may be what a name such as ``token`` keeps to itself.

    A number, a contract's address, a currency or something short is not. In prose (`unexpected
    token: identifier`) a word is not either.
    """
    if _PLAIN_TOKEN.fullmatch(value):
        return False
    if looks_random(value) or len(value) >= _LONG_TOKEN:
        return True
    return not in_prose or (len(value) >= _SHORT_TOKEN and any(map(str.isdigit, value)))


_NO_VALUE: Final = frozenset({"", "none", "null", "nil", "true", "false", "undefined", "nan", "str", "bytes", "..."})
_PROSE_WORDS: Final = (
    "a an and any are authentication bad be been but can cannot check could denied disabled does empty error "
    "expected expired fail failed field for format forbidden from got has have in inactive incorrect "
    "insufficient invalid is it locked lookup malformed may mismatch missing must need no not of or parameter "
    "please provided rejected required revoked should that the there this to too unauthorized unknown "
    "unsupported use value verification was when while with wrong you your "
)
_PROSE: Final = _NO_VALUE.union(_PROSE_WORDS.split())


def is_no_value(value: str, *, in_prose: bool) -> bool:
    """Return whether *value* stands for there being none; in prose (`password: required`), if it is a mere word."""
    return value.strip(".,;:!?*").lower() in (_PROSE if in_prose else _NO_VALUE)
