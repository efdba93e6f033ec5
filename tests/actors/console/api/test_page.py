"""What docs/console-api.md shows is true: every curl line runs, and the table is the API's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import attrs
import httpx2
import trio

from duenna_actors.alerts import alerts
from duenna_actors.console.api.names import STOCK
from duenna_actors.console.api.routes import ENDPOINTS
from tests.actors.alerts.kit import Recorder
from tests.actors.console.api.bots import bot, guard
from tests.actors.console.support import NO_TLS, running_console

PAGE = (Path(__file__).parents[4] / "docs" / "console-api.md").read_text()
EXAMPLE = re.compile(r"^# .* -> (\d+)\n(curl .*)$", re.MULTILINE)


@attrs.define
class Request:
    """What a curl line sends."""

    url: str = ""
    method: str = "GET"
    headers: dict[str, str] = attrs.field(factory=dict[str, str])
    body: str | None = None

    @classmethod
    def of(cls, line: str) -> Request:
        """Read a line with the options that the page uses."""
        words = iter(shlex.split(line)[1:])
        made = cls()
        for word in words:
            match word:
                case "-s" | "-N":
                    pass
                case "--unix-socket":
                    assert next(words) == "$SOCKET"
                case "-H":
                    name, _, value = next(words).partition(": ")
                    made.headers[name] = value
                case "-X":
                    made.method = next(words)
                case "-d":
                    made.body, made.method = next(words), "POST"
                case _:
                    assert not word.startswith("-"), word
                    made.url = word
        return made


def test_the_table_is_that_of_the_api() -> None:
    rows = re.findall(r"^\| (GET|POST|DELETE) \| `(.*?)` \| (\w+) \| (.*?) \|$", PAGE, re.MULTILINE)

    assert rows == [(each.method, each.path, each.role, each.summary) for each in ENDPOINTS]


def test_every_stock_name_on_the_page_is_one() -> None:
    found = re.search(r"else a stock name \((.*?)\)", PAGE, re.DOTALL)
    assert found is not None

    assert set(re.findall(r"`(.*?)`", found[1])) <= STOCK.keys()


async def test_every_curl_line_is_answered_as_the_page_says(tmp_path: Path) -> None:
    examples = EXAMPLE.findall(PAGE)
    assert len(examples) == PAGE.count("\ncurl ")
    own, told = guard("exchange"), list[tuple[str, int, int]]()
    options: dict[str, Any] = {"system": [alerts([Recorder()])], "runtime_options": {"directory": tmp_path}}
    async with running_console(bot(), **options) as running:
        await own.call(trio.lowlevel.checkpoint)
        transport = httpx2.AsyncHTTPTransport(uds=running.socket, verify=NO_TLS)
        async with httpx2.AsyncClient(transport=transport, verify=NO_TLS) as http:
            for status, line in examples:
                request = Request.of(line.replace("$TOKEN", running.tokens["operate"]))
                method, url = request.method, request.url
                async with http.stream(method, url, headers=request.headers, content=request.body) as answer:
                    told.append((line, answer.status_code, int(status)))
                    if "-N" in line:  # it does not end
                        assert answer.headers["content-type"].startswith("text/event-stream")
                    else:
                        await answer.aread()
        running.runtime.guards["exchange"].reset()  # guards are the process's

    assert [each for each in told if each[1] != each[2]] == []
