"""Publish and subscribe by message type."""

from typing import TYPE_CHECKING

from duenna._letters import tell_or_drop

if TYPE_CHECKING:
    from duenna._cell import Cell


class Topics:
    """Who wants messages of which types; a type stands for its subclasses too."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._subscribers: dict[type, dict[Cell, None]] = {}
        self._readers: dict[type, tuple[Cell, ...]] = {}

    def subscribe(self, cell: "Cell", kind: type) -> None:
        """Give *cell* messages of *kind* from now on."""
        self._subscribers.setdefault(kind, {})[cell] = None
        self._readers.clear()

    def unsubscribe(self, cell: "Cell", kind: type) -> None:
        """Give *cell* no more of them."""
        cells = self._subscribers.get(kind)
        if cells is not None and cells.pop(cell, self) is None:
            if not cells:
                del self._subscribers[kind]
            self._readers.clear()

    def publish(self, message: object) -> int:
        """Tell *message* to each subscriber once, in the order in which they came; return their number.

        A mailbox that is full drops it, whatever its rule: the publisher is not to blame.
        """
        kind = type(message)
        readers = self._readers.get(kind)
        if readers is None:
            cells = {cell: None for base in kind.__mro__ for cell in self._subscribers.get(base, ())}
            readers = self._readers[kind] = tuple(cells)
        for cell in readers:
            tell_or_drop(cell, message)
        return len(readers)
