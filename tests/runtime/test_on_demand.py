"""The public names are imported when the first of them is used, and a command that needs none stays light."""

from __future__ import annotations

import subprocess
import sys

import pytest

import duenna
import duenna_actors


def python(program: str) -> str:
    """Run *program* in a fresh interpreter and return what it printed."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603
    return done.stdout.strip()


LAZY = ["duenna", "duenna.incident_files", "duenna.testing", "duenna_actors", "duenna_actors.sandbox"]


@pytest.mark.parametrize("package", LAZY)
def test_the_package_alone_imports_no_library(package: str) -> None:
    libraries = "{'trio', 'attrs', 'msgspec', 'loguru'}"

    assert python(f"import sys, {package}; print({libraries} & set(sys.modules))") == "set()"


@pytest.mark.parametrize("first", ["duenna.Actor", "duenna.events", "duenna.machines", "duenna.guards.Guard"])
def test_whatever_is_used_first_is_there(first: str) -> None:
    assert python(f"import duenna; print(bool({first}), bool(duenna.run), bool(duenna.faults))") == "True True True"


def test_several_threads_may_ask_for_the_first_names_at_once() -> None:
    program = """
import threading
import duenna, duenna.testing, duenna_actors
start, found = threading.Barrier(6), []
def ask(package, name):
    start.wait()
    found.append(getattr(package, name).__name__)
names = [(duenna, "Actor"), (duenna, "guards"), (duenna.testing, "World"), (duenna_actors, "ApiConnection")]
threads = [threading.Thread(target=ask, args=each) for each in [*names, *names[:2]]]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(*sorted(found))
"""

    assert python(program) == "Actor Actor ApiConnection World duenna.guards duenna.guards"


def test_a_star_takes_all_names() -> None:
    assert python("from duenna_actors import *; from duenna import *; print(ApiConnection, Actor)") == (
        "<class 'duenna_actors.api.ApiConnection'> <class 'duenna.actor.Actor'>"
    )


def test_a_name_that_is_not_there_is_refused_as_ever() -> None:
    with pytest.raises(AttributeError, match=r"^module 'duenna' has no attribute 'Actress'$"):
        _ = duenna.Actress  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="cannot import name 'Actress' from 'duenna_actors'"):
        from duenna_actors import Actress  # type: ignore[attr-defined]  # noqa: F401, PLC0415


@pytest.mark.parametrize("package", [duenna, duenna_actors])
def test_its_directory_lists_every_public_name(package: object) -> None:
    assert set(package.__all__) <= set(dir(package))  # type: ignore[attr-defined]
