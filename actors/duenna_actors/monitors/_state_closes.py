"""Keeps the orders that may have been sent in the runtime's state, as money: nothing sets them aside but a hand."""

from decimal import Decimal
from typing import TYPE_CHECKING

import attrs
import msgspec
import trio

from duenna.storage import NotDurableError
from duenna.storage.entries import PART, key_of
from duenna_actors.monitors.position_messages import PendingClose, Position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duenna.state import State

_KIND = "closes"
_SCHEMA = 1


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    """An order, as schema 1 has it: what it is stored as does not change with a message's class."""

    order_id: str
    symbol: str
    quantity: Decimal
    price: Decimal
    entry_price: Decimal | None
    id: str

    @classmethod
    def of(cls, close: PendingClose) -> "_Stored":
        position = close.position
        return cls(
            order_id=close.order_id,
            symbol=position.symbol,
            quantity=position.quantity,
            price=position.price,
            entry_price=position.entry_price,
            id=position.id,
        )

    def close(self) -> PendingClose:
        position = Position(
            symbol=self.symbol, quantity=self.quantity, price=self.price, entry_price=self.entry_price, id=self.id
        )
        return PendingClose(position=position, order_id=self.order_id)


@attrs.frozen(eq=False)
class StateCloseStore:
    """The pending closes of one monitor, in the state of its runtime."""

    _state: "State"
    _path: str

    @property
    def key(self) -> str:
        """The key of the state under which they are."""
        return key_of(PART, f"{_KIND}:{self._path}")

    async def load(self) -> "Sequence[PendingClose]":
        """Return what was saved last.

        Raises:
            RuntimeError: A later version saved it: what it means is not guessed at.
            msgspec.DecodeError: It cannot be read; it stays as it is.
        """
        entry = self._state.entries.get(self.key)
        if entry is None:
            return ()
        if entry.schema > _SCHEMA:
            message = f"pending closes of {self._path} are of schema {entry.schema}, {_SCHEMA} is known"
            raise RuntimeError(message)
        return [stored.close() for stored in msgspec.msgpack.decode(entry.data, type=list[_Stored])]

    async def save(self, closes: "Sequence[PendingClose]") -> None:
        """Keep *closes*, and nothing else; return when that is durable, or at once while nothing is: a close is urgent.

        Raises:
            NotDurableError: It is in memory only, for now; it is tried again.
        """
        state, key = self._state, self.key
        if closes:
            data = msgspec.msgpack.encode([_Stored.of(close) for close in closes])
            change = state.change(key, _KIND, _SCHEMA, data, money=True)
        elif key in state.entries:
            change = state.removal(key)
        else:
            await trio.lowlevel.checkpoint()
            return
        if not state.problem:
            await state.commit([change])
            return
        state.stage([change])
        await trio.lowlevel.checkpoint()
        raise NotDurableError(state.store.name, state.problem)
