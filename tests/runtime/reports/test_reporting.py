"""A report is made of any error, is bounded, and keeps nothing of the error alive."""

from __future__ import annotations

import gc
import weakref
from typing import Any, NoReturn

import pytest

from duenna import _frames
from duenna._reporting import make_report
from duenna._text import describe
from duenna.error_events import ErrorReport, Source
from duenna.machines.classification import Category, Facts, Link, Severity, Verdict


class OddError(Exception):
    """An error that takes no attributes."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise RuntimeError(f"no {name}")


class BadMapping(dict[str, Any]):
    """A context that cannot be read."""

    def items(self) -> NoReturn:
        raise RuntimeError("no items")


class BadText:
    """A value without a text."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


def report_of(error: BaseException, number: int = 1, **options: Any) -> ErrorReport:
    """Return the report of *error*, made at a fixed time."""
    return make_report(error, id=number, time=5.0, at=1000.0, **options)


def inner(depth: int) -> None:
    """Fail, so many calls deep."""
    if depth:
        inner(depth - 1)
    raise ValueError("deep")


def caught(depth: int = 0) -> ValueError:
    """Return what `inner` raises."""
    try:
        inner(depth)
    except ValueError as error:
        return error
    raise AssertionError("nothing was raised")


def test_a_report_says_who_what_and_when() -> None:
    verdict = Verdict(category=Category.NETWORK, severity=Severity.LOW, transient=True)

    report = report_of(
        TimeoutError("too slow"),
        7,
        path="/bot/api",
        incarnation=3,
        kind="api",
        source=Source.GUARD,
        service="binance",
        operation="fetch",
        label="slow",
        retry_count=2,
        context={"symbol": "BTCUSDT"},
        verdict=verdict,
    )

    assert report == ErrorReport(
        id=7,
        time=5.0,
        at=1000.0,
        path="/bot/api",
        incarnation=3,
        kind="api",
        source=Source.GUARD,
        error_type="TimeoutError",
        message="TimeoutError: too slow",
        facts=Facts(links=(Link(type="TimeoutError", message="too slow", bases=("OSError",)),), origin="rest"),
        service="binance",
        operation="fetch",
        label="slow",
        retry_count=2,
        context={"symbol": "BTCUSDT"},
        verdict=verdict,
    )


def test_the_service_is_the_path_unless_it_has_a_name() -> None:
    assert report_of(ValueError(), path="/bot/api").service == "/bot/api"


def test_facts_that_have_been_made_are_taken() -> None:
    facts = Facts(links=(Link(type="x.Y"),), origin="order")

    assert report_of(ValueError("x"), facts=facts).facts is facts


def test_the_message_is_the_description() -> None:
    error = ValueError("a\n  b")
    assert report_of(error).message == describe(error) == "ValueError: a b"
    assert report_of(ValueError()).message == describe(ValueError()) == "ValueError"
    long = ValueError("x" * 499)
    assert report_of(long).message == describe(long)
    assert len(describe(long)) == 500
    group = ExceptionGroup("all", [KeyError("x"), error])
    assert report_of(group).message == "ExceptionGroup: all (2 sub-exceptions): KeyError: 'x'; ValueError: a b"
    error.__cause__ = OSError("c")
    assert report_of(error).message == "ValueError: a b <- OSError: c"


def test_frames_are_outermost_first_without_source() -> None:
    error = caught(2)
    report = report_of(error)

    assert report.function == "inner"
    assert [frame.rpartition(", in ")[2] for frame in report.frames] == ["caught", "inner", "inner", "inner"]
    assert error.__traceback__ is not None
    assert report.frames[0] == f'File "{__file__}", line {error.__traceback__.tb_lineno}, in caught'


def test_the_last_fifty_frames_are_kept() -> None:
    report = report_of(caught(300))

    assert len(report.frames) == 50
    assert all(frame.endswith("in inner") for frame in report.frames)


def test_the_frames_of_a_group_are_followed_by_those_of_its_first_member() -> None:
    def fail() -> None:
        raise ExceptionGroup("all", [caught(), KeyError("x")])

    with pytest.raises(ExceptionGroup) as error:
        fail()
    report = report_of(error.value)

    assert [frame.rpartition(", in ")[2].rpartition(".")[2] for frame in report.frames][-3:] == [
        *["fail", "caught", "inner"]
    ]
    assert report.function == "inner"


def test_an_error_that_was_not_raised_has_no_frames() -> None:
    assert (report_of(ValueError()).frames, report_of(ValueError()).function) == ((), "")


def test_lines_of_frames_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_frames, "_MOST_KNOWN", 1)
    monkeypatch.setattr(_frames, "_known", {("file", 1, "function"): "another line"})

    assert len(report_of(caught(3)).frames) == 5
    assert len(_frames._known) == 1


def test_nothing_of_the_error_is_kept_alive() -> None:
    class HeldError(Exception):
        pass

    class Local:
        pass

    local: Local | None = Local()
    held: HeldError | None = None
    try:
        raise HeldError("x")  # noqa: TRY301  # so that this frame, which holds `local`, is in its traceback
    except HeldError as exc:
        held = exc
    report = report_of(held, context={"local": local, "error": held})
    gone = weakref.ref(held), weakref.ref(local)
    held = local = None
    gc.collect()

    assert [one() for one in gone] == [None, None]
    assert report.message.endswith("HeldError: x")


def test_an_error_that_is_reported_again_names_its_first_report() -> None:
    error = ValueError("x")

    reporters = ["/bot/guard", "/bot/a", "/bot"]

    assert [report_of(error, number, path=path).repeats for number, path in enumerate(reporters, 4)] == [None, 4, 4]


def test_an_object_that_one_reporter_meets_again_was_raised_again() -> None:
    """A module may keep one error and raise it each time; that each is one error must not be lost."""
    error = ValueError("x")

    found = [report_of(error, number, path=path).repeats for number, path in enumerate(["/a", "/b", "/a", "/b"], 1)]

    assert found == [None, 1, None, 3]


def test_reporters_of_one_error_are_bounded() -> None:
    error = ValueError("x")
    found = {report_of(error, number, path=f"/{number}").repeats for number in range(2, 1_000)}

    assert found == {None, 2}
    assert len(vars(error)["__duenna_report__"].reporters) == 32


def test_an_error_that_takes_no_attributes_is_a_new_one_each_time() -> None:
    error = OddError("x")

    assert [report_of(error, number).repeats for number in (1, 2)] == [None, None]


def test_an_error_that_answers_to_any_name_is_no_repetition() -> None:
    class MockError(Exception):
        def __getattr__(self, name: str) -> int:
            return 5

    assert report_of(MockError()).repeats is None


def test_the_context_is_bounded() -> None:
    context = {f"key{number}": "x" * 10_000 for number in range(200)}
    report = report_of(ValueError(), context={"k" * 1000: "v", "list": list(range(100_000)), **context})

    assert len(report.context) == 50
    assert max(map(len, report.context)) == 100
    assert max(map(len, report.context.values())) == 500


def test_whatever_is_wrong_with_the_context_there_is_a_report() -> None:
    odd: dict[Any, Any] = {5: None, "bad": BadText(), "worse": [BadText()], "token": None, "error": KeyError("x")}

    said = report_of(ValueError(), context=odd).context

    assert said.pop("worse").startswith("[<BadText instance at ")
    assert said == {
        "5": "None",
        "bad": "<its __str__ raised ValueError>",
        "token": "None",
        "error": "KeyError: 'x'",
    }
    assert report_of(ValueError(), context=BadMapping(a=1)).context == {"context": "<it raised RuntimeError>"}


def test_names_that_the_caller_gives_are_bounded_and_clean() -> None:
    report = report_of(ValueError(), service="x" * 1000, operation="password=hunter2", label="y" * 1000)

    assert (len(report.service), report.operation, len(report.label)) == (500, "password=***", 500)
