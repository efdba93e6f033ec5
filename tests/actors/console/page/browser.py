"""A real Chromium that a test drives from the loop of the bot it looks at."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import trio
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
)
# A promise that is kept when the page comes to be so: no test asks again and again.
UNTIL = """
const done = arguments[arguments.length - 1], values = arguments;
const holds = () => { try { return %s; } catch { return false; } };
if (holds()) done(true);
else {
  const watch = new MutationObserver(() => { if (holds()) { watch.disconnect(); done(true); } });
  watch.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
}
"""
T = TypeVar("T")


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """Start a browser of its own, with a profile of its own that goes with it."""
    profile = tempfile.mkdtemp(prefix="duenna-chromium-")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for switch in (*SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    try:
        driver.set_script_timeout(30)
        yield driver
    finally:
        driver.quit()
        shutil.rmtree(profile, ignore_errors=True)


def metrics(width: int, height: int) -> dict[str, Any]:
    """Return how large a window is, for the browser."""
    return {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}


class Page:
    """One tab. All it does is done in a thread: the bot it looks at runs in this loop."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    async def run(self, work: Callable[[], T]) -> T:
        """Do *work* in a thread."""
        return await trio.to_thread.run_sync(work)

    async def open(self, url: str, token: str | None = None) -> None:
        """Go there, with *token* in the fragment as `duenna` hands it over."""
        await self.run(lambda: self.driver.get(url + ("/" if token is None else f"/#token={token}")))

    async def js(self, script: str, *values: Any) -> Any:
        """Return what *script* returns."""
        return await self.run(lambda: self.driver.execute_script(script, *values))

    async def until(self, expression: str, *values: Any) -> None:
        """Wait until the JavaScript *expression*, of ``values``, is true."""
        await self.run(lambda: self.wait(expression, *values))

    def wait(self, expression: str, *values: Any) -> None:
        """Do the same in a thread, of a loop that may stand still meanwhile."""
        try:
            self.driver.execute_async_script(UNTIL % expression, *values)
        except Exception as exc:
            shown = self.driver.execute_script("return document.body.innerText")
            raise AssertionError(f"never so: {expression} {values}; the page shows:\n{shown[:4000]}") from exc

    async def shows(self, selector: str, text: str = "") -> None:
        """Wait until something that *selector* means contains *text*."""
        await self.until(
            "[...document.querySelectorAll(values[0])].some((one) => one.checkVisibility() "
            "&& one.textContent.includes(values[1]))",
            selector,
            text,
        )

    async def lacks(self, selector: str, text: str = "") -> None:
        """Wait until nothing that *selector* means contains *text*."""
        await self.until(
            "![...document.querySelectorAll(values[0])].some((one) => one.textContent.includes(values[1]))",
            selector,
            text,
        )

    async def live(self) -> None:
        """Wait until the stream is read and the tree is there."""
        await self.until("document.querySelector('#link').textContent === 'live' && document.querySelector('.row')")

    async def click(self, selector: str, text: str = "") -> None:
        """Click what *selector* means and contains *text*, as a person does."""
        await self.shows(selector, text)
        find = (
            "return [...document.querySelectorAll(arguments[0])].find((one) => one.checkVisibility() "
            "&& one.textContent.includes(arguments[1]))"
        )
        await self.run(lambda: self.driver.execute_script(find, selector, text).click())

    async def keys(self, *keys: str) -> None:
        """Type into whatever has the focus."""
        await self.run(lambda: self.driver.switch_to.active_element.send_keys(*keys))

    async def text(self, selector: str) -> str:
        """Return the text of what *selector* means."""
        found: str = await self.js("return document.querySelector(arguments[0]).textContent", selector)
        return found

    async def size(self, width: int, height: int, scheme: str = "dark") -> None:
        """Make the window so large, on a system of that colour scheme."""
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        await self.run(
            lambda: self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics(width, height))
        )
        await self.run(lambda: self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media))

    async def complaints(self) -> list[str]:
        """Return what the browser's console says that is worse than a note."""
        lines = await self.run(lambda: self.driver.get_log("browser"))  # type: ignore[no-untyped-call]
        return [line["message"] for line in lines if line["level"] in {"SEVERE", "WARNING"}]


ESCAPE, ENTER, DOWN, UP, LEFT, RIGHT = (
    Keys.ESCAPE,
    Keys.ENTER,
    Keys.ARROW_DOWN,
    Keys.ARROW_UP,
    Keys.ARROW_LEFT,
    Keys.ARROW_RIGHT,
)
