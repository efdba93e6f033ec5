"""Every metric: its name, its kind, and what it tells; the order is that of the page."""

from __future__ import annotations

from typing import Final

from duenna_actors.console.metrics.family import Family

STATES: Final = (
    "pending",
    "starting",
    "running",
    "backoff",
    "suspended",
    "stopping",
    "stopped",
    "finished",
    "failed",
)
"""The states of an actor; one of them is 1."""

HEALTHS: Final = ("healthy", "degraded", "unhealthy")
BREAKER_STATES: Final = ("closed", "open", "half_open", "forced_open", "disabled", "metrics_only")

METRICS: Final[dict[str, tuple[str, str]]] = {
    "build_info": ("gauge", "1, with the versions of the bot's runtime, of Python and of trio"),
    "start_time_seconds": ("gauge", "When the runtime started, in seconds since 1970"),
    "health": ("gauge", "1 for how the bot does as a whole, 0 for the other words"),
    "loop_lag_seconds": ("gauge", "How late the event loop answered when it was asked last"),
    "loop_lag_max_seconds": ("gauge", "The most that the event loop was late within the last minute"),
    "loop_blocked": ("counter", "Times that an actor was found holding the event loop"),
    "actor_state": ("gauge", "1 for the state that the actor is in, 0 for the others"),
    "actor_start_time_seconds": ("gauge", "When the present incarnation became ready, in seconds since 1970"),
    "actor_restarts": ("counter", "Incarnations after the first, by why they were started"),
    "actor_backoff_seconds": ("gauge", "Seconds until the actor is started again, 0 if it does not wait for that"),
    "supervisor_escalations": ("counter", "Times that the supervisor gave up and left it to its parent"),
    "supervisor_restart_budget_remaining": ("gauge", "Restarts that the supervisor still bears in this period"),
    "mailbox_depth": ("gauge", "Messages that wait"),
    "mailbox_capacity": ("gauge", "Messages that the mailbox holds"),
    "mailbox_oldest_age_seconds": ("gauge", "How long the oldest message has waited for an actor that is not served"),
    "mailbox_dropped": ("counter", "Messages that the overflow rule dropped or replaced"),
    "messages": ("counter", "Messages that were handed to the actor, or dropped"),
    "message_seconds": ("histogram", "How long handlers took"),
    "message_wait_seconds": ("histogram", "How long messages waited in mailboxes"),
    "dead_letters": ("counter", "Messages that nobody will read"),
    "errors": ("counter", "Errors, by what they mean"),
    "recovery_actions": ("counter", "Recovery actions that ended, by what came of them"),
    "recovery_seconds": ("histogram", "From the detection of an outage until it runs again"),
    "retry_attempts": ("counter", "Calls through a guard, by whether they succeeded and were retried"),
    "breaker_state": ("gauge", "1 for the state that the breaker is in, 0 for the others"),
    "breaker_calls": ("counter", "Attempts and calls through a breaker, by what came of them"),
    "breaker_transitions": ("counter", "Changes of a breaker's state"),
    "fallback": ("counter", "Calls that a fallback answered"),
    "feed_last_message_timestamp_seconds": ("gauge", "When fresh data came last, in seconds since 1970"),
    "feed_expected_interval_seconds": ("gauge", "Seconds within which there must be more data"),
    "feed_gap": ("counter", "Times that a feed's data had a gap"),
    "feed_reconnects": ("counter", "Attempts to connect again, by why the link was lost"),
    "snapshot_age_seconds": ("gauge", "Seconds since the state of the actor was saved last"),
    "snapshot_bytes": ("gauge", "Size of the saved state"),
    "snapshot_waiting": ("gauge", "Changes that are not durable yet"),
    "snapshot_not_durable_seconds": ("gauge", "For how long nothing could be saved, 0 if it can be"),
    "snapshot_failures": ("counter", "Times that state could not be saved"),
    "alerts": ("counter", "Alerts that a receiver took, or never gets, and notifications that were delayed"),
    "alerts_suppressed": ("counter", "Alerts that nobody was told of, by why"),
    "events_dropped": ("counter", "Events that were lost by slow subscribers"),
}
"""Kind and meaning by name, without `duenna_` and without the `_total` of a counter."""


def families() -> dict[str, Family]:
    """Return an empty family for each metric, by the short name."""
    return {name: Family(f"duenna_{name}", kind, meaning) for name, (kind, meaning) in METRICS.items()}
