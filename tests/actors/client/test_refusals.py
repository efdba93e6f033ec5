"""What a script is told when it does not work: one line, and an exit status of its own for each kind of reason."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from duenna_actors.client import NoBotError, find
from tests.actors.client.support import Bot, run

if TYPE_CHECKING:
    from pathlib import Path

VERBS = [
    ("tree",),
    ("status",),
    ("health",),
    ("errors",),
    ("events", "-f"),
    ("logs",),
    ("restart", "/bot/worker", "--yes"),
    ("stop", "worker", "--yes"),
    ("breaker",),
    ("stack", "/bot/worker"),
    ("alerts",),
    ("silence",),
    ("incident",),
    ("export",),
    ("console",),
]


def one_line(text: str) -> str:
    assert text.count("\n") == 1, text
    assert text.endswith("\n")
    return text.removesuffix("\n")


@pytest.mark.parametrize("arguments", VERBS, ids=" ".join)
def test_no_bot_is_3_and_says_where_it_looked(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*arguments, DUENNA_RUN_DIR=str(tmp_path))

    assert (done.returncode, done.stdout) == (3, "")
    where = f"looked for *.json in {tmp_path}, and for DUENNA_SOCKET and DUENNA_URL"
    hint = "is the bot running, with console() in system=[...]?"
    assert one_line(done.stderr) == f"duenna {arguments[0]}: no bot answers: {where}; {hint}"


def test_a_stale_socket_is_3_and_names_who_left_it(tmp_path: Path) -> None:
    path = tmp_path / "old.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    leave_word(tmp_path, "old", socket=str(path), pid=4711)

    done = run("tree", DUENNA_RUN_DIR=str(tmp_path))
    named = run("tree", "--socket", str(path), DUENNA_RUN_DIR=str(tmp_path))

    assert (done.returncode, named.returncode) == (3, 3)
    assert "no bot answers: old (process 4711) left word in" in one_line(done.stderr)
    assert f"no bot answers at old ({path}): Connection refused" in one_line(named.stderr)


def test_nobody_at_an_address_is_3() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        done = run("tree", "--url", f"http://127.0.0.1:{taken.getsockname()[1]}")

    assert done.returncode == 3
    assert "Connection refused" in one_line(done.stderr)


def test_a_folder_that_others_may_write_to_is_not_believed(tmp_path: Path, ill: Bot) -> None:
    """Another user could name his own socket in there, and be sent our token."""
    leave_word(tmp_path, "ill", **ill.discovery)
    tmp_path.chmod(0o777)

    assert run("tree", DUENNA_RUN_DIR=str(tmp_path)).returncode == 3


def test_of_several_bots_one_must_be_named(tmp_path: Path, ill: Bot, well: Bot) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    for bot in (ill, well):
        leave_word(folder, bot.name, **bot.discovery)
    leave_word(folder, "dead", socket=str(folder / "dead.sock"), pid=4711)

    several = run("health", DUENNA_RUN_DIR=str(folder))

    assert several.returncode == 2
    assert one_line(several.stderr) == "duenna health: 2 bots are running, say which with --bot: ill, well"
    assert run("health", "--bot", "well", DUENNA_RUN_DIR=str(folder)).returncode == 0
    assert run("health", "--bot", "dead", DUENNA_RUN_DIR=str(folder)).returncode == 3
    assert run("health", "--bot", "wrong", DUENNA_RUN_DIR=str(folder)).returncode == 3


def test_a_wrong_token_is_4(ill: Bot) -> None:
    for arguments in (("tree",), ("restart", "worker", "--yes"), ("events", "-f")):
        done = ill.run(*arguments, "--token", "wrong")

        assert (done.returncode, done.stdout) == (4, "")
        assert "token" in one_line(done.stderr)
        assert "wrong" not in done.stderr.partition(":")[0]


def test_the_token_to_view_shows_and_does_not_act(ill: Bot) -> None:
    view = ill.token("view")

    refused = ill.run("restart", "worker", "--yes", "--token", view)

    assert ill.run("tree", "--token", view).returncode == 0
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "operate" in one_line(refused.stderr)
    assert view not in refused.stderr


def test_the_token_comes_from_the_option_or_the_environment_or_the_bot(ill: Bot, tmp_path: Path) -> None:
    url, token = ill.discovery["url"], ill.token("view")
    alone, lines = tmp_path / "alone", tmp_path / "lines"
    alone.write_text(f"{token}\n")
    lines.write_text(f"# a comment\nme view {token}\n")

    assert run("health", "--url", url).returncode == 4
    assert run("health", "--url", url, DUENNA_TOKEN=token).returncode == 1
    assert run("health", DUENNA_URL=url, DUENNA_TOKEN=token).returncode == 1
    assert run("health", "--url", url, "--token-file", str(alone)).returncode == 1
    assert run("health", "--url", url, "--token-file", str(lines)).returncode == 1
    assert run("health", DUENNA_SOCKET=ill.socket).returncode == 1
    assert ill.run("health", "--url", url).returncode == 1


def test_the_address_that_console_prints_is_one(ill: Bot) -> None:
    """With its token, which an error does not repeat."""
    url = ill.run("console").stdout.splitlines()[0]

    assert run("health", "--url", url).returncode == 1
    assert run("health", "--url", f"{url}x").returncode == 4
    assert run("health", DUENNA_URL=url).returncode == 1
    nobody = run("health", "--url", "http://127.0.0.1:1/#token=secret")
    assert (nobody.returncode, "secret" in nobody.stderr) == (3, False)


def test_the_token_does_not_go_to_whoever_has_the_port_of_a_bot_that_is_gone(tmp_path: Path) -> None:
    """A socket lies in a folder of ours, but a port is anybody's once its bot has died."""
    tokens = tmp_path / "old.tokens"
    tokens.write_text("operate operate secret\n")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        url = f"http://127.0.0.1:{other.getsockname()[1]}"
        leave_word(tmp_path, "old", url=url, token_file=str(tokens), pid=gone.pid)
        env = {"DUENNA_RUN_DIR": str(tmp_path)}
        with pytest.raises(NoBotError, match=r"no bot answers: old \(process"):
            find(env=env)
        assert find(url=url, env=env).token is None

        leave_word(tmp_path, "old", url=url, token_file=str(tokens), pid=os.getpid())
        assert (find(env=env).token, find(url=url, env=env).token) == ("secret", "secret")


def test_wrong_use_is_2(ill: Bot, tmp_path: Path) -> None:
    for arguments, words in (
        (("tree", "--token-file", str(tmp_path / "none")), "the file of tokens"),
        (("tree", "--url", "ftp://there"), "must be like http://127.0.0.1:3000"),
        (("tree", "--url", f"http://{'x' * 80}:3000"), "must have the name of a host"),
        (("tree", "nobody"), "no actor has the name 'nobody'; there are"),
        (("stack", "btc"), "'btc' means 2 actors, say which: /ill/feeds/btc, /ill/pairs/btc"),
        (("restart", "worker"), "nobody can be asked here, so it needs --yes"),
        (("breaker", "reset"), "needs the NAME of a breaker"),
        (("silence", "add"), "needs at least one MATCHER"),
        (("incident", "show"), "needs a FILE"),
        (("incident", "show", "/dev/null"), "/dev/null"),
    ):
        done = ill.run(*arguments)

        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert words in one_line(done.stderr)


def test_wrong_options_are_2(ill: Bot) -> None:
    for arguments in (
        ("tree", "--nope"),
        ("errors", "--since", "soon"),
        ("events", "-n", "0"),
        ("restart",),
        ("console", "--port", "65536"),
    ):
        assert ill.run(*arguments).returncode == 2


def test_what_the_bot_refuses_is_5_in_its_own_words(ill: Bot, well: Bot) -> None:
    for bot, arguments, words in (
        (ill, ("tree", "/nope"), "/nope"),
        (ill, ("stack", "/ill/\x1b[2J"), "\\x1b[2J"),
        (ill, ("logs", "--days", "91"), "91"),
        (ill, ("restart", "/ill/nope", "--yes"), "/ill/nope"),
        (ill, ("incident", "get", "nope"), "nope"),
        (well, ("alerts",), "no alerting"),
    ):
        done = bot.run(*arguments)

        assert (done.returncode, done.stdout) == (5, ""), arguments
        assert words in one_line(done.stderr)
        assert "\x1b" not in done.stderr


def test_a_bot_that_was_killed_is_3(doomed: Bot) -> None:
    doomed.process.kill()
    doomed.process.wait()

    done = doomed.run("tree")

    assert done.returncode == 3
    assert f"doomed (process {doomed.process.pid}) left word in" in one_line(done.stderr)


def leave_word(folder: Path, name: str, **facts: object) -> None:
    """Write a discovery file, as a bot does."""
    file = folder / f"{name}.json"
    file.write_text(json.dumps({"bot": name, "url": None, "token_file": None, **facts}))
    os.chmod(file, 0o600)  # noqa: PTH101 - as the bot's
