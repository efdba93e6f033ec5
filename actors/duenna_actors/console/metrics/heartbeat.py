"""The dead man's switch: somebody elsewhere is called every minute, and raises the alarm when that stops.

So it must stop when the bot does no work, whether or not its process lives: it beats only while the root lives,
the bot is not unhealthy, and every critical feed that said how often it expects data has got some in that time.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlsplit

import attrs
import trio

from duenna import Runtime, secrets
from duenna.error_events import ErrorReport, Source
from duenna.machines import checks
from duenna.machines.classification import Category, Facts, Link, Severity, Verdict
from duenna.machines.health import Overall, Tally
from duenna.wallclock import WallTime
from duenna.wallclock import wall_time as real_wall_time
from duenna_actors._http import ApiRequest, HttpClient
from duenna_actors.alerts.receivers._post import check_url
from duenna_actors.api_errors import ApiError
from duenna_actors.console.metrics.sight import critical_actors, why_not_alive, why_stale

PATH: Final = "/system/console"
NAME: Final = "heartbeat"

_LONGEST_ANSWER: Final = 65_536
_TIMEOUT: Final = 10.0
_REDIRECT: Final = 300
_SHORTEST_SECRET: Final = 12


def checked_heartbeat(url: str | None) -> str | None:
    """Return *url*.

    Raises:
        MissingExtraError: There is no HTTP client.
        ValueError: It is no address of a web server; its text is not shown, for it is a secret.
    """
    if url is not None:
        check_url("heartbeat_url", url)
    return url


def why_no_beat(runtime: Runtime) -> str:
    """Say why *runtime* does no work that is worth a heartbeat; empty if it does."""
    if not runtime.has_booted:
        return "the runtime is starting"
    if runtime.stopping.is_set() or runtime.is_over:
        return "the runtime is stopping"
    if dead := why_not_alive(runtime):
        return dead
    now = runtime.now()
    for facts in critical_actors(runtime):
        if stale := why_stale(facts, now):
            return f"{facts.path} {stale}"
    return "the bot is unhealthy" if _is_unhealthy(runtime) else ""


def _is_unhealthy(runtime: Runtime) -> bool:
    """Return whether the bot is, with or without its console: one that is parked, for its port is in use, is no bot."""
    if runtime.health().overall is not Overall.UNHEALTHY:
        return False
    tally = Tally()
    for root in runtime.roots:
        for service in runtime.services(root.path):
            if service.name != PATH:
                tally.add(service)
    return tally.overall() is Overall.UNHEALTHY


async def heartbeat(
    runtime: Runtime,
    url: str,
    *,
    every: float = 60.0,
    method: str = "GET",
    path: str = PATH,
    wall_time: WallTime = real_wall_time,
) -> None:
    """Call *url* every so many seconds while *runtime* does its work, until cancelled.

    A call that fails is an error of the lowest severity, reported at the first, second, fourth, eighth... in a row:
    whoever waits for the beats raises the alarm, not the bot. Nothing in the bot waits for a call.

    Args:
        runtime: The bot.
        url: Hidden in all text from now on.
        every: Seconds, greater than 0.
        method: `GET` or `POST`.
        path: Who reports what fails.
        wall_time: The time of day.

    Raises:
        MissingExtraError: There is no HTTP client.
        ValueError: *url* is none, or *every* is out of range.
    """
    checked_heartbeat(url)
    checks.duration(NAME, "every", every, zero=False, inf=False)
    hidden = _secrets_of(url)
    for each in hidden:
        secrets.register(each)
    heart = Heart(runtime, url, method=method, path=path, timeout=min(_TIMEOUT, every), wall_time=wall_time)
    try:
        await heart.beat_for_ever(every)
    finally:
        for each in hidden:
            secrets.unregister(each)
        with trio.move_on_after(1.0, shield=True):
            await heart.aclose()


@attrs.define(eq=False)
class Heart:
    """Beats.

    Attributes:
        beats: Calls that were answered.
        failures: Calls that were not, since the last that was.
        why_not: Why there was no call the last time, empty if there was one.
    """

    runtime: Runtime
    url: str = attrs.field(repr=False)
    method: str = attrs.field(kw_only=True)
    path: str = attrs.field(kw_only=True)
    timeout: float = attrs.field(kw_only=True)
    wall_time: WallTime = attrs.field(kw_only=True)
    beats: int = attrs.field(default=0, init=False)
    failures: int = attrs.field(default=0, init=False)
    why_not: str = attrs.field(default="", init=False)
    _client: HttpClient | None = attrs.field(default=None, init=False)

    async def beat_for_ever(self, every: float) -> None:
        """Beat now, and then every so many seconds; a slow call costs the beats that it overlaps."""
        await self.runtime.booted.wait()
        due = trio.current_time()
        while True:
            await self.beat()
            late = trio.current_time() - due
            due += every * (late // every + 1)
            await trio.sleep_until(due)

    async def beat(self) -> None:
        """Call if there is reason to; never raises."""
        self.why_not = why_no_beat(self.runtime)
        if self.why_not:
            await trio.lowlevel.checkpoint()
            return
        try:
            await self._call()
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not hurt the bot
            self.failures += 1
            if self.failures & (self.failures - 1) == 0:
                self._report(error)
        else:
            self.beats += 1
            self.failures = 0

    async def aclose(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _call(self) -> None:
        parts = urlsplit(self.url)
        if self._client is None:
            client = HttpClient(
                f"{parts.scheme}://{parts.netloc}",
                headers={"User-Agent": "duenna"},
                timeout=self.timeout,
                max_in_flight=1,
                max_body=_LONGEST_ANSWER,
            )
            await client.open()
            self._client = client
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        response = await self._client.fetch(ApiRequest(method=self.method, path=target, type=bytes))
        if response.status >= _REDIRECT:
            why = f"it answered with a redirect (status {response.status}), which is not followed"
            raise HeartbeatError(why)

    def _report(self, error: Exception) -> None:
        reports, now = self.runtime.reports, self.runtime.now()
        why = error.why if isinstance(error, ApiError) else str(error)
        text = secrets.redact(f"{type(error).__name__}: the heartbeat was not taken: {why}")[:300]
        name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
        reports.send(
            ErrorReport(
                id=reports.next_id(),
                time=now,
                at=self.wall_time(),
                path=self.path,
                kind="console",
                source=Source.REPORT,
                error_type=name,
                message=text,
                facts=Facts(links=(Link(type=name, message=text),)),
                service=NAME,
                operation="beat",
                label=NAME,
                retry_count=self.failures - 1,
                verdict=Verdict(
                    category=Category.NETWORK, severity=Severity.LOW, transient=True, rule=f"console/{NAME}"
                ),
            )
        )


class HeartbeatError(Exception):
    """The far end did not take a heartbeat."""


def _secrets_of(url: str) -> tuple[str, ...]:
    """Return what of *url* lets anybody call it: the path and the query, and of these what is no mere word."""
    parts = urlsplit(url)
    pieces = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
    found = [each for each in pieces if len(each) >= _SHORTEST_SECRET and not each.isalpha()]
    found += [each for each in (parts.path, parts.query, parts.password or "") if len(each) >= _SHORTEST_SECRET]
    return (url, *dict.fromkeys(found))
