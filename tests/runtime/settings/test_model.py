"""The model: the defaults that the rest is written for, and what no setting may be."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.settings import (
    AlertSettings,
    CircuitBreaker,
    ClassifierSettings,
    ErrorHandling,
    HealthSettings,
    LogSettings,
    RecoveryActionSettings,
    Settings,
)

NUMBERS = st.integers() | st.floats() | st.booleans() | st.text() | st.none()

WRONG = [
    (ErrorHandling, "max_retries", -1, "a whole number of at least 0, got -1"),
    (ErrorHandling, "max_retries", True, "a whole number of at least 0, got true"),
    (ErrorHandling, "max_retries", 3.0, "a whole number of at least 0, got 3.0"),
    (ErrorHandling, "max_retries", "3", "a whole number of at least 0, got '3'"),
    (ErrorHandling, "max_retries", 1_000_001, "a whole number of at most 1000000, got 1000001"),
    (ErrorHandling, "max_retries", 1 << 20_000, "a whole number of at most 1000000, got a number of 20001 bits"),
    (ErrorHandling, "base_delay", 0, "a number of seconds greater than 0, got 0"),
    (ErrorHandling, "base_delay", math.nan, "a number of seconds greater than 0, got nan"),
    (ErrorHandling, "max_delay", math.inf, "a number of seconds of at most 31536000, got inf"),
    (ErrorHandling, "backoff_factor", 0.99, "a number of at least 1, got 0.99"),
    (ErrorHandling, "backoff_factor", 101, "a number of at most 100, got 101"),
    (ErrorHandling, "jitter", 1, "true or false, got 1"),
    (ErrorHandling, "jitter", None, "true or false, got null"),
    (ErrorHandling, "circuit_breaker", {}, "of type CircuitBreaker, got a mapping"),
    (
        ErrorHandling,
        "recovery_actions",
        {"network_retry": 1},
        "a mapping from names to RecoveryActionSettings, got a map",
    ),
    (ErrorHandling, "recovery_actions", [], "a mapping from names to RecoveryActionSettings, got a list"),
    (ErrorHandling, "state_save_interval", 0.0, "a number of seconds greater than 0, got 0.0"),
    (ErrorHandling, "unpark_after", 0, "a number of seconds greater than 0, or null, got 0"),
    (CircuitBreaker, "failure_threshold", 0, "a whole number of at least 1, got 0"),
    (CircuitBreaker, "recovery_timeout", "x" * 200, "a number of seconds greater than 0, got '"),
    (RecoveryActionSettings, "enabled", "no", "true or false, or null, got 'no'"),
    (RecoveryActionSettings, "priority", -1, "a whole number of at least 0, or null, got -1"),
    (HealthSettings, "check_interval", 0.03, "a number of seconds of at least 1, got 0.03"),
    (HealthSettings, "restart_cooldown", 0.06, "a number of seconds of at least 1, got 0.06"),
    (HealthSettings, "max_restart_attempts", 0.5, "a whole number of at least 0, got 0.5"),
    (HealthSettings, "max_error_threshold", None, "a whole number of at least 0, got null"),
    (AlertSettings, "cooldown", -1, "a number of seconds of at least 0, got -1"),
    (AlertSettings, "cap_per_hour", 0, "a whole number of at least 1, got 0"),
    (LogSettings, "retention_days", 0, "a whole number of days of at least 1, or null, got 0"),
    (ClassifierSettings, "rules", [1], "a list of mappings, got a list"),
    (Settings, "auto_recovery_enabled", 0, "true or false, got 0"),
    (Settings, "health", None, "of type HealthSettings, got null"),
]


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = Settings()
    handling, health, alerts = settings.error_handling, settings.health, settings.alerts

    assert (handling.max_retries, handling.base_delay, handling.max_delay) == (3, 10.0, 60.0)
    assert (handling.backoff_factor, handling.jitter, handling.recovery_actions) == (3.0, False, {})
    assert (handling.state_save_interval, handling.unpark_after) == (60.0, 300.0)
    assert handling.circuit_breaker == CircuitBreaker(failure_threshold=5, recovery_timeout=60.0)
    assert (health.check_interval, health.max_restart_attempts) == (30.0, 3)
    assert (health.restart_cooldown, health.max_error_threshold) == (60.0, 10)
    assert (alerts.cooldown, alerts.error_burst, alerts.error_burst_within) == (300.0, 10, 300.0)
    assert (alerts.error_rate, alerts.recovery_attempts, alerts.repeat_interval) == (5, 3, 14_400.0)
    assert settings.logs.retention_days is None
    assert settings.classifier.rules == ()
    assert settings.auto_recovery_enabled
    assert settings.trade_engine_auto_restart
    assert settings.database_auto_reconnect


@pytest.mark.parametrize(("block", "name", "value", "says"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_value_is_refused_where_the_settings_are_made(block: Any, name: str, value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be ") as caught:
        block(**{name: value})

    assert str(caught.value).startswith(f"{name} must be {says}")
    assert len(str(caught.value)) < 200


def test_the_waits_must_not_contradict_each_other() -> None:
    with pytest.raises(ValueError, match=r"^max_delay must be at least base_delay \(70\.0\), got 60\.0$"):
        ErrorHandling(base_delay=70)


def test_a_wrong_rule_is_refused_where_the_settings_are_made() -> None:
    with pytest.raises(ValueError, match=r"^rules has a wrong rule: rule 'mine': category must be one of"):
        ClassifierSettings(rules=({"name": "mine", "category": "DATE"},))


def test_rules_that_cannot_stand_together_are_refused_where_the_settings_are_made() -> None:
    rule = {"name": "mine", "category": "DATA"}

    with pytest.raises(ValueError, match=r"^rules has a wrong rule: rule 'mine': each name must stand there once"):
        ClassifierSettings(rules=(rule, rule))


def test_a_disabled_rule_may_be_one_of_the_program() -> None:
    """Whose rules are not known here."""
    assert ClassifierSettings(rules=({"name": "mine", "enabled": False},)).rules[0]["name"] == "mine"


def test_a_whole_number_of_seconds_becomes_a_float() -> None:
    handling = ErrorHandling(base_delay=5, max_delay=50)

    assert repr(handling.base_delay) == "5.0"
    assert repr(handling.max_delay) == "50.0"


def test_settings_are_frozen() -> None:
    settings = Settings()

    with pytest.raises(AttributeError):
        settings.auto_recovery_enabled = False  # type: ignore[misc]


def test_two_settings_share_no_mapping() -> None:
    assert ErrorHandling().recovery_actions is not ErrorHandling().recovery_actions


def test_settings_survive_msgspec() -> None:
    """What the console shows and what a state file holds can be read again."""
    settings = Settings(error_handling=ErrorHandling(recovery_actions={"x": RecoveryActionSettings(enabled=False)}))

    assert msgspec.json.decode(msgspec.json.encode(settings), type=Settings) == settings


@given(st.dictionaries(st.sampled_from(ErrorHandling.__struct_fields__), NUMBERS))
def test_settings_are_in_range_or_not_made(given_: dict[str, Any]) -> None:
    try:
        made = ErrorHandling(**given_)
    except ValueError:
        return

    assert 0 <= made.max_retries <= 1_000_000
    assert 0 < made.base_delay <= made.max_delay <= 31_536_000
    assert 1 <= made.backoff_factor <= 100
    assert made.unpark_after is None or 0 < made.unpark_after <= 31_536_000
    assert type(made.jitter) is bool
