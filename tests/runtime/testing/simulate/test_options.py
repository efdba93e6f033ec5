"""The command line of `duenna simulate`: what is understood, and what is refused in one line."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from duenna.testing.simulate_cli import OptionError, Options, add_options, read_options

if TYPE_CHECKING:
    from pathlib import Path


def read(*arguments: str) -> Options:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return read_options(parser.parse_args(["bot.py", *arguments]))


def test_an_hour_of_seed_0_under_drawn_faults_is_what_nobody_asked_otherwise() -> None:
    options = read()

    assert (options.file, options.seconds, options.seed, options.seeds) == ("bot.py", 3600.0, 0, None)
    assert (options.faults, options.trace) == ("default", None)


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [
        (["--seconds", "90"], 90.0),
        (["--minutes", "1.5"], 90.0),
        (["--hours", "2"], 7200.0),
        (["--days", "30"], 30 * 86_400.0),
    ],
)
def test_time_is_given_in_any_unit(arguments: list[str], seconds: float) -> None:
    assert read(*arguments).seconds == seconds


def test_seeds_and_jobs_are_numbers() -> None:
    options = read("--seed", "-3", "--seeds", "10", "--jobs", "4")

    assert (options.seed, options.seeds, options.jobs) == (-3, 10, 4)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--days", "0"], "--days must be a number > 0 and at most ten years, got '0'"),
        (["--hours", "x"], "--hours must be a number > 0 and at most ten years, got 'x'"),
        (["--seconds", "inf"], "--seconds must be a number > 0 and at most ten years, got 'inf'"),
        (["--minutes", "nan"], "--minutes must be a number > 0 and at most ten years, got 'nan'"),
        (
            ["--days", "1", "--hours", "2"],
            "one of --seconds, --minutes, --hours and --days may be given, got --hours and --days",
        ),
        (["--seed", "x"], "--seed must be a whole number, got 'x'"),
        (["--seeds", "0"], "--seeds must be a whole number >= 1, got '0'"),
        (["--seeds", "2", "--jobs", "0"], "--jobs must be a whole number >= 1, got '0'"),
        (["--jobs", "2"], "--jobs must be given with --seeds: one seed runs in one process"),
        (["--seeds", "2", "--trace", "t"], "--trace must be given without --seeds: it writes the trace of one run"),
        (["--trace", "."], "--trace must be a file, got '.', which is a folder"),
        (["--trace", ""], "--trace must be a file, got ''"),
        (["--trace", "no/where/t"], "--trace must be in a folder that exists, got 'no/where/t'"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], line: str) -> None:
    with pytest.raises(OptionError) as caught:
        read(*arguments)

    assert str(caught.value) == line


def test_the_trace_goes_where_it_is_asked_for(tmp_path: Path) -> None:
    assert read("--trace", str(tmp_path / "t.jsonl")).trace == tmp_path / "t.jsonl"
