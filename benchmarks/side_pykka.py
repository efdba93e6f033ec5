"""pykka's side, in the peers' environment: an actor is a thread, its mailbox has no bound, nothing supervises it."""

import importlib
import threading

from _worker import Sample, Stopwatch, require, resident_bytes, serve

pykka = importlib.import_module("pykka")


class Counter(pykka.ThreadingActor):  # type: ignore[misc, name-defined]
    """Counts its messages."""

    def __init__(self, total: int, done: threading.Event) -> None:
        """Set *done* at the last of *total* messages."""
        super().__init__()
        self.total = total
        self.done = done
        self.count = 0

    def on_receive(self, message: int) -> int:
        """Count; the answer to an ask is the next number."""
        self.count += 1
        if self.count == self.total:
            self.done.set()
        return message + 1


def tell(size: int) -> Sample:
    """Tell one to one."""
    done = threading.Event()
    ref = Counter.start(size, done)
    watch = Stopwatch()
    for message in range(size):
        ref.tell(message)
    done.wait()
    seconds = watch.stop()
    pykka.ActorRegistry.stop_all()
    return {"seconds": seconds / size}


def ask(size: int) -> Sample:
    """Ask, and wait for the answer."""
    ref = Counter.start(0, threading.Event())
    watch = Stopwatch()
    for message in range(size):
        require(ref.ask(message) == message + 1)
    seconds = watch.stop()
    pykka.ActorRegistry.stop_all()
    return {"seconds": seconds / size}


def spawn(size: int) -> Sample:
    """Start idle actors."""
    before = resident_bytes()
    watch = Stopwatch()
    refs = [Counter.start(0, threading.Event()) for _ in range(size)]
    seconds = watch.stop()
    used = resident_bytes() - before
    require(len(refs) == size)
    pykka.ActorRegistry.stop_all()
    return {"seconds": seconds / size, "bytes": used / size}


if __name__ == "__main__":
    serve({"tell": tell, "ask": ask, "spawn": spawn})
