"""A guarded call of a plain function, once it takes the long way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from duenna._thread_clock import THREADS
from duenna.guards._backend import is_in_loop
from duenna.guards._lazy import is_lazy, refusal
from duenna.guards.errors import RejectedError

if TYPE_CHECKING:
    from duenna.guards._call import Call


def attempts(call: Call, failure: Exception | None = None) -> Any:
    """Return what the call gives, sooner or later; inside an event loop, without waiting.

    Args:
        call: What to call.
        failure: The error of the first attempt, if that was made and recorded already.
    """
    may_wait = not is_in_loop()
    call.ended = int(failure is not None)
    try:
        while True:
            if failure is None:
                try:
                    value = _attempt(call, may_wait=may_wait)
                except Exception as error:  # noqa: BLE001  # raised below, if it is not tried again
                    failure = error
                else:
                    call.answered()
                    return value
            wait = call.wait_after(failure, may_wait=may_wait)
            if wait is None:
                raise call.final(failure)
            call.last, failure = failure, None
            if wait > 0:
                THREADS.sleep(wait)
            call.again()
    finally:
        failure = None  # an error must not keep the frame alive that its traceback keeps
        call.close()


def _attempt(call: Call, *, may_wait: bool) -> Any:
    dependency, policy = call.dependency, call.policy
    now = dependency.timeline.now
    permit = call.admit()
    began = sent = now()
    bulkhead, slots = dependency.slots, None
    is_sent = False
    try:
        if bulkhead is not None:
            bulkhead.acquire_sync(call.deadline_at - began, may_wait=may_wait)
            slots = bulkhead
        if policy.rate_limit is not None:
            left = call.deadline_at - now()
            policy.rate_limit.acquire_sync(call.weight(), left, may_wait=may_wait, guard=dependency.name)
        if slots is not None or policy.rate_limit is not None:
            permit, began = call.renew(permit, began)
        sent, _ = call.sends()
        is_sent = True
        value = call.function(*call.args, **call.kwargs)
        if is_lazy(value):
            is_sent = False
            raise refusal(dependency.name, call.function, value)  # noqa: TRY301  # ends as what was never sent does
        call.accept(value)
    except Exception as error:
        if is_sent:
            call.failed(permit, slots, error, sent)
        else:
            call.released(permit, slots, began)
            if isinstance(error, RejectedError):
                call.refused(error)
        raise
    except BaseException:  # Ctrl-C, an exit: neither success nor failure
        call.released(permit, slots, began, is_sent=is_sent)
        raise
    call.succeeded(permit, slots, sent)
    return value
