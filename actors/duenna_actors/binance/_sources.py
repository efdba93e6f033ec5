"""Where snapshots and listen keys come from: an actor that is asked, or a function that is called."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import msgspec

from duenna_actors._http import ApiRequest
from duenna_actors.api_errors import ApiDataError
from duenna_actors.binance.book_messages import DepthSnapshot

if TYPE_CHECKING:
    from duenna import Ref

Snapshots: TypeAlias = Callable[[str, int], Awaitable[DepthSnapshot]]
"""Called with a symbol and a number of levels."""

ListenKeys: TypeAlias = Callable[[str], Awaitable[str]]
"""Called with `POST` for a key, with `PUT` to keep it alive; returns it."""

_DEPTH = "/fapi/v1/depth"
_LISTEN_KEY = "/fapi/v1/listenKey"


class _Key(msgspec.Struct):
    listen_key: str = msgspec.field(name="listenKey", default="")


def snapshots_of(api: Ref | Snapshots, timeout: float) -> Snapshots:
    """Return what fetches snapshots through *api*, each within *timeout* seconds if it is an actor.

    One attempt each: when to try again is for whoever keeps the books to say, for all of them.
    """
    if callable(api):
        return api

    async def fetch(symbol: str, limit: int) -> DepthSnapshot:
        params: dict[str, Any] = {"symbol": symbol, "limit": limit}
        request = ApiRequest(path=_DEPTH, params=params, type=DepthSnapshot, timeout=timeout, is_strict=False)
        snapshot = cast("DepthSnapshot", (await api.ask(request, timeout=timeout)).data)
        if not snapshot.bids and not snapshot.asks:
            raise ApiDataError("GET", _DEPTH, f"a book of {symbol} without levels")
        return snapshot

    return fetch


def listen_keys_of(api: Ref | ListenKeys, timeout: float) -> ListenKeys:
    """Return what asks for listen keys through *api*, each within *timeout* seconds if it is an actor."""
    if callable(api):
        return api

    async def ask(method: str) -> str:
        request = ApiRequest(method=method, path=_LISTEN_KEY, type=_Key, timeout=timeout)
        return cast("_Key", (await api.ask(request, timeout=timeout)).data).listen_key

    return ask
