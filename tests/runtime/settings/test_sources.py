"""Sources: which of them is believed, what may be missing, and what differs from one reading to the next."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.settings import (
    ClassifierSettings,
    ErrorHandling,
    HealthSettings,
    RecoveryActionSettings,
    Settings,
    SettingsError,
    SettingsSource,
    load_settings,
)
from duenna.settings._changes import changes_between

if TYPE_CHECKING:
    from pathlib import Path

RETRIES = "error_handling.max_retries"


@pytest.fixture
def yaml(tmp_path: Path) -> Path:
    path = tmp_path / "bot.yaml"
    path.write_text("error_handling: {max_retries: 2, base_delay: 2}\n")
    return path


@pytest.fixture
def json(tmp_path: Path) -> Path:
    path = tmp_path / "settings.json"
    path.write_text('{"error_handling": {"max_retries": 1, "base_delay": 1, "max_delay": 11}}')
    return path


def test_environment_over_yaml_over_json_over_defaults(yaml: Path, json: Path) -> None:
    """For each key by itself: a block in one source hides nothing of the same block in another."""
    loaded = SettingsSource(env={"ERROR_RECOVERY_MAX_RETRIES": "3"}, yaml=yaml, json=json).read()

    assert loaded.settings.error_handling == ErrorHandling(max_retries=3, base_delay=2.0, max_delay=11.0)
    assert loaded.origins == {
        RETRIES: "environment",
        "error_handling.base_delay": str(yaml),
        "error_handling.max_delay": str(json),
    }


def test_recovery_actions_are_merged_by_name_and_key(yaml: Path, json: Path) -> None:
    yaml.write_text("error_handling: {recovery_actions: {a: {enabled: false}, b: {priority: 2}}}")
    json.write_text(
        '{"error_handling": {"recovery_actions": {"a": {"enabled": true, "priority": 7}, "c": {"priority": 1}}}}'
    )

    settings = load_settings(env={}, yaml=yaml, json=json)

    assert settings.error_handling.recovery_actions == {
        "a": RecoveryActionSettings(enabled=False, priority=7),
        "b": RecoveryActionSettings(priority=2),
        "c": RecoveryActionSettings(priority=1),
    }


def test_rules_are_not_merged_but_replaced(yaml: Path, json: Path) -> None:
    """Their order counts: a mixture would be nobody's."""
    yaml.write_text("classifier: {rules: [{name: a, transient: true}]}")
    json.write_text('{"classifier": {"rules": [{"name": "b", "transient": true}]}}')

    assert load_settings(env={}, yaml=yaml, json=json).classifier.rules == ({"name": "a", "transient": True},)


@pytest.mark.parametrize(
    ("env", "text", "says"),
    [
        (
            {},
            "{base_delay: 61}",
            "{yaml}: error_handling.base_delay must be at most error_handling.max_delay (60.0, defaults), got 61.0",
        ),
        (
            {},
            "{max_delay: 9}",
            "{yaml}: error_handling.max_delay must be at least error_handling.base_delay (10.0, defaults), got 9.0",
        ),
        (
            {"ERROR_RECOVERY_MAX_DELAY": "9"},
            "{base_delay: 20}",
            "{yaml}: error_handling.base_delay must be at most ERROR_RECOVERY_MAX_DELAY (9.0, environment), got 20.0",
        ),
        (
            {"ERROR_RECOVERY_BASE_DELAY": "30"},
            "{max_delay: 20}",
            "environment: ERROR_RECOVERY_BASE_DELAY must be at most error_handling.max_delay (20.0, {yaml}), got 30.0",
        ),
    ],
)
def test_sources_that_contradict_each_other_are_both_named(
    yaml: Path, env: dict[str, str], text: str, says: str
) -> None:
    yaml.write_text(f"error_handling: {text}")

    with pytest.raises(SettingsError) as caught:
        load_settings(env=env, yaml=yaml)

    assert str(caught.value) == says.replace("{yaml}", str(yaml))


def test_what_is_wrong_by_itself_is_not_compared(yaml: Path) -> None:
    """Else the default in its place would be blamed."""
    yaml.write_text("error_handling: {base_delay: 100, max_delay: x}")

    with pytest.raises(SettingsError) as caught:
        load_settings(env={}, yaml=yaml)

    assert [problem.key for problem in caught.value.problems] == ["error_handling.max_delay"]


def test_a_value_that_another_source_overrides_must_be_right_all_the_same(yaml: Path) -> None:
    yaml.write_text("error_handling: {max_retries: -1}")

    with pytest.raises(SettingsError, match=r"error_handling\.max_retries must be a whole number"):
        load_settings(env={"ERROR_RECOVERY_MAX_RETRIES": "3"}, yaml=yaml)


def test_without_sources_there_are_the_defaults() -> None:
    assert load_settings(env={}) == Settings()


def test_a_json_file_may_be_missing_until_it_was_read_once(json: Path) -> None:
    """A bot's first start is on defaults; a file that vanishes later must not bring them back in silence."""
    content = json.read_bytes()
    json.unlink()
    source = SettingsSource(env={}, json=json)

    assert source.load() == Settings()
    json.write_bytes(content)
    assert source.load().error_handling.max_retries == 1
    json.unlink()
    with pytest.raises(SettingsError, match=r"must be a file that can be read, got No such file or directory$"):
        source.load()


def test_a_json_file_that_cannot_be_looked_for_is_not_missing(json: Path) -> None:
    """A folder without a right of way, say, must not mean the defaults; here it is no folder at all."""
    with pytest.raises(SettingsError, match=r"must be a file that can be read, got Not a directory$"):
        load_settings(env={}, json=json / "settings.json")


def test_a_json_file_that_never_could_be_read_may_vanish_again(json: Path) -> None:
    content = json.read_bytes()
    json.write_text("{")
    source = SettingsSource(env={}, json=json)
    with pytest.raises(SettingsError):
        source.load()

    json.unlink()

    assert source.load() == Settings()
    assert content


def test_a_relative_path_is_one_from_where_the_source_was_made(yaml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(yaml.parent)
    source = SettingsSource(env={}, yaml=yaml.name)
    monkeypatch.chdir("/")

    assert source.load().error_handling.max_retries == 2
    assert source.read().origins[RETRIES] == "bot.yaml"


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"env": 3}, r"^SettingsSource: env must be a mapping of texts, got int$"),
        ({"yaml": 3}, "expected str, bytes or os.PathLike object, not int"),
        ({"json": {}}, "expected str, bytes or os.PathLike object, not dict"),
    ],
)
def test_wrong_use_is_a_type_error(given_: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        SettingsSource(**given_)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(yaml: Path) -> None:
    yaml.chmod(0)

    with pytest.raises(SettingsError, match=r"must be a file that can be read, got Permission denied$"):
        load_settings(env={}, yaml=yaml)


def test_a_reload_returns_what_differs(yaml: Path) -> None:
    source = SettingsSource(env={}, yaml=yaml)
    before = source.load()
    yaml.write_text("error_handling: {max_retries: 5, unpark_after: null, recovery_actions: {a: {enabled: false}}}\n")

    now, changes = source.reload(before)

    assert now.error_handling.max_retries == 5
    assert changes == {
        "error_handling.max_retries": ("2", "5"),
        "error_handling.base_delay": ("2.0", "10.0"),
        "error_handling.recovery_actions.a.enabled": ("not set", "false"),
        "error_handling.recovery_actions.a.priority": ("not set", "null"),
        "error_handling.unpark_after": ("300.0", "null"),
    }


def test_what_went_is_shown_too() -> None:
    old = Settings(error_handling=ErrorHandling(recovery_actions={"a": RecoveryActionSettings(priority=4)}))

    assert changes_between(old, Settings())["error_handling.recovery_actions.a.priority"] == ("4", "not set")


def rules(*rules: dict[str, Any]) -> Settings:
    return Settings(classifier=ClassifierSettings(rules=rules))


def test_rules_are_shown_by_name_and_whole_and_in_their_order() -> None:
    a: dict[str, Any] = {"name": "a", "transient": True}
    b: dict[str, Any] = {"name": "b", "transient": True}

    assert changes_between(rules(a, b), rules(b, a | {"transient": False})) == {
        "classifier.rules": ("a, b", "b, a"),
        "classifier.rules.a": ('{"name": "a", "transient": true}', '{"name": "a", "transient": false}'),
    }


def test_rules_that_differ_far_down_are_shown_as_different_although_what_is_shown_is_cut() -> None:
    old = {"name": "a", "texts": ["x" * 1000], "transient": True}

    [(key, (before, now))] = changes_between(rules(old), rules(old | {"transient": False})).items()

    assert key == "classifier.rules.a"
    assert len(before) == len(now) == 200


def test_changes_show_no_secrets() -> None:
    rule = {"name": "api_key=hunter2hunter2", "transient": True}

    changes = changes_between(Settings(), rules(rule))

    assert len(changes) == 2
    assert "hunter2" not in str(changes)


@given(st.integers(0, 9), st.integers(0, 9), st.booleans(), st.booleans())
def test_there_are_changes_if_and_only_if_the_settings_differ(a: int, b: int, c: bool, d: bool) -> None:
    old = Settings(health=HealthSettings(max_error_threshold=a), auto_recovery_enabled=c)
    new = Settings(health=HealthSettings(max_error_threshold=b), auto_recovery_enabled=d)

    assert bool(changes_between(old, new)) == (old != new)


def test_the_repr_of_a_source_shows_no_variables() -> None:
    """The environment of a process is full of keys."""
    assert "hunter2" not in repr(SettingsSource(env={"API_SECRET": "hunter2"}))
