"""`duenna demo`, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import argparse, sys
from duenna_actors.demo.cli import register
parser = argparse.ArgumentParser(prog="duenna")
register(parser.add_subparsers())
given = parser.parse_args(["demo", *sys.argv[1:]])
sys.exit(given.run(given))
"""
ENVIRONMENT = os.environ | {"PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}


def demo(*arguments: str, program: str = PROGRAM) -> subprocess.Popen[str]:
    """Start it."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(  # noqa: S603 - our own interpreter, our own text
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, encoding="utf-8"
    )
