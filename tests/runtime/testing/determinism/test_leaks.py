"""What a world has none of is refused where it is asked for, and told with file and line."""

from __future__ import annotations

import _thread
import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import trio
import trio.lowlevel
from psycopg import connect as copied_connect

from duenna.testing._leaks import Leak, WorldLeakError

from .support import Bare, run

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = str(Path(__file__).relative_to(Path.cwd()) if Path(__file__).is_relative_to(Path.cwd()) else Path(__file__))
THREAD = "use trio.to_thread.run_sync, which the world runs on its own clock"


def line_of(function: Callable[..., Any], plus: int = 1) -> str:
    return f"{HERE}:{function.__code__.co_firstlineno + plus}"


def start_thread() -> None:
    threading.Thread(target=print).start()


def start_bare_thread() -> None:
    _thread.start_new_thread(print, ())


def start_trio_thread() -> None:
    trio.lowlevel.start_thread_soon(int, print)


def submit_to_pool() -> None:
    POOL.submit(int)


def sleep() -> None:
    time.sleep(1.0)


def wait_for_thread() -> None:
    threading.Event().wait(1.0)


def wait_for_queue() -> None:
    queue.Queue[int]().get(timeout=1.0)


def connect() -> None:
    socket.create_connection(("127.0.0.1", 9))


def connect_socket() -> None:
    with socket.socket() as real:
        real.connect(("127.0.0.1", 9))


def listen() -> None:
    with socket.socket() as real:
        real.bind(("127.0.0.1", 0))


def send_datagram() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as real:
        real.sendto(b"", ("127.0.0.1", 9))


def look_up() -> None:
    socket.getaddrinfo("example.org", 80)


def look_up_host() -> None:
    socket.gethostbyname("example.org")


def run_process() -> None:
    subprocess.run([sys.executable, "--version"], check=True)


def run_shell() -> None:
    os.system("true")


def fork() -> None:
    os.fork()


def connect_postgres() -> None:
    psycopg.connect("host=127.0.0.1")


def connect_postgres_by_copy() -> None:
    copied_connect("host=127.0.0.1")


POOL = ThreadPoolExecutor(1)
LEAKS = {
    start_thread: ("real thread started", "threading.Thread"),
    start_bare_thread: ("real thread started", "thread.start_new_thread"),
    start_trio_thread: ("real thread started", "trio.lowlevel.start_thread_soon"),
    submit_to_pool: ("real thread started", "ThreadPoolExecutor.submit"),
    sleep: ("real sleep", "time.sleep"),
    wait_for_thread: ("wait for another thread, of which a world has none,", "threading.Condition.wait"),
    wait_for_queue: ("wait for another thread, of which a world has none,", "threading.Condition.wait"),
    connect: ("real look-up of a name", "socket.getaddrinfo"),
    connect_socket: ("real socket used", "socket.socket.connect"),
    listen: ("real socket used", "socket.socket.bind"),
    send_datagram: ("real socket used", "socket.socket.sendto"),
    look_up: ("real look-up of a name", "socket.getaddrinfo"),
    look_up_host: ("real look-up of a name", "socket.gethostbyname"),
    run_process: ("real process started", "subprocess.Popen"),
    run_shell: ("real process started", "os.system"),
    fork: ("real process started", "os.fork"),
    connect_postgres: ("real connection to PostgreSQL made", "psycopg.connect"),
    connect_postgres_by_copy: ("real connection to PostgreSQL made", "psycopg.connect"),
}


@pytest.mark.parametrize("touch", LEAKS, ids=lambda touch: touch.__name__)
def test_what_is_real_is_refused_with_its_place(touch: Callable[[], None]) -> None:
    what, by = LEAKS[touch]
    bare = Bare()

    async def main() -> None:
        await trio.sleep(1.0)
        touch()

    with pytest.raises(WorldLeakError) as caught:
        bare.run(main)

    leak = caught.value.leak
    is_with = touch in {connect_socket, listen, send_datagram}
    assert (leak.what, leak.where, leak.by) == (what, line_of(touch, 2 if is_with else 1), by)
    assert bare.leaks == [leak]


def test_the_text_says_what_where_and_what_to_do() -> None:
    leak = Leak("real thread started", "examples/x.py:12", "threading.Thread", THREAD)

    assert str(leak) == f"real thread started at examples/x.py:12 (threading.Thread): {THREAD}"
    assert str(WorldLeakError(leak)) == str(leak)


def test_in_a_worker_thread_the_function_is_named() -> None:
    bare = Bare()

    async def main() -> None:
        with pytest.raises(WorldLeakError):
            await trio.to_thread.run_sync(connect_socket)

    bare.run(main)

    assert [leak.where for leak in bare.leaks] == [line_of(connect_socket, 2)]


def test_where_a_library_used_the_thread_its_caller_is_named() -> None:
    """Trio starts a process in a thread, whose stack has nobody else's code in it."""
    bare = Bare()

    async def main() -> None:
        with pytest.raises(WorldLeakError):
            await trio.run_process(["true"])

    bare.run(main)

    assert [(leak.where, leak.by) for leak in bare.leaks] == [(line_of(main, 2), "subprocess.Popen")]


def test_a_name_that_no_resolver_of_trio_catches_is_refused() -> None:
    bare = Bare()

    async def main() -> None:
        with pytest.raises(WorldLeakError):
            await trio.socket.getaddrinfo("example.org", 80)

    bare.run(main)

    assert [(leak.where, leak.by) for leak in bare.leaks] == [(line_of(main, 2), "socket.getaddrinfo")]


def test_trio_itself_leaks_nothing() -> None:
    """It makes a socketpair, and reads numeric addresses by the C library."""
    bare = Bare()

    async def main() -> Any:
        with trio.open_signal_receiver(signal.SIGUSR1):
            trio.lowlevel.current_trio_token().run_sync_soon(int)
            return await trio.socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)

    assert bare.run(main)[0][4] == ("127.0.0.1", 80)
    assert bare.leaks == []


def test_a_line_is_told_once_and_refused_each_time() -> None:
    """An actor that is restarted leaks again and again."""
    bare = Bare()

    async def main() -> None:
        for _ in range(3):
            with pytest.raises(WorldLeakError):
                sleep()

    bare.run(main)

    assert len(bare.leaks) == 1


def test_after_the_world_everything_is_allowed_again() -> None:
    with contextlib.suppress(WorldLeakError):
        run(trio.to_thread.run_sync, start_thread)
    ended = threading.Event()

    thread = threading.Thread(target=ended.set)
    thread.start()
    assert ended.wait(10.0)
    thread.join()
    first, second = socket.socketpair()
    first.close()
    second.close()
    assert "connect" not in vars(socket.socket)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass
    assert subprocess.run([sys.executable, "-c", ""], check=True).returncode == 0


def test_the_thread_that_forces_the_end_may_start() -> None:
    said: list[str] = []

    async def main() -> None:
        thread = threading.Thread(target=lambda: said.append(f"{time.time() > 1e9}"), name="duenna force")
        thread.start()
        thread.join(10.0)

    bare = Bare()
    bare.run(main)

    assert (said, bare.leaks) == (["True"], [])


def test_a_world_in_a_world_is_refused() -> None:
    bare = Bare(1)

    async def main() -> None:
        with pytest.raises(
            RuntimeError,
            match=r"^one world at a time: World\(2\) cannot run while World\(1\) runs in this thread; "
            r"run it afterwards, or in a process of its own$",
        ):
            Bare(2).call(int)
        assert time.time() == bare.wall()

    bare.run(main)

    assert Bare(2).call(int) == 0


def test_a_world_in_another_thread_is_refused() -> None:
    errors: list[str] = []

    def enter() -> None:
        try:
            Bare(2).call(int)
        except RuntimeError as exc:
            errors.append(str(exc))

    async def main() -> None:
        thread = threading.Thread(target=enter, name="duenna force")
        thread.start()
        thread.join()

    run(main, seed=1)

    assert "World(1) runs in another thread of this process" in errors[0]


@pytest.mark.parametrize("imported", ["", "import psycopg"])
def test_a_driver_that_is_imported_in_the_world_is_refused_too(imported: str) -> None:
    program = f"""
{imported}
from tests.runtime.testing.determinism.support import Bare

def main():
    import psycopg
    try:
        psycopg.connect("host=127.0.0.1")
    except RuntimeError as exc:
        print(type(exc).__name__)
    return psycopg.connect

connect = Bare().call(main)
try:
    connect("host=127.0.0.1 port=1 connect_timeout=2")
except Exception as exc:
    print(type(exc).__name__)
"""
    root = str(Path(__file__).parents[4])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=root)

    assert done.stdout.split() == ["WorldLeakError", "OperationalError"], done.stderr
