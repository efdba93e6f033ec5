"""The token file: made once, for its owner alone, and every fault in it is named, but never what is in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from duenna_actors.console import TokenFileError
from duenna_actors.console.server.tokens import Token, load_tokens, read_tokens

SECRET = "0123456789abcdef"  # noqa: S105


def written(folder: Path, content: str | bytes, mode: int = 0o600) -> Path:
    path = folder / "bot.tokens"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


def test_a_file_is_made_with_a_token_for_each_role(tmp_path: Path) -> None:
    path = tmp_path / "bot.tokens"
    drawn = iter(["operate-token-0001", "view-token-00002"])

    tokens = load_tokens(path, lambda: next(drawn))

    assert tokens.names == ("operate", "view")
    assert tokens.find(b"operate-token-0001") == Token("operate", "operate", "operate-token-0001")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["bot.tokens"]
    assert load_tokens(path).names == ("operate", "view")


def test_tokens_that_are_drawn_are_long_and_all_different(tmp_path: Path) -> None:
    for number in range(2):
        load_tokens(tmp_path / str(number))
    secrets = {line.split()[2] for number in range(2) for line in (tmp_path / str(number)).read_text().splitlines()[1:]}

    assert len(secrets) == 4
    assert min(map(len, secrets)) >= 43  # 256 bits


def test_comments_and_empty_lines_say_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, f"# who\n\n  anna\tview   {SECRET}  \r\n#bob operate {SECRET}x\n")

    tokens = read_tokens(path)

    assert tokens.names == ("anna",)
    assert tokens.find(SECRET.encode()) == Token("anna", "view", SECRET)
    assert tokens.find(f"{SECRET}x".encode()) is None
    assert tokens.find(b"") is None


def test_a_token_is_in_no_representation(tmp_path: Path) -> None:
    assert SECRET not in repr(Token("anna", "view", SECRET))


@pytest.mark.parametrize(
    ("content", "line", "why"),
    [
        (f"anna {SECRET}", 1, "must be NAME ROLE TOKEN, got 2 words"),
        (f"# x\nanna view {SECRET} x", 2, "must be NAME ROLE TOKEN, got 4 words"),
        (f"anna admin {SECRET}", 1, "the role must be view or operate, got 'admin'"),
        (
            "anna view short",
            1,
            "the token must have at least 16 characters, each a letter, a digit or one of -._~+/=",
        ),
        (
            f"anna view {SECRET}ü",
            1,
            "the token must have at least 16 characters, each a letter, a digit or one of -._~+/=",
        ),
        (f"anna view {SECRET}\nanna operate {SECRET}x", 2, "names must all be different, got 'anna' twice"),
        (f"anna view {SECRET}\nbob view {SECRET}", 2, "tokens must all be different, 'bob' has that of 'anna'"),
        ("", None, "has no token; remove it, and one for each role is made at the next start"),
        ("# nothing\n", None, "has no token; remove it, and one for each role is made at the next start"),
        (b"\xff\xfe", None, "must be text in UTF-8"),
        (b"#" * 70_000, None, "must have at most 65536 bytes"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, content: str | bytes, line: int | None, why: str) -> None:
    path = written(tmp_path, content)

    with pytest.raises(TokenFileError) as caught:
        load_tokens(path)

    place = f"token file {path}" if line is None else f"token file {path}, line {line}"
    assert str(caught.value) == f"{place}: {why}"
    assert caught.value.line == line
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path, f"anna view {SECRET}", mode)

    with pytest.raises(TokenFileError, match=rf"must have the mode 0600, it has {mode:04o}: chmod 600 {path}$"):
        load_tokens(path)


def test_what_is_no_file_is_refused_and_nobody_waits_for_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    (tmp_path / "folder").mkdir(mode=0o700)

    with pytest.raises(TokenFileError, match=r"must be a regular file$"):
        load_tokens(pipe)
    files = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(TokenFileError, match=r"folder: cannot be read: Is a directory$"):
        load_tokens(tmp_path / "folder")
    assert len(list(Path("/proc/self/fd").iterdir())) == files


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TokenFileError, match=r"none/bot\.tokens: cannot be made: No such file or directory$"):
        load_tokens(tmp_path / "none" / "bot.tokens")


def test_a_link_to_nowhere_is_not_followed_to_make_one(tmp_path: Path) -> None:
    path = tmp_path / "bot.tokens"
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(TokenFileError, match="cannot be read: No such file or directory"):
        load_tokens(path)
    assert not (tmp_path / "elsewhere").exists()
