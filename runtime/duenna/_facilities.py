"""What a runtime offers beside its tree: its errors, its health, its settings."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna._system import System
    from duenna.health import HealthReport
    from duenna.incident_files import IncidentFiles
    from duenna.machines.classifier import Classifier
    from duenna.machines.health import Service
    from duenna.records import Records
    from duenna.recovery import Recovery
    from duenna.settings import LiveSettings, Settings
    from duenna.settings.live import Changes, Follower
    from duenna.tracker import ErrorTracker


class Facilities:
    """The part of a runtime that its users ask about errors, health and settings.

    Attributes:
        system: The parts that deal with errors.
        live_settings: The settings in force, and who follows them.
    """

    system: "System"
    live_settings: "LiveSettings"

    # -- errors ----------------------------------------------------------------

    @property
    def classifier(self) -> "Classifier":
        """The rules by which errors are judged."""
        return self.system.classifier

    @property
    def errors(self) -> "ErrorTracker":
        """What went wrong so far: totals, rates, the latest errors."""
        return self.system.errors

    @property
    def recovery(self) -> "Recovery":
        """What is done about errors, and what came of it."""
        return self.system.recovery

    @property
    def records(self) -> "Records | None":
        """The error log and the recovery log, None if no directory was given."""
        return self.system.records

    @property
    def incident_files(self) -> "IncidentFiles":
        """What it looked like when a supervisor gave up, a child was parked, or somebody asked."""
        return self.system.incident_files

    def health(self) -> "HealthReport":
        """Return how the bot does now, as a whole and service by service."""
        return self.system.monitor.report()

    def services(self, path: str) -> "tuple[Service, ...]":
        """Return how everything at and below *path* does now, in start order.

        Raises:
            UnknownPathError: There is no such child.
        """
        return self.system.monitor.services(path)

    # -- settings --------------------------------------------------------------

    @property
    def settings(self) -> "Settings":
        """The settings in force; replaced as a whole."""
        return self.live_settings.current

    def on_settings(self, follower: "Follower") -> "Callable[[], None]":
        """Call *follower* with the settings before and now at every change; return what ends that.

        One that raises cannot follow: the change is taken back, and whoever asked for it is told.
        """
        return self.live_settings.follow(follower)

    def apply_settings(self, settings: "Settings") -> "Changes":
        """Put *settings* in force; return what differs, by key: before and now, as text.

        What runs is not restarted for it: restart policies, guards and monitors follow with their next decision.

        Raises:
            SettingsError: Somebody cannot follow them; nothing has changed.
            TypeError: These are no settings.
        """
        return self.live_settings.replace(settings)

    async def reload_settings(self) -> "Changes":
        """Read the settings again from their source and put them in force, all or nothing.

        Files are read in a thread. Cancelled, nothing has changed.

        Raises:
            RuntimeError: The runtime was given settings, and no source to read from.
            SettingsError: What was read is wrong, or somebody cannot follow it; nothing has changed.
        """
        return await self.live_settings.reload()
