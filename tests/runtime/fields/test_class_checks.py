"""What a class must be for its fields to be saved is found when it is made, or started at the latest."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections import defaultdict, deque
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, NamedTuple, TypedDict, TypeVar

import attrs
import msgspec
import pytest

from duenna import Actor, Ref, Secret, persistent
from duenna.fields import codec_of
from tests.runtime.fields.kit import Box, actor_class, codec

if TYPE_CHECKING:
    from decimal import Decimal as Money  # noqa: TC004  # it must not be there

T = TypeVar("T")
VARIABLE: Any = T


@attrs.define
class Private:
    """Its field is dropped by msgspec (issue 803)."""

    price: float
    _secret: int = 5


@attrs.define
class Other:
    """Another attrs class."""

    price: float


class Point(NamedTuple):
    """By position."""

    bid: float
    ask: float


class Row(msgspec.Struct, array_like=True):
    """By position, too."""

    bid: float
    ask: float


class Tagged(msgspec.Struct, tag=True):
    """The class's name is its tag."""

    price: float


class Outer:
    """Has a class inside."""

    class Tagged(msgspec.Struct, tag=True):
        """Its tag is the qualified name."""

        price: float


class Sparse(msgspec.Struct, omit_defaults=True):
    """Does not store its defaults."""

    price: float = 1.0


class Holder(msgspec.Struct):
    """Holds what cannot be stored."""

    rows: dict[str, list[Row]]


class Key(msgspec.Struct, frozen=True):
    """Can be a key in memory."""

    symbol: str


class Colour(Enum):
    """Neither all text nor all numbers."""

    RED = "red"
    BLUE = 2


@dataclasses.dataclass
class Once:
    """Given something that it does not keep."""

    price: float
    unit: dataclasses.InitVar[str] = ""


class Options(TypedDict):
    """A dict with known keys."""

    depth: int


TAG = "{} has its own name as its tag, and could not be renamed: give it a tag in other letters, such as tag='tagged'"
REFUSED = [
    (
        Callable[[], int],
        "Callable[[], int]",
        "msgspec does not know Callable: use one of its types, or a msgspec.Struct of them",
    ),
    (deque[int], "deque[int]", "msgspec does not know deque: use one of its types, or a msgspec.Struct of them"),
    (
        defaultdict[str, int],
        "defaultdict[str, int]",
        "msgspec does not know defaultdict: use one of its types, or a msgspec.Struct of them",
    ),
    (complex, "complex", "msgspec does not know complex: use one of its types, or a msgspec.Struct of them"),
    (Secret, "Secret", "msgspec does not know Secret: use one of its types, or a msgspec.Struct of them"),
    (list[Ref], "list[Ref]", "msgspec does not know Ref: use one of its types, or a msgspec.Struct of them"),
    (msgspec.Raw, "Raw", "Raw is bytes without a meaning of their own: use bytes"),
    (memoryview, "memoryview", "MemoryView is bytes without a meaning of their own: use bytes"),
    (msgspec.msgpack.Ext, "Ext", "Ext is bytes without a meaning of their own: use bytes"),
    (
        Private,
        "Private",
        "Private._secret is private, and msgspec would leave it out in silence: give it a public name",
    ),
    (
        dict[str, list[Private]],
        "dict[str, list[Private]]",
        "Private._secret is private, and msgspec would leave it out in silence: give it a public name",
    ),
    (Point, "Point", "Point is stored by position, and changed fields would be swapped in silence: use a Struct"),
    (Row, "Row", "Row is array_like, and changed fields would be swapped in silence: store it as a map"),
    (
        Holder | None,
        "Holder | None",
        "Row is array_like, and changed fields would be swapped in silence: store it as a map",
    ),
    (
        Tagged,
        "Tagged",
        TAG.format("Tagged"),
    ),
    (
        Outer.Tagged,
        "Outer.Tagged",
        TAG.format("Outer.Tagged"),
    ),
    (
        Sparse,
        "Sparse",
        "Sparse has omit_defaults, and what it leaves out would change with its defaults: store them",
    ),
    (dict[Key, int], "dict[Key, int]", "the keys of a dict must be text, numbers, times or tuples of them"),
    (
        dict[tuple[frozenset[int], int], int],
        "dict[tuple[frozenset[int], int], int]",
        "the keys of a dict must be text, numbers, times or tuples of them",
    ),
]
SAID_BY_MSGSPEC = [
    (Private | Other, "Type unions may not contain more than one"),
    (list[int] | set[int], "Type unions may not contain more than one array-like"),
    (str | bytes, "Type unions may not contain more than one str-like type"),
    (Colour, "Enums must contain either all str or all int values"),
    (Once, "dataclasses with `InitVar` fields are not supported"),
]


@pytest.mark.parametrize(("hint", "name", "reason"), REFUSED, ids=[name for _, name, _ in REFUSED])
def test_a_type_that_would_not_come_back_as_it_was_is_refused(hint: Any, name: str, reason: str) -> None:
    with pytest.raises(
        TypeError, match=rf"^Ledger.value: {re.escape(name)} cannot be persistent: {re.escape(reason)}$"
    ):
        actor_class(hint, factory=list)


@pytest.mark.parametrize(("hint", "reason"), SAID_BY_MSGSPEC, ids=[reason for _, reason in SAID_BY_MSGSPEC])
def test_what_msgspec_refuses_is_said_in_its_words(hint: Any, reason: str) -> None:
    with pytest.raises(TypeError, match=rf"^Ledger.value: .+ cannot be persistent: {re.escape(reason)}"):
        actor_class(hint, factory=list)


@pytest.mark.parametrize(
    "hint", [Any, object, dict[str, Any], Options, VARIABLE, Box[Any], list[tuple[dt.datetime, ...]]]
)
def test_what_is_known_when_it_is_saved_is_allowed(hint: Any) -> None:
    assert codec(actor_class(hint, factory=list)).names == ("value",)


KEYS: list[Any] = [
    dict[Annotated[str, msgspec.Meta(description="a symbol")], int],
    dict[tuple[int, ...], int],
    dict[str | int | None, int],
    dict[tuple[str, tuple[dt.datetime, int]], int],
]


@pytest.mark.parametrize("hint", KEYS)
def test_keys_may_be_of_what_can_be_looked_up_without_its_type(hint: Any) -> None:
    assert codec(actor_class(hint, factory=dict)).names == ("value",)


def test_a_field_needs_a_default() -> None:
    with pytest.raises(
        TypeError, match=r"^Ledger\.value is persistent, so it must have a default or a factory for the first start$"
    ):
        actor_class(int)


def test_a_field_needs_a_type() -> None:
    def define() -> None:
        @attrs.define
        class Ledger(Actor):
            fills = persistent(default=0)

        Ledger()

    with pytest.raises(TypeError, match=r"Ledger\.fills is persistent, so it must have a type, such as `fills: int`$"):
        define()


def test_a_private_field_is_refused() -> None:
    def define() -> None:
        @attrs.define
        class Ledger(Actor):
            _fills: int = persistent(default=0)

        Ledger()

    with pytest.raises(TypeError, match=r"Ledger\._fills is persistent, so its name must be public: fills$"):
        define()


@pytest.mark.parametrize(
    ("default", "text", "reason"),
    [
        (None, "None", "Expected `int`, got `None`"),
        (1.5, "1.5", "Expected `int`, got `float`"),
        (True, "True", "Expected `int`, got `bool`"),
        (2**64, "18446744073709551616", "can't serialize ints < -2**63 or > 2**64 - 1"),
    ],
)
def test_a_default_of_another_type_is_refused(default: Any, text: str, reason: str) -> None:
    expected = f"Ledger.value has the default {text}, which is none of its type: {reason}"
    with pytest.raises(TypeError, match=rf"^{re.escape(expected)}$"):
        actor_class(int, default=default)


def test_a_default_that_all_actors_would_share_is_refused() -> None:
    with pytest.raises(
        TypeError, match=r"^Ledger\.value has a default that all actors would share, \[\]: use a factory$"
    ):
        actor_class(list[int], default=[])


def test_a_default_that_is_converted_is_not_looked_at() -> None:
    ledger = actor_class(float, default="1.5", converter=float)()

    assert ledger.value == 1.5


def test_a_name_that_only_type_checkers_know_is_refused() -> None:
    def define() -> None:
        @attrs.define
        class Ledger(Actor):
            price: Money | None = persistent(default=None)

        Ledger()

    with pytest.raises(
        TypeError,
        match=r"Ledger\.price has the type Money \| None, which cannot be resolved \(name 'Money' is not defined\): "
        r"what it names must exist at run time, above the class, and neither under TYPE_CHECKING nor inside a "
        r"function$",
    ):
        define()


def test_a_name_that_is_local_to_a_function_is_refused() -> None:
    class Local(msgspec.Struct):
        price: float

    def define() -> None:
        @attrs.define
        class Ledger(Actor):
            last: Local | None = persistent(default=None)

        Ledger()

    with pytest.raises(
        TypeError, match=r"Ledger\.last has the type .+ cannot be resolved \(name 'Local' is not defined\)"
    ):
        define()


def test_other_fields_may_have_any_type() -> None:
    @attrs.define
    class Ledger(Actor):
        notify: Callable[[Money], None] | None = None
        _cache: Unknown = None  # type: ignore[name-defined]  # noqa: F821  # nobody looks at it
        fills: int = persistent(default=0)

    assert codec(Ledger).names == ("fills",)


def test_a_class_without_persistent_fields_has_no_codec() -> None:
    @attrs.define
    class Ledger(Actor):
        fills: int = 0

    assert codec_of(Ledger) is None
    assert codec_of(Actor) is None


class Bare(Actor):
    """Lacks the decorator."""

    fills: int = persistent(default=0)


class BareMixin:
    """Lacks the decorator, and is no actor."""

    fills: int = persistent(default=0)


@attrs.define
class Mixed(Actor):
    """Has it."""

    fees: int = persistent(default=0)


class Half(Mixed):
    """Inherits it, and adds a field without it."""

    more: int = persistent(default=0)


@pytest.mark.parametrize(
    ("cls", "field", "needs"),
    [(Bare, "Bare.fills", "Bare"), (Half, "Half.more", "Half")],
)
def test_a_class_that_attrs_did_not_make_is_found_when_it_is_started(cls: type, field: str, needs: str) -> None:
    for _ in range(2):
        with pytest.raises(TypeError, match=rf"^{field} is persistent, so {needs} needs @attrs\.define$"):
            codec_of(cls)


def test_a_base_that_attrs_did_not_make_is_found_when_the_class_is_made() -> None:
    def define() -> None:
        @attrs.define
        class Ledger(BareMixin, Actor):
            fees: int = persistent(default=0)

        Ledger()

    with pytest.raises(TypeError, match=r"^BareMixin\.fills is persistent, so BareMixin needs @attrs\.define$"):
        define()


@pytest.mark.parametrize("schema", [0, -1, True, 1.0, "2", None])
def test_a_schema_is_a_number_from_one(schema: Any) -> None:
    class Base(Actor):
        pass

    Base.schema = schema  # type: ignore[attr-defined]

    def define() -> None:
        @attrs.define
        class Ledger(Base):
            fills: int = persistent(default=0)

        Ledger()

    with pytest.raises(
        TypeError, match=rf"Ledger\.schema must be an int of at least 1, got {re.escape(repr(schema))}$"
    ):
        define()


def step(state: dict[str, Any]) -> dict[str, Any]:
    return state


MUST = "Ledger.migrations must be a dict from each version to what makes the next of it"


@pytest.mark.parametrize(
    ("schema", "migrations", "got"),
    [
        (3, {1: step}, "without a gap up to schema 3, got [1]"),
        (4, {1: step, 3: step}, "without a gap up to schema 4, got [1, 3]"),
        (1, {1: step}, "without a gap up to schema 1, got [1]"),
        (2, {0: step, 1: step}, "without a gap up to schema 2, got [0, 1]"),
        (2, {"1": step}, f"got {step!r} for '1'"),
        (2, {1: "step"}, "got 'step' for 1"),
        (2, [step], f"got {[step]!r}"),
    ],
)
def test_migrations_lead_up_to_the_schema_without_a_gap(schema: int, migrations: Any, got: str) -> None:
    with pytest.raises(TypeError, match=rf"^{re.escape(MUST)}, {re.escape(got)}$"):
        actor_class(int, default=0, schema=schema, migrations=migrations)


def test_a_later_schema_may_have_no_migrations_or_those_of_the_last_versions() -> None:
    assert codec(actor_class(int, default=0, schema=4)).schema == 4
    assert codec(actor_class(int, default=0, schema=4, migrations={3: step})).schema == 4


def test_a_field_is_not_money_and_cache() -> None:
    with pytest.raises(
        ValueError,
        match=r"^a persistent field is money or cache, not both: a cache is emptied, money never is$",
    ):
        persistent(default=0, money=True, cache=True)


def test_a_field_need_not_be_shown() -> None:
    ledger = actor_class(int, default=0, repr=False)()

    assert repr(ledger) == "Ledger()"


def test_a_field_has_no_default_and_factory() -> None:
    with pytest.raises(ValueError, match=r"^a persistent field has a default or a factory, not both$"):
        persistent(default=0, factory=int)  # type: ignore[call-overload]


@attrs.define
class Base(Actor, Generic[T]):
    """Leaves open what it holds."""

    latest: T | None = persistent(default=None)
    by_name: dict[str, list[T]] = persistent(factory=dict, cache=True)


@attrs.define
class Prices(Base[float]):
    """Says what it holds, and adds something."""

    schema: ClassVar[int] = 3

    fills: int = persistent(default=0, money=True)


class Undecorated(Prices):
    """Adds nothing."""

    def receive(self, message: object) -> None:
        """Do nothing."""


def test_fields_are_inherited() -> None:
    assert codec(Prices).names == ("latest", "by_name", "fills")
    assert codec(Undecorated).names == ("latest", "by_name", "fills")
    assert codec(Undecorated) is codec(Undecorated)
    assert codec(Undecorated) is not codec(Prices)


def test_what_a_codec_says_of_its_class() -> None:
    assert (codec(Base).kind, codec(Base).schema, codec(Base).money, codec(Base).caches) == (
        "Base",
        1,
        False,
        ("by_name",),
    )
    assert (codec(Prices).kind, codec(Prices).schema, codec(Prices).money) == ("Prices", 3, True)
    assert codec(Undecorated).kind == "Undecorated"


def test_a_type_variable_is_what_the_subclass_fills_in() -> None:
    prices = Prices()
    prices.by_name = {"BTC": ["text"]}  # type: ignore[list-item]  # wrong on purpose

    with pytest.raises(Exception, match=r"Expected `float`, got `str`"):
        codec(prices).encode(prices)


def test_a_frozen_class_and_one_without_slots_will_do() -> None:
    @attrs.frozen
    class Frozen(Actor):
        seen: dict[str, int] = persistent(factory=dict)

    @attrs.define(slots=False)
    class Dict(Actor):
        seen: dict[str, int] = persistent(factory=dict)

    for cls in (Frozen, Dict):
        actor: Any = cls()
        actor.seen["BTC"] = 1
        other: Any = cls()
        codec(cls).restore(other, 1, codec(cls).encode(actor))
        assert other.seen == {"BTC": 1}
