"""How soon a bot should be well again; in a module of its own, for the command shows it and imports no more."""

from typing import Final

BOUND: Final = 120.0
"""Seconds after a fault in which a bot should be well again, where nothing else was said."""
