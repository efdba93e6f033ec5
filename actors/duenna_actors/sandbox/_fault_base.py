"""What all faults have in common."""

import re

import msgspec

_CODES = re.compile(r"1000|1001|1006|1008|1009|101[1-4]|[34]\d{3}")


def kind_name(name: str) -> str:
    """Return what a struct of that name is called in JSON."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


class FaultBase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag=kind_name):
    """What every fault has.

    Attributes:
        probability: The chance that it strikes, each time that it could. Greater than 0, 1 at most.
        count: How often it strikes before it is spent; `None` is without end.
    """

    probability: float = 1.0
    count: int | None = None

    def __post_init__(self) -> None:
        require(0.0 < self.probability <= 1.0, self, "probability", "> 0 and <= 1")
        require(self.count is None or self.count >= 1, self, "count", ">= 1 or null")
        for field in self.__struct_fields__:
            value = getattr(self, field)
            if isinstance(value, int | float) and field not in ("offset", "code"):
                require(0.0 <= value < float("inf"), self, field, ">= 0 and finite")
        self._check()

    def _check(self) -> None:
        """Raise `ValueError` for values of its own that make no sense."""


def check_constant(fault: FaultBase) -> None:
    """Refuse chance and count for a fault that is a state of the exchange."""
    require(fault.probability == 1.0, fault, "probability", "1, for it holds or does not")
    require(fault.count is None, fault, "count", "null, for it holds or does not")


def require(holds: bool, fault: FaultBase, field: str, rule: str) -> None:
    """Raise `ValueError` with the fault, the field, the rule and the value, unless it holds."""
    if not holds:
        raise ValueError(f"{kind_name(type(fault).__name__)}: {field} must be {rule}, got {getattr(fault, field)!r}")


def check_close(fault: FaultBase, code: int, reason: str) -> None:
    """Refuse a close code that cannot be sent, and a reason that does not fit beside it."""
    require(
        _CODES.fullmatch(str(code)) is not None,
        fault,
        "code",
        "1000, 1001, 1006, 1008, 1009, 1011 to 1014 or 3000 to 4999",
    )
    require(len(reason.encode()) <= 120, fault, "reason", "120 bytes at most")  # noqa: PLR2004 - the rule itself
