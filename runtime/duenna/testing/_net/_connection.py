"""A TCP connection: how it is made, between which ends, and when nobody needs it any more."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from duenna.testing._net._end import End
from duenna.testing._net._pipe import Pipe

if TYPE_CHECKING:
    from duenna.testing._clock import Timer
    from duenna.testing._net._host import Host
    from duenna.testing._net._network import Network
    from duenna.testing._net._waiters import Listening

_CONNECT_PATIENCE = 127.0  # Linux: net.ipv4.tcp_syn_retries = 6, so 1 + 2 + 4 + 8 + 16 + 32 + 64 seconds
_FIRST_RETRY = 1.0  # second, then 3 s, 7 s and so on after the first attempt
_ALERT = b"\x15\x03\x03\x00\x02\x02\x28"  # TLS 1.2 record, an alert of two bytes: fatal, handshake_failure


class Connection:
    """Two ends and the way between them.

    The three parts of the handshake take their way like bytes do, so that they are delayed, held
    and lost like them: the client is connected after one round trip, the server after another half.

    Attributes:
        number: How many connections there had been before.
        client: The end that asked for it.
        server: The other end; there is no socket for it before the handshake is over.
        forth: From the client to the server.
        back: From the server to the client.
    """

    __slots__ = (
        "_at",
        "_begun",
        "_is_expected",
        "_listening",
        "_network",
        "_retry",
        "_timer",
        "back",
        "client",
        "forth",
        "number",
        "server",
    )

    def __init__(self, network: Network, number: int, client: End, host: Host, at: tuple[str, int]) -> None:
        self._network = network
        self._at = at
        self._listening: Listening | None = None
        self._is_expected = False
        self._begun = 0.0
        self._retry = _FIRST_RETRY
        self._timer: Timer | None = None
        self.number = number
        self.client = client
        self.server = server = End(host)
        server.locate(at)
        server.is_closed = True
        client.is_client = True
        client.connection = server.connection = self
        self.forth = client.out = server.into = Pipe(network, network.line(client.host, host), client, server)
        self.back = server.out = client.into = Pipe(network, network.line(host, client.host), server, client)

    @property
    def is_open(self) -> bool:
        """Whether the client has been told that there is a connection, and it has not failed since."""
        return self.client.is_connected and not self.client.is_broken

    @property
    def pipes(self) -> tuple[Pipe, Pipe]:
        """Both directions."""
        return self.forth, self.back

    def begin(self) -> None:
        """Ask the server for the connection."""
        clock = self._network.clock
        self._begun = clock.current_time()
        self._timer = clock.call_at(self._begun + _CONNECT_PATIENCE, self._fail, errno.ETIMEDOUT)
        self.forth.push(b"", self._ask)

    def reset(self) -> None:
        """Reset both ends at once, as something in between would."""
        self._expect_no_more()
        self.client.take_reset()
        self.server.take_reset()

    def vanish(self) -> None:
        """Be dead for ever, without a word to either end."""
        self._expect_no_more()
        self.forth.die()
        self.back.die()

    def fail_tls(self) -> None:
        """Answer the client's first words of TLS with a fatal alert, in the name of the server."""
        self.server.take_reset()
        self.back.used += len(_ALERT)
        self.back.push(_ALERT)
        self.back.push(b"", self.client.take_eof)

    def record(self, kind: str, path: str, **fields: Any) -> None:
        """Write into the trace."""
        self._network.record(kind, path, **fields)

    def end_left(self) -> None:
        """Be forgotten once both ends have left."""
        if not self.client.is_connected:
            self._stop_timer()
            self._expect_no_more()
            self.forth.drop()
        if self.client.is_closed and self.server.is_closed and not self._is_expected:
            self._network.forget(self)
            for end in (self.client, self.server):  # no cycles for the garbage collector
                if end.out is not None:
                    end.out.drop()
                end.out = end.into = end.connection = None

    def _ask(self) -> None:
        listening = None if self._network.refuses(self.forth) else self.server.host.listener(*self._at)
        if listening is None:
            self.record("net_refused", self.forth.path)
            self.back.push(b"", self._be_refused)
        elif listening.is_full:  # as Linux does: say nothing, so that the client asks again
            self._ask_later()
        else:
            self._listening = listening
            self._is_expected = True
            listening.expected += 1
            self.back.push(b"", self._agree)

    def _ask_later(self) -> None:
        clock = self._network.clock
        while self._begun + self._retry <= clock.current_time():
            self._retry = 2.0 * self._retry + 1.0
        clock.call_at(self._begun + self._retry, self._ask_again)

    def _ask_again(self) -> None:
        if not (self.client.is_closed or self.client.error):
            self.forth.push(b"", self._ask)

    def _be_refused(self) -> None:
        self._fail(errno.ECONNREFUSED)

    def _agree(self) -> None:
        if self.client.is_broken:  # it has given up
            return
        self._stop_timer()
        self.client.is_connected = True
        self.record("net_connect", self.forth.path)
        self.forth.push(b"", self._confirm)
        self.client.wake_writer()

    def _confirm(self) -> None:
        listening = self._listening
        self._expect_no_more()
        server = self.server
        server.is_connected = True
        server.is_closed = False
        if listening is None or listening.is_closed:
            server.close(resets=True)
        else:
            listening.take(server)

    def _fail(self, error: int) -> None:
        self._stop_timer()
        self._expect_no_more()
        if not (self.client.is_closed or self.client.is_broken):
            self.client.break_off(error)

    def _expect_no_more(self) -> None:
        if self._is_expected and self._listening is not None:
            self._listening.expected -= 1
        self._is_expected = False

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
