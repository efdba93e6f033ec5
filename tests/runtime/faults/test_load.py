"""Whatever a file holds, there is a plan, or one line that says what is wrong and where."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import duenna.faults
from duenna.faults import (
    FaultPlan,
    HalfOpen,
    Latency,
    Planned,
    Service,
    Stall,
    dump_plan,
    load_plan,
    parse_plan,
)
from tests.runtime.faults.strategies import plans

if TYPE_CHECKING:
    from pathlib import Path

STORM = FaultPlan(
    (
        Planned(at=60.0, target="exchange", fault=Latency(extra=2.0), duration=30.0, every=600.0, times=3),
        Planned(at=90.0, target="*", fault=HalfOpen()),
        Planned(at=95.5, target="ex*", fault=Service(name="mute", params={"symbol": "BTC*"}), duration=20.0),
        Planned(at=100.0, fault=Stall(direction="both")),
    ),
    name="storm",
)

STORM_YAML = """
name: storm
faults:
  - {at: 60, target: exchange, fault: {kind: latency, extra: 2e0}, duration: 30, every: 600, times: 3}
  - at: 90
    target: "*"
    fault: {kind: half_open}
  - at: 95.5
    target: ex*
    fault:
      kind: service
      name: mute
      params: {symbol: BTC*}
    duration: 20
  - {at: 100, fault: {kind: stall, direction: both}, duration:}
"""

KINDS = (
    "latency, bandwidth, loss, partition, stall, half_open, reset, refuse, truncate, flip_byte, name_not_found, "
    "tls_failure, database_lost, database_slow, disk_full, clock_step, suspend, crash, service"
)
ENTRY_FIELDS = "at, target, fault, duration, every, times"
WHOLE = "a plan must be a list of entries, or a mapping with faults"

WRONG_YAML = {
    "": f"{WHOLE}, got nothing",
    " \n": f"{WHOLE}, got nothing",
    "# nothing": f"{WHOLE}, got nothing",
    "3": f"{WHOLE}, got 3",
    "fault: []": "a plan: field must be one of faults, name, got 'fault'",
    "name: x": "faults must be a list of entries, got nothing",
    "faults: {at: 1}": "faults must be a list of entries, got {'at': 1}",
    "{faults: [], name: 3}": "plan: name must be a text, got 3",
    "- reset": "entry 1: an entry must be a mapping with at and fault, got 'reset'",
    "- {fault: {kind: reset}}": "entry 1: at must be a number of seconds, got nothing",
    "- {at: 1}": "entry 1: fault must be a mapping with a kind, got nothing",
    "- {at: 1, fault: reset}": "entry 1: fault must be a mapping with a kind, got 'reset'",
    "- {at: 1, fault: {}}": f"entry 1: kind must be one of {KINDS}, got nothing",
    "- {at: 1, fault: {kind: rest}}": f"entry 1: kind must be one of {KINDS}, got 'rest'",
    "- {at: 1, fault: {kind: [reset]}}": f"entry 1: kind must be one of {KINDS}, got ['reset']",
    "- {at: 1, duratio: 3, fault: {kind: loss}}": f"entry 1: field must be one of {ENTRY_FIELDS}, got 'duratio'",
    "- {at: 1, 3: 4}": f"entry 1: field must be one of {ENTRY_FIELDS}, got 3",
    "- {at: 1, fault: {kind: latency, extr: 1}}": "entry 1: latency: field must be one of extra, jitter, got 'extr'",
    "- {at: 1, fault: {kind: reset, x: 1}}": "entry 1: reset: field must be left out, for there are none, got 'x'",
    "- {at: 1, fault: {kind: loss}}": "entry 1: loss: rate must be given, got nothing",
    "- {at: 1, fault: {kind: loss, rate: '1'}}": "entry 1: loss: rate must be a number, got '1'",
    "- {at: -1, fault: {kind: reset}}": "entry 1: reset: at must be >= 0 seconds, got -1",
    "- {at: .nan, fault: {kind: reset}}": "entry 1: reset: at must be a number, got nan",
    "- {at: 1:30, fault: {kind: reset}}": "entry 1: reset: at must be a number, got '1:30'",
    "- {at: 010, fault: {kind: reset}}": "entry 1: reset: at must be a number, got '010'",
    "- {at: 2026-01-01, fault: {kind: reset}}": "entry 1: reset: at must be a number, got '2026-01-01'",
    "- {at: yes, fault: {kind: reset}}": "entry 1: reset: at must be a number, got 'yes'",
    "- {at: 1, fault: {kind: reset}, duration: 4}": (
        "entry 1: reset: duration must be left out, for it is over at once, got 4.0"
    ),
    "- {at: 1, fault: {kind: reset}, every: 0}": "entry 1: reset: every must be > 0 seconds, got 0",
    "- {at: 1, fault: {kind: reset}, times: 4}": (
        "entry 1: reset: times must be left out where there is no every, got 4"
    ),
    "- {at: 1, fault: {kind: reset}}\n- {at: 1, fault: {kind: reset}, target: 3}": (
        "entry 2: reset: target must be a str, got 3"
    ),
    "- {at: 1, at: 2}": "each key must stand there once, got 'at' twice (line 1, column 11)",
    "- &a [x]\n- *a": "there must be no alias; a text that begins with '*' must stand in quotes (line 2, column 3)",
    "- {target: *}": (
        "while scanning an alias: expected alphabetic or numeric character, but found '}'; "
        "a text that begins with '*' must stand in quotes (line 1, column 13)"
    ),
    "? [a]\n: 1": "while constructing a mapping: found unhashable key (line 1, column 3)",
    "<<: {faults: []}": "a plan: field must be one of faults, name, got '<<'",
    "!!python/object/apply:os.abort []": (
        "could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/apply:os.abort' "
        "(line 1, column 1)"
    ),
    "- !!bool x": "not YAML: KeyError: 'x'",
    "- !!int ''": "not YAML: IndexError: string index out of range",
    "--- 1\n--- 2": "expected a single document in the stream: but found another document (line 2, column 1)",
    "a: [": "while parsing a flow node: expected the node content, but found '<stream end>' (line 1, column 5)",
    "\0": ('unacceptable character #x0000: special characters are not allowed in "<unicode string>", position 0'),
    "[" * 3000: "a plan must not be nested so deep",
}

WRONG_JSON = {
    "": f"{WHOLE}, got nothing",
    "{": "not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    "[NaN]": "entry 1: an entry must be a mapping with at and fault, got nan",
    '[{"at": NaN, "fault": {"kind": "reset"}}]': "entry 1: reset: at must be a number, got nan",
    '[{"at": 1e999, "fault": {"kind": "reset"}}]': ("entry 1: reset: at must be a finite number of seconds, got inf"),
    '[{"at": null, "fault": {"kind": "reset"}}]': "entry 1: reset: at must be a number, got None",
    '{"faults": [], "faults": []}': "each key must stand there once, got 'faults' twice",
    '[{"at": 1, "fault": {"kind": "crash", "text": "\\ud800"}}]': (
        "entry 1: crash: text must be a text, got '\\ud800'"
    ),
    "[" * 200_000: "a plan must not be nested so deep",
}


@pytest.mark.parametrize(("text", "says"), WRONG_YAML.items(), ids=range(len(WRONG_YAML)))
def test_yaml_that_is_no_plan_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"^plan: .+\Z") as caught:
        parse_plan(text, format="yaml")

    assert str(caught.value) == f"plan: {says}"


@pytest.mark.parametrize(("text", "says"), WRONG_JSON.items(), ids=range(len(WRONG_JSON)))
def test_json_that_is_no_plan_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"^plan: .+\Z") as caught:
        parse_plan(text)

    assert str(caught.value) == f"plan: {says}"


def test_a_plan_is_read_from_yaml(tmp_path: Path) -> None:
    for name in "storm.yaml", "storm.yml", "STORM.YAML":
        path = tmp_path / name
        path.write_text(STORM_YAML)

        assert load_plan(path) == STORM


def test_a_plan_is_read_from_json(tmp_path: Path) -> None:
    path = tmp_path / "storm.json"
    path.write_text(dump_plan(STORM))

    assert load_plan(str(path)) == STORM


def test_the_entries_alone_are_a_plan_without_a_name() -> None:
    assert parse_plan('[{"at": 1, "fault": {"kind": "half_open"}}]') == FaultPlan((Planned(at=1.0, fault=HalfOpen()),))


def test_the_same_plan_from_both_formats_is_written_the_same() -> None:
    """Whole numbers in YAML are floats in the plan."""
    assert dump_plan(parse_plan(STORM_YAML, format="yaml")) == dump_plan(STORM)


def test_a_plan_is_written_one_entry_a_line_with_all_fields_of_its_faults() -> None:
    assert dump_plan(STORM).splitlines() == [
        "{",
        '  "name": "storm",',
        '  "faults": [',
        (
            '    {"at":60.0,"target":"exchange","fault":{"kind":"latency","extra":2.0,"jitter":0.0},'
            '"duration":30.0,"every":600.0,"times":3},'
        ),
        '    {"at":90.0,"fault":{"kind":"half_open"}},',
        (
            '    {"at":95.5,"target":"ex*","fault":{"kind":"service","name":"mute","params":{"symbol":"BTC*"}},'
            '"duration":20.0},'
        ),
        '    {"at":100.0,"fault":{"kind":"stall","direction":"both"}}',
        "  ]",
        "}",
    ]


def test_texts_of_all_alphabets_are_read_from_both_formats() -> None:
    assert parse_plan('{"name": "Bö 嵐 🌩", "faults": []}').name == "Bö 嵐 🌩"
    assert parse_plan("name: Bö 嵐 🌩\nfaults: []", format="yaml").name == "Bö 嵐 🌩"


def test_an_empty_plan_can_be_written_and_read() -> None:
    assert parse_plan(dump_plan(FaultPlan(()))) == FaultPlan(())


def test_a_byte_order_mark_is_read_over() -> None:
    assert parse_plan(b"\xef\xbb\xbf[]") == FaultPlan(())


def test_what_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "storm.yaml"
    path.write_bytes(b"name: \xff\xfe\x00\x01")

    with pytest.raises(ValueError, match=r"storm\.yaml: a plan must be UTF-8, got 0xff at byte 6$"):
        load_plan(path)
    with pytest.raises(ValueError, match=r"^plan: a plan must be UTF-8, got 0xed at byte 1$"):
        parse_plan('"\ud800"')


def test_an_error_names_the_file_the_entry_the_field_and_the_value(tmp_path: Path) -> None:
    path = tmp_path / "storm.yaml"
    path.write_text("- {at: 1, fault: {kind: reset}}\n- {at: 5, fault: {kind: loss, rate: 20}}\n")

    with pytest.raises(ValueError, match="entry 2") as caught:
        load_plan(path)

    assert str(caught.value) == f"{path}: entry 2: loss: rate must be > 0 and < 1, got 20"


@pytest.mark.parametrize(("suffix", "limit"), [("json", 8 * 1024 * 1024), ("yaml", 256 * 1024)])
def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path, suffix: str, limit: int) -> None:
    path = tmp_path / f"storm.{suffix}"
    path.write_bytes(b" " * 10_000_000)

    with pytest.raises(ValueError, match=rf"storm\.{suffix}: {suffix} must be at most {limit} bytes, got more$"):
        load_plan(path)


def test_a_huge_value_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ValueError, match=r"^plan: entry 1: reset: at must be a number, got 'x+\.\.\.$") as caught:
        parse_plan(json.dumps([{"at": "x" * 1_000_000, "fault": {"kind": "reset"}}]))

    assert len(str(caught.value)) == len("plan: ") + 400


def test_aliases_within_aliases_are_refused_at_the_first() -> None:
    """A billion laughs: nine lines that would unfold to a billion entries."""
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10))]

    with pytest.raises(ValueError, match=r"^plan: there must be no alias; .* \(line 2, column 10\)$"):
        parse_plan("\n".join(lines), format="yaml")


def test_the_name_of_a_file_says_its_format(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"storm\.toml: a plan's name must end in \.json, \.yaml, \.yml, got '\.toml'$"
    ):
        load_plan(tmp_path / "storm.toml")


def test_a_file_that_is_not_there_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"storm\.json"):
        load_plan(tmp_path / "storm.json")


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^parse_plan: format must be 'json' or 'yaml', got 'toml'$"):
        parse_plan("[]", format="toml")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^parse_plan: text must be a str or bytes, got \[\]$"):
        parse_plan([])  # type: ignore[arg-type]


def test_a_missing_extra_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON needs none."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.delitem(sys.modules, "duenna.faults._yaml", raising=False)
    monkeypatch.delattr(duenna.faults, "_yaml", raising=False)

    with pytest.raises(ImportError, match=r'^a plan in YAML needs PyYAML: pip install "duenna\[yaml\]"$'):
        parse_plan("[]", format="yaml")
    assert parse_plan("[]") == FaultPlan(())


class Quoting(yaml.SafeDumper):
    """Writes every text in quotes: PyYAML's own idea of which texts need them is that of YAML 1.1."""


Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


@given(plan=plans)
def test_a_plan_survives_json(plan: FaultPlan) -> None:
    assert parse_plan(dump_plan(plan)) == plan
    assert parse_plan(dump_plan(plan).encode()) == plan


@given(plan=plans)
def test_a_plan_survives_yaml(plan: FaultPlan) -> None:
    written = yaml.dump(json.loads(dump_plan(plan)), Dumper=Quoting)

    assert parse_plan(written, format="yaml") == plan


@given(text=st.text() | st.text("[]{}&*!?:-,|>%@`'\"#<~ \n\t1eatx"))
def test_any_text_is_a_plan_or_a_value_error_of_one_line(text: str) -> None:
    assert_one_line(text)


@given(
    text=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from(["reset", "latency"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["faults", "name", "at", "fault", "kind", "target", "duration", "every", "times", "extra"]
                ),
                inner,
                max_size=5,
            )
        ),
    ).map(json.dumps)
)
def test_any_value_is_a_plan_or_a_value_error_of_one_line(text: str) -> None:
    assert_one_line(text)


def assert_one_line(text: str) -> None:
    formats: tuple[Literal["json", "yaml"], ...] = ("json", "yaml")
    for format_ in formats:
        problem = "plan: none"
        try:
            parse_plan(text, format=format_)
        except ValueError as exc:
            problem = str(exc)
        assert problem.startswith("plan: ")
        assert "\n" not in problem
