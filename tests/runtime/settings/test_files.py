"""The files: whatever they hold, there are settings, or all that is wrong with file, key, value and expectation."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import duenna.faults
from duenna.settings import (
    CircuitBreaker,
    ErrorHandling,
    HealthSettings,
    RecoveryActionSettings,
    Settings,
    SettingsError,
    SettingsSource,
    load_settings,
)

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING = """
# Everything that can be set, in YAML.
error_handling:
  max_retries: 4
  base_delay: 1
  max_delay: 30.5
  backoff_factor: 2
  jitter: true
  circuit_breaker: {failure_threshold: 7, recovery_timeout: 45}
  recovery_actions:
    network_retry: {enabled: false}
    rate_limit_wait: {priority: 9, enabled: true}
  state_save_interval: 5
  unpark_after: null
health:
  check_interval: 10
  max_restart_attempts: 2
  restart_cooldown: 20
  max_error_threshold: 4
alerts: {cooldown: 60, error_rate: 3}
logs: {retention_days: 14}
classifier:
  rules:
    - {name: mine, category: DATA}
auto_recovery_enabled: false
"""

WRONG = [
    ("", "must be a mapping, got null"),
    ("# nothing but a comment\n", "must be a mapping, got null"),
    ("- 1", "must be a mapping, got a list"),
    ("x", "must be a mapping, got 'x'"),
    ("error_handling:", "error_handling must be a mapping, got null"),
    ("error_handling: {max_retries: '5'}", "error_handling.max_retries must be a whole number of at least 0, got '5'"),
    ("error_handling: {max_retries: 5.0}", "error_handling.max_retries must be a whole number of at least 0, got 5.0"),
    (
        "error_handling: {max_retries: true}",
        "error_handling.max_retries must be a whole number of at least 0, got true",
    ),
    (
        "error_handling: {max_retries: 0x10}",
        "error_handling.max_retries must be a whole number of at least 0, got '0x10'",
    ),
    ("error_handling: {jitter: yes}", "error_handling.jitter must be true or false, got 'yes'"),
    (
        "error_handling: {base_delay: .nan}",
        "error_handling.base_delay must be a number of seconds greater than 0, got nan",
    ),
    (
        "error_handling: {max_delay: .inf}",
        "error_handling.max_delay must be a number of seconds of at most 31536000, got inf",
    ),
    ("error_handling: {base_dealy: 1}", "error_handling.base_dealy is no setting, did you mean base_delay"),
    (
        "error_handling: {circuit_breaker: {threshold: 1}}",
        "error_handling.circuit_breaker.threshold is no setting, did you mean failure_threshold",
    ),
    (
        "error_handling: {circuit_breaker: {zzz: 1}}",
        "error_handling.circuit_breaker.zzz is no setting, there is failure_threshold, recovery_timeout",
    ),
    ("healthy: {}", "healthy is no setting, did you mean health"),
    (
        "error_handling: {recovery_actions: {network_retry: true}}",
        "error_handling.recovery_actions.network_retry must be a mapping, got true",
    ),
    (
        "error_handling: {recovery_actions: {network_retry: {}}}",
        "error_handling.recovery_actions.network_retry must have one of enabled, priority, got nothing",
    ),
    (
        "error_handling: {recovery_actions: {3: {enabled: true}}}",
        "error_handling.recovery_actions.3 must be a text, in quotes",
    ),
    (
        'error_handling: {recovery_actions: {"": {enabled: true}}}',
        "error_handling.recovery_actions.'' must be a printable name",
    ),
    ("classifier: {rules: {a: 1}}", "classifier.rules must be a list of mappings, got a mapping"),
    ("classifier: {rules: [{1: 2}]}", "classifier.rules must be a list of mappings, got a list"),
    (
        "logs: {retention_days: 0.5}",
        "logs.retention_days must be a whole number of days of at least 1, or null, got 0.5",
    ),
    ("health: {}\nhealth: {}", "must be YAML: each key must stand there once, got 'health' twice (line 2, column 1)"),
    (
        "health: &a {}\nlogs: *a",
        "must be YAML: there must be no alias; a text that begins with '*' must stand in quotes (line 2, column 7)",
    ),
    ("a: !!bool x", "must be YAML: KeyError: 'x'"),
    ("{}\n---\n{}", "must be YAML: expected a single document in the stream: but found another document (line 2, col"),
    ("a: {", "must be YAML: while parsing a flow node: expected the node content, but found '<stream end>' (line 1, c"),
    (
        "a: !!python/object/apply:os.abort []",
        "must be YAML: could not determine a constructor for the tag 'tag:yaml.org",
    ),
]


def problems(**given_: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(**{"env": {}} | given_)
    return [str(problem) for problem in caught.value.problems]


def test_everything_can_be_set_in_yaml(tmp_path: Path) -> None:
    path = tmp_path / "bot.yaml"
    path.write_text(EVERYTHING)

    settings = load_settings(env={}, yaml=path)

    assert settings.error_handling == ErrorHandling(
        max_retries=4,
        base_delay=1.0,
        max_delay=30.5,
        backoff_factor=2.0,
        jitter=True,
        circuit_breaker=CircuitBreaker(failure_threshold=7, recovery_timeout=45.0),
        recovery_actions={
            "network_retry": RecoveryActionSettings(enabled=False),
            "rate_limit_wait": RecoveryActionSettings(enabled=True, priority=9),
        },
        state_save_interval=5.0,
        unpark_after=None,
    )
    assert settings.health == HealthSettings(
        check_interval=10.0, max_restart_attempts=2, restart_cooldown=20.0, max_error_threshold=4
    )
    assert (settings.alerts.cooldown, settings.alerts.error_rate, settings.alerts.error_burst) == (60.0, 3, 10)
    assert settings.logs.retention_days == 14
    assert settings.classifier.rules == ({"name": "mine", "category": "DATA"},)
    assert not settings.auto_recovery_enabled


def test_json_and_yaml_say_the_same_in_the_same_keys(tmp_path: Path) -> None:
    (tmp_path / "bot.yaml").write_text(EVERYTHING)
    (tmp_path / "bot.json").write_text(json.dumps(yaml.safe_load(EVERYTHING)))

    assert load_settings(env={}, json=tmp_path / "bot.json") == load_settings(env={}, yaml=tmp_path / "bot.yaml")


@pytest.mark.parametrize("key", ["trade_engine_auto_restart", "database_auto_reconnect", "auto_recovery_enabled"])
def test_the_flags_of_a_settings_file(tmp_path: Path, key: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({key: False}))

    settings = load_settings(env={}, json=path)

    assert settings == msgspec.structs.replace(Settings(), **{key: False})


@pytest.mark.parametrize(("text", "says"), WRONG)
def test_what_is_wrong_is_said_with_file_key_value_and_expectation(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bot.yaml"
    path.write_text(text)

    [problem] = problems(yaml=path)

    assert problem.startswith(f"{path}: {says}")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "must be JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"[]", "must be a mapping, got a list"),
        (b'{"health": {}, "health": {}}', "must have each key once, got 'health' twice"),
        (b'{"error_handling": {"base_delay": NaN}}', "must be JSON, which has no NaN"),
        (
            b'{"error_handling": {"base_delay": 1e999}}',
            "error_handling.base_delay must be a number of seconds of at mos",
        ),
        (b'{"error_handling": {"max_retries": ' + b"9" * 5000 + b"}}", "must have no number of more than 100 digits"),
        (b'{"auto_recovery_enabled": "false"}', "auto_recovery_enabled must be true or false, got 'false'"),
        (b'{"auto_recovery_enabled": 0}', "auto_recovery_enabled must be true or false, got 0"),
        (
            b'{"auto_recovery_enabeld": false}',
            "auto_recovery_enabeld is no setting, did you mean auto_recovery_enabled",
        ),
        (b"\xff\xfe{\x00}\x00", "must be UTF-8, got 0xff at byte 0"),
        (b"{" * 1_000, "must be JSON: Expecting property name"),
        (b"[" * 500_000, "must "),
        (b" " * 1_048_577, "must be at most 1048576 bytes, got more"),
    ],
)
def test_what_is_wrong_with_a_json_file(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(content)

    [problem] = problems(json=path)

    assert problem.startswith(f"{path}: {says}")
    assert len(problem) < 400


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "bot.yaml").write_text("error_handling: {max_retries: -1, jiter: true}\nhealth: {check_interval: 0}\n")
    (tmp_path / "settings.json").write_text('{"auto_recovery_enabled": 1}')

    found = problems(env={"MAX_RESTART_ATTEMPTS": "x"}, yaml=tmp_path / "bot.yaml", json=tmp_path / "settings.json")

    assert found == [
        f"{tmp_path}/settings.json: auto_recovery_enabled must be true or false, got 1",
        f"{tmp_path}/bot.yaml: error_handling.max_retries must be a whole number of at least 0, got -1",
        f"{tmp_path}/bot.yaml: error_handling.jiter is no setting, did you mean jitter",
        f"{tmp_path}/bot.yaml: health.check_interval must be a number of seconds of at least 1, got 0",
        "environment: MAX_RESTART_ATTEMPTS must be a whole number of at least 0, got 'x'",
    ]


def test_every_wrong_rule_is_said(tmp_path: Path) -> None:
    path = tmp_path / "bot.yaml"
    path.write_text("classifier: {rules: [{category: DATA}, {name: fine, category: DATA}, {name: x, kategory: DATA}]}")

    first, second = problems(yaml=path)

    assert first.startswith(f"{path}: classifier.rules has a wrong rule: rule 1: name must be a text")
    assert second.startswith(f"{path}: classifier.rules has a wrong rule: rule 'x': there is no field 'kategory'")


def test_the_text_of_the_error_is_bounded_and_says_how_many_there_are_besides(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({f"key{number}": 1 for number in range(1000)}))

    with pytest.raises(SettingsError, match=r"; and 980 more$") as caught:
        load_settings(env={}, json=path)

    assert len(caught.value.problems) == 1000


def test_secrets_in_a_wrong_place_are_not_shown(tmp_path: Path) -> None:
    """Of an unknown key nothing is shown, of a mapping nothing, of a text what is left without secrets."""
    path = tmp_path / "bot.yaml"
    path.write_text(
        "api_key: hunter2hunter2\n"
        "health: {check_interval: 'https://x/?api_key=hunter2hunter2', max_error_threshold: {api_secret: hunter2}}\n"
    )

    found = problems(yaml=path)

    assert len(found) == 3
    assert "hunter2" not in "".join(found)


def test_an_alias_bomb_is_refused_before_it_unfolds(tmp_path: Path) -> None:
    path = tmp_path / "bot.yaml"
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))]
    path.write_text("\n".join(lines))

    [problem] = problems(yaml=path)

    assert "there must be no alias" in problem


def test_a_file_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "bot.yaml"
    path.write_bytes(b"#")
    os.truncate(path, 1 << 40)  # a hole: takes no room

    assert problems(yaml=path) == [f"{path}: must be at most 262144 bytes, got more"]


def test_a_pipe_that_nobody_writes_into_does_not_hang_the_bot(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert problems(json=tmp_path / "pipe") == [f"{tmp_path}/pipe: must be a regular file"]


@pytest.mark.parametrize("kind", ["yaml", "json"])
def test_a_folder_is_no_file(tmp_path: Path, kind: str) -> None:
    found = problems(**{kind: tmp_path})

    assert found == [f"{tmp_path}: must be a file that can be read, got Is a directory"]


def test_a_yaml_file_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "bot.yaml"

    assert problems(yaml=path) == [f"{path}: must be a file that can be read, got No such file or directory"]


def test_a_link_to_nowhere_is_no_missing_json_file(tmp_path: Path) -> None:
    (tmp_path / "settings.json").symlink_to(tmp_path / "gone")

    assert "No such file" in problems(json=tmp_path / "settings.json")[0]


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(b'\xef\xbb\xbf{"auto_recovery_enabled": false}')

    assert not load_settings(env={}, json=path).auto_recovery_enabled


def test_without_pyyaml_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.delitem(sys.modules, "duenna.faults._yaml", raising=False)
    monkeypatch.delattr(duenna.faults, "_yaml", raising=False)

    with pytest.raises(ImportError, match=r'^settings in YAML need PyYAML: pip install "duenna\[yaml\]"$'):
        SettingsSource(yaml=tmp_path / "bot.yaml")
    assert load_settings(env={}, json=tmp_path / "settings.json") == Settings()


KEYS = st.sampled_from(
    ["error_handling", "max_retries", "circuit_breaker", "recovery_actions", "health", "classifier", "rules", "alerts"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | KEYS, inner, max_size=4),
    max_leaves=12,
)


def outcome(**given_: Any) -> Settings | SettingsError:
    try:
        return load_settings(env={}, **given_)
    except SettingsError as error:
        return error


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.dictionaries(KEYS, JSON) | JSON)
def test_whatever_a_file_says_there_are_settings_or_a_settings_error(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(content))

    made = outcome(json=path)

    assert isinstance(made, Settings) or {problem.source for problem in made.problems} == {str(path)}


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary() | st.text(alphabet=" \n:-{}[]&*!#'\"%|>?,ab01").map(str.encode))
def test_whatever_bytes_a_yaml_file_holds_there_are_settings_or_a_settings_error(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "bot.yaml"
    path.write_bytes(content)

    made = outcome(yaml=path)

    assert isinstance(made, Settings) or "\n" not in str(made)
