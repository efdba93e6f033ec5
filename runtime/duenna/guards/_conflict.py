"""What to say when two guards of one name want different things."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from duenna.guards._shared import DependencySettings


def conflict(name: str, used: DependencySettings, asked: DependencySettings) -> str:
    """Return which settings of guards called *name* differ, in words; whole settings are long."""
    what = "; ".join(
        f"{each.name}={there!r}, this one has {each.name}={here!r}"
        for each in attrs.fields(type(used))
        if _key(each, there := getattr(used, each.name)) != _key(each, here := getattr(asked, each.name))
    )
    return (
        f"guard {name!r}: there is one of this name with {what}: guards of one name share one breaker and bulkhead, "
        "so give both the same settings (or use `with_` of the one that is there), or give this one another name"
    )


def _key(field: Any, value: Any) -> Any:
    """Return what *value* is compared by."""
    return value if field.eq_key is None else field.eq_key(value)
