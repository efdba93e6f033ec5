"""Memory that is not to be had, and the bounded buffers of this process."""

from typing import Final

from duenna.machines.classification import Category, Severity
from duenna.machines.rules import Rule

_DRIVERS = "!@sqlalchemy|@psycopg|@psycopg2|@asyncpg|@redis|@pymongo|@sqlite3"

ALLOCATOR: Final = (
    Rule(
        name="memory/allocator",
        types=("MemoryError", "*OutOfMemory*", "*MemoryError", "java.lang.OutOfMemoryError"),
        category=Category.MEMORY,
        severity=Severity.CRITICAL,
        transient=False,
    ),
    Rule(
        name="memory/errno",
        errnos=("ENOMEM",),
        category=Category.MEMORY,
        severity=Severity.CRITICAL,
        transient=False,
    ),
    Rule(
        name="memory/text",
        texts=(
            f"out-of-memory|outofmemory|oomkilled|oomkiller|oom-killed|oom-killer {_DRIVERS}",
            f"oom when|allocat*|kill* {_DRIVERS}",
            (
                "unable|cannot|cant|could-not|couldnt|failed|failure allocate|alloc|malloc|mmap !connection|port|"
                "socket|id|address|deposit|blocking"
            ),
            "memory allocation fail*|error",
            "allocation failed memory|heap|buffer|array",
            "bad-alloc",
            "memory usage|limit limit exceeded|reached",
            "heap-space|gc-overhead|heap-limit|heap-out|javascript-heap",
            "cgroup memory kill*|exceed*|limit",
            "memory-error|memory-exhausted|exhausted-memory",
            "exit*|exited|code 137",
            "memory exceed*|over limit|quota killed|container|pod|worker|process",
        ),
        category=Category.MEMORY,
        severity=Severity.CRITICAL,
        transient=False,
    ),
)

_FULL = {"category": Category.MEMORY, "severity": Severity.HIGH, "transient": True}

BUFFERS: Final = (
    Rule(
        name="memory/buffer-type",
        types=(
            "Full",
            "QueueFull",
            "*QueueOverflow*",
            "*QueueFull*",
            "*BufferFull*",
            "*BufferOverflow*",
            "*BufferExhausted*",
            "LimitOverrunError",
            "WouldBlock",
            "PoolTimeout",
            "EmptyPoolError",
            "FullPoolError",
            "MailboxFullError",
            "BulkheadFullError",
            "WriteBufferFullError",
            "WriteDroppedError",
            "SyncQueueShutDown",
        ),
        category=Category.MEMORY,
        severity=Severity.HIGH,
        transient=True,
    ),
    Rule(
        name="memory/buffer-text",
        texts=(
            (
                "queue|mailbox|inbox|buffer|backlog full|overflow*|exceed*|overrun !engine|matching|server|exchange|"
                "request|order"
            ),
            "local queue|mailbox|buffer full|overflow*",
            "pool timeout|exhausted|full connection|connections acquire|wait*",
            "buffer too small|full",
            "back-pressure|backpressure exceed*|limit|full|drop*",
            "allocate memory max-blocking",  # the buffer of a producer
        ),
        origins=("", "rest", "ws_feed", "order", "runtime", "strategy"),
        category=Category.MEMORY,
        severity=Severity.HIGH,
        transient=True,
    ),
)
