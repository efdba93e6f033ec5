"""Fuzz the API of a live bot with schemathesis: `python -m tests.actors.console.fuzz.run SCHEMATHESIS [MOST]`.

Once with a token that may do everything, once without any. Then the bot must be alive, its tree of the
same shape, nobody crashed, and nobody restarted whom no request was about.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import IO, Any, Final

CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
MOST: Final = "20"
"""Generated requests of each endpoint, beside those that are made from examples and at the bounds."""

_GROUPS: Final = ("/bot/feeds",)
"""Supervisors that restart siblings together."""


def main(tool: str, most: str = MOST) -> int:
    """Fuzz, and return the exit code: 0 if all is well."""
    command = [sys.executable, "-m", "tests.actors.console.fuzz.target"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # ours
        assert process.stdin is not None
        assert process.stdout is not None
        target = _line(process.stdout)
        with tempfile.TemporaryDirectory() as made:
            document = Path(made) / "openapi.json"
            document.write_text(json.dumps(_with_examples(_get(target["url"], "/openapi.json"), target)))
            base = [tool, "run", str(document), "--url", target["url"], "--max-examples", most]
            codes = [_fuzz(base, made, token) for token in (target["tokens"]["operate"], "")]
        alive = _get(target["url"], "/livez")
        process.stdin.close()
        told = _line(process.stdout)
    wrong = _wrong(told, codes, alive)
    print(json.dumps({key: told[key] for key in ("acted", "restarted", "console")}))  # noqa: T201
    print("\n".join(wrong) or "the bot did not notice")  # noqa: T201
    return 1 if wrong else 0


def _wrong(told: dict[str, Any], codes: list[int], alive: dict[str, Any]) -> list[str]:
    """Return what is not as it must be."""
    wrong = [
        f"schemathesis {who} a token found something"
        for who, code in zip(("with", "without"), codes, strict=True)
        if code
    ]
    if alive.get("status") != "pass":
        wrong.append(f"the server is not well: {alive}")
    if not told["is_same_shape"]:
        wrong.append("the tree has another shape")
    wrong += [f"crashed: {each}" for each in told["crashes"]]
    wrong += [f"error: {each}" for each in told["errors"]]
    unasked = [path for path in told["restarted"] if not _is_asked(path, told["targets"])]
    return wrong + [f"restarted, and nobody asked: {path}" for path in unasked]


def _is_asked(path: str, targets: list[str]) -> bool:
    group = next((each for each in _GROUPS if path.startswith(f"{each}/")), path)
    return any(path == each or path.startswith(f"{each}/") or each.startswith(f"{group}/") for each in targets)


def _fuzz(base: list[str], folder: str, token: str) -> int:
    command = [*base, "--checks", ",".join(CHECKS)]
    command += ["--phases", "examples,coverage,fuzzing", "--seed", "7", "--generation-database", "none"]
    command += ["--request-timeout", "20", "--no-color", "--warnings", "off", "--continue-on-failure"]
    if token:
        command += ["--header", f"Authorization: Bearer {token}"]
    return subprocess.run(command, cwd=folder, check=False, stdin=subprocess.DEVNULL).returncode  # noqa: S603  # ours


def _with_examples(document: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    """Return *document* with names of what there is, which no generator would guess; without what does not end."""
    paths = document["paths"]
    del paths["/api/v1/live"]
    paths["/api/v1/events"]["get"]["responses"]["200"]["content"].pop("text/event-stream")
    names = {"path": [_named(path) for path in target["paths"]], "name": [target["guard"]], "id": ["op-1", "silence-1"]}
    for methods in paths.values():
        for operation in methods.values():
            for parameter in operation["parameters"]:
                if parameter["in"] == "path" and parameter["name"] in names:
                    known = names[parameter["name"]]
                    parameter["schema"] = {"type": "string", "enum": known}
                    parameter["examples"] = {f"e{number}": {"value": each} for number, each in enumerate(known[:3])}
    schemas = document["components"]["schemas"]
    services = ["database", "position-threshold", "trade-engine", "three", "one", *target["paths"]]
    schemas["Restart"]["properties"]["service"] = {"type": "string", "enum": services, "examples": services[:2]}
    schemas["Silence"]["properties"]["matchers"]["examples"] = [['kind="feed_stale"']]
    return document


def _named(path: str) -> str:
    """Return *path* as it stands in a URL: one that ends in a word of the API's is closed with a slash."""
    return f"{path[1:]}/" if path.endswith(("/stack", "/mailbox")) else path[1:]


def _get(url: str, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(url + path, timeout=30) as answer:  # noqa: S310  # our own server
        found: dict[str, Any] = json.load(answer)
        return found


def _line(stream: IO[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stream.readline())
    return found


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
