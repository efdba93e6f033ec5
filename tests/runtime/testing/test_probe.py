"""The probe that says in a trace that data has arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from duenna import Supervisor, open_runtime
from duenna.testing.probe import data_probe

if TYPE_CHECKING:
    import trio.testing


@attrs.frozen
class Price:
    feed: str


class Trade(Price):
    pass


@attrs.define
class Records:
    rows: list[tuple[str, str, dict[str, Any]]] = attrs.field(factory=list[tuple[str, str, dict[str, Any]]])

    def record(self, kind: str, path: str = "", incarnation: int = 0, **fields: Any) -> None:
        self.rows.append((kind, path, fields))


async def test_what_is_published_is_recorded_with_its_feed(autojump_clock: trio.testing.MockClock) -> None:
    records = Records()
    paths = {"btc": "/bot/feeds/btc", "eth": "/bot/feeds/eth"}
    probe = data_probe(records.record, lambda price: paths.get(price.feed), Price, max_age=15.0)
    async with open_runtime(Supervisor("bot", []), system=[probe], log_level=None) as runtime:
        runtime.publish(Price("btc"))
        runtime.publish(Trade("eth"))
        runtime.publish(Price("e$h"))
        runtime.publish("something else")

    assert records.rows == [
        ("data", "/bot/feeds/btc", {"max_age": 15.0}),
        ("data", "/bot/feeds/eth", {"max_age": 15.0}),
    ]


def test_a_probe_needs_something_to_listen_to() -> None:
    with pytest.raises(ValueError, match=r"^topics must be one type at least, got none$"):
        data_probe(Records().record, str)
    with pytest.raises(ValueError, match=r"^data_probe: max_age must be .* got 0"):
        data_probe(Records().record, str, Price, max_age=0.0)
