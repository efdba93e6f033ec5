"""One actor: to look at it whatever its name is, and to act on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import trio

from duenna import Child, ChildStarted, Supervisor
from duenna_actors.console.server.tokens import VIEW
from tests.actors.console.api.bots import ODD, Crash, Hopeless, Slow, bot, ended, odd
from tests.actors.console.api.test_lists import LONG, problem
from tests.actors.console.support import running as anew
from tests.actors.console.support import running_console

if TYPE_CHECKING:
    from tests.actors.console.support import Running


def at(*names: str) -> str:
    """Return the URL of an actor."""
    return "/api/v1/actors/" + "/".join(quote(name, safe="") for name in names)


async def state_of(running: Running, path: str) -> str:
    return running.runtime.tree(path).state


async def test_an_actor_of_any_name_is_found() -> None:
    """An actor that is called as a word of ours is asked with a slash at its end."""
    async with running_console(bot(odd())) as running, running.client("view") as http:
        for name in ODD:
            url, path = at("bot", "odd", name), f"/bot/odd/{name}"
            details = await http.get(f"{url}/")
            assert (details.status_code, details.json()["row"]["path"]) == (200, path), details.text
            stack = await http.get(f"{url}/stack")
            assert (stack.status_code, stack.json()["path"]) == (200, path), stack.text
            mailbox = await http.get(f"{url}/mailbox")
            assert (mailbox.status_code, mailbox.json()["mailbox"]["depth"]) == (200, 0), mailbox.text
            act = await running.post(f"{url}/restart?dry_run=1")
            assert (act.status_code, act.json()["path"]) == (200, path), act.text
            if name not in {"stack", "mailbox"}:
                assert (await http.get(url)).json()["row"]["path"] == path
        whole = await http.get(at("bot%2Fodd").replace("%25", "%"))

    assert whole.json()["row"]["path"] == "/bot/odd"


async def test_details_are_dated_and_whole() -> None:
    async with running_console(bot()) as running, running.client("view") as http:
        running.runtime.ref("/bot/feeds/two").tell(Crash("no"))
        while not running.runtime.errors.total:
            await trio.lowlevel.checkpoint()
        told = (await http.get(at("bot", "feeds", "two"))).json()

    assert {"now", "at", "row", "spec", "errors", "why", "history", "events", "mailbox", "children"} <= told.keys()
    assert told["errors"][0]["message"].endswith("no")


async def test_what_is_no_actor_is_answered_with_its_neighbours() -> None:
    wrong = (
        at("bot", "feeds", "ome"),
        at("bot", LONG),
        at("bot", "\x00"),
        at("bot", "\n"),
        at("bot", "feeds", "one", "more"),
        "/api/v1/actors/%FF%FE",
        "/api/v1/actors//bot",
        "/api/v1/actors/bot/../../etc/passwd",
    )
    async with running_console(bot()) as running, running.client("view") as http:
        for url in wrong:
            told = problem(await http.get(url), 404)
            assert len(told["detail"]) < 1000
        told = problem(await http.get(wrong[0]), 404)
        no_mailbox = problem(await http.get(at("bot", "feeds", "mailbox")), 409)

    assert told["names"][0] == "/bot/feeds/one"
    assert no_mailbox["detail"] == "'/bot/feeds' is a supervisor: it has no mailbox, its children have"


async def test_a_restart_takes_down_what_the_dry_run_said() -> None:
    async with running_console(bot()) as running:
        plan = (await running.post(f"{at('bot', 'feeds', 'two')}/restart?dry_run=1")).json()
        with running.runtime.events(ChildStarted) as events:
            begun = await running.post(f"{at('bot', 'feeds', 'two')}/restart", {"reason": "it hangs"})
            started = [(await anext(events)).path for _ in range(2)]
        done = await ended(running, begun.json()["operation_id"])

    assert plan["is_possible"]
    assert set(plan["starts"]) == {"/bot/feeds/two", "/bot/feeds/three"}
    assert begun.status_code == 202
    assert begun.headers["location"] == f"/api/v1/operations/{done.id}"
    assert set(begun.json()["affected"]) == set(started) == {"/bot/feeds/two", "/bot/feeds/three"}
    assert (done.state, done.action, done.path) == ("succeeded", "restart", "/bot/feeds/two")
    assert (done.reason, done.by) == ("it hangs", "operate")
    assert done.ended_at is not None


async def test_every_action_and_its_way_back() -> None:
    """And what is not possible now is refused with the reason."""
    steps = (
        ("suspend", 202, "suspended"),
        ("resume", 202, "running"),
        ("resume", 409, "running"),
        ("stop", 202, "stopped"),
        ("suspend", 409, "stopped"),
        ("start", 202, "running"),
        ("start", 409, "running"),
        ("restart", 202, "running"),
    )
    async with running_console(bot()) as running:
        for action, status, state in steps:
            answer = await running.post(f"{at('bot', 'store')}/{action}")
            assert answer.status_code == status, (action, answer.text)
            if status == 202:
                done = await ended(running, answer.json()["operation_id"])
                assert done.state == "succeeded", (action, done)
            else:
                assert problem(answer, 409)["detail"].startswith(f"cannot {action} /bot/store: ")
            assert await state_of(running, "/bot/store") == state, action


async def test_what_may_not_be_asked_is_refused_and_changes_nothing() -> None:
    store = at("bot", "store")
    wrong: dict[str, tuple[Any, int]] = {
        f"{store}/kill": ({}, 404),
        f"{store}/RESTART": ({}, 404),
        f"{store}/stop": ({"fresh": True}, 422),
        f"{store}/restart": ({"fresh": "yes"}, 422),
        f"{store}/start": ({"reason": "x" * 501}, 422),
        f"{store}/suspend": ([], 422),
        f"{store}/restart?dry_run=maybe": ({}, 422),
        f"{store}/restart?dry-run=1": ({}, 422),
        f"{at('bot', 'nope')}/restart": ({}, 404),
        f"{at('bot', 'nope')}/restart?dry_run=1": ({}, 404),
        f"{at('bot')}/restart": ({}, 409),
        f"{at('system')}/stop": ({}, 409),
    }
    async with running_console(bot()) as running:
        for url, (body, status) in wrong.items():
            problem(await running.post(url, body), status)
        problem(await running.post(f"{store}/restart", token=VIEW), 403)
        problem(await running.post(f"{store}/restart", token=None), 401)
        assert running.runtime.tree("/bot/store").incarnation == 1
        assert (await running.get("/api/v1/operations")).json() == {"operations": []}


async def test_a_key_makes_a_second_request_the_same() -> None:
    store = at("bot", "store")
    async with running_console(bot()) as running:
        first = await running.post(f"{store}/restart", {}, headers={"idempotency-key": "a"})
        await ended(running, first.json()["operation_id"])
        again = await running.post(f"{store}/restart", headers={"idempotency-key": "a"})
        other = await running.post(f"{store}/restart", {"fresh": True}, headers={"idempotency-key": "a"})
        elsewhere = await running.post(f"{at('bot', 'engine')}/restart", {}, headers={"idempotency-key": "a"})
        bad = await running.post(f"{store}/restart", {}, headers={"idempotency-key": "x" * 256})
        assert running.runtime.tree("/bot/store").incarnation == 2

    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    for refused in (other, elsewhere, bad):
        assert problem(refused, 422)["field"] == "Idempotency-Key"


async def test_the_console_restarts_itself() -> None:
    """The answer is out before, and the operation is known after."""
    async with running_console(bot()) as running:
        with running.runtime.events(ChildStarted) as events:
            begun = await running.post(f"{at('system', 'console')}/restart", {"reason": "try"})
            while (await anext(events)).path != "/system/console":
                pass
        done = await ended(await anew(running.runtime), begun.json()["operation_id"])

    assert begun.status_code == 202
    assert (done.state, done.error) == ("succeeded", "")


async def test_the_console_is_restarted_in_the_middle_of_an_operation() -> None:
    """It has failed, as far as the console knows; what had been begun goes on."""
    gate = trio.Event()
    gate.set()
    slow = Supervisor("slow", [_slow(gate_of := {"gate": gate})])
    async with running_console(bot(slow)) as running:
        gate_of["gate"] = trio.Event()
        begun = await running.post(f"{at('bot', 'slow', 'one')}/restart", {})
        with running.runtime.events(ChildStarted) as events:
            await running.runtime.restart_child("/system/console")
            gate_of["gate"].set()
            while (await anext(events)).path != "/bot/slow/one":
                pass
        done = await ended(await anew(running.runtime), begun.json()["operation_id"])

    assert (done.state, done.path) == ("failed", "/bot/slow/one")
    assert done.error.startswith("the console was restarted in the middle")


def _slow(gates: dict[str, trio.Event]) -> Any:
    return Child("one", lambda: Slow(gates["gate"]))


@pytest.mark.parametrize("action", ["restart", "stop"])
async def test_a_whole_supervisor_is_acted_on(action: str) -> None:
    async with running_console(bot()) as running:
        begun = await running.post(f"{at('bot', 'feeds')}/{action}")
        done = await ended(running, begun.json()["operation_id"])

    assert done.state == "succeeded"
    assert "/bot/feeds" in done.affected


async def test_a_key_holds_for_requests_that_come_together() -> None:
    """Ten at once are one restart."""
    answers = list[Any]()

    async with running_console(bot()) as running:

        async def once() -> None:
            body = {"service": "database"}
            answers.append(await running.post("/api/recovery/restart", body, headers={"idempotency-key": "k"}))

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(once)
        await ended(running, answers[0].json()["operation_id"])
        incarnation = running.runtime.tree("/bot/store").incarnation

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert incarnation == 2


async def test_a_restart_that_fails_says_why() -> None:
    """And nothing of the inside but the error, without secrets."""
    hopeless = Child("hopeless", Hopeless)
    async with running_console(bot()) as running:
        await running.runtime.start_child("/bot", hopeless)
        running.runtime.ref("/bot/hopeless")
        Hopeless.is_broken = True
        try:
            begun = await running.post(f"{at('bot', 'hopeless')}/restart")
            done = await ended(running, begun.json()["operation_id"])
        finally:
            Hopeless.is_broken = False

    assert done.state == "failed"
    assert "/bot/hopeless did not start" in done.error
    assert "abcdef0123456789" not in done.error
