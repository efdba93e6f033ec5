"""What would not come back as it is, is not saved: the error says what it is and where."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Annotated, Any, ClassVar
from zoneinfo import ZoneInfo

import attrs
import msgspec
import pytest

from duenna import Actor, persistent
from duenna.fields import StateMismatchError, UnencodableStateError
from tests.runtime.fields.kit import Box, Level, Order, Quote, Side, Trade, actor_with, all_slices, codec


class Rich(Quote, frozen=True):
    """Has a field more than what the field's type says."""

    fee: float = 0.5


class Plain(Quote, frozen=True):
    """Has no field more, and is another class."""


class Nosy:
    """Its text must not be asked for twice."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


def refusal(actor: Any) -> UnencodableStateError:
    """Return the error, which is the same whether *actor* is encoded at once or in slices."""
    with pytest.raises(UnencodableStateError) as at_once:
        codec(actor).encode(actor)
    for is_held in (False, True):
        with pytest.raises(UnencodableStateError) as in_slices:
            list(codec(actor).slices(actor, is_held=is_held))
        assert str(in_slices.value) == str(at_once.value)
    return at_once.value


PLAIN = "it would come back as a plain dict"
UNKNOWN = "Encoding objects of type Nosy is unsupported"
CASES = [
    (int, 1.5, "value", "1.5", "Expected `int`, got `float`"),
    (int, None, "value", "None", "Expected `int`, got `None`"),
    (int, 2**64, "value", "18446744073709551616", "can't serialize ints < -2**63 or > 2**64 - 1"),
    (float, Decimal(1), "value", "Decimal('1')", "Expected `float`, got `str`"),
    (float, 2**53 + 1, "value", "9007199254740993", "it would come back as 9007199254740992.0"),
    (Side, Level.LOW, "value", "<Level.LOW: 1>", "Expected `str`, got `int`"),
    (list[int], (1, 2), "value", "(1, 2)", "it would come back as [1, 2]"),
    (Any, {1, 2}, "value", "{1, 2}", "it would come back as [1, 2]"),
    (Any, {"a": (1,)}, "value['a']", "(1,)", "it would come back as {'a': [1]}"),
    (object, Decimal(1), "value", "Decimal('1')", "it would come back as '1'"),
    (dict[str, Any], {"a": 1, "b": Side.BUY}, "value['b']", "<Side.BUY: 'buy'>", "it would come back as {'b': 'buy'}"),
    (dict[str, int], {"a": 1, 2: 2}, "value[2]", "2", "Expected `str`, got `int` - at `key` in `$`"),
    (
        list[Quote],
        [Quote(1.0), Rich(1.0)],
        "value[1]",
        "Rich(bid=1.0, ask=0.0, fee=0.5)",
        "it would come back as [Quote(bid=1.0, ask=0.0)]",
    ),
    (Quote, Plain(1.0), "value", "Plain(bid=1.0, ask=0.0)", "it would come back as Quote(bid=1.0, ask=0.0)"),
    (set[int], {1, (2,)}, "value", "{1, (2,)}", "Expected `int`, got `array` - at `$[1]`"),
    (
        Annotated[list[int], msgspec.Meta(max_length=2)],
        [0] * 3_000,
        "value",
        "[0, 0, 0, 0, 0, 0, ...]",
        "Expected `array` of length <= 2",
    ),
    (set[float], {float("nan")}, "value", "{nan}", "it would not be equal to what would come back"),
    (str, "\ud800", "value", r"'\ud800'", "utf-8"),
    (str, object, "value", "<class 'object'>", "Encoding objects of type type is unsupported"),
    (
        Any,
        Nosy(),
        "value",
        "<Nosy instance>",
        UNKNOWN,
    ),
    (
        dict[str, int],
        defaultdict(int, a=1),
        "value",
        "defaultdict(<class 'int'>, {'a': 1})",
        PLAIN,
    ),
    (
        dict[str, dict[str, int]],
        {"a": Counter("x")},
        "value['a']",
        "Counter({'x': 1})",
        PLAIN,
    ),
    (Box[Any], Box(Counter("a")), "value.item", "Counter({'a': 1})", PLAIN),
    (
        list[dt.datetime],
        [dt.datetime(2024, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))],
        "value[0]",
        "datetime.datetime(2024, 1, 1, 0, 0, tzinfo=zoneinfo.ZoneInfo(key='Europe/Berlin'))",
        "it would come back as the same moment in UTC: keep it in UTC",
    ),
    (
        dt.time,
        dt.time(2, 30, fold=1),
        "value",
        "datetime.time(2, 30, fold=1)",
        "it would come back as the first of two equal times: keep it in UTC",
    ),
]


@pytest.mark.parametrize(("hint", "value", "field", "text", "expected"), CASES)
def test_what_would_come_back_as_something_else_is_not_saved(
    hint: Any, value: Any, field: str, text: str, expected: str
) -> None:
    error = refusal(actor_with(hint, value))

    assert (error.kind, error.field, error.value, error.expected) == ("Ledger", field, text, expected)
    assert str(error) == f"Ledger.{field} cannot be saved: got {text}: {expected}"


UNTYPED = (Any, object, dict[str, Any])
NEEDS_NO_READING = [case for case in CASES if case[0] in UNTYPED or "keep it in UTC" in case[4] or case[4] == PLAIN]


@pytest.mark.parametrize(("hint", "value", "field", "text", "expected"), NEEDS_NO_READING)
def test_what_no_type_says_is_found_even_if_the_rest_is_not_read_back(
    hint: Any, value: Any, field: str, text: str, expected: str
) -> None:
    actor = actor_with(hint, value)

    with pytest.raises(UnencodableStateError) as at_once:
        codec(actor).encode(actor, is_read_back=False)
    with pytest.raises(UnencodableStateError) as in_slices:
        list(codec(actor).slices(actor, is_read_back=False))

    for error in (at_once.value, in_slices.value):
        assert (error.field, error.value, error.expected) == (field, text, expected)


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (int, "x"),
        (list[float], ["x"] * 3_000),
        (dict[str, Order], {str(number): Quote(1.0) for number in range(3_000)}),
    ],
)
def test_a_value_of_another_type_is_found_if_it_is_read_back(hint: Any, value: Any) -> None:
    actor = actor_with(hint, value)
    data = msgspec.msgpack.encode({"value": value})

    assert codec(actor).encode(actor, is_read_back=False) == data
    assert list(codec(actor).slices(actor, is_read_back=False))[-1] == data
    refusal(actor)
    with pytest.raises(StateMismatchError):
        codec(actor).restore(actor, 1, data)


def test_nothing_is_read_back_if_it_need_not_be() -> None:
    actor = actor_with(list[float], ["x"] * 40_000)

    _, pauses = all_slices(actor, is_read_back=False)

    assert pauses > 5


@pytest.mark.parametrize("is_held", [False, True])
@pytest.mark.parametrize("is_read_back", [False, True])
def test_what_has_no_type_is_read_back_in_a_late_slice(is_held: bool, is_read_back: bool) -> None:
    value: Any = [{"a": [number] * 100} for number in range(100)]
    value[-1]["a"][-1] = (1, 2)
    actor = actor_with(Any, value)

    with pytest.raises(UnencodableStateError, match=r"^Ledger\.value\[99\] cannot be saved"):
        list(codec(actor).slices(actor, is_held=is_held, is_read_back=is_read_back))


@pytest.mark.parametrize("is_held", [False, True])
def test_a_tuple_among_many_lists_is_found_in_slices(is_held: bool) -> None:
    value: Any = {str(number): [number] for number in range(3_000)}
    value["2000"] = (1, 2)
    actor = actor_with(dict[str, list[int]], value)

    with pytest.raises(UnencodableStateError, match=r"^Ledger\.value\['2000'\] cannot be saved: got \(1, 2\): "):
        list(codec(actor).slices(actor, is_held=is_held))


def test_the_one_that_is_wrong_is_found_among_many() -> None:
    orders: Any = {f"order {number}": Order(str(number)) for number in range(3_000)}
    orders["order 1234"].filled = "none"

    error = refusal(actor_with(dict[str, Order], orders))

    assert error.field == "value['order 1234']"
    assert error.expected == "Expected `array`, got `str` - at `$[...].filled`"


def test_a_value_that_holds_itself_is_not_saved() -> None:
    loop: list[Any] = []
    loop.append(loop)

    error = refusal(actor_with(Any, loop))

    assert error.expected == "it holds itself, or is too deep"


@attrs.define
class Ledger(Actor):
    """Has many fields."""

    schema: ClassVar[int] = 1

    fills: int = persistent(default=0)
    api_key: str | None = persistent(default=None)
    notes: list[str] = persistent(factory=list)


def test_a_field_that_was_never_set_is_not_saved() -> None:
    ledger = Ledger()
    del ledger.notes

    error = refusal(ledger)

    assert str(error) == "Ledger.notes cannot be saved: got nothing: it must be set before it is saved"


def test_the_error_has_no_secret() -> None:
    ledger = Ledger()
    ledger.api_key = b"hunter2"  # type: ignore[assignment]  # wrong on purpose

    error = refusal(ledger)

    assert str(error) == ("Ledger.api_key cannot be saved: got ***: ValidationError, whose text may hold the secret")


def test_the_error_has_no_secret_of_a_value_inside() -> None:
    error = refusal(actor_with(dict[str, Any], {"config": {"password": "hunter2", "other": {1}}}))

    assert "hunter2" not in str(error)
    assert "***" in error.value


def test_the_error_is_bounded() -> None:
    error = refusal(actor_with(dict[str, int], {"k" * 5_000: "v" * 5_000}))

    assert len(str(error)) < 1_000


@attrs.define(eq=False)
class Same:
    """Equal to itself only."""

    price: float


@dataclasses.dataclass
class Proud:
    """Is not to be compared."""

    price: float

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    __hash__ = None  # type: ignore[assignment]


class Moody(msgspec.Struct, eq=False):
    """Its equality is another one each time."""

    price: Any = None
    asked: ClassVar[int] = 0

    def __eq__(self, other: object) -> bool:
        Moody.asked += 1
        return Moody.asked > 2

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("kind", [Same, Proud, Trade, Quote])
@pytest.mark.parametrize("price", [1.0, float("nan")])
def test_what_is_not_equal_to_anything_is_compared_by_its_fields(kind: Any, price: float) -> None:
    actor = actor_with(list[kind], [kind(price)])

    assert msgspec.msgpack.decode(codec(actor).encode(actor), type=dict[str, list[dict[str, Any]]])


def test_what_is_different_in_a_field_is_not_saved_whatever_its_equality() -> None:
    same = Same(Decimal(1))  # type: ignore[arg-type]  # wrong on purpose

    assert refusal(actor_with(Same, same)).expected == "Expected `float`, got `str` - at `$.price`"


def test_what_is_right_when_it_is_looked_at_again_is_said_to_have_changed() -> None:
    """It is not equal to what comes back when it is encoded, and is when the error is made."""
    Moody.asked = 0
    actor = actor_with(Moody | None, Moody((1,)))

    with pytest.raises(UnencodableStateError) as caught:
        codec(actor).encode(actor)

    assert caught.value.expected == "it, or another field, changed while it was encoded"
