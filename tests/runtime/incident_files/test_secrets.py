"""Secrets that stand in settings, messages, error texts, variables and fields are in no incident file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from duenna import Actor, Child, GaveUpError, Secret, Settings, Supervisor, open_runtime
from duenna.incident_files.show import load, render
from duenna.settings.model import ClassifierSettings

from .kit import NO_WAIT, Query, files_in

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from duenna import Context

NAMED = "k7Fq0Zp1xW"
"""Known by the name that it stands under."""

PLAIN = "Zw4-vVb8_rrT9"
"""Known because it was registered, as a `Secret`."""

HELD = "in no text at all 55"
"""Known to nobody, and in values alone."""


@attrs.define(eq=False)
class Holder(Actor):
    """Holds a secret in a field, in a variable, and in the messages that wait."""

    token: str = HELD

    async def receive(self, message: Any) -> None:
        local = f"{self.token} {message.text} {HELD}"
        await trio.sleep(1000)
        del local


async def fails(context: Context) -> None:
    holder = HELD
    await trio.sleep(1)
    context.report(ValueError(f"refused with {PLAIN}"), api_secret=NAMED, note=PLAIN)
    try:
        raise ConnectionError(f"GET https://bot:{NAMED}@example.org/?signature={NAMED}")  # noqa: TRY301  # the cause
    except ConnectionError as exc:
        raise RuntimeError(f"key {PLAIN} is refused, api_key={NAMED}" + holder[:0]) from exc


async def test_no_secret_is_in_a_file_or_in_what_is_shown_of_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    secret = Secret(PLAIN)
    rule = {"name": f"of {PLAIN}, password={NAMED}", "texts": ["refused"], "category": "API", "severity": "LOW"}
    settings = Settings(classifier=ClassifierSettings(rules=(rule,)))
    bot = Supervisor("bot", [Child("holder", Holder), Child("fails", fails, backoff=NO_WAIT)], intensity=1, period=60)

    with pytest.raises(GaveUpError):  # noqa: PT012  # what is taken before
        async with open_runtime(bot, directory=tmp_path, settings=settings, log_level=None) as runtime:
            for _ in range(3):
                runtime.ref("/bot/holder").tell(Query(HELD))
            runtime.incident_files.take(f"because of {secret.reveal()}", by=f"token={NAMED}")
            await trio.sleep_forever()

    assert len(files_in(tmp_path)) == 2
    for file in files_in(tmp_path):
        document = load(file)
        shown = file.read_text() + "\n".join(render(document, width=10_000))
        assert [each for each in (NAMED, PLAIN, HELD) if each in shown] == []
        assert f"of {PLAIN}" not in json.dumps(document)
        assert document["settings"]["classifier.rules"] == "of ***, password=***"
    last = load(files_in(tmp_path)[-1])
    assert last["errors"][-1]["message"].startswith("RuntimeError: key *** is refused, api_key=***")
    (mailbox,) = [each for each in last["mailboxes"] if each["path"] == "/bot/holder"]
    assert (mailbox["current"], mailbox["depth"]) == ("Query", 2)
