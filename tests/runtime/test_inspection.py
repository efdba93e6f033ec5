"""The kernel's children as light facts."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import duenna
from duenna import Actor, Backoff, Child, Mailbox, Supervisor, UnknownPathError
from duenna.child_facts import Facts
from duenna.connection import Connection
from duenna.errors import DuennaError
from duenna.events import SupervisorGaveUp
from duenna.freshness import Freshness
from duenna.inspection import Inspector, cell_of, children_of
from duenna.mailbox_facts import mailbox_of
from duenna.recipe import recipe_of

if TYPE_CHECKING:
    from duenna import Runtime


class Counter(Actor):
    """Counts; crashes when it is told an exception."""

    kind = "counter"

    def receive(self, message: object) -> None:
        """Crash or do nothing."""
        if isinstance(message, Exception):
            raise message


class Waiter(Actor):
    """Handles one message for ever."""

    async def receive(self, message: object) -> None:
        """Wait."""
        await trio.sleep_forever()


class Feed(Actor):
    """Says how fresh it is."""

    def __init__(self, *, fails: bool = False) -> None:
        """Say it, or fail at that."""
        self.fails = fails

    def freshness(self) -> Freshness:
        """Say it."""
        if self.fails:
            raise ValueError("not now")
        return Freshness(3.0, 5.0)

    def receive(self, message: object) -> None:
        """Do nothing."""


class Link(Connection):
    """Connects at once."""

    kind = "link"


def by_path(inspector: Inspector) -> dict[str, Facts]:
    return {facts.path: facts for facts in inspector.walk()}


async def test_the_tree_is_told_parents_first_in_start_order(autojump_clock: MockClock) -> None:
    """Both roots; the depth of a root is 0."""
    tree = Supervisor("bot", [Supervisor("s", [Child("a", Counter)], strategy="one_for_all"), Child("b", Counter)])
    async with duenna.open_runtime(tree, log_level=None) as runtime:
        facts = list(Inspector(runtime).walk())

        assert facts[0].path == "/system"
        assert [(each.path, each.depth) for each in facts if each.path.startswith("/bot")] == [
            ("/bot", 0),
            ("/bot/s", 1),
            ("/bot/s/a", 2),
            ("/bot/b", 1),
        ]
        of_s = next(each for each in facts if each.path == "/bot/s")
        assert (of_s.kind, of_s.strategy, of_s.is_supervisor, of_s.status) == ("supervisor", "one_for_all", True, "")
        assert (of_s.budget_left, of_s.budget, of_s.period) == (3, 3, 5.0)
        of_a = next(each for each in facts if each.path == "/bot/s/a")
        assert (of_a.kind, of_a.state, of_a.status, of_a.incarnation) == ("counter", "running", "operational", 1)
        assert (of_a.capacity, of_a.depth_now, of_a.policy) == (1000, 0, "fail")


async def test_who_did_nothing_since_is_the_same_object(autojump_clock: MockClock) -> None:
    """So that nothing needs to be made of it again."""
    tree = Supervisor("bot", [Child("a", Counter), Child("b", Counter)])
    async with duenna.open_runtime(tree, log_level=None) as runtime:
        inspector = Inspector(runtime)
        before = by_path(inspector)
        runtime.ref("/bot/a").tell(1)
        await trio.sleep(1)

        after = by_path(inspector)

        assert after["/bot/b"] is before["/bot/b"]
        assert after["/bot/a"] is not before["/bot/a"]
        assert after["/bot/a"].received == 1


async def test_counts_may_be_old_for_the_patient_only(autojump_clock: MockClock) -> None:
    """A new incarnation is told at once all the same."""
    tree = Supervisor("bot", [Child("a", Counter, backoff=Backoff.none())])
    async with duenna.open_runtime(tree, log_level=None) as runtime:
        inspector = Inspector(runtime, 10.0)
        by_path(inspector)
        await trio.sleep(10)
        runtime.ref("/bot/a").tell(1)
        await trio.sleep(1)
        assert by_path(inspector)["/bot/a"].received == 1
        runtime.ref("/bot/a").tell(2)
        await trio.sleep(1)
        assert by_path(inspector)["/bot/a"].received == 1
        runtime.ref("/bot/a").tell(ValueError("x"))
        await trio.sleep(1)

        assert by_path(inspector)["/bot/a"].incarnation == 2


async def test_who_was_removed_is_forgotten(autojump_clock: MockClock) -> None:
    """Nothing grows with the children that there were."""
    async with duenna.open_runtime(Supervisor("bot", []), log_level=None) as runtime:
        inspector = Inspector(runtime)
        by_path(inspector)
        few = len(inspector)
        await runtime.start_child("/bot", Child("passing", Counter))
        by_path(inspector)
        assert len(inspector) == few + 1
        await runtime.stop_child("/bot/passing")
        await runtime.delete_child("/bot/passing")

        assert "/bot/passing" not in by_path(inspector)
        assert len(inspector) == few


async def state_of(runtime: Runtime, path: str) -> Facts:
    await trio.sleep(1)
    return Inspector(runtime).one(path)


async def test_a_child_in_backoff_says_when_it_is_tried_again(autojump_clock: MockClock) -> None:
    """Its own wait, or that of the group that it took down; and of a parked one that of its new round."""
    slow = Backoff.steps(100.0)
    tree = Supervisor(
        "bot",
        [
            Child("alone", Counter, backoff=slow, max_failures=4),
            Supervisor(
                "group", [Child("first", Counter, backoff=slow), Child("last", Counter)], strategy="one_for_all"
            ),
            Child("parked", Counter, max_failures=0, on_give_up="park", unpark_after=300.0),
        ],
        intensity=100,
    )
    async with duenna.open_runtime(tree, log_level=None) as runtime:
        began = runtime.now()
        for name in ("alone", "group/first", "parked"):
            runtime.ref(f"/bot/{name}").tell(ValueError("no"))

        alone = await state_of(runtime, "/bot/alone")
        first = Inspector(runtime).one("/bot/group/first")
        last = Inspector(runtime).one("/bot/group/last")
        parked = Inspector(runtime).one("/bot/parked")

        assert (alone.state, alone.retry_at, alone.failures) == ("backoff", began + 100, 1)
        assert (alone.budget_left, alone.budget, alone.period) == (3, 4, None)
        assert (first.state, first.retry_at) == ("backoff", began + 100)
        assert (last.state, last.retry_at) == ("pending", None)
        assert (parked.state, parked.retry_at, parked.needs_a_hand) == ("failed", began + 300, True)
        assert (parked.counts, parked.is_last) == (False, False)
        assert (alone.counts, alone.is_last) == (True, False)
        assert alone.last_error == "ValueError: no"
        assert alone.started_at is None


async def test_the_services_that_a_walk_leaves_out_change_nothing_in_the_report(autojump_clock: MockClock) -> None:
    """What is well and no connection is of no consequence."""
    tree = Supervisor(
        "bot", [Child("a", Counter), Child("b", Counter, backoff=Backoff.steps(99.0)), Child("c", Link)], intensity=9
    )
    async with duenna.open_runtime(tree, log_level=None) as runtime:
        inspector = Inspector(runtime)
        for message in (None, ValueError("no")):
            runtime.ref("/bot/b").tell(message)
            await trio.sleep(1)
            by_path(inspector)
            short, whole = runtime.system.monitor.report(inspector.services), runtime.health()

            assert (short.overall, short.issues, short.kpis) == (whole.overall, whole.issues, whole.kpis)
            assert short.services.items() <= whole.services.items()


@pytest.mark.parametrize(
    ("child", "is_critical"),
    [
        (Child("x", Counter), False),
        (Child("x", Link), True),
        (Child("x", Link, critical=False), False),
        (Child("x", Counter, critical=True), True),
    ],
)
async def test_who_is_critical(autojump_clock: MockClock, child: Child, *, is_critical: bool) -> None:
    """Who was said to be; of whom nothing was said, the connections."""
    async with duenna.open_runtime(Supervisor("bot", [child]), log_level=None) as runtime:
        assert Inspector(runtime).one("/bot/x").is_critical is is_critical


async def test_freshness_is_what_the_actor_says(autojump_clock: MockClock) -> None:
    """One that fails at that says nothing, and hurts nobody."""
    tree = Supervisor("bot", [Child("a", Feed), Child("b", lambda: Feed(fails=True)), Child("c", Counter)])
    async with duenna.open_runtime(tree, log_level=None) as runtime:
        facts = by_path(Inspector(runtime))

        assert facts["/bot/a"].fresh == Freshness(3.0, 5.0)
        assert facts["/bot/b"].fresh is None
        assert facts["/bot/c"].fresh is None


async def test_a_suspended_child_says_so_and_how_old_its_messages_are(autojump_clock: MockClock) -> None:
    """In whatever state it is."""
    async with duenna.open_runtime(Supervisor("bot", [Child("a", Counter)]), log_level=None) as runtime:
        await runtime.suspend("/bot/a")
        began = runtime.now()
        runtime.ref("/bot/a").tell(1)

        facts = await state_of(runtime, "/bot/a")

        assert (facts.state, facts.is_suspended, facts.is_by_hand) == ("suspended", True, True)
        assert (facts.depth_now, facts.oldest_at) == (1, began)


async def test_replaced_messages_count_as_dropped(autojump_clock: MockClock) -> None:
    """Of a mailbox that keeps the latest of each key."""
    child = Child("a", Waiter, mailbox=Mailbox.latest(key=lambda _message: 1))
    async with duenna.open_runtime(Supervisor("bot", [child]), log_level=None) as runtime:
        runtime.ref("/bot/a").tell(0)
        await trio.sleep(1)
        for number in range(3):
            runtime.ref("/bot/a").tell(number)

        facts = Inspector(runtime).one("/bot/a")

        assert (facts.policy, facts.depth_now, facts.dropped, facts.oldest_at) == ("latest", 1, 2, None)


async def test_a_mailbox_shows_types_and_never_contents(autojump_clock: MockClock) -> None:
    """At most 100 messages, the oldest; what is being handled; who waits for room."""
    child = Child("a", Waiter, mailbox=Mailbox(capacity=150))
    async with (
        duenna.open_runtime(Supervisor("bot", [child]), log_level=None) as runtime,
        trio.open_nursery() as nursery,
    ):
        ref = runtime.ref("/bot/a")
        ref.tell("secret")
        await trio.sleep(1)
        for number in range(150):
            ref.tell(number)
        nursery.start_soon(ref.send, 1.5)
        await trio.sleep(1)

        inside = mailbox_of(cell_of(runtime, "/bot/a"))

        assert (inside.policy, inside.current, inside.senders, inside.stashed) == ("fail", "str", 1, 0)
        assert inside.waiting == (("int", runtime.now() - 1),) * 100
        nursery.cancel_scope.cancel()


async def test_a_recipe_is_text(autojump_clock: MockClock) -> None:
    """Of a supervisor, its strategy and intensity; of a child, what it is made by, without its arguments."""
    tree = Supervisor("bot", [Child("a", Counter, critical=True, shutdown=2.5)], intensity=7, period=9.0)
    async with duenna.open_runtime(tree, log_level=None) as runtime:
        of_child = recipe_of(cell_of(runtime, "/bot/a"))
        of_root = recipe_of(cell_of(runtime, "/bot"))

        assert of_child["start"] == f"{__name__}.Counter"
        assert (of_child["shutdown"], of_child["critical"], of_child["max_failures"]) == ("2.5 s", "yes", "none")
        assert of_child["mailbox"] == "1000 messages, fail"
        assert (of_root["strategy"], of_root["intensity"]) == ("one_for_one", "7 restarts within 9 s")
        assert children_of(cell_of(runtime, "/bot")) == ("/bot/a",)
        assert children_of(cell_of(runtime, "/bot/a")) == ()


@pytest.mark.parametrize(
    ("backoff", "text"),
    [
        (Backoff.none(), "none"),
        (Backoff.steps(1.0, 2.5), "1 s, 2.5 s"),
        (Backoff.exponential(1.0, maximum=60.0, jitter="none"), "1 s, then times 2, at most 60 s"),
        (Backoff.exponential(1.0, maximum=60.0, jitter="equal"), "1 s, then times 2, at most 60 s, jitter equal"),
    ],
)
async def test_waits_in_words(autojump_clock: MockClock, backoff: Backoff, text: str) -> None:
    """What a person wants to know of a backoff."""
    async with duenna.open_runtime(
        Supervisor("bot", [Child("a", Counter, backoff=backoff)]), log_level=None
    ) as runtime:
        assert recipe_of(cell_of(runtime, "/bot/a"))["backoff"] == text


async def test_an_unknown_path_is_told(autojump_clock: MockClock) -> None:
    """As the runtime itself tells it."""
    async with duenna.open_runtime(Supervisor("bot", []), log_level=None) as runtime:
        with pytest.raises(UnknownPathError):
            Inspector(runtime).one("/bot/nobody")


def test_facts_are_frozen() -> None:
    """They are values: whoever keeps them need not fear that they change."""
    assert Facts.__struct_config__.frozen
    assert attrs.has(Inspector)


@attrs.frozen
class Fragile:
    """A child, how often it crashes first, and how long it runs before it crashes once more."""

    restart: str
    max_failures: int | None
    on_give_up: str
    is_connection: bool
    reset_after: float
    crashes: int
    runs_for: float

    def spec(self, name: str) -> Child:
        """Return the recipe."""
        if self.is_connection:
            return Child.connection(name, Counter)
        return Child(
            name,
            Counter,
            restart=self.restart,
            max_failures=self.max_failures,
            on_give_up=self.on_give_up,
            reset_after=self.reset_after,
            backoff=Backoff.none(),
        )


fragile = st.builds(
    Fragile,
    restart=st.sampled_from(["permanent", "transient", "temporary"]),
    max_failures=st.sampled_from([None, 0, 1, 2]),
    on_give_up=st.sampled_from(["escalate", "park"]),
    is_connection=st.sampled_from([False, False, False, True]),
    reset_after=st.sampled_from([5.0, 1000.0]),
    crashes=st.integers(0, 3),
    runs_for=st.sampled_from([0.5, 10.0]),
)


async def crash(runtime: Runtime, name: str, then: float) -> None:
    with suppress(DuennaError):
        if runtime.tree(f"/bot/group/{name}").state == "running":
            runtime.ref(f"/bot/group/{name}").tell(ValueError("no"))
    await trio.sleep(then)


async def told_and_seen(one: Fragile, other: Fragile, intensity: int, period: float) -> tuple[bool, bool]:
    """Return whether one more crash was said to end the group, and whether it did."""
    group = Supervisor("group", [one.spec("one"), other.spec("other")], intensity=intensity, period=period)
    tree = Supervisor("bot", [group], intensity=1000)
    async with duenna.open_runtime(tree, log_level=None) as runtime:
        for child, name in ((other, "other"), (one, "one")):
            for _ in range(child.crashes):
                await crash(runtime, name, 0.5)
        await trio.sleep(one.runs_for)
        facts = by_path(Inspector(runtime))
        now, before = facts["/bot/group"], facts.get("/bot/group/one")
        if before is None or before.state != "running" or now.state != "running":
            return False, False
        said = before.is_last or (before.counts and now.budget_left == 0)
        with runtime.events(SupervisorGaveUp) as stream:
            await crash(runtime, "one", 1.0)
            return said, any(event.path == "/bot/group" for event in stream.drain())


@settings(max_examples=300)
@given(
    one=fragile,
    other=fragile,
    intensity=st.integers(0, 3),
    period=st.sampled_from([2.0, 1000.0]),
)
def test_what_one_more_crash_is_said_to_lead_to_happens(
    one: Fragile, other: Fragile, intensity: int, period: float
) -> None:
    """The supervisor gives up if, and only if, the facts say so."""
    said, seen = trio.run(told_and_seen, one, other, intensity, period, clock=MockClock(autojump_threshold=0))

    assert said == seen


class Odd(Actor):
    """Says something odd of itself."""

    def __init__(self, found: object) -> None:
        """Say it."""
        self.found = found

    def freshness(self) -> Freshness:
        """Say it."""
        return self.found  # type: ignore[return-value]  # that is the point

    def receive(self, message: object) -> None:
        """Do nothing."""


NAN = float("nan")
BAD: list[Any] = [
    5,
    Freshness("a", 5.0),  # type: ignore[arg-type]
    Freshness(1.0, "x"),  # type: ignore[arg-type]
    Freshness(10**400, 5.0),
    Freshness(1.0, 10**400),
    Freshness(NAN, 5.0),
    Freshness(1.0, NAN),
]


@pytest.mark.parametrize("found", BAD)
async def test_nonsense_about_freshness_is_none(autojump_clock: MockClock, found: object) -> None:
    """Whoever looks would have to reckon with it."""
    async with duenna.open_runtime(Supervisor("bot", [Child("a", partial(Odd, found))]), log_level=None) as runtime:
        assert Inspector(runtime).one("/bot/a").fresh is None


async def test_sensible_freshness_is_told(autojump_clock: MockClock) -> None:
    """Data that may come whenever it likes, too."""
    found = Freshness(1, float("inf"))
    async with duenna.open_runtime(Supervisor("bot", [Child("a", partial(Odd, found))]), log_level=None) as runtime:
        assert Inspector(runtime).one("/bot/a").fresh is found


class Nameless(Actor):
    """Has a kind that cannot be read."""

    @property
    def kind(self) -> str:  # type: ignore[override]  # that is the point
        """Fail."""
        raise ValueError("no")

    def receive(self, message: object) -> None:
        """Do nothing."""


class Wordy(Actor):
    """Has a kind that is no word."""

    kind = "k" * 100_000

    def receive(self, message: object) -> None:
        """Do nothing."""


@pytest.mark.parametrize(("start", "kind"), [(Nameless, "actor"), (Wordy, "k" * 100)])
async def test_a_kind_is_a_short_word(autojump_clock: MockClock, start: type[Actor], kind: str) -> None:
    """Whatever an actor says."""
    async with duenna.open_runtime(Supervisor("bot", [Child("a", start)]), log_level=None) as runtime:
        assert Inspector(runtime).one("/bot/a").kind == kind


async def test_the_tree_may_change_between_any_two(autojump_clock: MockClock) -> None:
    """Children come, go, and come again under the same name; supervisors restart: no path is told twice."""
    children = [Child(name, Counter, backoff=Backoff.none()) for name in "abcd"]
    group = Supervisor("group", children, intensity=0)
    tree = Supervisor("bot", [group, Child("z", Counter)], intensity=1000)
    async with duenna.open_runtime(tree, log_level=None) as runtime:
        inspector = Inspector(runtime)
        await runtime.start_child("/bot/group", Child("dynamic", Counter))
        for place in range(12):
            seen: list[str] = []
            for number, facts in enumerate(inspector.walk()):
                seen.append(facts.path)
                if number == place:
                    with suppress(DuennaError):
                        await runtime.stop_child("/bot/group/b")
                        await runtime.delete_child("/bot/group/b")
                        await runtime.start_child("/bot/group", Child("b", Counter))
                    await runtime.stop_child("/bot/z")
                    await runtime.delete_child("/bot/z")
                    await runtime.start_child("/bot", Child("z", Counter))
                    if place % 3 == 0:
                        runtime.ref("/bot/group/a").tell(ValueError("no"))
                        await trio.sleep(1)
            assert len(seen) == len(set(seen))
            after = [node.path for node in runtime.tree().walk() if node.path.startswith("/bot")]
            assert [facts.path for facts in inspector.walk() if facts.path.startswith("/bot")] == after
            assert len(inspector) == len(list(inspector.walk()))
