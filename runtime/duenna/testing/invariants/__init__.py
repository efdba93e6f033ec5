"""What must hold in every run: one small checker per rule, each a pure reader of records.

`docs/invariants.md` lists the rules.
"""

from __future__ import annotations

from duenna.machines import checks
from duenna.testing._bound import BOUND
from duenna.testing.invariants._base import Checker, Violation, check
from duenna.testing.invariants.acknowledged import Acknowledged
from duenna.testing.invariants.alert_pairs import AlertPairs
from duenna.testing.invariants.ambiguous_retry import AmbiguousRetries
from duenna.testing.invariants.by_hand import ByHand
from duenna.testing.invariants.death_watch import DeathWatch
from duenna.testing.invariants.errors import ErrorsOnce
from duenna.testing.invariants.explained import Explained
from duenna.testing.invariants.failure_count import FailureCount
from duenna.testing.invariants.fresh_feeds import FreshFeeds
from duenna.testing.invariants.given_back import GivenBack
from duenna.testing.invariants.group import GroupRestarts
from duenna.testing.invariants.incarnation import OneIncarnation
from duenna.testing.invariants.intensity import Intensity
from duenna.testing.invariants.liveness import Liveness
from duenna.testing.invariants.mailbox_bound import MailboxBound
from duenna.testing.invariants.message_life import MessageLife
from duenna.testing.invariants.message_order import MessageOrder
from duenna.testing.invariants.old_timer import OldTimers
from duenna.testing.invariants.open_breaker import OpenBreaker
from duenna.testing.invariants.recoveries import RecoveriesTold
from duenna.testing.invariants.rejection import Rejections
from duenna.testing.invariants.restart_type import RestartTypes
from duenna.testing.invariants.retry_budget import RetryBudgets
from duenna.testing.invariants.retry_delay import RetryDelays
from duenna.testing.invariants.shutdown import Shutdown
from duenna.testing.invariants.staleness import Staleness
from duenna.testing.invariants.stop_order import StopOrder
from duenna.testing.invariants.time_order import TimeOrder
from duenna.testing.invariants.unexplained_stop import UnexplainedStops
from duenna.testing.invariants.world_end import WorldEnd

__all__ = [
    "BOUND",
    "Acknowledged",
    "AlertPairs",
    "AmbiguousRetries",
    "ByHand",
    "Checker",
    "DeathWatch",
    "ErrorsOnce",
    "Explained",
    "FailureCount",
    "FreshFeeds",
    "GivenBack",
    "GroupRestarts",
    "Intensity",
    "Liveness",
    "MailboxBound",
    "MessageLife",
    "MessageOrder",
    "OldTimers",
    "OneIncarnation",
    "OpenBreaker",
    "RecoveriesTold",
    "Rejections",
    "RestartTypes",
    "RetryBudgets",
    "RetryDelays",
    "Shutdown",
    "Staleness",
    "StopOrder",
    "TimeOrder",
    "UnexplainedStops",
    "Violation",
    "WorldEnd",
    "check",
    "standard",
]


def standard(
    *, bound: float = BOUND, max_age: float | None = None, explained: bool = True, cooldown: float | None = None
) -> tuple[Checker, ...]:
    """Return fresh checkers of all rules.

    Args:
        bound: Seconds after the end of the last fault within which every permanent actor runs
            again and every feed has data, and after which an error is not the fault's any more. Greater than 0.
        max_age: Seconds for which a feed may be silent while its connection says `operational`; None: *bound*.
        explained: Whether an error needs a fault that explains it. False is for bots whose actors
            crash on purpose.
        cooldown: Seconds between alerts of one kind and target; None: as the runtime's settings say.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: *bound* or *max_age* is not greater than 0, or nan; *cooldown* is negative.
    """
    bound = checks.duration("standard", "bound", bound, zero=False)
    max_age = bound if max_age is None else checks.duration("standard", "max_age", max_age, zero=False)
    cooldown = None if cooldown is None else checks.duration("standard", "cooldown", cooldown)
    rules: tuple[Checker, ...] = (
        Acknowledged(),
        MessageLife(),
        MessageOrder(),
        MailboxBound(),
        Intensity(),
        GroupRestarts(),
        OneIncarnation(),
        DeathWatch(),
        RestartTypes(),
        OpenBreaker(),
        Rejections(),
        RetryDelays(),
        RetryBudgets(),
        AmbiguousRetries(),
        TimeOrder(),
        Liveness(bound),
        FreshFeeds(bound),
        Staleness(max_age),
        StopOrder(),
        Shutdown(),
        WorldEnd(),
        OldTimers(),
        UnexplainedStops(),
        FailureCount(),
        GivenBack(),
        ErrorsOnce(),
        RecoveriesTold(),
        AlertPairs(bound, cooldown),
        ByHand(),
    )
    return (*rules, Explained(bound)) if explained else rules
