"""No secret comes out of an error by way of its report, whichever way it got in."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import msgspec
import pytest

from duenna._facts import facts_of
from duenna._reporting import make_report
from duenna._text import describe
from tests.runtime.reports.planted import PLANTED, Plant, context_of_secrets, leaks, pieces, registered

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _known_values() -> Iterator[None]:
    with registered():
        yield


def as_text(value: object) -> str:
    """Return everything that is in *value*, in both forms that it may be shown in."""
    return repr(value) + msgspec.json.encode(value).decode()


def test_there_are_many_and_each_is_of_its_own() -> None:
    assert len(PLANTED) >= 20
    assert len({plant.secret for plant in PLANTED}) == len(PLANTED)


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.where)
def test_every_secret_is_in_its_error(plant: Plant) -> None:
    """What is not planted proves nothing."""
    shown = "".join(traceback.format_exception(plant.make()))[:100_000]

    assert any(piece in shown for piece in pieces(plant.secret)) or plant.where == "by value, in base64"


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.where)
def test_no_secret_is_in_the_description(plant: Plant) -> None:
    assert leaks(describe(plant.make())) == []


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.where)
def test_no_secret_is_in_the_facts(plant: Plant) -> None:
    assert leaks(as_text(facts_of(plant.make()))) == []


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.where)
def test_no_secret_is_in_the_report(plant: Plant) -> None:
    error = plant.make()

    report = make_report(
        error, id=1, time=1.0, at=2.0, context={"error": error, "text": str(error)[:3_000]}, operation=str(error)[:3000]
    )

    assert leaks(as_text(report)) == []


def test_no_secret_is_in_the_context() -> None:
    context, secrets = context_of_secrets()

    report = make_report(ValueError("x"), id=1, time=1.0, at=2.0, context=context)

    assert leaks(as_text(report), secrets) == []
    assert report.context["symbol"] == "BTCUSDT"
    assert report.context["api_key"] == "***"
    assert report.context["headers"] == "{'Authorization': '***', 'Host': 'x'}"
    assert report.context["call"] == "GET /x?signature=***"
