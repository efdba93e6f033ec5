"""Who did what: each endpoint that changes something tells it, once, as an event and in the recovery log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
from starlette.requests import Request

from duenna_actors.alerts import alerts
from duenna_actors.console import OperatorActed
from duenna_actors.console.api.routes import ENDPOINTS
from duenna_actors.console.server.auth import Caller
from tests.actors.alerts.kit import Recorder
from tests.actors.console.api.bots import bot, ended, guard
from tests.actors.console.support import running_console

if TYPE_CHECKING:
    from pathlib import Path

    from tests.actors.console.support import Running

STORE = "/api/v1/actors/bot/store"
WHY = {"reason": "night shift"}
SILENCE = {"matchers": ['kind="feed_stale"'], "duration": 60, "comment": "night shift"}
DEEDS: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("/api/recovery/restart", "/api/recovery/restart", {"service": "store", **WHY}, "restart"),
    *(
        ("/api/v1/actors/{path}/{action}", f"{STORE}/{each}", WHY, each)
        for each in ("suspend", "resume", "stop", "start", "restart")
    ),
    *(
        ("/api/v1/breakers/{name}/{action}", f"/api/v1/breakers/audited/{each}", WHY, f"breaker_{each}")
        for each in ("force_open", "disable", "reset")
    ),
    ("/api/v1/alerts/test", "/api/v1/alerts/test", {"text": "night shift"}, "test_alert"),
    ("/api/v1/incidents", "/api/v1/incidents", WHY, "incident"),
    ("/api/v1/silences", "/api/v1/silences", SILENCE, "silence"),
    ("/api/v1/silences/{id}", "", {}, "unsilence"),
)
"""Path in the table of endpoints, URL, body, and the action that is told."""


async def test_each_change_is_told_once(tmp_path: Path) -> None:
    used = guard("audited")
    async with running_console(
        bot(), system=[alerts([Recorder()])], runtime_options={"directory": tmp_path}
    ) as running:
        await used.call(trio.lowlevel.checkpoint)
        with running.runtime.events(OperatorActed) as events:
            made = ""
            async with running.client() as http:
                for _, url, body, action in DEEDS:
                    answer = await (http.post(url, json=body) if url else http.delete(f"/api/v1/silences/{made}"))
                    assert answer.status_code in {200, 201, 202, 204}, answer.text
                    made = answer.json()["id"] if action == "silence" else made
                    if "operation_id" in answer.text:
                        await ended(running, answer.json()["operation_id"])
            told: list[Any] = [await anext(events) for _ in DEEDS]
            more = len(list(events.drain()))
        written = await lines(running, len(DEEDS))

    assert [event.action for event in told] == [action for *_, action in DEEDS]
    assert more == 0
    assert {event.by for event in told} == {"operate"}
    assert all("night shift" in event.reason for event in told if event.action != "unsilence")
    assert [record["action"] for record in written] == [f"operator_{event.action}" for event in told]
    for record, event in zip(written, told, strict=True):
        assert record["error"].startswith(f"{event.target} by operate ({event.peer})")
        assert event.reason in record["error"]


def test_no_endpoint_that_changes_something_is_missing_here() -> None:
    assert {path for path, *_ in DEEDS} == {each.path for each in ENDPOINTS if each.role == "operate"}


async def lines(running: Running, count: int) -> list[dict[str, Any]]:
    """Return what operators did, oldest first, once so many lines are written: an actor of its own writes them."""
    while True:
        found = (await running.get("/api/recovery/logs?limit=1000")).json()["records"]
        own = [record for record in reversed(found) if record["action"].startswith("operator_")]
        if len(own) >= count:
            return own
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize(("role", "status"), [(None, 401), ("view", 403), ("nonsense", 403), ("operate", 422)], ids=str)
async def test_the_table_itself_asks_for_the_role(role: str | None, status: int) -> None:
    """Whatever stands in front of it: a handler never runs for who may not."""
    (endpoint,) = (each for each in ENDPOINTS if each.path == "/api/recovery/restart")
    caller = None if role is None else Caller("me", role, "unix")
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b"", "state": {}}

    async def receive() -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        return {"type": "http.request", "body": b"", "more_body": False}

    request = Request(scope, receive)
    request.state.caller = caller
    deps: Any = None

    assert (await endpoint(deps, request, ENDPOINTS)).status_code == status
