"""One browser for all tests of the page, and a tab for each."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.actors.console.page import browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium import webdriver


@pytest.fixture(scope="package")
def driver() -> Iterator[webdriver.Chrome]:
    """Start the browser, once; skip where there is none, unless it is CI that lacks it."""
    if not browser.CHROMIUM.exists() or not browser.DRIVER.exists():
        assert os.environ.get("CI") != "true", (
            "the page is tested in Chromium: apt-get install chromium chromium-driver"
        )
        pytest.skip("no chromium and chromedriver in /usr/bin")
    with browser.chromium() as found:
        yield found


@pytest.fixture
def page(driver: webdriver.Chrome) -> Iterator[browser.Page]:
    """Give a tab with nothing in it; what the browser complained about before is forgotten."""
    first = driver.current_window_handle
    driver.switch_to.new_window("tab")
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", browser.metrics(1440, 900))
    driver.get_log("browser")  # type: ignore[no-untyped-call]
    yield browser.Page(driver)
    driver.close()
    driver.switch_to.window(first)
