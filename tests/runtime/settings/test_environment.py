"""The environment: each variable sets its setting, in its own unit, and no text is taken for what it is not."""

from __future__ import annotations

import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.settings import Settings, SettingsError, SettingsSource, load_settings
from duenna.settings._environment import VARIABLES

EACH = [
    ("ERROR_RECOVERY_MAX_RETRIES", "7", "error_handling.max_retries", 7),
    ("ERROR_RECOVERY_BASE_DELAY", "2.5", "error_handling.base_delay", 2.5),
    ("ERROR_RECOVERY_MAX_DELAY", "120", "error_handling.max_delay", 120.0),
    ("ERROR_RECOVERY_BACKOFF_FACTOR", "2", "error_handling.backoff_factor", 2.0),
    ("ERROR_RECOVERY_CIRCUIT_THRESHOLD", "9", "error_handling.circuit_breaker.failure_threshold", 9),
    ("ERROR_RECOVERY_CIRCUIT_TIMEOUT", "90", "error_handling.circuit_breaker.recovery_timeout", 90.0),
    ("ERROR_RECOVERY_STATE_SAVE_INTERVAL", "15", "error_handling.state_save_interval", 15.0),
    ("AUTO_RECOVERY_ENABLED", "false", "auto_recovery_enabled", False),
    ("HEALTH_CHECK_INTERVAL", "15000", "health.check_interval", 15.0),
    ("MAX_RESTART_ATTEMPTS", "5", "health.max_restart_attempts", 5),
    ("RESTART_COOLDOWN", "1500", "health.restart_cooldown", 1.5),
    ("MAX_ERROR_THRESHOLD", "0", "health.max_error_threshold", 0),
]

WRONG = [
    ("ERROR_RECOVERY_MAX_RETRIES", "", "must be a whole number of at least 0, got ''"),
    ("ERROR_RECOVERY_MAX_RETRIES", "three", "must be a whole number of at least 0, got 'three'"),
    ("ERROR_RECOVERY_MAX_RETRIES", "3.0", "must be a whole number of at least 0, got '3.0'"),
    ("ERROR_RECOVERY_MAX_RETRIES", " 3", "must be a whole number of at least 0, got ' 3'"),
    ("ERROR_RECOVERY_MAX_RETRIES", "3\r", "must be a whole number of at least 0, got '3\\r'"),
    ("ERROR_RECOVERY_MAX_RETRIES", "1_0", "must be a whole number of at least 0, got '1_0'"),
    ("ERROR_RECOVERY_MAX_RETRIES", "٣", "must be a whole number of at least 0, got '٣'"),
    ("ERROR_RECOVERY_MAX_RETRIES", "-1", "must be a whole number of at least 0, got '-1'"),
    ("ERROR_RECOVERY_MAX_RETRIES", "9999999", "must be a whole number of at most 1000000, got '9999999'"),
    ("ERROR_RECOVERY_BASE_DELAY", "nan", "must be a number of seconds greater than 0, got 'nan'"),
    ("ERROR_RECOVERY_BASE_DELAY", "inf", "must be a number of seconds greater than 0, got 'inf'"),
    ("ERROR_RECOVERY_BASE_DELAY", "1e99", "must be a number of seconds of at most 31536000, got '1e99'"),
    ("ERROR_RECOVERY_BASE_DELAY", "10s", "must be a number of seconds greater than 0, got '10s'"),
    ("ERROR_RECOVERY_BACKOFF_FACTOR", "0.5", "must be a number of at least 1, got '0.5'"),
    ("AUTO_RECOVERY_ENABLED", "maybe", "must be true or false, got 'maybe'"),
    ("AUTO_RECOVERY_ENABLED", "", "must be true or false, got ''"),
    ("AUTO_RECOVERY_ENABLED", "2", "must be true or false, got '2'"),
    ("HEALTH_CHECK_INTERVAL", "30", "must be a number of milliseconds of at least 1000, got '30'"),
    ("RESTART_COOLDOWN", "99999999999", "must be a number of milliseconds of at most 31536000000, got '99999999999'"),
]


NO_TEXTS: list[tuple[Any, str]] = [
    ({5: "x"}, "names in env must be texts, got 5"),
    ({b"MAX_RESTART_ATTEMPTS": b"5"}, "names in env must be texts, got b'MAX_RESTART_ATTEMPTS'"),
    ({"MAX_RESTART_ATTEMPTS": 5}, "env['MAX_RESTART_ATTEMPTS'] must be a text, got int"),
    ({"MAX_RESTART_ATTEMPTS": None}, "env['MAX_RESTART_ATTEMPTS'] must be a text, got NoneType"),
    ({"API_SECRET": b"hunter2"}, "env['API_SECRET'] must be a text, got bytes"),
]


def at(settings: Settings, key: str) -> Any:
    return operator.attrgetter(key)(settings)


@pytest.mark.parametrize(("name", "text", "key", "value"), EACH)
def test_a_variable_sets_its_setting_and_no_other(name: str, text: str, key: str, value: object) -> None:
    """Durations are in seconds, but for the two that are in milliseconds."""
    settings = load_settings(env={name: text})
    others = [each for _, _, each, _ in EACH if each != key]

    assert at(settings, key) == value
    assert type(at(settings, key)) is type(value)
    assert [at(settings, each) for each in others] == [at(Settings(), each) for each in others]


def test_there_is_a_test_for_every_variable() -> None:
    assert {name for name, *_ in EACH} == set(VARIABLES)


@pytest.mark.parametrize("text", ["true", "TRUE", "1", "yes", "on", "On"])
def test_what_counts_as_true(text: str) -> None:
    assert load_settings(env={"AUTO_RECOVERY_ENABLED": text}).auto_recovery_enabled


@pytest.mark.parametrize("text", ["false", "False", "0", "no", "NO", "off"])
def test_what_counts_as_false(text: str) -> None:
    assert not load_settings(env={"AUTO_RECOVERY_ENABLED": text}).auto_recovery_enabled


@pytest.mark.parametrize(("name", "text", "says"), WRONG)
def test_a_text_that_is_no_such_value_is_refused(name: str, text: str, says: str) -> None:
    """An empty variable is refused like any other text: to leave it out means the default."""
    with pytest.raises(SettingsError) as caught:
        load_settings(env={name: text})

    assert str(caught.value) == f"environment: {name} {says}"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ERROR_RECOVERY_MAX_RETRY", "did you mean ERROR_RECOVERY_MAX_RETRIES"),
        ("ERROR_RECOVERY_CIRCUIT_BREAKER_TIMEOUT", "did you mean ERROR_RECOVERY_CIRCUIT_TIMEOUT"),
        ("error_recovery_max_retries", "did you mean ERROR_RECOVERY_MAX_RETRIES"),
    ],
)
def test_an_unknown_variable_with_our_prefix_is_refused_with_a_suggestion(name: str, meant: str) -> None:
    """Its value is not shown: nobody knows what it is."""
    with pytest.raises(SettingsError) as caught:
        load_settings(env={name: "hunter2"})

    assert str(caught.value) == f"environment: {name} is no setting, {meant}"


def test_variables_of_other_programs_are_left_alone() -> None:
    assert load_settings(env={"PATH": "/bin", "HEALTH_CHECK_URL": "http://x", "MAX_RETRIES": "x"}) == Settings()


def test_the_variables_of_the_process_are_read_unless_others_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_RESTART_ATTEMPTS", "8")

    assert load_settings().health.max_restart_attempts == 8
    assert load_settings(env={}).health.max_restart_attempts == 3


@given(st.sampled_from(sorted(VARIABLES)), st.text() | st.from_regex(r"[-+0-9.eE]{1,8}"))
def test_whatever_the_text_there_are_settings_or_one_line(name: str, text: str) -> None:
    said = ""
    try:
        load_settings(env={name: text})
    except SettingsError as error:
        said = str(error)

    assert said.startswith("environment: ") or not said
    assert len(said) < 300
    assert "\n" not in said


@pytest.mark.parametrize(("variables", "says"), NO_TEXTS)
def test_what_is_no_text_is_refused_where_the_source_is_made(variables: Any, says: str) -> None:
    """By its name; the value, which may be a secret, is not shown."""
    with pytest.raises(TypeError) as caught:
        SettingsSource(env=variables)

    assert str(caught.value) == f"SettingsSource: {says}"


def test_what_is_no_text_by_the_next_reading_is_refused_then() -> None:
    """A mapping is read as it is at the moment."""
    variables: dict[str, Any] = {}
    source = SettingsSource(env=variables)
    variables["MAX_RESTART_ATTEMPTS"] = 5

    with pytest.raises(TypeError, match=r"^SettingsSource: env\['MAX_RESTART_ATTEMPTS'\] must be a text, got int$"):
        source.load()
