"""For code that is no actor: its errors are classified, retried, reported and, if asked for, swallowed."""

from duenna.handlers.contexts import error_context
from duenna.handlers.decorators import NO_FALLBACK, handle_errors, with_circuit_breaker
from duenna.handlers.handler import ErrorHandler, RecordedError, configure, default, record_error, reset

__all__ = [
    "NO_FALLBACK",
    "ErrorHandler",
    "RecordedError",
    "configure",
    "default",
    "error_context",
    "handle_errors",
    "record_error",
    "reset",
    "with_circuit_breaker",
]
