"""Human logs: one line each without secrets, logging intercepted, and all of it undone again."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import pytest
from loguru import logger

from duenna import logs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Lines(list[str]):
    """What the sink got."""

    @property
    def only(self) -> str:
        """The one line, without its time and its end."""
        (line,) = self
        assert line[10] == " "
        assert line[23:25] == "Z "
        return line[25:-1]


@pytest.fixture(autouse=True)
def loguru_as_it_was() -> Iterator[None]:
    """Leave loguru with the one handler that it begins with."""
    yield
    if logs._state.active is not None:
        logs._state.active.undo()
    logger.remove()
    logs._state.default = logger.add(sys.stderr)


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Lines of a set-up that shows all levels."""
    found = Lines()
    with logs.setup("TRACE", sink=found.append):
        yield found


# -- lines -----------------------------------------------------------------------


def test_a_line_has_time_level_who_and_message(lines: Lines) -> None:
    logger.info("hello {}", "you")

    assert lines.only == f"INFO     {__name__} hello you"


@pytest.mark.parametrize(
    ("bound", "line"),
    [
        ({"path": "/bot/api", "incarnation": 2}, "WARNING  /bot/api slow"),
        ({"path": "/bot/api", "event": "ChildParked"}, "WARNING  slow"),  # an event's text has its path already
        ({"path": "/bot/api", "symbol": "BTC", "n": 3}, "WARNING  /bot/api slow (symbol=BTC, n=3)"),
    ],
)
def test_who_is_the_actor_and_what_else_was_bound_follows(lines: Lines, bound: dict[str, Any], line: str) -> None:
    logger.bind(**bound).warning("slow")

    assert lines.only == line


@pytest.mark.parametrize("secret", ["open sesame please", b"hunter2", 12])
def test_what_is_bound_under_the_name_of_a_secret_is_not_shown(lines: Lines, secret: object) -> None:
    logger.bind(password=secret, api_key=None).info("hello")

    assert lines.only == f"INFO     {__name__} hello (password=***, api_key=None)"


def test_an_exception_is_shown_by_places_and_without_values(lines: Lines) -> None:
    api_key = "AKIAVERYSECRET"  # a local that loguru's own traceback would print
    try:
        try:
            raise OSError(f"refused, api_key={api_key}")  # noqa: TRY301 - where it is raised is what is shown
        except OSError as exc:
            raise ValueError("no price") from exc
    except ValueError:
        logger.exception("poll failed, token=abc123def456")

    (text,) = lines
    assert "AKIAVERYSECRET" not in text
    assert "abc123def456" not in text
    assert "ValueError: no price <- OSError: refused, api_key=***" in text
    assert text.count(f'    File "{__file__}", line ') == 2
    assert "\n    caused by:\n" in text
    assert "raise " not in text


def test_secrets_that_were_bound_are_redacted(lines: Lines) -> None:
    logger.bind(headers="authorization: Basic8734982374").info("sent")

    assert "Basic8734982374" not in lines.only


def test_a_message_cannot_forge_a_line(lines: Lines) -> None:
    """What an exchange sends is text: no line of its own, no command for the terminal, no placeholder."""
    logger.info("first\n2026-01-01 CRITICAL forged \x1b[2J {curly} <red>")

    (text,) = lines
    assert text.endswith("first\n    2026-01-01 CRITICAL forged \\x1b[2J {curly} <red>\n")


def test_a_long_message_is_cut(lines: Lines) -> None:
    logger.info("x" * 5_000_000)

    assert len(lines.only) < 10_100
    assert lines.only.endswith("...")


class RudeError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def cyclic() -> Exception:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    return one


@pytest.mark.parametrize(
    "error",
    [RudeError(), ValueError(), cyclic(), ExceptionGroup("many", [ValueError(n) for n in range(1000)])],
    ids=["rude", "empty", "cyclic", "group"],
)
def test_an_exception_of_any_kind_is_a_line(lines: Lines, error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    logger.opt(exception=error).error("failed")

    assert type(error).__name__ in lines.only
    assert capsys.readouterr().err == ""


def test_a_sink_that_fails_costs_no_more_than_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Loguru would print the record with the message as it was, secrets and all."""

    def broken(_: str) -> None:
        raise OSError("no terminal")

    with logs.setup(sink=broken) as told:
        logger.error("password=hunter2hunter2")

        assert told.failed == 1
    assert capsys.readouterr().err == ""


# -- logging ---------------------------------------------------------------------


def test_what_libraries_log_arrives_with_their_logger_s_name(lines: Lines) -> None:
    logging.getLogger("httpx").warning("GET %s", "https://x.test/?signature=deadbeefdeadbeef&n={1}")

    assert lines.only == "WARNING  httpx GET https://x.test/?signature=***&n={1}"


def test_levels_and_exceptions_of_logging_are_kept(lines: Lines) -> None:
    log = logging.getLogger("library")
    log.log(25, "a level of its own")
    log.error("failed", exc_info=KeyError("x"))
    log.error("no exception at all", exc_info=True)  # noqa: LOG014 - libraries do

    assert [line[25:].split()[0] for line in lines] == ["Level", "ERROR", "ERROR"]
    assert "KeyError: 'x'" in lines[1]
    assert lines[2].endswith("library no exception at all\n")


@pytest.mark.parametrize(
    ("message", "text"),
    [("%d items", "'%d items' (not formatted: TypeError)"), (RudeError(), "RudeError (not formatted: RuntimeError)")],
)
def test_wrong_arguments_of_a_library_are_no_crash(lines: Lines, message: object, text: str) -> None:
    """Handed over directly: pytest's own handlers would raise."""
    (interceptor,) = (each for each in logging.getLogger().handlers if isinstance(each, logs._Interceptor))

    interceptor.handle(
        logging.makeLogRecord({"name": "library", "msg": message, "args": ("many",), "levelname": "INFO"})
    )

    assert lines.only == f"INFO     library {text}"


def test_other_sinks_see_who_called_logging(lines: Lines) -> None:
    callers: list[str] = []
    number = logger.add(lambda message: callers.append(message.record["function"]))

    logging.getLogger("library").error("no")
    logging.error("no")  # noqa: LOG015  # what scripts do
    logger.remove(number)

    assert callers == ["test_other_sinks_see_who_called_logging"] * 2


def test_logging_can_be_left_alone() -> None:
    before = list(logging.getLogger().handlers)

    with logs.setup(sink=Lines().append, intercept=False):
        assert logging.getLogger().handlers == before


# -- setting up and undoing ------------------------------------------------------


def test_a_level_hides_what_is_below_it() -> None:
    found = Lines()

    with logs.setup("WARNING", sink=found.append):
        logger.info("hidden")
        logging.getLogger("library").info("hidden")
        logger.warning("shown")

    assert len(found) == 1


def test_setting_up_twice_is_setting_up_once() -> None:
    first, second = Lines(), Lines()
    before = list(logging.getLogger().handlers)

    logs.setup(sink=first.append)
    told = logs.setup(sink=second.append)
    logger.info("once")
    told.undo()

    assert (len(first), len(second)) == (0, 1)
    assert logging.getLogger().handlers == before


def test_undoing_restores_what_was_there(capsys: pytest.CaptureFixture[str]) -> None:
    """Also the handler that loguru begins with; twice is no more than once."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    found = Lines()
    told = logs.setup("DEBUG", sink=found.append)
    assert root.handlers != before[0]

    told.undo()
    told.undo()
    logger.info("to standard error")

    assert (list(root.handlers), root.level) == before
    assert found == []
    assert capsys.readouterr().err.count("to standard error") == 1
    with logs.setup(sink=found.append):
        logger.info("and back")
    assert len(found) == 1
    assert capsys.readouterr().err == ""


def test_handlers_of_the_program_stay() -> None:
    own: list[str] = []
    logger.remove()
    logger.add(own.append, format="{message}")

    with logs.setup(sink=Lines().append):
        logger.info("one")
    logger.info("two")

    assert own == ["one\n", "two\n"]


def test_undoing_when_all_handlers_are_gone_does_nothing() -> None:
    told = logs.setup(sink=Lines().append)
    logger.remove()

    told.undo()


def test_a_text_file_is_a_sink(capsys: pytest.CaptureFixture[str]) -> None:
    with logs.setup(sink=sys.stdout):
        logger.info("out")
    with logs.setup():
        logger.info("err")

    captured = capsys.readouterr()
    assert captured.out.endswith("out\n")
    assert captured.err.endswith("err\n")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"level": "LOUD"}, ValueError, "logs: level must be the name of a level of loguru, got 'LOUD'"),
        ({"level": 10}, ValueError, "logs: level must be the name of a level of loguru, got 10"),
        ({"sink": 3}, TypeError, "logs: sink must be a text file or a function, got 3"),
        ({"directory": 3}, TypeError, "logs: directory must be a path, got 3"),
        ({"retention_days": 0}, ValueError, "logs: retention_days must be >= 1, got 0"),
        ({"intercept": 1}, TypeError, "logs: intercept must be True or False, got 1"),
    ],
)
def test_wrong_arguments_are_refused_and_change_nothing(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    found = Lines()
    with logs.setup(sink=found.append):
        with pytest.raises(error) as caught:
            logs.setup(**arguments)
        logger.info("still here")

    assert str(caught.value) == message
    assert len(found) == 1


# -- files -----------------------------------------------------------------------


def test_lines_are_in_a_file_too(tmp_path: Path) -> None:
    found = Lines()

    with logs.setup(sink=found.append, directory=tmp_path):
        for number in range(100):
            logger.info(number)

    (file,) = (tmp_path / "logs").iterdir()
    assert file.name == f"duenna-{found[0][:10]}.log"
    assert file.read_text() == "".join(found)


def test_no_file_is_made_for_nothing(tmp_path: Path) -> None:
    with logs.setup(sink=Lines().append, directory=tmp_path):
        pass

    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_nothing_costs_the_lines_alone(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()

    with logs.setup(sink=Lines().append, directory=tmp_path) as told:
        logger.info("one")
        logger.info("two")

    assert told.file is not None
    assert told.file.lost == 2
    assert told.file.error.startswith("[Errno 20] Not a directory")
