"""pytest's side of `duenna.testing.world_test`: options, and a summary. Says nothing where there is no world test.

Every pytest run of whoever has duenna installed loads this module, so it imports nothing but the
standard library and pytest; it lies outside of the package `duenna` because that loads the runtime.
`pytest -p no:duenna_world` leaves it out; world tests then run with what their decorator says.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

__all__ = ["PROPERTY"]

PROPERTY = "duenna_world"
"""Name of the user property in which a world test says what it did: `passed N`, or `failed COMMAND`."""

_SEEDS, _SEED, _SHRINK = "world_seeds", "world_seed", "world_shrink"
_FAULTS, _TRACES = "world_faults", "world_traces"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; what they hold is checked in `pytest_configure`, which can say it in one line."""
    add = parser.getgroup("simulated worlds", "simulated worlds (duenna)").addoption
    add("--world-seeds", metavar="N", help="run every world test with the seeds 0 to N-1")
    add("--world-seed", metavar="K", help="run every world test with this one seed")
    add("--world-faults", metavar="FILE", help="let these faults strike (.json, .yaml), or none: `none`")
    add("--world-traces", metavar="FOLDER", help="where failing seeds leave traces and plans (default: pytest's cache)")
    add("--world-shrink", metavar="N", help="runs for shrinking a fault plan, 0 for leaving it as it is (default: 60)")
    add("--world-keep-going", action="store_true", help="run the other seeds after one has failed, too")


def pytest_configure(config: pytest.Config) -> None:
    """Check the options, and turn them into what they stand for."""
    option = config.option
    for name, least in ((_SEEDS, 1), (_SEED, None), (_SHRINK, 0)):
        setattr(option, name, _whole(name, getattr(option, name), least))
    if getattr(option, _SEEDS) is not None and getattr(option, _SEED) is not None:
        raise _usage_error("--world-seed and --world-seeds exclude each other")
    faults, traces = getattr(option, _FAULTS), getattr(option, _TRACES)
    if faults is not None and faults != "none" and not Path(faults).is_file():
        raise _usage_error(f"--world-faults must be a file or 'none', got {faults!r}")
    if traces is not None and (not traces or (Path(traces).exists() and not Path(traces).is_dir())):
        raise _usage_error(f"--world-traces must be a folder, got {traces!r}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many worlds passed, and repeat the command of each failing seed."""
    told = list(_told(terminalreporter))
    if not told:
        return
    passed = sum(int(rest) for word, rest in told if word == "passed")
    commands = [rest for word, rest in told if word == "failed"]
    if commands:
        terminalreporter.section("worlds that broke")
        for command in commands:
            terminalreporter.write_line(command)
    seeds = "1 seed" if passed == 1 else f"{passed} seeds"
    terminalreporter.write_line(f"simulated worlds: {seeds} passed, {len(commands)} failed")


def _told(reporter: pytest.TerminalReporter) -> Iterator[tuple[str, str]]:
    for reports in reporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                for name, value in report.user_properties:
                    if name == PROPERTY:
                        word, _, rest = str(value).partition(" ")
                        yield word, rest


def _whole(name: str, text: object, least: int | None) -> int | None:
    if text is None or isinstance(text, int):
        return text
    try:
        number = int(str(text))
    except ValueError:
        number = None
    if number is None or (least is not None and number < least):
        rule = "a whole number" if least is None else f"a whole number >= {least}"
        raise _usage_error(f"--{name.replace('_', '-')} must be {rule}, got {text!r}")
    return number


def _usage_error(text: str) -> Exception:
    import pytest  # noqa: PLC0415  # loaded already, whoever calls this

    return pytest.UsageError(text)
