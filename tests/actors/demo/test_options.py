"""The demo's command line."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from duenna_actors.demo.options import OptionError, Options, add_options, read_options

if TYPE_CHECKING:
    from pathlib import Path


def read(*arguments: str) -> Options:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return read_options(parser.parse_args(arguments))


def test_the_defaults() -> None:
    assert read() == Options(
        seconds=60,
        seed=1,
        has_faults=True,
        rest="",
        streams="",
        symbols=("BTCUSDT", "ETHUSDT"),
        database=None,
        is_quiet=False,
    )


def test_all_of_them(tmp_path: Path) -> None:
    given = read(
        *("--seconds", "1.5", "--seed", "-3", "--no-faults", "--symbols", "solusdt, XRPUSDT", "--quiet"),
        *("--database", str(tmp_path / "x.db"), "--url", "https://a.example/", "--url", "wss://b.example:1"),
    )

    assert given == Options(
        seconds=1.5,
        seed=-3,
        has_faults=False,
        rest="https://a.example",
        streams="wss://b.example:1",
        symbols=("SOLUSDT", "XRPUSDT"),
        database=tmp_path / "x.db",
        is_quiet=True,
    )


def test_a_virtual_run_lasts_hours_unless_told_otherwise(tmp_path: Path) -> None:
    assert (read("--virtual").seconds, read("--virtual").is_virtual) == (86_400.0, True)
    assert read("--virtual", "--hours", "0.5").seconds == 1_800.0
    assert read("--virtual", "--seconds", "90000").seconds == 90_000.0
    assert read("--virtual", "--trace", str(tmp_path / "x")).trace == tmp_path / "x"


def test_a_demo_that_is_watched_lasts_longer_unless_told_otherwise() -> None:
    assert (read().console, read("--console").console, read("--console", "0").console) == (None, 3000, 0)
    assert (read("--console").seconds, read("--console", "--seconds", "5").seconds) == (600.0, 5.0)


@pytest.mark.parametrize(
    ("rest", "streams"),
    [
        ("https://fapi.binance.com", "wss://fstream.binance.com"),
        ("http://127.0.0.1:8070", "ws://127.0.0.1:8070"),
        ("http://[::1]:8070", "ws://[::1]:8070"),
    ],
)
def test_the_websockets_are_found_from_the_other_address(rest: str, streams: str) -> None:
    given = read("--url", rest)

    assert (given.rest, given.streams, given.has_faults) == (rest, streams, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seconds", "0"], "--seconds must be a number > 0 and <= 86400, got '0'"),
        (["--seconds", "nan"], "--seconds must be a number > 0 and <= 86400, got 'nan'"),
        (["--seconds", "soon"], "--seconds must be a number > 0 and <= 86400, got 'soon'"),
        (["--seconds", "86401"], "--seconds must be a number > 0 and <= 86400, got '86401'"),
        (["--seed", "1.5"], "--seed must be a whole number, got '1.5'"),
        (["--hours", "1"], "--hours must come with --virtual, got it alone"),
        (["--trace", "x"], "--trace must come with --virtual, got it alone"),
        (["--virtual", "--hours", "0"], "--hours must be a number > 0 and <= 744, got '0'"),
        (["--virtual", "--hours", "745"], "--hours must be a number > 0 and <= 744, got '745'"),
        (["--virtual", "--hours", ""], "--hours must be a number > 0 and <= 744, got ''"),
        (["--virtual", "--hours", "1", "--seconds", "1"], "--hours must be left out with --seconds, got both"),
        (["--virtual", "--url", "http://a"], "--url must be left out with --virtual, which reaches no real exchange"),
        (["--virtual", "--database", "x"], "--database must be left out with --virtual, which throws its disk away"),
        (["--virtual", "--console"], "--console must be left out with --virtual, which is over before one could look"),
        (["--console", "65536"], "--console must be a port from 0 to 65535, got '65536'"),
        (["--console", "-1"], "--console must be a port from 0 to 65535, got '-1'"),
        (["--virtual", "--trace", "/no/such/x"], "--trace must be in a folder that exists, got '/no/such/x'"),
        (["--symbols", "BTC"], "--symbols must be contracts that end in USDT, by comma, got 'BTC' in 'BTC'"),
        (["--symbols", "AUSDT,ausdt"], "--symbols must differ, got 'AUSDT,ausdt'"),
        (["--symbols", ",".join(f"A{n}USDT" for n in range(21))], "--symbols must be 20 at most, got 21"),
        (["--url", "x"], "--url must be http://HOST, https://HOST, ws://HOST or wss://HOST, got 'x'"),
        (["--url", "http://a:x"], "--url must be http://HOST, https://HOST, ws://HOST or wss://HOST, got 'http://a:x'"),
        (["--url", "http://a/b"], "--url must be http://HOST, https://HOST, ws://HOST or wss://HOST, got 'http://a/b'"),
        (["--url", "ws://a"], "--url must be given with http:// or https:// too, got only 'ws://a'"),
        (
            ["--url", "http://a", "--url", "https://b"],
            "--url must be given once for REST and once for websockets, got http://a and https://b",
        ),
        (["--database", "/"], "--database must be a file, got '/', which is a folder"),
        (["--database", ""], "--database must be a file, got ''"),
        (["--database", "/no/such/x"], "--database must be in a folder that exists, got '/no/such/x'"),
    ],
)
def test_a_wrong_one_is_refused_in_one_line(arguments: list[str], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        read(*arguments)

    assert str(caught.value) == message
