"""For those who do not see it, do not use a mouse, or have a small screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.actors.console.page.bot import Break, bot
from tests.actors.console.page.test_page import KRAKEN, opened

if TYPE_CHECKING:
    from tests.actors.console.page.browser import Page

NAMED = {"button", "link", "textbox", "searchbox", "combobox", "tab", "treeitem", "dialog", "image", "radio", "tree"}
# Colours as the browser computes them, against the background that is really behind them.
CONTRASTS = """
const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
const rgba = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data]; };
const linear = (one) => one / 255 <= 0.04045 ? one / 255 / 12.92 : ((one / 255 + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const behind = (node) => {
  for (; node; node = node.parentElement) {
    const found = rgba(getComputedStyle(node).backgroundColor);
    if (found[3] === 255) return found;
  }
  return [255, 255, 255, 255];
};
const poor = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const node = walk.currentNode.parentElement;
  const isSeen = node.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  if (!walk.currentNode.data.trim() || !isSeen) continue;
  if (node.closest('button:disabled, option, .unseen, .skip, svg')) continue;
  const [one, two] = [light(rgba(getComputedStyle(node).color)), light(behind(node))];
  const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
  if (ratio < 4.5) poor.push(`${walk.currentNode.data.slice(0, 40)} ${node.className} ${ratio.toFixed(2)}`);
}
return poor;
"""


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_every_text_has_contrast(page: Page, scheme: str) -> None:
    """WCAG 2.2, 1.4.3, level AA: 4.5 to 1, in both schemes, in good days and bad."""
    async with bot(slow=True) as running:
        await page.size(1440, 900, scheme)
        await opened(page, running)
        running.runtime.ref("/polybot/persistence").tell(Break("refused"))
        running.runtime.ref("/polybot/feeds/kraken-ws").tell(Break("reset"))
        await running.runtime.suspend("/polybot/report")
        await page.shows("#needs-list li", "persistence")
        await page.shows(f"{KRAKEN} .c-state", "backoff")
        await page.shows(".whys .why", "refused")

        assert await page.js(CONTRASTS) == []


async def test_the_theme_can_be_chosen_and_is_kept(page: Page) -> None:
    """As the system, dark, light: kept where the token is not."""
    async with bot() as running:
        await page.size(1440, 900, "light")
        await opened(page, running)
        light = await page.js("return getComputedStyle(document.body).backgroundColor")

        await page.click("#theme")

        assert await page.js("return document.documentElement.dataset.theme") == "dark"
        dark = await page.js("return getComputedStyle(document.body).backgroundColor")
        assert dark != light
        await page.run(page.driver.refresh)
        await page.live()
        assert await page.js("return getComputedStyle(document.body).backgroundColor") == dark


async def test_everything_has_a_name(page: Page) -> None:
    """The browser's own accessibility tree: nothing that one can use is nameless, and a row says its state."""
    async with bot(slow=True) as running:
        await opened(page, running)
        running.runtime.ref("/polybot/feeds/kraken-ws").tell(Break("reset by peer"))
        await page.shows("#needs-list li", "kraken-ws")
        await page.click(KRAKEN)
        await page.shows("#node-panel", "permanent")

        tree: dict[str, Any] = await page.run(lambda: page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {}))
        nodes = [node for node in tree["nodes"] if not node.get("ignored") and node.get("role")]
        found = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes]

        assert [role for role, name in found if role in NAMED and not name.strip()] == []
        rows = [name for role, name in found if role == "treeitem"]
        assert any(name.startswith("kraken-ws, backoff, ") and "reset by peer" in name for name in rows)
        assert any(name == "polybot, running, 10 of 10 restarts left in 1 m 00 s" for name in rows)
        assert "need" in await page.text("#spoken")


async def test_a_narrow_screen_shows_all_of_it(page: Page) -> None:
    """380 pixels: nothing is cut off at the side, the details come over the tree and go again, targets are large."""
    async with bot(slow=True) as running:
        await page.size(380, 820)
        await opened(page, running)
        running.runtime.ref("/polybot/persistence").tell(Break("refused"))
        await page.shows("#needs-list button", "Restart")
        assert await page.js("return document.documentElement.scrollWidth") <= 380
        small = (
            "return [...document.querySelectorAll('#needs-list button, #node .buttons button')]"
            ".filter((one) => one.checkVisibility() && !one.matches('.sentence') && one.offsetHeight < 24).length"
        )

        await page.click(KRAKEN)

        await page.shows("#node-title", "kraken-ws")
        assert await page.js(small) == 0
        await page.click("#node button", "Restart")
        await page.shows("dialog .foreseen")
        await page.click("dialog button", "Cancel")
        await page.click("#node button", "Actors")
        await page.until("!document.body.classList.contains('has-node')")
        assert await page.complaints() == []
