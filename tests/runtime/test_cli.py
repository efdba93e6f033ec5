"""The ``duenna`` command."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points, version
from typing import TYPE_CHECKING

import pytest

from duenna import _verbs
from duenna.cli import main

if TYPE_CHECKING:
    from pathlib import Path

HELLO = """
def register(subparsers):
    parser = subparsers.add_parser("hello", help="greet the caller")
    parser.add_argument("--status", type=int, default=0)
    parser.set_defaults(run=hello)

def hello(arguments):
    print("hello")
    return arguments.status
"""

BARE = """
raise ImportError('the bare verb needs HTTP: pip install "duenna[http]"')
"""

LATE = """
def register(subparsers):
    subparsers.add_parser("late", help="100 %% late").set_defaults(run=late)

def late(arguments):
    raise ImportError('the late verb needs PostgreSQL: pip install "duenna[postgres]"')
"""

FAULTY = """
import no_such_module_at_all
"""

INTERRUPTED = """
def register(subparsers):
    subparsers.add_parser("interrupted").set_defaults(run=interrupted)

def interrupted(arguments):
    raise KeyboardInterrupt
"""

SOURCES = {"hello": HELLO, "bare": BARE, "late": LATE, "faulty": FAULTY, "interrupted": INTERRUPTED}


@pytest.fixture
def verbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    """Install one module per verb, as other distributions would."""
    monkeypatch.syspath_prepend(tmp_path)
    for name, source in SOURCES.items():
        (tmp_path / f"verb_{name}.py").write_text(source)
        monkeypatch.delitem(sys.modules, f"verb_{name}", raising=False)
    return [EntryPoint(name, f"verb_{name}:register", "duenna.commands") for name in SOURCES]


def test_a_verb_gets_its_arguments_and_gives_the_status(
    verbs: list[EntryPoint], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["hello", "--status", "7"], verbs=verbs) == 7
    assert capsys.readouterr().out == "hello\n"


def test_only_the_named_verb_is_imported(verbs: list[EntryPoint]) -> None:
    """A verb whose module cannot be imported costs the others nothing."""
    main(["hello"], verbs=verbs)

    assert [name for name in SOURCES if f"verb_{name}" in sys.modules] == ["hello"]


@pytest.mark.parametrize(
    ("verb", "line"),
    [
        pytest.param(
            "bare", 'duenna bare: the bare verb needs HTTP: pip install "duenna[http]"\n', id="when it is imported"
        ),
        pytest.param(
            "late", 'duenna late: the late verb needs PostgreSQL: pip install "duenna[postgres]"\n', id="when it runs"
        ),
    ],
)
def test_a_missing_extra_is_one_line(
    verb: str, line: str, verbs: list[EntryPoint], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb], verbs=verbs) == 1
    assert capsys.readouterr() == ("", line)


def test_an_import_that_is_a_fault_keeps_its_traceback(verbs: list[EntryPoint]) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'no_such_module_at_all'$"):
        main(["faulty"], verbs=verbs)


def test_help_lists_every_verb_and_why_one_is_not_available(
    verbs: list[EntryPoint], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")

    with pytest.raises(SystemExit) as caught:
        main(["--help"], verbs=verbs)

    listed = capsys.readouterr().out
    assert caught.value.code == 0
    assert "greet the caller" in listed
    assert "100 % late" in listed
    assert "not available: the bare verb needs HTTP" in listed
    assert "not available: No module named 'no_such_module_at_all'" in listed


def test_no_verb_is_a_mistake_answered_with_the_help(
    verbs: list[EntryPoint], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([], verbs=verbs) == 2
    assert "greet the caller" in capsys.readouterr().err


def test_an_unknown_verb_is_answered_with_the_choices(
    verbs: list[EntryPoint], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["helo"], verbs=verbs)

    assert caught.value.code == 2
    assert "hello" in capsys.readouterr().err


def test_ctrl_c_gives_the_status_that_shells_expect(verbs: list[EntryPoint]) -> None:
    assert main(["interrupted"], verbs=verbs) == 130


def test_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"], verbs=[])

    assert caught.value.code == 0
    assert capsys.readouterr().out == f"duenna {version('duenna')}\n"


def test_every_installed_verb_can_be_imported() -> None:
    installed = {entry.name for entry in entry_points(group="duenna.commands")}

    listing = subprocess.run(
        [sys.executable, "-c", "from duenna.cli import main; main(['--help'])"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout

    assert {"demo", "sandbox"} <= installed
    assert installed <= set(re.findall(r"^    (\w+)(?: +\w|$)", listing, re.MULTILINE))
    assert "not available" not in listing


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["simulate", "--help"], ["nonsense"]], ids=" ".join)
def test_help_imports_neither_the_runtime_nor_a_library(arguments: list[str]) -> None:
    """Every verb is imported for it, but none of them what it works with."""
    bare, helped = (
        set(
            subprocess.run(  # noqa: S603 - our own
                [sys.executable, "-c", f"{program}\nprint('\\n', *sys.modules)", *arguments],
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            )
            .stdout.rpartition("\n ")[2]
            .split()
        )
        for program in ("import sys", "import sys\nfrom duenna.cli import main\ntry: main()\nexcept SystemExit: pass")
    )

    heavy = {"asyncio", "concurrent", "loguru", "msgspec", "pytest", "sqlite3", "subprocess", "textual", "trio"}
    ours = {"duenna._names", "duenna.testing._names", "duenna_actors._names", "duenna_actors.sandbox._names"}
    assert "duenna.cli" in helped
    assert (helped - bare) & (heavy | ours) == set()


def test_verbs_are_listed_from_the_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where two distributions have a verb of one name, the files do not say which; then the slow way does."""
    for number, name in enumerate(["one", "two"]):
        folder = tmp_path / name / f"{name}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[duenna.commands]\nhello = verb_{number}:register\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "one")])
    alone = _verbs.every()
    monkeypatch.setattr(sys, "path", [str(tmp_path / "one"), str(tmp_path / "two")])
    both = _verbs.every()

    assert alone == [_verbs.FoundVerb("hello", "verb_0:register")]
    assert [(type(verb), verb.name) for verb in both] == [(EntryPoint, "hello")]


def test_the_command_is_installed_under_its_name() -> None:
    (script,) = entry_points(group="console_scripts", name="duenna")

    assert script.load() is main
