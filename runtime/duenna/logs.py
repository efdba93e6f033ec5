"""Human logs: one call sets up loguru so that nothing secret leaves, and everything arrives in one place.

Never done on import: a program that has its own loguru handlers keeps them. What loguru does by
itself is not safe for a bot (its default handler prints the values of local variables, API keys
among them), so lines are made here: the message and the exception's own text go through
`duenna.secrets.redact`, and of a traceback only places are shown.
"""

import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final, Self, TextIO

import attrs
from loguru import logger

from duenna._log_file import LogFile
from duenna._text import describe
from duenna.machines import checks
from duenna.records.escapes import visible
from duenna.secrets import HIDDEN, is_secret_name, redact

_OWNER = "logs"
_READ = 100_000
_SHOWN: Final = 10_000
_FRAMES: Final = 20
_CAUSES: Final = 5
_KNOWN = frozenset({"path", "incarnation", "event", "logger"})

Sink = Callable[[str], object]
"""Takes a line, its end included."""


@attrs.define(eq=False)
class Logs:
    """What `setup` did, to be undone: by ``undo`` or as a context manager.

    Attributes:
        file: Writes the log files; None: there are none.
        failed: Lines so far that could not be made, or that the sink did not take.
    """

    _sink: Sink
    file: LogFile | None = None
    failed: int = attrs.field(default=0, init=False)
    _handler: int = attrs.field(default=-1, init=False)
    _default: bool = attrs.field(default=False, init=False)
    _before: tuple[list[logging.Handler], int] | None = attrs.field(default=None, init=False)

    def write(self, message: Any) -> None:
        """Write one line; loguru calls it. Whatever goes wrong is counted: a log never stops a bot."""
        record = message.record
        try:
            text = line(record)
            try:
                self._sink(text)
            finally:
                if self.file is not None:
                    self.file.put(record["time"].timestamp(), text)
        except Exception:  # noqa: BLE001  # loguru would print the whole record instead, secrets and all
            self.failed += 1

    def undo(self) -> None:
        """Take everything back, and write what the log file has not got yet; does nothing the second time."""
        if _state.active is not self:
            return
        _state.active = None
        with suppress(ValueError):  # somebody removed all handlers
            logger.remove(self._handler)
        if self._default:
            _state.default = logger.add(sys.stderr)
        if self._before is not None:
            root = logging.getLogger()
            root.handlers[:], level = self._before
            root.setLevel(level)
        if self.file is not None:
            self.file.close()

    def start(self, level: str, *, intercept: bool) -> None:
        """Take the place of loguru's default handler, and of the root logger's."""
        with suppress(ValueError):  # it is gone already: the program has handlers of its own
            logger.remove(_state.default)
            self._default = True
        self._handler = logger.add(
            self.write, level=level, format="{message}", colorize=False, backtrace=False, diagnose=False
        )
        if intercept:
            root = logging.getLogger()
            self._before = list(root.handlers), root.level
            root.handlers[:] = [_Interceptor()]
            root.setLevel(min(logger.level(level).no, logging.CRITICAL))

    def __enter__(self) -> Self:
        """Use the logs in a ``with`` block that undoes them."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Undo."""
        self.undo()


@attrs.define(eq=False)
class _State:
    active: Logs | None = None
    default: int = 0  # the number of the handler that loguru begins with


_state = _State()


def setup(
    level: str = "INFO",
    *,
    sink: TextIO | Sink | None = None,
    directory: str | os.PathLike[str] | None = None,
    retention_days: int | None = None,
    intercept: bool = True,
) -> Logs:
    """Log to *sink*, one line each, without secrets; in the place of what an earlier call set up.

    Loguru's default handler is removed; handlers that the program added itself stay, and are not
    made any safer.

    Args:
        level: The least level that is shown.
        sink: A text file or a function that takes a line; None: standard error.
        directory: Base directory of log files as well, `logs/duenna-YYYY-MM-DD.log` by the day in
            UTC, written by a thread of their own; None: none.
        retention_days: Days that such a file is kept, by the date in its name, at least 1; None: for ever.
        intercept: Whether what goes to the root logger of `logging` comes here instead, whatever
            library it is of.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: There is no such level, or *retention_days* is less than 1.
    """
    write = _checked_sink(sys.stderr if sink is None else sink)
    _check_level(level)
    checks.flag(_OWNER, "intercept", intercept)
    days = None if retention_days is None else checks.count(_OWNER, "retention_days", retention_days, least=1)
    file = None if directory is None else LogFile(_checked_folder(directory) / "logs", days)
    if _state.active is not None:
        _state.active.undo()
    logs = _state.active = Logs(write, file)
    logs.start(level, intercept=intercept)
    return logs


def line(record: Any) -> str:
    """Return loguru's *record* as a line: time in UTC, level, who, message, what was bound, exception.

    Without secrets, and without characters that a terminal obeys; further lines are indented.
    """
    extra: dict[str, Any] = record["extra"]
    who = "" if "event" in extra else f"{extra.get('path') or extra.get('logger') or record['name']} "
    bound = ", ".join(f"{key}={_bound(key, value)}" for key, value in extra.items() if key not in _KNOWN)
    text = _clean(f"{who}{record['message']}" + (f" ({bound})" if bound else ""))
    error = record["exception"]
    if error is not None and error.value is not None:
        text += "\n" + _clean("\n".join(_trace(error.value)))
    time = record["time"].astimezone(UTC).replace(tzinfo=None).isoformat(" ", "milliseconds")
    return f"{time}Z {record['level'].name:<8} {visible(text)}\n"


def _bound(key: str, value: Any) -> Any:
    """Return what is shown of a bound *value*: of one under the name of a secret nothing, be it of several words."""
    return HIDDEN if is_secret_name(key) and value is not None else value


def _clean(text: str) -> str:
    """Return *text* bounded and without secrets; one that is cut in two by the first bound is cut off by the second."""
    text = redact(text[:_READ])
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _trace(error: BaseException) -> list[str]:
    """Return where *error* was raised, and its causes, each with the latest frames: places, no values, no source."""
    lines, seen = list[str](), set[int]()
    link: BaseException | None = error
    while link is not None and id(link) not in seen and len(seen) < _CAUSES:
        lines.append("caused by:" if seen else describe(link))
        seen.add(id(link))
        places = list[str]()
        trace = link.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            places.append(f'  File "{code.co_filename}", line {trace.tb_lineno}, in {code.co_name}')
            trace = trace.tb_next
        lines += places[-_FRAMES:]
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return lines


class _Interceptor(logging.Handler):
    """Hands records of `logging` to loguru, with the name of their logger bound as `logger`."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception as exc:  # noqa: BLE001  # placeholders and arguments do not match: not worth a crash
            given = repr(record.msg) if isinstance(record.msg, str) else type(record.msg).__name__
            text = f"{given} (not formatted: {type(exc).__name__})"
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:
            level = record.levelno
        error = record.exc_info[1] if record.exc_info else None
        # The text is a message, never a format string: what an exchange sent may hold braces.
        logger.bind(logger=record.name).opt(depth=_depth(), exception=error).log(level, text)


def _depth() -> int:
    """Return how many frames above `emit` the one is that called `logging`, for loguru to name."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001  # as loguru itself does
    depth = 1
    while frame is not None and frame.f_code.co_filename == logging.__file__:
        frame, depth = frame.f_back, depth + 1
    return depth


def _checked_sink(sink: Any) -> Sink:
    write: Sink = getattr(sink, "write", sink)
    given: object = write
    if not callable(given):
        raise TypeError(f"{_OWNER}: sink must be a text file or a function, got {sink!r}")
    return write


def _checked_folder(directory: Any) -> Path:
    if not isinstance(directory, str | os.PathLike):
        raise TypeError(f"{_OWNER}: directory must be a path, got {directory!r}")
    return Path(directory)  # pyright: ignore[reportUnknownArgumentType]


def _check_level(level: object) -> None:
    try:
        logger.level(level)  # type: ignore[call-overload]  # what is no text is refused here
    except (TypeError, ValueError):
        raise ValueError(f"{_OWNER}: level must be the name of a level of loguru, got {level!r}") from None
