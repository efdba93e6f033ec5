"""The verb `classify`: explanations, verdicts on files, and what it does with wrong lines."""

from __future__ import annotations

import io
import json
import os
import sys
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest

import duenna.faults
from duenna._rules_file import RulesFileError, read_rules
from duenna.cli import main

if TYPE_CHECKING:
    from pathlib import Path

VERB = EntryPoint("classify", "duenna.classify_cli:register", "duenna.commands")


def classify(*arguments: str) -> int:
    return main(["classify", *arguments], verbs=[VERB])


def test_it_explains_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    status = classify("httpx.ReadTimeout: timed out", "--origin", "rest", "--cause", "OSError: [Errno 104] reset")
    out = capsys.readouterr().out

    assert status == 0
    assert out.startswith(
        "NETWORK, MEDIUM, transient  (network/errno)\n\n"
        "error  httpx.ReadTimeout\n"
        "cause  OSError, errno 104\n"
        "origin rest\n\n"
        "  yes  network/errno: category NETWORK, severity MEDIUM, transient True  [errnos 104]\n"
    )
    assert "other rules did not match; --all shows them\n" in out


def test_it_shows_the_others_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert classify("X: y", "--status", "429", "--retry-after", "3", "--all") == 0
    out = capsys.readouterr().out

    assert out.startswith("RATE_LIMIT, MEDIUM, transient, retry after 3 s  (status/too-many)\n")
    assert "\n  no   status/teapot: not statuses 418\n" in out


def test_an_unknown_outcome_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert classify("httpx.ReadTimeout: ", "--origin", "order") == 0
    assert capsys.readouterr().out.startswith("EXCHANGE, CRITICAL, not transient, outcome unknown  (outcome/")


def test_it_judges_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Labels are passed over; without an id, the number of the line stands for it."""
    file = tmp_path / "e.jsonl"
    file.write_text(
        '{"id": "a", "exception_type": "X", "http_status": 429, "retry_after": 7, "category": "DATA"}\n'
        "\n"
        '{"exception_type": "MemoryError"}\n'
    )

    assert classify(str(file), "--json") == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {
            "id": "a",
            "category": "RATE_LIMIT",
            "severity": "MEDIUM",
            "transient": True,
            "outcome_unknown": False,
            "retry_after": 7.0,
            "rule": "status/too-many",
        },
        {
            "id": 3,
            "category": "MEMORY",
            "severity": "CRITICAL",
            "transient": False,
            "outcome_unknown": False,
            "retry_after": None,
            "rule": "memory/allocator",
        },
    ]

    assert classify(str(file)) == 0
    assert capsys.readouterr().out.splitlines()[1] == "3  MEMORY, CRITICAL, not transient  (memory/allocator)"


def test_a_wrong_line_costs_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is told with its number, the good ones are judged, and the exit status is 2."""
    file = tmp_path / "e.jsonl"
    file.write_bytes(b'{"id": 1, "http_status": 9}\n{"id": 2}\nnonsense\n[]\n\xff\n' + b"[" * 100_000 + b"\n")

    status = classify(str(file), "--json")
    shown = capsys.readouterr()

    assert status == 2
    assert [json.loads(line)["id"] for line in shown.out.splitlines()] == [2]
    lines = shown.err.splitlines()
    assert lines[0] == (
        f"duenna classify: {file}, line 1: http_status must be a whole number from 100 to 599 or null, got 9"
    )
    assert lines[1].startswith(f"duenna classify: {file}, line 3: a record must be JSON: ")
    assert lines[2] == f"duenna classify: {file}, line 4: a record must be an object"
    assert [line.split(": ")[1] for line in lines[3:]] == [f"{file}, line 5", f"{file}, line 6"]


def test_complaints_are_bounded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "e.jsonl"
    file.write_text("x\n" * 150)

    assert classify(str(file)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 101
    assert lines[-1] == f"duenna classify: {file}: 50 more lines are wrong"


def test_it_reads_the_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"id": 5}\n')))

    assert classify("-", "--json") == 0
    assert json.loads(capsys.readouterr().out)["id"] == 5


def test_a_standard_input_that_is_closed_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    assert classify("-", "--json") == 2
    assert capsys.readouterr().err == "duenna classify: the standard input is closed\n"


def test_a_line_without_an_end_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("duenna._classify._LONGEST_LINE", 16)
    file = tmp_path / "e.jsonl"
    long = b'{"id": 1, "message": "' + b"x" * 16 * 4
    file.write_bytes(b'{"id": 1}\n' + long + b'"}\n{"id": 123456}\n{"id": 1234567}\n' + b"x" * 16)

    assert classify(str(file), "--json") == 2
    shown = capsys.readouterr()
    assert [json.loads(line)["id"] for line in shown.out.splitlines()] == [1, 123456, 1234567]
    assert shown.err.splitlines() == [
        f"duenna classify: {file}, line {number}: a record must have at most 16 bytes, got more" for number in (2, 5)
    ]


@pytest.mark.parametrize(("options", "expected"), [(["--json"], '"id":"é\U0001f600"'), ([], "\\xe9\\U0001f600  DATA")])
def test_a_terminal_of_few_characters_gets_all_verdicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], expected: str
) -> None:
    """JSON is UTF-8 whatever the terminal is; a text for people has what it cannot show escaped."""
    file = tmp_path / "e.jsonl"
    file.write_text('{"id": "é\U0001f600", "exception_type": "json.decoder.JSONDecodeError"}\n', encoding="utf-8")
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))

    assert classify(str(file), *options) == 0
    assert expected in written.getvalue().decode()


def test_a_label_moves_no_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "e.jsonl"
    file.write_text('{"id": "a\\n\\u001b[2J", "exception_type": "MemoryError"}\n')

    assert classify(str(file)) == 0
    assert capsys.readouterr().out == "'a\\n\\x1b[2J'  MEMORY, CRITICAL, not transient  (memory/allocator)\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no such device here")  # noqa: PTH110 - as below
def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where all that was written still stands in the buffer at the end."""
    file = tmp_path / "e.jsonl"
    file.write_text("{}\n")
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123 - no path of a file
        monkeypatch.setattr(sys, "stdout", full)
        status = classify(str(file), "--json")
        monkeypatch.undo()
        with pytest.raises(OSError, match="No space left"):
            full.close()

    assert status == 2


def test_a_file_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert classify("/no/such/file.jsonl") == 2
    assert capsys.readouterr().err == "duenna classify: [Errno 2] No such file or directory: '/no/such/file.jsonl'\n"


@pytest.mark.parametrize(
    "given",
    [
        "ValueError: cannot read orders.jsonl",
        "ValueError:orders.jsonl",
        "cannot read orders.jsonl",
        "/data/a.jsonl: renamed to b.jsonl",
        "x: " + "y" * 5_000 + ".jsonl",
    ],
)
def test_a_text_that_ends_like_a_file_is_explained(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert classify(given) == 0
    assert "\n\nerror  " in capsys.readouterr().out


@pytest.mark.parametrize("name", ["orders.jsonl", "/no/such folder/e.jsonl", "./no such.jsonl", "~/no such.jsonl"])
def test_what_looks_like_a_path_is_one(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert classify(name) == 2
    assert capsys.readouterr().err == f"duenna classify: [Errno 2] No such file or directory: {name!r}\n"


def test_a_file_that_is_called_like_an_error_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ValueError: x y.jsonl"
    file.write_text('{"id": "a", "exception_type": "MemoryError"}\n')

    assert classify(str(file)) == 0
    assert capsys.readouterr().out.startswith("a  MEMORY")


@pytest.mark.parametrize("option", ["--cause", "--origin", "--status", "--code", "--sqlstate", "--errno"])
@pytest.mark.parametrize("file", [["e.jsonl"], ["-"], ["e.txt", "--json"]])
def test_a_file_takes_nothing_that_is_of_a_text(
    option: str, file: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its records say it themselves; nothing is read."""
    assert classify(*file, option, "404") == 2
    assert capsys.readouterr() == (
        "",
        f"duenna classify: {option} must be given with an error's text alone, got the file of records {file[0]!r}\n",
    )


def test_all_that_a_file_does_not_take_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Also what is 0 or empty."""
    assert classify("e.jsonl", "--all", "--retry-after", "0", "--origin", "", "--close-code", "1006") == 2
    assert capsys.readouterr().err.startswith(
        "duenna classify: --all, --origin, --close-code, --retry-after must be given with an error's text alone, "
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--status", "x"),
        ("--status", "-1"),
        ("--status", "99"),
        ("--status", "600"),
        ("--status", "9999"),
        ("--retry-after", "soon"),
        ("--retry-after", "-1"),
    ],
)
def test_a_wrong_option_is_refused(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        classify("X: y", option, value)

    assert caught.value.code == 2
    assert f"got {value!r}" in capsys.readouterr().err


@pytest.mark.parametrize("status", ["100", "599"])
def test_the_first_and_the_last_status_are_taken(status: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert classify("X: y", "--status", status) == 0
    assert f"status {status}\n" in capsys.readouterr().out


def test_own_rules_come_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(
        "- name: mine\n  texts: [my-engine busy]\n  category: EXCHANGE\n  severity: LOW\n  transient: true\n"
    )

    assert classify("X: my engine is busy", "--rules", str(file)) == 0
    assert capsys.readouterr().out.startswith("EXCHANGE, LOW, transient  (mine)\n")


def test_json_will_do(tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text('{"rules": [{"name": "a", "severity": "LOW"}]}')

    assert [rule.name for rule in read_rules(file)] == ["a"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.yaml", "- {name: a, severity: 5}", "rule 'a': severity must be one of LOW, MEDIUM, HIGH, CRITICAL, got 5"),
        ("r.txt", "", "a file of rules must end in .yaml, .yml or .json, got '.txt'"),
        ("r.yaml", "!!bool x", "must be YAML: KeyError: 'x'"),
        ("r.json", '[{"name": "a", "name": "b", "severity": "LOW"}]', "must have each key once, got 'name' twice"),
        (
            "r.json",
            "{",
            "must be JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        ),
        ("r.json", "[" * 100_000, "must not be nested so deep"),
        ("r.json", " " * 300_000, "must be at most 262144 bytes, got more"),
    ],
)
def test_a_wrong_file_of_rules_is_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    file = tmp_path / name
    file.write_text(content)

    with pytest.raises(RulesFileError) as caught:
        read_rules(file)

    assert str(caught.value) == f"{file}: {message}"


def test_without_the_extra_the_user_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("[]")
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.delitem(sys.modules, "duenna.faults._yaml", raising=False)
    monkeypatch.delattr(duenna.faults, "_yaml", raising=False)

    assert classify("X: y", "--rules", str(file)) == 1
    assert capsys.readouterr().err == 'duenna classify: rules in YAML need PyYAML: pip install "duenna[yaml]"\n'
