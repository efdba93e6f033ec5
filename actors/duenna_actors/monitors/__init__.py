"""Three actors that every bot needs: for its memory, for its positions, and for whether to trade at all."""

from duenna_actors.monitors._enforcement import Threshold
from duenna_actors.monitors._gate import EngineState
from duenna_actors.monitors._position_checks import make_close_id
from duenna_actors.monitors._pressure import MemoryLevel, MemoryStep
from duenna_actors.monitors.binance_positions import BinancePositions
from duenna_actors.monitors.close_store import CloseStoreDamagedError, FileCloseStore
from duenna_actors.monitors.coordinator import TradeEngine, TradeEngineCoordinator, may_trade
from duenna_actors.monitors.coordinator_messages import (
    EngineFailed,
    MayTrade,
    StartTrading,
    StopTrading,
    StrategyPausedError,
    TradingChanged,
    TradingPermit,
    TradingSettingsChanged,
    UseSettings,
)
from duenna_actors.monitors.memory import MemoryMonitor
from duenna_actors.monitors.memory_messages import (
    GetMemory,
    MemoryLimitError,
    MemoryPressure,
    MemoryReading,
    MemoryRelieved,
    SaveState,
    ShrinkCache,
)
from duenna_actors.monitors.position_messages import (
    BadPositionsError,
    CheckPositions,
    GetPositions,
    PendingClose,
    Position,
    PositionBreached,
    PositionBreachEnded,
    PositionClosed,
    PositionCloseFailed,
    PositionClosing,
    PositionEvent,
    PositionsFresh,
    PositionsReading,
    PositionsStale,
    PositionsStatus,
    StalePositionsError,
    StrategyLimitError,
    StrategyPositionError,
)
from duenna_actors.monitors.position_ports import CloseStore, MemoryCloseStore, PositionMode, PositionSource
from duenna_actors.monitors.positions import PositionMonitor
from duenna_actors.monitors.resident import read_limit, read_rss

__all__ = [
    "BadPositionsError",
    "BinancePositions",
    "CheckPositions",
    "CloseStore",
    "CloseStoreDamagedError",
    "EngineFailed",
    "EngineState",
    "FileCloseStore",
    "GetMemory",
    "GetPositions",
    "MayTrade",
    "MemoryCloseStore",
    "MemoryLevel",
    "MemoryLimitError",
    "MemoryMonitor",
    "MemoryPressure",
    "MemoryReading",
    "MemoryRelieved",
    "MemoryStep",
    "PendingClose",
    "Position",
    "PositionBreachEnded",
    "PositionBreached",
    "PositionCloseFailed",
    "PositionClosed",
    "PositionClosing",
    "PositionEvent",
    "PositionMode",
    "PositionMonitor",
    "PositionSource",
    "PositionsFresh",
    "PositionsReading",
    "PositionsStale",
    "PositionsStatus",
    "SaveState",
    "ShrinkCache",
    "StalePositionsError",
    "StartTrading",
    "StopTrading",
    "StrategyLimitError",
    "StrategyPausedError",
    "StrategyPositionError",
    "Threshold",
    "TradeEngine",
    "TradeEngineCoordinator",
    "TradingChanged",
    "TradingPermit",
    "TradingSettingsChanged",
    "UseSettings",
    "make_close_id",
    "may_trade",
    "read_limit",
    "read_rss",
]
