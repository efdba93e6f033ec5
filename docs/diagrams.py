"""Print what the pages show of the code itself: state diagrams, the table of events, what an example prints.

``python docs/diagrams.py`` prints every part, ``--write`` puts each between its marks in the pages that have them.
"""  # noqa: INP001 - a script, not a package

import io
import re
import runpy
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import TypeVar, get_type_hints

import msgspec

from duenna import connection_events, error_events, events, guard_events
from duenna.incident_files import events as incident_events
from duenna.machines import breaker, lifecycle, link
from duenna.records import events as records_events
from duenna.recovery import events as recovery_events
from duenna.state import events as state_events
from duenna.state import work_events

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)

BLOCK = re.compile(r"<!-- made by docs/diagrams\.py: (\w+) -->\n.*?<!-- end of \1 -->", re.DOTALL)
"""A part in a page: its name, and whatever stands there now."""


def diagram(table: Mapping[tuple[S, E], S], begin: S, final: Iterable[S] = ()) -> str:
    """Return *table*, (state, step) -> state, as a mermaid state diagram."""
    steps: dict[tuple[str, str], list[str]] = {}
    for (state, step), then in table.items():
        steps.setdefault((str(state), str(then)), []).append(str(step))
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {begin}"]
    lines += [f"    {state} --> {then}: {', '.join(names)}" for (state, then), names in steps.items()]
    lines += [f"    {state} --> [*]" for state in sorted(final)]
    return "\n".join([*lines, "```"])


def child() -> str:
    """Return the life cycle of a child."""
    return diagram(lifecycle.TRANSITIONS, lifecycle.ChildState.PENDING, [lifecycle.ChildState.REMOVED])


def connection_link() -> str:
    """Return the life cycle of a connection."""
    return diagram(link.TRANSITIONS, link.ConnectionState.CLOSED)


def breaker_states() -> str:
    """Return the states of a breaker; what a hand does in any state is drawn once."""
    table = breaker.TRANSITIONS
    everywhere = {cause: then for (_, cause), then in table.items() if all((s, cause) in table for s in type(then))}
    lines = [
        diagram({key: then for key, then in table.items() if key[1] not in everywhere}, breaker.BreakerState.CLOSED)
    ]
    lines[0] = lines[0].removesuffix("\n```")
    lines.append('    state "any state" as any')
    lines += [
        f"    any --> {state}: {', '.join(cause for cause, then in everywhere.items() if then is state)}"
        for state in dict.fromkeys(everywhere.values())
    ]
    return "\n".join([*lines, "```"])


def event_kinds() -> Iterator[type[events.Event]]:
    """Yield the runtime's events: those of ``duenna.events`` in its order, then those of its parts."""
    modules = events, connection_events, guard_events, error_events, recovery_events, records_events
    for module in *modules, state_events, work_events, incident_events:
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, events.Event) and kind.__module__ == module.__name__:
                yield kind


def event_table() -> str:
    """Return every event with its level, its fields beside ``time`` and ``path``, and when it is posted."""
    lines = ["| event | level | fields | what happened |", "|---|---|---|---|"]
    for kind in event_kinds():
        if kind in {events.Event, guard_events.GuardEvent}:
            continue
        types = get_type_hints(kind)
        own = [field.name for field in msgspec.structs.fields(kind) if field.name not in {"time", "path"}]
        fields = ", ".join(f"`{name}: {_type(types[name])}`" for name in own)
        says = (kind.__doc__ or "").splitlines()[0].rstrip(".")
        lines.append(f"| `{kind.__name__}` | {kind.level} | {fields} | {says} |")
    return "\n".join(lines)


def _type(hint: object) -> str:
    text = hint.__name__ if isinstance(hint, type) and not hasattr(hint, "__args__") else str(hint)
    return text.replace("|", "\\|")


def error_handling() -> str:
    """Return what ``examples/error_handling.py`` prints."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        runpy.run_path(str(Path(__file__).parent.parent / "examples" / "error_handling.py"), run_name="__main__")
    return f"```text\n{printed.getvalue()}```"


PARTS = {
    "child": child,
    "connection": connection_link,
    "breaker": breaker_states,
    "events": event_table,
    "error_handling": error_handling,
}


def filled(page: str) -> str:
    """Return the text of *page* with every part as it should be."""
    return BLOCK.sub(lambda found: marked(found[1]), page)


def marked(name: str) -> str:
    """Return the part *name* between its marks."""
    return f"<!-- made by docs/diagrams.py: {name} -->\n{PARTS[name]()}\n<!-- end of {name} -->"


def main() -> None:
    """Print the parts, or write them into the pages."""
    if "--write" in sys.argv[1:]:
        for path in sorted(Path(__file__).parent.glob("*.md")):
            path.write_text(filled(path.read_text()))
        return
    sys.stdout.write("\n\n".join(map(marked, PARTS)) + "\n")


if __name__ == "__main__":
    main()
