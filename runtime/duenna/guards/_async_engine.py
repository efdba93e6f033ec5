"""A guarded call of an async function, once it takes the long way."""

from __future__ import annotations

from itertools import count
from math import inf
from typing import TYPE_CHECKING, Any

from duenna.guards._backend import ExpiredError, current_backend
from duenna.guards.errors import RejectedError
from duenna.guards.hedge import race

if TYPE_CHECKING:
    from duenna.guards._backend import Backend
    from duenna.guards._call import Call


async def attempts(call: Call, failure: Exception | None = None) -> Any:
    """Return what the call gives, sooner or later.

    Args:
        call: What to call.
        failure: The error of the first attempt, if that was made and recorded already.
    """
    backend = current_backend()
    call.ended = int(failure is not None)
    try:
        while True:
            if failure is None:
                try:
                    value = await _try(call, backend)
                except Exception as error:  # noqa: BLE001  # raised below, if it is not tried again
                    failure = error
                else:
                    call.answered()
                    return value
            wait = call.wait_after(failure)
            if wait is None:
                raise call.final(failure)
            call.last, failure = failure, None
            await backend.sleep(wait)
            call.again()
    finally:
        failure = None  # an error must not keep the frame alive that its traceback keeps
        call.close()


async def _try(call: Call, backend: Backend) -> Any:
    hedge = call.policy.hedge
    if hedge is None:
        return await _attempt(call, backend)
    tries = count()
    return await race(backend.name, lambda: _attempt(call, backend, is_hedge=next(tries) > 0), hedge, call.may_hedge)


async def _attempt(call: Call, backend: Backend, *, is_hedge: bool = False) -> Any:
    dependency, policy = call.dependency, call.policy
    now = dependency.timeline.now
    permit = call.admit()
    began = sent = now()
    bulkhead, slots = dependency.slots, None
    is_sent = False
    try:
        if bulkhead is not None:
            await bulkhead.acquire(call.deadline_at - began)
            slots = bulkhead
        if policy.rate_limit is not None:
            await policy.rate_limit.acquire(call.weight(), call.deadline_at - now(), guard=dependency.name)
        if slots is not None or policy.rate_limit is not None:
            permit, began = call.renew(permit, began)
        sent, limit = call.sends(is_hedge=is_hedge)
        is_sent = True
        if limit == inf:
            value = await call.function(*call.args, **call.kwargs)
        else:
            try:
                value = await backend.within(limit, call.function, call.args, call.kwargs)
            except ExpiredError:
                error = call.expired(limit)
                raise error from error.__cause__
        call.accept(value)
    except Exception as error:
        if is_sent:
            call.failed(permit, slots, error, sent)
        else:
            call.released(permit, slots, began)
            if isinstance(error, RejectedError):
                call.refused(error)
        raise
    except BaseException:  # cancelled: neither success nor failure
        call.released(permit, slots, began, is_sent=is_sent)
        raise
    call.succeeded(permit, slots, sent)
    return value
