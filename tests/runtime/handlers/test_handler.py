"""The handler of the process: what configures it, where its reports go, what a reset forgets."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import trio
from loguru import logger

from duenna import Child, CircuitOpenError, Supervisor, open_runtime
from duenna.error_events import ErrorClassified, Source
from duenna.handlers import (
    ErrorHandler,
    configure,
    default,
    error_context,
    handle_errors,
    record_error,
    reset,
    with_circuit_breaker,
)
from duenna.machines.classification import Category
from duenna.settings import ClassifierSettings, ErrorHandling, Settings, SettingsError, SettingsSource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trio.testing import MockClock

RULE = {"name": "mine", "texts": ["glitch"], "category": "EXCHANGE", "severity": "LOW", "transient": True}
GLITCHES = Settings(classifier=ClassifierSettings(rules=(RULE,)))


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    reset()
    yield
    reset()


class TestConfigure:
    def test_from_yaml(self, tmp_path: Path) -> None:
        file = tmp_path / "errors.yaml"
        file.write_text("error_handling:\n  max_retries: 1\n  circuit_breaker:\n    failure_threshold: 2\n")

        settings = configure(yaml=file, env={})

        assert default.settings is settings
        assert settings.error_handling.max_retries == 1
        assert settings.error_handling.circuit_breaker.failure_threshold == 2

    def test_from_a_source_and_from_the_environment(self) -> None:
        assert configure(SettingsSource(env={"ERROR_RECOVERY_MAX_RETRIES": "7"})).error_handling.max_retries == 7
        assert configure(env={"ERROR_RECOVERY_MAX_RETRIES": "6"}).error_handling.max_retries == 6

    def test_rules_of_ones_own(self) -> None:
        configure(GLITCHES)

        report = record_error("odd", "a glitch")

        assert report.verdict is not None
        assert (report.verdict.category, report.verdict.rule) == (Category.EXCHANGE, "mine")

    def test_all_or_nothing(self, tmp_path: Path) -> None:
        configure(GLITCHES)
        file = tmp_path / "errors.yaml"
        file.write_text("error_handling:\n  max_retires: 1\n")

        with pytest.raises(SettingsError, match="max_retires"):
            configure(yaml=file, env={})
        with pytest.raises(ValueError, match="rule"):
            configure(Settings(classifier=ClassifierSettings(rules=({"name": "x", "category": "ODD"},))))

        assert default.settings is GLITCHES

    def test_wrong_use(self) -> None:
        with pytest.raises(TypeError, match=r"^settings must be Settings or a SettingsSource, got dict$"):
            configure({})  # type: ignore[arg-type]
        with pytest.raises(
            TypeError, match=r"^configure: settings must be given alone, got yaml, json or env as well$"
        ):
            configure(Settings(), env={})

    def test_reset_forgets_everything(self) -> None:
        configure(GLITCHES)
        record_error("odd", "a glitch")

        reset()

        assert (default.errors.total, default.settings) == (0, Settings())
        report = record_error("odd", "a glitch")
        assert report.id == 1
        assert report.verdict is not None
        assert report.verdict.rule != "mine"

    def test_reset_closes_breakers(self) -> None:
        """One test that opens one must not fail the next."""

        @with_circuit_breaker("broker", failure_threshold=1)
        def positions() -> None:
            raise ConnectionResetError

        with pytest.raises(ConnectionResetError):
            positions()
        with pytest.raises(CircuitOpenError):
            positions()

        reset()

        with pytest.raises(ConnectionResetError):
            positions()

    def test_the_rules_hold_for_guards_too(self) -> None:
        """A guard and a decorated function ask the same classifier."""
        configure(
            Settings(
                classifier=ClassifierSettings(rules=(RULE,)),
                error_handling=ErrorHandling(base_delay=1e-9, max_delay=1e-9, max_retries=2),
            )
        )
        calls: list[int] = []

        @handle_errors("fetch", "market", fallback_value=None)
        def fetch() -> None:
            calls.append(1)
            raise ValueError("a glitch")

        fetch()

        assert len(calls) == 3


class TestWithoutARuntime:
    def test_an_error_is_a_log_line_of_its_severity(self) -> None:
        lines: list[str] = []
        sink = logger.add(lines.append, level=0, format="{level} {message}")
        try:
            record_error("odd", "nothing came", component="market", severity="HIGH")
        finally:
            logger.remove(sink)

        (line,) = lines
        assert line.startswith("ERROR market error 1: ")
        assert "nothing came" in line

    async def test_another_world_begins_anew(self, autojump_clock: MockClock) -> None:
        await trio.sleep(100.0)

        assert record_error("odd", "x").time == 100.0

    def test_from_many_threads(self) -> None:
        mine = ErrorHandler()

        def work() -> None:
            for _ in range(100):
                mine.record(ValueError("bad"))
                mine.errors.summary()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert mine.errors.total == 400

    def test_a_context_that_is_none_is_refused(self) -> None:
        with pytest.raises(TypeError, match=r"^record: context must be a mapping, got a list$"):
            record_error("odd", "a glitch", context=[("a", 1)])  # type: ignore[arg-type]

    def test_no_exception_is_refused(self) -> None:
        with pytest.raises(TypeError, match=r"^record: error must be an exception, got 'x'$"):
            default.record("x")  # type: ignore[arg-type]


async def idle(context: Any) -> None:
    await context.stop_requested.wait()


class TestWithARuntime:
    async def test_reports_go_to_the_runtime(self, autojump_clock: MockClock) -> None:
        async with open_runtime(Supervisor("bot", [Child("idle", idle)])) as runtime:
            with runtime.events(ErrorClassified) as events:
                await trio.sleep(3.0)
                report = record_error("odd", "nothing came", component="market")
                event = await anext(aiter(events))
                assert isinstance(event, ErrorClassified)

        assert (event.report, event.verdict) == (report, report.verdict)
        assert (report.time, report.path) == (3.0, "/")
        assert runtime.errors.total == 1
        assert default.errors.total == 0

    async def test_from_an_actor(self, autojump_clock: MockClock) -> None:
        async def careful(context: Any) -> None:
            with error_context("fetch", "market", swallow=True):
                raise ConnectionResetError("down")
            await context.stop_requested.wait()

        async with open_runtime(Supervisor("bot", [Child("feed", careful)])) as runtime:
            await trio.testing.wait_all_tasks_blocked()
            (event,) = runtime.errors.recent

        assert (event.report.path, event.report.incarnation) == ("/bot/feed", 1)
        assert event.report.source == Source.HANDLER

    async def test_from_another_thread(self) -> None:
        async with open_runtime(Supervisor("bot", [Child("idle", idle)])) as runtime:
            with runtime.events(ErrorClassified) as events:
                report = await trio.to_thread.run_sync(record_error, "odd", "nothing came")
                event = await anext(aiter(events))
                assert isinstance(event, ErrorClassified)

        assert event.report == report

    async def test_its_settings_and_rules_hold(self, autojump_clock: MockClock) -> None:
        settings = Settings(
            error_handling=ErrorHandling(max_retries=2, base_delay=4.0, jitter=False),
            classifier=ClassifierSettings(rules=(RULE,)),
        )
        calls: list[float] = []

        @handle_errors("fetch", "market", fallback_value=None)
        async def fetch() -> None:
            calls.append(trio.current_time())
            raise ValueError("a glitch")

        async with open_runtime(Supervisor("bot", [Child("idle", idle)]), settings=settings):
            assert default.settings is settings
            await fetch()

        assert calls == [0.0, 4.0, 16.0]
        assert default.settings == Settings()

    async def test_when_it_has_ended_the_handler_is_alone_again(self) -> None:
        async with open_runtime(Supervisor("bot", [Child("idle", idle)])):
            pass

        record_error("odd", "nothing came")

        assert default.errors.total == 1
