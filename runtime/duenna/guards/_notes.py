"""What a guard writes on the error that its caller gets."""

from __future__ import annotations

from contextlib import suppress

from duenna._text import describe


def note_attempts(error: Exception, name: str, attempts: int, elapsed: float, why: str) -> None:
    """Say on *error* what was tried."""
    tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    _add(error, f"duenna: guard {name!r} gave up after ", f"{tries}, {elapsed:.3g} s after the first one failed: {why}")


def note_broken_rule(error: Exception, name: str, rule: str, broken: Exception) -> None:
    """Say on *error* that a rule of the user's could not judge it: the error comes first, but nothing is hidden."""
    _add(error, f"duenna: guard {name!r}: {rule} ", f"could not judge this error, it raised {describe(broken)}")


def _add(error: Exception, begin: str, rest: str) -> None:
    """Add a note once, also if the same object is raised again and again."""
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, list):
        notes[:] = [note for note in notes if not str(note).startswith(begin)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    with suppress(AttributeError, TypeError):  # an error that takes no notes
        error.add_note(begin + rest)
