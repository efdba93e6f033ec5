"""Snapshot, tree, errors, events, breakers, charts: what they hold, and what they refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna_actors.console.server.tokens import VIEW
from tests.actors.console.api.bots import Crash, bot, guard
from tests.actors.console.support import running_console

if TYPE_CHECKING:
    import httpx2

    from tests.actors.console.support import Running

PROBLEM = "application/problem+json"
LONG = "x" * 6000
HOSTILE = "<script>alert(1)</script>\x1b[31m[/bold]\x00 token=abcdef0123456789abcdef"


def problem(answer: httpx2.Response, status: int) -> Any:
    """Return the problem that *answer* is."""
    told = answer.json()
    assert answer.status_code == status, told
    assert answer.headers["content-type"] == PROBLEM
    assert told["status"] == status
    assert "Traceback" not in answer.text
    return told


async def crash(running: Running, path: str, text: str = "boom") -> None:
    """Have the actor at *path* crash, and wait until the error is judged."""
    before = running.runtime.errors.total
    running.runtime.ref(path).tell(Crash(text))
    while running.runtime.errors.total == before:
        await trio.lowlevel.checkpoint()


async def test_what_is_asked_for_is_there_and_what_is_not_understood_is_refused() -> None:
    """Every query in one bot: starting one takes longer than all of these."""
    good = (
        "/api/v1/snapshot",
        "/api/v1/charts",
        "/api/v1/tree",
        "/api/v1/tree?depth=0",
        "/api/v1/tree?depth=100",
        "/api/v1/tree?path=/bot/feeds&depth=1",
        "/api/v1/errors?limit=1",
        "/api/v1/errors?limit=1000",
        "/api/v1/errors?since=0",
        "/api/v1/errors?since=1e9&category=network&severity=high&path=/bot",
        "/api/v1/errors?path=/nowhere",
        "/api/v1/events?limit=1&after=0&type=ChildStarted&path=/bot&level=INFO",
        "/api/v1/events?after=9007199254740992",
        "/api/v1/breakers",
        "/api/v1/operations",
        "/api/v1/incidents",
        "/api/recovery/status",
    )
    bad = {
        "/api/v1/tree?depth=-1": "parameter depth must be a whole number from 0 to 100, got '-1'",
        "/api/v1/tree?depth=101": "parameter depth must be a whole number from 0 to 100, got '101'",
        "/api/v1/tree?depth=": "parameter depth must be a whole number from 0 to 100, got ''",
        "/api/v1/errors?limit=0": "parameter limit must be a whole number from 1 to 1000, got '0'",
        "/api/v1/errors?limit=1001": "parameter limit must be a whole number from 1 to 1000, got '1001'",
        "/api/v1/errors?since=-1": "parameter since must be a number from 0 to 1e+09, got '-1'",
        "/api/v1/errors?since=%00": "parameter since must be a number from 0 to 1e+09, got '\\x00'",
        "/api/v1/errors?x=1": "parameter 'x' is not known; known are since, category, severity, path, limit",
        "/api/v1/events?limit=0": "parameter limit must be a whole number from 1 to 1000, got '0'",
        "/api/v1/events?after=-1": "parameter after must be a whole number from 0 to 9.0072e+15, got '-1'",
        "/api/v1/events?level=info": None,
        "/api/v1/snapshot?x=1": "parameter 'x' is not known; there are none here",
        f"/api/v1/errors?severity={LONG}": None,
        "/api/v1/errors?category=nope": None,
    }
    async with running_console(bot()) as running, running.client("view") as http:
        for path in good:
            answer = await http.get(path)
            assert answer.status_code == 200, (path, answer.text)
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers["duenna-api-version"] == "1"
            assert answer.headers["cache-control"] == "no-store"
        for path, detail in bad.items():
            told = problem(await http.get(path), 422)
            assert detail is None or told["detail"] == detail
        assert running.runtime.health().overall == "healthy"


async def test_the_tree_is_cut_at_a_path_and_a_depth() -> None:
    async with running_console(bot()) as running, running.client("view") as http:
        whole = (await http.get("/api/v1/tree?path=/bot/feeds")).json()
        top = (await http.get("/api/v1/tree?path=/bot/&depth=0")).json()
        told = problem(await http.get("/api/v1/tree?path=/bot/feds"), 404)

    assert [row["path"] for row in whole["rows"]] == [
        "/bot/feeds",
        "/bot/feeds/one",
        "/bot/feeds/two",
        "/bot/feeds/three",
    ]
    assert [row["path"] for row in top["rows"]] == ["/bot"]
    assert told["names"][0] == "/bot/feeds"


async def test_errors_are_told_with_their_totals_and_without_secrets() -> None:
    async with running_console(bot()) as running, running.client("view") as http:
        await crash(running, "/bot/store", HOSTILE)
        await crash(running, "/bot/feeds/one")
        told = (await http.get("/api/v1/errors")).json()
        of_one = (await http.get("/api/v1/errors?path=/bot/feeds")).json()
        status = (await http.get("/api/recovery/status")).json()

    assert [error["path"] for error in told["errors"]] == ["/bot/feeds/one", "/bot/store"]
    assert "<script>" in told["errors"][1]["message"]
    assert "abcdef0123456789" not in str(told)
    assert told["summary"]["total_errors"] == 2
    assert told["summary"]["errors_by_service"] == {"/bot/feeds/one": 1, "/bot/store": 1}
    assert [error["path"] for error in of_one["errors"]] == ["/bot/feeds/one"]
    assert status["services"]["/bot/store"]["error_count"] == 1
    assert status["totals"]["errors"] == 2
    assert "abcdef0123456789" not in str(status)


async def test_events_are_listed_oldest_first_and_go_on_after_a_number() -> None:
    async with running_console(bot()) as running, running.client("view") as http:
        await crash(running, "/bot/store")
        told = (await http.get("/api/v1/events?limit=1000")).json()
        latest = (await http.get("/api/v1/events?limit=2")).json()
        after = (await http.get("/api/v1/events?after=1&limit=2")).json()
        crashes = (await http.get("/api/v1/events?type=ChildRestarting")).json()
        loud = (await http.get("/api/v1/events?level=WARNING&path=/bot")).json()

    ids = [event["id"] for event in told["events"]]
    assert ids == list(range(1, told["last_id"] + 1))
    assert [event["id"] for event in latest["events"]] == [latest["last_id"] - 1, latest["last_id"]]
    assert [event["id"] for event in after["events"]] == [2, 3]
    assert [event["path"] for event in crashes["events"]] == ["/bot/store"]
    assert {event["level"] for event in loud["events"]} <= {"WARNING", "ERROR", "CRITICAL"}
    assert loud["events"]


async def test_a_stream_of_events_begins_after_the_number_that_is_given() -> None:
    headers = {"accept": "text/event-stream", "last-event-id": "1"}
    async with running_console(bot()) as running, running.stream("/api/v1/events", headers=headers) as events:
        kind, data = await anext(events)

    assert kind != ":"
    assert '"id":2' in data


@pytest.mark.parametrize("wrong", ["x", "-1", "1e3", "", "9" * 30])
async def test_a_stream_refuses_a_number_that_is_none(wrong: str) -> None:
    """An empty one is none at all, as the browser that has none yet sends it."""
    headers = {"accept": "text/event-stream", "last-event-id": wrong}
    async with (
        running_console() as running,
        running.client("view") as http,
        http.stream("GET", "/api/v1/events", headers=headers) as answer,
    ):
        status = answer.status_code

    assert status == (200 if not wrong else 422)


async def test_a_breaker_is_moved_by_hand() -> None:
    """Whatever its name is; who only looks may not."""
    name = "ex/change ünï?#%2F"
    quoted = "ex%2Fchange%20%C3%BCn%C3%AF%3F%23%252F"
    own, listed = guard(name), list[Any]()
    async with running_console(bot()) as running, running.client() as http:
        await own.call(trio.lowlevel.checkpoint)
        for action, state in (("force_open", "forced_open"), ("disable", "disabled"), ("reset", "closed")):
            answer = await http.post(f"/api/v1/breakers/{quoted}/{action}", json={"reason": "test"})
            assert (answer.status_code, answer.json()["state"]) == (200, state), answer.text
            assert answer.json()["name"] == name
            listed = listed or (await http.get("/api/v1/breakers")).json()["breakers"]
        problem(await http.post(f"/api/v1/breakers/{quoted}/close"), 404)
        unknown = problem(await http.post(f"/api/v1/breakers/{quoted}x/reset"), 404)
        problem(await running.post(f"/api/v1/breakers/{quoted}/reset", token=VIEW), 403)
        problem(await running.post(f"/api/v1/breakers/{quoted}/reset", {"reson": "x"}), 422)

    assert name in {row["name"] for row in listed}
    assert unknown["names"][0] == name  # the most alike of all that the process has


async def test_what_does_not_exist_is_answered_with_what_does() -> None:
    missing = {
        "/api/v1/snapshots": "/api/v1/snapshot",
        "/api/v1/operations/op-99": None,
        "/api/v1/incidents/nope": None,
        "/api/v2/tree": "/api/v1/tree",
        "/api/v1/%00": None,
        "/api/v1/actors/": None,
        f"/{LONG}": None,
        "/api/v1/actors/bot/nope/stack": None,
        "/api/v1/actors/bot/nope/mailbox": None,
    }
    async with running_console(bot()) as running, running.client("view") as http:
        for path, likely in missing.items():
            told = problem(await http.get(path), 404)
            assert likely is None or likely in told["names"]
        for method, path in (("PUT", "/api/v1/tree"), ("DELETE", "/api/v1/errors"), ("PATCH", "/api/recovery/restart")):
            answer = await running_operate(running, method, path)
            assert answer.headers["allow"]
            problem(answer, 405)


async def running_operate(running: Running, method: str, path: str) -> httpx2.Response:
    async with running.client() as http:
        return await http.request(method, path)


async def test_a_stream_of_events_is_filtered() -> None:
    """What the query leaves out does not come, also of what is kept."""
    headers = {"accept": "text/event-stream"}
    url = "/api/v1/events?after=0&type=ChildRestarting&path=/bot/feeds"
    async with running_console(bot()) as running:
        await crash(running, "/bot/store")
        await crash(running, "/bot/feeds/three")
        async with running.stream(url, headers=headers) as events:
            kind, data = await anext(events)

    assert kind == "ChildRestarting"
    assert '"path":"/bot/feeds/three"' in data
