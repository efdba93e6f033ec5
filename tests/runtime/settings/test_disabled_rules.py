"""Rules that the settings disable: those of the program as well as the built-in ones, and none that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from duenna import Runtime, Supervisor, open_runtime
from duenna.error_events import SettingsRejected
from duenna.machines.classification import Category, Facts, Link
from duenna.machines.rules import Rule
from duenna.settings import ClassifierSettings, Settings, SettingsError, SettingsSource

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

OWN = Rule(name="venue/closed", types=("VenueClosed",), category=Category.EXCHANGE)
TEAPOT = "status/teapot"


def disabled(*names: str) -> Settings:
    return Settings(classifier=ClassifierSettings(rules=tuple({"name": name, "enabled": False} for name in names)))


def names(runtime: Runtime) -> set[str]:
    return {rule.name for rule in runtime.classifier.rules}


def judged(runtime: Runtime) -> str:
    return runtime.classifier.classify(Facts(links=(Link(type="VenueClosed"),))).rule


async def test_a_reload_disables_a_rule_of_the_program_and_the_next_brings_it_back(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    path = tmp_path / "bot.yaml"
    path.write_text("{}")
    source = SettingsSource(env={}, yaml=path)

    async with open_runtime(Supervisor("bot", []), settings=source, rules=[OWN]) as runtime:
        before = judged(runtime)
        path.write_text("classifier: {rules: [{name: venue/closed, enabled: false}]}")
        await runtime.reload_settings()
        between = judged(runtime)
        path.write_text("{}")
        await runtime.reload_settings()

        assert (before, judged(runtime)) == ("venue/closed", "venue/closed")
        assert between != "venue/closed"


async def test_those_of_the_program_and_built_in_ones_are_disabled_together(autojump_clock: MockClock) -> None:
    async with open_runtime(Supervisor("bot", []), settings=disabled(OWN.name, TEAPOT), rules=[OWN]) as runtime:
        assert names(runtime).isdisjoint({OWN.name, TEAPOT})


@pytest.mark.parametrize("rules", [(), (OWN,)])
async def test_a_rule_that_the_program_disables_may_be_disabled_again(
    rules: tuple[Rule, ...], autojump_clock: MockClock
) -> None:
    """Neither must know what the other says."""
    off = Rule(name=TEAPOT, enabled=False)

    async with open_runtime(Supervisor("bot", []), settings=disabled(TEAPOT), rules=[off, *rules]) as runtime:
        assert TEAPOT not in names(runtime)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("venue/close", ", did you mean 'venue/closes' or 'venue/closed'?"),
        ("status/teapots", ", did you mean 'status/teapot'"),
        ("zzz", ""),
    ],
)
async def test_a_rule_that_is_not_there_is_refused_at_the_start(
    name: str, near: str, autojump_clock: MockClock
) -> None:
    """With the names that are like it, be they of the program or built in."""
    other = Rule(name="venue/closes", types=("VenueCloses",), category=Category.EXCHANGE)

    with pytest.raises(SettingsError) as caught:
        async with open_runtime(Supervisor("bot", []), settings=disabled(name), rules=[OWN, other]):
            pass

    assert str(caught.value).startswith(
        f"settings: classifier.rules has a wrong rule: rule {name!r}: enabled is false, "
        f"but there is no such rule in the table{near}"
    )


async def test_a_rule_that_is_not_there_is_refused_at_a_reload(tmp_path: Path, autojump_clock: MockClock) -> None:
    """All of the settings from before stay, and so does the classifier."""
    path = tmp_path / "bot.yaml"
    path.write_text("classifier: {rules: [{name: venue/closed, enabled: false}]}")
    source = SettingsSource(env={}, yaml=path)

    async with open_runtime(Supervisor("bot", []), settings=source, rules=[OWN]) as runtime:
        events = runtime.events(SettingsRejected)
        settings, classifier = runtime.settings, runtime.classifier
        path.write_text("classifier: {rules: [{name: venue/close, enabled: false}]}")
        with pytest.raises(SettingsError, match=r"did you mean 'venue/closed'"):
            await runtime.reload_settings()

        event = await anext(events)
        assert isinstance(event, SettingsRejected)
        assert "rule 'venue/close'" in event.error
        assert runtime.settings is settings
        assert runtime.classifier is classifier
