"""Secrets never leave: planted wherever an error may hold them, none is in anything that comes out of a bot.

One bot goes through every plant in every way in which an error gets in: crashes, reports, failed
guards, handlers, connections, recoveries, cleanup, settings. What came out of it is kept as
text, by the way out, and each of them is looked through.
"""

from __future__ import annotations

import io
import json
import logging
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout, suppress
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import pytest
import trio
from loguru import logger

from duenna import Actor, Child, Connection, Context, Runtime, Supervisor, open_runtime
from duenna.cli import main as duenna_cli
from duenna.guards import Breaker, Fallback, Guard, Retry
from duenna.handlers import error_context, handle_errors, record_error
from duenna.logs import setup
from duenna.machines.backoff import Backoff
from duenna.machines.classification import Category
from duenna.recovery import RecoveryAction
from duenna.settings import SettingsError, SettingsSource
from duenna.testing import World, fresh_guards
from duenna_actors.alerts import LogReceiver, SlackReceiver, TelegramReceiver, WebhookReceiver, alerts
from tests.actors.alerts.kit import WebServer
from tests.runtime.reports.planted import PLANTED, Plant, context_of_secrets, made_up, registered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from duenna.events import Event

NOW = {
    "alerts": {"cooldown": 0.0, "group_wait": 0.0, "group_interval": 2.0, "cap_per_hour": 1_000_000},
    "error_handling": {"base_delay": 0.01, "max_delay": 0.02, "max_retries": 1},
}
_DETAILS, IN_CONTEXT = context_of_secrets()
DETAILS = {"cause" if name == "error" else name: value for name, value in _DETAILS.items()}
OF_RECEIVERS = [made_up(f"receiver {number}") for number in range(6)]
OF_SETTINGS = [made_up(f"settings {number}") for number in range(5)]
SECRETS = [*(plant.secret for plant in PLANTED), *IN_CONTEXT, *OF_RECEIVERS, *OF_SETTINGS]
PIECES = {secret[at : at + 8]: secret for secret in SECRETS for at in range(0, len(secret) - 7, 5)}

WAYS_OUT = (
    "human log",
    "events as JSON",
    "events as text",
    "events as repr",
    "tree",
    "stop report",
    "error log",
    "recovery log",
    "summary",
    "printed summary",
    "export",
    "latest errors",
    "recovery statistics",
    "health",
    "alerts over HTTP",
    "handler's reports",
    "settings",
    "refused settings",
    "receivers",
    "guards",
    "classify, a file",
    "classify, what it complains of",
    "classify, explained",
    "trace of a world",
)


class Line(Connection):
    """A connection whose connect, or whose second check, fails with a plant."""

    kind = "api"

    def __init__(self, plant: Plant, *, connects: bool) -> None:
        self.plant = plant
        self.connects = connects
        self.checked = False

    async def connect(self) -> None:
        """Fail, or not."""
        if not self.connects:
            raise self.plant.make()

    async def check(self) -> None:
        """Fail the second time."""
        if self.checked:
            raise self.plant.make()
        self.checked = True

    async def session(self) -> None:
        """Have it checked again."""
        await self.until_up()
        self.check_soon()
        await trio.sleep_forever()


@attrs.define(eq=False)
class Untidy(Actor):
    """Fails when it is to clean up."""

    plant: Plant

    def receive(self, message: object) -> None:
        """Fail on a message."""
        raise self.plant.make()

    def stopping(self, reason: object) -> None:
        """Fail."""
        raise self.plant.make()


def crasher(plant: Plant) -> Callable[[Context], Any]:
    """Make an actor that crashes with *plant*."""

    async def crash(_context: Context) -> None:
        await trio.lowlevel.checkpoint()
        raise plant.make()

    return crash


async def report_all(context: Context) -> None:
    """Report every plant in each way that an actor has."""
    for number, plant in enumerate(PLANTED):
        error = plant.make()
        context.report(plant.make(), **DETAILS, text=str(error)[:3000])
        logging.getLogger("a library").warning("failed: %s", error)
        record_error(f"label {str(error)[:2000]}", plant.make(), context=DETAILS, operation=str(error)[:2000])
        record_error("words", str(error)[:3000], component="orders", severity="CRITICAL")
        with suppress(Exception), error_context("an operation", "prices", api_key=plant.secret, said=str(error)[:3000]):
            raise plant.make()
        await handle_errors("look up", "prices", max_retries=1, fallback_value=None)(_raiser(plant))()
        await _guarded(number, plant)
        reconnect = _raiser(plant)
        await context.runtime.recovery.recover("api", plant.make(), reconnect, context=f"{number} {str(error)[:1000]}")
        await context.runtime.recovery.recover("orders", str(error)[:3000], reconnect, context=str(number))
    context.ready()
    await trio.sleep_forever()


async def _guarded(number: int, plant: Plant) -> None:
    """Retry, open the breaker, fall back, and fail for good."""
    retry = Retry(2, backoff=Backoff.none())
    guards = [
        Guard(f"far{number}", retry=retry, breaker=Breaker.consecutive(1, open_for=60.0)),
        Guard(f"near{number}", retry=retry, fallback=Fallback.value(0)),
    ]
    for guard in guards:
        for _ in range(2):
            with suppress(Exception):
                await guard.call(_raiser(plant))


def _raiser(plant: Plant) -> Callable[[], Any]:
    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        raise plant.make()

    return fail


def children() -> list[Child]:
    """Make the bot: every plant crashes, fails to connect, fails a check, and fails in cleanup."""
    made: list[Child] = []
    never = Backoff.steps(3600.0)
    for number, plant in enumerate(PLANTED):
        made += [
            Child(f"crash{number}", crasher(plant), backoff=never),
            Child(f"gone{number}", crasher(plant), max_failures=0, on_give_up="park"),
            Child.connection(f"line{number}", _made(plant, connects=False)),
            Child.connection(f"link{number}", _made(plant, connects=True)),
            Child(f"untidy{number}", _untidy(plant), backoff=never),
            Child(f"asked{number}", _untidy(plant), backoff=never),
        ]
    return [*made, Child("reporter", report_all, ready="manual", start_timeout=300.0)]


def _made(plant: Plant, *, connects: bool) -> Callable[[], Line]:
    return lambda: Line(plant, connects=connects)


def _untidy(plant: Plant) -> Callable[[], Untidy]:
    return lambda: Untidy(plant)


def actions() -> list[RecoveryAction]:
    """Make actions of the bot's own that fail with plants."""

    def make(plant: Plant) -> Callable[[Any], bool]:
        def act(_incident: object) -> bool:
            raise plant.make()

        return act

    return [
        RecoveryAction(f"own{number}", make(plant), (Category.API, Category.DATA, Category.SYSTEM), priority=0)
        for number, plant in enumerate(PLANTED[::8])
    ]


def receivers(url: str) -> list[Any]:
    """Make receivers with secrets of their own: one that takes what it gets, and some that cannot be reached."""
    one, two, three, four, five, six = OF_RECEIVERS
    nowhere = "http://127.0.0.1:1"
    return [
        LogReceiver(),
        WebhookReceiver(url=f"{url}/{one}", headers={"Authorization": f"Bearer {two}"}, secret=three),
        WebhookReceiver(name="dead", url=f"{nowhere}/{four}", timeout=1.0),
        SlackReceiver(url=f"{nowhere}/services/{five}", timeout=1.0),
        TelegramReceiver(token=f"1:{six}", chat_id="5", url=nowhere, timeout=1.0),
    ]


@asynccontextmanager
async def web_server() -> AsyncIterator[WebServer]:
    """Serve on this machine."""
    server = WebServer([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"])
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve)
        yield server
        nursery.cancel_scope.cancel()


async def change_settings(runtime: Runtime, file: Path) -> list[str]:
    """Read settings that are wrong, and then some that hold text of the user's own; return what was said."""
    said: list[str] = []
    rule = {
        "name": f"token={OF_SETTINGS[0]}",
        "category": "API",
        "texts": ["listen-key"],
        "codes": [f"password={OF_SETTINGS[1]}"],
    }
    for values in (
        {"api_key": OF_SETTINGS[2]},
        {"error_handling": {"max_retries": f"api_secret={OF_SETTINGS[3]}"}},
        {"error_handling": {"recovery_actions": {f"token={OF_SETTINGS[4]}": {"enabled": True}}}},
        {**NOW, "classifier": {"rules": [rule]}},
        {**NOW, "classifier": {"rules": []}},
    ):
        await trio.Path(file).write_text(json.dumps(values))
        try:
            await runtime.reload_settings()
        except SettingsError as error:
            said.append(f"{error} {error!r}")
    return said


async def live(folder: Path) -> dict[str, str]:
    """Run the bot, and return what came out of it."""
    out: dict[str, str] = {}
    file = folder / "settings.json"
    file.write_text(json.dumps(NOW))
    async with web_server() as server:
        told = receivers(server.url)
        async with open_runtime(
            Supervisor("bot", intensity=1_000_000, period=1.0),
            system=[alerts(told, drain=0.5)],
            log_level="DEBUG",
            settings=SettingsSource(env={}, json=file),
            directory=folder,
            recovery_actions=actions(),
            seed=1,
        ) as runtime:
            with runtime.events(capacity=1_000_000) as stream:
                await runtime.start_children("/bot", children())
                for number in range(len(PLANTED)):
                    with suppress(Exception):
                        await runtime.ref(f"/bot/asked{number}").ask("fail", timeout=5.0)
                out["settings"] = repr(runtime.settings) + repr(runtime.live_settings)
                out["refused settings"] = "\n".join(await change_settings(runtime, file))
                out["tree"] = _both(runtime.tree())
                out["health"] = _both(runtime.health()) + runtime.health().text()
                guards = list(runtime.guards.values())
                out["guards"] = "".join(repr(guard.statistics()) for guard in guards)
                out["guards"] += repr(guards[0]) + repr(guards[-1])
                await trio.testing.wait_all_tasks_blocked(0.05)
                await _collect(out, runtime, folder)
                out["recovery statistics"] = _both(runtime.recovery.statistics())
            events = list(stream.drain())
        out["stop report"] = repr(runtime.report)
        out["receivers"] = "\n".join(map(repr, told))
        out["alerts over HTTP"] = b"\n".join(server.bodies).decode()
    _tell(out, events)
    for name, place in (("error log", "data/errors"), ("recovery log", "logs/recovery")):
        out[name] = "\n".join(each.read_text() for each in sorted((folder / place).iterdir()))
    return out


async def _collect(out: dict[str, str], runtime: Runtime, folder: Path) -> None:
    errors = runtime.errors
    printed = io.StringIO()
    errors.print_summary(file=printed)
    await errors.export(folder / "export.json")
    out["summary"] = _both(errors.summary())
    out["printed summary"] = printed.getvalue()
    out["export"] = (folder / "export.json").read_text()
    out["latest errors"] = _both(errors.recent)


def _tell(out: dict[str, str], events: list[Event]) -> None:
    out["events as JSON"] = b"\n".join(map(msgspec.json.encode, events)).decode()
    out["events as text"] = "\n".join(event.text() for event in events)
    out["events as repr"] = "\n".join(map(repr, events))


def _both(value: object) -> str:
    """Return everything that is in *value*, as code sees it and as a file does."""
    return repr(value) + msgspec.json.encode(value, enc_hook=repr).decode()


def classify(folder: Path) -> dict[str, str]:
    """Have the command line classify every plant: in a file, in a file that is wrong, and one by one."""
    out: dict[str, str] = {}
    lines = [
        json.dumps({"id": f"{number}", "type": "ValueError", "message": str(plant.make())[:5000]})
        for number, plant in enumerate(PLANTED)
    ]
    (folder / "good.jsonl").write_text("\n".join(lines))
    (folder / "bad.jsonl").write_text("\n".join(f"{{{line}" for line in lines))
    out["classify, a file"] = _said("classify", str(folder / "good.jsonl"), "--json")
    out["classify, what it complains of"] = _said("classify", str(folder / "bad.jsonl"), "--json")
    explained = [_said("classify", f"ValueError: {str(plant.make())[:2000]}", "--all") for plant in PLANTED[:10]]
    out["classify, explained"] = "\n".join(explained)
    return out


def _said(*arguments: str) -> str:
    said, complained = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(complained):
        duenna_cli(arguments)
    return said.getvalue() + complained.getvalue()


def trace(folder: Path) -> str:
    """Run every crash and every report in a world, and return its trace."""
    crashes = [Child(f"crash{number}", crasher(plant), restart="temporary") for number, plant in enumerate(PLANTED)]

    async def report(context: Context) -> None:
        for plant in PLANTED:
            context.report(plant.make(), **DETAILS)
            record_error("label", plant.make(), context=DETAILS)
        await trio.sleep_forever()

    file = folder / "trace.jsonl"
    World(1, trace_file=file).simulate(Supervisor("bot", [*crashes, Child("reporter", report)]), 60.0)
    return file.read_text()


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give everything that came out, by the way out."""
    folder = tmp_path_factory.mktemp("bot")
    lines: list[str] = []
    with registered(), fresh_guards():
        with setup("DEBUG", sink=lines.append):
            out = trio.run(live, folder)
            logger.complete()
        out["handler's reports"] = _reports()
        out["human log"] = "".join(lines)
        out.update(classify(folder))
        out["trace of a world"] = trace(folder)
    return out


def _reports() -> str:
    """Have the handler of the process report every plant, without a runtime."""
    return "\n".join(_both(record_error("label", plant.make(), context=DETAILS)) for plant in PLANTED)


def leaking(text: str) -> list[str]:
    """Return the secrets of which 12 characters in a row, or more, are in *text*: for `leaks` it is too much."""
    return sorted({PIECES[piece] for at in range(len(text) - 7) if (piece := text[at : at + 8]) in PIECES})


def test_no_way_out_is_forgotten(outputs: dict[str, str]) -> None:
    assert sorted(outputs) == sorted(WAYS_OUT)


@pytest.mark.parametrize("way", WAYS_OUT)
def test_no_secret_comes_out(way: str, outputs: dict[str, str]) -> None:
    assert leaking(outputs[way]) == []


BIG = {way for way in WAYS_OUT if way not in {"settings", "receivers", "guards", "refused settings"}}
SAYS_LITTLE = {
    "classify, a file",
    "classify, explained",
    "classify, what it complains of",
    "health",
    "printed summary",
    "recovery statistics",
    "stop report",
}


@pytest.mark.parametrize("way", sorted(BIG))
def test_there_is_something_to_come_out(way: str, outputs: dict[str, str]) -> None:
    """An output that shows nothing proves nothing: of most plants it shows the place where the secret was."""
    assert len(outputs[way]) > 500
    if way not in SAYS_LITTLE:
        assert outputs[way].count("***") > 10
