"""What the settings say of restarts, at the moment at which it is asked."""

from typing import TYPE_CHECKING

from duenna._kind import kind_of
from duenna.machines.backoff import Backoff
from duenna.machines.recovery_plan import is_automatic
from duenna.machines.restart_policy import RestartPolicy
from duenna.machines.verdict import OnGiveUp

if TYPE_CHECKING:
    from duenna._cell import Cell
    from duenna._options import ChildOptions
    from duenna.settings import Settings


class Policies:
    """How the children of one runtime are restarted; follows its settings."""

    def __init__(self, settings: "Settings") -> None:
        """Begin with *settings*."""
        self.changed(settings, settings)

    def changed(self, _before: "Settings", settings: "Settings") -> None:
        """Follow *settings* from now on: pending waits stay as they are."""
        self._settings = settings
        handling = settings.error_handling
        self._reconnecting = RestartPolicy(
            Backoff.exponential(
                handling.base_delay,
                factor=handling.backoff_factor,
                maximum=handling.max_delay,
                jitter="equal" if handling.jitter else "none",
            ),
            handling.max_retries,
            OnGiveUp.PARK,
            handling.unpark_after,
        )

    def plan(self, options: "ChildOptions") -> RestartPolicy:
        """Return how a child with *options* is restarted."""
        if options.is_reconnecting:
            return self._reconnecting
        return RestartPolicy(options.backoff, options.max_failures, options.on_give_up, options.unpark_after)

    def is_automatic(self, cell: "Cell", reason: str | BaseException) -> bool:
        """Return whether *cell*, which ended for *reason*, may be restarted without a hand.

        The settings speak of crashes of the bot's own children; the runtime's own are always
        restarted.
        """
        if isinstance(reason, str) or cell.path.startswith("/system/"):
            return True
        return is_automatic(self._settings, kind_of(cell))
