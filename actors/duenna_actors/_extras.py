"""Libraries that come with an extra: imported when they are needed, and named when they are missing."""

import importlib
from typing import Any

from duenna.errors import DuennaError


class MissingExtraError(DuennaError):
    """An optional library is not installed.

    Attributes:
        extra: The extra that brings it.
    """

    def __init__(self, what: str, extra: str) -> None:
        """Say how to get what *what* needs."""
        super().__init__(f'{what} needs an extra that is not installed: pip install "duenna[{extra}]"')
        self.extra = extra


def need(module: str, *, what: str, extra: str) -> Any:
    """Import *module*, which *what* needs and *extra* brings.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as exc:
        if exc.name != module:  # the library is there and broken: say that instead
            raise
        raise MissingExtraError(what, extra) from None
