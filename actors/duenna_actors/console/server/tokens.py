"""Who may come in: a file of tokens, made at the first start, for the owner's eyes only."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import attrs

from duenna.secrets import register, unregister
from duenna_actors.console.server.errors import TokenFileError
from duenna_actors.console.server.places import draft_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

VIEW: Final = "view"
OPERATE: Final = "operate"
ROLES: Final = (VIEW, OPERATE)
"""From the least to the most: who may operate may view."""

_WORDS = 3
_SHORTEST = 16
_LONGEST_FILE = 65_536
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=")
_HEADING = "# Tokens of the console, one a line: NAME ROLE TOKEN. ROLE is view or operate. Read at the start.\n"


@attrs.frozen
class Token:
    """One line.

    Attributes:
        name: Who it was given to, as the logs show it.
        role: What it is good for.
        secret: What must be shown; in no representation.
    """

    name: str
    role: str
    secret: str = attrs.field(repr=False)


class Tokens:
    """All that are valid."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        """Know *tokens*."""
        self._known = tuple((_digest(token.secret.encode()), token) for token in tokens)

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order of the file."""
        return tuple(token.name for _, token in self._known)

    def find(self, shown: bytes) -> Token | None:
        """Return the token that was shown; takes the same time whatever it is."""
        given = _digest(shown)
        found: Token | None = None
        for digest, token in self._known:  # all of them: which one fits must not be told by the time either
            if hmac.compare_digest(digest, given):
                found = token
        return found

    @asynccontextmanager
    async def hidden(self) -> AsyncGenerator[None]:
        """Have every token hidden in whatever is shown, logged or stored while the block runs."""
        for _, token in self._known:
            register(token.secret)
        try:
            yield
        finally:
            for _, token in self._known:
                unregister(token.secret)


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()


def load_tokens(path: Path, draw: Callable[[], str] = secrets.token_urlsafe) -> Tokens:
    """Return the tokens in *path*; a file that is not there is made, with one token for each role.

    Raises:
        TokenFileError: It cannot be made or read, or something in it is wrong.
    """
    if not os.path.lexists(path):
        lines = [f"{role} {role} {draw()}\n" for role in reversed(ROLES)]
        try:
            _make(path, "".join([_HEADING, *lines]).encode())
        except OSError as exc:
            raise TokenFileError(path, f"cannot be made: {exc.strerror or exc}") from exc
    return read_tokens(path)


def _make(path: Path, content: bytes) -> None:
    draft = draft_of(path, content)
    try:
        os.link(draft, path)  # unlike a rename, this never takes the place of what another has made meanwhile
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)


def read_tokens(path: Path) -> Tokens:
    """Return the tokens in *path*.

    Raises:
        TokenFileError: It cannot be read, others can read it, it holds no token, or a line is wrong.
    """
    try:
        text = _private(path).decode()
    except OSError as exc:
        raise TokenFileError(path, f"cannot be read: {exc.strerror or exc}") from exc
    except UnicodeDecodeError:
        raise TokenFileError(path, "must be text in UTF-8") from None
    tokens: list[Token] = []
    for number, line in enumerate(text.splitlines(), 1):
        content = line.strip()
        if content and not content.startswith("#"):
            tokens.append(_parsed(path, number, content.split(), tokens))
    if not tokens:
        raise TokenFileError(path, "has no token; remove it, and one for each role is made at the next start")
    return Tokens(tuple(tokens))


def _private(path: Path) -> bytes:
    """Return the content of a file that nobody but its owner can read."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe in its place must not hold us up
    try:
        stream = open(file, "rb")  # noqa: PTH123, SIM115  # what is looked at is what is read
    except OSError:  # it is a folder
        os.close(file)
        raise
    with stream:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise TokenFileError(path, "must be a regular file")
        if found.st_uid not in {os.geteuid(), 0}:
            raise TokenFileError(path, f"must belong to user {os.geteuid()}, it is of {found.st_uid}")
        mode = stat.S_IMODE(found.st_mode)
        if mode & 0o077:
            raise TokenFileError(path, f"must have the mode 0600, it has {mode:04o}: chmod 600 {path}")
        content = stream.read(_LONGEST_FILE + 1)
    if len(content) > _LONGEST_FILE:
        raise TokenFileError(path, f"must have at most {_LONGEST_FILE} bytes")
    return content


def _parsed(path: Path, number: int, words: list[str], before: list[Token]) -> Token:
    if len(words) != _WORDS:
        raise TokenFileError(path, f"must be NAME ROLE TOKEN, got {len(words)} words", number)
    name, role, secret = words
    if role not in ROLES:
        raise TokenFileError(path, f"the role must be view or operate, got {role!r}", number)
    if len(secret) < _SHORTEST or not _SAFE.issuperset(secret):
        rule = f"the token must have at least {_SHORTEST} characters, each a letter, a digit or one of -._~+/="
        raise TokenFileError(path, rule, number)
    for other in before:
        if other.name == name:
            raise TokenFileError(path, f"names must all be different, got {name!r} twice", number)
        if other.secret == secret:
            raise TokenFileError(path, f"tokens must all be different, {name!r} has that of {other.name!r}", number)
    return Token(name, role, secret)
