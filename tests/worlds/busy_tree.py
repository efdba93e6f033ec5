"""A tree that works every mechanism of the kernel hard, at random, from a seed.

Three strategies nested, every restart type, significant children, watches, timers across
restarts, asks in chains, small mailboxes with every rule, stashes, back pressure, publish and
subscribe, operators at work, and crashes in every hook. After `SECONDS` - the calm part - it
is quiet enough for everybody to run again.
"""

from typing import TYPE_CHECKING

from duenna import Child, Mailbox, Supervisor
from duenna.testing import Scenario

from .operators import QUICK, driver, operator
from .town import CALM_AFTER, News, Town
from .townsfolk import Clerk, Miller, Mule, Porter, Statue, walker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .town import Stage

SECONDS = 600.0
"""For how long a run is meant."""

BOUND = 80.0
"""Seconds within which all must run again once the last crash was."""


def key_of(message: object) -> object:
    """Return the key for a mailbox that keeps the latest."""
    return message.key if isinstance(message, News) else type(message).__name__


SMALL = {rule: Mailbox(3, rule) for rule in ("fail", "drop_oldest", "drop_newest")}
LATEST = Mailbox.latest(key_of, 4)


def tree(town: Town) -> Supervisor:
    """Build the busy tree, and tell *town* who is in it."""

    def clerk(name: str, **options: object) -> Child:
        return Child(name, lambda: Clerk(town), backoff=QUICK, **options)  # type: ignore[arg-type]

    def porter(name: str, **options: object) -> Child:
        return Child(name, lambda: Porter(town), backoff=QUICK, **options)  # type: ignore[arg-type]

    def miller(name: str, **options: object) -> Child:
        return Child(name, lambda: Miller(town), backoff=QUICK, **options)  # type: ignore[arg-type]

    def walk(name: str, **options: object) -> Child:
        return Child(name, walker(town), backoff=QUICK, ready="manual", start_timeout=3.0, **options)  # type: ignore[arg-type]

    loft = Supervisor(
        "loft",
        [
            clerk("guest", restart="transient", significant=True),
            porter("host", mailbox=SMALL["drop_oldest"]),
            clerk("visitor", restart="temporary", significant=True),
        ],
        auto_shutdown="any",
        intensity=4,
        period=10.0,
        backoff=QUICK,
    )
    annex = Supervisor(
        "annex",
        [
            clerk("scribe", mailbox=SMALL["drop_newest"]),
            walk("usher", drain=1.0),
            loft,
            porter("cook", restart="transient", mailbox=SMALL["fail"]),
            miller("baker"),
            Child("gnome", lambda: Statue(town), restart="transient", mailbox=SMALL["fail"]),
        ],
        strategy="rest_for_one",
        intensity=5,
        period=10.0,
        backoff=QUICK,
    )
    hall = Supervisor(
        "hall",
        [
            clerk("bursar"),
            Child("bust", lambda: Statue(town), backoff=QUICK),
            annex,
            porter("page", restart="temporary"),
            porter("butler", mailbox=LATEST, drain=0.5),
            miller("smith", restart="transient"),
        ],
        strategy="one_for_all",
        intensity=6,
        period=10.0,
        backoff=QUICK,
    )
    pond = Supervisor(
        "pond",
        [
            walk("ferryman", mailbox=SMALL["drop_oldest"]),
            clerk("frog", max_failures=2, on_give_up="park", unpark_after=15.0, reset_after=5.0),
            Child("mule", lambda: Mule(town), backoff=QUICK, shutdown=1.0, mailbox=SMALL["drop_newest"]),
            clerk("duck", restart="transient", significant=True),
            porter("swan", restart="transient", significant=True),
        ],
        auto_shutdown="all",
        intensity=8,
        period=10.0,
        backoff=QUICK,
    )
    root = Supervisor(
        "busy",
        [clerk("bell", mailbox=LATEST), porter("ledger", mailbox=SMALL["fail"]), hall, pond, miller("crier")],
        intensity=1_000_000,
        backoff=QUICK,
    )
    town.paths.extend(_paths(root, ""))
    return root


def system(town: Town) -> tuple[Child, ...]:
    """Build those who keep the tree busy."""
    drivers = [Child(f"driver-{n}", driver(town)) for n in range(2)]
    return (*drivers, *(Child(f"operator-{n}", operator(town), restart="transient") for n in range(3)))


def scenario(world: "Stage") -> Scenario:
    """Make the scenario for one world."""
    town = Town(world)
    return Scenario(tree=tree(town), system=system(town), bound=BOUND)


def peaceful(world: "Stage") -> Scenario:
    """Make the same where nobody crashes on purpose: whatever goes wrong is unexplained."""
    town = Town(world, crashes=False)
    return Scenario(tree=tree(town), system=system(town), bound=BOUND)


def _paths(spec: Supervisor, above: str) -> "Iterator[str]":
    path = f"{above}/{spec.name}"
    for child in spec.children:
        yield f"{path}/{child.name}"
        if isinstance(child, Supervisor):
            yield from _paths(child, path)


assert CALM_AFTER + 2 * BOUND <= SECONDS  # the calm part is long enough to be checked
