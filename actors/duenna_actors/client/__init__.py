"""The client of a bot's console, made of the standard library alone: a command that uses it starts at once."""

from __future__ import annotations

from duenna_actors.client.address import Address, find
from duenna_actors.client.errors import (
    ClientError,
    NoBotError,
    ProblemError,
    RefusedError,
    SeveralBotsError,
    UnreachableError,
    UsageError,
)
from duenna_actors.client.http import Client
from duenna_actors.client.sse import ServerEvent, Stream
from duenna_actors.client.urls import actor_path

__all__ = [
    "Address",
    "Client",
    "ClientError",
    "NoBotError",
    "ProblemError",
    "RefusedError",
    "ServerEvent",
    "SeveralBotsError",
    "Stream",
    "UnreachableError",
    "UsageError",
    "actor_path",
    "find",
]
