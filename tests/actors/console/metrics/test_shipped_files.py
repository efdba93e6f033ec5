"""The dashboard and the alert rules: they load, their queries are right, and every metric that they name exists."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.actors.console.metrics.support import run_promtool
from tests.actors.console.support import running_console

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = resources.files("duenna_actors.console")
DASHBOARD: dict[str, Any] = json.loads(FILES.joinpath("grafana/bot.json").read_text("utf-8"))
RULES_FILE = FILES.joinpath("prometheus/alerts.yml")
RULES: list[dict[str, Any]] = yaml.safe_load(RULES_FILE.read_text("utf-8"))["groups"][0]["rules"]
TESTS = Path(__file__).parent / "alerts_test.yml"
NAME = re.compile(r"\bduenna_\w+")
ROWS = [
    "How it does",
    "Restarts and errors",
    "Messages and the event loop",
    "Feeds and breakers",
    "Recovery and alerts",
]
ALERTS = [
    "BotDown",
    "RestartLoop",
    "FeedStale",
    "BreakerOpen",
    "LoopBlocked",
    "BudgetLow",
    "ErrorRateHigh",
    "SnapshotStale",
    "AlertDeliveryFailing",
    "Watchdog",
]


def queries() -> Iterator[str]:
    """Yield every query of the dashboard."""
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (each["expr"] for each in DASHBOARD["annotations"]["list"])
    yield from (each["query"]["query"] for each in DASHBOARD["templating"]["list"] if each["type"] == "query")


def names(page: bytes) -> set[str]:
    """Return the names of all samples that the page has, or would have."""
    found: set[str] = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", page.decode(), re.MULTILINE):
        endings = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        found.update(name + ending for ending in endings)
    return found


async def test_every_metric_that_they_name_exists() -> None:
    """On the page of a bot that runs, over its real console: a name that is changed here must be changed there."""
    async with running_console() as bot:
        answer = await bot.get("/metrics")
    named = set(NAME.findall(" ".join(queries()))) | set(NAME.findall(" ".join(rule["expr"] for rule in RULES)))

    assert answer.status_code == 200
    assert named - names(answer.content) == set()
    assert len(named) > 25


async def test_the_page_over_http_is_in_the_format_that_was_asked_for() -> None:
    """Prometheus asks for OpenMetrics first; without a token there is nothing."""
    async with running_console() as bot:
        asked = {"accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}
        strict, plain, refused = [
            await bot.get("/metrics", headers=asked),
            await bot.get("/metrics"),
            await bot.get("/metrics", token=None),
        ]

    assert strict.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert strict.content.endswith(b"# EOF\n")
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert refused.status_code == 401
    assert run_promtool(["check", "metrics"], plain.content) == (0, "")


def test_the_dashboard_has_its_rows_and_variables() -> None:
    """Five rows from the whole to the details; nothing overlaps; each panel says where its data is from."""
    panels = DASHBOARD["panels"]
    assert [panel["title"] for panel in panels if panel["type"] == "row"] == ROWS
    assert [each["name"] for each in DASHBOARD["templating"]["list"]] == ["datasource", "job", "instance", "actor"]
    assert [each["name"] for each in DASHBOARD["annotations"]["list"]] == ["Escalations", "Starts"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels if panel["type"] != "row")


def test_every_query_of_the_dashboard_is_right(tmp_path: Path) -> None:
    """As rules, promtool reads them, with the variables as Grafana fills them in."""
    filled = [
        re.sub(r"\$(job|instance|actor)", ".*", query).replace("$__rate_interval", "1m").replace("$__interval", "15s")
        for query in queries()
        if not query.startswith("label_values(")
    ]
    rules = [{"record": f"q{number}", "expr": query} for number, query in enumerate(filled)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))

    status, output = run_promtool(["check", "rules", str(file)])
    assert status == 0, output
    assert "$" not in "".join(filled)


def test_no_query_looks_at_less_than_two_scrapes() -> None:
    """Of a range that holds one sample, Prometheus has no rate, and the mark in the graph never comes."""
    assert not [query for query in queries() if "[$__interval]" in query]


def test_each_alert_says_what_to_do() -> None:
    """All of them are there, each with a severity, a summary, and the next step for whom it wakes up."""
    assert [rule["alert"] for rule in RULES] == ALERTS
    for rule in RULES:
        assert rule["labels"]["severity"] in {"critical", "warning", "none"}
        assert set(rule["annotations"]) == {"summary", "runbook"}
        assert all(text.strip() and "\n" not in text.strip() for text in rule["annotations"].values())
    assert next(rule["for"] for rule in RULES if rule["alert"] == "BreakerOpen") == "5m"


def test_the_alerts_fire_when_they_should_and_not_otherwise(tmp_path: Path) -> None:
    """Unit tests for promtool: a bot that does well, one that does everything wrong, and one that is not there."""
    file = tmp_path / "alerts_test.yml"
    file.write_text(TESTS.read_text("utf-8").replace("RULES]", f"{RULES_FILE}]", 1))

    status, output = run_promtool(["test", "rules", str(file)])
    assert status == 0, output
    assert run_promtool(["check", "rules", str(RULES_FILE)])[0] == 0
