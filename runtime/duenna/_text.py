"""Exceptions as bounded text. Whatever an exception's own methods do, this returns."""

from duenna.machines.hints import members

_MOST = 500
_MOST_CAUSES = 4
_DEEPEST = 2


def describe(error: BaseException) -> str:
    """Return *error* as one line: type, text, and the causes that the text hides.

    At most 500 characters. Many libraries raise with an empty text and put what happened
    into the cause, so the first few causes are named as well, and the first few members of
    groups, two levels deep.
    """
    if error.__cause__ is None and error.__context__ is None:
        return _cut(_one(error))
    parts: list[str] = []
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen and len(parts) < _MOST_CAUSES:
        seen.add(id(link))
        parts.append(_one(link))
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return _cut(" <- ".join(parts))


def _one(error: BaseException, depth: int = 0) -> str:
    name = type(error).__qualname__
    try:
        text = str(error)
    except BaseException as exc:  # noqa: BLE001  # a broken __str__ must not hide the error it belongs to
        text = f"<its __str__ raised {type(exc).__name__}>"
    text = " ".join(_cut(text).split())
    inside = members(error)[:_MOST_CAUSES] if depth < _DEEPEST else ()
    if inside:
        text = f"{text}: " + "; ".join(_one(member, depth + 1) for member in inside)
    return f"{name}: {text}" if text else name


def _cut(text: str) -> str:
    return text if len(text) <= _MOST else text[: _MOST - 3] + "..."
