"""What each verb shows of a real bot, and with which exit status it ends."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.actors.client.support import COMMAND, Bot, document, environment, run

if TYPE_CHECKING:
    from pathlib import Path

UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\udc80-\udcff]")
LOOKING = [
    ("tree",),
    ("tree", "/ill", "--depth", "1"),
    ("tree", "feeds"),
    ("status",),
    ("health",),
    ("health", "--probe", "live"),
    ("health", "--probe", "ready"),
    ("health", "--probe", "started"),
    ("errors",),
    ("errors", "parked", "--since", "1h", "--severity", "high", "-n", "3"),
    ("events",),
    ("events", "/ill", "--level", "warning", "-n", "3"),
    ("events", "--type", "ChildParked"),
    ("logs",),
    ("logs", "--days", "2", "-n", "1"),
    ("breaker",),
    ("breaker", "list", "prices"),
    ("stack", "worker"),
    ("alerts",),
    ("silence",),
    ("incident",),
    ("console",),
    ("export",),
]


@pytest.mark.parametrize("arguments", LOOKING, ids=" ".join)
def test_each_verb_has_a_form_for_people_and_one_for_programs(arguments: tuple[str, ...], ill: Bot) -> None:
    """No control character of an error's text reaches the terminal, in neither form."""
    text, data = ill.run(*arguments), ill.run(*arguments, "--json")

    assert (text.stderr, data.stderr) == ("", "")
    assert text.returncode == data.returncode
    assert UNSAFE.search(text.stdout + data.stdout) is None
    assert data.stdout.isascii()
    assert document(data.stdout)
    assert text.stdout


def test_the_tree_shows_state_by_shape_and_word_and_what_is_wrong(ill: Bot) -> None:
    shown = ill.run("tree").stdout

    assert re.search(r"^├─ parked +✗ failed .*boom \\x1b\[31m", shown, re.MULTILINE)
    assert re.search(r"^├─ feeds  rest_for_one +● running +\d+/\d+ in ", shown, re.MULTILINE)
    assert re.search(r"^│  └─ crasher +● running ", shown, re.MULTILINE)
    assert re.search(r"^system  one_for_one ", shown, re.MULTILINE)


def test_the_tree_of_a_part_holds_that_part(ill: Bot) -> None:
    shown = [line.split()[0] for line in ill.run("tree", "pairs").stdout.splitlines()]
    rows = ill.json("tree", "/ill", "--depth", "0")["rows"]

    assert shown == ["ACTOR", "pairs", "├─", "└─"]
    assert [row["path"] for row in rows] == ["/ill"]


def test_lines_are_cut_to_the_width(ill: Bot) -> None:
    for verb in ("tree", "status", "errors", "events", "breaker", "alerts"):
        assert max(map(len, ill.run(verb, COLUMNS="60").stdout.splitlines())) <= 60


def test_ascii_will_do_where_there_is_nothing_else(ill: Bot) -> None:
    shown = ill.run("tree", PYTHONIOENCODING="ascii").stdout

    assert shown.isascii()
    assert re.search(r"^\|- parked +x failed", shown, re.MULTILINE)


def test_the_status_says_what_to_type(ill: Bot) -> None:
    shown = ill.run("status").stdout

    assert "what needs you" in shown
    assert re.search(r"^ +duenna (restart|start) /ill/parked$", shown, re.MULTILINE)


def test_the_health_is_the_exit_status(ill: Bot, well: Bot) -> None:
    overall = ill.json("health")["overall"]

    assert ill.run("health").returncode == 1
    assert ill.run("health", "--allow-degraded").returncode == (0 if overall == "degraded" else 1)
    assert well.run("health").returncode == 0
    assert well.run("health").stdout == "● HEALTHY\n"


def test_errors_of_long_ago_and_of_others_are_left_out(ill: Bot) -> None:
    assert {row["path"] for row in ill.json("errors", "parked")["errors"]} == {"/ill/parked"}
    assert ill.json("errors", "--category", "database")["errors"] == []
    assert ill.run("errors", "--category", "database").stdout == "no errors\n"


def test_an_incident_is_taken_fetched_and_read_without_the_bot(ill: Bot, tmp_path: Path) -> None:
    file = tmp_path / "incident.json"
    number = ill.json("incident", "take", "--reason", "a look")["id"]

    fetched = ill.run("incident", "get", number, "-o", str(file))
    shown = run("incident", "show", str(file))

    assert (fetched.returncode, fetched.stdout) == (0, "")
    assert file.stat().st_mode & 0o777 == 0o600
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "a look" in shown.stdout
    assert UNSAFE.search(shown.stdout) is None
    assert number in ill.run("incident").stdout
    assert document(run("incident", "show", str(file), "--json").stdout) == json.loads(file.read_text())


def test_a_silence_is_added_listed_and_deleted(ill: Bot) -> None:
    made = ill.json("silence", "add", 'target="nobody"', "path=~/no body/.*", "--for", "10min", "--comment", "a test")

    assert made["matchers"] == ['target="nobody"', 'path=~"/no body/.*"']
    assert re.search(rf"^{made['id']} .* operate .*nobody.* a test$", ill.run("silence").stdout, re.MULTILINE)
    assert ill.run("silence", "delete", made["id"]).stdout == f"no longer silent: {made['id']}\n"
    assert made["id"] not in ill.run("silence").stdout
    assert ill.run("silence", "delete", made["id"]).returncode == 5


def test_a_breaker_is_set_by_hand(ill: Bot) -> None:
    assert ill.json("breaker", "force-open", "prices")["state"] == "forced_open"
    assert ill.json("breaker", "disable", "prices")["state"] == "disabled"
    assert "closed" in ill.run("breaker", "reset", "prices").stdout
    assert ill.run("breaker", "reset", "nothing").returncode == 5


def test_the_export_holds_all_of_it(ill: Bot, tmp_path: Path) -> None:
    file = tmp_path / "report.json"

    done = ill.run("export", str(file))

    assert (done.returncode, done.stdout) == (0, f"written: {file}\n")
    assert set(json.loads(file.read_text())) == {"snapshot", "charts", "errors"}
    assert ill.run("export", str(tmp_path / "none" / "x.json")).returncode == 2


def test_the_address_of_the_page_holds_the_token(ill: Bot) -> None:
    shown = ill.run("console").stdout
    url = ill.discovery["url"].rstrip("/")

    assert f"{url}/#token={ill.token('operate')}\n" in shown
    assert f"ssh -N -L 3000:{ill.socket} " in shown


def test_every_verb_has_help() -> None:
    for verb in ("tree", "health", "restart", "silence", "incident", "completion"):
        done = run(verb, "--help")

        assert done.returncode == 0
        assert done.stdout.startswith(f"usage: duenna {verb} ")


def test_output_that_cannot_be_written_is_one_line(ill: Bot) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run(  # noqa: S603 - our own
            [*COMMAND, "tree"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
            env=environment(DUENNA_RUN_DIR=str(ill.folder)),
        )

    assert done.returncode == 5
    assert done.stderr == "duenna tree: No space left on device\n"
