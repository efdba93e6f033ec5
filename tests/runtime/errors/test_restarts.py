"""What the settings and the verdict make of a restart."""

import pytest
import trio
from trio.testing import MockClock

from duenna import Backoff, Child, ManualInterventionError, Runtime, Supervisor, open_runtime
from duenna.settings import ErrorHandling, Settings
from tests.runtime.messaging.support import Puppet, bot, child, crash

from .support import BadKeyError, Failing, TooManyRequestsError, refused


async def starts_of(errors: list[BaseException], seconds: float, **options: object) -> tuple[list[float], str]:
    """Run one reconnecting child that fails with *errors*; return when it was started, and how it was at the end."""
    starts: list[float] = []
    tree = Supervisor("bot", [Child.connection("a", lambda: Failing(errors, starts))], intensity=100)
    async with open_runtime(tree, log_level=None, **options) as runtime:  # type: ignore[arg-type]
        await trio.sleep(seconds)
        return starts, runtime.tree().children[0].state


async def test_connection_waits_10_30_60_and_is_parked(autojump_clock: MockClock) -> None:
    """Three attempts, then a hand is needed."""
    starts, state = await starts_of([refused() for _ in range(4)], 200)

    assert starts == [0.0, 11.0, 42.0, 103.0]
    assert state == "failed"


async def test_parked_connection_gets_a_new_round(autojump_clock: MockClock) -> None:
    """After `unpark_after`, so that a long outage does not cost a bot its feed for good."""
    starts, state = await starts_of([refused() for _ in range(5)], 450)

    assert starts == [0.0, 11.0, 42.0, 103.0, 404.0, 415.0]
    assert state == "running"


async def test_uptime_resets_the_attempts(autojump_clock: MockClock) -> None:
    """An incarnation that stayed up for `reset_after` seconds makes the next failure the first."""
    starts: list[float] = []
    errors: list[BaseException] = [refused(), refused()]
    spec = Child.connection("a", lambda: Failing(errors, starts), reset_after=0.5)
    async with open_runtime(Supervisor("bot", [spec], intensity=100), log_level=None):
        await trio.sleep(100)

    assert starts == [0.0, 11.0, 22.0]


async def test_settings_say_the_waits_and_the_attempts(autojump_clock: MockClock) -> None:
    handling = ErrorHandling(max_retries=1, base_delay=2.0, backoff_factor=2.0, max_delay=3.0, unpark_after=None)
    starts, state = await starts_of([refused() for _ in range(3)], 10_000, settings=Settings(error_handling=handling))

    assert starts == [0.0, 3.0]
    assert state == "failed"


async def test_longest_wait_is_the_settings(autojump_clock: MockClock) -> None:
    handling = ErrorHandling(max_retries=3, base_delay=2.0, backoff_factor=2.0, max_delay=3.0)
    starts, _ = await starts_of([refused() for _ in range(3)], 100, settings=Settings(error_handling=handling))

    assert starts == [0.0, 3.0, 7.0, 11.0]


async def test_outage_of_all_connections_does_not_spend_the_intensity(autojump_clock: MockClock) -> None:
    """Each has its own attempts, and is parked by itself; the supervisor, as it is made, goes on."""
    names = ["api", "balance", "websocket", "database", "orders"]
    errors: dict[str, list[BaseException]] = {name: [refused() for _ in range(4)] for name in names}
    specs = [Child.connection(name, lambda name=name: Failing(errors[name])) for name in names]
    async with open_runtime(Supervisor("bot", specs), log_level=None) as runtime:
        await trio.sleep(105)
        children = runtime.tree().children

    assert [child.state for child in children] == ["failed"] * 5


@pytest.mark.parametrize("option", ["backoff", "max_failures", "on_give_up", "unpark_after"])
def test_connection_takes_no_option_that_the_settings_have(option: str) -> None:
    with pytest.raises(TypeError, match=rf"^child 'a': {option} of a connection is the settings' to say"):
        Child.connection("a", Puppet, **{option: None})


async def test_rate_limit_is_a_floor_under_the_wait(autojump_clock: MockClock) -> None:
    """The far end says for how long it wants to be left alone, or else one second is."""
    errors: list[BaseException] = [TooManyRequestsError(40.0), TooManyRequestsError()]
    starts: list[float] = []
    spec = child("a", lambda: Failing(errors, starts), backoff=Backoff.steps(1.0))
    async with bot(spec):
        await trio.sleep(100)

    assert starts == [0.0, 41.0, 43.0]


async def test_new_round_begins_no_sooner_than_the_far_end_allows(autojump_clock: MockClock) -> None:
    """A ban of an hour is not over when the time of the parked child is."""
    starts, _ = await starts_of([TooManyRequestsError(3600.0) for _ in range(4)], 15_000)

    assert starts == [0.0, 3601.0, 7202.0, 10803.0, 14404.0]


async def test_manual_intervention_error_parks(autojump_clock: MockClock) -> None:
    """Whatever budget the child has left; a new round begins after its own `unpark_after`."""
    async with bot(child("a", Puppet, unpark_after=50.0)) as runtime:
        runtime.ref("/bot/a").tell(crash(ManualInterventionError("look at the cable")))
        await trio.sleep(49)
        before = runtime.tree().children[0]
        await trio.sleep(2)
        after = runtime.tree().children[0]

    assert (before.state, before.last_error) == (
        "failed",
        "ManualInterventionError: manual intervention required: look at the cable",
    )
    assert (after.state, after.incarnation) == ("running", 2)


async def crashed(settings: Settings, kind: str) -> str:
    """Run a child of *kind* that crashes once under *settings*; return its state a minute later."""

    class Actor(Puppet):
        pass

    Actor.kind = kind
    tree = Supervisor("bot", [child("a", Actor)])
    async with open_runtime(tree, log_level=None, settings=settings) as runtime:
        runtime.ref("/bot/a").tell(crash(refused()))
        await trio.sleep(1_000)
        return runtime.tree().children[0].state


@pytest.mark.parametrize(
    ("settings", "kind", "state"),
    [
        (Settings(), "actor", "running"),
        (Settings(auto_recovery_enabled=False), "actor", "failed"),
        (Settings(auto_recovery_enabled=False), "database", "failed"),
        (Settings(database_auto_reconnect=False), "actor", "running"),
        (Settings(database_auto_reconnect=False), "database", "failed"),
        (Settings(trade_engine_auto_restart=False), "database", "running"),
        (Settings(trade_engine_auto_restart=False), "trade_engine", "failed"),
    ],
)
async def test_recovery_that_is_switched_off_parks_what_crashes(
    autojump_clock: MockClock, settings: Settings, kind: str, state: str
) -> None:
    assert await crashed(settings, kind) == state


async def test_recovery_that_is_switched_off_still_detects(autojump_clock: MockClock) -> None:
    tree = Supervisor("bot", [child("a", Puppet)])
    async with open_runtime(tree, log_level=None, settings=Settings(auto_recovery_enabled=False)) as runtime:
        runtime.ref("/bot/a").tell(crash(refused()))
        await trio.sleep(1)

    assert runtime.errors.summary().total_errors == 1


async def test_runtimes_own_actors_are_restarted_whatever_the_settings_say(autojump_clock: MockClock) -> None:
    tree = Supervisor("bot", [])
    settings = Settings(auto_recovery_enabled=False)
    async with open_runtime(tree, log_level=None, settings=settings, system=[child("a", Puppet)]) as runtime:
        runtime.ref("/system/a").tell(crash(refused()))
        await trio.sleep(1)

        assert node_state(runtime, "/system/a") == "running"


async def test_authentication_beats_the_settings_rounds(autojump_clock: MockClock) -> None:
    """A reconnecting child that is parked for its key gets no new round."""
    starts, state = await starts_of([BadKeyError()], 10_000)

    assert (starts, state) == ([0.0], "failed")


async def test_replaced_settings_hold_from_the_next_failure_on(autojump_clock: MockClock) -> None:
    """Children are not restarted for it, and a wait that has begun stays as it is."""
    starts: list[float] = []
    errors: list[BaseException] = [refused(), refused()]
    spec = Child.connection("a", lambda: Failing(errors, starts))
    async with open_runtime(Supervisor("bot", [spec], intensity=100), log_level=None) as runtime:
        await trio.sleep(5)
        changes = runtime.apply_settings(Settings(error_handling=ErrorHandling(base_delay=1.0, backoff_factor=1.0)))
        await trio.sleep(50)

    assert starts == [0.0, 11.0, 13.0]
    assert set(changes) == {"error_handling.base_delay", "error_handling.backoff_factor"}


def node_state(runtime: Runtime, path: str) -> str:
    return runtime.tree(path).state
