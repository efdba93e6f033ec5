"""A local exchange with the shapes of Binance USD-M futures, and every fault of the field at hand.

`open_sandbox` runs one beside a bot, `duenna sandbox` runs one alone. `docs/sandbox.md` is the manual.
"""

from duenna_actors.sandbox._faultline import Faults, OnFault
from duenna_actors.sandbox._sandbox import DEFAULT_SYMBOLS, Sandbox, open_sandbox, serve_sandbox
from duenna_actors.sandbox.faults import (
    Burst,
    ClockDrift,
    ClosedAfterOpen,
    CloseSockets,
    ConnectionsRefused,
    ConnectionsReset,
    DatabaseLost,
    Fault,
    GarbledAnswers,
    GarbledFrames,
    HalfOpen,
    HttpFailure,
    ListenKeyExpired,
    LostAnswers,
    Mute,
    RateLimited,
    SequenceGap,
    ServerShutdown,
    SlowAnswers,
    StaleEvents,
    StaleSnapshot,
    UpgradeDropped,
    UpgradeRefused,
)
from duenna_actors.sandbox.schedule import ActiveFault, FaultChanged, Scheduled, parse_schedule
from duenna_actors.sandbox.settings import SandboxSettings

__all__ = [
    "DEFAULT_SYMBOLS",
    "ActiveFault",
    "Burst",
    "ClockDrift",
    "CloseSockets",
    "ClosedAfterOpen",
    "ConnectionsRefused",
    "ConnectionsReset",
    "DatabaseLost",
    "Fault",
    "FaultChanged",
    "Faults",
    "GarbledAnswers",
    "GarbledFrames",
    "HalfOpen",
    "HttpFailure",
    "ListenKeyExpired",
    "LostAnswers",
    "Mute",
    "OnFault",
    "RateLimited",
    "Sandbox",
    "SandboxSettings",
    "Scheduled",
    "SequenceGap",
    "ServerShutdown",
    "SlowAnswers",
    "StaleEvents",
    "StaleSnapshot",
    "UpgradeDropped",
    "UpgradeRefused",
    "open_sandbox",
    "parse_schedule",
    "serve_sandbox",
]
