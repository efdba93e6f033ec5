"""What an actor sees of the state: its own fields, and the work that it has in progress."""

from typing import TYPE_CHECKING, Any

from duenna.errors import StoppedError

if TYPE_CHECKING:
    from duenna._cell import Cell
    from duenna.state import Intent, Operation, Restored, State, UnfinishedWork


class StateContext:
    """The part of a `Context` that the state makes."""

    __slots__ = ()

    _cell: "Cell"
    _incarnation: int

    @property
    def _state(self) -> "State":
        return self._cell.node.runtime.state

    @property
    def restored(self) -> "Restored | None":
        """What the fields of this incarnation were restored from, and how old that is; None: it began clean."""
        return self._state.restored(self._cell.path)

    async def save(self) -> None:
        """Save the actor's `persistent` fields as they are now; return when that is durable.

        Cancelled, the save goes on. Saves of many actors share the disk's time: what comes while one is
        written goes with the next.

        Raises:
            NotDurableError: The store does not take it now: it is kept in memory, and tried again.
            RuntimeError: The actor has no such fields.
            StateError: A field cannot be encoded; what was saved before stands.
            StoppedError: The incarnation, or the runtime, has ended.
        """
        cell = self._cell
        if cell.incarnation != self._incarnation or cell.actor is None:
            raise StoppedError(f"{cell.path} (incarnation {self._incarnation})")
        await self._state.save_actor(cell)

    def operation(self, name: str, /, **arguments: Any) -> "Operation":
        """Return an operation, for ``async with``: stored before its block begins, and gone when that ends in order.

        If one of this name with these arguments was left unfinished, by an earlier incarnation or
        process, the block goes on with that one: ``is_resumed`` and ``progress_made`` tell.

        Args:
            name: What it is called, such as `backfill`; printable, without `/`.
            arguments: What tells it from others of that name: plain values, none of them secret. With
                its progress it may take 64 KiB. An actor may have 100 unfinished operations and intents.

        Raises:
            TypeError: An argument is not None, a bool, int, float, str, bytes, or a list or dict of these.
            ValueError: One is out of range, or has the name of a secret.
        """
        return self._state.works.operation(self._cell, self._incarnation, name, arguments)

    async def intent(self, name: str, /, **arguments: Any) -> "Intent":
        """Make an intent of an effect that must not happen twice; return it once its id is durable.

        If one of this name with these arguments is open already, it is that one, with the same
        id. Cancelled, or not durable, there is none, and must be no effect.

        Args:
            name: What it is called, such as `order`; printable, without `/`.
            arguments: What tells it from others of that name, as for ``operation``: two orders
                that are meant to be two need something that tells them apart.

        Raises:
            NotDurableError: The store does not take it now.
            StateError: A field of the actor cannot be encoded.
            StateRefusedError: What is unfinished of the actor cannot be read.
            StoppedError: The incarnation, or the runtime, has ended.
            TooMuchWorkError: As much as may be of the actor's work is unfinished.
            TypeError: An argument is no plain value.
            ValueError: One is out of range, or has the name of a secret, or they are too large.
        """
        return await self._state.works.intent(self._cell, self._incarnation, name, arguments)

    def unfinished(self) -> "tuple[UnfinishedWork, ...]":
        """Return the actor's unfinished operations and intents, whoever left them so, the oldest first.

        Raises:
            StateRefusedError: One cannot be read: what was under way is not known.
        """
        return self._state.works.own(self._cell.path)
