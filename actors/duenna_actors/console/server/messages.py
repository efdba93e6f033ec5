"""What the console says of itself."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from duenna.events import Event


class GetConsole(msgspec.Struct, frozen=True):
    """Ask for the console's `ConsoleAddress`; answered once it listens."""


class ConsoleAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where the console is.

    Attributes:
        bot: The bot's name.
        socket: The Unix socket; None: there is none.
        url: Of the TCP socket; None: there is none.
        token_file: Who may come in.
        discovery_file: What tells clients on the same machine all this.
    """

    bot: str
    socket: str | None
    url: str | None
    token_file: str
    discovery_file: str


class ConsoleListening(Event, frozen=True):
    """The console can be reached.

    Attributes:
        socket: The Unix socket; None: there is none.
        url: Of the TCP socket; None: there is none.
        token_file: Who may come in.
    """

    socket: str | None
    url: str | None
    token_file: str

    def text(self) -> str:
        """Return the log line."""
        places = [each for each in (self.url, self.socket) if each is not None]
        return f"listens at {' and '.join(places)}, tokens are in {self.token_file}"


class ClientsRefused(Event, frozen=True):
    """There were more connections than are served; posted for the first, second, fourth, eighth... of them.

    Attributes:
        count: Connections that were refused since the console began to listen.
        limit: Connections that each socket has at a time.
    """

    level: ClassVar[str] = "WARNING"
    count: int
    limit: int

    def text(self) -> str:
        """Return the log line."""
        return f"{self.count} connection(s) refused so far: {self.limit} at a time are served"
