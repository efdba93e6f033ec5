"""The supervision tree as text, with a symbol and a word for each state. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna import ChildState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from duenna import TreeNode
    from duenna.connection import ConnectionState

_UP = frozenset({"running", "operational"})
_DOWN = frozenset({"backoff", "cooldown", "failed", "stopped", "finished", "removed"})
_NAME, _STATE, _RESTARTS, _MOST = 24, 13, 12, 120


@attrs.frozen
class Symbols:
    """The characters of a picture.

    Attributes:
        up: Beside what works.
        between: Beside what is on its way, or works badly.
        down: Beside what does not.
        fork: Before a child.
        last: Before the last child.
        bar: Before the children of a child.
    """

    up: str
    between: str
    down: str
    fork: str
    last: str
    bar: str


UNICODE = Symbols("●", "◐", "○", "├── ", "└── ", "│   ")
ASCII = Symbols("+", "~", "!", "|-- ", "`-- ", "|   ")


def words(node: TreeNode, states: Mapping[str, ConnectionState]) -> str:
    """Return the word for the state of *node*: of a running connection its own, else the supervisor's."""
    own = states.get(node.path)
    return str(own) if own is not None and node.state == ChildState.RUNNING else node.state


def outline(root: TreeNode, states: Mapping[str, ConnectionState]) -> tuple[tuple[str, str], ...]:
    """Return path and state of all nodes: a picture is worth drawing again when these change."""
    return tuple((node.path, words(node, states)) for node in root.walk())


def picture(root: TreeNode, states: Mapping[str, ConnectionState], symbols: Symbols = UNICODE) -> list[str]:
    """Return the lines of the tree below *root*."""
    return [_line(node, lead, states, symbols) for node, lead in _leads(root, "", symbols)]


def _leads(node: TreeNode, indent: str, symbols: Symbols, lead: str = "") -> Iterator[tuple[TreeNode, str]]:
    yield node, lead
    for child in node.children:
        is_last = child is node.children[-1]
        yield from _leads(
            child,
            indent + ("    " if is_last else symbols.bar),
            symbols,
            indent + (symbols.last if is_last else symbols.fork),
        )


def _line(node: TreeNode, lead: str, states: Mapping[str, ConnectionState], symbols: Symbols) -> str:
    word = words(node, states)
    sign = symbols.up if word in _UP else symbols.down if word in _DOWN else symbols.between
    name = f"{lead}{node.name if lead else node.path}"
    restarts = "" if not node.restarts else f"{node.restarts} restart{'s' * (node.restarts > 1)}"
    error = node.last_error if node.last_error is not None and word not in _UP else ""
    return f"{name:<{_NAME}} {sign} {word:<{_STATE}} {restarts:<{_RESTARTS}} {error}".rstrip()[:_MOST]
