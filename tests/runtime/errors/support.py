"""What the tests of errors share: errors whose verdict is beyond doubt, and the verdicts that a bot has published."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

from duenna import Actor, Runtime
from duenna.error_events import ErrorClassified


class BadKeyError(Exception):
    """What an exchange says of a key that it does not know."""

    status = 401

    def __init__(self) -> None:
        super().__init__("invalid api-key, ip, or permissions for action")


class TooManyRequestsError(Exception):
    """What an exchange says of too many requests."""

    status = 429

    def __init__(self, retry_after: float | None = None) -> None:
        super().__init__("too many requests")
        self.retry_after = retry_after


def refused() -> ConnectionRefusedError:
    """Make what the system says of a host that does not listen."""
    return ConnectionRefusedError(111, "Connection refused")


@attrs.define
class Failing(Actor):
    """Raises what is in *errors*, one each time it is started, a second after; then it runs."""

    errors: list[BaseException]
    starts: list[float] = attrs.field(factory=list[float])

    async def run(self) -> None:
        self.starts.append(trio.current_time())
        await trio.sleep(1)
        if self.errors:
            raise self.errors.pop(0)
        await trio.sleep_forever()


@asynccontextmanager
async def classified(runtime: Runtime) -> AsyncIterator[list[ErrorClassified]]:
    """Collect the verdicts that *runtime* publishes."""
    seen: list[Any] = []
    with runtime.events(ErrorClassified) as stream:
        yield seen
        await wait_all_tasks_blocked()
        seen += stream.drain()
