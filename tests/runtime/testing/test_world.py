"""The world as a whole: what a run is, what strikes in it, what it notices, and that it repeats itself."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from contextlib import suppress
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio

from duenna import Actor, Backoff, Child, Context, Supervisor
from duenna.faults import ClockStep, Crash, FaultPlan, HalfOpen, Partition, Planned, Service, Suspend
from duenna.testing import Outcome, Scenario, World, WorldError
from duenna.testing._stuck import SpinGuard


def plan(*planned: Planned) -> FaultPlan:
    return FaultPlan(faults=planned)


async def nothing() -> None:
    """Do nothing."""


async def echo(*, task_status: trio.TaskStatus[None]) -> None:
    async def handle(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            async for data in stream:
                await stream.send_all(data)

    listeners = await trio.open_tcp_listeners(7)
    task_status.started()
    await trio.serve_listeners(handle, listeners)


async def poll(context: Context) -> None:
    """Keep a connection to the echo server, and crash when an answer does not come."""
    stream = await trio.open_tcp_stream("far", 7)
    async with stream:
        while True:
            await stream.send_all(b"?")
            with trio.fail_after(2.0):
                if not await stream.receive_some():
                    raise ConnectionError("the far end is gone")
            await trio.sleep(1.0)


def polling(world: World) -> Scenario:
    world.serve("far", echo)
    return Scenario(
        tree=Supervisor("bot", [Child("poll", poll, backoff=Backoff.steps(1.0))], intensity=100), bound=10.0
    )


def kinds(path: Path, kind: str) -> list[str]:
    return [line for line in path.read_text().splitlines() if f'"kind":"{kind}"' in line]


class TestARun:
    def test_it_gives_what_main_returns(self) -> None:
        async def main(first: int, second: int) -> int:
            await trio.sleep(3600.0)
            return first + second

        assert World(1).run(main, 2, 3) == 5

    def test_it_raises_what_main_raises_in_no_group(self) -> None:
        async def main() -> None:
            raise LookupError("mine")

        with pytest.raises(LookupError, match=r"^'mine'$|^mine$"):
            World(1).run(main)

    def test_it_begins_at_zero_on_the_day_that_was_asked_for(self) -> None:
        seen: list[float] = []

        async def main() -> None:
            seen.extend((trio.current_time(), time.time()))
            await trio.sleep(86_400.0)
            seen.extend((trio.current_time(), time.time()))

        World(1, wall=1_000_000.0).run(main)

        assert seen == [0.0, 1_000_000.0, 86_400.0, 1_086_400.0]

    def test_a_world_is_good_for_one(self) -> None:
        world = World(4)
        world.run(nothing)

        with pytest.raises(
            RuntimeError, match=r"^a World is good for one run, and World\(4\) has had it: make another$"
        ):
            world.run(nothing)

    def test_its_folder_is_there_during_it_and_gone_after_it(self) -> None:
        world = World(1)

        async def main() -> bool:
            (world.folder / "file").write_text("x")
            return world.folder.is_dir()

        assert world.run(main)
        assert not world.folder.exists()

    def test_servers_are_ready_before_it(self) -> None:
        world = World(1)
        world.serve("far", echo)

        async def main() -> bytes:
            async with await trio.open_tcp_stream("far", 7) as stream:
                await stream.send_all(b"hello")
                return bytes(await stream.receive_some())

        assert world.run(main) == b"hello"

    def test_it_says_when_nothing_can_ever_happen_again(self) -> None:
        async def main() -> None:
            await trio.sleep(5.0)
            await trio.Event().wait()

        text = (
            r"^every task waits for something that can never happen, at 5\.0 s: "
            r"no deadline is set and nothing is on its way$"
        )
        with pytest.raises(WorldError, match=text):
            World(1).run(main)

    def test_a_task_that_swallows_its_cancellation_is_ended_and_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """After so many passes that real work is not meant; here after a few."""
        monkeypatch.setattr("duenna.testing._world.SpinGuard", partial(SpinGuard, passes=1000))
        world = World(1)

        async def stubborn() -> None:
            while True:
                try:
                    await trio.sleep(1.0)
                except trio.Cancelled:
                    continue

        async def main() -> None:
            with trio.move_on_after(10.0):
                await stubborn()

        with pytest.raises(BaseException, match=r"^ran for ever while the time stood still at 10\.0 s: "):
            world.run(main)
        assert len(world.stuck) == 1

    @pytest.mark.parametrize("seed", [None, 1.5, "7", True])
    def test_a_seed_is_a_whole_number(self, seed: object) -> None:
        with pytest.raises(TypeError, match=r"^World: seed must be a whole number, got "):
            World(seed)  # type: ignore[arg-type]

    @pytest.mark.parametrize("faults", [[], (), False, Path("storm.yaml")])
    def test_faults_are_a_plan(self, faults: object) -> None:
        with pytest.raises(TypeError, match=r"^World: faults must be a FaultPlan, 'default' or None, got "):
            World(1, faults=faults)  # type: ignore[arg-type]

    def test_other_arguments_have_their_types(self) -> None:
        with pytest.raises(TypeError, match=r"^World: link must be a Link or None, got 3$"):
            World(1, link=3)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"^World: audit must be "):
            World(1, audit="yes")  # type: ignore[arg-type]

    def test_unknown_words_are_refused(self) -> None:
        with pytest.raises(ValueError, match=r"^World: faults must be a FaultPlan, 'default' or None, got 'storm'$"):
            World(1, faults="storm")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"^World: detail must be 'events' or 'messages', got 'all'$"):
            World(1, detail="all")  # type: ignore[arg-type]


class TestFaults:
    def test_a_clock_step_moves_the_bots_clock_alone(self) -> None:
        world = World(1, wall=100.0, faults=plan(Planned(fault=ClockStep(offset=-30.0), at=10.0)))

        async def main() -> tuple[float, float, float]:
            await world.begin_faults()
            await trio.sleep(20.0)
            return time.time(), world.true_time(), trio.current_time()

        assert world.run(main) == (90.0, 120.0, 20.0)

    def test_a_suspended_machine_loses_time_and_connections(self) -> None:
        world = World(1, wall=0.0, faults=plan(Planned(fault=Suspend(length=3600.0), at=10.0)))
        world.serve("far", echo)

        async def main() -> tuple[float, float, bool]:
            await world.begin_faults()
            async with await trio.open_tcp_stream("far", 7) as stream:
                await trio.sleep_until(20.0)
                await stream.send_all(b"?")
                with trio.move_on_after(30.0) as scope:
                    await stream.receive_some()
            return time.time(), trio.current_time(), scope.cancelled_caught

        assert world.run(main) == (3650.0, 50.0, True)

    def test_a_crash_strikes_the_actors_that_fit(self, tmp_path: Path) -> None:
        class Idle(Actor):
            def receive(self, message: object) -> None:
                """Take anything."""

        children = [Child(name, Idle, backoff=Backoff.none()) for name in ("one", "two")]
        faults = plan(Planned(fault=Crash(error="OSError", text="planted"), target="/bot/t*", at=5.0))
        world = World(1, faults=faults, trace_file=tmp_path / "trace")

        outcome = world.simulate(Supervisor("bot", children), 10.0)

        assert outcome.ok
        exits = [line for line in kinds(tmp_path / "trace", "child_exited") if "planted" in line]
        assert len(exits) == 1
        assert '"t":5.0' in exits[0]
        assert '"path":"/bot/two"' in exits[0]

    def test_a_network_fault_must_fit_a_host(self) -> None:
        world = World(1, faults=plan(Planned(fault=HalfOpen(), target="nobody", at=1.0)))
        world.host("far")

        with pytest.raises(
            ValueError, match=r"^fault 1 \(half_open\): target must fit a host \(bot, far\), got 'nobody'$"
        ):
            world.run(world.begin_faults)

    def test_a_crash_that_hits_nobody_excuses_nobody(self, tmp_path: Path) -> None:
        faults = plan(Planned(fault=Crash(), target="/bot/nobody", at=5.0))
        world = World(1, faults=faults, trace_file=tmp_path / "trace")

        outcome = world.simulate(polling, 10.0)

        assert outcome.strikes == 0
        assert not kinds(tmp_path / "trace", "fault_begin")
        assert len(kinds(tmp_path / "trace", "fault_missed")) == 1

    def test_a_service_that_is_done_at_once_says_so(self, tmp_path: Path) -> None:
        """Else its fault would last to the end, and excuse everything."""
        faults = plan(Planned(fault=Service(name="blink"), target="far", at=5.0))
        world = World(1, faults=faults, trace_file=tmp_path / "trace")
        world.on_service_fault("far", lambda fault, duration: True)

        async def main() -> None:
            await world.begin_faults()
            await trio.sleep(10.0)

        world.run(main)

        assert [line[:9] for line in kinds(tmp_path / "trace", "fault_end")] == ['{"t":5.0,']

    def test_service_faults_go_to_the_service(self) -> None:
        struck: list[tuple[str, float | None]] = []
        faults = plan(Planned(fault=Service(name="mute", params={"symbol": "X"}), target="far", at=1.0, duration=4.0))
        world = World(1, faults=faults)
        world.on_service_fault("far", lambda fault, duration: struck.append((fault.name, duration)))

        async def main() -> None:
            await world.begin_faults()
            await trio.sleep(10.0)

        world.run(main)

        assert struck == [("mute", 4.0)]

    def test_a_service_fault_that_nobody_can_carry_out_is_refused_before_the_run(self) -> None:
        world = World(1, faults=plan(Planned(fault=Service(name="mute"), target="exchange", at=1.0)))
        world.on_service_fault("far", lambda fault, duration: None)

        text = r"^fault 1 \(service mute\): target must fit a host with faults of its own \(far\), got 'exchange'$"
        with pytest.raises(ValueError, match=text):
            world.run(world.begin_faults)

    def test_a_service_refuses_what_it_does_not_know(self) -> None:
        def check(fault: Service, duration: float | None) -> None:
            raise ValueError(f"there is no {fault.name} of {duration} s")

        world = World(1, faults=plan(Planned(fault=Service(name="mute"), target="far", at=1.0, duration=2.0)))
        world.on_service_fault("far", lambda fault, duration: None, check=check)

        with pytest.raises(ValueError, match=r"^fault 1 \(service mute on far\): there is no mute of 2.0 s$"):
            world.run(world.begin_faults)


class TestASimulation:
    def test_a_bot_that_comes_back_passes(self) -> None:
        faults = plan(
            Planned(fault=HalfOpen(), target="far", at=50.0),
            Planned(fault=Partition(), target="far", at=100.0, duration=30.0),
        )

        outcome = World(3, faults=faults).simulate(polling, 300.0)

        assert outcome.ok, outcome.violations
        assert outcome.strikes == 2
        assert outcome.seconds == pytest.approx(300.0, abs=1.0)

    def test_a_bot_that_does_not_come_back_breaks_the_bound(self) -> None:
        def scenario(world: World) -> Scenario:
            world.serve("far", echo)
            child = Child("poll", poll, backoff=Backoff.steps(500.0))
            return Scenario(tree=Supervisor("bot", [child]), bound=10.0)

        outcome = World(3, faults=plan(Planned(fault=HalfOpen(), target="far", at=50.0))).simulate(scenario, 300.0)

        assert not outcome.ok
        assert "/bot/poll" in {violation.path for violation in outcome.violations}

    def test_default_faults_are_drawn_from_the_seed(self) -> None:
        def struck(seed: int) -> FaultPlan:
            world = World(seed, faults="default")
            world.simulate(polling, 3600.0)
            return world.plan

        plan = struck(1)
        assert struck(1) == plan
        assert struck(2) != plan
        assert plan.faults

    def test_a_bot_that_gives_up_is_the_outcome(self) -> None:
        async def dies(context: Context) -> None:
            await trio.sleep(1.0)
            raise RuntimeError("no more")

        outcome = World(1).simulate(Supervisor("bot", [Child("dies", dies, backoff=Backoff.none())], intensity=1), 60.0)

        assert type(outcome.error).__name__ == "GaveUpError"
        assert not outcome.ok

    def test_a_feed_that_never_has_data_breaks_a_rule(self) -> None:
        def silent(world: World) -> Scenario:
            return attrs.evolve(polling(world), feeds=("/bot/poll",))

        outcome = World(1).simulate(silent, 60.0)

        assert [violation.checker for violation in outcome.violations] == ["fresh_feeds"]

    def test_a_socket_that_is_forgotten_breaks_a_rule(self) -> None:
        async def careless(context: Context) -> None:
            await trio.open_tcp_stream("far", 7)
            await trio.sleep_forever()

        def scenario(world: World) -> Scenario:
            world.serve("far", echo)
            return Scenario(tree=Supervisor("bot", [Child("careless", careless)]))

        outcome = World(1).simulate(scenario, 60.0)

        assert [violation.checker for violation in outcome.violations] == ["world_end"]
        assert outcome.violations[0].text.endswith("was forgotten: nobody closed it")

    def test_a_scenario_says_what_is_wrong_with_it(self) -> None:
        tree = Supervisor("bot", [])
        with pytest.raises(TypeError, match=r"^Scenario: tree must be a Supervisor, got 3$"):
            Scenario(tree=3)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"^Scenario: feeds must be a tuple, got '/bot/feed'$"):
            Scenario(tree=tree, feeds="/bot/feed")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"^Scenario: bound must be "):
            Scenario(tree=tree, bound=0.0)

    def test_a_scenario_must_be_one(self) -> None:
        with pytest.raises(TypeError, match=r"^a scenario must return a Scenario or a Supervisor, got 7$"):
            World(1).simulate(lambda world: 7, 60.0)  # type: ignore[arg-type, return-value]

    @pytest.mark.parametrize("seconds", [0.0, -1.0, float("inf"), float("nan")])
    def test_its_length_is_finite(self, seconds: float) -> None:
        with pytest.raises(ValueError, match=r"^simulate: seconds must be "):
            World(1).simulate(polling, seconds)

    def test_a_child_that_does_not_stop_does_not_stop_the_world(self) -> None:
        @attrs.define
        class Stubborn(Actor):
            async def run(self) -> None:
                with trio.CancelScope(shield=True):
                    await trio.sleep_forever()

        outcome = World(1).simulate(Supervisor("bot", [Child("stubborn", Stubborn, shutdown=2.0)]), 60.0)

        assert not outcome.ok
        assert outcome.seconds == 204.0  # the runtime's own may take twenty-two
        assert str(outcome.error) == "the stop did not end, and was forced to at 204.0 s"
        assert any("/bot/stubborn" in violation.path for violation in outcome.violations)


class TestLeaks:
    def test_a_thread_is_noticed_and_named(self) -> None:
        world = World(1)

        async def main() -> None:
            threading.Thread(target=print).start()

        with pytest.raises(Exception, match="thread"):
            world.run(main)
        assert len(world.leaks) == 1
        assert "test_world.py" in str(world.leaks[0])

    def test_it_fails_a_simulation_whoever_catches_the_error(self) -> None:
        async def careless(context: Context) -> None:
            with suppress(Exception):
                threading.Thread(target=print).start()
            await trio.sleep_forever()

        outcome = World(1).simulate(Supervisor("bot", [Child("careless", careless)]), 60.0)

        assert [violation.checker for violation in outcome.violations] == ["world_end"]


def traced(seed: int) -> Outcome:
    return World(seed, faults="default", detail="messages").simulate(polling, 600.0)


class TestTheSameAgain:
    def test_twenty_times_in_one_process(self) -> None:
        assert len({traced(7).sha256 for _ in range(20)}) == 1

    def test_also_the_first_time_that_a_temporary_file_is_made(self) -> None:
        async def main() -> str:
            with tempfile.NamedTemporaryFile() as file:
                return file.name

        tempfile.tempdir = None

        assert World(7).run(main) == World(7).run(main)

    def test_another_seed_is_another_run(self) -> None:
        assert traced(7).sha256 != traced(8).sha256

    def test_the_hash_is_that_of_the_file(self, tmp_path: Path) -> None:
        outcome = World(7, trace_file=tmp_path / "trace").simulate(polling, 60.0)

        assert hashlib.sha256((tmp_path / "trace").read_bytes()).hexdigest() == outcome.sha256

    def test_chance_of_all_kinds(self) -> None:
        async def main() -> tuple[object, ...]:
            return os.urandom(8), uuid.uuid4(), random.random(), random.Random().random()  # noqa: S311

        draws = [World(7).run(main) for _ in range(2)]
        assert draws[0] == draws[1]
        assert draws[0] != World(8).run(main)

    @pytest.mark.slow
    def test_in_processes_with_other_hash_seeds(self) -> None:
        hashes = {
            subprocess.run(
                [sys.executable, "-c", "from tests.runtime.testing.test_world import traced; print(traced(7).sha256)"],
                env=os.environ | {"PYTHONHASHSEED": seed},
                capture_output=True,
                check=True,
                text=True,
            ).stdout
            for seed in ("0", "1", "random")
        }

        assert hashes == {f"{traced(7).sha256}\n"}


class TestStrikesByHand:
    def test_one_strikes_now_and_ends_in_time(self, tmp_path: Path) -> None:
        world = World(1, trace_file=tmp_path / "trace")
        world.serve("far", echo)

        async def main() -> float:
            async with await trio.open_tcp_stream("far", 7) as stream:
                await trio.sleep_until(10.0)
                world.strike(Partition(), "far", 20.0)
                await stream.send_all(b"?")
                await stream.receive_some()
            return trio.current_time()

        assert 30.0 < world.run(main) < 31.0
        assert [line[:10] for line in kinds(tmp_path / "trace", "fault_begin")] == ['{"t":10.0,']
        assert [line[:10] for line in kinds(tmp_path / "trace", "fault_end")] == ['{"t":30.0,']

    def test_it_needs_a_world_that_runs(self) -> None:
        text = r"^faults strike while the world runs: call strike in what World\.run was given$"
        with pytest.raises(RuntimeError, match=text):
            World(1).strike(HalfOpen())

    def test_an_instant_has_no_duration(self) -> None:
        world = World(1)

        async def main() -> None:
            world.strike(HalfOpen(), "*", 5.0)

        with pytest.raises(ValueError, match="duration"):
            world.run(main)


def test_files_of_a_scenario_are_names() -> None:
    text = r"^Scenario: files must be names, or globs of names, got '/tmp/x\.db', which has a folder$"
    with pytest.raises(ValueError, match=text):
        Scenario(tree=Supervisor("bot", []), files=("/tmp/x.db",))  # noqa: S108
