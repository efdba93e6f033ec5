"""One report on a bot: what its console tells, with totals and the time, as a document of JSON."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FORMAT: Final = 1
_DOWN: Final = frozenset({"backoff", "failed", "stopped"})


class Source(Protocol):
    """What a report is read from: `duenna_actors.client.Client` is one."""

    def get(self, path: str, /) -> dict[str, Any]:
        """Return what stands at *path*, parsed."""
        ...


def read_report(source: Source) -> dict[str, Any]:
    """Ask the bot once, and return its report."""
    snapshot = source.get("/api/v1/snapshot")
    return report_of(snapshot["header"], snapshot["rows"])


def report_of(header: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the report: its format, when it was true, totals, all of the header, and the rows."""
    taken = datetime.fromtimestamp(header["at"], UTC).isoformat(timespec="milliseconds")
    return {"format": _FORMAT, "taken_at": taken, "totals": _totals(header, rows), **header, "rows": list(rows)}


def _totals(header: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    mailboxes = [row["mailbox"] for row in rows if row.get("mailbox")]
    breakers = header.get("breakers") or ()
    errors = header["errors"]
    return {
        "uptime": max(0.0, header["at"] - header["bot"]["started_at"]),
        "actors": len(rows),
        "running": sum(row["state"] == "running" for row in rows),
        "down": sum(row["state"] in _DOWN for row in rows),
        "stale": sum(bool(row["data"] and row["data"]["is_stale"]) for row in rows),
        "restarts": sum(row.get("restarts", 0) for row in rows),
        "messages_per_second": round(sum(row.get("rate", 0.0) for row in rows), 3),
        "messages_waiting": sum(mailbox["depth"] for mailbox in mailboxes),
        "messages_received": sum(mailbox["received"] for mailbox in mailboxes),
        "messages_dropped": sum(mailbox["dropped"] for mailbox in mailboxes),
        "dead_letters": header.get("dead_letters", 0),
        "errors": errors["total"],
        "errors_last_minute": errors["rate"],
        "breakers_not_closed": sum(breaker["state"] != "closed" for breaker in breakers),
        "alerts": len(header.get("alerts") or ()),
    }


def write_report(report: Mapping[str, Any], path: Path) -> None:
    """Replace the file *path* by *report* as a whole: a reader sees the old one or the new one, never a part.

    The file can be read by its owner only: error texts are redacted, but not for everybody.

    Raises:
        OSError: It cannot be written; the old one is as it was.
    """
    text = json.dumps(report, indent=1)  # ASCII: what is no Unicode is kept as an escape
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
