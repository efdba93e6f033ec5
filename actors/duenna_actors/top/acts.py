"""What the keys do to the bot: asked for first, done in a thread, and told in one line."""

from __future__ import annotations

import asyncio
import re
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from textual.app import App

from duenna_actors.client import Client, ClientError, actor_path
from duenna_actors.top import pages, shapes
from duenna_actors.top.dialogs import Choice, Page, Question
from duenna_actors.top.paint import line, look, piece
from duenna_actors.top.text import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from rich.text import Text

    from duenna_actors.top.mirror import Mirror
    from duenna_actors.top.table import Tree

_MUTED_FOR: Final = 1_800.0
_REASON: Final = "asked for in duenna top"
_ASKED_EVERY: Final = 0.25  # seconds between two looks at an operation
_ASKED_FOR: Final = 240  # looks
_READ_EVERY: Final = 2.0  # seconds between two readings of the details on the screen
_MATCHER: Final = 256  # characters that a matcher's value may have
_NAMED: Final = 8  # paths that a question names
_EVENTS: Final = 300  # lines of a log
_DOWN: Final = frozenset({"stopped", "finished", "failed", "pending"})
_BREAKER_ACTS: Final = (
    ("reset", "reset: close it, and forget its failures"),
    ("force_open", "force open: refuse every call until it is reset"),
    ("disable", "disable: let every call through, whatever becomes of it"),
)


class Acts(App[None]):
    """The keys that ask something of the bot; the screen itself is `TopApp`.

    Attributes:
        mirror: What is known of the bot.
    """

    mirror: Mirror

    def __init__(self) -> None:
        super().__init__()
        self._incident_told = ""
        self._log_page: tuple[Page, str, dict[int, dict[str, Any]]] | None = None  # with its path and its events

    @property
    @abstractmethod
    def client(self) -> Client | None:
        """The way to the bot; None before the first connection."""

    @property
    @abstractmethod
    def actors(self) -> Tree:
        """The tree of actors."""

    @abstractmethod
    def now(self) -> float:
        """Return the viewer's time, in seconds."""

    @abstractmethod
    def tell(self, text: str, tone: str = "plain") -> None:
        """Show *text* above the keys for a while."""

    def action_restart(self) -> None:
        """Restart the selected actor, if its person confirms what goes down with it."""
        self._do(self._change("restart"))

    def action_suspend(self) -> None:
        """Hold its mailbox, or let it go on."""
        row = self.actors.row or {}
        is_held = row.get("is_suspended") or row.get("state") == "suspended"
        self._do(self._change("resume" if is_held else "suspend"))

    def action_stop(self) -> None:
        """Stop it, or start it."""
        row = self.actors.row or {}
        self._do(self._change("start" if row.get("state") in _DOWN else "stop"))

    def action_breaker(self) -> None:
        """Do something to a breaker."""
        self._do(self._breaker())

    def action_mute(self) -> None:
        """Silence the alerts of the selected actor and of all below it."""
        self._do(self._mute())

    def action_incident(self) -> None:
        """Have the bot write down all that it knows now."""
        self._do(self._incident())

    def action_stack(self) -> None:
        """Show where its tasks are."""
        self._do(self._stack())

    def action_log(self) -> None:
        """Show its events."""
        self._do(self._read_log())

    def action_details(self) -> None:
        """Show all about it."""
        self._do(self._details())

    def refresh_log(self) -> None:
        """Add the events that came to the log on the screen."""
        if self._log_page is None:
            return
        page, path, known = self._log_page
        if not page.is_attached:
            self._log_page = None
            return
        known.update((event["id"], event) for event in self.mirror.events if _is_of(event["path"], path))
        newest = [known[number] for number in sorted(known)[-_EVENTS:]]
        page.replace(pages.log(self.mirror, newest))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        """Do *work* beside the screen; what goes wrong is a line on it."""

        async def told() -> None:
            try:
                await work
            except ClientError as exc:
                self.tell(str(exc), "bad")
            except (KeyError, TypeError) as exc:
                self.tell(f"this bot speaks another version: {exc!r}", "bad")

        self.run_worker(told(), exit_on_error=False)

    async def _ask(self, ask: Callable[[Client], Any]) -> Any:
        client = self.client
        if client is None:
            raise ClientError(0, "", "no bot answers yet")
        return await asyncio.to_thread(ask, client)

    async def _change(self, verb: str) -> None:
        path = self.actors.path
        if not path:
            return
        plan = await self._ask(lambda client: client.post(actor_path(path, verb), dry_run=1))
        if not plan["is_possible"]:
            self.tell(f"cannot {verb} {path}: {plan['why_not']}", "warn")
            return
        if await self.push_screen_wait(Question(f"{verb} {path}?", _plan(plan))):
            begun = await self._ask(lambda client: client.post(actor_path(path, verb), {"reason": _REASON}))
            await self._finish(f"{verb} of {path}", str(begun["operation_id"]))

    async def _finish(self, what: str, number: str) -> None:
        """Wait for the end of an operation, and say how it ended."""
        self.tell(f"{what}: under way")
        target = f"/api/v1/operations/{quote(number, safe='')}"
        for _ in range(_ASKED_FOR):
            found = await self._ask(lambda client: client.get(target))
            if found["state"] == "succeeded":
                self.tell(f"{what}: done", "good")
                return
            if found["state"] == "failed":
                self.tell(f"{what} failed: {found['error']}", "bad")
                return
            await asyncio.sleep(_ASKED_EVERY)
        self.tell(f"{what}: still under way", "warn")

    async def _breaker(self) -> None:
        known = self.mirror.header.get("breakers") or ()
        if not known:
            self.tell("this bot has used no breaker so far", "warn")
            return
        mine = (self.actors.row or {}).get("breakers", ())
        listed = sorted(known, key=lambda breaker: breaker["name"] not in mine)
        options = [(str(breaker["name"]), _breaker_line(breaker)) for breaker in listed]
        name = await self.push_screen_wait(Choice("Which breaker?", options))
        if name is None:
            return
        offered = [(act, piece(text)) for act, text in _BREAKER_ACTS]
        act = await self.push_screen_wait(Choice(f"Breaker {name}", offered))
        if act is None:
            return
        words = act.replace("_", " ")
        if await self.push_screen_wait(Question(f"{words} breaker {name}?", [piece(dict(_BREAKER_ACTS)[act])])):
            target = f"/api/v1/breakers/{quote(name, safe='', errors='surrogatepass')}/{act}"
            found = await self._ask(lambda client: client.post(target, {"reason": _REASON}))
            self.tell(f"breaker {name}: {found['state'].replace('_', ' ')}", "good")

    async def _mute(self) -> None:
        path = self.actors.path
        if not path:
            return
        body = {"matchers": [_matcher(path)], "duration": _MUTED_FOR, "comment": _REASON}
        await self._ask(lambda client: client.post("/api/v1/silences", body))
        self.tell(f"alerts of {path} and below are muted for 30 minutes", "good")

    async def _incident(self) -> None:
        body = {"reason": f"{_REASON}, at {self.actors.path or '/'}"[:200]}
        found = await self._ask(lambda client: client.post("/api/v1/incidents", body))
        self.tell(f"incident {found['id']} taken: duenna incident get {found['id']}", "good")

    def refresh_incidents(self) -> None:
        """Say that the bot has taken an incident by itself."""
        self._do(self._tell_incident())

    async def _tell_incident(self) -> None:
        found = (await self._ask(lambda client: client.get("/api/v1/incidents")))["incidents"]
        own = [each for each in found if each["trigger"] != "request"]
        if own and own[0]["id"] != self._incident_told:
            self._incident_told = own[0]["id"]
            what = "was parked" if own[0]["trigger"] == "parked" else "gave up"
            name = harmless(own[0]["path"].rpartition("/")[2] or "the bot", 20)
            self.tell(f"{name} {what}: duenna incident get {own[0]['id']}", "warn")

    async def _stack(self) -> None:
        path = self.actors.path
        found = await self._ask(lambda client: client.get(actor_path(path, "stack")))
        self.push_screen(Page(f"{path}  stack", pages.stack(found["tasks"])))

    async def _read_log(self) -> None:
        path = self.actors.path
        found = await self._ask(lambda client: client.get(actor_path(path)))
        known = {event["id"]: event for event in found["events"]}
        page = Page(f"{path}  log", pages.log(self.mirror, found["events"]), at_end=True)
        await self.push_screen(page)
        self._log_page = (page, path, known)
        self.refresh_log()

    async def _details(self) -> None:
        path = self.actors.path
        found = await self._ask(lambda client: client.get(actor_path(path)))
        page = Page(path, pages.details(self.mirror, found, self.now()))
        await self.push_screen(page)
        while page.is_attached:
            await asyncio.sleep(_READ_EVERY)
            if page.is_attached:
                found = await self._ask(lambda client: client.get(actor_path(path)))
                page.replace(pages.details(self.mirror, found, self.now()))


def _plan(plan: dict[str, Any]) -> list[Text]:
    """Return what a dry run said: its sentence, and whom it names."""
    made = [piece(plan["text"], limit=600)]
    made[0].no_wrap = False
    others = [path for path in plan["stops"] if path != plan["path"]]
    made += [line(piece("  goes down with it: ", "warn"), piece(path, "accent")) for path in others[:_NAMED]]
    if len(others) > _NAMED:
        made.append(piece(f"  and {len(others) - _NAMED} more", "warn"))
    return made


def _breaker_line(breaker: dict[str, Any]) -> Text:
    numbers = f"calls {breaker['calls']}, failed {breaker['failures']}, rejected {breaker['rejected']}"
    return line(
        piece(f"{harmless(breaker['name'], 40)}  ", "strong"),
        look(shapes.of_breaker(breaker["state"])),
        piece(f"  {numbers}"),
    )


def _is_of(path: str, above: str) -> bool:
    return path == above or path.startswith(f"{above}/")


def _matcher(path: str) -> str:
    """Return what means the alerts of *path* and of all below it, in Alertmanager's spelling."""
    escaped = re.escape(path)
    if len(escaped) > _MATCHER - len("(/.*)?"):
        return f'path="{path}"'
    return f'path=~"{escaped}(/.*)?"'
