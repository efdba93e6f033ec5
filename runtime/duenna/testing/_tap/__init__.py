"""The tap: what every message, watch and timer of a runtime does, as records of the trace.

The kernel has no place for it, and pays nothing when it is off: the objects of one runtime
get classes that record, and all others in the process go on as they are.

A message is known by its sender, its receiver and its number: 1, 2, 3... from the one to the
other, given when it gets into the mailbox. Then it is `sent`; it may be `dropped` by the
mailbox's rule or become a `dead_letter`; otherwise it is `received` and `handled`. One that
was stashed is `redelivered`, and then received again. `Down` notices are not messages here:
`watch`, `unwatch`, `down` and `down_received` tell of them, and `timer` and `timer_received`
of timers.
"""

from collections.abc import Generator
from contextlib import contextmanager

from duenna._runtime import Runtime
from duenna.testing._tap._cells import adopt
from duenna.testing._tap._errors import tap_errors
from duenna.testing._tap._guards import tap_guards
from duenna.testing._tap._log import Log, Record

__all__ = ["Record", "tap", "tap_guards"]


@contextmanager
def tap(runtime: Runtime, record: Record, *, messages: bool = True) -> Generator[None]:
    """Record what *runtime*, which has not begun, is made of, and what its operators and actors do.

    Args:
        runtime: A fresh one.
        record: Called with kind, path, incarnation, and fields by name.
        messages: Whether every message, watch and timer is recorded; otherwise only the specs,
            the operators' commands, and what becomes of errors.
    """
    log = Log(record)
    adopt(runtime, log, messages=messages)
    try:
        with tap_errors(runtime, log):
            yield
    finally:
        log.close()
