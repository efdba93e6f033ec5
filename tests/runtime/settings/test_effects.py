"""Each key does what it says: the settings are read from their source, and the bot behaves as they ask.

Those of the alerts are proved with the alerts, in `tests/actors/alerts`.
"""

from __future__ import annotations

import itertools
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import pytest
import trio

from duenna import (
    Actor,
    Child,
    ChildParked,
    ChildRestarting,
    ChildStarting,
    CircuitOpenError,
    Connection,
    ConnectionState,
    Runtime,
    Supervisor,
    open_runtime,
    persistent,
)
from duenna._facts import facts_of
from duenna.error_events import ErrorClassified
from duenna.handlers import with_circuit_breaker
from duenna.machines.classification import Category
from duenna.machines.rules import Rule
from duenna.settings import LogSettings, Settings, SettingsError, SettingsSource, load_settings
from duenna.state.events import SnapshotSaved

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from trio.testing import MockClock

    from duenna.events import Event

TWO_HOURS = 7_200.0


class Refused(Connection):
    """Never connects."""

    kind: ClassVar[str] = "api"

    async def connect(self) -> None:
        await trio.sleep(1)
        raise ConnectionRefusedError(111, "connection refused")


class Database(Refused):
    """Never connects, either."""

    kind: ClassVar[str] = "database"


@attrs.define
class Crashes(Actor):
    """Crashes a second after each start."""

    async def run(self) -> None:
        await trio.sleep(1)
        raise ConnectionResetError(104, "connection reset by peer")


class TradeEngine(Crashes):
    """A trade engine that crashes."""

    kind: ClassVar[str] = "trade_engine"


@attrs.define
class Checked(Connection):
    """Connects at once; its checks fail from the second on.

    Attributes:
        checks: When it was checked.
        repairs: When it was repaired, and how often it had been checked by then.
    """

    checks: list[float] = attrs.field(factory=list[float])
    repairs: list[tuple[float, int]] = attrs.field(factory=list[tuple[float, int]])
    fails: bool = True

    kind: ClassVar[str] = "api"
    recheck_every = 1.0

    async def check(self) -> None:
        self.checks.append(trio.current_time())
        if self.fails and len(self.checks) > 1:
            raise ConnectionResetError(104, "connection reset by peer")

    async def recover(self, error: Exception) -> None:
        self.repairs.append((trio.current_time(), len(self.checks)))


@asynccontextmanager
async def bot(
    *children: Child, settings: Settings | SettingsSource, directory: Path | None = None
) -> AsyncIterator[Runtime]:
    tree = Supervisor("bot", children, intensity=100_000)
    async with open_runtime(tree, settings=settings, directory=directory, seed=1, log_level=None) as runtime:
        yield runtime


async def seen(runtime: Runtime, *types: type[Event], within: float = TWO_HOURS) -> list[Any]:
    """Return the events of *types* that come within so many seconds."""
    found: list[Any] = []
    with trio.move_on_after(within):
        async for event in runtime.events(*types):
            found.append(event)  # noqa: PERF401 - those from before the end of the time count, too
    return found


async def course(
    settings: Settings | SettingsSource, *, within: float = 290.0
) -> tuple[list[float], list[ChildParked]]:
    """Return the waits of a connection that never comes up, and how it was parked."""
    async with bot(Child.connection("api", Refused), settings=settings) as runtime:
        events = await seen(runtime, ChildRestarting, ChildParked, within=within)
    waits = [event.delay for event in events if isinstance(event, ChildRestarting)]
    return waits, [event for event in events if isinstance(event, ChildParked)]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def env(**variables: str) -> Settings:
    return load_settings(env=variables)


def block(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "bot.yaml"
    path.write_text(f"error_handling: {text}\n")
    return load_settings(env={}, yaml=path)


def flags(tmp_path: Path, **values: bool) -> Settings:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(values))
    return load_settings(env={}, json=path)


# -- the waits and attempts of a connection ------------------------------------


async def test_the_defaults_wait_10_30_60_seconds_and_then_park(autojump_clock: MockClock) -> None:
    waits, parked = await course(Settings())

    assert waits == [10.0, 30.0, 60.0]
    assert [(event.failures, event.unpark_after) for event in parked] == [(4, 300.0)]


async def test_max_retries_is_how_often_it_is_tried_again(tmp_path: Path, autojump_clock: MockClock) -> None:
    for settings in env(ERROR_RECOVERY_MAX_RETRIES="1"), block(tmp_path, "{max_retries: 1}"):
        waits, parked = await course(settings)

        assert waits == [10.0]
        assert len(parked) == 1


async def test_base_delay_is_the_first_wait(tmp_path: Path, autojump_clock: MockClock) -> None:
    for settings in env(ERROR_RECOVERY_BASE_DELAY="4"), block(tmp_path, "{base_delay: 4}"):
        assert (await course(settings))[0] == [4.0, 12.0, 36.0]


async def test_max_delay_is_the_longest_wait(tmp_path: Path, autojump_clock: MockClock) -> None:
    for settings in env(ERROR_RECOVERY_MAX_DELAY="20"), block(tmp_path, "{max_delay: 20}"):
        assert (await course(settings))[0] == [10.0, 20.0, 20.0]


async def test_backoff_factor_is_the_growth_of_the_waits(tmp_path: Path, autojump_clock: MockClock) -> None:
    for settings in env(ERROR_RECOVERY_BACKOFF_FACTOR="2"), block(tmp_path, "{backoff_factor: 2}"):
        assert (await course(settings))[0] == [10.0, 20.0, 40.0]


async def test_jitter_shortens_the_waits_to_no_less_than_half(tmp_path: Path, autojump_clock: MockClock) -> None:
    waits, _ = await course(block(tmp_path, "{jitter: true}"))

    assert all(whole / 2 <= wait < whole for wait, whole in zip(waits, [10, 30, 60], strict=True))


async def test_unpark_after_is_when_a_new_round_begins(tmp_path: Path, autojump_clock: MockClock) -> None:
    text = "{max_retries: 0, unpark_after: 50}"
    async with bot(Child.connection("api", Refused), settings=block(tmp_path, text)) as runtime:
        parked, started = await seen(runtime, ChildParked, ChildStarting, within=51.5)

    assert started.time - parked.time == 50.0


async def test_without_unpark_after_only_a_hand_starts_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    text = "{max_retries: 0, unpark_after: null}"
    async with bot(Child.connection("api", Refused), settings=block(tmp_path, text)) as runtime:
        assert len(await seen(runtime, ChildParked, ChildStarting)) == 1
        await runtime.restart_child("/bot/api")
        assert len(await seen(runtime, ChildParked)) == 1


# -- whether anything is done without a hand -----------------------------------

ALL = {"api": Refused, "database": Database, "engine": TradeEngine, "other": Crashes}


async def parked_at_once(settings: Settings) -> set[str]:
    """Return which of one child of each kind are parked at their first crash."""
    children = [Child(name, start) for name, start in ALL.items()]
    async with bot(*children, settings=settings) as runtime:
        events = await seen(runtime, ChildParked, within=30.0)
    return {event.path.removeprefix("/bot/") for event in events if event.failures == 1}


async def test_by_default_nothing_is_parked_at_its_first_crash(autojump_clock: MockClock) -> None:
    assert await parked_at_once(Settings()) == set()


async def test_auto_recovery_enabled_off_parks_whatever_crashes(tmp_path: Path, autojump_clock: MockClock) -> None:
    for settings in env(AUTO_RECOVERY_ENABLED="false"), flags(tmp_path, auto_recovery_enabled=False):
        assert await parked_at_once(settings) == set(ALL)


async def test_auto_recovery_enabled_off_leaves_detection_on(autojump_clock: MockClock) -> None:
    async with bot(Child("api", Crashes), settings=env(AUTO_RECOVERY_ENABLED="0")) as runtime:
        [event] = await seen(runtime, ErrorClassified)

    assert event.report.error_type.endswith("ConnectionResetError")


async def test_auto_recovery_enabled_off_goes_on_checking_but_repairs_nothing(autojump_clock: MockClock) -> None:
    api = Checked()
    async with bot(Child.connection("api", lambda: api), settings=env(AUTO_RECOVERY_ENABLED="no")):
        await trio.sleep(TWO_HOURS)
        state = api.state

    assert state is ConnectionState.FAILED
    assert api.repairs == []
    assert len(api.checks) > 100


async def test_trade_engine_auto_restart_off_parks_the_trade_engine_alone(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    assert await parked_at_once(flags(tmp_path, trade_engine_auto_restart=False)) == {"engine"}


async def test_database_auto_reconnect_off_parks_the_database_alone(tmp_path: Path, autojump_clock: MockClock) -> None:
    assert await parked_at_once(flags(tmp_path, database_auto_reconnect=False)) == {"database"}


# -- health --------------------------------------------------------------------


async def test_health_check_interval_is_the_time_between_two_checks(autojump_clock: MockClock) -> None:
    """In milliseconds."""
    api = Checked(fails=False)
    async with bot(Child.connection("api", lambda: api), settings=env(HEALTH_CHECK_INTERVAL="15000")):
        await trio.sleep(50)

    assert [time - api.checks[0] for time in api.checks] == [0.0, 15.0, 30.0, 45.0]


async def checked(settings: Settings, *, within: float = 350.0) -> tuple[Checked, list[ChildParked]]:
    """Return a connection whose checks keep failing, and how it was parked, as long as it stays so."""
    api = Checked()
    async with bot(Child.connection("api", lambda: api), settings=settings) as runtime:
        parked = await seen(runtime, ChildParked, within=within)
    return api, parked


async def test_max_error_threshold_is_how_many_failing_checks_are_borne(autojump_clock: MockClock) -> None:
    for text, borne in (("0", 0), ("2", 2), ("10", 10)):
        api, _ = await checked(env(MAX_ERROR_THRESHOLD=text))

        _, checks = api.repairs[0]
        assert checks == 1 + borne + 1  # the first has passed, one is too many


async def test_max_restart_attempts_is_how_often_it_is_repaired(autojump_clock: MockClock) -> None:
    for text, attempts in (("0", 0), ("1", 1), ("2", 2)):
        api, parked = await checked(env(MAX_RESTART_ATTEMPTS=text), within=300.0)

        assert len(api.repairs) == attempts
        assert len(parked) == 1


async def test_restart_cooldown_is_the_time_between_repairs_and_doubles(autojump_clock: MockClock) -> None:
    """In milliseconds."""
    for settings, times in ((Settings(), [0.0, 60.0, 180.0]), (env(RESTART_COOLDOWN="30000"), [0.0, 30.0, 90.0])):
        api, _ = await checked(settings)

        assert [time - api.repairs[0][0] for time, _ in api.repairs] == times


# -- the rest ------------------------------------------------------------------


@attrs.define
class Counts(Actor):
    """Counts its messages."""

    count: int = persistent(default=0)

    def receive(self, message: object) -> None:
        self.count += 1


async def test_state_save_interval_is_the_time_between_two_saves(autojump_clock: MockClock) -> None:
    """Changed, it holds from the next save on, which comes at once."""
    settings = env(ERROR_RECOVERY_STATE_SAVE_INTERVAL="15")
    async with bot(Child("counts", Counts), settings=settings) as runtime:
        with runtime.events(SnapshotSaved) as stream:
            for second in range(95):
                if second == 50:
                    runtime.apply_settings(env(ERROR_RECOVERY_STATE_SAVE_INTERVAL="20"))
                runtime.ref("/bot/counts").tell("one more")
                await trio.sleep(1.0)
            saves = [event.time for event in stream.drain()]

    assert saves == pytest.approx([15.0, 30.0, 45.0, 50.0, 70.0, 90.0], abs=0.01)


async def test_recovery_actions_are_enabled_and_ordered(tmp_path: Path, autojump_clock: MockClock) -> None:
    text = "{recovery_actions: {data_fallback: {enabled: false}, network_retry: {priority: 7}}}"
    async with bot(Child("x", Crashes), settings=Settings()) as runtime:
        before = [action.name for action in runtime.recovery.actions]
        runtime.apply_settings(block(tmp_path, text))
        now = [action.name for action in runtime.recovery.actions]

        assert not runtime.recovery.is_enabled("data_fallback")
    assert (before[0], now[-1]) == ("network_retry", "network_retry")


async def test_a_recovery_action_that_is_not_there_is_refused(tmp_path: Path, autojump_clock: MockClock) -> None:
    settings = block(tmp_path, "{recovery_actions: {network_retri: {enabled: false}}}")

    with pytest.raises(ValueError, match="network_retri"):
        async with bot(Child("x", Crashes), settings=settings):
            pass


async def test_classifier_rules_come_before_the_built_in_ones(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "bot.yaml"
    path.write_text("classifier: {rules: [{name: mine, types: [ConnectionResetError], category: STRATEGY}]}")
    settings = SettingsSource(env={}, yaml=path)

    async with bot(Child("api", Crashes), settings=settings) as runtime:
        [event, *_] = await seen(runtime, ErrorClassified, within=10.0)

    assert (event.verdict.category, event.verdict.rule) == ("STRATEGY", "mine")


async def test_a_rule_in_a_file_replaces_the_one_of_its_name_in_the_program(
    path: Path, autojump_clock: MockClock
) -> None:
    """Also one that comes with a reload; and when it goes, the program's is back."""
    rule = "{name: mine, types: [ConnectionResetError], category: STRATEGY}"
    own = Rule(name="mine", types=("ConnectionResetError",), category=Category.DATA)
    facts = facts_of(ConnectionResetError())
    source = SettingsSource(env={}, yaml=path)

    async with open_runtime(Supervisor("bot", []), settings=source, rules=[own]) as runtime:
        before = runtime.classifier.classify(facts).category
        write(path, f"classifier: {{rules: [{rule}]}}")
        await runtime.reload_settings()
        replaced = runtime.classifier.classify(facts).category
        write(path, "{}")
        await runtime.reload_settings()

        assert (before, replaced, runtime.classifier.classify(facts).category) == ("DATA", "STRATEGY", "DATA")


# -- while the bot runs --------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "bot.yaml"
    path.write_text("{}")
    return path


async def test_a_reload_changes_the_next_wait_and_restarts_nobody(path: Path, autojump_clock: MockClock) -> None:
    """The wait that has begun keeps its length."""
    async with bot(Child.connection("api", Refused), settings=SettingsSource(env={}, yaml=path)) as runtime:
        events = runtime.events(ChildRestarting, ChildStarting)
        await trio.sleep(5)
        write(path, "error_handling: {base_delay: 2, backoff_factor: 2}")
        await runtime.reload_settings()
        await trio.sleep(10)
        first, started, second = [await anext(events) for _ in range(3)]

    assert (first.time, started.time - first.time, second.time) == (1.0, 10.0, 12.0)
    assert isinstance(second, ChildRestarting)
    assert second.delay == 4.0


async def test_a_reload_changes_the_time_of_the_next_check_at_once(path: Path, autojump_clock: MockClock) -> None:
    api = Checked(fails=False)
    async with bot(Child.connection("api", lambda: api), settings=SettingsSource(env={}, yaml=path)) as runtime:
        await trio.sleep(5)
        write(path, "health: {check_interval: 7}")
        await runtime.reload_settings()
        await trio.sleep(10)

    assert [time - api.checks[0] for time in api.checks] == [0.0, 7.0, 14.0]


async def test_a_reload_that_is_refused_changes_nothing(path: Path, autojump_clock: MockClock) -> None:
    """All or nothing: also where only one of the components can tell that it is wrong."""
    async with bot(Child.connection("api", Refused), settings=SettingsSource(env={}, yaml=path)) as runtime:
        write(path, "error_handling: {base_delay: 2, recovery_actions: {no_such_action: {enabled: true}}}")
        with pytest.raises(SettingsError, match="no_such_action"):
            await runtime.reload_settings()
        delays = [event.delay for event in await seen(runtime, ChildRestarting, within=200.0)]

        assert runtime.settings == Settings()
        assert delays == [10.0, 30.0, 60.0]


# -- the logs ------------------------------------------------------------------


async def left(directory: Path, settings: Settings) -> list[str]:
    """Return the names of the error logs that are left of an old one and one from the far future."""
    folder = directory / "data" / "errors"
    for name in "errors_20200101.jsonl", "errors_29990101.jsonl":
        write(folder / name, "{}\n")
    async with bot(settings=settings, directory=directory):
        await trio.sleep(10)
    return [name for name in names(folder) if name in {"errors_20200101.jsonl", "errors_29990101.jsonl"}]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_retention_days_is_how_long_log_files_are_kept(tmp_path: Path, autojump_clock: MockClock) -> None:
    """By the date in the name; unless it is set, they are kept for ever."""
    assert await left(tmp_path, Settings()) == ["errors_20200101.jsonl", "errors_29990101.jsonl"]
    assert await left(tmp_path, Settings(logs=LogSettings(retention_days=14))) == ["errors_29990101.jsonl"]


# -- breakers of code that is no actor -----------------------------------------

NUMBERS = itertools.count()


async def opened(settings: Settings) -> tuple[int, float | None]:
    """Return how many failing calls open a breaker, and after how many seconds a call would pass again."""
    number = next(NUMBERS)  # breakers are those of the process: no test meets the one of another

    @with_circuit_breaker(f"gateway-{number}")
    async def call() -> None:
        raise ConnectionResetError(104, "connection reset by peer")

    async with bot(settings=settings):
        for failures in range(100):
            try:
                with suppress(ConnectionResetError):
                    await call()
            except CircuitOpenError as error:
                return failures, error.retry_after
    return 100, None


async def test_circuit_threshold_and_timeout_are_those_of_breakers(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The one is the number of failures in a row that open it, the other how long it stays open."""
    variables = env(ERROR_RECOVERY_CIRCUIT_THRESHOLD="3", ERROR_RECOVERY_CIRCUIT_TIMEOUT="45")
    keys = block(tmp_path, "{circuit_breaker: {failure_threshold: 3, recovery_timeout: 45}}")

    assert await opened(Settings()) == (5, 60.0)
    assert await opened(variables) == (3, 45.0)
    assert await opened(keys) == (3, 45.0)
