"""Recovery: what is done about errors, in which order, by whom, and what came of it.

``runtime.recovery`` is a `Recovery`; `/system/recovery` serves it.
"""

from duenna.machines.reconnect import ReconnectPolicy
from duenna.machines.recovery_plan import Conditions, is_automatic
from duenna.recovery.action import Incident, RecoveryAction
from duenna.recovery.actor import RecoveryActor, recovery_actor, recovery_of
from duenna.recovery.attempts import Attempt, CounterState, RecoveryStatistics, TypeStatistics
from duenna.recovery.data import LastGoodData, Remembered
from duenna.recovery.events import DataFallbackUsed, Mode, TradingModeChanged
from duenna.recovery.recovery import Recovery
from duenna.recovery.trading import TradingMode

__all__ = [
    "Attempt",
    "Conditions",
    "CounterState",
    "DataFallbackUsed",
    "Incident",
    "LastGoodData",
    "Mode",
    "ReconnectPolicy",
    "Recovery",
    "RecoveryAction",
    "RecoveryActor",
    "RecoveryStatistics",
    "Remembered",
    "TradingMode",
    "TradingModeChanged",
    "TypeStatistics",
    "is_automatic",
    "recovery_actor",
    "recovery_of",
]
