"""Whether what comes back is what was saved."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from duenna.fields._kinds import field_names, is_array, is_map


def same(before: Any, after: Any) -> bool:
    """Return whether *after* is what *before* was, NaN and classes that compare by identity included."""
    if _equal(before, after):
        return True
    if isinstance(before, float | Decimal):
        return type(before) is type(after) and _is_nan(before) and _is_nan(after)
    if is_map(before):
        return is_map(after) and _same_maps(before, after)
    if is_array(before):
        return (
            is_array(after)
            and type(before) is type(after)
            and len(before) == len(after)
            and all(map(same, before, after))
        )
    names = list(field_names(before))
    return (
        type(before) is type(after)
        and bool(names)
        and all(same(getattr(before, name), getattr(after, name)) for name in names)
    )


def _equal(before: Any, after: Any) -> bool:
    try:
        return before is after or bool(before == after)
    except Exception:  # noqa: BLE001  # an __eq__ of the user's: the parts are compared
        return False


def _same_maps(before: dict[Any, Any], after: dict[Any, Any]) -> bool:
    return before.keys() == after.keys() and all(same(value, after[key]) for key, value in before.items())


def _is_nan(value: Any) -> bool:
    return bool(value != value)  # noqa: PLR0124  # that is what NaN is
