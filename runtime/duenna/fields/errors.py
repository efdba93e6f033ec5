"""What can go wrong between a field and its bytes."""

from __future__ import annotations

from duenna.storage.errors import StateError


class UnencodableStateError(StateError):
    """A persistent field holds what would not come back as it is; nothing of the actor was encoded.

    Attributes:
        kind: The class.
        field: The field, and where in it if that is known: `orders['BTCUSDT']`.
        value: What it holds, as bounded text without secrets.
        expected: What it should hold, or what would become of it.
    """

    def __init__(self, kind: str, field: str, value: str, expected: str) -> None:
        """Say that *value* cannot be stored."""
        super().__init__(f"{kind}.{field} cannot be saved: got {value}: {expected}")
        self.kind = kind
        self.field = field
        self.value = value
        self.expected = expected


class StateMismatchError(StateError):
    """What was stored does not fit the class; the actor was left as it was.

    Attributes:
        kind: The class.
        field: The field, and where in it if that is known; empty if it is the blob as a whole.
        value: What was stored there, as bounded text without secrets.
        expected: What the class expects.
    """

    def __init__(self, kind: str, field: str, value: str, expected: str) -> None:
        """Say that *value* was stored and does not fit."""
        name = f"{kind}.{field}" if field else kind
        super().__init__(f"{name} cannot be restored: got {value}: {expected}")
        self.kind = kind
        self.field = field
        self.value = value
        self.expected = expected


class NewerSchemaError(StateError):
    """What was stored is of a later schema than the class's; it was left as it is.

    Attributes:
        kind: The class.
        schema: What was stored.
        known: The class's.
    """

    def __init__(self, kind: str, schema: int, known: int) -> None:
        """Say that *schema* is later than what is *known*."""
        super().__init__(
            f"{kind} was saved with schema {schema}, this program knows it up to {known}: "
            "start the later version of the program, or set the actor's state aside"
        )
        self.kind = kind
        self.schema = schema
        self.known = known
