"""Incident files over the API."""

from __future__ import annotations

from typing import Any

from duenna_actors.console.server.tokens import VIEW
from tests.actors.console.api.bots import bot
from tests.actors.console.api.test_lists import LONG, problem
from tests.actors.console.support import running_console


async def test_one_is_taken_listed_and_read() -> None:
    async with running_console(bot()) as running, running.client() as http:
        taken = await http.post("/api/v1/incidents", json={"reason": "look"})
        name = taken.json()["id"]
        listed = (await http.get("/api/v1/incidents")).json()["incidents"]
        document = await http.get(f"/api/v1/incidents/{name}")

    assert taken.status_code == 201
    assert taken.headers["location"] == f"/api/v1/incidents/{name}"
    assert (taken.json()["reason"], taken.json()["trigger"], taken.json()["path"]) == ("look", "request", "/")
    assert [each["id"] for each in listed] == [name]
    assert document.headers["content-type"] == "application/json"
    assert isinstance(document.json(), dict)


async def test_what_is_none_is_refused() -> None:
    async with running_console(bot()) as running, running.client() as http:
        for name in ("nope", "..%2F..%2Fetc%2Fpasswd", "%00", LONG, "a%0Ab"):
            problem(await http.get(f"/api/v1/incidents/{name}"), 404)
        bodies: tuple[Any, ...] = ({"reason": 1}, {"reason": "x" * 501}, {"why": "x"}, [])
        for body in bodies:
            problem(await http.post("/api/v1/incidents", json=body), 422)
        problem(await running.post("/api/v1/incidents", {}, token=VIEW), 403)
        assert (await http.get("/api/v1/incidents")).json() == {"incidents": []}
