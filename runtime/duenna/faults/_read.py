"""From lists, dicts and scalars, as a file gives them, to a plan: whatever is wrong is said with its place."""

from typing import Any, cast

import msgspec

from duenna.faults import _rules
from duenna.faults._kinds import KINDS, AnyFault
from duenna.faults._plan import FaultPlan, Planned

_MOST_TEXT = 400


def read_plan(data: Any) -> FaultPlan:
    """Return the plan that *data* describes.

    Args:
        data: A mapping with `faults` and, if it likes, a `name`; or the list of the faults alone.

    Raises:
        ValueError: It describes none; the message has the number of the entry (from 1), the field, what it must be
            and what was there, in 400 characters at most.
    """
    try:
        return _plan(data)
    except (TypeError, ValueError) as exc:
        raise ValueError(_cut(str(exc))) from None
    except RecursionError:  # an error message about lists in lists in lists
        raise ValueError("a plan must not be nested so deep") from None


def _plan(data: Any) -> FaultPlan:
    rule = "a plan must be a list of entries, or a mapping with faults"
    plan = _mapping({"faults": data} if isinstance(data, list) else data, rule)
    _check_fields("a plan: ", plan, ("faults", "name"))
    entries: Any = plan.get("faults")
    if not _rules.is_list(entries):
        raise TypeError(f"faults must be a list of entries, got {_shown(entries)}")
    planned = tuple(_numbered(number, entry) for number, entry in enumerate(entries, 1))
    return FaultPlan(planned, name=plan.get("name", ""))


def _numbered(number: int, entry: Any) -> Planned:
    try:
        return _entry(entry)
    except (TypeError, ValueError) as exc:
        raise ValueError(f"entry {number}: {exc}") from None


def _entry(entry: Any) -> Planned:
    fields = _mapping(entry, "an entry must be a mapping with at and fault")
    _check_fields("", fields, Planned.__struct_fields__)
    if "at" not in fields:
        raise ValueError("at must be a number of seconds, got nothing")
    fields["fault"] = _fault(fields.get("fault"))
    return Planned(**fields)


def _fault(given: Any) -> AnyFault:
    fields = _mapping(given, "fault must be a mapping with a kind")
    name: Any = fields.pop("kind", None)
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {_shown(name)}")
    _check_fields(f"{name}: ", fields, kind.__struct_fields__)
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in fields:
            raise ValueError(f"{name}: {field.name} must be given, got nothing")
    made: AnyFault = kind(**fields)
    return made


def _mapping(value: Any, rule: str) -> dict[str, Any]:
    """Return a copy of *value*, a mapping; its keys are still to be checked."""
    if not isinstance(value, dict):
        raise TypeError(f"{rule}, got {_shown(value)}")
    return dict(cast("dict[str, Any]", value))


def _check_fields(where: str, given: dict[str, Any], known: tuple[str, ...]) -> None:
    for field in given:
        if field not in known:
            expected = f"one of {', '.join(known)}" if known else "left out, for there are none"
            raise ValueError(f"{where}field must be {expected}, got {_shown(field)}")


def _shown(value: object) -> str:
    return "nothing" if value is None else _cut(repr(value))


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 3]}..."
