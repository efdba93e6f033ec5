"""The status of everything, the restart of a service by its name, the recovery log, and who did what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import trio

from duenna import ChildRestarting
from duenna.records import RecoveryRecord, RecoveryStatus, format_recovery_line, parse_recovery_line
from duenna.wallclock import wall_time
from duenna_actors.console import OperatorActed
from duenna_actors.console.server.tokens import VIEW
from tests.actors.console.api.bots import Crash, bot, ended
from tests.actors.console.api.test_lists import LONG, problem
from tests.actors.console.support import running_console

if TYPE_CHECKING:
    from pathlib import Path

    from tests.actors.console.support import Running

RESTART = "/api/recovery/restart"
LOGS = "/api/recovery/logs"


async def crash_for_long(running: Running) -> None:
    """Have `/bot/others/one` crash: it is tried again in an hour."""
    with running.runtime.events(ChildRestarting) as events:
        running.runtime.ref("/bot/others/one").tell(Crash("the exchange is gone"))
        await anext(events)


async def restart(running: Running, service: str, **more: Any) -> Any:
    """Restart *service*, and return its operation when it is over."""
    answer = await running.post(RESTART, {"service": service, **more})
    assert answer.status_code == 202, answer.text
    return await ended(running, answer.json()["operation_id"])


async def test_a_service_is_restarted_by_any_of_its_names() -> None:
    names = {
        "database": "/bot/store",
        "store": "/bot/store",
        "/bot/store": "/bot/store",
        "position-threshold": "/bot/positions",
        "trade-engine": "/bot/engine",
        "trade_engine": "/bot/engine",
        "three": "/bot/feeds/three",
        "feeds": "/bot/feeds",
    }
    async with running_console(bot()) as running:
        for name, path in names.items():
            done = await restart(running, name)
            assert (done.state, done.path, done.action) == ("succeeded", path, "restart"), name
        assert running.runtime.tree("/bot/store").incarnation == 4
        assert running.runtime.tree("/bot/engine").incarnation == 3


async def test_a_name_that_is_none_or_several_is_refused() -> None:
    wrong: tuple[tuple[Any, int], ...] = (
        ({"service": "one"}, 409),
        ({"service": "websocket"}, 404),
        ({"service": "databse"}, 404),
        ({"service": "/bot/nope"}, 404),
        ({"service": "/"}, 404),
        ({"service": "\x00"}, 404),
        ({"service": "ünï"}, 404),
        ({"service": LONG}, 422),
        ({"service": ""}, 422),
        ({"service": None}, 422),
        ({"service": ["store"]}, 422),
        ({}, 422),
        ({"service": "store", "force": "yes"}, 422),
        ({"service": "store", "reason": "x" * 501}, 422),
        ({"service": "store", "Reason": "x"}, 422),
        ({"service": "bot"}, 409),
    )
    async with running_console(bot()) as running:
        for body, status in wrong:
            problem(await running.post(RESTART, body), status)
        several = problem(await running.post(RESTART, {"service": "one"}), 409)
        none = problem(await running.post(RESTART, {"service": "databse"}), 404)
        problem(await running.post(RESTART, {"service": "store"}, token=VIEW), 403)
        problem(await running.post(RESTART, {"service": "store"}, token=None), 401)
        assert running.runtime.tree("/bot/store").incarnation == 1

    assert several["candidates"] == ["/bot/feeds/one", "/bot/others/one"]
    assert {"database", "position-threshold", "trade-engine", "store", "three"} <= set(none["names"])
    assert none["detail"] == "there is no service 'databse'; there is database"


async def test_what_is_tried_again_by_itself_is_left_alone_unless_forced() -> None:
    async with running_console(bot()) as running:
        await crash_for_long(running)
        answer = await running.post(RESTART, {"service": "/bot/others/one"})
        status = (await running.get("/api/recovery/status")).json()
        done = await restart(running, "/bot/others/one", force=True)
        state = running.runtime.tree("/bot/others/one").state

    told = problem(answer, 409)
    assert 3500 < int(answer.headers["retry-after"]) <= 3600
    assert 3500 < told["retry_after"] <= 3600
    assert 'send "force": true to restart it now' in told["detail"]
    service = status["services"]["/bot/others/one"]
    assert service["state"] == "backoff"
    assert service["error_count"] == 1
    assert "the exchange is gone" in service["last_error"]
    assert 3500 < service["cooldown_until"] - status["at"] <= 3600
    assert status["overall"] == "degraded"
    assert (done.state, state) == ("succeeded", "running")


async def test_a_repeated_request_is_answered_as_the_first_also_when_it_would_be_refused_now() -> None:
    """The first may have led to the very cooldown."""
    headers = {"idempotency-key": "k"}
    async with running_console(bot()) as running:
        first = await running.post(RESTART, {"service": "/bot/others/one"}, headers=headers)
        await ended(running, first.json()["operation_id"])
        await crash_for_long(running)
        again = await running.post(RESTART, {"service": "/bot/others/one"}, headers=headers)

    assert again.status_code == 202
    assert again.json() == first.json()


async def test_the_status_counts_what_was_done() -> None:
    async with running_console(bot()) as running:
        with running.runtime.events() as events:
            running.runtime.ref("/bot/feeds/three").tell(Crash())
            while type(await anext(events)).__name__ != "RecoveryAttempted":
                pass
        while not running.runtime.recovery.statistics().recent:
            await trio.lowlevel.checkpoint()
        status = (await running.get("/api/recovery/status")).json()

    assert status["totals"]["errors"] == 1
    assert status["totals"]["restarts"] >= 1
    assert status["totals"]["recoveries"] == len(status["recent"]) == 1
    assert status["recent"][0]["path"] == "/bot/feeds/three"
    assert status["recent"][0]["status"] == "success"
    service = status["services"]["/bot/feeds/three"]
    assert service["last_recovery"] == status["recent"][0]["at"]
    assert service["restart_count"] == 1
    assert set(status["services"]) >= {"/bot/store", "/bot/feeds/one"}


# -- the log -------------------------------------------------------------------


def fill(folder: Path, count: int, kind: str = "database") -> None:
    """Write a log of today, a record a second."""
    place = folder / "logs" / "recovery"
    place.mkdir(parents=True, exist_ok=True)
    now = wall_time()
    day = datetime.fromtimestamp(now, UTC).date().isoformat()
    records = [
        RecoveryRecord(now, f"{kind}_restart", RecoveryStatus.FAILED, f"no {each}", each) for each in range(count)
    ]
    with (place / f"recovery-{day}.log").open("ab") as file:
        file.write("".join(f"{format_recovery_line(record)}\n" for record in records).encode())


async def test_the_log_is_read_page_by_page(tmp_path: Path) -> None:
    """While it grows."""
    fill(tmp_path, 25)
    async with (
        running_console(bot(), runtime_options={"directory": tmp_path}) as running,
        running.client("view") as http,
    ):
        pages, url = list[Any](), f"{LOGS}?limit=10"
        while url:
            page = (await http.get(url)).json()
            pages += page["records"]
            fill(tmp_path, 3, "api")
            url = f"{LOGS}?limit=10&cursor={page['next_cursor']}" if page["next_cursor"] else ""

    assert [record["retry_count"] for record in pages] == list(reversed(range(25)))
    assert {record["action"] for record in pages} == {"database_restart"}
    assert pages[0].keys() == {"at", "timestamp", "action", "status", "error", "retry_count"}


async def test_the_log_is_filtered(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    fill(tmp_path, 3, "position_monitor")
    async with (
        running_console(bot(), runtime_options={"directory": tmp_path}) as running,
        running.client("view") as http,
    ):
        counts = {
            query: len((await http.get(f"{LOGS}?{query}")).json()["records"])
            for query in (
                "service=database",
                "service=position-threshold",
                "service=position_monitor",
                "service=nothing",
                "service=%00",
                "status=failed",
                "status=success",
                "service=database&status=failed&days=90&limit=1000",
                "days=1&limit=1",
            )
        }

    assert list(counts.values()) == [2, 3, 3, 0, 0, 5, 0, 2, 1]


async def test_days_are_counted_from_today_back_over_the_year(tmp_path: Path) -> None:
    """A cursor goes on where it was, though a year has begun since; today is the first of the days."""
    midnight = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    folder = tmp_path / "logs" / "recovery"
    folder.mkdir(parents=True)
    for number, day in enumerate(("2025-12-30", "2025-12-31", "2026-01-01")):
        record = RecoveryRecord(midnight, "database_restart", RecoveryStatus.FAILED, day, number)
        (folder / f"recovery-{day}.log").write_text(f"{format_recovery_line(record)}\n")

    async with (
        running_console(bot(), runtime_options={"directory": tmp_path}) as running,
        running.client("view") as http,
    ):
        assert running.runtime.records is not None

        async def days(query: str) -> tuple[list[str], str | None]:
            page = (await http.get(f"{LOGS}?{query}")).json()
            return [record["error"] for record in page["records"]], page["next_cursor"]

        running.runtime.records.wall = lambda: midnight - 1
        assert await days("days=1") == (["2025-12-31"], None)
        found, cursor = await days("days=2&limit=1")
        assert found == ["2025-12-31"]
        running.runtime.records.wall = lambda: midnight + 1
        assert await days(f"cursor={cursor}") == (["2025-12-30"], None)
        assert await days("days=1") == (["2026-01-01"], None)
        assert await days("days=2") == (["2026-01-01", "2025-12-31"], None)
        assert await days("days=3") == (["2026-01-01", "2025-12-31", "2025-12-30"], None)


async def test_what_is_out_of_range_is_refused(tmp_path: Path) -> None:
    today = datetime.fromtimestamp(wall_time(), UTC).date()
    wrong = {
        "days=0": "days",
        "days=91": "days",
        "days=-7": "days",
        "days=7.5": "days",
        "days=": "days",
        "limit=0": "limit",
        "limit=1001": "limit",
        "status=done": "status",
        "cursor=x": "cursor",
        "cursor=2026-02-30.0.2026-02-01": "cursor",
        "cursor=2026-03-02.-1.2026-03-01": "cursor",
        "cursor=2026-03-02.1.2020-03-01": "cursor",
        "cursor=0001-01-01.e.0001-01-01": "cursor",
        "cursor=2020-03-02.e.2020-03-01": "cursor",
        "cursor=9999-12-31.e.9999-12-01": "cursor",
        f"cursor={today}.e.{today - timedelta(days=98)}": "cursor",
        "cursor=" + "9" * 101: "cursor",
        "day=7": "day",
        f"service={LONG}": "service",
    }
    async with (
        running_console(bot(), runtime_options={"directory": tmp_path}) as running,
        running.client("view") as http,
    ):
        for query, field in wrong.items():
            assert problem(await http.get(f"{LOGS}?{query}"), 422)["field"] == field
        for query in (
            "days=1",
            "days=90",
            "limit=1",
            "limit=1000",
            f"cursor={today}.e.{today - timedelta(days=1)}",
            f"cursor={today}.e.{today - timedelta(days=89)}",
            f"cursor={today - timedelta(days=1)}.e.{today}",
            "status=",
            "service=",
        ):
            assert (await http.get(f"{LOGS}?{query}")).status_code == 200, query


async def test_the_log_as_lines(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    async with (
        running_console(bot(), runtime_options={"directory": tmp_path}) as running,
        running.client("view") as http,
    ):
        answer = await http.get(f"{LOGS}?limit=2", headers={"accept": "application/x-ndjson"})
        rest = await http.get(
            f"{LOGS}?cursor={answer.headers['duenna-next-cursor']}", headers={"accept": "application/x-ndjson"}
        )

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert len(answer.text.splitlines()) == 2
    assert len(rest.text.splitlines()) == 1
    assert "duenna-next-cursor" not in rest.headers


async def test_damage_is_counted_and_a_disk_that_fails_is_no_fault_of_ours(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    (file,) = (tmp_path / "logs" / "recovery").iterdir()
    file.write_bytes(file.read_bytes() + b"\x00\xff torn | by | a | power failure")
    async with (
        running_console(bot(), runtime_options={"directory": tmp_path}) as running,
        running.client("view") as http,
    ):
        told = (await http.get(LOGS)).json()
        file.unlink()
        file.mkdir()
        failed = problem(await http.get(LOGS), 503)

    assert (len(told["records"]), told["damaged"]) == (1, 1)
    assert failed["detail"] == "the recovery log cannot be read: Is a directory"
    assert str(tmp_path) not in str(failed)


async def test_a_bot_without_logs_says_how_to_have_them() -> None:
    async with running_console(bot()) as running:
        told = problem(await running.get(LOGS), 404)

    assert "open_runtime(tree, directory=...)" in told["detail"]


# -- who did what --------------------------------------------------------------


async def test_every_change_is_told_and_written_without_secrets(tmp_path: Path) -> None:
    """One line of the recovery log, and one event."""
    told_by_mistake = "api_key=abcdef0123456789abcdef0123456789"
    async with running_console(bot(), runtime_options={"directory": tmp_path}) as running:
        with running.runtime.events(OperatorActed) as events:
            done = await restart(running, "store", reason=f"it hangs | \n\x1b[31m {told_by_mistake}")
            event = await anext(events)
        told = (await running.get(f"{LOGS}?service=store")).json()["records"]
        while not told:  # it is written by an actor of its own
            await trio.lowlevel.checkpoint()
            told = (await running.get(f"{LOGS}?service=store")).json()["records"]

    assert isinstance(event, OperatorActed)
    assert (event.action, event.target, event.by) == ("restart", "/bot/store", "operate")
    assert event.peer
    assert event.reason.startswith("it hangs")
    assert told[0]["action"] == "operator_restart"
    assert told[0]["status"] == "started"
    assert told[0]["error"].startswith("/bot/store by operate (")
    assert "abcdef0123456789" not in f"{told} {event} {done}"
    (file,) = (tmp_path / "logs" / "recovery").iterdir()
    lines = file.read_text().splitlines()
    assert len([line for line in lines if parse_recovery_line(line).action_type == "operator_restart"]) == 1


async def test_what_is_refused_and_what_is_only_planned_is_no_change() -> None:
    async with running_console(bot()) as running:
        with running.runtime.events(OperatorActed) as events:
            await running.post("/api/v1/actors/bot/store/stop?dry_run=1")
            await running.post("/api/v1/actors/bot/store/resume")
            await running.post(RESTART, {"service": "nope"})
            await running.post("/api/v1/actors/bot/store/suspend")
            event = await anext(events)

    assert isinstance(event, OperatorActed)
    assert event.action == "suspend"
