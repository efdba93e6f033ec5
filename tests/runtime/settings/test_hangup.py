"""SIGHUP: real processes; the settings are read again, and a bot never dies of it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
import trio

from duenna._run import Hangups
from duenna.settings import SettingsError
from tests.runtime.messaging.program import Program

if TYPE_CHECKING:
    from pathlib import Path

BOT = """
from duenna.settings import Settings, SettingsSource
from duenna.error_events import SettingsChanged, SettingsRejected

class Watcher(Actor):
    async def run(self):
        events = self.context.runtime.events(SettingsChanged, SettingsRejected)
        say("watching")
        async for event in events:
            retries = self.context.runtime.settings.error_handling.max_retries
            say(type(event).__name__, event.text(), "| retries", retries, "| incarnation", self.context.incarnation)

tree = Supervisor("bot", [Child("watcher", Watcher)])
"""


@pytest.mark.slow
def test_sighup_has_the_settings_read_again_and_restarts_nobody(tmp_path: Path) -> None:
    """A wrong file changes nothing; the next right one is taken."""
    path = tmp_path / "bot.yaml"
    path.write_text("{}")
    with Program(f"{BOT}\ntell_report(duenna.run(tree, settings=SettingsSource(env={{}}, yaml={str(path)!r})))") as bot:
        bot.wait_for("watching")
        path.write_text("error_handling: {max_retries: 7}")
        bot.send(signal.SIGHUP)
        changed = bot.wait_for("SettingsChanged ")
        path.write_text("error_handling: {max_retries: -7}")
        bot.send(signal.SIGHUP)
        rejected = bot.wait_for("SettingsRejected ")
        path.write_text("error_handling: {max_retries: 8}")
        bot.send(signal.SIGHUP)
        again = bot.wait_for("SettingsChanged ")
        bot.send(signal.SIGTERM)
        status = bot.end()

    assert changed.endswith("error_handling.max_retries 3 -> 7 | retries 7 | incarnation 1")
    assert "error_handling.max_retries must be a whole number of at least 0, got -7" in rejected
    assert rejected.endswith("| retries 7 | incarnation 1")
    assert again.endswith("error_handling.max_retries 7 -> 8 | retries 8 | incarnation 1")
    assert status == 0


@pytest.mark.slow
def test_sighup_without_a_source_is_logged_and_nothing_else() -> None:
    """A terminal that is closed does not end the bot."""
    with Program(f"{BOT}\ntell_report(duenna.run(tree, settings=Settings()))") as bot:
        bot.wait_for("watching")
        bot.send(signal.SIGHUP)
        line = bot.wait_for("SIGHUP")
        bot.send(signal.SIGTERM)
        status = bot.end()

    assert "WARNING" in line
    assert "settings cannot be read again: the runtime was given Settings, not a SettingsSource" in line
    assert bot.said("report SIGTERM")
    assert status == 0


@pytest.mark.slow
def test_run_without_settings_honours_the_environment() -> None:
    """A name that is documented has its effect without a line of code; a wrong value is said before anything starts."""
    variables = 'os.environ["ERROR_RECOVERY_MAX_RETRIES"] = "{}"'
    watching = "tree = Supervisor('bot', [Child('a', asked)])\ntell_report(duenna.run(tree))"
    asked = """
async def asked(context):
    say("retries", context.runtime.settings.error_handling.max_retries)
    await context.runtime.stop()
"""
    with Program(f"{variables.format(9)}\n{asked}\n{watching}") as bot:
        told = bot.wait_for("retries")
        status = bot.end()
    with Program(f"{variables.format(-9)}\n{asked}\n{watching}") as bot:
        refused = bot.wait_for("SettingsError: ")

    assert (told, status) == ("retries 9", 0)
    assert "environment: ERROR_RECOVERY_MAX_RETRIES must be a whole number of at least 0, got '-9'" in refused


@pytest.mark.slow
def test_the_handler_from_before_is_put_back() -> None:
    source = """
signal.signal(signal.SIGHUP, lambda *_: say("mine"))
class Short(Actor):
    async def run(self):
        await self.context.runtime.stop()
duenna.run(Supervisor("bot", [Child("short", Short)]))
signal.raise_signal(signal.SIGHUP)
say("over")
"""
    with Program(source) as bot:
        bot.wait_for("over")
        bot.end()

    assert bot.said("mine") == ["mine"]


class Reloads:
    """As much of a runtime as SIGHUP needs: its readings last until they are let go."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.count = 0
        self.go = trio.Event()
        self.stopping = trio.Event()

    async def reload_settings(self) -> None:
        self.count += 1
        await self.go.wait()
        if self.errors:
            raise self.errors.pop(0)


def hangups(runtime: Reloads) -> Hangups:
    return Hangups(runtime)  # type: ignore[arg-type]


async def test_any_number_of_hangups_during_a_reading_make_for_one_more() -> None:
    runtime = Reloads()
    asked = hangups(runtime)

    for _ in range(5):
        asked.on_signal(signal.SIGHUP, None)
        await trio.testing.wait_all_tasks_blocked()
    during = runtime.count
    runtime.go.set()
    await trio.testing.wait_all_tasks_blocked()

    assert (during, runtime.count) == (1, 2)


async def test_a_reading_that_fails_is_not_the_last_one() -> None:
    runtime = Reloads(SettingsError([]), RuntimeError("no source"))
    runtime.go.set()
    asked = hangups(runtime)

    for _ in range(3):
        asked.on_signal(signal.SIGHUP, None)
        await trio.testing.wait_all_tasks_blocked()

    assert runtime.count == 3


async def test_a_runtime_that_stops_reads_nothing_any_more() -> None:
    runtime = Reloads()
    runtime.stopping.set()

    hangups(runtime).on_signal(signal.SIGHUP, None)
    await trio.testing.wait_all_tasks_blocked()

    assert runtime.count == 0
