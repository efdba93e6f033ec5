"""Which actor a name means."""

from __future__ import annotations

import pytest

from duenna_actors.console.api.names import kinds_of, known_names, resolve
from duenna_actors.console.api.problems import ProblemError
from duenna_actors.console.view.model import Row


def row(path: str, kind: str = "actor") -> Row:
    return Row(path=path, name=path.rpartition("/")[2], depth=path.count("/") - 1, kind=kind, state="running")


ROWS = (
    row("/system", "supervisor"),
    row("/system/records", "records"),
    row("/system/database", "supervisor"),
    row("/bot", "supervisor"),
    row("/bot/store", "database"),
    row("/bot/Trade_Engine", "trade_engine"),
    row("/bot/watch", "position_monitor"),
    row("/bot/feeds", "supervisor"),
    row("/bot/feeds/btc", "websocket"),
    row("/bot/feeds/eth", "websocket"),
    row("/bot/spare", "supervisor"),
    row("/bot/spare/btc", "actor"),
)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("database", "/bot/store"),
        ("store", "/bot/store"),
        ("/bot/store", "/bot/store"),
        ("/bot/store/", "/bot/store"),
        ("trade-engine", "/bot/Trade_Engine"),
        ("trade_engine", "/bot/Trade_Engine"),
        ("TRADE-ENGINE", "/bot/Trade_Engine"),
        ("position-threshold", "/bot/watch"),
        ("position_monitor", "/bot/watch"),
        ("eth", "/bot/feeds/eth"),
        ("feeds", "/bot/feeds"),
        ("records", "/system/records"),
        ("/system/database", "/system/database"),
    ],
)
def test_a_name_means_one(name: str, path: str) -> None:
    """The bot's own come before those of `/system`."""
    assert resolve(name, ROWS).path == path


@pytest.mark.parametrize(
    ("name", "candidates"),
    [("websocket", ["/bot/feeds/btc", "/bot/feeds/eth"]), ("btc", ["/bot/feeds/btc", "/bot/spare/btc"])],
)
def test_a_name_that_means_several_is_refused(name: str, candidates: list[str]) -> None:
    with pytest.raises(ProblemError) as caught:
        resolve(name, ROWS)

    assert (caught.value.status, caught.value.extra["candidates"]) == (409, candidates)
    assert caught.value.detail == f"{name!r} may be {', '.join(candidates)}: say which by its path"


@pytest.mark.parametrize("name", ["databse", "", " ", "x" * 1000, "\x00", "balance", "//", "supervisor"])
def test_a_name_that_means_none_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(ProblemError) as caught:
        resolve(name, ROWS)

    assert caught.value.status == 404
    assert caught.value.extra["names"]
    assert len(caught.value.detail) < 600


def test_what_looks_alike_is_named_first() -> None:
    with pytest.raises(ProblemError, match=r"^there is no service 'databse'; there is database$"):
        resolve("databse", ROWS)


def test_a_wrong_path_names_its_neighbours() -> None:
    with pytest.raises(ProblemError) as caught:
        resolve("/bot/feeds/btx", ROWS)

    assert caught.value.extra["names"][0] == "/bot/feeds/btc"


def test_the_names_there_are_begin_with_the_stock_ones() -> None:
    assert known_names(ROWS) == [
        "database",
        "position-monitor",
        "position-threshold",
        "trade-engine",
        "trading-engine",
        "websocket",
        "store",
        "Trade_Engine",
        "watch",
        "feeds",
        "btc",
        "eth",
        "spare",
    ]


def test_kinds_of_a_name() -> None:
    assert kinds_of("trade-engine") == ("trade_engine",)
    assert "my_kind" in kinds_of("my-kind")
