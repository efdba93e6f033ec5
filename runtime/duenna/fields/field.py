"""The declaration of a field that outlives its actor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, TypeVar, overload

import attrs

T = TypeVar("T")
Validator: TypeAlias = Callable[[Any, "attrs.Attribute[T]", T], Any]

METADATA: Final = "duenna.fields"
"""The key in a field's metadata that makes it persistent."""


@attrs.frozen
class Mark:
    """What a persistent field is, beside its name and type."""

    money: bool
    cache: bool


@overload
def persistent(
    *,
    default: None = ...,
    factory: None = ...,
    converter: Callable[[Any], Any] | None = ...,
    validator: None = ...,
    repr: bool = ...,
    money: bool = ...,
    cache: bool = ...,
) -> Any: ...
@overload
def persistent(
    *,
    default: Any = ...,
    factory: Callable[[], Any] | None = ...,
    converter: Callable[[Any], T],
    validator: Validator[T] | Sequence[Validator[T]] | None = ...,
    repr: bool = ...,
    money: bool = ...,
    cache: bool = ...,
) -> T: ...
@overload
def persistent(
    *,
    factory: type[dict[Any, Any]],
    converter: None = ...,
    validator: Validator[Any] | Sequence[Validator[Any]] | None = ...,
    repr: bool = ...,
    money: bool = ...,
    cache: bool = ...,
) -> dict[Any, Any]: ...
@overload
def persistent(
    *,
    factory: type[list[Any]],
    converter: None = ...,
    validator: Validator[Any] | Sequence[Validator[Any]] | None = ...,
    repr: bool = ...,
    money: bool = ...,
    cache: bool = ...,
) -> list[Any]: ...
@overload
def persistent(
    *,
    factory: type[set[Any]],
    converter: None = ...,
    validator: Validator[Any] | Sequence[Validator[Any]] | None = ...,
    repr: bool = ...,
    money: bool = ...,
    cache: bool = ...,
) -> set[Any]: ...
@overload
def persistent(
    *,
    factory: Callable[[], T],
    converter: None = ...,
    validator: Validator[T] | Sequence[Validator[T]] | None = ...,
    repr: bool = ...,
    money: bool = ...,
    cache: bool = ...,
) -> T: ...
@overload
def persistent(
    *,
    default: T,
    converter: None = ...,
    validator: Validator[T] | Sequence[Validator[T]] | None = ...,
    repr: bool = ...,
    money: bool = ...,
    cache: bool = ...,
) -> T: ...
def persistent(
    *,
    default: Any = attrs.NOTHING,
    factory: Callable[[], Any] | None = None,
    converter: Callable[[Any], Any] | None = None,
    validator: Any = None,
    repr: bool = True,  # noqa: A002  # attrs' word
    money: bool = False,
    cache: bool = False,
) -> Any:
    """Declare a field of an actor that is saved, and restored in its next incarnation or process.

    Use it in a class with ``@attrs.define`` in the place of ``attrs.field``. Its type must be
    one that comes back as it was: None, bool, int of 64 bits, float, str, bytes, datetime,
    date, time, timedelta, Decimal, UUID, Enum, Literal, list, tuple, set, frozenset, dict, and
    `msgspec.Struct`, dataclass, attrs and TypedDict classes of these; `Any` stands for what
    JSON has, and bytes. Otherwise the class is refused, and so is one without `default` or
    `factory`: there must be a value for the first start.

    What the types do not rule out is refused when it is saved: an object that can change and
    is in two places, as it would come back as two; a time with another zone than UTC; a
    defaultdict or another subclass of a container; NaN as a key or in a set.

    Args:
        default: The value before anything was saved. For a list, dict or set use `factory`.
        factory: Makes that value.
        converter: As attrs': applied to what is assigned, not to what is restored.
        validator: As attrs': applied to what is assigned, and to what is restored.
        repr: Whether it is in the actor's `repr`.
        money: It holds orders, positions or balances: what was saved is set aside by a hand only.
        cache: It can be rebuilt: a connection's `recover()` empties it.

    Raises:
        ValueError: It is to be *money* and *cache*: money is never cleared.
    """
    if money and cache:
        raise ValueError("a persistent field is money or cache, not both: a cache is emptied, money never is")
    options: dict[str, Any] = {"factory": factory} if factory is not None else {"default": default}
    if factory is not None and default is not attrs.NOTHING:
        raise ValueError("a persistent field has a default or a factory, not both")
    return attrs.field(
        **options,
        converter=converter,
        validator=validator,
        repr=repr,
        metadata={METADATA: Mark(money=money, cache=cache)},
    )


def mark_of(attribute: Any) -> Mark | None:
    """Return what makes *attribute* persistent; None: it is not."""
    mark = attribute.metadata.get(METADATA)
    return mark if isinstance(mark, Mark) else None
