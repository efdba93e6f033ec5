"""What the Tab key offers, in a real bash and by the answers that every shell gets."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.actors.client.support import COMMAND, environment, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.actors.client.support import Bot

ACTORS = "/ill/feeds", "/ill/feeds/btc", "/ill/feeds/crasher"
DRIVER = """
eval "$(duenna completion bash)"
COMP_LINE=$1
COMP_POINT=${#COMP_LINE}
read -ra COMP_WORDS <<<"$COMP_LINE"
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { local IFS=' '; echo "compopt $*"; }
_duenna
printf '%s\\n' "${COMPREPLY[@]}"
"""
TYPED = """
eval "$(duenna completion bash)"
bind 'set bell-style none' 2>/dev/null
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Put the command on the PATH, under its name."""
    folder = tmp_path / "bin"
    folder.mkdir()
    python, _, program = COMMAND
    (folder / "duenna").write_text(f'#!/bin/sh\nexec {python} -c "{program}" "$@"\n')
    (folder / "duenna").chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def offered(line: str, folder: object, path: str) -> list[str]:
    """Return what bash's completion makes of *line*."""
    done = subprocess.run(  # noqa: S603 - our own
        ["/bin/bash", "--norc", "-c", DRIVER, "bash", line],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=environment(DUENNA_RUN_DIR=str(folder), PATH=path),
    )
    assert done.stderr == ""
    return [each for each in done.stdout.split("\n") if each]


def test_bash_completes_verbs_options_values_and_actors(ill: Bot, path: str) -> None:
    verbs = offered("duenna ", ill.folder, path)

    assert {"tree", "restart", "completion", "--help"} <= set(verbs)
    assert offered("duenna st", ill.folder, path) == ["stack", "start", "state", "status", "stop"]
    assert offered("duenna tree --de", ill.folder, path) == ["--depth"]
    assert offered("duenna events --level ", ill.folder, path)[0] == "debug"
    assert offered("duenna events --level=w", ill.folder, path) == ["warning"]
    assert offered("duenna breaker fo", ill.folder, path) == ["force-open"]
    assert offered("duenna breaker reset p", ill.folder, path) == ["prices"]
    assert offered("duenna breaker reset alerts:", ill.folder, path) == ["log"]
    assert offered("duenna restart /ill/fe", ill.folder, path) == list(ACTORS)
    assert offered("duenna restart cra", ill.folder, path) == ["crasher"]
    assert offered("duenna tree --bot ", ill.folder, path) == ["ill"]
    assert offered("duenna state sh", ill.folder, path) == ["show"]
    assert offered("duenna incident show ", ill.folder, path) == ["compopt -o default"]
    assert offered("duenna export ", ill.folder, path) == ["compopt -o default"]


def test_what_a_shell_would_take_apart_is_quoted(ill: Bot, path: str) -> None:
    assert offered("duenna stack /ill/pairs/it", ill.folder, path) == ["'/ill/pairs/it'\"'\"'s $(odd)'"]


def test_no_bot_is_nothing_to_offer(tmp_path: Path, path: str) -> None:
    assert offered("duenna restart /", tmp_path, path) == []
    assert offered("duenna nothing ", tmp_path, path) == []
    assert offered("duenna restart 'open", tmp_path, path) == []
    assert "--bot" in offered("duenna status --", tmp_path, path)


def test_the_tab_key_in_a_real_bash(ill: Bot, path: str, tmp_path: Path) -> None:
    """What was completed is what the command gets."""
    done = subprocess.run(
        ["/bin/bash", "--norc", "--noprofile", "-i"],
        input=f"{TYPED}duenna tree /ill/pairs/b\t --depth 0 --jso\t >{tmp_path}/out\nexit\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment(DUENNA_RUN_DIR=str(ill.folder), PATH=path, TERM="dumb"),
    )

    assert done.returncode == 0, done.stderr
    assert '"/ill/pairs/btc"' in (tmp_path / "out").read_text()


def test_other_shells_hand_over_the_words(ill: Bot) -> None:
    for shell in ("zsh", "fish"):
        words = ill.run("completion", shell, "--words", "duenna", "restart", "/ill/fe")
        script = run("completion", shell)

        assert tuple(words.stdout.split()) == ACTORS
        assert (words.returncode, words.stderr, script.returncode) == (0, "", 0)
        assert f"duenna completion {shell} --words" in script.stdout.replace('"${words[1]}"', "duenna")
