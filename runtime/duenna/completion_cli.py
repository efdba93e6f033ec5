"""The verb `completion`: scripts that let a shell complete verbs, options and arguments of the ``duenna`` command.

A script asks this verb back, with what stands on the line. The answer is made from the parser of the verb on it. An
argument may say how it is completed, in an attribute ``completer`` of its `argparse.Action`: the word ``files``, or a
function of the word so far and the options so far that returns candidates, such as the actors of the bot that is named,
or ``["files"]``.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from typing import TYPE_CHECKING, Any, Final

from duenna import _verbs
from duenna.cli import parser_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from duenna.cli import Subparsers

_BASH: Final = r"""_duenna() {
    local IFS=$'\n'
    COMPREPLY=($("${COMP_WORDS[0]}" completion bash --line "${COMP_LINE:0:$COMP_POINT}" 2>/dev/null))
    if [[ ${COMPREPLY[0]-} == :files ]]; then
        COMPREPLY=()
        compopt -o default
    fi
}
complete -F _duenna duenna
"""

_ZSH: Final = r"""#compdef duenna
_duenna() {
    local -a found
    found=("${(@f)$("${words[1]}" completion zsh --words "${(@)words[1,CURRENT]}" 2>/dev/null)}")
    if [[ ${found[1]} == :files ]]; then
        _files
    else
        compadd -- "${(@)found:#}"
    fi
}
if [[ ${funcstack[1]-} == _duenna ]]; then
    _duenna "$@"
else
    compdef _duenna duenna
fi
"""

_FISH: Final = r"""function __duenna
    set -l found (duenna completion fish --words (commandline -opc) (commandline -ct) 2>/dev/null)
    if test "$found[1]" = ":files"
        __fish_complete_path (commandline -ct)
    else if set -q found[1]
        printf '%s\n' $found
    end
end
complete -c duenna -f -a '(__duenna)'
"""

_SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
_FILES: Final = ":files"
_HOW: Final = (
    'Print a script for a shell. bash: eval "$(duenna completion bash)" in ~/.bashrc; zsh: the same in ~/.zshrc, after '
    "compinit; fish: duenna completion fish > ~/.config/fish/completions/duenna.fish"
)
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def register(subparsers: Subparsers) -> None:
    """Add the verb `completion`."""
    parser = subparsers.add_parser(
        "completion", help="print a script that lets a shell complete this command", description=_HOW
    )
    parser.add_argument("shell", choices=sorted(_SCRIPTS))
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument("--line", help=argparse.SUPPRESS)
    asked.add_argument("--words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the script, or candidates for what stands on the line."""
    if arguments.line is None and arguments.words is None:
        print(_SCRIPTS[arguments.shell], end="")
        return 0
    line: str = arguments.line or ""
    words: list[str] = _split(line) if arguments.words is None else list(arguments.words)
    try:
        found = candidates(words)
    except Exception:  # noqa: BLE001 - who presses Tab wants no traceback
        return 0
    if arguments.shell == "bash":
        found = _for_bash(found, line)
    reconfigure: Any = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
    print(end="".join(f"{each}\n" for each in found))
    return 0


def candidates(words: Sequence[str]) -> list[str]:
    """Return what the last of *words* may be, which is being written; `[":files"]`: the name of a file."""
    *before, current = [*words[1:]] or [""]
    named = next((index for index, word in enumerate(before) if not word.startswith("-")), None)
    if named is None:
        return _matching([*_verbs.names(), "--help", "--version"], current)
    verb = _verbs.named(before[named])
    if verb is None:
        return []
    action, given, parser = _walk(parser_of(verb), before)
    name, equals, value = current.partition("=")
    if action is None and equals and (option := _options(parser).get(name)) is not None:
        found = _values(option, value, given)
        return found if found == [_FILES] else [f"{name}={each}" for each in found]
    if current.startswith("-") and action is None:
        return _matching(_options(parser), current)
    if action is None:
        action = _positional(parser, given)
    return [] if action is None else _values(action, current, given)


def _walk(
    parser: argparse.ArgumentParser, words: Iterable[str]
) -> tuple[argparse.Action | None, dict[str, Any], argparse.ArgumentParser]:
    """Go through the *words*; return the option that waits for its value, what was given, and the parser left."""
    waiting: argparse.Action | None = None
    given: dict[str, Any] = {"": 0}
    for word in words:
        name, equals, value = word.partition("=")
        option = _options(parser).get(name) if word.startswith("-") else None
        if waiting is not None:
            given[waiting.dest] = word
            waiting = None
        elif option is not None:
            if equals:
                given[option.dest] = value
            elif option.nargs != 0:
                waiting = option
        elif not word.startswith("-"):
            action = _positional(parser, given)
            given[""] += 1
            choices: Any = action.choices if action is not None else None
            below: Any = choices.get(word) if hasattr(choices, "get") else None
            if isinstance(below, argparse.ArgumentParser):  # a verb of the verb
                parser, given = below, {**given, "": 0}
            elif action is not None:
                given[action.dest] = word
    return waiting, given, parser


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return parser._actions  # noqa: SLF001 - argparse has no other way to tell what it was given


def _options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    shown = [action for action in _actions(parser) if action.help is not argparse.SUPPRESS]
    return {string: action for action in shown for string in action.option_strings}


def _positional(parser: argparse.ArgumentParser, given: Mapping[str, Any]) -> argparse.Action | None:
    """Return the argument that the next word is."""
    left = [action for action in _actions(parser) if not action.option_strings]
    index: int = given[""]
    if index < len(left):
        return left[index]
    return left[-1] if left and left[-1].nargs in {"*", "+"} else None


def _values(action: argparse.Action, current: str, given: Mapping[str, Any]) -> list[str]:
    if action.choices is not None:
        return _matching(map(str, action.choices), current)
    completer: Any = getattr(action, "completer", None)
    if completer is None:
        return []
    found = ["files"] if completer == "files" else completer(current, given)
    return [_FILES] if found == ["files"] else _matching(found, current)


def _matching(found: Iterable[str], current: str) -> list[str]:
    return [each for each in dict.fromkeys(found) if each.startswith(current) and not _CONTROL.search(each)]


def _split(line: str) -> list[str]:
    """Return the words of *line*, the last of which is not finished."""
    for closing in ("", "'", '"'):
        try:
            words = shlex.split(line + closing)
        except ValueError:
            continue
        is_between = not closing and (not line or (line[-1].isspace() and not line.endswith("\\ ")))
        return [*words, ""] if is_between else words
    return line.split()


def _for_bash(found: list[str], line: str) -> list[str]:
    """Quote what the shell would not take as one word, and leave out what bash takes for another word already."""
    if found == [_FILES]:
        return found
    last = line.rsplit(maxsplit=1)[-1] if line and not line[-1].isspace() else ""
    is_quoted = "'" in last or '"' in last
    known = re.match(r".*[=:]", last)
    skipped = len(known[0]) if known is not None and not is_quoted else 0
    plain = [each for each in found if not is_quoted or shlex.quote(each) == each]
    return [shlex.quote(each[skipped:]) for each in plain]
