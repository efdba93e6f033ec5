"""World tests in pytest runs of their own: what a user writes, types and reads."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.runtime.testing.plugin.bots import BUG, FEED, GOOD

if TYPE_CHECKING:
    from tests.runtime.testing.plugin.conftest import Pytest

pytestmark = pytest.mark.slow


def test_a_bot_that_holds_passes_with_every_seed(users: Pytest) -> None:
    users.write(GOOD)

    told = users.run()

    assert told.status == 0, told.out
    assert "simulated worlds: 3 seeds passed, 0 failed" in told.out
    assert not (users.folder / "worlds").exists()


def test_a_planted_bug_is_found_shrunk_to_the_fault_that_matters_and_repeated(users: Pytest) -> None:
    """A feed that waits for ever dies of a half-open peer, and of nothing else in the plan."""
    users.write(BUG)

    told = users.run()

    assert told.status == 1, told.out
    assert "seed 0 broke:" in told.out
    assert re.search(r"faults:  4, shrunk to 1 in \d+ runs\n", told.out), told.out
    (shrunk,) = told.after("shrunk:")
    (file,) = (users.folder / "worlds").glob("*.faults.json")
    (fault,) = json.loads(file.read_text())["faults"]
    assert fault["fault"] == {"kind": "half_open"}
    assert shrunk == f"pytest test_bot.py::test_feed --world-seed=0 --world-faults={file.relative_to(users.folder)}"

    again = users.repeat(shrunk)

    assert again.status == 1
    assert "seed 0 broke:" in again.out
    assert again.after("trace:")[0].split()[-1] == told.after("trace:")[1].split()[-1]


def test_a_smaller_plan_that_breaks_something_else_is_none(users: Pytest) -> None:
    """The reset breaks a rule of the scenario; what broke first is the feed, of the half-open peer."""
    users.write(
        FEED
        + """
class NoReset:
    name = "no_reset"
    kinds = frozenset({"fault_begin"})

    def apply(self, record):
        if record.fields["fault"]["kind"] == "reset":
            yield Violation(self.name, record.t, record.seq, record.path, "a reset")

    def finish(self, end):
        return ()

PLAN = FaultPlan(
    faults=(
        Planned(at=100.0, target="exchange", fault=HalfOpen()),
        Planned(at=300.0, target="exchange", fault=Latency(extra=0.5), duration=60.0),
        Planned(at=600.0, target="exchange", fault=Reset()),
    )
)

@world_test(seeds=1, seconds=900.0, faults=PLAN)
def test_feed(world):
    return attrs.evolve(ticking(world, float("inf")), checkers=(NoReset(),))
"""
    )

    told = users.run()

    assert "faults:  3, shrunk to 1" in told.out, told.out
    assert "at 1 s: half_open on exchange" in told.out


def test_the_command_of_the_whole_plan_repeats_the_same_trace(users: Pytest) -> None:
    users.write(BUG)

    told = users.run("--world-shrink=0")
    (command,) = told.after("again:")
    again = users.repeat(f"{command} --world-shrink=0")

    assert command == "pytest test_bot.py::test_feed --world-seed=0"
    assert told.after("trace:") == again.after("trace:")
    (trace,) = (users.folder / "worlds").glob("*.jsonl")
    assert json.loads(trace.read_text().splitlines()[-1])["kind"] == "world_end"


def test_no_faults_at_all_is_an_option(users: Pytest) -> None:
    users.write(BUG)

    told = users.run("--world-faults=none", "--world-seeds=2")

    assert told.status == 0, told.out
    assert "2 seeds passed" in told.out


def test_it_stops_at_the_first_seed_that_breaks_and_says_how_many_passed(users: Pytest) -> None:
    users.write(
        FEED
        + """
@world_test(seeds=5, seconds=60.0, faults=None)
def test_third(world):
    print("seed", world.seed)
    return ticking(world, 12.0 if world.seed < 2 else 1.0)
"""
    )

    told = users.run("--world-shrink=0")
    all_of_them = users.run("--world-shrink=0", "--world-keep-going")

    assert "seed 2 broke (2 seeds passed):" in told.out
    assert "seed 3" not in told.out
    assert "simulated worlds: 2 seeds passed, 1 failed" in told.out
    assert [line.split()[0] for line in all_of_them.after("seed 3 broke:")] == ["at"]
    assert "simulated worlds: 2 seeds passed, 3 failed" in all_of_them.out


def test_an_exception_of_the_test_is_shown_where_it_is_raised(users: Pytest) -> None:
    users.write(
        FEED
        + """
@world_test(seeds=3, seconds=60.0)
async def test_acts(world):
    await trio.sleep(1.0)
    assert world.seed < 1, "too large"
"""
    )

    told = users.run()

    assert told.status == 1
    assert '>       assert world.seed < 1, "too large"' in told.out
    assert "seed 1 broke (1 seed passed): AssertionError: too large" in told.out
    assert "/trio/" not in told.out
    assert told.after("again:") == ["pytest test_bot.py::test_acts --world-seed=1"]


def test_a_group_is_told_by_what_is_in_it_and_a_skip_is_no_failure(users: Pytest) -> None:
    users.write(
        FEED
        + """
async def fail():
    raise KeyError("k")

@world_test(seeds=2, seconds=60.0)
async def test_group(world):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail)

@world_test(seeds=2, seconds=60.0)
def test_skip(world):
    pytest.skip("no")

@world_test(seeds=2, seconds=60.0)
async def test_fail(world):
    pytest.fail("by hand")

@world_test(seeds=2, seconds=60.0)
def test_nothing(world):
    ticking(world, 12.0)
"""
    )

    told = users.run()

    assert "seed 0 broke: KeyError: 'k'" in told.out
    assert "seed 0 broke: Failed: by hand" in told.out
    assert "TypeError: a world test that is not async must return a Scenario or a Supervisor, got None" in told.out
    assert "seed 0 broke: TypeError" not in told.out  # wrong use is no finding of a seed
    assert "3 failed, 1 skipped" in told.out


def test_a_seed_that_gives_another_trace_the_second_time_is_told(users: Pytest) -> None:
    """Nothing is shrunk then: no smaller plan could be trusted."""
    users.write(
        FEED
        + """
runs = []

@world_test(seeds=1, seconds=900.0, faults=STORM)
def test_feed(world):
    runs.append(world)
    world.record("own", "", number=len(runs))
    return ticking(world, float("inf"))
"""
    )

    told = users.run()

    assert "careful: the same seed gave another trace the second time" in told.out
    assert "shrunk" not in told.out


def test_an_async_test_that_does_not_end_fails(users: Pytest) -> None:
    users.write(
        FEED
        + """
@world_test(seeds=1, seconds=60.0)
async def test_waits(world):
    await trio.sleep_forever()
"""
    )

    told = users.run()

    assert told.status == 1
    assert "TooSlowError: the test took more than 60 virtual seconds" in told.out


def test_an_async_test_is_checked_by_the_rules_too(users: Pytest) -> None:
    users.write(
        FEED
        + """
@world_test(seeds=1, seconds=60.0)
async def test_leaves_a_socket(world):
    listeners = await trio.open_tcp_listeners(80)
    world.keep = listeners

@world_test(seeds=1, seconds=60.0)
async def test_asks(world):
    async def rest(context):
        await trio.sleep_forever()

    async with world.open_runtime(Supervisor("bot", [Child("rest", rest)])) as runtime:
        await trio.sleep(1.0)
        assert runtime.tree()

@world_test(seeds=1, seconds=60.0)
async def test_crashes(world):
    async def crash(context):
        raise KeyError("k")

    async with world.open_runtime(Supervisor("bot", [Child("crash", crash)])) as runtime:
        await trio.sleep(1.0)
"""
    )

    told = users.run("--world-shrink=0")

    assert told.after("again:") == [
        "pytest test_bot.py::test_leaves_a_socket --world-seed=0",
        "pytest test_bot.py::test_crashes --world-seed=0",
    ]
    assert "2 failed, 1 passed" in told.out


@pytest.mark.parametrize("settings", ["", "trio_mode = true", "asyncio_mode = auto"])
def test_fixtures_parameters_classes_and_other_plugins_go_together(users: Pytest, settings: str) -> None:
    """What pytest collects is a plain function, so no plugin for async tests takes hold of it."""
    users.write(
        FEED
        + """
@pytest.fixture
def patience():
    return 12.0

@pytest.mark.parametrize("name", ["a b", "c"])
@world_test(seeds=2, seconds=60.0, faults=None)
def test_sync(world, name, patience, request, tmp_path):
    assert request.node.name.startswith("test_sync[")
    return ticking(world, patience if name == "c" else 1.0)

class TestClass:
    @world_test(seeds=2, seconds=60.0)
    async def test_async(self, world, patience):
        await trio.sleep(patience)
        assert trio.current_time() == patience
""",
        settings=settings,
    )

    told = users.run("--world-shrink=0", "-W", "ignore::pytest.PytestConfigWarning")

    assert "1 failed, 2 passed" in told.out, told.out
    assert told.after("again:") == ["pytest 'test_bot.py::test_sync[a b]' --world-seed=0"]


def test_without_the_plugin_a_world_test_runs_as_its_decorator_says(users: Pytest) -> None:
    users.write(GOOD)

    told = users.run("-p", "no:duenna_world", traces=None)

    assert told.status == 0, told.out
    assert "simulated worlds" not in told.out


def test_a_bad_value_is_one_line(users: Pytest) -> None:
    users.write("")

    told = users.run("--world-seeds=x")

    assert told.status == 4
    assert told.out.strip() == "ERROR: --world-seeds must be a whole number >= 1, got 'x'"


def test_a_plan_that_is_none_is_told_in_one_line(users: Pytest) -> None:
    users.write(GOOD)
    (users.folder / "plan.json").write_text('{"faults": [{"at": -1, "fault": {"kind": "reset"}}]}')

    told = users.run("--world-faults=plan.json")

    assert told.status == 1
    assert re.search(r"the fault plan plan.json cannot be read: ValueError: .*at must be", told.out), told.out
