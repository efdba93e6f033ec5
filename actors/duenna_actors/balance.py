"""The balance of an account: polled, kept with its age, told when it changes."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs
import msgspec

from duenna.connection import Connection, ConnectionLostError
from duenna.freshness import Freshness
from duenna.state import Part
from duenna_actors._http import ApiRequest
from duenna_actors._kept import kept
from duenna_actors._messages import refuse

if TYPE_CHECKING:
    from duenna import Ref, Runtime

__all__ = ["Balance", "BalanceChanged", "BalanceMonitor", "BalanceReading", "GetBalances", "RefreshBalances"]


class Balance(msgspec.Struct, frozen=True):
    """What an account holds of one asset.

    Attributes:
        total: All of it.
        available: What is not bound by orders and positions.
    """

    total: Decimal
    available: Decimal


class BalanceChanged(msgspec.Struct, frozen=True, tag=True):
    """The balance is another than at the last poll; published. The first reading is a change from nothing.

    Attributes:
        balances: All of it, by asset.
        changed: Those that differ; an asset that is gone has 0.
    """

    balances: dict[str, Balance]
    changed: dict[str, Balance]


class GetBalances(msgspec.Struct, frozen=True, tag=True):
    """Ask a `BalanceMonitor` what it knows; answered at once with `BalanceReading`."""


class RefreshBalances(msgspec.Struct, frozen=True, tag=True):
    """Have a `BalanceMonitor` poll now, because something has happened."""


class BalanceReading(msgspec.Struct, frozen=True, tag=True):
    """The last good value.

    Attributes:
        balances: By asset; empty if there has been none yet.
        age: Seconds since it was read, None if there has been none. Whoever trades on it
            decides how old is too old.
    """

    balances: dict[str, Balance]
    age: float | None


class _Asset(msgspec.Struct):
    asset: str
    balance: Decimal
    available: Decimal = msgspec.field(name="availableBalance")


class _Memory(msgspec.Struct, frozen=True):
    balances: dict[str, Balance]
    at: float


@attrs.define
class _LastGood:
    balances: dict[str, Balance] = attrs.field(factory=dict[str, Balance])
    read_at: float | None = None
    is_inherited: bool = False

    @classmethod
    def of(cls, runtime: Runtime, path: str) -> Self:
        """Return what the last process knew, as old as it is by now, if the state outlives the process."""
        last, state = cls(), runtime.state

        def dump() -> _Memory | None:
            return None if last.read_at is None else _Memory(last.balances, state.to_wall(last.read_at))

        def load(memory: _Memory) -> None:
            last.balances, last.read_at = memory.balances, runtime.now() - state.age(memory.at)
            last.is_inherited = True

        if state.store.is_durable:
            state.add(Part(name=f"balance:{path}", type=_Memory, dump=dump, load=load))
        return last


class BalanceMonitor(Connection):
    """Polls the balance through an `ApiConnection`, and publishes `BalanceChanged`.

    A poll is the connection's `check`: one that fails degrades it, and the consecutive
    failure that makes recovery due crashes it. The last good value, with its age, outlives
    that, and the process where the state does, and is given to whoever asks `GetBalances`. The
    first reading of a process is published, whatever the last one knew.

    Override `fetch` for an exchange that tells the balance in another way.
    """

    kind: ClassVar[str] = "balance"

    def __init__(
        self,
        api: Ref | str,
        *,
        path: str = "/fapi/v3/balance",
        every: float = 10.0,
        timeout: float = 5.0,
    ) -> None:
        """Describe the monitor.

        Args:
            api: The `ApiConnection`, as a ref or a path, absolute or relative to the
                monitor's supervisor.
            path: What is asked for.
            every: Seconds between two polls.
            timeout: Seconds for one poll.

        Raises:
            ValueError: A duration is not greater than 0.
        """
        for name, value in (("every", every), ("timeout", timeout)):
            if not value > 0:
                message = f"{name} must be > 0 seconds, got {value}"
                raise ValueError(message)
        self._api_address = api
        self._api: Ref | None = None
        self._path = path
        self._timeout = timeout
        self._last = _LastGood()
        self.check_every = every
        self.check_timeout = timeout + 1.0

    async def connect(self) -> None:
        """Find the API connection, and what earlier incarnations have read."""
        context = self.context
        make = partial(_LastGood.of, context.runtime, context.path)
        self._last = kept(context.runtime, (_LastGood, context.path), make)
        self._api = context.lookup(self._api_address) if isinstance(self._api_address, str) else self._api_address

    async def check(self) -> None:
        """Poll."""
        balances = await self.fetch()
        last = self._last
        previous = {} if last.is_inherited else last.balances  # nobody in this process was told of that
        last.read_at, last.is_inherited = self.context.now(), False
        last.balances = balances
        if balances != previous:
            self.context.publish(BalanceChanged(balances, _difference(previous, balances)))

    def freshness(self) -> Freshness:
        """Say when the balance was read last; three polls that failed are too many."""
        every = self.check_every
        return Freshness(self._last.read_at, None if every is None or every == inf else 3 * every)

    async def fetch(self) -> dict[str, Balance]:
        """Return the balance by asset; raise if it cannot be had."""
        if self._api is None:
            raise ConnectionLostError("there is no API connection")
        request = ApiRequest(path=self._path, type=list[_Asset], timeout=self._timeout, is_signed=True)
        response = await self._api.ask(request, timeout=self._timeout)
        return {each.asset: Balance(each.balance, each.available) for each in response.data}

    def receive(self, message: Any) -> Any:
        """Answer `GetBalances`, obey `RefreshBalances`."""
        match message:
            case GetBalances():
                read_at = self._last.read_at
                return BalanceReading(self._last.balances, None if read_at is None else self.context.now() - read_at)
            case RefreshBalances():
                self.check_soon()
            case _:
                refuse(self.context, message)
        return None


def _difference(previous: dict[str, Balance], balances: dict[str, Balance]) -> dict[str, Balance]:
    nothing = Balance(Decimal(0), Decimal(0))
    changed = {asset: balance for asset, balance in balances.items() if previous.get(asset) != balance}
    return changed | {asset: nothing for asset in previous if asset not in balances}
