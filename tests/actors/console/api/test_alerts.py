"""Alerts and silences, with an alerter and without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from duenna.machines.alert_words import Condition
from duenna.machines.classification import Severity
from duenna_actors.alerts import alerts
from duenna_actors.console import OperatorActed
from duenna_actors.console.api import alerts as alerts_api
from duenna_actors.console.server.tokens import VIEW
from tests.actors.alerts.kit import Recorder
from tests.actors.console.api.bots import bot
from tests.actors.console.api.test_lists import LONG, problem
from tests.actors.console.support import running_console

if TYPE_CHECKING:
    import pytest

ALERTER = "/system/alerts/alerter"
GOOD = {"matchers": ['kind="feed_stale"', 'path=~"/bot/.*"'], "duration": 60, "comment": "night"}


async def test_without_alerting_that_is_said() -> None:
    asked: tuple[tuple[str, str, Any], ...] = (
        ("GET", "/api/v1/alerts", None),
        ("GET", "/api/v1/silences", None),
        ("POST", "/api/v1/silences", GOOD),
        ("POST", "/api/v1/alerts/test", {}),
        ("DELETE", "/api/v1/silences/x", None),
    )
    async with running_console(bot()) as running, running.client() as http:
        for method, url, body in asked:
            told = problem(await http.request(method, url, json=body), 409)
            assert told["detail"].startswith("this bot has no alerting: there is no /system/alerts/alerter")


async def test_what_fires_is_listed() -> None:
    recorder = Recorder()
    hostile = "<b>\x1b[31m"
    raised = Condition(kind="my_kind", target="x", severity=Severity.HIGH, summary=hostile, path="/bot/store")
    async with running_console(bot(), system=[alerts([recorder])]) as running, running.client("view") as http:
        await running.runtime.ref(ALERTER).ask(raised)
        told = (await http.get("/api/v1/alerts")).json()

    (alert,) = [alert for alert in told["alerts"] if alert["kind"] == "my_kind"]
    assert (alert["target"], alert["severity"], alert["path"], alert["count"]) == ("x", "HIGH", "/bot/store", 1)
    assert {"now", "at", "raised", "suppressed"} <= told.keys()


async def test_a_silence_begins_and_ends_and_is_its_authors() -> None:
    async with running_console(bot(), system=[alerts([Recorder()])]) as running, running.client() as http:
        with running.runtime.events(OperatorActed) as events:
            made = await http.post("/api/v1/silences", json=GOOD)
            listed = (await http.get("/api/v1/silences")).json()["silences"]
            gone = await http.delete(f"/api/v1/silences/{made.json()['id']}")
            again = problem(await http.delete(f"/api/v1/silences/{made.json()['id']}"), 404)
            left = (await http.get("/api/v1/silences")).json()["silences"]
            told = [(await anext(events)) for _ in range(2)]

    assert made.status_code == 201
    assert [{**each, "until": 0} for each in listed] == [{**made.json(), "until": 0}]
    assert made.json()["author"] == "operate"
    assert made.json()["matchers"] == GOOD["matchers"]
    assert (gone.status_code, gone.content) == (204, b"")
    assert left == []
    assert again["names"] == []
    assert [event.action for event in told if isinstance(event, OperatorActed)] == ["silence", "unsilence"]


async def test_what_may_have_been_done_is_told_also_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """An alerter that is held does later what it was told: whoever told it stands in the log."""
    monkeypatch.setattr(alerts_api, "_PATIENCE", 0.01)
    async with running_console(bot(), system=[alerts([Recorder()])]) as running, running.client() as http:
        await running.runtime.suspend(ALERTER)
        with running.runtime.events(OperatorActed) as events:
            problem(await http.post("/api/v1/silences", json=GOOD), 503)
            problem(await http.delete("/api/v1/silences/x"), 503)
            problem(await http.post("/api/v1/alerts/test", json={}), 503)
            told = [(await anext(events)) for _ in range(3)]

    assert [(event.action, event.target) for event in told if isinstance(event, OperatorActed)] == [
        ("silence", ALERTER),
        ("unsilence", "x"),
        ("test_alert", ALERTER),
    ]


async def test_a_silence_that_makes_no_sense_is_refused() -> None:
    wrong: dict[str, Any] = {
        "duration": (0, -1, 1e9, "60", None),
        "matchers": ([], "kind=x", ["nonsense"], [""], [1], ['path=~"("'], ["a=b"] * 51, None, [LONG]),
        "comment": (1, "x" * 501),
        "author": ("me",),
    }
    async with running_console(bot(), system=[alerts([Recorder()])]) as running, running.client() as http:
        for field, values in wrong.items():
            for value in values:
                told = problem(await http.post("/api/v1/silences", json={**GOOD, field: value}), 422)
                assert told["field"].startswith(field), (value, told)
        problem(await http.post("/api/v1/silences", json={}), 422)
        problem(await running.post("/api/v1/silences", GOOD, token=VIEW), 403)
        assert (await http.get("/api/v1/silences")).json()["silences"] == []


async def test_a_test_reaches_every_receiver() -> None:
    recorder = Recorder()
    async with running_console(bot(), system=[alerts([recorder])]) as running:
        answer = await running.post("/api/v1/alerts/test", {"text": "hello"})
        problem(await running.post("/api/v1/alerts/test", {}, token=VIEW), 403)

    assert (answer.status_code, answer.json()) == (202, {"receivers": 1})
    assert [str(note.reason) for note in recorder.got] == ["test"]
