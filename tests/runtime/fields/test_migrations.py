"""From an earlier schema to this one, a step at a time."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

import attrs
import msgspec
import pytest

from duenna import Actor, persistent
from duenna.fields import StateMismatchError
from tests.runtime.fields.kit import Quote, actor_class, codec


def cents(state: dict[str, Any]) -> dict[str, Any]:
    """Make cents of euros."""
    return {"cents": int(Decimal(state["balance"]) * 100), "last": state.get("last")}


def spread(state: dict[str, Any]) -> dict[str, Any]:
    """Rename a field inside of an object, in place."""
    if state["last"]:
        state["last"]["bid"] = state["last"].pop("price")
    return state


@attrs.define
class Ledger(Actor):
    """At its third version."""

    schema: ClassVar[int] = 3
    migrations: ClassVar[dict[int, Any]] = {1: cents, 2: spread}

    cents: int = persistent(default=0)
    last: Quote | None = persistent(default=None)


def stored(**values: Any) -> bytes:
    return msgspec.msgpack.encode(values)


def restored(schema: int, data: bytes) -> Ledger:
    ledger = Ledger()
    codec(Ledger).restore(ledger, schema, data)
    return ledger


def test_all_steps_are_taken_from_where_it_was_stored() -> None:
    last = {"price": 1.5, "ask": 2.0}

    assert restored(1, stored(balance="3.5", last=last)) == Ledger(350, Quote(1.5, 2.0))
    assert restored(2, stored(cents=350, last=last)) == Ledger(350, Quote(1.5, 2.0))
    assert restored(3, stored(cents=350, last={"bid": 1.5})) == Ledger(350, Quote(1.5))


def mismatch(cls: Any, schema: int, data: bytes) -> str:
    """Return the error's text, after which an actor is as it was."""
    actor = cls()
    before = codec(cls).encode(actor)
    with pytest.raises(StateMismatchError) as caught:
        codec(cls).restore(actor, schema, data)
    assert codec(cls).encode(actor) == before
    return str(caught.value)


def test_what_the_last_step_leaves_behind_is_not_lost_in_silence() -> None:
    assert mismatch(Ledger, 2, stored(cents=1, last=None, fee=3)) == (
        "Ledger.fee cannot be restored: got 3: Ledger has no such persistent field: migrate it, or start the version "
        "that wrote it"
    )
    assert mismatch(Ledger, 2, stored(cents=1, last={"price": 1.0, "fee": 2})) == (
        "Ledger.last.fee cannot be restored: got 2: there is no such field any more: migrate it, or start the version "
        "that wrote it"
    )


def test_a_step_that_fails_is_named() -> None:
    assert mismatch(Ledger, 1, stored(last=None)) == (
        "Ledger cannot be restored: got schema 1: the migration from schema 1 to 2 raised KeyError: balance"
    )


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (lambda state: state.clear(), "the migration from schema 1 to 2 must return a dict, got None"),
        (
            lambda _: {"value": object},
            "the migrations made of it what cannot be stored: Encoding objects of type type is unsupported",
        ),
    ],
)
def test_a_step_that_makes_nothing_of_it_is_named(step: Any, why: str) -> None:
    cls = actor_class(int, default=0, schema=2, migrations={1: step})

    assert mismatch(cls, 1, stored(value=1)) == f"Ledger cannot be restored: got schema 1: {why}"


def test_a_step_may_make_what_the_field_holds() -> None:
    """Text, as MessagePack has a Decimal, and the Decimal itself are the same."""
    cls = actor_class(
        set[Decimal], factory=set, schema=2, migrations={1: lambda state: {"value": {Decimal(state["x"])}}}
    )
    actor = cls()

    codec(cls).restore(actor, 1, stored(x="1.50"))

    assert actor.value == {Decimal("1.50")}


@pytest.mark.parametrize(("migrations", "schema"), [({}, 2), ({2: cents}, 1)])
def test_a_version_from_before_the_first_migration_is_not_restored(migrations: Any, schema: int) -> None:
    cls = actor_class(int, default=0, schema=3, migrations=migrations)
    was = schema

    assert mismatch(cls, was, stored(value=1)) == (
        f"Ledger cannot be restored: got schema {was}: there is no migration from schema {was} to {was + 1}"
    )


def test_what_is_no_map_is_given_to_no_migration() -> None:
    assert mismatch(Ledger, 1, msgspec.msgpack.encode([1])) == (
        "Ledger cannot be restored: got [1]: it must be a map from the names of fields"
    )


def test_a_subclass_has_the_schema_and_the_migrations_of_its_base() -> None:
    @attrs.define
    class Sub(Ledger):
        more: int = persistent(default=7)

    sub = Sub()
    codec(Sub).restore(sub, 1, stored(balance="1"))

    assert (sub.cents, sub.more) == (100, 7)
