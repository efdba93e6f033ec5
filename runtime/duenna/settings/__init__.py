"""The settings of a bot: what can be set, where it is read from, and how it is read again."""

from duenna.settings.errors import Problem, SettingsError
from duenna.settings.live import LiveSettings
from duenna.settings.model import (
    AlertSettings,
    CircuitBreaker,
    ClassifierSettings,
    ErrorHandling,
    HealthSettings,
    LogSettings,
    RecoveryActionSettings,
    Settings,
)
from duenna.settings.sources import Loaded, SettingsSource, load_settings

__all__ = [
    "AlertSettings",
    "CircuitBreaker",
    "ClassifierSettings",
    "ErrorHandling",
    "HealthSettings",
    "LiveSettings",
    "Loaded",
    "LogSettings",
    "Problem",
    "RecoveryActionSettings",
    "Settings",
    "SettingsError",
    "SettingsSource",
    "load_settings",
]
