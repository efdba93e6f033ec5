"""The environment: which variable is which setting, and how its text is read."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs
from msgspec import inspect

from duenna.settings._fields import Field, in_words

PREFIX: Final = "ERROR_RECOVERY_"


@attrs.frozen
class Variable:
    """One variable.

    Attributes:
        key: The setting, block by block.
        milliseconds: Whether it is in these, where the setting is in seconds.
    """

    key: tuple[str, ...]
    milliseconds: bool = False


VARIABLES: Final = {
    "ERROR_RECOVERY_MAX_RETRIES": Variable(("error_handling", "max_retries")),
    "ERROR_RECOVERY_BASE_DELAY": Variable(("error_handling", "base_delay")),
    "ERROR_RECOVERY_MAX_DELAY": Variable(("error_handling", "max_delay")),
    "ERROR_RECOVERY_BACKOFF_FACTOR": Variable(("error_handling", "backoff_factor")),
    "ERROR_RECOVERY_CIRCUIT_THRESHOLD": Variable(("error_handling", "circuit_breaker", "failure_threshold")),
    "ERROR_RECOVERY_CIRCUIT_TIMEOUT": Variable(("error_handling", "circuit_breaker", "recovery_timeout")),
    "ERROR_RECOVERY_STATE_SAVE_INTERVAL": Variable(("error_handling", "state_save_interval")),
    "AUTO_RECOVERY_ENABLED": Variable(("auto_recovery_enabled",)),
    "HEALTH_CHECK_INTERVAL": Variable(("health", "check_interval"), milliseconds=True),
    "MAX_RESTART_ATTEMPTS": Variable(("health", "max_restart_attempts")),
    "RESTART_COOLDOWN": Variable(("health", "restart_cooldown"), milliseconds=True),
    "MAX_ERROR_THRESHOLD": Variable(("health", "max_error_threshold")),
}

# A number as people write it, and no longer than any number that makes sense.
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_DECIMAL = re.compile(r"[-+]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(?:[eE][-+]?[0-9]{1,2})?", re.ASCII)
_TRUTH = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def check_texts(environment: Mapping[str, str]) -> None:
    """Check that *environment* holds texts alone, by name; no value is shown, for it may be a secret.

    Raises:
        TypeError: A name or a value is none.
    """
    for name, text in environment.items():
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance] - who is not typed passes anything
            message = f"SettingsSource: names in env must be texts, got {in_words(name)}"
            raise TypeError(message)
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - as above
            message = f"SettingsSource: env[{in_words(name)}] must be a text, got {type(text).__name__}"
            raise TypeError(message)


def strange(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the variables that have our prefix, but are none of ours."""
    return (name for name in environment if name.upper().startswith(PREFIX) and name not in VARIABLES)


def value_of(variable: Variable, field: Field, text: str) -> Any:
    """Return the setting that *text* stands for.

    Raises:
        ValueError: It stands for none; says what it must be, and what it is.
    """
    unit, scale = ("milliseconds", 1000.0) if variable.milliseconds else ("", 1.0)
    given = _parsed(field, text)
    if given is None:
        raise ValueError(f"must be {field.expects(unit=unit, scale=scale)}, got {in_words(text)}")
    try:
        return field.checked(given / scale if variable.milliseconds else given)
    except ValueError:
        raise ValueError(f"must be {field.expects(given, unit=unit, scale=scale)}, got {in_words(text)}") from None


def _parsed(field: Field, text: str) -> bool | int | float | None:
    """Return the value in *text*, None if there is none of the right kind."""
    if isinstance(field.info, inspect.BoolType):
        return _TRUTH.get(text.lower())
    if isinstance(field.info, inspect.IntType):
        return int(text) if _WHOLE.fullmatch(text) else None
    return float(text) if _DECIMAL.fullmatch(text) else None
