"""The discovery file: where the bot is, for clients on the same machine."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from duenna_actors.console.server.places import write_private

if TYPE_CHECKING:
    from pathlib import Path


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """What is in it.

    Attributes:
        bot: The bot's name.
        pid: Its process.
        socket: The Unix socket; None: there is none.
        url: Of the TCP socket; None: there is none.
        token_file: Who may come in.
        started_at: When the console began to listen, in seconds since 1970.
    """

    bot: str
    pid: int
    socket: str | None
    url: str | None
    token_file: str
    started_at: float


def write_discovery(path: Path, content: Discovery) -> None:
    """Write the file at *path*, whole or not at all, for the owner's eyes only.

    Raises:
        OSError: It cannot be written; one that was there before is still there.
    """
    write_private(path, msgspec.json.format(msgspec.json.encode(content)) + b"\n")


def remove_discovery(path: Path, content: Discovery) -> None:
    """Remove the file at *path*, unless another process has written it meanwhile. Never raises."""
    with suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
        found = msgspec.json.decode(path.read_bytes(), type=Discovery)
        if found.pid == os.getpid() and found.started_at == content.started_at:
            path.unlink()
