"""Where the console's files are: the socket, the discovery file and the tokens, in a folder of one's own."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from duenna_actors.console.server.errors import ConsoleError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duenna_actors.console.server.options import Options

RUN_DIR = "DUENNA_RUN_DIR"
"""The environment variable that says where the folder is."""

_LONGEST_NAME = 60


@attrs.frozen
class Places:
    """The files of one bot.

    Attributes:
        socket: The Unix socket; None: there is none.
        discovery: What tells clients where the bot is.
        tokens: Who may come in.
    """

    socket: Path | None
    discovery: Path
    tokens: Path


def places_of(bot: str, options: Options, environ: Mapping[str, str] = os.environ) -> Places:
    """Return where the files of *bot* are."""
    stem = stem_of(bot)
    given = options.socket
    folder = run_folder(environ) if given is None else given.parent
    socket = (folder / f"{stem}.sock" if given is None else given) if options.has_socket else None
    return Places(socket, folder / f"{stem}.json", options.token_file or folder / f"{stem}.tokens")


def run_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of all bots of this user."""
    if given := environ.get(RUN_DIR):
        return Path(given).absolute()  # a bot may go elsewhere, and clients are elsewhere
    if given := environ.get("XDG_RUNTIME_DIR"):
        return Path(given).absolute() / "duenna"
    return Path(f"/tmp/duenna-{os.geteuid()}")  # noqa: S108  # refused unless it is ours and nobody else's


def stem_of(bot: str) -> str:
    """Return the name of *bot* as that of a file: letters, digits, `.`, `_` and `-`."""
    kept = "".join(each if each.isascii() and (each.isalnum() or each in "._-") else "_" for each in bot)
    return kept.lstrip(".")[:_LONGEST_NAME] or "bot"


def own_folder(folder: Path) -> None:
    """Make *folder*, or see that nobody else can look into it.

    Raises:
        ConsoleError: It cannot be made, or is not ours alone.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as exc:
        raise ConsoleError(f"console: folder {folder} cannot be made: {exc.strerror or exc}") from exc
    if not stat.S_ISDIR(found.st_mode):
        raise ConsoleError(f"console: {folder} must be a folder, and is none (a link is none)")
    if found.st_uid != os.geteuid():
        whose = f"must belong to user {os.geteuid()}, it is of {found.st_uid}"
        raise ConsoleError(f"console: folder {folder} {whose}; set {RUN_DIR} to one of your own, or give socket=")
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise ConsoleError(f"console: folder {folder} must have the mode 0700, it has {mode:04o}: chmod 700 {folder}")


def write_private(path: Path, content: bytes) -> None:
    """Put a file of the mode 0600 in the place of *path*, whole or not at all.

    Raises:
        OSError: It cannot be written; what was there before is still there.
    """
    draft = draft_of(path, content)
    try:
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def draft_of(path: Path, content: bytes) -> Path:
    """Write *content* beside *path*, for our eyes only, and return where.

    Raises:
        OSError: It cannot be written; nothing is left.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(file, "wb") as stream:  # noqa: PTH123  # it is open already, with its mode
            stream.write(content)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return draft
