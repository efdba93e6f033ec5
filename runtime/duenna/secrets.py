"""Secrets never leave: text loses them before it is logged, stored, sent or shown.

Most are known by the name that they stand under, or by their looks. Those that are known by
value, because a program was given them, are registered and then found wherever they occur.
"""

from __future__ import annotations

import threading
from typing import Final, final

from duenna.machines.redaction import HIDDEN, hide
from duenna.machines.secret_forms import SHORTEST, forms
from duenna.machines.secret_names import Hiding, hiding

__all__ = ["HIDDEN", "Secret", "is_secret_name", "redact", "redact_to", "register", "unregister"]

_MOST: Final = 1_000
_MOST_PASSES: Final = 6
_WINDOW: Final = 4_096
_TAIL: Final = 512
_NAMED: Final = frozenset({Hiding.VALUE, Hiding.LINE, Hiding.TOKEN})


class _Registry:
    """The secrets that are known by value. Threads may register; readers see the old ones or the new."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}  # those registered last are last
        self._forms: dict[str, frozenset[str]] = {}
        self._ordered: tuple[str, ...] | None = ()  # longest first: no part is replaced before the whole
        self._lock = threading.Lock()

    @property
    def forms(self) -> tuple[str, ...]:
        """How the secrets may be spelt, the longest first; put in order when they are first asked for."""
        ordered = self._ordered
        return self._order() if ordered is None else ordered

    def add(self, value: str) -> None:
        """Count *value* once more."""
        with self._lock:
            count = self._counts.pop(value, 0)
            if not count:
                if len(self._counts) >= _MOST:
                    oldest = next(iter(self._counts))
                    del self._counts[oldest], self._forms[oldest]
                self._forms[value] = forms(value)
                self._ordered = None
            self._counts[value] = count + 1

    def remove(self, value: str) -> None:
        """Count *value* once less, and forget it with the last."""
        with self._lock:
            count = self._counts.get(value, 0)
            if count > 1:
                self._counts[value] = count - 1
            elif count:
                del self._counts[value], self._forms[value]
                self._ordered = None

    def hide(self, text: str) -> str:
        """Return *text* without the secrets in it, in whatever form."""
        for form in self.forms:
            if form in text:
                text = text.replace(form, HIDDEN)
        return text

    def _order(self) -> tuple[str, ...]:
        with self._lock:
            spelt = set[str]().union(*self._forms.values())
            ordered = tuple(sorted(spelt, key=lambda form: (-len(form), form)))
            self._ordered = ordered
        return ordered


_registry = _Registry()


def register(value: str | bytes) -> None:
    """Have *value* hidden wherever it occurs from now on, in the forms of URLs, base64 and JSON as well.

    What is registered twice must be unregistered twice. At most 1,000 values are kept: one more
    pushes out the one that was not registered for longest, so a key that is renewed for ever
    should be unregistered when it is no longer valid. Each costs a search in every text.

    Args:
        value: A key, a password... Shorter than 6 characters it is passed over, as it would
            occur by chance: an empty one is thus no error. So is the very name of a secret,
            such as `secret` in a test: without the names, the values beside them would show.

    Raises:
        TypeError: It is no text.
    """
    text = _text(value)
    if len(text) >= SHORTEST and not (text.replace("_", "").replace("-", "").isalpha() and is_secret_name(text)):
        _registry.add(text)


def unregister(value: str | bytes) -> None:
    """Take back one `register` of *value*; one that is not registered is no error.

    Raises:
        TypeError: It is no text.
    """
    _registry.remove(_text(value))


def redact(text: str) -> str:
    """Return *text* with `***` in the place of each secret.

    Twice is the same as once, and it never raises. The time that it takes grows with the
    length of the text and no faster.
    """
    if not _registry.forms:
        return hide(text)
    for _ in range(_MOST_PASSES):
        hidden = hide(_registry.hide(text))
        if hidden == text:
            return hidden
        text = hidden
    return HIDDEN


def redact_to(text: str, most: int = 500) -> str:
    """Return the beginning of *text* without secrets, at most *most* characters, `...` at the end if it was longer.

    Secrets are looked for in the first 4,096 characters before anything is cut off, so that
    none is shown in part.

    Args:
        text: Of any length.
        most: Characters, from 3 to 2,048.
    """
    if len(text) <= _WINDOW:
        hidden = redact(text)
        return hidden if len(hidden) <= most else hidden[: most - 3] + "..."
    # What is cut in the middle at the end of the window is not known for what it is: the end is not shown.
    longest = max(map(len, _registry.forms[:1]), default=0)
    window = _registry.hide(text[: _WINDOW + longest])
    hidden = redact(window[: min(_WINDOW, len(window) - longest)])
    return hidden[: min(most - 3, max(0, len(hidden) - _TAIL))] + "..."


def is_secret_name(name: str) -> bool:
    """Return whether what stands under *name* is hidden as a whole: `api_key`, `OK-ACCESS-SIGN`, `password`."""
    return hiding(name) in _NAMED


@final
class Secret:
    """A secret that no text shows: its `repr`, `str` and `format` are `***`; `reveal` gives it.

    It is registered for as long as the process lives, so that other text does not show it
    either. It is equal to another `Secret` of the same value and to nothing else, and cannot be
    pickled.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Keep *value*.

        Raises:
            TypeError: It is no text.
        """
        if not isinstance(value, str):
            raise TypeError(f"value must be a str, got {type(value).__name__}")
        self._value = value
        register(value)

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return HIDDEN

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return self._value == other._value if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> str:
        raise TypeError("a Secret cannot be pickled, it would leave the process")


def _text(value: str | bytes) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if not isinstance(value, str):
        raise TypeError(f"value must be a str or bytes, got {type(value).__name__}")
    return value
