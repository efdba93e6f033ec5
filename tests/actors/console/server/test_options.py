"""What `console(...)` refuses, before anything is started."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from duenna_actors.console import Limits, TokenFileError, console
from duenna_actors.console.server.options import checked_host

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "0123456789abcdef"  # noqa: S105


def test_the_defaults_are_a_unix_socket_and_no_port() -> None:
    child = console()

    assert child.name == "console"
    assert child.options.on_give_up == "park"
    assert child.options.restart == "permanent"
    assert child.options.drain <= 1.0


@pytest.mark.parametrize(
    ("options", "error", "why"),
    [
        ({"port": 65_536}, ValueError, r"console: port must be 0 \(any\) to 65535, got 65536"),
        ({"port": -1}, ValueError, r"console: port must be 0 \(any\) to 65535, got -1"),
        ({"port": "3000"}, TypeError, r"console: port must be a whole number or None, got '3000'"),
        ({"port": True}, TypeError, r"console: port must be a whole number or None, got True"),
        ({"socket": True}, TypeError, r"console: socket must be a path, None or False, got True"),
        ({"socket": False}, ValueError, r"console: socket=False needs a port=: there would be no way in"),
        (
            {"socket": "/" + "x" * 107},
            ValueError,
            r"console: the path of a Unix socket has at most 107 bytes, got 108: /x+",
        ),
        ({"host": None}, TypeError, r"console: host must be a name or an address, got None"),
        ({"hosts": "bot.lan"}, TypeError, r"console: hosts must be a list of names, got 'bot.lan'"),
        ({"hosts": [1]}, TypeError, r"console: each of hosts must be a name, got 1"),
        (
            {"hosts": ["bot.lan:80"]},
            ValueError,
            r"console: each of hosts must be a name or an address without a port, got 'bot.lan:80'",
        ),
        ({"heartbeat_every": 0.0}, ValueError, r"console: heartbeat_every must be > 0 seconds, got 0.0"),
        ({"heartbeat_url": "nonsense"}, ValueError, r"heartbeat_url.*"),
    ],
)
def test_what_is_wrong_is_named(options: dict[str, Any], error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=f"^{why}$"):
        console(**options)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "bot.lan", "localhost.", ""])  # noqa: S104
def test_what_others_reach_needs_tokens(tmp_path: Path, host: str) -> None:
    path = tmp_path / "tokens"
    rule = f"console: host={host!r} is reached from elsewhere and needs token_file= with tokens in it"

    with pytest.raises(ValueError, match="needs token_file= with tokens in it") as caught:
        console(host=host, port=3000)
    assert str(caught.value) == f"{rule}, got no token_file"
    with pytest.raises(ValueError, match="needs token_file= with tokens in it") as caught:
        console(host=host, port=3000, token_file=path)
    assert str(caught.value) == f"{rule}, got {path}, which does not exist"
    path.write_text("")
    path.chmod(0o600)
    with pytest.raises(TokenFileError, match="has no token"):
        console(host=host, port=3000, token_file=path)

    with pytest.raises(TokenFileError, match="cannot be read: File name too long"):
        console(host=host, port=3000, token_file="x" * 300)

    path.write_text(f"anna view {SECRET}\n")
    console(host=host, port=3000, token_file=path)
    console(host=host)  # it is not used


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_what_only_this_machine_reaches_needs_none(host: str) -> None:
    console(host=host, port=3000)


def test_an_address_may_have_the_brackets_of_a_url() -> None:
    assert [checked_host(each) for each in ("[::1]", "::1", "bot.lan", "")] == ["::1", "::1", "bot.lan", ""]


@pytest.mark.parametrize("limit", ["head", "body", "stall", "most_body", "connections", "ping", "farewell"])
def test_every_limit_is_greater_than_0(limit: str) -> None:
    options: dict[str, Any] = {limit: 0}
    with pytest.raises(ValueError, match=f"'{limit}' must be > 0: 0"):
        Limits(**options)


@pytest.mark.parametrize("missing", ["starlette", "hypercorn", "prometheus_client"])
def test_a_missing_library_is_named_with_its_extra(missing: str) -> None:
    program = (
        "import importlib.abc, sys\n"
        "class No(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name == {missing!r}: raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)\n"
        "sys.meta_path.insert(0, No())\n"
        "from duenna_actors.console import console\n"
        "try: console()\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603

    assert done.stdout == (
        'MissingExtraError console() needs an extra that is not installed: pip install "duenna[console]"\n'
    )


def test_importing_the_package_imports_no_web_library() -> None:
    program = (
        "import sys, duenna_actors.console\n"
        "print([name for name in ('starlette', 'hypercorn', 'h11', 'prometheus_client') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603

    assert done.stdout == "[]\n"
