"""Live settings: a reload is all or nothing, and everybody who follows follows at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna.error_events import SettingsChanged, SettingsRejected
from duenna.settings import ErrorHandling, LiveSettings, Problem, Settings, SettingsError, SettingsSource

if TYPE_CHECKING:
    from pathlib import Path

    from duenna.events import Event

FIVE = Settings(error_handling=ErrorHandling(max_retries=5))
CHANGE = {"error_handling.max_retries": ("3", "5")}


def write(path: Path, text: str) -> None:
    path.write_text(text)


class Board:
    """Live settings, with the events that they post."""

    def __init__(self, given: Settings | SettingsSource | None = None) -> None:
        self.events: list[Event] = []
        self.live = LiveSettings(given, post=self.events.append, now=trio.current_time)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "bot.yaml"
    path.write_text("{}")
    return path


async def test_settings_are_taken_as_given_or_read_at_once(path: Path) -> None:
    write(path, "auto_recovery_enabled: false")

    assert Board().live.current == Settings()
    assert Board(FIVE).live.current is FIVE
    assert not Board(SettingsSource(env={}, yaml=path)).live.current.auto_recovery_enabled


@pytest.mark.parametrize("given", [{}, "bot.yaml", 3])
async def test_anything_else_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match=r"^settings must be Settings or a SettingsSource, got (dict|str|int)$"):
        Board(given)


async def test_a_reload_changes_all_at_once_and_says_what(path: Path, autojump_clock: trio.testing.MockClock) -> None:
    board = Board(SettingsSource(env={}, yaml=path))
    seen: list[tuple[Settings, Settings, Settings]] = []
    board.live.follow(lambda old, new: seen.append((old, new, board.live.current)))
    await trio.sleep(7)
    write(path, "error_handling: {max_retries: 5}")

    changes = await board.live.reload()

    assert changes == CHANGE
    assert seen == [(Settings(), FIVE, FIVE)]
    assert board.events == [SettingsChanged(time=autojump_clock.current_time(), path="/", changes=CHANGE)]
    assert board.events[0].text() == "settings reloaded: error_handling.max_retries 3 -> 5"


async def test_a_reload_without_a_change_is_confirmed_but_nobody_has_to_follow(path: Path) -> None:
    board = Board(SettingsSource(env={}, yaml=path))
    board.live.follow(lambda _old, _new: pytest.fail("nothing has changed"))

    assert await board.live.reload() == {}
    assert [event.text() for event in board.events] == ["settings reloaded: nothing changed"]


async def test_wrong_settings_change_nothing(path: Path) -> None:
    board = Board(SettingsSource(env={}, yaml=path))
    write(path, "error_handling: {max_retries: 5, base_delay: -1}")

    with pytest.raises(SettingsError):
        await board.live.reload()

    [event] = board.events
    assert isinstance(event, SettingsRejected)
    assert event.error.startswith(f"{path}: error_handling.base_delay must be a number of seconds greater than 0")
    assert board.live.current == Settings()


async def test_after_wrong_settings_right_ones_are_taken(path: Path) -> None:
    board = Board(SettingsSource(env={}, yaml=path))
    write(path, "x")
    with pytest.raises(SettingsError):
        await board.live.reload()
    write(path, "error_handling: {max_retries: 5}")

    await board.live.reload()

    assert board.live.current == FIVE


def refuse(_old: Settings, new: Settings) -> None:
    if new != Settings():
        raise ValueError("no such action: 'x'")


async def test_one_who_cannot_follow_keeps_everybody_where_they_were() -> None:
    board = Board()
    values: list[int] = []
    board.live.follow(lambda _old, new: values.append(new.error_handling.max_retries))
    board.live.follow(refuse)
    board.live.follow(lambda _old, _new: pytest.fail("comes after the one who refused"))

    with pytest.raises(SettingsError, match=r"^settings: no such action: 'x'$") as caught:
        board.live.replace(FIVE)

    assert values == [5, 3]
    assert board.live.current == Settings()
    assert [type(event) for event in board.events] == [SettingsRejected]
    assert isinstance(caught.value.__cause__, ValueError)


async def test_a_follower_replaces_nothing() -> None:
    """The others would hear of its change before they hear of the one that it follows."""
    board = Board()
    board.live.follow(lambda _old, _new: board.live.replace(Settings(auto_recovery_enabled=False)))

    with pytest.raises(SettingsError, match=r"^settings: settings must not be replaced by one who is called to"):
        board.live.replace(FIVE)

    assert board.live.current == Settings()
    assert [type(event) for event in board.events] == [SettingsRejected]
    board.live.replace(Settings())  # and it is over with that


async def test_a_refusal_in_the_words_of_settings_is_passed_on() -> None:
    board = Board()
    error = SettingsError([Problem(source="bot.yaml", key="classifier.rules", why="must be better")])

    def never(_old: Settings, _new: Settings) -> None:
        raise error

    board.live.follow(never)

    with pytest.raises(SettingsError, match=r"^bot\.yaml: classifier\.rules must be better$") as caught:
        board.live.replace(FIVE)
    assert caught.value is error


async def test_one_who_cannot_go_back_does_not_keep_the_others_from_it() -> None:
    board = Board()
    values: list[int] = []

    def stubborn(_old: Settings, new: Settings) -> None:
        if new == Settings():
            raise RuntimeError("I stay")

    board.live.follow(lambda _old, new: values.append(new.error_handling.max_retries))
    board.live.follow(stubborn)
    board.live.follow(refuse)

    with pytest.raises(SettingsError):
        board.live.replace(FIVE)

    assert values == [5, 3]


async def test_who_unfollows_is_not_called_any_more() -> None:
    board = Board()
    unfollow = board.live.follow(lambda _old, _new: pytest.fail("has left"))

    unfollow()
    unfollow()

    assert board.live.replace(FIVE) == CHANGE


async def test_without_a_source_there_is_nothing_to_read() -> None:
    with pytest.raises(RuntimeError, match=r"^settings cannot be read again: the runtime was given Settings, not a "):
        await Board(FIVE).live.reload()


async def test_only_settings_can_be_put_in_force() -> None:
    untyped: Any = Board().live

    with pytest.raises(TypeError, match=r"^settings must be Settings, got dict$"):
        untyped.replace({})


class SlowSource(SettingsSource):
    """Waits in its thread until it is let go."""

    began: threading.Event
    go: threading.Event

    def load(self) -> Settings:
        self.began.set()
        self.go.wait()
        return super().load()


def slow_source(path: Path) -> SlowSource:
    source = SlowSource(env={}, yaml=path)
    source.began, source.go = threading.Event(), threading.Event()
    source.go.set()
    return source


async def test_a_slow_disk_does_not_stop_the_loop_and_a_cancelled_reload_changes_nothing(path: Path) -> None:
    source = slow_source(path)
    board = Board(source)
    source.began.clear()
    source.go.clear()
    write(path, "error_handling: {max_retries: 5}")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(board.live.reload)
        await trio.to_thread.run_sync(source.began.wait)
        nursery.cancel_scope.cancel()
    source.go.set()

    assert board.live.current == Settings()
    assert board.events == []
    assert await board.live.reload() == CHANGE


async def test_reloads_at_the_same_time_come_one_after_the_other_and_the_last_word_counts(path: Path) -> None:
    source = slow_source(path)
    board = Board(source)
    source.began.clear()
    source.go.clear()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(board.live.reload)
        await trio.to_thread.run_sync(source.began.wait)
        nursery.start_soon(board.live.reload)
        await wait_all_tasks_blocked()
        write(path, "error_handling: {max_retries: 5}")
        source.go.set()

    assert board.live.current == FIVE
    assert [type(event) for event in board.events] == [SettingsChanged, SettingsChanged]
