"""The options that every verb has: which bot, and in which form to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from duenna_actors.client import completing
from duenna_actors.client.address import find

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping
    from typing import Literal

    from duenna_actors.client.address import Address

    Completer = Callable[[str, Mapping[str, Any]], list[str]] | Literal["files"]


def add_target_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a bot."""
    group = parser.add_argument_group("which bot", "Without one of these: the bot that runs on this machine.")
    completed(group.add_argument("--bot", metavar="NAME", help="the bot of that name"), completing.bots)
    where = group.add_mutually_exclusive_group()
    completed(where.add_argument("--socket", metavar="PATH", help="its Unix socket (DUENNA_SOCKET)"), "files")
    where.add_argument("--url", metavar="URL", help="its address, such as http://127.0.0.1:3000 (DUENNA_URL)")
    how = group.add_mutually_exclusive_group()
    how.add_argument("--token", metavar="TOKEN", help="others see it in the list of processes: prefer DUENNA_TOKEN")
    completed(how.add_argument("--token-file", metavar="FILE", help="a file that has the token"), "files")


def add_json_option(parser: argparse.ArgumentParser, what: str = "the bot's answer as it is, as one document") -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help=what)


def address_of(arguments: argparse.Namespace) -> Address:
    """Find the bot that the options name; raises as `find` does."""
    return find(
        arguments.bot,
        socket=arguments.socket,
        url=arguments.url,
        token=arguments.token,
        token_file=arguments.token_file,
    )


def completed(action: argparse.Action, completer: Completer) -> None:
    """Let a shell complete the argument, as `duenna.completion_cli` understands it."""
    added: Any = action
    added.completer = completer
