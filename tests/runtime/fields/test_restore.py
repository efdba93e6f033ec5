"""Restoring sets all fields to what was stored, or none; what does not fit is said, and nothing is lost in silence."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

import attrs
import msgspec
import pytest

from duenna import Actor, persistent
from duenna.fields import NewerSchemaError, StateMismatchError
from tests.runtime.fields.kit import Limit, Order, Side, Stop, actor_class, codec


def no_more_fees_than_fills(ledger: Any, attribute: Any, value: int) -> None:
    if value > ledger.fills:
        raise ValueError(f"more {attribute.name} than fills")


@attrs.define
class Ledger(Actor):
    """Has fields of several kinds."""

    symbol: str = "BTC"
    fees: int = persistent(default=0, validator=no_more_fees_than_fills)
    fills: int = persistent(default=0, validator=attrs.validators.ge(0))
    orders: dict[str, Order] = persistent(factory=dict, money=True)
    quotes: dict[str, float] = persistent(factory=dict, cache=True)


def stored(**values: Any) -> bytes:
    return msgspec.msgpack.encode(values)


def mismatch(data: bytes, *, schema: int = 1) -> StateMismatchError:
    """Return the error, after which a ledger is as it was."""
    ledger = Ledger("ETH", 0, 2, {"a": Order("a")})
    before = codec(Ledger).encode(ledger)
    orders = ledger.orders
    with pytest.raises(StateMismatchError) as caught:
        codec(Ledger).restore(ledger, schema, data)
    assert codec(Ledger).encode(ledger) == before
    assert ledger.orders is orders
    return caught.value


def test_all_persistent_fields_are_set_and_no_others() -> None:
    saved = Ledger("ETH", 1, 2, {"a": Order("a", Side.SELL)}, {"BTC": 0.5})
    ledger = Ledger()

    codec(Ledger).restore(ledger, 1, codec(Ledger).encode(saved))

    assert ledger == Ledger("BTC", 1, 2, {"a": Order("a", Side.SELL)}, {"BTC": 0.5})


def test_what_is_restored_is_new() -> None:
    """Two actors of the same bytes share nothing, and neither do they with the one that was saved."""
    saved = Ledger("ETH", 0, 0, {"a": Order("a")})
    data = codec(Ledger).encode(saved)
    one, other = Ledger(), Ledger()
    codec(Ledger).restore(one, 1, data)
    codec(Ledger).restore(other, 1, data)

    one.orders["a"].filled.append(Decimal(1))

    assert other.orders["a"].filled == saved.orders["a"].filled == []
    assert codec(Ledger).encode(other) == data


def test_a_field_that_was_not_stored_is_as_the_factory_made_it() -> None:
    ledger = Ledger("BTC", 0, 7, {}, {"BTC": 1.0})

    codec(Ledger).restore(ledger, 1, stored(orders={}))

    assert (ledger.fills, ledger.quotes) == (7, {"BTC": 1.0})


def test_a_tag_is_no_field_that_is_not_known() -> None:
    """The bytes are not what would be stored now, so that what is in them is looked at."""
    for tagged, expected in (
        ({"kind": "limit", "size": 1}, Limit(1)),
        ({"size": 1, "price": "2", "kind": "limit"}, Limit(1, Decimal(2))),
        ({"size": 1, "kind": "stop"}, Stop(1)),
    ):
        actor = actor_class(dict[str, Limit | Stop], factory=dict)()
        codec(actor).restore(actor, 1, stored(value={"a": tagged}))
        assert actor.value == {"a": expected}

    actor = actor_class(dict[str, Limit | Stop], factory=dict)()
    with pytest.raises(StateMismatchError, match=r"^Ledger\.value\['a'\]\.price cannot be restored: got '2': "):
        codec(actor).restore(actor, 1, stored(value={"a": {"kind": "stop", "size": 1, "price": "2"}}))


def test_converters_do_not_run() -> None:
    actor = actor_class(float, default=1.0, converter=lambda value: value * 2)()

    codec(actor).restore(actor, 1, stored(value=3.0))

    assert actor.value == 3.0


def test_validators_see_all_that_was_restored() -> None:
    """The fees are more than the fills that the factory made, and less than those that were stored."""
    ledger = Ledger()

    codec(Ledger).restore(ledger, 1, stored(fees=3, fills=5))

    assert (ledger.fees, ledger.fills) == (3, 5)


def test_what_a_validator_refuses_is_not_restored() -> None:
    error = mismatch(stored(fees=3, fills=2, orders={}))

    assert str(error) == "Ledger.fees cannot be restored: got 3: more fees than fills"
    assert isinstance(error.__cause__, ValueError)


def test_what_a_validator_of_attrs_says_is_its_first_line() -> None:
    assert mismatch(stored(fills=-1)).expected == "'fills' must be >= 0: -1"


def test_a_field_without_validator_that_was_not_stored_is_not_validated() -> None:
    ledger = Ledger()
    object.__setattr__(ledger, "fills", -1)

    codec(Ledger).restore(ledger, 1, stored(orders={}))

    assert ledger.fills == -1


def test_validators_that_are_off_are_not_asked() -> None:
    ledger = Ledger()

    with attrs.validators.disabled():
        codec(Ledger).restore(ledger, 1, stored(fills=-1))

    assert ledger.fills == -1


def test_a_field_that_was_not_there_is_not_there_after_a_failure() -> None:
    ledger = Ledger()
    del ledger.orders

    with pytest.raises(StateMismatchError):
        codec(Ledger).restore(ledger, 1, stored(orders={}, fills=-1))

    assert not hasattr(ledger, "orders")


MISMATCHES = [
    ({"fills": "3"}, "fills", "'3'", "Expected `int`, got `str`"),
    ({"fills": None}, "fills", "None", "Expected `int`, got `None`"),
    ({"fills": 1, "quotes": {"a": 1.0, "b": "x"}}, "quotes['b']", "'x'", "Expected `float`, got `str` - at `$[...]`"),
    (
        {"orders": {"a": {"orderId": "a", "side": "bought"}}},
        "orders['a']",
        "{'orderId': 'a', 'side': 'bought'}",
        "Invalid enum value 'bought' - at `$[...].side`",
    ),
    (
        {"orders": {"a": {}}},
        "orders['a']",
        "{}",
        "Object missing required field `orderId` - at `$[...]`",
    ),
    (
        {"fill": 3, "fills": "x"},
        "fill",
        "3",
        "Ledger has no such persistent field: migrate it, or start the version that wrote it",
    ),
    (
        {"orders": {"a": {"orderId": "a", "fee": 3}}},
        "orders['a'].fee",
        "3",
        "there is no such field any more: migrate it, or start the version that wrote it",
    ),
    (
        {"symbol": "BTC"},
        "symbol",
        "'BTC'",
        "Ledger has no such persistent field: migrate it, or start the version that wrote it",
    ),
]


@pytest.mark.parametrize(("values", "field", "text", "expected"), MISMATCHES)
def test_what_does_not_fit_is_said_and_not_restored(
    values: dict[str, Any], field: str, text: str, expected: str
) -> None:
    error = mismatch(stored(**values))

    assert (error.kind, error.field, error.value, error.expected) == ("Ledger", field, text, expected)
    assert str(error) == f"Ledger.{field} cannot be restored: got {text}: {expected}"


@pytest.mark.parametrize(
    ("data", "text", "expected"),
    [
        (b"", "0 bytes", "they are no MessagePack (Input data was truncated)"),
        (stored(fills=1)[:-1], "7 bytes", "they are no MessagePack (Input data was truncated)"),
        (
            stored(fills=1) + b"\x01",
            "9 bytes",
            "they are no MessagePack (MessagePack data is malformed: trailing characters (byte 8))",
        ),
        (msgspec.msgpack.encode([1, 2]), "[1, 2]", "it must be a map from the names of fields"),
        (msgspec.msgpack.encode({1: 2}), "{1: 2}", "it must be a map from the names of fields"),
    ],
)
def test_what_is_no_map_of_fields_is_said(data: bytes, text: str, expected: str) -> None:
    assert str(mismatch(data)) == f"Ledger cannot be restored: got {text}: {expected}"


class Flaky(msgspec.Struct):
    """Fails the first time."""

    price: float
    made: ClassVar[int] = 0

    def __post_init__(self) -> None:
        Flaky.made += 1
        if Flaky.made == 1:
            raise ValueError("not now")


def test_what_does_not_fit_once_is_not_restored_either() -> None:
    Flaky.made = 0
    actor = actor_class(Flaky | None, default=None)()

    with pytest.raises(StateMismatchError) as caught:
        codec(actor).restore(actor, 1, stored(value={"price": 1.0}))

    assert str(caught.value) == "Ledger cannot be restored: got {'value': {'price': 1.0}}: not now - at `$.value`"
    assert actor.value is None


def test_a_later_schema_is_not_restored() -> None:
    ledger = Ledger()

    with pytest.raises(
        NewerSchemaError,
        match=r"^Ledger was saved with schema 3, this program knows it up to 1: "
        r"start the later version of the program, or set the actor's state aside$",
    ) as caught:
        codec(Ledger).restore(ledger, 3, stored(fills=5))

    assert (caught.value.kind, caught.value.schema, caught.value.known) == ("Ledger", 3, 1)
    assert ledger == Ledger()


def test_what_is_restored_has_no_secret_in_its_errors() -> None:
    @attrs.define
    class Holder(Actor):
        api_key: int = persistent(default=0)
        config: dict[str, int] = persistent(factory=dict)

    for values in ({"api_key": "hunter2"}, {"config": {"password": "hunter2"}}, {"old_password": "hunter2"}):
        with pytest.raises(StateMismatchError) as caught:
            codec(Holder).restore(Holder(), 1, stored(**values))
        assert "hunter2" not in str(caught.value)


def test_caches_are_set_to_their_defaults_and_nothing_else_is() -> None:
    ledger = Ledger("ETH", 1, 2, {"a": Order("a")}, {"BTC": 0.5})
    other = Ledger("ETH", 1, 2, {"a": Order("a")}, {"BTC": 0.5})

    codec(Ledger).reset_caches(ledger)
    codec(Ledger).reset_caches(other)

    assert ledger == Ledger("ETH", 1, 2, {"a": Order("a")}, {})
    assert ledger.quotes is not other.quotes


def test_a_cache_may_have_a_constant_a_converter_or_a_default_of_its_actor() -> None:
    def of(actor: Any) -> list[str]:
        return [actor.name]

    def times(value: int, actor: Any, field: Any) -> str:
        return f"{value} {actor.name} {field.name}"

    @attrs.define
    class Cache(Actor):
        name: str = "x"
        count: int = persistent(default=3, cache=True)
        price: float = persistent(default="0.5", converter=float, cache=True)
        names: list[str] = persistent(default=attrs.Factory(of, takes_self=True), cache=True)
        text: str = persistent(
            default=3,
            converter=attrs.Converter(times, takes_self=True, takes_field=True),  # type: ignore[call-overload]
            cache=True,
        )

    cache = Cache("y", 5, 1.5, ["z"], 0)  # type: ignore[arg-type]

    codec(Cache).reset_caches(cache)

    assert (cache.count, cache.price, cache.names, cache.text) == (3, 0.5, ["y"], "3 y text")
