"""docs/settings.md and examples/settings.yaml have every key, with the defaults and the limits of the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import yaml

from duenna.settings import RecoveryActionSettings, Settings, load_settings
from duenna.settings._environment import VARIABLES
from duenna.settings._fields import fields_of, in_words
from duenna.settings._files import MOST_JSON, MOST_YAML

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "settings.md").read_text()
EXAMPLE = ROOT / "examples" / "settings.yaml"
KEYS = re.compile(r"^\| `([\w.]+)` \| `(.+?)` \| (.+?) \| ", re.MULTILINE)
ROWS = re.compile(r"^\| `([A-Z_]+)` \| (\w*) ?\| `([\w.]+)` \|$", re.MULTILINE)


def keys(prefix: str, block: msgspec.Struct) -> Iterator[tuple[str, str, str]]:
    for name, field in fields_of(type(block)).items():
        value = getattr(block, name)
        if field.block is not None:
            yield from keys(f"{prefix}{name}.", value)
        elif field.entry is not None:
            yield from keys(f"{prefix}{name}.NAME.", field.entry())
        else:
            yield f"{prefix}{name}", "()" if value == () else in_words(value), field.expects()


def test_every_key_is_in_the_table_with_its_default_and_its_limit() -> None:
    assert KEYS.findall(PAGE) == list(keys("", Settings()))


def test_every_variable_is_in_the_table_with_its_unit_and_its_key() -> None:
    written = {name: (unit, key) for name, unit, key in ROWS.findall(PAGE)}

    assert {name: key for name, (_, key) in written.items()} == {n: ".".join(v.key) for n, v in VARIABLES.items()}
    assert {name for name, (unit, _) in written.items() if unit == "milliseconds"} == {
        name for name, variable in VARIABLES.items() if variable.milliseconds
    }


def test_the_sizes_are_those_of_the_code() -> None:
    assert f"YAML of at most {MOST_YAML >> 10} KiB, JSON of at\n  most {MOST_JSON >> 20} MiB" in PAGE


def test_what_an_action_can_be_told_is_what_the_table_has() -> None:
    assert RecoveryActionSettings.__struct_fields__ == ("enabled", "priority")


def test_the_example_file_has_every_key_with_its_default() -> None:
    written = yaml.safe_load(EXAMPLE.read_text())
    made = load_settings(env={}, yaml=EXAMPLE)
    actions = made.error_handling.recovery_actions

    assert written.keys() == set(Settings.__struct_fields__)
    assert all(written[name].keys() == set(block.__struct_fields__) for name, block in blocks(made))
    assert list(actions) == ["network_retry", "rate_limit_wait", "data_fallback", "exchange_fallback"]
    assert (
        msgspec.structs.replace(made, error_handling=msgspec.structs.replace(made.error_handling, recovery_actions={}))
        == Settings()
    )


def blocks(settings: Settings) -> Iterator[tuple[str, msgspec.Struct]]:
    for name in Settings.__struct_fields__:
        if isinstance(block := getattr(settings, name), msgspec.Struct):
            yield name, block
