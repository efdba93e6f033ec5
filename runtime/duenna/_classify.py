"""`duenna classify`: what an error means, and which rule says so."""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from duenna._rules_file import read_rules
from duenna.machines.classification import Facts
from duenna.machines.classifier import Classifier
from duenna.machines.error_records import facts_from_record, parse_link

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator

    from duenna.machines.classification import Link, Verdict
    from duenna.machines.classifier import Explanation, RuleOutcome

_DONE, _MISUSED = 0, 2
_MOST_COMPLAINTS = 100
_OF_A_TEXT = ("all", "cause", "origin", "status", "code", "sqlstate", "errno", "close_code", "retry_after")
_LONGEST_LINE = 64 * 1024 * 1024


def classify(arguments: argparse.Namespace) -> int:
    """Classify, tell it, and return the exit status."""
    try:
        classifier = Classifier(read_rules(arguments.rules) if arguments.rules else ())
        _write_anything(as_json=arguments.json)
        name: str = arguments.error
        status = _DONE
        if arguments.json or name == "-" or (name.endswith(".jsonl") and not _is_text(name)):
            _refuse_what_is_of_a_text(arguments)
            status = _file(classifier, name, as_json=arguments.json)
        else:
            _explain(classifier.explain(_facts(arguments)), everything=arguments.all)
        print(end="", flush=True)  # here, where a full disk is one line
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is flushed at exit
        return _DONE
    except (OSError, ValueError) as exc:
        print(f"duenna classify: {exc}", file=sys.stderr)
        return _MISUSED
    return status


def _is_text(name: str) -> bool:
    """Return whether *name*, which ends as a file's does, is an error's text: no file has it, and it looks like one."""
    if os.path.lexists(name):
        return False
    if ": " in name:
        return True
    is_path = PurePath(name).is_absolute() or name.startswith((".", "~"))  # also with a space in it, or a drive
    return not is_path and (":" in name or any(map(str.isspace, name)))


def _refuse_what_is_of_a_text(arguments: argparse.Namespace) -> None:
    given = [
        name for name in _OF_A_TEXT if getattr(arguments, name) is not None and getattr(arguments, name) is not False
    ]
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        message = f"{options} must be given with an error's text alone, got the file of records {arguments.error!r}"
        raise ValueError(message)


def _write_anything(*, as_json: bool) -> None:
    """Let the standard output take every character, whatever the terminal's are: JSON is UTF-8."""
    out: object = sys.stdout
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(encoding="utf-8" if as_json else None, errors="backslashreplace")


def _facts(arguments: argparse.Namespace) -> Facts:
    first = msgspec.structs.replace(
        parse_link(arguments.error),
        status=arguments.status,
        code=arguments.code,
        sqlstate=arguments.sqlstate,
        errno=arguments.errno,
        close_code=arguments.close_code,
        retry_after=arguments.retry_after,
    )
    return Facts(links=(first, *map(parse_link, arguments.cause or ())), origin=arguments.origin or "")


def _file(classifier: Classifier, name: str, *, as_json: bool) -> int:
    wrong = 0
    encode = msgspec.json.Encoder().encode
    with _opened(name) as file:
        for number, line in enumerate(_lines(file), 1):
            if line is not None and not line.strip():
                continue
            try:
                record = _record(line)
                verdict = classifier.classify(facts_from_record(record))
            except ValueError as exc:
                wrong += 1
                if wrong <= _MOST_COMPLAINTS:
                    print(f"duenna classify: {name}, line {number}: {exc}", file=sys.stderr)
                continue
            label = record.get("id", number)
            print(encode(_row(label, verdict)).decode() if as_json else f"{_label(label)}  {_told(verdict)}")
    if wrong > _MOST_COMPLAINTS:
        print(f"duenna classify: {name}: {wrong - _MOST_COMPLAINTS} more lines are wrong", file=sys.stderr)
    return _MISUSED if wrong else _DONE


@contextmanager
def _opened(name: str) -> Generator[BinaryIO]:
    """Open the file, or take the standard input and leave it open."""
    if name == "-":
        if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] - it is where it was closed
            message = "the standard input is closed"
            raise OSError(message)
        yield sys.stdin.buffer
        return
    with open(name, "rb") as file:  # noqa: PTH123 - the name as it was given stands in the messages
        yield file


def _lines(file: BinaryIO) -> Generator[bytes | None]:
    """Yield the lines, None for one that is longer than 64 MiB; that is passed over, not held."""
    while line := file.readline(_LONGEST_LINE):
        if len(line) < _LONGEST_LINE or line.endswith(b"\n"):
            yield line
            continue
        while len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
            line = file.readline(_LONGEST_LINE)
        yield None


def _record(line: bytes | None) -> dict[str, Any]:
    if line is None:
        message = f"a record must have at most {_LONGEST_LINE} bytes, got more"
        raise ValueError(message)
    try:
        record: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        message = f"a record must be JSON: {exc}"
        raise ValueError(message) from None
    if not isinstance(record, dict):
        message = "a record must be an object"
        raise ValueError(message)  # noqa: TRY004 - what a file says is no wrong use by the caller
    return record  # pyright: ignore[reportUnknownVariableType]


def _row(label: object, verdict: Verdict) -> dict[str, object]:
    return {
        "id": label,
        "category": verdict.category,
        "severity": verdict.severity,
        "transient": verdict.transient,
        "outcome_unknown": verdict.outcome_unknown,
        "retry_after": verdict.retry_after,
        "rule": verdict.rule,
    }


def _label(label: object) -> str:
    text = str(label)
    return text if text.isprintable() else repr(text)


def _told(verdict: Verdict) -> str:
    words = [verdict.category, verdict.severity, "transient" if verdict.transient else "not transient"]
    if verdict.outcome_unknown:
        words.append("outcome unknown")
    if verdict.retry_after is not None:
        words.append(f"retry after {verdict.retry_after:g} s")
    return f"{', '.join(words)}  ({verdict.rule})"


def _explain(explanation: Explanation, *, everything: bool) -> None:
    print(_told(explanation.verdict))
    print()
    for number, link in enumerate(explanation.facts.links):
        print(f"{'cause' if number else 'error'}  {_fields(link)}")
    if explanation.facts.origin:
        print(f"origin {explanation.facts.origin}")
    print()
    matched = [rule for rule in explanation.rules if rule.matched]
    for rule in explanation.rules if everything else matched:
        print(_line(rule))
    if not everything:
        print(f"{len(explanation.rules) - len(matched)} other rules did not match; --all shows them")


def _fields(link: Link) -> str:
    parts = [link.type]
    for name in ("status", "code", "sqlstate", "errno", "close_code", "retry_after"):
        value = getattr(link, name)
        if value is not None:
            parts.append(f"{name} {value}")
    return ", ".join(parts)


def _line(rule: RuleOutcome) -> str:
    if not rule.matched:
        return f"  no   {rule.name}: not {_short('; not '.join(rule.failed))}"
    why = "; ".join(map(_short, rule.held)) or "always"
    what = ", ".join(rule.decided) if rule.decided else "decides nothing that is open"
    return f"  yes  {rule.name}: {what}  [{why}]"


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}..."  # noqa: PLR2004 - a line on a screen
