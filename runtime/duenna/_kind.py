"""What a child is, in one word."""

from functools import partial
from typing import TYPE_CHECKING, Any

from duenna.spec import Child

if TYPE_CHECKING:
    from duenna._cell import Cell


def kind_of(cell: "Cell") -> str:
    """Return `supervisor`, the ``kind`` of the actor's class or function, or else `function`."""
    spec = cell.spec
    if not isinstance(spec, Child):
        return "supervisor"
    if cell.actor is None and cell.extra is not None and cell.extra.kind:
        return cell.extra.kind  # of the incarnation that ended: a factory does not tell what it makes
    source: Any = cell.actor if cell.actor is not None else spec.start
    while isinstance(source, partial):
        source = source.func
    plain = "function" if spec.is_function else "actor"
    try:
        return str(getattr(source, "kind", plain))[:_LONGEST]
    except Exception:  # noqa: BLE001  # it is a user's, and whoever looks must not be hurt by it
        return plain


_LONGEST = 100
