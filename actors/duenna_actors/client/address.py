"""Which bot is meant, where it listens, and with which token."""

from __future__ import annotations

import json
import os
import socket as sockets
import stat
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from duenna_actors.client.errors import NoBotError, RefusedError, SeveralBotsError, UsageError
from duenna_actors.client.text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_BYTES: Final = 65_536  # of a discovery file, and of a file of tokens
_PROBE_TIMEOUT: Final = 1.0
_ROLES: Final = ("operate", "view")  # the first that there is, is used
_HINT: Final = "is the bot running, with console() in system=[...]?"


class Address(NamedTuple):
    """Where one bot answers.

    Attributes:
        bot: Its name; empty if it is not known.
        socket: Path of its Unix socket, which is preferred; None: there is none.
        url: Address of its TCP port; None: there is none.
        token: What lets the caller in; None: there is none.
    """

    bot: str
    socket: str | None
    url: str | None
    token: str | None

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"Address(bot={self.bot!r}, socket={self.socket!r}, url={self.url!r})"

    def text(self) -> str:
        """Return who and where it is, for a person."""
        where = self.socket or self.url or "nowhere"
        return visible(f"{self.bot} ({where})" if self.bot else where)


def find(
    bot: str | None = None,
    *,
    socket: str | None = None,
    url: str | None = None,
    token: str | None = None,
    token_file: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Address:
    """Find the bot that is meant.

    What is said here goes before the environment (`DUENNA_SOCKET`, `DUENNA_URL`, `DUENNA_TOKEN`), and that before the
    files that running bots leave in `DUENNA_RUN_DIR`, `$XDG_RUNTIME_DIR/duenna` and `/tmp/duenna-<uid>`.

    Args:
        bot: Name of the bot, if there may be several.
        socket: Path of its Unix socket.
        url: Such as `http://127.0.0.1:3000`; `#token=...` at its end is a token.
        token: The token.
        token_file: A file that has it alone, or lines `NAME ROLE TOKEN`.
        env: The environment; None: that of the process.

    Raises:
        NoBotError: There is none, or (`SeveralBotsError`) there are several.
        RefusedError: The file of tokens cannot be read by this user.
        UsageError: *token_file* is no file of tokens.
    """
    known = os.environ if env is None else env
    secret = token or (read_token(token_file) if token_file else known.get("DUENNA_TOKEN") or None)
    if not socket and not url and not bot:
        socket = known.get("DUENNA_SOCKET") or None
        url = None if socket else known.get("DUENNA_URL") or None
    if socket:
        return _at_socket(socket, secret)
    if url:
        url, _, fragment = url.partition("#")  # as `duenna console` prints it
        secret = secret or fragment.partition("token=")[2] or None
        return Address("", None, url, secret or _token_for(url, known))
    found = _choose(bot, known)
    return Address(found["bot"], found["socket"], found["url"], secret or _token_of(found))


def folders(env: Mapping[str, str]) -> list[str]:
    """Return where bots of this user leave word of themselves."""
    if given := env.get("DUENNA_RUN_DIR"):
        return [given]
    private = env.get("XDG_RUNTIME_DIR")
    return [*([os.path.join(private, "duenna")] if private else []), f"/tmp/duenna-{os.getuid()}"]  # noqa: PTH118, S108 - pathlib takes 10 ms to import; checked before use


def known_bots(env: Mapping[str, str]) -> list[str]:
    """Return the names of the bots that left word of themselves, whether they answer or not."""
    return [str(found["bot"]) for found in _all(env)]


def read_token(path: str) -> str:
    """Return the token in the file *path*: the one that may do most, or the only word in it.

    Raises:
        UsageError: It cannot be read, or has none.
    """
    try:
        return _read_token(path)
    except OSError as exc:
        raise UsageError(f"the file of tokens {visible(path)} cannot be read: {exc.strerror}") from None
    except ValueError as exc:
        raise UsageError(str(exc)) from None


def _at_socket(socket: str, token: str | None) -> Address:
    """Take what lies beside the socket: who named it trusts its folder."""
    stem = socket.removesuffix(".sock")
    beside = _discovery(f"{stem}.json")
    name = beside["bot"] if beside else ""
    if token is None:
        if beside:
            token = _token_of(beside)
        elif os.path.exists(f"{stem}.tokens"):  # noqa: PTH110
            token = _token_of({"token_file": f"{stem}.tokens"})
    return Address(name, socket, None, token)


def _token_for(url: str, env: Mapping[str, str]) -> str | None:
    same = [found for found in _all(env) if found["url"] and found["url"].rstrip("/") == url.rstrip("/")]
    same = [found for found in same if _lives(found["pid"])]
    return _token_of(same[0]) if same else None


def _choose(bot: str | None, env: Mapping[str, str]) -> dict[str, Any]:
    files = [found for found in _all(env) if bot is None or bot in {found["bot"], found["stem"]}]
    alive = [found for found in files if _answers(found)]
    if len(alive) == 1:
        return alive[0]
    where = " and ".join(folders(env))
    if alive:
        names = ", ".join(sorted(found["bot"] for found in alive))
        raise SeveralBotsError(f"{len(alive)} bots are running, say which with --bot: {names}")
    which = "no bot answers" if bot is None else f"no bot {bot!r} answers"
    if files:
        stale = ", ".join(f"{found['bot']} (process {found['pid']})" for found in files)
        raise NoBotError(f"{which}: {stale} left word in {where}, and listens no longer; {_HINT}")
    raise NoBotError(f"{which}: looked for *.json in {where}, and for DUENNA_SOCKET and DUENNA_URL; {_HINT}")


def _all(env: Mapping[str, str]) -> list[dict[str, Any]]:
    """Read the discovery files of every folder that nobody else can have written to."""
    found: dict[str, dict[str, Any]] = {}
    for folder in folders(env):
        try:
            status = os.stat(folder)  # noqa: PTH116
            names = sorted(os.listdir(folder))  # noqa: PTH208
        except OSError:
            continue
        if status.st_uid not in {os.getuid(), 0} or stat.S_IMODE(status.st_mode) & 0o022:
            continue  # another user could name his own socket in there, and be sent our token
        for name in names:
            if name.endswith(".json") and (one := _discovery(os.path.join(folder, name))) is not None:  # noqa: PTH118
                found.setdefault(one["bot"], one)
    return list(found.values())


def _discovery(path: str) -> dict[str, Any] | None:
    """Return what a bot wrote of itself; None if that cannot be read as such."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            parsed: Any = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict):
        return None
    document = cast("dict[str, Any]", parsed)
    texts = {key: _text(document.get(key)) for key in ("bot", "socket", "url", "token_file")}
    if not texts["bot"] or not (texts["socket"] or texts["url"]):
        return None
    return {**texts, "pid": document.get("pid"), "stem": os.path.basename(path).removesuffix(".json")}  # noqa: PTH119


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _answers(found: dict[str, Any]) -> bool:
    """Tell whether somebody listens there; that a process of that number lives says less."""
    try:
        if found["socket"]:
            with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as probe:
                probe.settimeout(_PROBE_TIMEOUT)
                probe.connect(found["socket"])
            return True
        if not _lives(found["pid"]):
            return False
        host, _, port = found["url"].rstrip("/").rpartition("://")[2].rpartition(":")
        with sockets.create_connection((host.strip("[]"), int(port)), timeout=_PROBE_TIMEOUT):
            return True
    except BlockingIOError:  # its queue of callers is full: it is there, and busy
        return True
    except (OSError, ValueError):
        return False


def _lives(pid: object) -> bool:
    """Tell whether there is a process of ours of that number: a port may be another user's by now, as no socket is."""
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError):
        return False
    return True


def _token_of(found: Mapping[str, Any]) -> str | None:
    path = found.get("token_file")
    if not path:
        return None
    try:
        return _read_token(path)
    except OSError as exc:
        raise RefusedError(0, "", f"the file of tokens {path} cannot be read: {exc.strerror}") from None
    except ValueError as exc:
        raise RefusedError(0, "", str(exc)) from None


def _read_token(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
        lines = [line.split() for line in file.read(_MOST_BYTES).splitlines() if not line.lstrip().startswith("#")]
    filled = [line for line in lines if line]
    if len(filled) == 1 and len(filled[0]) == 1:
        return filled[0][0]
    tokens = {line[1]: line[2] for line in reversed(filled) if len(line) == 3}  # noqa: PLR2004 - NAME ROLE TOKEN
    for role in _ROLES:
        if role in tokens:
            return tokens[role]
    raise ValueError(f"the file of tokens {visible(path)} must have a line `NAME operate|view TOKEN`, and has none")
