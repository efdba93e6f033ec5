"""The settings in force: read again while the bot runs, all or nothing."""

from collections.abc import Callable

import trio
from loguru import logger

from duenna._off_loop import off_the_loop
from duenna.error_events import SettingsChanged, SettingsRejected
from duenna.events import Event
from duenna.secrets import redact
from duenna.settings._changes import changes_between
from duenna.settings.errors import Problem, SettingsError
from duenna.settings.model import Settings
from duenna.settings.sources import SettingsSource

Changes = dict[str, tuple[str, str]]
Follower = Callable[[Settings, Settings], object]


class LiveSettings:
    """The settings of one runtime, and who follows them.

    A follower is called with the settings before and those now, when ``current`` is already the
    latter. One that cannot follow raises: then those that have followed are called again, the
    other way round, and the settings from before stay.

    Attributes:
        current: The settings in force; replaced as a whole.
        source: Where they are read from, None if they were given as they are.
    """

    def __init__(
        self, given: Settings | SettingsSource | None, *, post: Callable[[Event], object], now: Callable[[], float]
    ) -> None:
        """Begin with *given*; a source is read at once, None stands for the defaults.

        Args:
            given: The settings, or where they come from.
            post: What events go to.
            now: Trio's clock.

        Raises:
            SettingsError: What was read is wrong.
            TypeError: *given* is neither.
        """
        if given is not None and not isinstance(given, Settings | SettingsSource):
            message = f"settings must be Settings or a SettingsSource, got {type(given).__name__}"
            raise TypeError(message)
        self.source = given if isinstance(given, SettingsSource) else None
        self.current = given.load() if isinstance(given, SettingsSource) else given or Settings()
        self._post = post
        self._now = now
        self._followers: list[Follower] = []
        self._is_changing = False
        self._lock = trio.Lock()

    def follow(self, follower: Follower) -> Callable[[], None]:
        """Call *follower* at every change from now on; return what ends that."""
        self._followers.append(follower)

        def unfollow() -> None:
            if follower in self._followers:
                self._followers.remove(follower)

        return unfollow

    async def reload(self) -> Changes:
        """Read the settings again and put them in force; return what differs, by key: before and now, as text.

        Files are read in a thread; under a virtual clock at once, for such a clock does not wait
        for threads. Calls at the same time are served one after the other, each with a reading of
        its own. Cancelled, nothing has changed.

        Raises:
            RuntimeError: There is no source to read from.
            SettingsError: What was read is wrong, or somebody cannot follow it; nothing has changed.
        """
        if self.source is None:
            message = "settings cannot be read again: the runtime was given Settings, not a SettingsSource"
            raise RuntimeError(message)
        async with self._lock:
            try:
                settings = await off_the_loop(self.source.load)
            except Exception as error:
                self._reject(error)
                raise
            return self.replace(settings)

    def replace(self, settings: Settings) -> Changes:
        """Put *settings* in force; return what differs, by key: before and now, as text.

        Raises:
            RuntimeError: It is a follower that asks for it: the others would hear of the changes in the wrong order.
            SettingsError: Somebody cannot follow them; nothing has changed.
            TypeError: These are no settings.
        """
        if not isinstance(settings, Settings):
            message = f"settings must be Settings, got {type(settings).__name__}"
            raise TypeError(message)
        if self._is_changing:
            message = "settings must not be replaced by one who is called to follow them"
            raise RuntimeError(message)
        before = self.current
        changes = changes_between(before, settings)
        if changes:
            self._is_changing = True
            try:
                self._change(before, settings)
            except SettingsError as error:
                self._reject(error)
                raise
            finally:
                self._is_changing = False
        self._post(SettingsChanged(time=self._now(), path="/", changes=changes))
        return changes

    def _change(self, before: Settings, settings: Settings) -> None:
        followed: list[Follower] = []
        self.current = settings
        for follower in tuple(self._followers):
            try:
                follower(before, settings)
            except Exception as error:
                self.current = before
                for each in reversed(followed):
                    _go_back(each, settings, before)
                if isinstance(error, SettingsError):
                    raise
                raise SettingsError([Problem(source="settings", key="", why=redact(str(error)))]) from error
            followed.append(follower)

    def _reject(self, error: Exception) -> None:
        self._post(SettingsRejected(time=self._now(), path="/", error=str(error)))


def _go_back(follower: Follower, settings: Settings, before: Settings) -> None:
    try:
        follower(settings, before)
    except Exception as error:  # noqa: BLE001  # it followed these before; the others must go back all the same
        logger.error("settings: {!r} did not go back to those from before: {!r}", follower, error)
