"""No log lines while a world runs: a simulated day has as many as a real one."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from loguru import logger


@contextmanager
def silence() -> Generator[None]:
    """Let loguru drop every line for the time, and remember what was enabled before."""
    core = cast("Any", logger)._core  # noqa: SLF001  # loguru tells nobody what is enabled
    before: tuple[Any, Any] = core.activation_list, core.enabled
    core.activation_list, core.enabled = [], {}
    logger.disable("")
    try:
        yield
    finally:
        core.activation_list, core.enabled = before
